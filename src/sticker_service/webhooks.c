/* webhooks.c: the secrets of webhooks, what is sent to them, and the thread that sends it. Webhooks are served at the
 * same time, each by one thread of a small pool, and for no longer than a turn lasts. */
#include "sticker_service/webhooks.h"

#include "base/json_out.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/worker.h"
#include "http/client.h"
#include "sticker_service/outbox.h"
#include "sticker_service/service.h"
#include "sticker_service/sticker_json.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PARALLEL    4u /* webhooks at once */
#define BATCH       20u
#define CONNECT_MS  3000u
#define RETRY_US    5000000ll              /* after the first failure; then twice as long each time, */
#define RETRY_TIMES 12                     /* but no more often than this, */
#define RETRY_MOST  (3 * 3600 * 1000000ll) /* or longer than that */
#define REST_MS     1000u                  /* after an error of the database */
#define BODY_MAX    (4u << 20)
#define ANSWER_MAX  4096u
#define URL_MAX     2000u
#define PREFIX      "whsec_"
#define KEY_BYTES   32u

struct webhooks {
    struct sticker_service *service;
    struct pool *pool;
    struct worker *worker;
    char holder[37]; /* of the turn */
    atomic_uint_fast64_t delivered, failed;
};

/* --- webhooks --- */

/* The length of "https://host:port"; 0: it is no URL of these. */
static size_t origin_length(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    size_t host = scheme ? strcspn(url + scheme, "/?#") : 0;
    return host ? scheme + host : 0;
}

enum status webhook_url_check(const char *url, struct error *err)
{
    size_t len = strlen(url), origin = origin_length(url);
    bool fine = origin && len <= URL_MAX && !memchr(url, '@', origin) && !strchr(url, '#');
    for (size_t i = 0; i < len && fine; i++)
        fine = url[i] > ' ' && url[i] <= '~' && url[i] != '\\';
    return fine
               ? OK
               : err_set(err, ERR_INVALID,
                         "URL of a webhook: expected one such as https://shop.example/hooks/peel, at most %u characters"
                         " of ASCII, without user and password; found \"%.200s\"",
                         URL_MAX, url);
}

void webhook_secret_new(char out[WEBHOOK_SECRET_SIZE])
{
    unsigned char key[KEY_BYTES];
    _Static_assert(WEBHOOK_SECRET_SIZE >=
                       sizeof PREFIX - 1 + sodium_base64_ENCODED_LEN(KEY_BYTES, sodium_base64_VARIANT_ORIGINAL),
                   "room for the secret");
    os_random(key, sizeof key);
    memcpy(out, PREFIX, sizeof PREFIX - 1);
    sodium_bin2base64(out + sizeof PREFIX - 1, WEBHOOK_SECRET_SIZE - (sizeof PREFIX - 1), key, sizeof key,
                      sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(key, sizeof key);
}

/* --- a message --- */

struct message {
    const struct webhook_delivery *delivery;
    struct buf body;
    char id[64], timestamp[64], signature[128]; /* header lines */
    const char *headers[5];
};

static enum status write_data(struct webhooks *w, const struct webhook_delivery *d, struct arena *a, struct buf *out,
                              struct error *err)
{
    struct sticker_service *s = w->service;
    const struct sticker_form form = sticker_form_default(s->cfg->public_url ? s->cfg->public_url : "");
    struct sticker k;
    enum status st = ERR_NOT_FOUND;
    if (*d->data) {
        buf_puts(out, d->data);
        return OK;
    }
    if (strcmp(d->event, webhook_events[WEBHOOK_STICKER_REMOVED]) != 0)
        st = sticker_store_get(s->store, d->object, a, &k, err);
    if (st != ERR_NOT_FOUND)
        return st == OK ? sticker_json_whole(s, &form, &k, a, out, err) : st;
    buf_puts(out, "{\"filename\":"); /* also of one that was removed since */
    json_put_string(out, d->object);
    buf_putc(out, '}');
    return OK;
}

/* Signs "id.timestamp.body" with the bytes of the secret. */
static enum status
sign(const struct webhook *to, const char *id, const char *timestamp, const struct buf *body,
     char out[sodium_base64_ENCODED_LEN(crypto_auth_hmacsha256_BYTES, sodium_base64_VARIANT_ORIGINAL)],
     struct error *err)
{
    unsigned char key[KEY_BYTES], mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    size_t len = 0;
    const char *text = to->secret + sizeof PREFIX - 1;
    if (strncmp(to->secret, PREFIX, sizeof PREFIX - 1) != 0 ||
        sodium_base642bin(key, sizeof key, text, strlen(text), NULL, &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return err_set(err, ERR_CORRUPT, "the secret of webhook %lld is damaged: remove it and add it again",
                       (long long)to->id);
    crypto_auth_hmacsha256_init(&state, key, len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)id, strlen(id));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)timestamp, strlen(timestamp));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)buf_str(body), body->len);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2base64(out, sodium_base64_ENCODED_LEN(sizeof mac, sodium_base64_VARIANT_ORIGINAL), mac, sizeof mac,
                      sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(key, sizeof key);
    return OK;
}

static enum status write_message(struct webhooks *w, const struct webhook *to, struct arena *a, struct message *m,
                                 struct error *err)
{
    const struct webhook_delivery *d = m->delivery;
    char id[48], timestamp[24], at[28], mac[64];
    os_format_time(d->at_us, at);
    buf_puts(&m->body, "{\"type\":");
    json_put_string(&m->body, d->event);
    buf_printf(&m->body, ",\"timestamp\":\"%s\",\"data\":", at);
    enum status st = write_data(w, d, a, &m->body, err);
    buf_putc(&m->body, '}');
    if (st == OK)
        st = buf_status(&m->body, err);
    snprintf(id, sizeof id, "msg_%s", d->id);
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)(os_now_us() / 1000000));
    if (st == OK)
        st = sign(to, id, timestamp, &m->body, mac, err);
    if (st != OK)
        return st;
    snprintf(m->id, sizeof m->id, "webhook-id: %s", id);
    snprintf(m->timestamp, sizeof m->timestamp, "webhook-timestamp: %s", timestamp);
    snprintf(m->signature, sizeof m->signature, "webhook-signature: v1,%s", mac);
    const char *const headers[] = {m->id, m->timestamp, m->signature, "User-Agent: peel", NULL};
    memcpy(m->headers, headers, sizeof headers);
    return OK;
}

/* --- sending --- */

struct round {
    struct webhooks *w;
    const struct webhook *list;
    int64_t until_us;    /* monotonic: nothing is sent after */
    atomic_bool unnoted; /* the database did not take what became of a delivery */
};

/* One attempt; *status of the answer, 0 without one. */
static enum status send_message(struct webhooks *w, const struct webhook *to, const struct webhook_delivery *d,
                                struct http_client *client, int *status, struct error *err)
{
    struct message m = {.delivery = d};
    struct arena a;
    struct buf answer;
    arena_init(&a, BODY_MAX);
    buf_init(&m.body, BODY_MAX);
    buf_init(&answer, ANSWER_MAX);
    *status = 0;
    enum status st = write_message(w, to, &a, &m, err);
    if (st == OK) {
        const struct http_call call = {.method = "POST",
                                       .path = to->url + origin_length(to->url),
                                       .content_type = "application/json",
                                       .body = buf_str(&m.body),
                                       .body_len = m.body.len,
                                       .timeout_ms = OUTBOX_CALL_MS,
                                       .headers = m.headers};
        st = http_client_call(client, &call, status, &answer, err);
        if (st == ERR_TOO_LARGE) /* of an answer only the status counts */
            st = OK;
        if (st == OK && *status / 100 != 2)
            st = err_set(err, ERR_UNAVAILABLE, "the receiver answered with status %d", *status);
    }
    buf_free(&answer);
    buf_free(&m.body);
    arena_free(&a);
    return st;
}

/* Of the next attempt, with `failures` in a row before this one. At random within a quarter of it, so that receivers
 * that were down are not asked by everybody at once. */
static int64_t retry_at(int64_t failures)
{
    uint32_t random;
    int64_t wait_us = RETRY_US << (failures < RETRY_TIMES ? failures : RETRY_TIMES);
    wait_us = wait_us < RETRY_MOST ? wait_us : RETRY_MOST;
    os_random(&random, sizeof random);
    return os_now_us() + wait_us * 3 / 4 + (int64_t)((double)wait_us / 2 * random / UINT32_MAX);
}

/* Sends one and notes what became of it; whether the next one may be sent. */
static bool deliver(struct round *r, const struct webhook *to, const struct webhook_delivery *d,
                    struct http_client *client, bool first)
{
    struct webhooks *w = r->w;
    struct error tried = {OK, ""}, err;
    char disabled[64] = "";
    int status;
    int64_t failures = first ? to->failures : 0; /* those before were delivered */
    tried.code = send_message(w, to, d, client, &status, &tried);
    atomic_fetch_add(tried.code == OK ? &w->delivered : &w->failed, 1);
    if (status == 410)
        snprintf(disabled, sizeof disabled, "The receiver answered 410 Gone.");
    else if (tried.code != OK && failures + 1 >= WEBHOOK_ATTEMPTS)
        snprintf(disabled, sizeof disabled, "%d attempts in a row failed.", WEBHOOK_ATTEMPTS);
    if (*disabled)
        log_warn("webhook %lld is disabled: %s", (long long)to->id, disabled);
    else if (tried.code != OK && !failures)
        log_warn("webhook %lld cannot be reached, what is for it waits: %s", (long long)to->id, tried.message);
    if (sticker_store_webhook_tried(w->service->store, to->id, d->seq, status, &tried,
                                    tried.code == OK ? 0 : retry_at(failures), disabled, &err) != OK) {
        log_warn("a delivery to webhook %lld cannot be noted, it will be sent again: %s", (long long)to->id,
                 err.message);
        atomic_store(&r->unnoted, true);
        return false;
    }
    return tried.code == OK;
}

static void deliver_to(void *arg, size_t i)
{
    struct round *r = arg;
    struct webhooks *w = r->w;
    const struct webhook *to = &r->list[i];
    struct http_client *client = NULL;
    struct webhook_delivery *list;
    struct arena a;
    struct error err;
    size_t n = BATCH;
    arena_init(&a, 16u << 20);
    struct http_client_config config = {.base_url = arena_strndup(&a, to->url, origin_length(to->url)),
                                        .connect_timeout_ms = CONNECT_MS,
                                        .max_idle = 1,
                                        .public_only = !w->service->cfg->webhook_private};
    enum status st = config.base_url ? http_client_open(&config, &client, &err) : err_no_memory(&err, "a webhook");
    bool goes_on = st == OK, first = true;
    while (goes_on && n == BATCH) {
        st = sticker_store_webhook_next(w->service->store, to->id, BATCH, &a, &list, &n, &err);
        goes_on = st == OK;
        for (size_t k = 0; k < n && goes_on; k++) {
            goes_on = !worker_stopping(w->worker) && os_monotonic_us() < r->until_us &&
                      deliver(r, to, &list[k], client, first);
            first = false;
        }
    }
    if (st != OK)
        log_warn("nothing is sent to webhook %lld: %s", (long long)to->id, err.message);
    http_client_close(client);
    arena_free(&a);
}

/* *sent: there was something to send. */
static enum status deliver_round(struct webhooks *w, struct arena *a, bool *sent, struct error *err)
{
    struct sticker_store *store = w->service->store;
    struct webhook *list;
    size_t n;
    bool ours = false, kept;
    arena_reset(a);
    *sent = false;
    enum status st = sticker_store_webhook_due(store, os_now_us(), a, &list, &n, err);
    if (st != OK || !n)
        return st;
    struct round round = {.w = w, .until_us = os_monotonic_us() + OUTBOX_SENDING_US};
    st = sticker_store_outbox_turn(store, OUTBOX_WEBHOOKS, w->holder, OUTBOX_TURN_US, &ours, err);
    if (st != OK || !ours)
        return st;
    st = sticker_store_webhook_due(store, os_now_us(), a, &list, &n, err); /* another may have sent it meanwhile */
    if (st == OK) {
        round.list = list;
        pool_for(w->pool, n, deliver_to, &round);
        *sent = n > 0;
        if (atomic_load(&round.unnoted))
            st = err_set(err, ERR_UNAVAILABLE, "the database takes no changes");
    }
    enum status back = sticker_store_outbox_turn(store, OUTBOX_WEBHOOKS, w->holder, 0, &kept, st == OK ? err : NULL);
    return st == OK ? back : st;
}

static void run_webhooks(struct worker *worker, void *arg)
{
    struct webhooks *w = arg;
    struct arena a;
    struct error err;
    bool sent, failed = false;
    unsigned rest_ms = 0;
    arena_init(&a, 1u << 20);
    while (worker_rest(worker, rest_ms)) {
        enum status st = deliver_round(w, &a, &sent, &err);
        if (st != OK && !failed)
            log_warn("nothing is sent to webhooks: %s", err.message);
        failed = st != OK;
        rest_ms = failed ? REST_MS : sent ? 0 : w->service->cfg->outbox_poll_ms;
    }
    arena_free(&a);
}

enum status webhooks_open(struct sticker_service *s, struct webhooks **out, struct error *err)
{
    struct webhooks *w = *out = calloc(1, sizeof *w);
    if (!w)
        return err_no_memory(err, "webhooks");
    w->service = s;
    os_uuid7(w->holder);
    enum status st = pool_open("webhook", PARALLEL - 1, 1, &w->pool, err);
    return st == OK ? worker_open("webhooks", run_webhooks, w, &w->worker, err) : st;
}

void webhooks_close(struct webhooks *w)
{
    if (!w)
        return;
    worker_close(w->worker);
    pool_close(w->pool);
    free(w);
}

void webhooks_wake(struct webhooks *w)
{
    worker_wake(w->worker);
}

void webhooks_metrics(struct webhooks *w, struct buf *out)
{
    struct webhook_counts n;
    metric_family(out, "peel_sticker_webhook_attempts_total", "counter", "Requests to webhooks, by result.");
    metric_value(out, "peel_sticker_webhook_attempts_total", "result=\"delivered\"",
                 (double)atomic_load(&w->delivered));
    metric_value(out, "peel_sticker_webhook_attempts_total", "result=\"failed\"", (double)atomic_load(&w->failed));
    if (sticker_store_webhook_count(w->service->store, &n, NULL) != OK)
        return;
    metric_family(out, "peel_sticker_webhooks", "gauge", "Webhooks, by state.");
    metric_value(out, "peel_sticker_webhooks", "state=\"enabled\"", (double)n.enabled);
    metric_value(out, "peel_sticker_webhooks", "state=\"disabled\"", (double)n.disabled);
    metric_one(out, "peel_sticker_webhook_pending", "gauge", "Deliveries that wait for enabled webhooks.",
               (double)n.waiting);
}
