#include "sticker_service/peer_status.h"

#include "base/buf.h"
#include "base/os.h"
#include "base/worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define AGAIN_US   1000000  /* asked at most this often */
#define KNOWN_US   10000000 /* what was heard is worth this long */
#define WAIT_US    100000   /* for an answer when nothing is known */
#define TIMEOUT_MS 1000u
#define ANSWER_MAX (256u << 10)

struct peer_status {
    struct http_client *client, *searches;
    struct worker *asker;  /* woken when somebody looks */
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t heard;
    int64_t heard_us;  /* monotonic; 0: never */
    struct buf answer; /* the last, empty: there was none. As text, so that no JSON value is shared among threads. */
};

/* Appends a whole answer to `out`, or nothing. */
static void ask_peer(const struct peer_status *p, struct buf *out)
{
    struct http_call call = {.method = "GET", .path = "/api/status", .timeout_ms = TIMEOUT_MS};
    int status = 0;
    json_t *parsed = NULL;
    if (http_client_breaker(p->searches) == HTTP_BREAKER_OPEN)
        return;
    if (http_client_call(p->client, &call, &status, out, NULL) == OK && status == 200)
        parsed = json_loadb(buf_str(out), out->len, JSON_REJECT_DUPLICATES, NULL);
    if (!parsed)
        buf_reset(out);
    json_decref(parsed);
}

/* Rests until that time, however often it is woken; false when it is time to stop. */
static bool rest_until(struct worker *w, int64_t monotonic_us)
{
    for (int64_t left; (left = monotonic_us - os_monotonic_us()) > 0;)
        if (!worker_rest(w, (unsigned)(left / 1000) + 1))
            return false;
    return true;
}

static void ask_when_wanted(struct worker *w, void *arg)
{
    struct peer_status *p = arg;
    int64_t again_us = 0;
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    while (worker_rest(w, WORKER_FOREVER) && rest_until(w, again_us)) {
        again_us = os_monotonic_us() + AGAIN_US;
        buf_reset(&answer);
        ask_peer(p, &answer);
        pthread_mutex_lock(&p->mutex);
        struct buf old = p->answer;
        p->answer = answer;
        answer = old;
        p->heard_us = os_monotonic_us();
        pthread_cond_broadcast(&p->heard);
        pthread_mutex_unlock(&p->mutex);
    }
    buf_free(&answer);
}

static bool known(const struct peer_status *p)
{
    return p->heard_us && os_monotonic_us() - p->heard_us < KNOWN_US;
}

enum peer_state peer_status_get(struct peer_status *p, json_t **answer)
{
    int64_t end_us = os_monotonic_us() + WAIT_US;
    struct timespec until = {.tv_sec = (time_t)(end_us / 1000000), .tv_nsec = (long)(end_us % 1000000) * 1000};
    worker_wake(p->asker);
    pthread_mutex_lock(&p->mutex);
    while (!known(p) && pthread_cond_timedwait(&p->heard, &p->mutex, &until) != ETIMEDOUT)
        continue;
    enum peer_state state = !known(p) ? PEER_ASKED : p->answer.len ? PEER_HEARD : PEER_AWAY;
    *answer = state == PEER_HEARD ? json_loadb(buf_str(&p->answer), p->answer.len, 0, NULL) : NULL;
    pthread_mutex_unlock(&p->mutex);
    return state == PEER_HEARD && !*answer ? PEER_AWAY : state; /* no memory */
}

void peer_status_close(struct peer_status *p)
{
    if (!p)
        return;
    worker_close(p->asker);
    buf_free(&p->answer);
    pthread_cond_destroy(&p->heard);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

enum status peer_status_open(struct http_client *client, struct http_client *searches, struct peer_status **out,
                             struct error *err)
{
    struct peer_status *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return err_no_memory(err, "SearchService's status");
    p->client = client;
    p->searches = searches;
    buf_init(&p->answer, ANSWER_MAX);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->heard, &attr);
    pthread_condattr_destroy(&attr);
    enum status status = worker_open("peer-status", ask_when_wanted, p, &p->asker, err);
    if (status != OK) {
        peer_status_close(p);
        return status;
    }
    *out = p;
    return OK;
}
