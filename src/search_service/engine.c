/* The registry of models, their default, and the background thread. */
#include "search_service/engine_internal.h"
#include "search_service/search_service.h"

#include "base/log.h"
#include "base/os.h"
#include "rank/leg.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_VECTOR_BYTES 2048u /* about */

#define COUNTED  100000   /* documents: of more, what was counted is good for */
#define COUNT_US 10000000 /* so long */
#define TICK_MS  5000     /* how often saving and failed fetches are looked at when nothing happens */

struct engine_model *engine_find(struct engine *e, const char *id)
{
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n; i++)
        if (strcmp(e->models[i]->files.id, id) == 0 || strcmp(e->models[i]->files.folder, id) == 0)
            return e->models[i];
    return NULL;
}

static void add_model(struct engine *e, const struct library_model *files)
{
    char folder[PATH_MAX];
    struct error err;
    size_t known = atomic_load(&e->n_models);
    struct engine_model *m = known < ENGINE_MAX_MODELS ? calloc(1, sizeof *m) : NULL;
    if (!m) {
        log_warn("ignoring %s/%s: there are already %zu models", e->cfg.models_dir, files->folder, known);
        return;
    }
    m->files = *files;
    snprintf(folder, sizeof folder, "%s/%s", e->cfg.models_dir, files->folder);
    if (encoder_class_of(folder, &m->class, &err) != OK)
        log_debug("%s", err.message); /* loading will say it to everybody */
    m->saved_generation = -1;
    m->work_after = m->retry_from = INT64_MAX;
    e->models[known] = m;
    atomic_store(&e->n_models, known + 1);
}

/* Adds the folders that are not known yet; the engine's mutex is held, or nobody else knows it. */
static void find_models(struct engine *e)
{
    struct library_model *found;
    struct error err;
    size_t n;
    if (library_list(e->cfg.models_dir, &found, &n, &err) != OK) {
        log_warn("%s", err.message);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!found[i].incomplete && !engine_find(e, found[i].id))
            add_model(e, &found[i]);
    free(found);
}

/* --- the background thread --- */

/* What failed a while ago is tried again. */
static void try_again(struct engine *e)
{
    pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < atomic_load(&e->n_models); i++) {
        struct engine_model *m = e->models[i];
        if (m->retry_from < m->work_after)
            m->work_after = m->retry_from;
        m->retry_from = INT64_MAX;
    }
    pthread_mutex_unlock(&e->mutex);
}

static void load_waiting_one(struct engine *e, struct engine_model *m)
{
    if (engine_model_state(m) != ENGINE_WAITING)
        return;
    engine_load(e, m);
    malloc_trim(0); /* what reading a model's files and the documents took goes back to the system */
}

static void load_waiting(struct engine *e)
{
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++) {
        struct engine_model *first = engine_default(e, leg);
        if (first)
            load_waiting_one(e, first);
    }
    for (size_t i = 0; i < atomic_load(&e->n_models) && !worker_stopping(e->worker); i++)
        load_waiting_one(e, e->models[i]);
}

/* One batch for each model; true while there is more to do. */
static bool fill_all(struct engine *e)
{
    bool more = false;
    for (size_t i = 0; i < atomic_load(&e->n_models) && !worker_stopping(e->worker); i++) {
        struct engine_model *m = e->models[i];
        if (engine_model_state(m) != ENGINE_READY)
            continue;
        struct error err;
        size_t n = 0, phrases = 0;
        int64_t start = os_monotonic_us();
        enum status st = engine_fill(e, m, &n, &err);
        if (st == OK && n == 0)
            st = engine_fill_phrases(e, m, &phrases, &err);
        int64_t us = os_monotonic_us() - start;
        if (st != OK && st != ERR_CANCELLED) {
            log_error("model %s: encoding failed: %s", m->files.id, err.message);
            engine_set_error(e, m, err.message);
        }
        pthread_mutex_lock(&e->mutex);
        double rate = us > 0 ? (double)n * 1e6 / (double)us : 0;
        m->rate = n == 0 ? 0 : m->rate > 0 ? 0.8 * m->rate + 0.2 * rate : rate;
        pthread_mutex_unlock(&e->mutex);
        more = more || (n + phrases > 0 && st == OK);
    }
    return more;
}

static void tend_all(struct engine *e)
{
    for (size_t i = 0; i < atomic_load(&e->n_models); i++)
        if (engine_model_state(e->models[i]) == ENGINE_READY)
            vectors_tend(atomic_load(&e->models[i]->vectors));
}

static void run_engine(struct worker *w, void *arg)
{
    struct engine *e = arg;
    bool worked = true;
    os_stand_back(); /* searches come first */
    while (!worker_stopping(w)) {
        load_waiting(e);
        tend_all(e);
        if (fill_all(e)) {
            worked = true;
            continue;
        }
        if (worked)
            malloc_trim(0); /* what loading and decoded images took goes back to the system */
        worked = false;
        for (size_t i = 0; i < atomic_load(&e->n_models); i++)
            engine_save(e, e->models[i], false);
        if (worker_rest(w, TICK_MS) == WORKER_RESTED)
            try_again(e);
    }
    for (size_t i = 0; i < atomic_load(&e->n_models); i++)
        engine_save(e, e->models[i], true);
}

/* --- opening and closing --- */

/* The first model of a leg by name; NULL: there is none. */
static struct engine_model *first_model(struct engine *e, enum leg_number leg)
{
    for (size_t i = 0; i < atomic_load(&e->n_models); i++)
        if (e->models[i]->class->leg == leg)
            return e->models[i];
    return NULL;
}

static void choose_default(struct engine *e, enum leg_number leg)
{
    struct arena a;
    char key[64];
    const char *remembered = "";
    struct error err;
    arena_init(&a, 8192);
    if (search_store_setting_get(e->cfg.store, search_service_model_setting(leg, key), &a, &remembered, &err) != OK)
        log_warn("cannot read which model is the default: %s", err.message);
    snprintf(e->settings[leg], sizeof e->settings[leg], "%s", remembered);
    struct engine_model *asked = e->cfg.model && *e->cfg.model ? engine_find(e, e->cfg.model) : NULL;
    struct engine_model *known = engine_find(e, remembered);
    struct engine_model *m = asked && asked->class->leg == leg ? asked : known;
    bool chosen = m && m->class->leg == leg;
    atomic_store(&e->chosen[leg], chosen);
    atomic_store(&e->defaults[leg], chosen ? m : first_model(e, leg));
    arena_free(&a);
}

static void choose_at_start(struct engine *e)
{
    const char *folder = e->cfg.models_dir && *e->cfg.models_dir ? e->cfg.models_dir : "(no folder)";
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        choose_default(e, leg);
    if (e->cfg.model && *e->cfg.model && !engine_find(e, e->cfg.model))
        log_warn("model %s is not in %s", e->cfg.model, folder);
    if (!atomic_load(&e->n_models))
        log_warn(
            "no model in %s: searching without one; `peel model pull intfloat/multilingual-e5-small` downloads one",
            folder);
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    catalog_stop(e->cfg.catalog); /* it may wake the worker */
    worker_close(e->worker);
    for (size_t i = 0; i < atomic_load(&e->n_models); i++) {
        struct engine_model *m = e->models[i];
        vectors_close(atomic_load(&m->vectors));
        phrases_close(atomic_load(&m->phrases));
        encoder_close(m->encoder);
        free(m);
    }
    lru_close(e->cache);
    pool_close(e->decode);
    pool_close(e->pool);
    pthread_mutex_destroy(&e->mutex);
    free(e);
}

enum status engine_open(const struct engine_config *cfg, struct engine **out, struct error *err)
{
    *out = NULL;
    struct engine *e = calloc(1, sizeof *e);
    if (!e)
        return err_no_memory(err, "the engine");
    e->cfg = *cfg;
    e->cfg.precision = cfg->precision && *cfg->precision ? cfg->precision : "auto";
    e->missing_from = INT64_MAX;
    pthread_mutex_init(&e->mutex, NULL);
    unsigned threads = cfg->threads ? cfg->threads : pool_cores();
    enum status st = encoder_check_precision(e->cfg.precision, err);
    if (st == OK && threads > 1)
        st = pool_open("encode", threads - 1, 1, &e->pool, err);
    if (st == OK && threads > 1)
        st = pool_open("decode", threads - 1, 1, &e->decode, err);
    if (st == OK)
        st = lru_open(cfg->query_cache_bytes, QUERY_VECTOR_BYTES, &e->cache, err);
    if (st == OK && cfg->cache_dir && *cfg->cache_dir)
        st = os_mkdirs(cfg->cache_dir, err);
    if (st == OK) {
        find_models(e);
        choose_at_start(e);
        st = worker_open("engine", run_engine, e, &e->worker, err);
        if (st == OK)
            st = catalog_start(cfg->catalog, &engine_listener, e, err);
    }
    if (st != OK) {
        engine_close(e);
        return st;
    }
    *out = e;
    return OK;
}

/* --- models --- */

struct engine_model *engine_default(struct engine *e, enum leg_number leg)
{
    return atomic_load(&e->defaults[leg]);
}

void engine_list_ids(struct engine *e, struct buf *out)
{
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s\"%s\"", i ? ", " : "", e->models[i]->files.id);
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
    find_models(e);
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
    char key[64];
    enum leg_number leg = m->class->leg;
    enum status st = search_store_setting_set(e->cfg.store, search_service_model_setting(leg, key), m->files.id, err);
    if (st != OK)
        return st;
    int failed = ENGINE_FAILED;
    atomic_compare_exchange_strong(&m->state, &failed, ENGINE_WAITING);
    atomic_store(&e->defaults[leg], m);
    atomic_store(&e->chosen[leg], true);
    worker_wake(e->worker);
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
    return m->files.id;
}

enum leg_number engine_model_leg(const struct engine_model *m)
{
    return m->class->leg;
}

const struct encoder *engine_model_encoder(const struct engine_model *m)
{
    return engine_model_state(m) == ENGINE_READY ? m->encoder : NULL;
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

/* Counting reads indexes whole: a second for some millions of documents. */
static enum status count_progress(struct engine *e, struct engine_model *m, struct vectors_progress *out,
                                  struct error *err)
{
    int64_t now_us = os_monotonic_us();
    pthread_mutex_lock(&e->mutex);
    *out = m->progress;
    bool good = now_us < m->progress_until_us;
    pthread_mutex_unlock(&e->mutex);
    if (good)
        return OK;
    enum status st = search_store_vectors_progress(e->cfg.store, m->files.id, out, err);
    pthread_mutex_lock(&e->mutex);
    m->progress = *out;
    m->progress_until_us = st == OK && out->indexed + out->pending > COUNTED ? now_us + COUNT_US : 0;
    pthread_mutex_unlock(&e->mutex);
    return st;
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
        out->precision = encoder_precision(m->encoder);
        out->english = !engine_model_knows(m, LANGUAGE_OTHER);
        out->dim = encoder_dim(m->encoder);
        out->model_bytes = encoder_bytes(m->encoder);
        out->vector_bytes = vectors_bytes(atomic_load(&m->vectors));
        vectors_accuracy(atomic_load(&m->vectors), &out->accuracy);
        if (atomic_load(&m->phrases))
            out->phrases = phrases_count(atomic_load(&m->phrases));
        out->vector_bytes += out->phrases.bytes;
    }
    struct vectors_progress p;
    enum status st = count_progress(e, m, &p, err);
    if (st == OK) {
        out->indexed = p.indexed;
        out->pending = p.pending;
        out->failed = p.failed;
    }
    /* Vectors that this has told of are vectors that searches count. */
    return st == OK && out->state == ENGINE_READY ? vectors_refresh(atomic_load(&m->vectors), err) : st;
}

void engine_model_info(const struct engine_model *m, struct buf *out)
{
    if (engine_model_state(m) == ENGINE_READY)
        encoder_info(m->encoder, out);
}

bool engine_snapshot_path(const struct engine *e, const struct engine_model *m, char out[PATH_MAX])
{
    if (!e->cfg.cache_dir || !*e->cfg.cache_dir)
        return false;
    int n = snprintf(out, PATH_MAX, "%s/%s.index", e->cfg.cache_dir, m->files.folder);
    return n > 0 && n < PATH_MAX;
}

/* --- searching --- */

void engine_fill_model(struct engine_model *m, struct rank_sources *out)
{
    bool ready = engine_model_state(m) == ENGINE_READY;
    out->models[m->class->leg] = (struct rank_model){.id = m->files.id,
                                                     .state = engine_state_name(engine_model_state(m)),
                                                     .encoder = ready ? m->encoder : NULL,
                                                     .vectors = ready ? atomic_load(&m->vectors) : NULL,
                                                     .phrases = ready ? atomic_load(&m->phrases) : NULL,
                                                     .unlike = ready ? m->unlike : 0};
}

static bool is_ready_for(const struct engine_model *m, unsigned language)
{
    return engine_model_state(m) == ENGINE_READY && engine_model_knows(m, language);
}

/* The first model of a leg by name that knows a language, best one that knows no other; NULL: none is ready. */
static struct engine_model *knowing(struct engine *e, enum leg_number leg, unsigned language)
{
    struct engine_model *found = NULL;
    for (size_t i = 0; i < atomic_load(&e->n_models); i++) {
        struct engine_model *m = e->models[i];
        if (m->class->leg == leg && is_ready_for(m, language) &&
            (!found || (is_ready_for(found, LANGUAGE_OTHER) && !is_ready_for(m, LANGUAGE_OTHER))))
            found = m;
    }
    return found;
}

/* Of a leg, for a language; NULL: no model serves the leg. */
static struct engine_model *model_for(struct engine *e, enum leg_number leg, unsigned language)
{
    struct engine_model *standard = engine_default(e, leg), *other = knowing(e, leg, language);
    if (!other || (standard && atomic_load(&e->chosen[leg]) &&
                   (engine_model_state(standard) != ENGINE_READY || is_ready_for(standard, language))))
        return standard;
    return other;
}

void engine_fill_sources(struct engine *e, unsigned language, struct rank_sources *out)
{
    out->cache = e->cache;
    out->pool = e->pool;
    out->times = &e->times.queries;
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++) {
        struct engine_model *m = model_for(e, leg, language);
        if (m)
            engine_fill_model(m, out);
    }
}

bool engine_has_model(struct engine *e)
{
    bool has = false;
    for (size_t i = 0; i < atomic_load(&e->n_models) && !has; i++)
        has = engine_model_state(e->models[i]) == ENGINE_READY;
    return has;
}

unsigned engine_threads(const struct engine *e)
{
    return pool_width(e->pool);
}

struct phrases *engine_phrases(struct engine *e)
{
    struct engine_model *chosen = NULL;
    for (size_t i = 0; i < atomic_load(&e->n_models); i++) {
        struct engine_model *m = e->models[i];
        if (engine_model_state(m) == ENGINE_READY && atomic_load(&m->phrases) &&
            (!chosen || encoder_trust(m->encoder, false) > encoder_trust(chosen->encoder, false)))
            chosen = m;
    }
    return chosen ? atomic_load(&chosen->phrases) : NULL;
}

const struct engine_times *engine_times(const struct engine *e)
{
    return &e->times;
}

struct lru_stats engine_cache_stats(struct engine *e)
{
    return lru_stats(e->cache);
}

void engine_has_work(struct engine *e, int64_t id)
{
    pthread_mutex_lock(&e->mutex);
    size_t n = atomic_load(&e->n_models);
    for (size_t i = 0; i < n; i++)
        if (id - 1 < e->models[i]->work_after)
            e->models[i]->work_after = id - 1;
    pthread_mutex_unlock(&e->mutex);
    worker_wake(e->worker);
}
