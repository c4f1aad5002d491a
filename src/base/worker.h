/* worker.h: one background thread that rests between pieces of work, can be woken early, and is stopped and joined.
 *
 *     static void flush_now_and_then(struct worker *w, void *arg)
 *     {
 *         while (worker_rest(w, 500))
 *             flush(arg);
 *     }
 *     if (worker_open("flusher", flush_now_and_then, cache, &cache->worker, &err) != OK) ...
 *     worker_wake(cache->worker);
 *     worker_close(cache->worker);
 */
#ifndef PEEL_BASE_WORKER_H
#define PEEL_BASE_WORKER_H

#include "base/status.h"
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>

/* A read-write lock on which a change goes before reads that come later, so that reads without end do not keep it out.
 * A thread must not read-lock it twice. Destroyed by pthread_rwlock_destroy. */
void worker_rwlock_init(pthread_rwlock_t *lock);

#define WORKER_FOREVER UINT_MAX /* of worker_rest: until woken or stopped */

struct worker;

/* How a rest ended. WORKER_STOPS is 0, so that `while (worker_rest(w, ms))` is a worker's loop. */
enum worker_rest { WORKER_STOPS, WORKER_WOKEN, WORKER_RESTED };

/* Calls run(w, arg) in a thread named `name` (at most 15 bytes), which ends when run returns; run should do so soon
 * after worker_stopping. *out is set before the thread starts, so that run may read it wherever `out` points, and is
 * NULL after an error. */
enum status worker_open(const char *name, void (*run)(struct worker *w, void *arg), void *arg, struct worker **out,
                        struct error *err) MUST_CHECK;
/* Ends the present rest, or the next one if the worker is at work: a call is never lost. Any thread. */
void worker_wake(struct worker *w);
/* For the worker's own thread: returns when `ms` have passed, when woken, or when it is time to stop, which comes first
 * of these. With ms = 0 it only asks which of them is the case. */
enum worker_rest worker_rest(struct worker *w, unsigned ms);
/* A worker's loop: calls work(arg) each time that `ms` have passed, or sooner when woken, until it is time to stop. Of
 * failures in a row the first is logged as a warning, "trouble: why". */
void worker_repeat(struct worker *w, unsigned ms, enum status (*work)(void *arg, struct error *err), void *arg,
                   const char *trouble);
bool worker_stopping(const struct worker *w); /* any thread, so that long work can end early */
/* Tells the worker to stop, waits for it and frees it; NULL is fine. Not from the worker's own thread. */
void worker_close(struct worker *w);

#endif
