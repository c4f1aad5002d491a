/* The registry of models, their default, and the background thread. */
#include "search_service/engine_internal.h"
#include "search_service/search_service.h"

#include "base/log.h"
#include "base/os.h"

#include <dirent.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_S 5 /* how often saving and failed fetches are looked at when nothing happens */

static bool has_model_in(const char *folder)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/config.json", folder);
    return n > 0 && (size_t)n < sizeof path && access(path, R_OK) == 0;
}

/* `peel model pull` collects files in a folder of this name and renames it when all are there. */
static bool half_pulled(const char *folder)
{
    size_t len = strlen(folder);
    return len > 5 && strcmp(folder + len - 5, ".part") == 0;
}

/* A folder's name as an id: the first "--" was a slash. Ids stand in metrics and paths, so their
 * characters are few. */
static bool id_of(const char *folder, char id[ENGINE_MAX_ID])
{
    size_t len = strlen(folder);
    if (len < 1 || len >= ENGINE_MAX_ID ||
        strspn(folder, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != len)
        return false;
    const char *cut = strstr(folder, "--");
    if (cut && cut > folder && cut[2])
        snprintf(id, ENGINE_MAX_ID, "%.*s/%s", (int)(cut - folder), folder, cut + 2);
    else
        memcpy(id, folder, len + 1);
    return true;
}

struct engine_model *engine_find(struct engine *e, const char *id)
{
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n; i++)
        if (strcmp(e->models[i]->id, id) == 0 || strcmp(e->models[i]->folder, id) == 0)
            return e->models[i];
    return NULL;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Adds the folders that are not known yet; the engine's mutex is held, or nobody else knows it. */
static void scan(struct engine *e)
{
    struct dirent **found = NULL;
    int n = e->cfg.models_dir && *e->cfg.models_dir ? scandir(e->cfg.models_dir, &found, NULL, by_name) : 0;
    for (int i = 0; i < n; i++) {
        const char *name = found[i]->d_name;
        char path[PATH_MAX], id[ENGINE_MAX_ID];
        int len = snprintf(path, sizeof path, "%s/%s", e->cfg.models_dir, name);
        if (name[0] == '.' || half_pulled(name) || len < 0 || (size_t)len >= sizeof path || !has_model_in(path))
            continue;
        size_t known = atomic_load(&e->n_models);
        if (!id_of(name, id)) {
            log_warn("%s is passed over: a model's name has 1 to %d letters, digits, \".\", \"_\" or \"-\"", path,
                     ENGINE_MAX_ID - 1);
        } else if (!engine_find(e, id)) {
            struct engine_model *m = known < ENGINE_MAX_MODELS ? calloc(1, sizeof *m) : NULL;
            if (!m) {
                log_warn("%s is passed over: there are %d models already", path, ENGINE_MAX_MODELS);
                continue;
            }
            memcpy(m->id, id, sizeof id);
            memcpy(m->folder, name, strlen(name) + 1); /* as long as the id at most: id_of has seen to it */
            m->saved_generation = -1;
            m->lowered = m->retry_from = INT64_MAX;
            e->models[known] = m;
            atomic_store(&e->n_models, known + 1);
        }
    }
    for (int i = 0; i < n; i++)
        free(found[i]);
    free(found);
}

/* --- the background thread --- */

static void wake(struct engine *e)
{
    pthread_mutex_lock(&e->mutex);
    e->woken = true;
    pthread_cond_broadcast(&e->wake);
    pthread_mutex_unlock(&e->mutex);
}

/* Until something is to be done, or a tick has passed. */
static void rest(struct engine *e)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TICK_S;
    pthread_mutex_lock(&e->mutex);
    int rc = 0;
    while (!e->woken && !atomic_load(&e->stop) && rc == 0)
        rc = pthread_cond_timedwait(&e->wake, &e->mutex, &until);
    bool tick = !e->woken;
    e->woken = false;
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n && tick; i++) {
        struct engine_model *m = e->models[i];
        if (m->retry_from < m->lowered)
            m->lowered = m->retry_from;
        m->retry_from = INT64_MAX;
    }
    pthread_mutex_unlock(&e->mutex);
}

static void load_waiting(struct engine *e)
{
    struct engine_model *first = engine_default(e);
    if (first && engine_model_state(first) == ENGINE_WAITING)
        engine_load(e, first);
    for (size_t i = 0; i < atomic_load(&e->n_models) && !atomic_load(&e->stop); i++)
        if (engine_model_state(e->models[i]) == ENGINE_WAITING)
            engine_load(e, e->models[i]);
}

/* One batch for each model; true while there is more to do. */
static bool fill_all(struct engine *e)
{
    bool more = false;
    for (size_t i = 0; i < atomic_load(&e->n_models) && !atomic_load(&e->stop); i++) {
        struct engine_model *m = e->models[i];
        if (engine_model_state(m) != ENGINE_READY)
            continue;
        struct error err;
        size_t n;
        int64_t start = os_monotonic_us();
        bool failed = engine_fill(e, m, &n, &err) != OK;
        int64_t us = os_monotonic_us() - start;
        if (failed) {
            log_error("model %s: encoding images: %s", m->id, err.message);
            engine_set_error(e, m, err.message);
        }
        pthread_mutex_lock(&e->mutex);
        double rate = us > 0 ? (double)n * 1e6 / (double)us : 0;
        m->rate = n == 0 ? 0 : m->rate > 0 ? 0.8 * m->rate + 0.2 * rate : rate;
        pthread_mutex_unlock(&e->mutex);
        more = more || (n > 0 && !failed);
    }
    return more;
}

static void *run(void *arg)
{
    struct engine *e = arg;
    bool worked = true;
    while (!atomic_load(&e->stop)) {
        load_waiting(e);
        if (fill_all(e)) {
            worked = true;
            continue;
        }
        if (worked)
            malloc_trim(0); /* what loading and decoded images took goes back to the system */
        worked = false;
        for (size_t i = 0; i < atomic_load(&e->n_models); i++)
            engine_save(e, e->models[i], false);
        rest(e);
    }
    for (size_t i = 0; i < atomic_load(&e->n_models); i++)
        engine_save(e, e->models[i], true);
    return NULL;
}

/* --- opening and closing --- */

static unsigned cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 && n <= 256 ? (unsigned)n : 1;
}

static void choose_at_start(struct engine *e)
{
    struct arena a;
    arena_init(&a, 8192);
    const char *remembered = "";
    struct error err;
    if (search_store_setting_get(e->cfg.store, SEARCH_SETTING_MODEL, &a, &remembered, &err) != OK)
        log_warn("the remembered default model is not known: %s", err.message);
    snprintf(e->setting, sizeof e->setting, "%s", remembered);
    struct engine_model *m = NULL;
    if (e->cfg.model && *e->cfg.model) {
        m = engine_find(e, e->cfg.model);
        if (!m)
            log_warn("model %s is not in %s", e->cfg.model, e->cfg.models_dir ? e->cfg.models_dir : "(no folder)");
    }
    if (!m)
        m = engine_find(e, remembered);
    if (!m && atomic_load(&e->n_models))
        m = e->models[0];
    atomic_store(&e->chosen, m);
    if (!m)
        log_warn("no model in %s: searching by words only; \"peel model pull openai/clip-vit-base-patch32\" fixes it",
                 e->cfg.models_dir && *e->cfg.models_dir ? e->cfg.models_dir : "(no folder)");
    arena_free(&a);
}

enum status engine_open(const struct engine_config *cfg, struct engine **out, struct error *err)
{
    *out = NULL;
    struct engine *e = calloc(1, sizeof *e);
    if (!e)
        return err_no_memory(err, "the engine");
    e->cfg = *cfg;
    e->followed = cfg->since;
    e->lacking = INT64_MAX;
    pthread_rwlockattr_t prefer;
    pthread_rwlockattr_init(&prefer);
    pthread_rwlockattr_setkind_np(&prefer, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&e->changes, &prefer);
    pthread_rwlockattr_destroy(&prefer);
    pthread_mutex_init(&e->mutex, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&e->wake, &clock);
    pthread_condattr_destroy(&clock);
    unsigned threads = cfg->threads ? cfg->threads : cores();
    enum status st =
        clip_precision_parse(cfg->precision && *cfg->precision ? cfg->precision : "auto", &e->precision, err);
    if (st == OK && threads > 1)
        st = pool_open("encode", threads - 1, 1, &e->pool, err);
    if (st == OK && threads > 1)
        st = pool_open("decode", threads - 1, 1, &e->decode, err);
    if (st == OK)
        st = query_cache_open(cfg->query_cache_bytes, &e->cache, err);
    if (st == OK && cfg->cache_dir && *cfg->cache_dir)
        st = os_mkdirs(cfg->cache_dir, err);
    if (st == OK) {
        scan(e);
        choose_at_start(e);
        if (pthread_create(&e->thread, NULL, run, e) != 0)
            st = err_set(err, ERR_UNAVAILABLE, "no thread for the engine");
        else
            e->thread_runs = true;
        if (st == OK && pthread_create(&e->follower, NULL, engine_follow, e) != 0)
            st = err_set(err, ERR_UNAVAILABLE, "no thread for the engine");
        else
            e->follower_runs = st == OK;
    }
    if (st != OK) {
        engine_close(e);
        return st;
    }
    *out = e;
    return OK;
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    atomic_store(&e->stop, true);
    wake(e);
    if (e->thread_runs)
        pthread_join(e->thread, NULL);
    if (e->follower_runs)
        pthread_join(e->follower, NULL);
    for (size_t i = 0; i < atomic_load(&e->n_models); i++) {
        struct engine_model *m = e->models[i];
        vectors_exact_close(atomic_load(&m->index));
        clip_close(m->clip);
        free(m);
    }
    query_cache_close(e->cache);
    pool_close(e->decode);
    pool_close(e->pool);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->mutex);
    pthread_rwlock_destroy(&e->changes);
    free(e);
}

/* --- models --- */

struct engine_model *engine_default(struct engine *e)
{
    return atomic_load(&e->chosen);
}

void engine_list_ids(struct engine *e, struct buf *out)
{
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s\"%s\"", i ? ", " : "", e->models[i]->id);
    if (n == 0)
        buf_puts(out, "none");
}

size_t engine_models(struct engine *e, struct engine_model *out[ENGINE_MAX_MODELS])
{
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n; i++)
        out[i] = e->models[i];
    return n;
}

enum status engine_use(struct engine *e, const char *id, struct engine_model **out, struct error *err)
{
    pthread_mutex_lock(&e->mutex);
    scan(e);
    pthread_mutex_unlock(&e->mutex);
    struct engine_model *m = engine_find(e, id);
    if (!m) {
        struct buf known;
        buf_init(&known, 400);
        engine_list_ids(e, &known);
        err_set(err, ERR_INVALID, "model \"%.64s\" is unknown; known: %s", id, buf_str(&known));
        buf_free(&known);
        return ERR_INVALID;
    }
    enum status st = search_store_setting_set(e->cfg.store, SEARCH_SETTING_MODEL, m->id, err);
    if (st != OK)
        return st;
    int failed = ENGINE_FAILED;
    atomic_compare_exchange_strong(&m->state, &failed, ENGINE_WAITING);
    atomic_store(&e->chosen, m);
    wake(e);
    *out = m;
    return OK;
}

enum status engine_retry(struct engine *e, const char *id, struct error *err)
{
    enum status st = search_store_failures_drop(e->cfg.store, id, err);
    if (st == OK)
        engine_has_work(e, 1);
    return st;
}

const char *engine_state_name(enum engine_state s)
{
    static const char *const names[] = {"waiting", "loading", "ready", "failed"};
    return names[s];
}

const char *engine_model_id(const struct engine_model *m)
{
    return m->id;
}

enum engine_state engine_model_state(const struct engine_model *m)
{
    return (enum engine_state)atomic_load(&m->state);
}

void engine_set_error(struct engine *e, struct engine_model *m, const char *message)
{
    pthread_mutex_lock(&e->mutex);
    snprintf(m->error, sizeof m->error, "%s", message);
    pthread_mutex_unlock(&e->mutex);
}

enum status engine_model_status(struct engine *e, struct engine_model *m, struct engine_model_status *out,
                                struct error *err)
{
    *out = (struct engine_model_status){.state = engine_model_state(m), .precision = ""};
    pthread_mutex_lock(&e->mutex);
    snprintf(out->error, sizeof out->error, "%s", m->error);
    out->rate = m->rate;
    pthread_mutex_unlock(&e->mutex);
    if (out->state == ENGINE_READY) {
        out->precision = clip_precision_name(clip_precision_of(m->clip));
        out->dim = clip_dim(m->clip);
        out->model_bytes = clip_bytes(m->clip);
        out->vectors_exact_bytes = engine_index(m) ? vectors_exact_bytes(engine_index(m)) : 0;
    }
    struct vectors_progress p;
    enum status st = search_store_vectors_progress(e->cfg.store, m->id, &p, err);
    if (st == OK) {
        out->indexed = p.indexed;
        out->pending = p.pending;
        out->failed = p.failed;
    }
    return st;
}

void engine_model_info(const struct engine_model *m, struct buf *out)
{
    if (engine_model_state(m) == ENGINE_READY)
        clip_info(m->clip, out);
}

bool engine_snapshot_path(const struct engine *e, const struct engine_model *m, char out[PATH_MAX])
{
    if (!e->cfg.cache_dir || !*e->cfg.cache_dir)
        return false;
    int n = snprintf(out, PATH_MAX, "%s/%s.index", e->cfg.cache_dir, m->folder);
    return n > 0 && n < PATH_MAX;
}

/* --- searching --- */

size_t engine_dim(const struct engine_model *m)
{
    return clip_dim(m->clip);
}

double engine_hybrid_weight(const struct engine_model *m, bool english_query)
{
    return clip_hybrid_weight(m->clip, english_query);
}

struct vectors_exact *engine_index(const struct engine_model *m)
{
    return atomic_load(&m->index);
}

size_t engine_searched(const struct engine_model *m)
{
    struct vectors_exact *ix = engine_index(m);
    return ix ? vectors_exact_count(ix) : atomic_load(&m->stored);
}

static enum status nearest(struct engine *e, const struct engine_model *m, const float *vector, size_t k,
                           struct arena *a, struct vectors_hit **hits, size_t *n, struct error *err)
{
    struct vectors_exact *ix = engine_index(m);
    struct vector_hit *found;
    enum status st = OK;
    *n = 0;
    if (!ix)
        st = search_store_vectors_search(e->cfg.store, m->id, engine_dim(m), vector, k, a, &found, n, err);
    *hits = st == OK ? arena_array(a, ix ? k : *n + 1, sizeof **hits) : NULL;
    if (st == OK && !*hits)
        st = err_no_memory(err, "the results");
    if (st == OK && ix)
        return vectors_exact_search(ix, e->pool, vector, 1, k, VECTORS_INT8, *hits, n, err);
    for (size_t i = 0; i < *n && st == OK; i++)
        (*hits)[i] = (struct vectors_hit){.id = found[i].id, .score = found[i].score};
    return st;
}

enum status engine_nearest(struct engine *e, const struct engine_model *m, const float *vector, size_t k,
                           struct arena *a, struct vectors_hit **hits, size_t *n, struct error *err)
{
    int64_t began_us = os_monotonic_us();
    enum status st = nearest(e, m, vector, k, a, hits, n, err);
    int64_t us = os_monotonic_us() - began_us;
    metric_observe(&e->times.nearest, us);
    if (engine_index(m)) /* else the database has counted it */
        metric_part_add(METRIC_MODEL, us);
    return st;
}

const struct engine_times *engine_times(const struct engine *e)
{
    return &e->times;
}

enum status engine_vector(struct engine *e, const struct engine_model *m, int64_t id, float *out, struct error *err)
{
    struct vectors_exact *ix = engine_index(m);
    struct arena a;
    const float *vector;
    if (ix)
        return vectors_exact_get(ix, id, out, err);
    arena_init(&a, 1u << 20);
    enum status st = search_store_vectors_get(e->cfg.store, m->id, engine_dim(m), &id, 1, &a, &vector, err);
    if (st == OK && !vector)
        st = err_set(err, ERR_NOT_FOUND, "document %lld has no vector", (long long)id);
    if (st == OK)
        memcpy(out, vector, engine_dim(m) * sizeof *out);
    arena_free(&a);
    return st;
}

enum status engine_embed(struct engine *e, struct engine_model *m, const char *text, size_t len, float *out,
                         struct error *err)
{
    size_t dim = engine_dim(m);
    if (query_cache_get(e->cache, m->id, text, len, out, dim))
        return OK;
    int64_t began_us = os_monotonic_us();
    enum status st = clip_embed_text(m->clip, text, len, out, err);
    int64_t us = os_monotonic_us() - began_us;
    metric_observe(&e->times.text, us);
    metric_part_add(METRIC_MODEL, us);
    if (st == OK)
        query_cache_put(e->cache, m->id, text, len, out, dim);
    return st;
}

struct query_cache_stats engine_cache_stats(struct engine *e)
{
    return query_cache_stats(e->cache);
}

/* --- changing documents --- */

void engine_change_begin(struct engine *e)
{
    pthread_rwlock_rdlock(&e->changes);
}

void engine_change_end(struct engine *e)
{
    pthread_rwlock_unlock(&e->changes);
}

void engine_drop_document(struct engine *e, int64_t id)
{
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n; i++) {
        struct vectors_exact *ix = atomic_load(&e->models[i]->index);
        if (ix)
            vectors_exact_delete(ix, id);
    }
}

void engine_has_work(struct engine *e, int64_t id)
{
    pthread_mutex_lock(&e->mutex);
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n; i++)
        if (id - 1 < e->models[i]->lowered)
            e->models[i]->lowered = id - 1;
    e->woken = true;
    pthread_cond_broadcast(&e->wake);
    pthread_mutex_unlock(&e->mutex);
}
