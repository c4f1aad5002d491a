/* Pending counts live in shards, each a small hash table under its own mutex. A flush takes entries out of a shard and
 * adds them to the store, some hundreds in a transaction, so that searches and feedback never wait long behind one;
 * `flushing` is held for writing meanwhile, and for reading by analytics, which therefore sees each count in exactly
 * one place.
 *
 * A query that is met for the first time since the last flush is news: it is noted in the store before its search is
 * answered, so that feedback may follow through any process. It becomes news when its search begins. The search that
 * ends first notes all the news that there is by then (one that is alone, while SearchService works), and those that
 * are still under way find theirs noted when they end: a transaction for each of a thousand searches a second would
 * take more time than the searches' own reading of stickers. An entry stays in its shard until it is noted.
 *
 * Memory is bounded: a search that finds its shard full writes its own count at once, which is slower
 * and as right. */
#include "sticker_service/usage.h"

#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"

#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS      16u
#define BUCKETS     512u
#define SHARD_MAX   2048u /* entries; a query has at most 1,020 bytes, so 35 MB in all at the very worst */
#define NEWS_BATCH  64u   /* new queries per transaction */
#define FLUSH_BATCH 32u   /* rows per transaction: a millisecond or two, as searches wait for it */
#define SETTLE_US   (60 * INT64_C(1000000))

struct entry {
    struct entry *next, *next_news;
    struct query_usage count; /* its query is the one below */
    bool noting;              /* it is among the news, or is being noted */
    char query[];
};

struct shard {
    pthread_mutex_t mutex;
    size_t n;
    struct entry *buckets[BUCKETS];
    struct entry *news;
};

struct usage {
    struct sticker_store *store;
    unsigned flush_ms;
    unsigned char key[crypto_shorthash_KEYBYTES]; /* secret, so that nobody can aim at one bucket */
    pthread_rwlock_t flushing;
    pthread_mutex_t noting; /* held by who writes the news */
    struct worker *flusher;
    struct shard shards[SHARDS];
};

static uint64_t usage_hash(const struct usage *u, const char *query)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t h;
    crypto_shorthash(out, (const unsigned char *)query, strlen(query), u->key);
    memcpy(&h, out, sizeof h);
    return h;
}

/* Under the shard's mutex. */
static struct entry *find_entry(const struct shard *s, size_t bucket, const char *query)
{
    struct entry *e = s->buckets[bucket];
    while (e && strcmp(e->query, query) != 0)
        e = e->next;
    return e;
}

static void add_count(struct query_usage *to, const struct query_usage *count)
{
    to->searches += count->searches;
    to->empty += count->empty;
    to->degraded += count->degraded;
    to->note = to->note ? to->note : count->note;
    for (unsigned i = 0; i < count->n_crowd; i++)
        to->n_crowd = store_crowd_add(to->crowd, to->n_crowd, count->crowd[i]);
}

static struct entry *add_entry(struct shard *s, size_t bucket, const struct query_usage *count)
{
    size_t len = strlen(count->query);
    struct entry *e = s->n < SHARD_MAX ? malloc(sizeof *e + len + 1) : NULL;
    if (!e)
        return NULL;
    *e = (struct entry){.next = s->buckets[bucket], .count = *count};
    memcpy(e->query, count->query, len + 1);
    e->count.query = e->query;
    s->buckets[bucket] = e;
    s->n++;
    return e;
}

/* False when the shard is full or memory is short. `news`: a query that is not there yet is to be noted; NULL: it is
 * not; *news is then whether that is to be waited for. */
static bool usage_add(struct usage *u, const struct query_usage *count, bool *news)
{
    uint64_t h = usage_hash(u, count->query);
    struct shard *s = &u->shards[h % SHARDS];
    size_t bucket = h / SHARDS % BUCKETS;
    pthread_mutex_lock(&s->mutex);
    struct entry *e = find_entry(s, bucket, count->query);
    if (e) {
        add_count(&e->count, count);
    } else if ((e = add_entry(s, bucket, count)) && news) {
        e->noting = true;
        e->next_news = s->news;
        s->news = e;
    }
    if (news)
        *news = e && e->noting;
    pthread_mutex_unlock(&s->mutex);
    return e != NULL;
}

/* --- noting --- */

static size_t take_news(struct usage *u, struct entry **entries, struct query_usage *rows, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &u->shards[i];
        pthread_mutex_lock(&s->mutex);
        for (struct entry *e; n < most && (e = s->news); n++) {
            s->news = e->next_news;
            entries[n] = e;
            rows[n] = (struct query_usage){.query = e->query};
        }
        pthread_mutex_unlock(&s->mutex);
    }
    return n;
}

/* note: 0 if that failed; the flush then adds the query all the same. */
static void mark_noted(struct usage *u, struct entry *e, int64_t note)
{
    struct shard *s = &u->shards[usage_hash(u, e->query) % SHARDS];
    pthread_mutex_lock(&s->mutex);
    e->count.note = note;
    e->noting = false;
    pthread_mutex_unlock(&s->mutex);
}

static bool is_news(struct usage *u, const char *query)
{
    uint64_t h = usage_hash(u, query);
    struct shard *s = &u->shards[h % SHARDS];
    pthread_mutex_lock(&s->mutex);
    const struct entry *e = find_entry(s, h / SHARDS % BUCKETS, query);
    bool news = e && e->noting;
    pthread_mutex_unlock(&s->mutex);
    return news;
}

/* Under u->noting: whoever is waiting for it may find its news noted by who had it. */
static enum status write_news(struct usage *u, struct error *err)
{
    enum status status;
    struct query_usage rows[NEWS_BATCH];
    struct entry *entries[NEWS_BATCH];
    size_t n;
    do {
        n = take_news(u, entries, rows, NEWS_BATCH);
        status = sticker_store_queries_note(u->store, rows, n, err);
        for (size_t i = 0; i < n; i++)
            mark_noted(u, entries[i], rows[i].note);
    } while (n == NEWS_BATCH && status == OK);
    return status;
}

void usage_store(struct usage *u, const char *query)
{
    struct error err;
    pthread_mutex_lock(&u->noting);
    if (is_news(u, query) && write_news(u, &err) != OK)
        log_error("cannot store a new query yet: %s", err.message);
    pthread_mutex_unlock(&u->noting);
}

void usage_expect(struct usage *u, const char *query)
{
    bool news; /* which need not be waited for yet */
    (void)usage_add(u, &(struct query_usage){.query = query}, &news);
}

void usage_count(struct usage *u, const char *query, enum usage_outcome outcome, uint32_t client)
{
    struct error err;
    bool news = false;
    struct query_usage one = {.query = query,
                              .searches = 1,
                              .empty = outcome == USAGE_EMPTY,
                              .degraded = outcome == USAGE_DEGRADED,
                              .crowd = {client},
                              .n_crowd = 1};
    if (usage_add(u, &one, &news)) {
        if (news)
            usage_store(u, query);
        return;
    }
    if (sticker_store_usage_add(u->store, &one, 1, &err) != OK)
        log_error("cannot count a search: %s", err.message);
}

/* --- flushing --- */

/* Takes entries out of a shard, until there are FLUSH_BATCH in the list; `rows` are their counts. */
static void take_entries(struct shard *s, struct entry **list, struct query_usage *rows, size_t *n)
{
    pthread_mutex_lock(&s->mutex);
    for (size_t b = 0; b < BUCKETS && s->n; b++)
        for (struct entry **at = &s->buckets[b], *e; *n < FLUSH_BATCH && (e = *at);) {
            if (e->noting) {
                at = &e->next;
                continue;
            }
            *at = e->next;
            e->next = *list;
            *list = e;
            rows[(*n)++] = e->count;
            s->n--;
        }
    pthread_mutex_unlock(&s->mutex);
}

/* What was not written goes back to wait for the next flush; returns how many counts there is no room for. */
static int64_t drop_entries(struct usage *u, struct entry *list, bool written)
{
    int64_t lost = 0;
    for (struct entry *e = list, *next; e; e = next) {
        next = e->next;
        lost += written || usage_add(u, &e->count, NULL) ? 0 : e->count.searches;
        free(e);
    }
    return lost;
}

/* *n: how many of the entries from the shard *from on were written; *from moves on. */
static enum status flush_some(struct usage *u, struct query_usage *rows, size_t *from, size_t *n, int64_t *lost,
                              struct error *err)
{
    struct entry *list = NULL;
    *n = 0;
    pthread_rwlock_wrlock(&u->flushing);
    for (; *from < SHARDS; ++*from) {
        take_entries(&u->shards[*from], &list, rows, n);
        if (*n == FLUSH_BATCH)
            break;
    }
    enum status status = *n ? sticker_store_usage_add(u->store, rows, *n, err) : OK;
    *lost += drop_entries(u, list, status == OK);
    pthread_rwlock_unlock(&u->flushing);
    return status;
}

enum status usage_flush(struct usage *u, struct error *err)
{
    enum status status = OK;
    int64_t lost = 0;
    struct query_usage *rows = malloc(FLUSH_BATCH * sizeof *rows);
    if (!rows)
        return err_no_memory(err, "writing usage counts");
    for (size_t shard = 0, n = FLUSH_BATCH; n == FLUSH_BATCH && status == OK;)
        status = flush_some(u, rows, &shard, &n, &lost, err);
    if (lost)
        log_error("lost the counts of %lld searches: the database does not accept them and memory for them is full",
                  (long long)lost);
    free(rows);
    return status;
}

size_t usage_pending(struct usage *u)
{
    size_t n = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&u->shards[i].mutex);
        n += u->shards[i].n;
        pthread_mutex_unlock(&u->shards[i].mutex);
    }
    return n;
}

enum status usage_analytics(struct usage *u, const char *query, struct arena *a, int64_t *usage,
                            struct score_row **rows, size_t *n, struct error *err)
{
    uint64_t h = usage_hash(u, query);
    struct shard *s = &u->shards[h % SHARDS];
    pthread_rwlock_rdlock(&u->flushing);
    enum status status = sticker_store_analytics(u->store, query, a, usage, rows, n, err);
    if (status == OK) {
        pthread_mutex_lock(&s->mutex);
        for (const struct entry *e = s->buckets[h / SHARDS % BUCKETS]; e; e = e->next)
            if (strcmp(e->query, query) == 0)
                *usage += e->count.searches;
        pthread_mutex_unlock(&s->mutex);
    }
    pthread_rwlock_unlock(&u->flushing);
    return status;
}

static void flush_logged(struct usage *u)
{
    struct error err;
    if (usage_flush(u, &err) != OK)
        log_error("cannot write search counts yet: %s", err.message);
}

static void flush_regularly(struct worker *w, void *arg)
{
    struct usage *u = arg;
    int64_t settled_us = os_monotonic_us();
    while (worker_rest(w, u->flush_ms)) {
        flush_logged(u);
        if (os_monotonic_us() - settled_us > SETTLE_US) { /* what a process noted that has ended since */
            struct error err;
            if (sticker_store_queries_settle(u->store, &err) != OK)
                log_warn("searches that another process noted are not among the queries yet: %s", err.message);
            settled_us = os_monotonic_us();
        }
    }
}

void usage_close(struct usage *u)
{
    if (!u)
        return;
    if (u->flusher) {
        worker_close(u->flusher);
        flush_logged(u);
    }
    for (size_t i = 0; i < SHARDS; i++) {
        for (size_t b = 0; b < BUCKETS; b++)
            (void)drop_entries(u, u->shards[i].buckets[b], true);
        pthread_mutex_destroy(&u->shards[i].mutex);
    }
    pthread_mutex_destroy(&u->noting);
    pthread_rwlock_destroy(&u->flushing);
    free(u);
}

enum status usage_open(struct sticker_store *store, unsigned flush_ms, struct usage **out, struct error *err)
{
    *out = NULL;
    struct usage *u = calloc(1, sizeof *u);
    if (!u)
        return err_no_memory(err, "usage counts");
    u->store = store;
    u->flush_ms = flush_ms ? flush_ms : 1;
    os_random(u->key, sizeof u->key);
    pthread_rwlock_init(&u->flushing, NULL);
    pthread_mutex_init(&u->noting, NULL);
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&u->shards[i].mutex, NULL);
    enum status status = sticker_store_queries_settle(store, err); /* of a process that ended without a last flush */
    if (status == OK)
        status = worker_open("usage-flush", flush_regularly, u, &u->flusher, err);
    if (status != OK) {
        usage_close(u);
        return status;
    }
    *out = u;
    return OK;
}
