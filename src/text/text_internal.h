/* text_internal.h: between the files of src/text. */
#ifndef PEEL_TEXT_TEXT_INTERNAL_H
#define PEEL_TEXT_TEXT_INTERNAL_H

#include "text/emoji.h"
#include "text/text.h"

#include <stdint.h>

#define TEXT_MAX_WORD   64u                  /* bytes; longer words are cut: nobody types them twice */
#define TEXT_MAX_FOLDED (3u * TEXT_MAX_WORD) /* a stemmer may lengthen a word, and "ae" may have been one letter */

/* text_analyze; without `stemmed`, words are only spelled: stems and folded forms are the same. */
enum status text_split(const char *s, size_t len, size_t max_terms, bool stemmed, struct arena *arena,
                       struct text_terms *out, struct error *err) MUST_CHECK;

/* fold.c: a word in lower case (at most TEXT_MAX_WORD bytes of NFKC) without its accents, and with letters
 * that are written in several ways in one of them. Returns the length; nothing is left of a mark alone. */
size_t text_fold(const char *word, size_t len, char out[TEXT_MAX_FOLDED]);
bool text_is_ascii(const char *word, size_t len);
uint32_t text_fold_kana(uint32_t cp); /* Katakana to Hiragana */
bool text_is_han(uint32_t cp);

/* English words that say nothing about a picture; left out of queries when others remain. */
bool text_is_filler(const char *word, size_t len);

/* signs.c: a piece of text, between white space and commas, that says more by its signs than by its letters. */
struct text_sign {
    size_t at, len;            /* where it stands in the text */
    char text[128];            /* in one spelling: ":-)" is ":)" */
    char name[EMOJI_MAX_NAME]; /* its term, spelled by code points */
    size_t text_len, name_len;
};
/* The next one from *at on, which moves behind it; false: there is none. */
bool text_next_sign(const char *s, size_t len, size_t *at, struct text_sign *out);
/* The name of the emoji that it stands for, such as "u2764" for "<3"; returns its length, 0: none. */
size_t text_sign_emoji(const struct text_sign *sign, char out[EMOJI_MAX_NAME]);

/* compounds.c: the next word with hyphens from *at on, which moves behind it; false: there is none. */
bool text_next_hyphenated(const char *s, size_t len, size_t *at, size_t *start);

/* stems.c: the calling thread's stemmer of a language, which the thread keeps; NULL: the language has none, or there is
 * no memory. */
struct sb_stemmer *text_stemmer(unsigned language);
/* Is a word in this language its own stem, when it is in ASCII, or always? */
bool text_is_stem(unsigned language, bool ascii);
/* The first of the languages whose words have the stems that they have in this one. */
unsigned text_stems_as(unsigned language);

struct text_stem {
    char text[TEXT_MAX_FOLDED];
    size_t len;
};
/* The stems under which a word (as spelled) is known in a language: one, or two when it is stemmed otherwise
 * without its accents; or none. False: no memory. */
bool text_stems(unsigned language, const char *spelled, struct text_stem out[2], size_t *n);

/* forms.c: a query's words in all languages but English. */
#define TEXT_MAX_FORMS 256u
struct text_forms {
    struct arena *arena;
    struct lru *kept;        /* those of words that come again; NULL: nothing is kept */
    struct word_form *items; /* [TEXT_MAX_FORMS] */
    size_t n;
    enum status status;
};
/* Adds those of a word, `word` its place in the query, as far as there is room. */
void text_forms_add(struct text_forms *f, unsigned word, const struct text_term *term);

#endif
