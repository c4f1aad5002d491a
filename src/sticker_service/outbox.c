/* One thread takes the oldest entries, BATCH at a time, and lets a small pool send them. What is
 * accepted is forgotten in one go. When SearchService cannot be reached, the rest of the batch is left
 * alone and the thread backs off, doubling up to BACKOFF_MAX_MS; a document that it refuses (4xx) is
 * noted and tried again much later, while the others go on.
 *
 * Of several StickerServices on a database one delivers at a time: it takes a turn before it reads a batch, sends only
 * while the last document is sure to have arrived when the turn ends (a reindex may outlast it: it carries nothing that
 * could be old), and gives the turn back when nothing more is waiting. */
#include "sticker_service/outbox.h"

#include "base/json_out.h"
#include "base/log.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH            256u
#define BACKOFF_MIN_MS   250u
#define BACKOFF_MAX_MS   4000u
#define REFUSED_RETRY_US (60 * 1000000ll) /* times the attempts so far, at most an hour */
#define REFUSED_MAX_US   OUTBOX_MAX_DELAY_US
#define DOCUMENT_MAX     (4u << 20) /* LANGUAGE_MAX_BYTES of words may be escaped */
#define ANSWER_MAX       (64u << 10)

struct outbox {
    struct sticker_store *store;
    struct http_client *client;
    struct pool *pool;
    unsigned poll_ms;
    outbox_look *look;
    void *ctx;       /* of look */
    char holder[37]; /* of the turn */
    bool holds;      /* the turn; the worker's */
    struct worker *worker;
    pthread_mutex_t mutex; /* guards last_error */
    char last_error[256];
    atomic_uint_fast64_t delivered;
};

enum outcome { LEFT_ALONE, DELIVERED, REFUSED, UNREACHABLE };

struct delivery {
    struct outbox *o;
    const struct outbox_item *items;
    enum outcome outcomes[BATCH];
    struct error errors[BATCH];
    int64_t until_us; /* monotonic: nothing is sent after */
    atomic_bool unreachable;
};

static void write_document(const struct sticker *k, struct buf *out)
{
    buf_puts(out, "{\"title\":");
    json_put_string(out, k->title);
    buf_puts(out, ",\"words\":[");
    for (size_t i = 0; i < k->n_words; i++) {
        buf_puts(out, i ? ",{\"language\":" : "{\"language\":");
        json_put_string(out, k->words[i].language);
        if (*k->words[i].title) {
            buf_puts(out, ",\"title\":");
            json_put_string(out, k->words[i].title);
        }
        buf_puts(out, ",\"words\":");
        json_put_string(out, k->words[i].words);
        buf_putc(out, '}');
    }
    buf_puts(out, "],\"sha256\":");
    json_put_string(out, k->sha256);
    buf_puts(out, ",\"pack\":");
    json_put_string(out, k->pack);
    buf_printf(out, ",\"rating\":\"%s\",\"animated\":%s", rating_name(k->rating), k->animated ? "true" : "false");
    if (*k->ocr_words) { /* which a SearchService of an earlier release does not know */
        buf_puts(out, ",\"ocr_words\":");
        json_put_string(out, k->ocr_words);
    }
    buf_putc(out, '}');
}

static enum outcome call_search(struct outbox *o, const struct http_call *call, bool may_be_absent, struct error *err)
{
    enum outcome outcome = UNREACHABLE;
    struct buf answer;
    int http_status = 0;
    buf_init(&answer, ANSWER_MAX);
    enum status status = http_client_call(o->client, call, &http_status, &answer, err);
    if (status == OK && (http_status / 100 == 2 || (may_be_absent && http_status == 404)))
        outcome = DELIVERED;
    else if (status == OK) {
        /* 429 and 503 mean "later", as any 5xx; the other 4xx are about this document. */
        outcome = http_status / 100 == 4 && http_status != 429 ? REFUSED : UNREACHABLE;
        err_set(err, ERR_UNAVAILABLE, "SearchService answered %d to %s %s: %.160s", http_status, call->method,
                call->path, buf_str(&answer));
    }
    buf_free(&answer);
    return outcome;
}

static enum outcome send_document(struct outbox *o, const struct outbox_item *item, struct error *err)
{
    enum outcome outcome = UNREACHABLE;
    struct arena arena;
    struct buf path, body;
    arena_init(&arena, DOCUMENT_MAX);
    buf_init(&path, 2048);
    buf_init(&body, DOCUMENT_MAX);
    bool delete = strcmp(item->op, "delete") == 0;
    buf_puts(&path, "/api/documents/");
    http_escape(&path, item->filename, strlen(item->filename));
    struct http_call call = {.method = "DELETE", .path = buf_str(&path), .timeout_ms = OUTBOX_CALL_MS};
    bool image = strcmp(item->op, "image") == 0;
    if (!delete) {
        struct sticker sticker;
        if (image && o->look(o->ctx, item->filename, err) != OK) {
            outcome = REFUSED; /* the others need not wait for this one */
            goto out;
        }
        enum status status = sticker_store_get(o->store, item->filename, &arena, &sticker, err);
        if (status == ERR_NOT_FOUND) {
            outcome = DELIVERED; /* deleted since: its own entry replaces this one */
            goto out;
        }
        if (status != OK)
            goto out;
        write_document(&sticker, &body);
        if (buf_status(&body, err) != OK) {
            outcome = REFUSED;
            goto out;
        }
        call.method = "PUT";
        call.content_type = "application/json";
        call.body = body.data;
        call.body_len = body.len;
    }
    outcome = call_search(o, &call, delete, err);
    if (outcome == DELIVERED && (image || strcmp(item->op, "reindex") == 0)) {
        buf_puts(&path, "/reindex");
        struct http_call again = {.method = "POST", .path = buf_str(&path), .timeout_ms = OUTBOX_CALL_MS};
        outcome = call_search(o, &again, true, err); /* deleted since: its own entry follows */
    }
out:
    arena_free(&arena);
    buf_free(&path);
    buf_free(&body);
    return outcome;
}

static void deliver_one(void *arg, size_t i)
{
    struct delivery *d = arg;
    if (atomic_load(&d->unreachable) || worker_stopping(d->o->worker) || os_monotonic_us() > d->until_us)
        return;
    d->outcomes[i] = send_document(d->o, &d->items[i], &d->errors[i]);
    if (d->outcomes[i] == UNREACHABLE)
        atomic_store(&d->unreachable, true);
}

static void remember_error(struct outbox *o, const char *message)
{
    pthread_mutex_lock(&o->mutex);
    snprintf(o->last_error, sizeof o->last_error, "%.*s", (int)sizeof o->last_error - 1, message);
    pthread_mutex_unlock(&o->mutex);
}

/* Notes how each document of a batch fared; true when SearchService could be reached. */
static bool outbox_settle(struct outbox *o, struct delivery *d, size_t n, struct error *err)
{
    int64_t done[BATCH];
    size_t n_done = 0;
    bool reached = true, noted = false;
    for (size_t i = 0; i < n; i++) {
        const struct outbox_item *item = &d->items[i];
        if (d->outcomes[i] == DELIVERED)
            done[n_done++] = item->seq;
        if (d->outcomes[i] != REFUSED && (d->outcomes[i] != UNREACHABLE || noted))
            continue;
        int64_t retry_us = 0; /* unreachable: whenever this thread tries again; one entry tells why */
        if (d->outcomes[i] == REFUSED) {
            int64_t wait_us = REFUSED_RETRY_US * (item->attempts + 1);
            wait_us = wait_us < REFUSED_MAX_US ? wait_us : REFUSED_MAX_US;
            retry_us = os_now_us() + wait_us;
            log_warn("cannot index %s, next try in %lld s: %s", item->filename, (long long)(wait_us / 1000000),
                     d->errors[i].message);
        } else {
            reached = false;
            noted = true;
            *err = d->errors[i];
        }
        remember_error(o, d->errors[i].message);
        struct error store_err;
        if (sticker_store_outbox_failed(o->store, item->seq, d->errors[i].message, retry_us, &store_err) != OK)
            log_error("cannot record a failure in the outbox: %s", store_err.message);
    }
    atomic_fetch_add(&o->delivered, n_done);
    if (n_done && sticker_store_outbox_done(o->store, done, n_done, err) != OK)
        return false;
    return reached;
}

/* Takes the turn if anything is waiting. What is waiting must be read again afterwards: it may have changed. */
static enum status take_turn(struct outbox *o, struct arena *arena, bool *our_turn, struct error *err)
{
    struct outbox_item *items;
    size_t n;
    *our_turn = false;
    arena_reset(arena);
    enum status status = sticker_store_outbox_next(o->store, os_now_us(), 1, arena, &items, &n, err);
    if (status == OK && n)
        status = sticker_store_outbox_turn(o->store, OUTBOX_SEARCH, o->holder, OUTBOX_TURN_US, our_turn, err);
    o->holds = o->holds || *our_turn;
    return status;
}

static void give_turn_back(struct outbox *o)
{
    struct error err;
    bool our_turn;
    if (!o->holds)
        return;
    o->holds = false;
    if (sticker_store_outbox_turn(o->store, OUTBOX_SEARCH, o->holder, 0, &our_turn, &err) != OK)
        log_warn("cannot hand over the outbox to another StickerService early: %s", err.message);
}

/* Sends one batch; *n: how many were waiting (BATCH = perhaps more). */
static enum status outbox_drain(struct outbox *o, struct delivery *d, struct arena *arena, size_t *n, struct error *err)
{
    struct outbox_item *items;
    bool our_turn;
    *n = 0;
    d->until_us = os_monotonic_us() + OUTBOX_SENDING_US;
    enum status status = take_turn(o, arena, &our_turn, err);
    arena_reset(arena);
    if (status == OK && our_turn)
        status = sticker_store_outbox_next(o->store, os_now_us(), BATCH, arena, &items, n, err);
    if (status == OK && *n) {
        d->o = o;
        d->items = items;
        memset(d->outcomes, 0, sizeof d->outcomes);
        atomic_store(&d->unreachable, false);
        pool_for(o->pool, *n, deliver_one, d);
        status = outbox_settle(o, d, *n, err) ? OK : ERR_UNAVAILABLE;
    }
    if (status != OK || *n < BATCH)
        give_turn_back(o);
    return status;
}

static void deliver_until_stopped(struct worker *w, void *arg)
{
    struct outbox *o = arg;
    struct error err = {OK, ""};
    struct arena arena;
    unsigned backoff = 0;
    uint64_t logged = 0;
    struct delivery *d = calloc(1, sizeof *d);
    arena_init(&arena, 4u << 20);
    while (d) {
        size_t n = 0;
        enum status status = outbox_drain(o, d, &arena, &n, &err);
        uint64_t delivered = atomic_load(&o->delivered);
        if (status != OK) {
            if (!backoff)
                log_warn("cannot send documents to SearchService, they wait in the outbox: %s", err.message);
            remember_error(o, err.message);
            backoff = !backoff ? BACKOFF_MIN_MS : backoff < BACKOFF_MAX_MS ? 2 * backoff : BACKOFF_MAX_MS;
        } else {
            backoff = 0;
            if (n < BATCH && delivered > logged) {
                log_info("SearchService accepted %llu documents", (unsigned long long)(delivered - logged));
                logged = delivered;
            }
        }
        if (!worker_rest(w, backoff ? backoff : n == BATCH ? 0 : o->poll_ms))
            break;
    }
    give_turn_back(o);
    if (!d)
        log_error("no memory for the outbox; documents will not be sent");
    free(d);
    arena_free(&arena);
}

void outbox_close(struct outbox *o)
{
    if (!o)
        return;
    worker_close(o->worker);
    pool_close(o->pool);
    pthread_mutex_destroy(&o->mutex);
    free(o);
}

enum status outbox_open(struct sticker_store *store, struct http_client *client, unsigned poll_ms, unsigned parallel,
                        outbox_look *look, void *ctx, struct outbox **out, struct error *err)
{
    *out = NULL;
    struct outbox *o = calloc(1, sizeof *o);
    if (!o)
        return err_no_memory(err, "the outbox");
    o->store = store;
    o->client = client;
    o->poll_ms = poll_ms;
    o->look = look;
    o->ctx = ctx;
    os_uuid7(o->holder);
    pthread_mutex_init(&o->mutex, NULL);
    enum status status = parallel > 1 ? pool_open("outbox", parallel - 1, 1, &o->pool, err) : OK;
    if (status == OK)
        status = worker_open("outbox-deliver", deliver_until_stopped, o, &o->worker, err);
    if (status != OK) {
        outbox_close(o);
        return status;
    }
    *out = o;
    return OK;
}

void outbox_wake(struct outbox *o)
{
    worker_wake(o->worker);
}

void outbox_last_error(struct outbox *o, char *out, size_t cap)
{
    pthread_mutex_lock(&o->mutex);
    snprintf(out, cap, "%s", o->last_error);
    pthread_mutex_unlock(&o->mutex);
}

uint64_t outbox_delivered(struct outbox *o)
{
    return atomic_load(&o->delivered);
}
