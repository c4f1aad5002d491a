#include "tokenize/text.h"

#include <stdlib.h>
#include <string.h>

void text_init(struct text *t)
{
    memset(t, 0, sizeof *t);
    buf_init(&t->data, TEXT_MAX_BYTES);
    buf_init(&t->spare, TEXT_MAX_BYTES);
}

void text_free(struct text *t)
{
    buf_free(&t->data);
    buf_free(&t->spare);
    free(t->words);
    free(t->old);
}

void text_swap(struct text *t)
{
    struct buf data = t->data;
    t->data = t->spare;
    t->spare = data;
    buf_reset(&t->spare);
}

bool text_add(struct text *t, size_t at, size_t len)
{
    if (len == 0)
        return true;
    if (t->n_words == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 32;
        struct word *more = realloc(t->words, cap * sizeof *more);
        if (!more)
            return false;
        t->words = more;
        t->cap = cap;
    }
    t->words[t->n_words++] = (struct word){.at = (uint32_t)at, .len = (uint32_t)len};
    return true;
}

void text_set_aside(struct text *t, size_t *n)
{
    struct word *words = t->words;
    size_t cap = t->cap;
    *n = t->n_words;
    t->words = t->old;
    t->cap = t->old_cap;
    t->old = words;
    t->old_cap = cap;
    t->n_words = 0;
}
