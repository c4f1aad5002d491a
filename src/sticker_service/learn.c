/* learn.c: the thread that learns, and hands over what was learnt. SearchService says which version it has; what
 * changed since is sent, or everything where that is of another database, or of before a reset. */
#include "sticker_service/learn.h"

#include "base/json_out.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/os.h"
#include "base/worker.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS     500u    /* at the log */
#define ASK_US      5000000 /* SearchService for the version that it has */
#define RETRY_US    2000000 /* after it did not answer */
#define TIDY_US     (3600 * INT64_C(1000000))
#define READ_EVENTS 500u /* in one transaction, which others wait for */
#define TEACH_LEAST 100u /* lessons at once, */
#define SEND_LEAST  50u  /* and in one request */
#define TIMEOUT_MS  5000u
#define BODY_MAX    (6u << 20)
#define ANSWER_MAX  (64u << 10)
#define MEMORY      (64u << 20)

struct learn {
    struct sticker_store *store;
    struct http_client *search;
    struct answers *answers, *starts;
    struct learner *learner;
    struct worker *worker;
    int64_t sent[2];   /* epoch and version that SearchService has, as far as we know */
    int64_t forgotten; /* LEARN_FORGOTTEN when lessons were tidied up last */
    atomic_uint_fast64_t passes, failures, sends, us;
    atomic_int_fast64_t behind; /* versions that SearchService does not have yet */
};

/* --- SearchService --- */

static enum status call_search(struct learn *l, const char *method, const char *path, const struct buf *body,
                               int *status, struct buf *answer, struct error *err)
{
    struct http_call call = {.method = method,
                             .path = path,
                             .content_type = body ? "application/json" : NULL,
                             .body = body ? body->data : NULL,
                             .body_len = body ? body->len : 0,
                             .timeout_ms = TIMEOUT_MS};
    enum status st = http_client_call(l->search, &call, status, answer, err);
    if (st == OK && *status != 200 && *status != 409)
        st = err_set(err, *status == 404 ? ERR_UNSUPPORTED : ERR_UNAVAILABLE,
                     "SearchService answered %d to %s %s: %.200s", *status, method, path, buf_str(answer));
    return st;
}

static enum status ask_version(struct learn *l, int64_t out[2], struct error *err)
{
    struct buf answer;
    int status = 0;
    buf_init(&answer, ANSWER_MAX);
    enum status st = call_search(l, "GET", "/api/priors/version", NULL, &status, &answer, err);
    json_t *json = st == OK ? json_loadb(buf_str(&answer), answer.len, 0, NULL) : NULL;
    const json_t *epoch = json_object_get(json, "epoch"), *version = json_object_get(json, "version");
    if (st == OK && (!json_is_integer(epoch) || !json_is_integer(version)))
        st = err_set(err, ERR_CORRUPT, "SearchService did not say what votes taught it");
    if (st == OK) {
        out[0] = json_integer_value(epoch);
        out[1] = json_integer_value(version);
    }
    json_decref(json);
    buf_free(&answer);
    return st;
}

static enum status put_gains(struct learn *l, const struct lesson *lesson, struct arena *a, struct buf *body,
                             struct error *err)
{
    size_t most = 1, n = 0, put = 0;
    for (const char *at = lesson->gains; *at; at++)
        most += *at == '\n';
    struct learn_gain *gains = arena_array(a, most, sizeof *gains);
    const char **ids = arena_array(a, most, sizeof *ids), **names = arena_array(a, most, sizeof *names);
    if (!gains || !ids || !names)
        return err_no_memory(err, "gains");
    for (const char *text = lesson->gains; n < most && learn_gain_read(&text, &gains[n]); n++)
        ids[n] = gains[n].sticker_id;
    enum status st = sticker_store_learn_names(l->store, ids, n, a, names, err);
    buf_puts(body, "{\"query\":");
    json_put_string(body, lesson->query);
    buf_puts(body, ",\"gains\":[");
    for (size_t i = 0; i < n && st == OK; i++) {
        if (!names[i])
            continue;
        buf_puts(body, put++ ? ",{\"filename\":" : "{\"filename\":");
        json_put_string(body, names[i]);
        buf_printf(body, ",\"gain\":%.2f%s}", gains[i].gain, gains[i].by_clicks ? ",\"clicks\":true" : "");
    }
    buf_puts(body, "]}");
    return st;
}

/* Sends lessons behind version `after`; *to: how far it came. */
static enum status send_some(struct learn *l, int64_t epoch, int64_t after, int64_t most, int64_t *to,
                             struct error *err)
{
    struct arena a;
    struct buf body, answer;
    struct lesson *lessons;
    size_t n = 0;
    int status = 0;
    arena_init(&a, MEMORY);
    buf_init(&body, BODY_MAX);
    buf_init(&answer, ANSWER_MAX);
    enum status st = sticker_store_lessons_changed(l->store, after, SEND_LEAST, &a, &lessons, &n, err);
    *to = n == SEND_LEAST ? lessons[n - 1].version : most;
    buf_printf(&body, "{\"epoch\":%lld,\"after\":%lld,\"version\":%lld,\"priors\":[", (long long)epoch,
               (long long)after, (long long)*to);
    for (size_t i = 0; i < n && st == OK; i++) {
        buf_puts(&body, i ? "," : "");
        st = put_gains(l, &lessons[i], &a, &body, err);
    }
    buf_puts(&body, "]}");
    if (st == OK)
        st = buf_status(&body, err);
    if (st == OK)
        st = call_search(l, "POST", "/api/priors", &body, &status, &answer, err);
    if (st == OK && status != 200) /* another StickerService was faster */
        st = err_set(err, ERR_CONFLICT, "SearchService has other gains meanwhile: %.200s", buf_str(&answer));
    buf_free(&answer);
    buf_free(&body);
    arena_free(&a);
    return st;
}

/* Makes SearchService have our gains. *tidy is set when something was erased. */
static enum status deliver(struct learn *l, bool ask, bool *tidy, struct error *err)
{
    int64_t numbers[LEARN_NUMBERS];
    enum status st = sticker_store_learn_numbers(l->store, numbers, err);
    *tidy = *tidy || (st == OK && numbers[LEARN_FORGOTTEN] != l->forgotten);
    l->forgotten = st == OK ? numbers[LEARN_FORGOTTEN] : l->forgotten;
    int64_t epoch = numbers[LEARN_EPOCH], version = numbers[LEARN_VERSION];
    bool current = l->sent[0] == epoch && l->sent[1] == version;
    if (st != OK || (current && !ask))
        return st;
    st = ask_version(l, l->sent, err);
    if (st == OK && l->sent[0] != epoch && !l->sent[0] && !version)
        return OK; /* neither has anything */
    int64_t after = l->sent[0] == epoch && l->sent[1] <= version ? l->sent[1] : 0;
    bool send = st == OK && (l->sent[0] != epoch || l->sent[1] != version);
    while (send && st == OK && !worker_stopping(l->worker)) {
        int64_t to;
        st = send_some(l, epoch, after, version, &to, err);
        if (st != OK)
            break;
        after = l->sent[1] = to;
        l->sent[0] = epoch;
        send = to < version;
        answers_clear(l->answers);
        answers_clear(l->starts);
        atomic_fetch_add(&l->sends, 1);
    }
    atomic_store(&l->behind, version - (st == OK ? l->sent[1] : after));
    return st == ERR_CONFLICT ? OK : st;
}

/* --- the thread --- */

static enum status learn_all(struct learn *l, struct error *err)
{
    bool more = true;
    enum status st = OK;
    int64_t began = os_monotonic_us();
    while (st == OK && more && !worker_stopping(l->worker))
        st = learner_read(l->learner, READ_EVENTS, &more, err);
    for (more = true; st == OK && more && !worker_stopping(l->worker);)
        st = learner_teach(l->learner, TEACH_LEAST, &more, err);
    atomic_fetch_add(&l->us, (uint64_t)(os_monotonic_us() - began));
    atomic_fetch_add(&l->passes, 1);
    return st;
}

static void tell(struct learn *l, const char *what, bool *failing, enum status st, const struct error *err)
{
    if (st != OK && !*failing)
        log_warn("%s: %s", what, err->message);
    if (st != OK)
        atomic_fetch_add(&l->failures, 1);
    *failing = st != OK;
}

static void learn_until_stopped(struct worker *w, void *arg)
{
    struct learn *l = arg;
    bool unlearnt = false, unsent = false, tidy = false;
    int64_t ask_us = 0, tidy_us = os_monotonic_us() + TIDY_US;
    do {
        struct error err;
        enum status st = learn_all(l, &err);
        tell(l, "votes cannot teach", &unlearnt, st, &err);
        int64_t now = os_monotonic_us();
        if (!unsent || now >= ask_us) {
            st = deliver(l, now >= ask_us, &tidy, &err);
            tell(l, "SearchService has not received what votes taught", &unsent, st, &err);
            if (now >= ask_us || st != OK)
                ask_us = now + (st == OK ? ASK_US : st == ERR_UNSUPPORTED ? 6 * ASK_US : RETRY_US);
        }
        if ((tidy || now >= tidy_us) && !unsent) {
            tidy_us = now + TIDY_US;
            tidy = false;
            if (sticker_store_lessons_tidy(l->store, l->sent[1], &err) != OK)
                log_warn("what was learnt cannot be tidied up: %s", err.message);
        }
    } while (worker_rest(w, LOOK_MS));
}

void learn_close(struct learn *l)
{
    if (!l)
        return;
    worker_close(l->worker);
    learner_close(l->learner);
    free(l);
}

enum status learn_open(struct sticker_store *store, struct http_client *search, struct answers *answers,
                       struct answers *starts, const struct learn_settings *settings, struct learn **out,
                       struct error *err)
{
    struct learn *l = *out = calloc(1, sizeof *l);
    if (!l)
        return err_no_memory(err, "learning");
    l->store = store;
    l->search = search;
    l->answers = answers;
    l->starts = starts;
    enum status st = learner_open(store, settings, &l->learner, err);
    return st == OK ? worker_open("learn", learn_until_stopped, l, &l->worker, err) : st;
}

void learn_metrics(struct learn *l, struct buf *out)
{
    metric_one(out, "peel_sticker_learn_passes_total", "counter", "Times that the log of events was looked at.",
               (double)atomic_load(&l->passes));
    metric_one(out, "peel_sticker_learn_seconds_total", "counter", "Time spent on learning.",
               (double)atomic_load(&l->us) / 1e6);
    metric_one(out, "peel_sticker_learn_failures_total", "counter", "Passes and deliveries that failed.",
               (double)atomic_load(&l->failures));
    metric_one(out, "peel_sticker_learn_sends_total", "counter", "Requests that handed gains to SearchService.",
               (double)atomic_load(&l->sends));
    metric_one(out, "peel_sticker_learn_behind", "gauge", "Changes of gains that SearchService does not have yet.",
               (double)atomic_load(&l->behind));
}
