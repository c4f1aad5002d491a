/* vectors.h: nearest neighbours by inner product over L2-normalised vectors of documents, whatever holds them: memory,
 * exactly (vectors_exact.h), or the database (pgvector, which SearchService puts behind this interface). The room sees
 * base only.
 *
 *     vectors_exact_open(512, &v, &err);
 *     vectors_put(v, id, vector, &err);
 *     vectors_search(v, &(struct vectors_query){.vector = q, .k = 10}, &arena, &hits, &n, &err);
 *     vectors_close(v);
 *
 * A new backend is a struct vectors_class and a function that opens it. Thread-safe: any number may search while
 * others change. */
#ifndef PEEL_VECTORS_VECTORS_H
#define PEEL_VECTORS_VECTORS_H

#include "base/arena.h"
#include "base/filter.h"
#include "base/labels.h"
#include "base/pool.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VECTORS_MAX_K   10000
#define VECTORS_MAX_DIM 4096

struct vectors_hit {
    int64_t id;
    float score; /* inner product = cosine */
};
struct vectors_query {
    const float *vector; /* [dim], normalised */
    size_t k;            /* 1..VECTORS_MAX_K */
    struct pool *pool;   /* helps where the search is here; may be NULL */
    /* Only documents that pass; both say the same, the one for who has ids at hand, the other for who has the
     * documents. NULL: all. */
    const struct label_test *passing;
    const struct sticker_filter *filter;
};

/* Asked now and then during long work; true: give up. */
struct vectors_stop {
    bool (*asked)(void *arg);
    void *arg;
};
static inline bool vectors_stopped(const struct vectors_stop *stop)
{
    return stop && stop->asked(stop->arg);
}
/* How near searches come to the exact answer. */
struct vectors_accuracy {
    size_t lists;                 /* they read the nearest of so many lists of vectors (clusters.h); 0: everything */
    uint64_t samples;             /* searches that were compared with the exact answer */
    double recall_10, recall_200; /* the share of the nearest 10 and 200 that those of late had; 1 without samples */
};

struct vectors;
/* What a backend does. Members that may be NULL say what that means. */
struct vectors_class {
    const char *name;
    void (*close)(struct vectors *v);
    enum status (*put)(struct vectors *v, int64_t id, const float *vector, struct error *err); /* NULL: see in_memory */
    void (*remove)(struct vectors *v, int64_t id);
    enum status (*refresh)(struct vectors *v, struct error *err); /* NULL: nothing to do */
    enum status (*get)(struct vectors *v, int64_t id, float *out, struct error *err);
    enum status (*compare)(struct vectors *v, const float *vector, const int64_t *ids, size_t n, float *scores,
                           struct error *err);
    enum status (*search)(struct vectors *v, const struct vectors_query *q, struct arena *a, struct vectors_hit **hits,
                          size_t *n, struct error *err);
    size_t (*count)(const struct vectors *v);
    /* Of those that pass, as in struct vectors_query. */
    enum status (*count_passing)(struct vectors *v, const struct label_test *passing,
                                 const struct sticker_filter *filter, size_t *n, struct error *err);
    size_t (*bytes)(const struct vectors *v); /* NULL: none */
    /* As vectors_exact_load, to be loaded again; NULL: there is nothing to save. */
    enum status (*save)(struct vectors *v, const char *path, const char *tag, int64_t generation, struct error *err);
    /* As vectors_exact_sort; NULL: nothing to sort. */
    bool (*wants_sort)(const struct vectors *v);
    enum status (*sort)(struct vectors *v, const char *path, const char *tag, int64_t generation,
                        const struct vectors_stop *stop, struct error *err);
    void (*tend)(struct vectors *v);                                         /* NULL: nothing to do */
    void (*accuracy)(const struct vectors *v, struct vectors_accuracy *out); /* NULL: it is exact, or nobody knows */
};
/* The first member of every backend's own struct. */
struct vectors {
    const struct vectors_class *class;
    size_t dim;
};

void vectors_close(struct vectors *v); /* NULL is fine */
/* Are they held here, so that whoever opened them must put and remove what the store has? Else vectors_put and
 * vectors_remove do nothing. */
bool vectors_in_memory(const struct vectors *v);
/* vector: [dim]; adds or replaces. ERR_INVALID: it is not normalised. */
enum status vectors_put(struct vectors *v, int64_t id, const float *vector, struct error *err) MUST_CHECK;
void vectors_remove(struct vectors *v, int64_t id); /* absent is fine */
/* After vectors were stored, by whichever process. */
enum status vectors_refresh(struct vectors *v, struct error *err) MUST_CHECK;
/* The vector of one id, copied to out[dim]. ERR_NOT_FOUND. */
enum status vectors_get(struct vectors *v, int64_t id, float *out, struct error *err) MUST_CHECK;
#define VECTORS_NO_SCORE (-2.0f)
/* scores[n]: the inner product of a vector and that of each id, as int8 has it (to about 0.002 for those of length 1);
 * VECTORS_NO_SCORE for those that have none. */
enum status vectors_compare(struct vectors *v, const float *vector, const int64_t *ids, size_t n, float *scores,
                            struct error *err) MUST_CHECK;
/* The best k, best first, ties by smaller id; in the arena. Exact for few vectors in memory, nearly so for many and by
 * pgvector. */
enum status vectors_search(struct vectors *v, const struct vectors_query *q, struct arena *a, struct vectors_hit **hits,
                           size_t *n, struct error *err) MUST_CHECK;
size_t vectors_count(const struct vectors *v);
enum status vectors_count_passing(struct vectors *v, const struct label_test *passing,
                                  const struct sticker_filter *filter, size_t *n, struct error *err) MUST_CHECK;
size_t vectors_bytes(const struct vectors *v); /* memory held, mapped included */
bool vectors_can_save(const struct vectors *v);
enum status vectors_save(struct vectors *v, const char *path, const char *tag, int64_t generation,
                         struct error *err) MUST_CHECK;
/* Would vectors_sort make searches faster? It saves, too, and may take minutes for millions; ERR_CANCELLED: stopped. */
bool vectors_wants_sort(const struct vectors *v);
enum status vectors_sort(struct vectors *v, const char *path, const char *tag, int64_t generation,
                         const struct vectors_stop *stop, struct error *err) MUST_CHECK;
/* For one background thread, every few seconds: compares a search of late with the exact answer, so seldom that this
 * takes a hundredth of the thread's time at most. */
void vectors_tend(struct vectors *v);
void vectors_accuracy(const struct vectors *v, struct vectors_accuracy *out);

#endif
