/* leg_vector.c: by the vectors of a model: the nearest to the query's, or to those of a document that is there. */
#include "rank/leg.h"

#include "base/log.h"
#include "base/os.h"

#include <stdlib.h>

double leg_model_trust(const struct rank_model *m, const struct rank_query *q)
{
    if (!m->encoder || vectors_count(m->vectors) == 0)
        return 0;
    return q->like ? 1 : encoder_trust(m->encoder, q->language == LANGUAGE_en);
}

enum status leg_model_embed(const struct rank_sources *s, const struct rank_model *m, const struct rank_query *q,
                            float *out, struct error *err)
{
    size_t size = encoder_dim(m->encoder) * sizeof *out, got;
    if (s->cache && lru_get(s->cache, m->id, q->text, q->text_len, out, size, &got) && got == size)
        return OK;
    int64_t began_us = os_monotonic_us();
    enum status st = encoder_embed_text(m->encoder, ENCODER_QUERY, q->text, q->text_len, out, err);
    int64_t us = os_monotonic_us() - began_us;
    if (s->times)
        metric_observe(&s->times->text, us);
    metric_part_add(METRIC_MODEL, us);
    if (st == OK && s->cache)
        lru_put(s->cache, m->id, q->text, q->text_len, out, size);
    return st;
}

void leg_model_prepare(const struct rank_sources *s, const struct rank_model *m, const struct rank_query *q)
{
    struct error err;
    float *vector = s->cache ? malloc(encoder_dim(m->encoder) * sizeof *vector) : NULL;
    if (vector && leg_model_embed(s, m, q, vector, &err) != OK)
        log_debug("%s", err.message);
    free(vector);
}

static enum status search_nearest(const struct rank_sources *s, const struct rank_model *m, const struct rank_query *q,
                                  const float *vector, size_t k, struct arena *a, struct vectors_hit **hits, size_t *n,
                                  struct error *err)
{
    struct vectors_query nearest = {
        .vector = vector, .k = k, .pool = s->pool, .passing = q->passing, .filter = &q->filter};
    int64_t began_us = os_monotonic_us();
    enum status st = vectors_search(m->vectors, &nearest, a, hits, n, err);
    int64_t us = os_monotonic_us() - began_us;
    if (s->times)
        metric_observe(&s->times->nearest, us);
    if (vectors_in_memory(m->vectors)) /* else the database has counted it */
        metric_part_add(METRIC_MODEL, us);
    return st;
}

enum status leg_model_hits(const struct rank_sources *s, enum leg_number leg, const struct rank_query *q, size_t limit,
                           size_t offset, struct arena *a, struct leg_hits *out, struct error *err)
{
    const struct rank_model *m = &s->models[leg];
    *out = (struct leg_hits){0};
    if (!m->id)
        return err_set(err, ERR_UNAVAILABLE, "no model is installed: \"peel model pull %s\" gets one",
                       leg == LEG_vector ? "openai/clip-vit-base-patch32" : "sentence-transformers/all-MiniLM-L6-v2");
    if (!m->encoder)
        return err_set(err, ERR_UNAVAILABLE, "model %s is %s", m->id, m->state);
    size_t count = vectors_count(m->vectors), k = offset + limit, n;
    k = k > VECTORS_MAX_K ? VECTORS_MAX_K : k;
    k = k > count ? (count ? count : 1) : k;
    float *vector = arena_array(a, encoder_dim(m->encoder), sizeof *vector);
    struct vectors_hit *hits;
    if (!vector)
        return err_no_memory(err, "a vector");
    enum status st =
        q->like ? vectors_get(m->vectors, q->like->id, vector, err) : leg_model_embed(s, m, q, vector, err);
    if (st == ERR_NOT_FOUND && !q->like) { /* the model knows nothing of the text */
        out->silent = true;
        return OK;
    }
    if (st == OK)
        st = search_nearest(s, m, q, vector, k, a, &hits, &n, err);
    if (st != OK)
        return st;
    out->n = n > offset ? n - offset : 0;
    out->items = arena_array(a, out->n + 1, sizeof *out->items);
    if (!out->items)
        return err_no_memory(err, "%zu results", out->n);
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = (struct ranked){.id = hits[offset + i].id, .score = (double)hits[offset + i].score};
    /* Everything that has a vector is a result, the last one the least like it; but what passes a filter is counted by
     * rank_vector alone, as no other asks. */
    out->total = (int64_t)(count < VECTORS_MAX_K ? count : VECTORS_MAX_K);
    return OK;
}

static double vector_trust(const struct rank_sources *s, const struct rank_query *q)
{
    return leg_model_trust(&s->models[LEG_vector], q);
}

static enum status vector_hits(const struct rank_sources *s, const struct rank_query *q, size_t limit, size_t offset,
                               struct arena *a, struct leg_hits *out, struct error *err)
{
    return leg_model_hits(s, LEG_vector, q, limit, offset, a, out, err);
}

static void vector_prepare(const struct rank_sources *s, const struct rank_query *q)
{
    if (!q->like)
        leg_model_prepare(s, &s->models[LEG_vector], q);
}

const struct leg leg_vector = {
    .name = "vector",
    .trust = vector_trust,
    .hits = vector_hits,
    .prepare = vector_prepare,
    .scale = LEG_SCALE_RANGE,
};
