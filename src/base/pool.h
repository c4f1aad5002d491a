/* pool.h: a fixed set of threads that park on a futex/condition when idle (they never spin).
 *
 * Two uses: pool_for splits one computation over all threads and waits; pool_submit queues a job
 * on a bounded queue and returns at once (ERR_UNAVAILABLE when the queue is full). */
#ifndef PEEL_BASE_POOL_H
#define PEEL_BASE_POOL_H

#include "base/status.h"
#include <stddef.h>

struct pool;

/* `threads` workers (1..256) named `name` (at most 15 bytes); queue of `max_queue` jobs. */
enum status pool_open(const char *name, unsigned threads, size_t max_queue, struct pool **out,
                      struct error *err) MUST_CHECK;
/* Finishes queued jobs and joins the threads; later submits are refused. */
void pool_stop(struct pool *p);
void pool_close(struct pool *p); /* stops and frees; NULL is fine */

/* Calls fn(arg, i) for i in [0, n), on the workers and the calling thread; returns when all are
 * done. p == NULL runs serially, and so does a call that finds the workers busy with another one, as
 * a call from inside fn always does: a short computation never waits for the end of a long one. */
void pool_for(struct pool *p, size_t n, void (*fn)(void *arg, size_t i), void *arg);

enum status pool_submit(struct pool *p, void (*fn)(void *arg), void *arg) MUST_CHECK;
size_t pool_queued(struct pool *p);        /* jobs waiting, for metrics */
unsigned pool_width(const struct pool *p); /* threads of a pool_for: the workers and its caller; 1 for NULL */
unsigned pool_cores(void);                 /* processors that this process may use, 1 to 256 */

#endif
