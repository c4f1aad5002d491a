/* text.h: how a phrase or a sticker's words become search terms; used by both services, so that
 * what is indexed and what is asked always meet.
 *
 * Steps: NFKC, case folding, accents stripped; words split at anything that is not a letter, mark or
 * number (UAX #29 is approximated); English words stemmed (Snowball Porter2); an emoji is a word of
 * its own, spelled by its code points without U+FE0F and skin tones ("u1f431"); runs of Han, Kana,
 * Hangul and Thai become overlapping bigrams, because they are written without spaces. */
#ifndef PEEL_TEXT_TEXT_H
#define PEEL_TEXT_TEXT_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

struct text_term {
    const char *stem;   /* what is matched: [a-z0-9] or non-ASCII UTF-8, no white space, no quotes */
    const char *folded; /* the same word before stemming: what a typed prefix is matched against */
    bool is_emoji;
};

struct text_terms {
    struct text_term *items;
    size_t count;
};

/* At most `max_terms` terms of valid UTF-8 `s`; all memory from the arena. No terms is OK (count 0). */
enum status text_analyze(const char *s, size_t len, size_t max_terms, struct arena *arena, struct text_terms *out,
                         struct error *err) MUST_CHECK;

/* The stems (or folded forms) joined by single spaces: what a store puts in its index. */
char *text_join_stems(const struct text_terms *t, struct arena *arena) MUST_CHECK;
char *text_join_folded(const struct text_terms *t, struct arena *arena) MUST_CHECK;

/* Splits a words cell "cat, black cat; 🐈" at commas, semicolons and bars; trims; drops empties and
 * repeats; joined again by ", ". */
char *text_normalize_words(const char *words, struct arena *arena) MUST_CHECK;

#endif
