/* A model becomes ready: its weights are packed, then its index comes from the snapshot when that is of
 * exactly the database's generation, else from the database.
 *
 * Vectors belong to the weights they were made with. A folder whose files were exchanged keeps its id, so
 * a fingerprint of them is remembered, and vectors of another one are forgotten; so are vectors of
 * another size. They are made again from the images. */
#include "search_service/engine_internal.h"

#include "base/log.h"
#include "base/os.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_ROWS         1000u /* vectors per page of the database */
#define PAGE_BYTES        (64u << 20)
#define FINGERPRINT_BYTES (1u << 20) /* of each file: safetensors' header and the first tensors */
#define SAVE_EVERY_US     (60 * 1000000ll)
#define SAVE_EFFORT       20 /* saving takes at most a twentieth of the time */

/* Appends the name, size and first megabyte of a file, or nothing if it is not there. */
static void sample(const char *folder, const char *name, struct buf *out)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = n > 0 && (size_t)n < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct stat sb;
    if (fd >= 0 && fstat(fd, &sb) == 0) {
        buf_printf(out, "%s %lld\n", name, (long long)sb.st_size);
        char chunk[16384];
        ssize_t got;
        for (size_t all = 0; all < FINGERPRINT_BYTES && (got = read(fd, chunk, sizeof chunk)) > 0; all += (size_t)got)
            buf_append(out, chunk, (size_t)got);
    }
    if (fd >= 0)
        close(fd);
}

static void fingerprint(const char *folder, char out[65])
{
    static const char *const files[] = {"config.json", "preprocessor_config.json", "model.safetensors",
                                        "tokenizer.json", "merges.txt"};
    struct buf all;
    buf_init(&all, (FINGERPRINT_BYTES + 65536) * (sizeof files / sizeof *files));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        sample(folder, files[i], &all);
    os_sha256_hex(buf_str(&all), all.len, out);
    buf_free(&all);
}

static enum status forget_foreign_vectors(struct engine *e, const struct engine_model *m, const char *folder,
                                          struct error *err)
{
    char key[ENGINE_MAX_ID + 32], now[65];
    const char *before;
    struct arena a;
    arena_init(&a, 8192);
    snprintf(key, sizeof key, "model.fingerprint.%s", m->id);
    fingerprint(folder, now);
    enum status st = search_store_setting_get(e->cfg.store, key, &a, &before, err);
    if (st == OK && strcmp(before, now) != 0) {
        if (*before) {
            log_warn("model %s: its files are others than before; all images are encoded anew", m->id);
            st = search_store_vectors_drop(e->cfg.store, m->id, err);
        }
        if (st == OK)
            st = search_store_setting_set(e->cfg.store, key, now, err);
    }
    arena_free(&a);
    return st;
}

/* --- the index --- */

/* Loads the snapshot if it is of the generation that the database has now; then the index is published
 * while nothing can change. */
static bool load_snapshot(struct engine *e, struct engine_model *m, size_t dim)
{
    char path[PATH_MAX];
    struct error err;
    int64_t generation, again;
    struct vectors_exact *ix;
    if (!engine_snapshot_path(e, m, path) ||
        search_store_vectors_generation(e->cfg.store, m->id, &generation, &err) != OK)
        return false;
    enum status st = vectors_exact_load(path, m->id, dim, generation, &ix, &err);
    if (st != OK) {
        if (st != ERR_NOT_FOUND)
            log_info("model %s: the index is rebuilt from the database: %s", m->id, err.message);
        return false;
    }
    pthread_rwlock_wrlock(&e->changes);
    bool same = search_store_vectors_generation(e->cfg.store, m->id, &again, &err) == OK && again == generation;
    if (same) {
        atomic_store(&m->index, ix);
        m->saved_generation = generation;
    }
    pthread_rwlock_unlock(&e->changes);
    if (!same)
        vectors_exact_close(ix);
    return same;
}

/* One page, while nothing can change: what is read is still true when it is put into the index. */
static enum status read_page(struct engine *e, struct engine_model *m, size_t dim, int64_t *after, size_t *n,
                             struct error *err)
{
    struct arena a;
    struct vector_row *rows;
    arena_init(&a, PAGE_BYTES);
    pthread_rwlock_wrlock(&e->changes);
    enum status st = search_store_vectors_page(e->cfg.store, m->id, dim, *after, PAGE_ROWS, &a, &rows, n, err);
    for (size_t i = 0; i < *n && st == OK; i++)
        st = vectors_exact_put(atomic_load(&m->index), *after = rows[i].document_id, rows[i].vector, err);
    pthread_rwlock_unlock(&e->changes);
    arena_free(&a);
    return st;
}

static enum status rebuild(struct engine *e, struct engine_model *m, size_t dim, struct error *err)
{
    struct vectors_exact *ix;
    enum status st = vectors_exact_open(dim, &ix, err);
    if (st != OK)
        return st;
    atomic_store(&m->index, ix);
    int64_t after = 0;
    for (size_t n = PAGE_ROWS; n == PAGE_ROWS && st == OK;) {
        if (atomic_load(&e->stop))
            return err_set(err, ERR_CANCELLED, "stopped");
        st = read_page(e, m, dim, &after, &n, err);
    }
    return st;
}

enum status engine_count_stored(struct engine *e, struct engine_model *m, struct error *err)
{
    int64_t vectors;
    enum status st = search_store_vectors_count(e->cfg.store, m->id, &vectors, err);
    if (st == OK)
        atomic_store(&m->stored, (size_t)vectors);
    return st;
}

static enum status load_index(struct engine *e, struct engine_model *m, struct error *err)
{
    size_t dim = clip_dim(m->clip);
    if (!e->cfg.stored_vectors && load_snapshot(e, m, dim))
        return OK;
    enum status st = e->cfg.stored_vectors ? engine_count_stored(e, m, err) : rebuild(e, m, dim, err);
    if (st == OK && e->cfg.stored_vectors)
        st = search_store_vectors_index(e->cfg.store, m->id, dim, err);
    if (st != ERR_CORRUPT)
        return st;
    log_warn("model %s: %s; all images are encoded anew", m->id, err->message);
    return engine_forget_vectors(e, m->id, err);
}

void engine_load(struct engine *e, struct engine_model *m)
{
    char folder[PATH_MAX];
    struct error err;
    int64_t start = os_monotonic_us();
    atomic_store(&m->state, ENGINE_LOADING);
    engine_set_error(e, m, "");
    log_info("model %s: loading", m->id);
    snprintf(folder, sizeof folder, "%s/%s", e->cfg.models_dir, m->folder);
    enum status st = m->clip ? OK : clip_open(folder, e->precision, e->pool, &m->clip, &err);
    int64_t loaded = os_monotonic_us();
    if (st == OK)
        st = forget_foreign_vectors(e, m, folder, &err);
    if (st == OK && !atomic_load(&m->index))
        st = load_index(e, m, &err);
    if (st != OK) {
        if (st != ERR_CANCELLED)
            log_error("model %s does not load: %s", m->id, err.message);
        engine_set_error(e, m, err.message);
        pthread_rwlock_wrlock(&e->changes); /* a half-filled index must not be taken for a whole one */
        vectors_exact_close(atomic_exchange(&m->index, NULL));
        pthread_rwlock_unlock(&e->changes);
        atomic_store(&m->state, ENGINE_FAILED);
        return;
    }
    atomic_store(&m->state, ENGINE_READY);
    log_info("model %s: ready in %.1f s (%s, %zu numbers a vector), %zu images indexed in %.1f s", m->id,
             (double)(loaded - start) / 1e6, clip_precision_name(clip_precision_of(m->clip)), clip_dim(m->clip),
             engine_searched(m), (double)(os_monotonic_us() - loaded) / 1e6);
}

/* Page by page out of the index, then all at once out of the store; again nothing else may change. */
enum status engine_forget_vectors(struct engine *e, const char *id, struct error *err)
{
    struct engine_model *m = engine_find(e, id);
    struct vectors_exact *ix = m ? atomic_load(&m->index) : NULL;
    struct arena a;
    arena_init(&a, PAGE_BYTES);
    pthread_rwlock_wrlock(&e->changes);
    enum status st = OK;
    for (int64_t after = 0; ix && st == OK;) {
        struct vector_row *rows;
        size_t n;
        arena_reset(&a);
        st = search_store_vectors_page(e->cfg.store, id, vectors_exact_dim(ix), after, PAGE_ROWS, &a, &rows, &n, err);
        for (size_t i = 0; i < n && st == OK; i++)
            vectors_exact_delete(ix, after = rows[i].document_id);
        if (n < PAGE_ROWS)
            break;
    }
    if (st == OK || st == ERR_CORRUPT) /* a row of another size is in no index */
        st = search_store_vectors_drop(e->cfg.store, id, err);
    pthread_rwlock_unlock(&e->changes);
    arena_free(&a);
    if (st == OK)
        engine_has_work(e, 1);
    return st;
}

void engine_save(struct engine *e, struct engine_model *m, bool now)
{
    char path[PATH_MAX];
    struct error err;
    int64_t generation, start = os_monotonic_us();
    int64_t pause = SAVE_EFFORT * m->save_took_us > SAVE_EVERY_US ? SAVE_EFFORT * m->save_took_us : SAVE_EVERY_US;
    if (engine_model_state(m) != ENGINE_READY || !engine_index(m) || !engine_snapshot_path(e, m, path) ||
        (!now && m->saved_us && start - m->saved_us < pause))
        return;
    /* Read while index and store agree. A change during the writing makes the database's generation
     * larger than the file's, and the file is not believed. */
    pthread_rwlock_wrlock(&e->changes);
    enum status st = search_store_vectors_generation(e->cfg.store, m->id, &generation, &err);
    for (bool more = true; st == OK && more;) /* what others changed is in the store alone */
        st = engine_catch_up(e, &more, &err);
    pthread_rwlock_unlock(&e->changes);
    if (st == OK && generation == m->saved_generation)
        return;
    if (st == OK)
        st = vectors_exact_save(engine_index(m), path, m->id, generation, &err);
    m->saved_us = os_monotonic_us();
    m->save_took_us = m->saved_us - start;
    if (st == OK)
        m->saved_generation = generation;
    else
        log_warn("model %s: no snapshot: %s", m->id, err.message);
}
