#include "search_service/vectors_stored.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct stored {
    struct vectors base;
    struct search_store *store;
    const char *model;
    pthread_mutex_t counting; /* a count that is older than another never replaces it */
    atomic_size_t count;      /* as it was at the last refresh */
};

static void stored_close(struct vectors *v)
{
    struct stored *s = (struct stored *)v;
    pthread_mutex_destroy(&s->counting);
    free(s);
}

static enum status stored_refresh(struct vectors *v, struct error *err)
{
    struct stored *s = (struct stored *)v;
    int64_t count;
    pthread_mutex_lock(&s->counting);
    enum status st = search_store_vectors_count(s->store, s->model, &count, err);
    if (st == OK)
        atomic_store(&s->count, (size_t)count);
    pthread_mutex_unlock(&s->counting);
    return st;
}

static enum status stored_get(struct vectors *v, int64_t id, float *out, struct error *err)
{
    struct stored *s = (struct stored *)v;
    struct arena a;
    const float *vector;
    arena_init(&a, 1u << 20);
    enum status st = search_store_vectors_get(s->store, s->model, v->dim, &id, 1, &a, &vector, err);
    if (st == OK && !vector)
        st = err_set(err, ERR_NOT_FOUND, "document %lld has no vector", (long long)id);
    if (st == OK)
        memcpy(out, vector, v->dim * sizeof *out);
    arena_free(&a);
    return st;
}

static enum status stored_compare(struct vectors *v, const float *vector, const int64_t *ids, size_t n, float *scores,
                                  struct error *err)
{
    struct stored *s = (struct stored *)v;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    const float **vectors = arena_array(&a, n + 1, sizeof *vectors);
    enum status st = vectors ? search_store_vectors_get(s->store, s->model, v->dim, ids, n, &a, vectors, err)
                             : err_no_memory(err, "%zu vectors", n);
    for (size_t i = 0; i < n && st == OK; i++) {
        scores[i] = vectors[i] ? 0 : VECTORS_NO_SCORE;
        for (size_t k = 0; k < v->dim && vectors[i]; k++)
            scores[i] += vector[k] * vectors[i][k];
    }
    arena_free(&a);
    return st;
}

static enum status stored_search(struct vectors *v, const struct vectors_query *q, struct arena *a,
                                 struct vectors_hit **hits, size_t *n, struct error *err)
{
    struct stored *s = (struct stored *)v;
    struct vector_hit *found;
    enum status st =
        search_store_vectors_search(s->store, s->model, v->dim, q->vector, q->filter, q->k, a, &found, n, err);
    *hits = st == OK ? arena_array(a, *n + 1, sizeof **hits) : NULL;
    if (st == OK && !*hits)
        st = err_no_memory(err, "%zu results", *n);
    for (size_t i = 0; i < *n && st == OK; i++)
        (*hits)[i] = (struct vectors_hit){.id = found[i].id, .score = found[i].score};
    return st;
}

static size_t stored_count(const struct vectors *v)
{
    return atomic_load(&((const struct stored *)v)->count);
}

static enum status stored_count_passing(struct vectors *v, const struct label_test *passing,
                                        const struct sticker_filter *filter, size_t *n, struct error *err)
{
    const struct stored *s = (const struct stored *)v;
    int64_t count = 0;
    (void)passing;
    enum status st = search_store_vectors_passing(s->store, s->model, filter, &count, err);
    *n = (size_t)count;
    return st;
}

static const struct vectors_class class = {
    .name = "pgvector",
    .close = stored_close,
    .refresh = stored_refresh,
    .get = stored_get,
    .compare = stored_compare,
    .search = stored_search,
    .count = stored_count,
    .count_passing = stored_count_passing,
};

enum status vectors_stored_open(struct search_store *store, const char *model, size_t dim, struct vectors **out,
                                struct error *err)
{
    struct stored *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "the vectors of %s", model);
    s->base = (struct vectors){&class, dim};
    s->store = store;
    s->model = model;
    pthread_mutex_init(&s->counting, NULL);
    enum status st = search_store_vectors_index(store, model, dim, err);
    if (st == OK)
        st = stored_refresh(&s->base, err);
    if (st != OK) {
        stored_close(&s->base);
        return st;
    }
    *out = &s->base;
    return OK;
}
