/* text.h: how a phrase or a sticker's words become search terms; used by both services, so that
 * what is indexed and what is asked always meet. The room knows no database and no service; it sees base only.
 *
 * Steps: NFKC and case folding; words split at anything that is not a letter, mark or number (UAX #29 is
 * approximated); words stemmed by the Snowball algorithm of their language, where there is one; accents
 * stripped; an emoji is a word of its own, spelled by its code points without U+FE0F and skin tones
 * ("u1f431"); runs of Han, Kana, Hangul and Thai become overlapping bigrams, because they are written
 * without spaces; Katakana is taken for Hiragana, and one letter for the several forms of alef.
 *
 * Beside these, a piece that says more by its signs than by its letters is a term as a whole ("<3" is "u3cu33"); what
 * some write together is one ("wifi" of "wi-fi", "icecream" of the keyword "ice cream"); and in languages other than
 * English a run of up to four characters without spaces is one ("下雪1"), told from pieces by a digit. */
#ifndef PEEL_TEXT_TEXT_H
#define PEEL_TEXT_TEXT_H

#include "base/arena.h"
#include "base/lru.h"
#include "base/status.h"
#include "base/terms.h"
#include <stdbool.h>
#include <stddef.h>

struct text_term {
    const char *stem;    /* what is matched: [a-z0-9] or non-ASCII UTF-8, no white space, no quotes */
    const char *folded;  /* the same word before stemming: what a typed prefix is matched against */
    const char *spelled; /* in lower case with its accents; of "l'avion" what follows the apostrophe */
    bool is_emoji;
    bool is_run;  /* two characters of a script without spaces; or the last one of a run, or its only one */
    bool is_tail; /* the last one, of several */
    bool is_only; /* the only one: a word of one character */
    bool is_han;  /* an only or last one that is Han */
};

struct text_terms {
    struct text_term *items;
    size_t count;
};

/* Terms as English has them: at most `max_terms` of valid UTF-8 `s`; all memory from the arena. No terms is OK (count
 * 0). */
enum status text_analyze(const char *s, size_t len, size_t max_terms, struct arena *arena, struct text_terms *out,
                         struct error *err) MUST_CHECK;

/* The terms of a sticker in all its languages. `words` may have several tags of one language; the filename's
 * ending is left out. ocr_words, what the picture says or NULL, count as if they stood in the filename. Memory from the
 * arena. ERR_TOO_LARGE beyond LANGUAGE_MAX_BYTES and _LISTS. */
enum status text_sticker_terms(const char *title, const char *filename, const char *ocr_words,
                               const struct sticker_words *words, size_t n, struct arena *a, struct sticker_terms *out,
                               struct error *err) MUST_CHECK;

/* A query's terms. `language`: the preferred one's number, LANGUAGE_en without one: then English words that
 * say nothing about a picture are left out. complete: the last word may be the beginning of one. kept: a cache of this
 * function's alone, of what words are in other languages; NULL: none. */
enum status text_query(const char *s, size_t len, unsigned language, bool complete, struct lru *kept, struct arena *a,
                       struct term_query *out, struct error *err) MUST_CHECK;
#define TEXT_KEPT_BYTES 512u /* of a word in it, about */
/* Only what a query is in English, without its forms in other languages, which take most of the time. */
enum status text_query_stems(const char *s, size_t len, struct arena *a, struct term_query *out,
                             struct error *err) MUST_CHECK;

/* Valid UTF-8 in small letters and NFC, with plain apostrophes, trimmed, its first `most` bytes at most: what is the
 * same in print is the same text. In the arena. ERR_INVALID: not UTF-8. */
enum status text_lower(const char *s, size_t len, size_t most, struct arena *a, const char **out, size_t *out_len,
                       struct error *err) MUST_CHECK;

/* Normalised to NFC (Unicode Standard Annex #15), in the arena; what is not UTF-8 stays as it is. NULL: no memory. */
const char *text_composed(const char *s, struct arena *a) MUST_CHECK;

/* A search as it is known by: as text_lower has it, with single spaces, and without the selectors that say how an emoji
 * is drawn. "Party  Time" and "party time" are one search. In the arena; may be "". ERR_INVALID: not UTF-8. */
enum status text_fold_query(const char *typed, size_t most, struct arena *a, const char **out,
                            struct error *err) MUST_CHECK;

#define TEXT_QUERY_BYTES 1020u /* the most that a search has: 255 characters */

/* The key of all queries that say the same in other words of the same stems, in any order, with or without words that
 * say nothing: TEXT_ALIKE and the stems. "" where there are none. In the arena. */
#define TEXT_ALIKE "\001" /* which no query begins with, as far as people type it */
enum status text_alike_key(const char *query, struct arena *a, const char **out, struct error *err) MUST_CHECK;

/* As text_lower, without accents and in one spelling of letters that are written in several ways: what people type for
 * it. Words longer than 64 bytes are cut. NULL is never set. */
enum status text_plain(const char *s, size_t len, size_t most, struct arena *a, const char **out,
                       struct error *err) MUST_CHECK;

/* The stems (or folded forms) joined by single spaces: what a store puts in its index. */
char *text_join_stems(const struct text_terms *t, struct arena *arena) MUST_CHECK;
char *text_join_folded(const struct text_terms *t, struct arena *arena) MUST_CHECK;

/* Words that some write together, others apart: the former, with spaces between them, in the arena. NULL: no memory.
 * Fillers are never part of one. */
enum text_compounds {
    TEXT_HYPHENS = 1,    /* "wi-fi" without its hyphens, */
    TEXT_PHRASES = 2,    /* the words of a phrase of two, such as "ice cream" between commas, */
    TEXT_NEIGHBOURS = 4, /* any two words that follow each other */
};
const char *text_compounds(const char *s, size_t len, unsigned which, struct arena *arena) MUST_CHECK;

/* A copy of the text, of the same length, with blanks for those letters that belong to signs such as "+1", ":D" and
 * "<3": they are no words. In the arena, NULL: no memory. */
char *text_without_signs(const char *s, size_t len, struct arena *arena) MUST_CHECK;

/* Splits a words cell "cat, black cat; 🐈" at commas, semicolons and bars; trims; drops empties and
 * repeats; joined again by ", ". */
char *text_normalize_words(const char *words, struct arena *arena) MUST_CHECK;

#endif
