/* experiments.c: one thread looks at the database; the plan is copied under a lock, when there is one. */
#include "sticker_service/experiments.h"

#include "base/os.h"
#include "base/utf8.h"
#include "base/worker.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS    500u
#define PARAMS_MAX (3 * EXPERIMENT_RANKING_MAX + 100)
#define TIMEOUT_MS 5000u
#define ANSWER_MAX (1u << 20)

struct experiments {
    struct sticker_store *store;
    struct answers *answers;
    struct worker *worker;
    atomic_bool runs;      /* spares searches the lock */
    pthread_mutex_t mutex; /* guards what follows */
    struct experiment_plan plan;
    char params[2][PARAMS_MAX + 1];
};

/* --- rankings --- */

static bool may_be_chosen(const char *name, size_t len)
{
    static const char *const names[] = {"algorithm", "model", "weights", "min_score", "priors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return true;
    return false;
}

enum status experiments_params(const char *ranking, struct buf *params, struct error *err)
{
    size_t len = strlen(ranking);
    if (len > EXPERIMENT_RANKING_MAX || !utf8_valid(ranking, len) || utf8_has_control(ranking, len))
        return err_set(err, ERR_INVALID, "a ranking must be one line of at most %d bytes", EXPERIMENT_RANKING_MAX);
    for (const char *at = ranking; *(at += strspn(at, " &"));) {
        size_t name = strcspn(at, "= &"), value = at[name] == '=' ? strcspn(at + name + 1, " &") : 0;
        if (!may_be_chosen(at, name) || !value)
            return err_set(err, ERR_INVALID,
                           "a ranking is described like \"algorithm=hybrid weights=words:0.5,sentence:1\", by"
                           " algorithm, model, weights, min_score and priors; found \"%.64s\"",
                           at);
        buf_putc(params, '&');
        buf_append(params, at, name + 1);
        http_escape(params, at + name + 1, value);
        at += name + 1 + value;
    }
    return buf_status(params, err);
}

static enum status check_ranking(struct http_client *search, const char *which, const char *ranking, struct error *err)
{
    struct buf path, body;
    int http_status = 0;
    buf_init(&path, PARAMS_MAX + 100);
    buf_init(&body, ANSWER_MAX);
    buf_puts(&path, "/api/search/?query=cat&limit=1");
    enum status st = experiments_params(ranking, &path, err);
    if (st == OK) {
        struct http_call call = {.method = "GET", .path = buf_str(&path), .timeout_ms = TIMEOUT_MS};
        st = http_client_call(search, &call, &http_status, &body, err);
    }
    if (st == OK && http_status != 200) {
        json_t *problem = json_loadb(buf_str(&body), body.len, 0, NULL);
        const char *detail = json_string_value(json_object_get(problem, "detail"));
        st = err_set(err, http_status == 400 ? ERR_INVALID : ERR_UNAVAILABLE, "SearchService answered %d: %.200s",
                     http_status, detail ? detail : "");
        json_decref(problem);
    }
    buf_free(&path);
    buf_free(&body);
    return st == OK ? OK : err_prefix(err, "ranking %s", which);
}

static enum status check_name(const char *name, struct error *err)
{
    size_t len = strlen(name);
    if (len < 1 || len > EXPERIMENT_NAME_MAX || !utf8_valid(name, len) || utf8_has_control(name, len))
        return err_set(err, ERR_INVALID, "the name of an experiment must have 1 to %d bytes in one line",
                       EXPERIMENT_NAME_MAX);
    return OK;
}

enum status experiments_check(struct http_client *search, const struct experiment *e, struct error *err)
{
    enum status st = check_name(e->name, err);
    if (st == OK && strcmp(e->rankings[0], e->rankings[1]) == 0)
        st = err_set(err, ERR_INVALID, "the rankings A and B are the same");
    if (st == OK && (e->share < 1 || e->share > 100))
        st = err_set(err, ERR_INVALID, "the share must be 1 to 100 percent");
    if (st == OK)
        st = check_ranking(search, "A", e->rankings[0], err);
    return st == OK ? check_ranking(search, "B", e->rankings[1], err) : st;
}

/* --- the one that runs --- */

/* What the database has becomes the plan; one that this version cannot read is none. */
static void set_plan(struct experiments *x, const struct experiment *e, bool found)
{
    struct error err;
    struct buf params[2];
    for (int i = 0; i < 2; i++) {
        buf_init(&params[i], PARAMS_MAX);
        found = found && experiments_params(e->rankings[i], &params[i], &err) == OK;
    }
    pthread_mutex_lock(&x->mutex);
    bool same = x->plan.id == (found ? e->id : 0);
    x->plan = (struct experiment_plan){0};
    if (found)
        x->plan = (struct experiment_plan){.id = e->id, .kind = e->kind, .share = (unsigned)e->share};
    for (int i = 0; i < 2 && found; i++)
        memcpy(x->params[i], buf_str(&params[i]), params[i].len + 1);
    pthread_mutex_unlock(&x->mutex);
    atomic_store(&x->runs, found);
    for (int i = 0; i < 2; i++)
        buf_free(&params[i]);
    if (!same)
        answers_clear(x->answers);
}

static enum status look(void *arg, struct error *err)
{
    struct experiments *x = arg;
    struct arena a;
    struct experiment e;
    bool found;
    arena_init(&a, 64u << 10);
    enum status st = sticker_store_experiment_running(x->store, &a, &e, &found, err);
    if (st == OK)
        set_plan(x, &e, found);
    arena_free(&a);
    return st;
}

static void run_experiments(struct worker *w, void *arg)
{
    worker_repeat(w, LOOK_MS, look, arg, "the running experiment cannot be read, so it stays as it is");
}

enum status experiments_open(struct sticker_store *store, struct answers *answers, struct experiments **out,
                             struct error *err)
{
    struct experiments *x = *out = calloc(1, sizeof *x);
    if (!x)
        return err_no_memory(err, "experiments");
    x->store = store;
    x->answers = answers;
    pthread_mutex_init(&x->mutex, NULL);
    enum status st = look(x, err);
    return st == OK ? worker_open("experiments", run_experiments, x, &x->worker, err) : st;
}

void experiments_close(struct experiments *x)
{
    if (!x)
        return;
    worker_close(x->worker);
    pthread_mutex_destroy(&x->mutex);
    free(x);
}

void experiments_changed(struct experiments *x)
{
    struct error err;
    if (look(x, &err) != OK)
        worker_wake(x->worker);
}

const struct experiment_plan *experiments_running(struct experiments *x, struct arena *a)
{
    struct experiment_plan *out = atomic_load(&x->runs) ? arena_alloc(a, sizeof *out) : NULL;
    if (!out)
        return NULL;
    pthread_mutex_lock(&x->mutex);
    *out = x->plan;
    for (int i = 0; i < 2; i++)
        out->params[i] = arena_strdup(a, x->params[i]);
    pthread_mutex_unlock(&x->mutex);
    return out->id && out->params[0] && out->params[1] ? out : NULL;
}
