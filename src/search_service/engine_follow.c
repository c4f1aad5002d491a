/* Following the database: what other SearchServices on it changed reaches the indexes here.
 *
 * Changes are numbered in the order in which they became visible, so a number is all that must be remembered, and
 * a gap of any length, as after a database that was down, is caught up with page by page. Each change is applied by
 * reading what the store has now: applying it twice, or one of our own, changes nothing. */
#include "rank/meanings.h"
#include "search_service/engine_internal.h"
#include "search_service/search_service.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_MS   500
#define PAGE_ROWS  100u
#define PAGE_BYTES (128u << 20)
#define LACKING_S  30 /* so long the service that took a document in has for encoding its image, then we do */

/* One model's vectors of the documents that changed, as they are in the store. */
static enum status follow_vectors(struct engine *e, struct engine_model *m, const int64_t *ids, size_t n,
                                  struct arena *a, const float **vectors, struct error *err)
{
    struct vectors_exact *ix = atomic_load(&m->index);
    if (!ix)
        return OK; /* loading reads what is in the store by then; or the database searches */
    size_t dim = vectors_exact_dim(ix);
    float *have = arena_array(a, dim, sizeof *have);
    if (!have)
        return err_no_memory(err, "a vector");
    enum status st = search_store_vectors_get(e->cfg.store, m->id, dim, ids, n, a, vectors, err);
    for (size_t i = 0; i < n && st == OK; i++) {
        if (!vectors[i])
            vectors_exact_delete(ix, ids[i]);
        else if (vectors_exact_get(ix, ids[i], have, NULL) != OK || memcmp(have, vectors[i], dim * sizeof *have) != 0)
            st = vectors_exact_put(ix, ids[i], vectors[i], err);
    }
    return st;
}

static void follow_words(struct engine *e, const struct document *doc)
{
    struct error err;
    if (!doc->filename)
        meanings_remove(e->cfg.words, doc->id);
    else if (meanings_put(e->cfg.words, doc, &err) != OK)
        log_warn("%s is not found by what its words mean until the next start: %s", doc->filename, err.message);
}

enum status engine_catch_up(struct engine *e, bool *more, struct error *err)
{
    struct arena a;
    struct search_change *changes;
    int64_t ids[PAGE_ROWS];
    const float *vectors[PAGE_ROWS];
    size_t n = 0;
    arena_init(&a, PAGE_BYTES);
    enum status st = search_store_changes(e->cfg.store, e->followed, PAGE_ROWS, &a, &changes, &n, err);
    for (size_t i = 0; i < n && st == OK; i++) {
        ids[i] = changes[i].doc.id;
        follow_words(e, &changes[i].doc);
    }
    for (size_t k = 0; n && k < atomic_load(&e->n_models) && st == OK; k++) {
        memset(vectors, 0, sizeof vectors);
        st = follow_vectors(e, e->models[k], ids, n, &a, vectors, err);
        for (size_t i = 0; i < n && st == OK; i++)
            if (!vectors[i] && changes[i].doc.filename && *changes[i].doc.image_sha256 && ids[i] < e->lacking)
                e->lacking = ids[i];
    }
    for (size_t k = 0; n && e->cfg.stored_vectors && k < atomic_load(&e->n_models) && st == OK; k++)
        st = engine_count_stored(e, e->models[k], err);
    if (st == OK && n)
        e->followed = changes[n - 1].generation;
    *more = n == PAGE_ROWS;
    arena_free(&a);
    return st;
}

static enum status follow(struct engine *e, struct error *err)
{
    int64_t newest;
    enum status st = search_store_generation(e->cfg.store, &newest, err);
    if (st != OK)
        return st;
    for (bool more = true; more && st == OK && !atomic_load(&e->stop);) {
        pthread_rwlock_wrlock(&e->changes);
        more = newest > e->followed;
        if (more)
            st = engine_catch_up(e, &more, err);
        pthread_rwlock_unlock(&e->changes);
    }
    return st;
}

/* The default model that was chosen at another service. */
static enum status follow_default(struct engine *e, struct error *err)
{
    struct arena a;
    const char *id = "";
    arena_init(&a, 8192);
    enum status st = search_store_setting_get(e->cfg.store, SEARCH_SETTING_MODEL, &a, &id, err);
    if (st == OK && strcmp(id, e->setting) != 0) {
        struct engine_model *m = engine_find(e, id);
        snprintf(e->setting, sizeof e->setting, "%s", id);
        if (m)
            atomic_store(&e->chosen, m);
        else
            log_warn("model %s, the default now, is not here", id);
    }
    arena_free(&a);
    return st;
}

/* False when it is time to stop. */
static bool pause_following(struct engine *e)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += EVERY_MS * 1000000l;
    until.tv_sec += until.tv_nsec / 1000000000l;
    until.tv_nsec %= 1000000000l;
    pthread_mutex_lock(&e->mutex);
    while (!atomic_load(&e->stop) && pthread_cond_timedwait(&e->wake, &e->mutex, &until) == 0)
        continue;
    pthread_mutex_unlock(&e->mutex);
    return !atomic_load(&e->stop);
}

void *engine_follow(void *arg)
{
    struct engine *e = arg;
    bool follows = true;
    for (int tick = 1; pause_following(e); tick++) {
        struct error err;
        enum status st = follow(e, &err);
        if (st == OK)
            st = follow_default(e, &err);
        if (st != OK && follows)
            log_warn("changes of other services are not followed for now: %s", err.message);
        if (st == OK && !follows)
            log_info("changes of other services are followed again");
        follows = st == OK;
        if (tick % (LACKING_S * 1000 / EVERY_MS))
            continue;
        pthread_rwlock_wrlock(&e->changes);
        int64_t lacking = e->lacking;
        e->lacking = INT64_MAX;
        pthread_rwlock_unlock(&e->changes);
        if (lacking != INT64_MAX)
            engine_has_work(e, lacking);
    }
    return NULL;
}
