#include "base/worker.h"

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct worker {
    void (*run)(struct worker *w, void *arg);
    void *arg;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards `woken`, and changes of `stopping` */
    pthread_cond_t wake;
    bool woken;
    atomic_bool stopping;
    char name[16];
};

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    pthread_setname_np(pthread_self(), w->name);
    w->run(w, w->arg);
    return NULL;
}

static void worker_free(struct worker *w)
{
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

void worker_rwlock_init(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t prefer;
    pthread_rwlockattr_init(&prefer);
    pthread_rwlockattr_setkind_np(&prefer, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &prefer);
    pthread_rwlockattr_destroy(&prefer);
}

enum status worker_open(const char *name, void (*run)(struct worker *w, void *arg), void *arg, struct worker **out,
                        struct error *err)
{
    struct worker *w = *out = calloc(1, sizeof *w);
    if (!w)
        return err_no_memory(err, "the thread %s", name);
    w->run = run;
    w->arg = arg;
    snprintf(w->name, sizeof w->name, "%s", name);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&w->thread, NULL, worker_main, w) == 0)
        return OK;
    worker_free(w);
    *out = NULL;
    return err_set(err, ERR_UNAVAILABLE, "cannot start the thread %s", name);
}

void worker_wake(struct worker *w)
{
    pthread_mutex_lock(&w->mutex);
    w->woken = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
}

static struct timespec in_ms(unsigned ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    long ns = t.tv_nsec + (long)(ms % 1000) * 1000000;
    t.tv_sec += (time_t)(ms / 1000) + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

enum worker_rest worker_rest(struct worker *w, unsigned ms)
{
    struct timespec until = in_ms(ms);
    int rc = 0;
    pthread_mutex_lock(&w->mutex);
    while (!w->stopping && !w->woken && rc != ETIMEDOUT)
        rc = ms == WORKER_FOREVER ? pthread_cond_wait(&w->wake, &w->mutex)
                                  : pthread_cond_timedwait(&w->wake, &w->mutex, &until);
    enum worker_rest ended = w->stopping ? WORKER_STOPS : w->woken ? WORKER_WOKEN : WORKER_RESTED;
    w->woken = false;
    pthread_mutex_unlock(&w->mutex);
    return ended;
}

bool worker_stopping(const struct worker *w)
{
    return atomic_load(&w->stopping);
}

void worker_repeat(struct worker *w, unsigned ms, enum status (*work)(void *arg, struct error *err), void *arg,
                   const char *trouble)
{
    struct error err;
    bool failing = false;
    while (worker_rest(w, ms)) {
        bool failed = work(arg, &err) != OK;
        if (failed && !failing)
            log_warn("%s: %s", trouble, err.message);
        failing = failed;
    }
}

void worker_close(struct worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->mutex);
    atomic_store(&w->stopping, true);
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->mutex);
    pthread_join(w->thread, NULL);
    worker_free(w);
}
