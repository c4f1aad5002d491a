/* text.h: a text on its way from a query to the words that a model splits. */
#ifndef PEEL_TOKENIZE_TEXT_H
#define PEEL_TOKENIZE_TEXT_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_MAX_BYTES (512u << 10) /* of a normalized text: one code point may become 18 */

/* A word: bytes [at, at + len) of the text's data. */
struct word {
    uint32_t at, len;
};

struct text {
    struct buf data;    /* valid UTF-8 */
    struct buf spare;   /* the next stage writes here, then the two change places */
    struct word *words; /* [n_words], in order, none empty; bytes between them are left out */
    size_t n_words, cap;
    struct word *old; /* as `spare`, for words; [old_cap] */
    size_t old_cap;
    size_t origin; /* leading bytes of the data that come from the first code point of the query */
};

void text_init(struct text *t);
void text_free(struct text *t);
void text_swap(struct text *t);                       /* data and spare; the new spare is emptied */
bool text_add(struct text *t, size_t at, size_t len); /* a word, if not empty; false: no memory */
void text_set_aside(struct text *t, size_t *n);       /* words become `old`, [*n]; there are none after */

#endif
