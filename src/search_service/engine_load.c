/* A model becomes ready: its weights are packed, then its vectors come from the snapshot when that is of exactly the
 * database's generation, else from the database; or they stay there.
 *
 * Vectors belong to the weights they were made with. A folder whose files were exchanged keeps its id, so
 * a fingerprint of them is remembered, and vectors of another one are forgotten; so are vectors of
 * another size. They are made again from the images. */
#include "search_service/engine_internal.h"

#include "base/log.h"
#include "base/os.h"
#include "search_service/vectors_stored.h"
#include "vectors/vectors_exact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS     1000u /* vectors per page of the database */
#define PAGE_BYTES    (64u << 20)
#define SAVE_EVERY_US (60 * 1000000ll)
#define SAVE_EFFORT   20 /* saving takes at most a twentieth of the time */

static enum status forget_foreign_vectors(struct engine *e, const struct engine_model *m, const char *folder,
                                          struct error *err)
{
    char key[LIBRARY_MAX_ID + 32], now[65];
    const char *before;
    struct arena a;
    arena_init(&a, 8192);
    snprintf(key, sizeof key, "model.fingerprint.%s", m->files.id);
    library_fingerprint(folder, now);
    enum status st = search_store_setting_get(e->cfg.store, key, &a, &before, err);
    if (st == OK && strcmp(before, now) != 0) {
        if (*before) {
            log_warn("model %s: its files have changed; encoding everything again", m->files.id);
            st = search_store_vectors_drop(e->cfg.store, m->files.id, err);
        }
        if (st == OK)
            st = search_store_setting_set(e->cfg.store, key, now, err);
    }
    arena_free(&a);
    return st;
}

/* --- the vectors in memory --- */

/* How searches are to treat many vectors. */
static struct vectors *tuned(const struct engine *e, struct vectors_exact *ix)
{
    struct vectors_tuning tuning = VECTORS_TUNING;
    tuning.recall = e->cfg.vector_recall > 0 ? e->cfg.vector_recall : tuning.recall;
    tuning.exact_below = e->cfg.vector_exact_below ? e->cfg.vector_exact_below : tuning.exact_below;
    tuning.folder = e->cfg.cache_dir && *e->cfg.cache_dir ? e->cfg.cache_dir : NULL;
    vectors_exact_tune(ix, &tuning);
    return vectors_exact_base(ix);
}

/* Loads the snapshot if it is of the generation that the database has now; then the vectors are published while
 * nothing can change. */
static bool load_snapshot(struct engine *e, struct engine_model *m, size_t dim)
{
    char path[PATH_MAX];
    struct error err;
    int64_t generation, again;
    struct vectors_exact *loaded;
    if (!engine_snapshot_path(e, m, path) ||
        search_store_vectors_generation(e->cfg.store, m->files.id, &generation, &err) != OK)
        return false;
    enum status st = vectors_exact_load(path, m->files.id, dim, generation, &loaded, &err);
    if (st != OK) {
        if (st != ERR_NOT_FOUND)
            log_info("model %s: reading the vectors from the database: %s", m->files.id, err.message);
        return false;
    }
    catalog_lock(e->cfg.catalog);
    bool same = search_store_vectors_generation(e->cfg.store, m->files.id, &again, &err) == OK && again == generation;
    if (same) {
        atomic_store(&m->vectors, tuned(e, loaded));
        m->saved_generation = generation;
    }
    catalog_unlock(e->cfg.catalog);
    if (!same)
        vectors_exact_close(loaded);
    return same;
}

/* One page, while nothing can change: what is read is still true when it is put into memory. */
static enum status load_page(struct engine *e, struct engine_model *m, size_t dim, int64_t *after, size_t *n,
                             struct error *err)
{
    struct arena a;
    struct vector_row *rows;
    arena_init(&a, PAGE_BYTES);
    catalog_lock(e->cfg.catalog);
    enum status st = search_store_vectors_page(e->cfg.store, m->files.id, dim, *after, PAGE_ROWS, &a, &rows, n, err);
    for (size_t i = 0; i < *n && st == OK; i++)
        st = vectors_put(atomic_load(&m->vectors), *after = rows[i].document_id, rows[i].vector, err);
    catalog_unlock(e->cfg.catalog);
    arena_free(&a);
    return st;
}

static enum status load_all(struct engine *e, struct engine_model *m, size_t dim, struct error *err)
{
    struct vectors_exact *empty;
    enum status st = vectors_exact_open(dim, &empty, err);
    if (st != OK)
        return st;
    atomic_store(&m->vectors, tuned(e, empty));
    int64_t after = 0;
    for (size_t n = PAGE_ROWS; n == PAGE_ROWS && st == OK;) {
        if (worker_stopping(e->worker))
            return err_set(err, ERR_CANCELLED, "stopped");
        st = load_page(e, m, dim, &after, &n, err);
    }
    return st;
}

static enum status open_vectors(struct engine *e, struct engine_model *m, struct error *err)
{
    size_t dim = encoder_dim(m->encoder);
    struct vectors *stored;
    if (!e->cfg.stored_vectors)
        return load_snapshot(e, m, dim) ? OK : load_all(e, m, dim, err);
    enum status st = vectors_stored_open(e->cfg.store, m->files.id, dim, &stored, err);
    if (st == OK)
        atomic_store(&m->vectors, stored);
    return st;
}

/* Those of another size, of a model whose folder has changed while nobody looked, are forgotten. */
static enum status load_vectors(struct engine *e, struct engine_model *m, struct error *err)
{
    enum status st = open_vectors(e, m, err);
    if (st != ERR_CORRUPT)
        return st;
    log_warn("model %s: %s; encoding everything again", m->files.id, err->message);
    st = engine_forget_vectors(e, m->files.id, err);
    return st == OK && !atomic_load(&m->vectors) ? open_vectors(e, m, err) : st;
}

void engine_load(struct engine *e, struct engine_model *m)
{
    char folder[PATH_MAX];
    struct error err;
    int64_t start = os_monotonic_us();
    atomic_store(&m->state, ENGINE_LOADING);
    engine_set_error(e, m, "");
    log_info("model %s: loading", m->files.id);
    enum status st = library_path(e->cfg.models_dir, m->files.folder, "", folder, &err);
    if (st == OK && !m->encoder)
        st = encoder_open(folder, e->cfg.precision, e->pool, &m->encoder, &err);
    int64_t loaded = os_monotonic_us();
    if (st == OK)
        st = search_store_model_source(e->cfg.store, m->files.id,
                                       m->class->source == ENCODER_WORDS ? SEARCH_WORDS : SEARCH_IMAGE, &err);
    if (st == OK)
        st = forget_foreign_vectors(e, m, folder, &err);
    if (st == OK && !atomic_load(&m->vectors))
        st = load_vectors(e, m, &err);
    if (st == OK)
        st = engine_load_phrases(e, m, &err);
    if (st != OK) {
        if (st != ERR_CANCELLED)
            log_error("cannot load model %s: %s", m->files.id, err.message);
        engine_set_error(e, m, err.message);
        catalog_lock(e->cfg.catalog); /* half of the vectors must not be taken for all of them */
        vectors_close(atomic_exchange(&m->vectors, NULL));
        phrases_close(atomic_exchange(&m->phrases, NULL));
        catalog_unlock(e->cfg.catalog);
        atomic_store(&m->state, ENGINE_FAILED);
        return;
    }
    atomic_store(&m->state, ENGINE_READY);
    log_info("model %s: ready in %.1f s (%s, %zu dimensions), %zu documents indexed in %.1f s", m->files.id,
             (double)(loaded - start) / 1e6, encoder_precision(m->encoder), encoder_dim(m->encoder),
             vectors_count(atomic_load(&m->vectors)), (double)(os_monotonic_us() - loaded) / 1e6);
}

/* Page by page out of memory, then all at once out of the store; again nothing else may change. */
enum status engine_forget_vectors(struct engine *e, const char *id, struct error *err)
{
    struct engine_model *m = engine_find(e, id);
    struct arena a;
    arena_init(&a, PAGE_BYTES);
    catalog_lock(e->cfg.catalog);
    struct vectors *v = m ? atomic_load(&m->vectors) : NULL; /* a load that fails closes them while it has the lock */
    enum status st = OK;
    for (int64_t after = 0; v && vectors_in_memory(v) && st == OK;) {
        struct vector_row *rows;
        size_t n;
        arena_reset(&a);
        st = search_store_vectors_page(e->cfg.store, id, v->dim, after, PAGE_ROWS, &a, &rows, &n, err);
        for (size_t i = 0; i < n && st == OK; i++)
            vectors_remove(v, after = rows[i].document_id);
        if (n < PAGE_ROWS)
            break;
    }
    if (st == OK || st == ERR_CORRUPT) /* a row of another size is not in memory */
        st = search_store_vectors_drop(e->cfg.store, id, err);
    struct phrases *phrases = m ? atomic_load(&m->phrases) : NULL;
    if (st == OK && phrases)
        phrases_forget(phrases);
    if (st == OK && v)
        st = vectors_refresh(v, err);
    catalog_unlock(e->cfg.catalog);
    arena_free(&a);
    if (st == OK)
        engine_has_work(e, 1);
    return st;
}

/* Vectors are written without waiting for the disk: a power cut could take back the changes that a snapshot already
 * has, and the database come to the same number by others. This is on the disk before the snapshot is, with all before
 * it. */
static enum status sync_generation(struct engine *e, const struct engine_model *m, int64_t generation,
                                   struct error *err)
{
    char key[LIBRARY_MAX_ID + 16], value[24];
    snprintf(key, sizeof key, "snapshot %s", m->files.id);
    snprintf(value, sizeof value, "%lld", (long long)generation);
    return search_store_setting_set(e->cfg.store, key, value, err);
}

static bool is_stopping(void *arg)
{
    const struct engine *e = arg;
    return worker_stopping(e->worker);
}

/* At the end there is no time to sort. */
static enum status write_snapshot(struct engine *e, struct engine_model *m, const char *path, int64_t generation,
                                  bool now, struct error *err)
{
    struct vectors *v = atomic_load(&m->vectors);
    const struct vectors_stop stop = {is_stopping, e};
    return now || !vectors_wants_sort(v) ? vectors_save(v, path, m->files.id, generation, err)
                                         : vectors_sort(v, path, m->files.id, generation, &stop, err);
}

void engine_save(struct engine *e, struct engine_model *m, bool now)
{
    char path[PATH_MAX];
    struct error err;
    int64_t generation, start = os_monotonic_us();
    int64_t pause = SAVE_EFFORT * m->save_took_us > SAVE_EVERY_US ? SAVE_EFFORT * m->save_took_us : SAVE_EVERY_US;
    if (engine_model_state(m) != ENGINE_READY || !vectors_can_save(atomic_load(&m->vectors)) ||
        !engine_snapshot_path(e, m, path) || (!now && m->saved_us && start - m->saved_us < pause))
        return;
    /* Read while memory and store agree. A change during the writing makes the database's generation larger than the
     * file's, and the file is not believed. */
    catalog_lock(e->cfg.catalog);
    enum status st = search_store_vectors_generation(e->cfg.store, m->files.id, &generation, &err);
    if (st == OK)
        st = catalog_catch_up(e->cfg.catalog, &err); /* what others changed is in the store alone */
    catalog_unlock(e->cfg.catalog);
    if (st == OK && generation == m->saved_generation && (now || !vectors_wants_sort(atomic_load(&m->vectors))))
        return;
    if (st == OK)
        st = sync_generation(e, m, generation, &err);
    if (st == OK)
        st = write_snapshot(e, m, path, generation, now, &err);
    m->saved_us = os_monotonic_us();
    m->save_took_us = m->saved_us - start;
    if (st == OK)
        m->saved_generation = generation;
    else if (st != ERR_CANCELLED)
        log_warn("model %s: cannot write the snapshot: %s", m->files.id, err.message);
}
