/* One mutex guards the queue of submitted jobs and the current parallel loop. Loop indices are handed
 * out by an atomic counter, so that a loop costs two passes through the mutex per worker, not per index. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    void (*fn)(void *arg);
    void *arg;
};

struct loop {
    void (*fn)(void *arg, size_t i);
    void *arg;
    size_t n;
    atomic_size_t next;
    unsigned inside; /* workers still running an index; under the mutex */
};

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t work, loop_left;
    pthread_mutex_t loop_turn; /* held by the thread whose pool_for is running */
    struct loop *loop;
    struct job *jobs; /* ring of max_jobs */
    size_t first, count, max_jobs;
    bool closing;
    unsigned n_threads;
    pthread_t *threads;
    char name[16];
};

static void loop_run(struct loop *l)
{
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed);
        if (i >= l->n)
            return;
        l->fn(l->arg, i);
    }
}

static bool loop_waits(const struct pool *p)
{
    return p->loop && atomic_load_explicit(&p->loop->next, memory_order_relaxed) < p->loop->n;
}

static void *worker(void *arg)
{
    struct pool *p = arg;
    pthread_setname_np(pthread_self(), p->name);
    pthread_mutex_lock(&p->mutex);
    for (;;) {
        if (loop_waits(p)) {
            struct loop *l = p->loop;
            l->inside++;
            pthread_mutex_unlock(&p->mutex);
            loop_run(l);
            pthread_mutex_lock(&p->mutex);
            if (--l->inside == 0)
                pthread_cond_signal(&p->loop_left);
        } else if (p->count) {
            struct job job = p->jobs[p->first];
            p->first = (p->first + 1) % p->max_jobs;
            p->count--;
            pthread_mutex_unlock(&p->mutex);
            job.fn(job.arg);
            pthread_mutex_lock(&p->mutex);
        } else if (p->closing) {
            break;
        } else {
            pthread_cond_wait(&p->work, &p->mutex);
        }
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

enum status pool_open(const char *name, unsigned threads, size_t max_queue, struct pool **out, struct error *err)
{
    *out = NULL;
    if (threads < 1 || threads > 256)
        return err_set(err, ERR_INVALID, "pool %s: threads: expected 1 to 256, found %u", name, threads);
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(err, "pool %s", name);
    snprintf(p->name, sizeof p->name, "%s", name);
    p->max_jobs = max_queue;
    p->jobs = calloc(max_queue ? max_queue : 1, sizeof *p->jobs);
    p->threads = calloc(threads, sizeof *p->threads);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_mutex_init(&p->loop_turn, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->loop_left, NULL);
    enum status st = p->jobs && p->threads ? OK : err_no_memory(err, "pool %s", name);
    for (; st == OK && p->n_threads < threads; p->n_threads++)
        if (pthread_create(&p->threads[p->n_threads], NULL, worker, p) != 0) {
            st = err_set(err, ERR_NO_MEMORY, "pool %s: cannot start thread %u of %u", name, p->n_threads + 1, threads);
            break;
        }
    if (st != OK) {
        pool_close(p);
        return st;
    }
    *out = p;
    return OK;
}

void pool_stop(struct pool *p)
{
    pthread_mutex_lock(&p->mutex);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < p->n_threads; i++)
        pthread_join(p->threads[i], NULL);
    p->n_threads = 0;
}

void pool_close(struct pool *p)
{
    if (!p)
        return;
    pool_stop(p);
    pthread_cond_destroy(&p->loop_left);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->loop_turn);
    pthread_mutex_destroy(&p->mutex);
    free(p->threads);
    free(p->jobs);
    free(p);
}

void pool_for(struct pool *p, size_t n, void (*fn)(void *arg, size_t i), void *arg)
{
    struct loop l = {.fn = fn, .arg = arg, .n = n};
    if (!p || n < 2 || pthread_mutex_trylock(&p->loop_turn) != 0) {
        loop_run(&l);
        return;
    }
    pthread_mutex_lock(&p->mutex);
    p->loop = &l;
    /* The caller works too, so n - 1 helpers are enough. */
    if (n > p->n_threads)
        pthread_cond_broadcast(&p->work);
    else
        for (size_t i = 1; i < n; i++)
            pthread_cond_signal(&p->work);
    pthread_mutex_unlock(&p->mutex);
    loop_run(&l);
    pthread_mutex_lock(&p->mutex);
    p->loop = NULL; /* no worker enters any more */
    while (l.inside)
        pthread_cond_wait(&p->loop_left, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
    pthread_mutex_unlock(&p->loop_turn);
}

enum status pool_submit(struct pool *p, void (*fn)(void *arg), void *arg)
{
    enum status st = OK;
    pthread_mutex_lock(&p->mutex);
    if (p->closing || p->count == p->max_jobs)
        st = ERR_UNAVAILABLE;
    else {
        p->jobs[(p->first + p->count) % p->max_jobs] = (struct job){fn, arg};
        p->count++;
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->mutex);
    return st;
}

size_t pool_queued(struct pool *p)
{
    pthread_mutex_lock(&p->mutex);
    size_t n = p->count;
    pthread_mutex_unlock(&p->mutex);
    return n;
}

unsigned pool_width(const struct pool *p)
{
    return p ? p->n_threads + 1 : 1;
}

unsigned pool_cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : n < 256 ? (unsigned)n : 256;
}
