/* vectors_exact.h: nearest neighbours by inner product over L2-normalised vectors in memory: int8 scan with fp32
 * re-ranking, or fp32 alone; snapshot file; changes without stopping readers. The functions here are exact; behind
 * vectors.h, searches of many vectors read the nearest lists of alike ones (vectors_exact_tune).
 *
 *     vectors_exact_open(512, &ix, &err);  vectors_exact_put(ix, id, vec, &err);
 *     vectors_exact_search(ix, pool, queries, 1, 10, VECTORS_INT8, NULL, hits, counts, &err);
 */
#ifndef PEEL_VECTORS_VECTORS_EXACT_H
#define PEEL_VECTORS_VECTORS_EXACT_H

#include "vectors/vectors.h"

struct vectors_exact;
enum vectors_scan { VECTORS_INT8, VECTORS_FP32 };

enum status vectors_exact_open(size_t dim, struct vectors_exact **out, struct error *err) MUST_CHECK; /* empty */
void vectors_exact_close(struct vectors_exact *ix);
/* The same behind vectors.h, which then owns it. */
struct vectors *vectors_exact_base(struct vectors_exact *ix);
enum status vectors_exact_put(struct vectors_exact *ix, int64_t id, const float *vector,
                              struct error *err) MUST_CHECK;     /* [dim]; adds or replaces */
void vectors_exact_delete(struct vectors_exact *ix, int64_t id); /* absent is fine */
size_t vectors_exact_count(const struct vectors_exact *ix);
size_t vectors_exact_bytes(const struct vectors_exact *ix); /* memory held, mapped included */

/* queries: [n, dim] normalised; hits: [n, k], counts: [n] (best first, ties by smaller id).
 * passing: only these documents; NULL: all. Many threads may search while others put and delete. pool may be NULL. */
enum status vectors_exact_search(struct vectors_exact *ix, struct pool *pool, const float *queries, size_t n, size_t k,
                                 enum vectors_scan scan, const struct label_test *passing, struct vectors_hit *hits,
                                 size_t *counts, struct error *err) MUST_CHECK;
/* The stored vector of one id, copied to out[dim]; NOT_FOUND. ("more like this") */
enum status vectors_exact_get(struct vectors_exact *ix, int64_t id, float *out, struct error *err) MUST_CHECK;

/* How searches behind vectors.h treat many vectors. */
struct vectors_tuning {
    double recall;      /* the share of the nearest that they are to find, in lists (clusters.h); 1: always read all */
    size_t exact_below; /* with fewer vectors, they read all */
    const char *folder; /* for a file with the vectors in fp32 of so many that no sort has taken yet; NULL: in memory */
};
#define VECTORS_TUNING ((struct vectors_tuning){.recall = 0.95, .exact_below = 200000}) /* of vectors_exact_open */
/* Before others have the index. */
void vectors_exact_tune(struct vectors_exact *ix, const struct vectors_tuning *tuning);

/* Snapshot: one checksummed file, written atomically, mapped on load. `tag` (model id) and `generation`
 * (search_store_vectors_generation) are stored and compared: ERR_CONFLICT when stale, ERR_CORRUPT when
 * damaged, ERR_NOT_FOUND when absent; the caller then rebuilds from the database. */
enum status vectors_exact_save(struct vectors_exact *ix, const char *path, const char *tag, int64_t generation,
                               struct error *err) MUST_CHECK;
/* The same with the vectors sorted into lists, which searches then use, as they use the file for the vectors in fp32.
 * Searches and changes go on meanwhile. One caller at a time. ERR_CANCELLED: stop asked for it. */
bool vectors_exact_wants_sort(const struct vectors_exact *ix);
enum status vectors_exact_sort(struct vectors_exact *ix, const char *path, const char *tag, int64_t generation,
                               const struct vectors_stop *stop, struct error *err) MUST_CHECK;
enum status vectors_exact_load(const char *path, const char *tag, size_t dim, int64_t generation,
                               struct vectors_exact **out, struct error *err) MUST_CHECK;

/* As vectors_tend and vectors_accuracy say. */
void vectors_exact_tend(struct vectors_exact *ix);
void vectors_exact_accuracy(const struct vectors_exact *ix, struct vectors_accuracy *out);

#endif
