#include "sticker_service/peer_status.h"

#include "base/buf.h"
#include "base/os.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define AGAIN_US   1000000  /* asked at most this often */
#define KNOWN_US   10000000 /* what was heard is worth this long */
#define WAIT_US    15000    /* for an answer when nothing is known */
#define TIMEOUT_MS 1000u
#define ANSWER_MAX (256u << 10)

struct peer_status {
    struct http_client *client, *searches;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;   /* for the thread: somebody looks, or stop */
    pthread_cond_t heard;
    bool stop, wanted;
    int64_t asked_us, heard_us; /* monotonic; 0: never */
    json_t *answer;             /* the last; NULL: there was none */
    bool thread_runs;
    pthread_t thread;
};

static struct timespec when(int64_t monotonic_us)
{
    return (struct timespec){.tv_sec = (time_t)(monotonic_us / 1000000),
                             .tv_nsec = (long)(monotonic_us % 1000000) * 1000};
}

static json_t *ask(const struct peer_status *p)
{
    struct http_call call = {.method = "GET", .path = "/api/status", .timeout_ms = TIMEOUT_MS};
    struct buf body;
    int status = 0;
    json_t *answer = NULL;
    if (http_client_breaker(p->searches) == HTTP_BREAKER_OPEN)
        return NULL;
    buf_init(&body, ANSWER_MAX);
    if (http_client_call(p->client, &call, &status, &body, NULL) == OK && status == 200)
        answer = json_loadb(buf_str(&body), body.len, JSON_REJECT_DUPLICATES, NULL);
    buf_free(&body);
    return answer;
}

static void *asker(void *arg)
{
    struct peer_status *p = arg;
    pthread_mutex_lock(&p->mutex);
    while (!p->stop) {
        int64_t next = p->asked_us + AGAIN_US;
        if (!p->wanted) {
            pthread_cond_wait(&p->wake, &p->mutex);
            continue;
        }
        if (p->asked_us && os_monotonic_us() < next) {
            struct timespec until = when(next);
            pthread_cond_timedwait(&p->wake, &p->mutex, &until);
            continue;
        }
        p->wanted = false;
        p->asked_us = os_monotonic_us();
        pthread_mutex_unlock(&p->mutex);
        json_t *answer = ask(p);
        pthread_mutex_lock(&p->mutex);
        json_decref(p->answer);
        p->answer = answer;
        p->heard_us = os_monotonic_us();
        pthread_cond_broadcast(&p->heard);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

static bool known(const struct peer_status *p)
{
    return p->heard_us && os_monotonic_us() - p->heard_us < KNOWN_US;
}

enum peer_state peer_status_get(struct peer_status *p, json_t **answer)
{
    struct timespec until = when(os_monotonic_us() + WAIT_US);
    pthread_mutex_lock(&p->mutex);
    p->wanted = true;
    pthread_cond_signal(&p->wake);
    while (!known(p) && pthread_cond_timedwait(&p->heard, &p->mutex, &until) != ETIMEDOUT)
        continue;
    enum peer_state state = !known(p) ? PEER_ASKED : p->answer ? PEER_HEARD : PEER_AWAY;
    *answer = state == PEER_HEARD ? json_incref(p->answer) : NULL;
    pthread_mutex_unlock(&p->mutex);
    return state;
}

enum status peer_status_open(struct http_client *client, struct http_client *searches, struct peer_status **out,
                             struct error *err)
{
    struct peer_status *p = calloc(1, sizeof *p);
    *out = NULL;
    if (!p)
        return err_set(err, ERR_NO_MEMORY, "no memory for SearchService's status");
    p->client = client;
    p->searches = searches;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &attr);
    pthread_cond_init(&p->heard, &attr);
    pthread_condattr_destroy(&attr);
    p->thread_runs = pthread_create(&p->thread, NULL, asker, p) == 0;
    if (!p->thread_runs) {
        peer_status_close(p);
        return err_set(err, ERR_UNAVAILABLE, "no thread for SearchService's status");
    }
    *out = p;
    return OK;
}

void peer_status_close(struct peer_status *p)
{
    if (!p)
        return;
    if (p->thread_runs) {
        pthread_mutex_lock(&p->mutex);
        p->stop = true;
        pthread_cond_signal(&p->wake);
        pthread_mutex_unlock(&p->mutex);
        pthread_join(p->thread, NULL);
    }
    json_decref(p->answer);
    pthread_cond_destroy(&p->heard);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}
