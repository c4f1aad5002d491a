/* chars.h: what analysis asks of every character of every text, from a table that is made when Peel is compiled
 * (tools/chars.c): looking it up takes a tenth of the time that utf8proc does. */
#ifndef PEEL_TEXT_CHARS_H
#define PEEL_TEXT_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a character becomes: itself, nothing, or one pair of `chars_pairs`. What depends on its neighbours, or becomes
 * more than two, is left to normal.h. */
enum { CHARS_ITSELF, CHARS_NOTHING, CHARS_ASK, CHARS_PAIRS };
enum {
    CHARS_WORD = 1,       /* a letter, mark or number */
    CHARS_LETTER = 2,     /* a letter */
    CHARS_PICTOGRAPH = 4, /* Extended_Pictographic: an emoji may begin with it */
    CHARS_MARK = 8,       /* beside another mark their order is a question for normal.h */
};
struct chars_entry {
    uint16_t normal; /* of normal_text */
    uint16_t folded; /* of normal_fold */
    uint16_t flags;
};

enum { CHARS_BLOCK = 128, CHARS_BLOCKS = 0x110000 / CHARS_BLOCK };
extern const int32_t chars_pairs[][2]; /* the second may be 0: none */
extern const uint16_t chars_index[CHARS_BLOCKS];
extern const struct chars_entry chars_blocks[][CHARS_BLOCK];

/* cp: below 0x110000. */
static inline const struct chars_entry *chars_entry(uint32_t cp)
{
    return &chars_blocks[chars_index[cp / CHARS_BLOCK]][cp % CHARS_BLOCK];
}
static inline bool chars_is_word(uint32_t cp)
{
    return chars_entry(cp)->flags & CHARS_WORD;
}

/* As normal_text and normal_fold, into out [len]; false: ask those. */
bool chars_normal(const char *s, size_t len, int32_t *out, size_t *n);
bool chars_fold(const char *s, size_t len, int32_t *out, size_t *n);

#endif
