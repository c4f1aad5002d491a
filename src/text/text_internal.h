/* text_internal.h: between the files of src/text. */
#ifndef PEEL_TEXT_TEXT_INTERNAL_H
#define PEEL_TEXT_TEXT_INTERNAL_H

#include "text/text.h"

#include <stdint.h>

#define TEXT_MAX_WORD   64u                  /* bytes; longer words are cut: nobody types them twice */
#define TEXT_MAX_FOLDED (3u * TEXT_MAX_WORD) /* a stemmer may lengthen a word, and "ae" may have been one letter */

/* text_analyze; without `stemmed`, stems are the folded words. */
enum status text_split(const char *s, size_t len, size_t max_terms, bool stemmed, struct arena *arena,
                       struct text_terms *out, struct error *err) MUST_CHECK;

/* fold.c: a word in lower case (at most TEXT_MAX_WORD bytes of NFKC) without its accents, and with letters
 * that are written in several ways in one of them. Returns the length; nothing is left of a mark alone. */
size_t text_fold(const char *word, size_t len, char out[TEXT_MAX_FOLDED]);
bool text_is_ascii(const char *word, size_t len);
uint32_t text_fold_kana(uint32_t cp); /* Katakana to Hiragana */

/* stems.c: the stemmers of a moment, each made when it is first needed. One thread's. */
struct text_stemmers {
    struct sb_stemmer *of[LANGUAGE_COUNT];
};
void text_stemmers_free(struct text_stemmers *s);

struct text_stem {
    char text[TEXT_MAX_FOLDED];
    size_t len;
};
/* The stems under which a word (as spelled) is known in a language: one, or two when it is stemmed otherwise
 * without its accents. */
size_t text_stems(struct text_stemmers *s, unsigned language, const char *spelled, struct text_stem out[2]);
bool text_has_stemmer(unsigned language);

#endif
