/* id_set.h: a set of documents, by their ids, which are small numbers that are never given twice: one bit each. */
#ifndef PEEL_BASE_ID_SET_H
#define PEEL_BASE_ID_SET_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct id_set {
    uint64_t *bits;
    size_t words; /* of bits */
};
#define ID_SET_MAX ((int64_t)1 << 36) /* an id beyond it is ERR_TOO_LARGE: 8 GiB of bits */

static inline bool id_set_has(const struct id_set *s, int64_t id)
{
    return id >= 0 && (uint64_t)id / 64 < s->words && (s->bits[id / 64] >> id % 64 & 1);
}

static inline void id_set_remove(struct id_set *s, int64_t id)
{
    if (id >= 0 && (uint64_t)id / 64 < s->words)
        s->bits[id / 64] &= ~(1ull << id % 64);
}

static inline enum status id_set_add(struct id_set *s, int64_t id, struct error *err) MUST_CHECK;
static inline enum status id_set_add(struct id_set *s, int64_t id, struct error *err)
{
    if (id < 0 || id > ID_SET_MAX)
        return err_set(err, ERR_TOO_LARGE, "a set of documents cannot hold the id %lld", (long long)id);
    size_t need = (size_t)id / 64 + 1;
    if (need > s->words) {
        size_t words = need > 2 * s->words ? need : 2 * s->words;
        uint64_t *bits = realloc(s->bits, words * sizeof *bits);
        if (!bits)
            return err_no_memory(err, "a set of %zu documents", 64 * words);
        memset(bits + s->words, 0, (words - s->words) * sizeof *bits);
        s->bits = bits;
        s->words = words;
    }
    s->bits[id / 64] |= 1ull << id % 64;
    return OK;
}

static inline size_t id_set_count(const struct id_set *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->words; i++)
        n += (size_t)__builtin_popcountll(s->bits[i]);
    return n;
}

static inline void id_set_free(struct id_set *s)
{
    free(s->bits);
    *s = (struct id_set){0};
}

#endif
