/* query_cache.h: the vectors of recent queries, least recently used out first, bounded in bytes.
 * Thread-safe. A vector is found again by model and exact text. */
#ifndef PEEL_RANK_QUERY_CACHE_H
#define PEEL_RANK_QUERY_CACHE_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct query_cache;
/* max_bytes 0: nothing is ever kept. */
enum status query_cache_open(size_t max_bytes, struct query_cache **out, struct error *err) MUST_CHECK;
void query_cache_close(struct query_cache *c);

/* Copies the vector to out[dim]; false when it is not there. */
bool query_cache_get(struct query_cache *c, const char *model, const char *text, size_t len, float *out, size_t dim);
/* Copies vector[dim]; a failed allocation only means that nothing is kept. */
void query_cache_put(struct query_cache *c, const char *model, const char *text, size_t len, const float *vector,
                     size_t dim);

struct query_cache_stats {
    uint64_t hits, misses;
    size_t entries, bytes;
};
struct query_cache_stats query_cache_stats(struct query_cache *c);

#endif
