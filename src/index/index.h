/* index.h: exact nearest neighbours by inner product over L2-normalised vectors: int8 scan with fp32
 * re-ranking, or fp32 alone; snapshot file; changes without stopping readers.
 *
 *     index_open(512, &ix, &err);  index_put(ix, id, vec, &err);
 *     index_search(ix, pool, queries, 1, 10, INDEX_INT8, hits, counts, &err);
 */
#ifndef PEEL_INDEX_INDEX_H
#define PEEL_INDEX_INDEX_H

#include "base/pool.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

struct index;
struct index_hit {
    int64_t id;
    float score; /* inner product = cosine */
};
enum index_scan { INDEX_INT8, INDEX_FP32 };
#define INDEX_MAX_K   10000
#define INDEX_MAX_DIM 4096

enum status index_open(size_t dim, struct index **out, struct error *err) MUST_CHECK; /* empty */
void index_close(struct index *ix);
enum status index_put(struct index *ix, int64_t id, const float *vector,
                      struct error *err) MUST_CHECK; /* [dim]; adds or replaces */
void index_delete(struct index *ix, int64_t id);     /* absent is fine */
size_t index_count(const struct index *ix);
size_t index_dim(const struct index *ix);
size_t index_bytes(const struct index *ix); /* memory held, mapped included */

/* queries: [n, dim] normalised; hits: [n, k], counts: [n] (best first, ties by smaller id).
 * Many threads may search while others put and delete. pool may be NULL. */
enum status index_search(struct index *ix, struct pool *pool, const float *queries, size_t n, size_t k,
                         enum index_scan scan, struct index_hit *hits, size_t *counts, struct error *err) MUST_CHECK;
/* The stored vector of one id, copied to out[dim]; NOT_FOUND. ("more like this") */
enum status index_get(struct index *ix, int64_t id, float *out, struct error *err) MUST_CHECK;

/* Snapshot: one checksummed file, written atomically, mapped on load. `tag` (model id) and `generation`
 * (search_store_vectors_generation) are stored and compared: ERR_CONFLICT when stale, ERR_CORRUPT when
 * damaged, ERR_NOT_FOUND when absent; the caller then rebuilds from the database. */
enum status index_save(struct index *ix, const char *path, const char *tag, int64_t generation,
                       struct error *err) MUST_CHECK;
enum status index_load(const char *path, const char *tag, size_t dim, int64_t generation, struct index **out,
                       struct error *err) MUST_CHECK;

#endif
