/* newcomers.c: one sorted array, replaced by the thread that reads the database; its counts are carried over. */
#include "sticker_service/newcomers.h"

#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 2000u
#define AT_ONCE 10000u /* events */
#define MEMORY  (16u << 20)

struct newcomer {
    char id[37];
    int64_t used, seen;
};

struct newcomers {
    struct sticker_store *store;
    struct worker *worker;
    int64_t row; /* of the last event that was read; the worker's */
    atomic_bool any;
    pthread_rwlock_t lock; /* guards what follows, which only the worker changes */
    struct newcomer *list; /* [n], by id */
    size_t n;
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct newcomer *)a)->id, ((const struct newcomer *)b)->id);
}

static struct newcomer *find(struct newcomer *list, size_t n, const char *id)
{
    struct newcomer key = {.id = ""};
    snprintf(key.id, sizeof key.id, "%s", id);
    return n ? bsearch(&key, list, n, sizeof *list, by_id) : NULL;
}

static enum status read_list(struct newcomers *x, struct arena *a, struct error *err)
{
    const char **ids;
    size_t n;
    int64_t all;
    enum status st = sticker_store_newest(x->store, os_now_us() - NEWCOMER_DAYS * STORE_DAY_US, NEWCOMERS_MAX, a, &ids,
                                          &n, &all, err);
    struct newcomer *list = st == OK ? calloc(n + 1, sizeof *list) : NULL;
    if (st == OK && !list)
        st = err_no_memory(err, "new stickers");
    if (st != OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        const struct newcomer *known = find(x->list, x->n, ids[i]);
        if (known)
            list[i] = *known;
        else
            snprintf(list[i].id, sizeof list[i].id, "%s", ids[i]);
    }
    if (n)
        qsort(list, n, sizeof *list, by_id);
    pthread_rwlock_wrlock(&x->lock);
    struct newcomer *old = x->list;
    x->list = list;
    x->n = n;
    pthread_rwlock_unlock(&x->lock);
    free(old);
    atomic_store(&x->any, n && 2 * (int64_t)n <= all);
    return OK;
}

static void count(struct newcomers *x, const struct sticker_act *acts, size_t n)
{
    pthread_rwlock_wrlock(&x->lock);
    for (size_t i = 0; i < n; i++) {
        struct newcomer *k = find(x->list, x->n, acts[i].sticker_id);
        enum event_action action = acts[i].action;
        if (!k)
            continue;
        k->used += action == EVENT_CLICK || action == EVENT_COPY || action == EVENT_SHARE ||
                   action == EVENT_FAVOURITE || action == EVENT_VOTE_UP;
        k->seen += action == EVENT_IMPRESSION || action == EVENT_VOTE_DOWN || action == EVENT_REPORT;
    }
    pthread_rwlock_unlock(&x->lock);
}

/* The list, and then all events since the last time. */
static enum status look(struct newcomers *x, struct error *err)
{
    struct arena a;
    size_t n = AT_ONCE;
    arena_init(&a, MEMORY);
    enum status st = read_list(x, &a, err);
    while (st == OK && n == AT_ONCE && !(x->worker && worker_stopping(x->worker))) {
        struct sticker_act *acts;
        arena_reset(&a);
        st = sticker_store_acts(x->store, x->row, AT_ONCE, &a, &acts, &n, err);
        if (st == OK && n) {
            count(x, acts, n);
            x->row = acts[n - 1].row;
        }
    }
    arena_free(&a);
    return st;
}

static void run_newcomers(struct worker *w, void *arg)
{
    struct error err;
    bool failed = false;
    do {
        bool fails = look(arg, &err) != OK;
        if (fails && !failed)
            log_warn("new stickers cannot be read, so searches try those that were new before: %s", err.message);
        failed = fails;
    } while (worker_rest(w, LOOK_MS));
}

enum status newcomers_open(struct sticker_store *store, struct newcomers **out, struct error *err)
{
    struct newcomers *x = *out = calloc(1, sizeof *x);
    if (!x)
        return err_no_memory(err, "new stickers");
    x->store = store;
    pthread_rwlock_init(&x->lock, NULL);
    return worker_open("newcomers", run_newcomers, x, &x->worker, err);
}

void newcomers_close(struct newcomers *x)
{
    if (!x)
        return;
    worker_close(x->worker);
    pthread_rwlock_destroy(&x->lock);
    free(x->list);
    free(x);
}

bool newcomers_any(const struct newcomers *x)
{
    return x && atomic_load(&x->any);
}

bool newcomers_find(struct newcomers *x, const char *id, struct trial_evidence *out)
{
    pthread_rwlock_rdlock(&x->lock);
    const struct newcomer *k = find(x->list, x->n, id);
    int64_t used = k ? k->used : 0, ignored = k && k->seen > used ? k->seen - used : 0;
    bool found = k && used + ignored < NEWCOMER_EVIDENCE;
    pthread_rwlock_unlock(&x->lock);
    *out = (struct trial_evidence){(double)used, (double)ignored};
    return found;
}
