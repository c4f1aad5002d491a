/* What the catalogue tells the engine: what changed reaches each model's vectors in memory. Each change is applied by
 * reading what the store has now: applying it twice, or one of our own, changes nothing. */
#include "search_service/engine_internal.h"

#include "base/log.h"
#include "search_service/search_service.h"

#include <stdio.h>
#include <string.h>

/* How many looks at the database, two a second, the service that took a document in has for encoding it: then we do. */
#define MISSING_TICKS 60

/* One model's vectors of the documents that changed, as they are in the store: vectors[n], NULL where there is none. */
static enum status follow_model(struct engine *e, struct engine_model *m, const int64_t *ids, size_t n, struct arena *a,
                                const float **vectors, struct error *err)
{
    struct vectors *v = atomic_load(&m->vectors);
    if (!v)
        return OK; /* loading reads what is in the store by then */
    if (!vectors_in_memory(v))
        return vectors_refresh(v, err);
    float *have = arena_array(a, v->dim, sizeof *have);
    if (!have)
        return err_no_memory(err, "a vector");
    enum status st = search_store_vectors_get(e->cfg.store, m->files.id, v->dim, ids, n, a, vectors, err);
    for (size_t i = 0; i < n && st == OK; i++) {
        if (!vectors[i])
            vectors_remove(v, ids[i]);
        else if (vectors_get(v, ids[i], have, NULL) != OK || memcmp(have, vectors[i], v->dim * sizeof *have) != 0)
            st = vectors_put(v, ids[i], vectors[i], err);
    }
    return st;
}

/* What these documents are called now. */
static enum status follow_phrases(struct phrases *p, const struct search_change *changes, size_t n, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK && p; i++) {
        if (changes[i].doc.filename)
            st = phrases_put(p, &changes[i].doc, err);
        else
            phrases_remove(p, changes[i].doc.id);
    }
    return st;
}

static void note_missing(struct engine *e, int64_t id)
{
    pthread_mutex_lock(&e->mutex);
    e->missing_from = id < e->missing_from ? id : e->missing_from;
    pthread_mutex_unlock(&e->mutex);
}

static enum status engine_followed(void *ctx, const struct search_change *changes, size_t n, struct arena *a,
                                   struct error *err)
{
    struct engine *e = ctx;
    int64_t *ids = arena_array(a, n, sizeof *ids);
    const float **vectors = arena_array(a, n, sizeof *vectors);
    if (!ids || !vectors)
        return err_no_memory(err, "%zu changes", n);
    for (size_t i = 0; i < n; i++)
        ids[i] = changes[i].doc.id;
    enum status st = OK;
    for (size_t k = 0; k < atomic_load(&e->n_models) && st == OK; k++) {
        memset(vectors, 0, n * sizeof *vectors);
        st = follow_model(e, e->models[k], ids, n, a, vectors, err);
        if (st == OK)
            st = follow_phrases(atomic_load(&e->models[k]->phrases), changes, n, err);
        for (size_t i = 0; i < n && st == OK; i++)
            if (!vectors[i] && changes[i].doc.filename && *engine_source_of(e->models[k], &changes[i].doc))
                note_missing(e, ids[i]);
    }
    worker_wake(e->worker); /* there may be new phrases */
    return st;
}

static void engine_dropped(void *ctx, int64_t id)
{
    struct engine *e = ctx;
    for (size_t i = 0; i < atomic_load(&e->n_models); i++) {
        struct vectors *v = atomic_load(&e->models[i]->vectors);
        struct phrases *p = atomic_load(&e->models[i]->phrases);
        if (v)
            vectors_remove(v, id);
        if (p)
            phrases_remove(p, id);
    }
}

static void engine_told_of_work(void *ctx, int64_t id)
{
    engine_has_work(ctx, id);
}

/* The default models that were chosen at another service. */
static enum status follow_defaults(struct engine *e, struct error *err)
{
    struct arena a;
    arena_init(&a, 8192);
    enum status st = OK;
    for (enum leg_number leg = 0; leg < LEG_COUNT && st == OK; leg++) {
        char key[64];
        const char *id = "";
        arena_reset(&a);
        st = search_store_setting_get(e->cfg.store, search_service_model_setting(leg, key), &a, &id, err);
        if (st != OK || strcmp(id, e->settings[leg]) == 0)
            continue;
        struct engine_model *m = engine_find(e, id);
        snprintf(e->settings[leg], sizeof e->settings[leg], "%s", id);
        if (m && m->class->leg == leg) {
            atomic_store(&e->defaults[leg], m);
            atomic_store(&e->chosen[leg], true);
        } else
            log_warn("model %s is now the default, but is not installed here", id);
    }
    arena_free(&a);
    return st;
}

static enum status engine_tick(void *ctx, struct error *err)
{
    struct engine *e = ctx;
    if (++e->ticks % MISSING_TICKS == 0) {
        pthread_mutex_lock(&e->mutex);
        int64_t missing = e->missing_from;
        e->missing_from = INT64_MAX;
        pthread_mutex_unlock(&e->mutex);
        if (missing != INT64_MAX)
            engine_has_work(e, missing);
    }
    return follow_defaults(e, err);
}

const struct catalog_listener engine_listener = {
    .dropped = engine_dropped, .has_work = engine_told_of_work, .followed = engine_followed, .tick = engine_tick};
