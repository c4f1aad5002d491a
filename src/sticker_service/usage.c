/* Pending counts live in shards, each a small hash table under its own mutex. A flush steals every
 * shard's entries and adds them to the store in a few transactions; `flushing` is held for writing
 * meanwhile, and for reading by analytics, which therefore sees each count in exactly one place.
 *
 * A query that is met for the first time since the last flush is news: it is written before its search is answered,
 * so that feedback may follow through any process. Whoever comes first writes all the news that there is by then, and
 * the others wait for that: a transaction for each of a thousand searches a second would take more time than the
 * searches' own reading of stickers, and each empties what SQLite's readers keep in memory.
 *
 * Memory is bounded: a search that finds its shard full writes its own count at once, which is slower
 * and as right. */
#include "sticker_service/usage.h"

#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS      16u
#define BUCKETS     512u
#define SHARD_MAX   2048u /* entries; a query has at most 1,020 bytes, so 35 MB in all at the very worst */
#define NEWS_BATCH  64u   /* new queries per transaction */
#define FLUSH_BATCH 2000u /* rows per transaction, so that feedback never waits long behind one */

struct entry {
    struct entry *next, *next_news;
    struct query_usage count; /* its query is the one below; `known`: it was stored since the last flush */
    bool stored;              /* its query is; its counts may not be */
    char query[];
};

struct shard {
    pthread_mutex_t mutex;
    size_t n;
    struct entry *buckets[BUCKETS];
    struct entry *news; /* those that were not */
};

struct usage {
    struct sticker_store *store;
    unsigned flush_ms;
    unsigned char key[crypto_shorthash_KEYBYTES]; /* secret, so that nobody can aim at one bucket */
    pthread_rwlock_t flushing;
    struct worker *flusher;
    atomic_size_t n_news;
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
    to->known = to->known && count->known;
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

/* False when the shard is full or memory is short. `news`: a query that is not there yet is to be written first; NULL:
 * it is not; *news is then whether it is to be waited for. */
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
        e->count.known = false;
        e->next_news = s->news;
        s->news = e;
        atomic_fetch_add(&u->n_news, 1);
    }
    if (news)
        *news = e && !e->stored;
    pthread_mutex_unlock(&s->mutex);
    return e != NULL;
}

/* Takes at most `most` news, with their counts, which are none from then on. They stay where they are until the next
 * flush. */
static size_t take_news(struct usage *u, struct entry **entries, struct query_usage *rows, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &u->shards[i];
        pthread_mutex_lock(&s->mutex);
        for (struct entry *e; n < most && (e = s->news); n++) {
            s->news = e->next_news;
            entries[n] = e;
            rows[n] = e->count;
            e->count = (struct query_usage){.query = e->query, .known = true};
        }
        pthread_mutex_unlock(&s->mutex);
    }
    return n;
}

static void mark_stored(struct usage *u, struct entry *e)
{
    struct shard *s = &u->shards[usage_hash(u, e->query) % SHARDS];
    pthread_mutex_lock(&s->mutex);
    e->stored = true;
    pthread_mutex_unlock(&s->mutex);
}

/* Under the lock. A batch is small: there are no more than who waits for it, at most, since it began. */
static enum status write_news(struct usage *u, struct error *err)
{
    enum status status = OK;
    struct query_usage rows[NEWS_BATCH];
    struct entry *entries[NEWS_BATCH];
    for (size_t n; status == OK && (n = take_news(u, entries, rows, NEWS_BATCH)) > 0;) {
        status = sticker_store_usage_add(u->store, rows, n, err);
        for (size_t i = 0; i < n; i++)
            if (status == OK)
                mark_stored(u, entries[i]);
            else /* the counts wait for the next flush, in the entry that they have */
                (void)usage_add(u, &rows[i], NULL);
        atomic_fetch_sub(&u->n_news, n);
    }
    return status;
}

/* Whoever waits for the lock finds its news written by who had it. */
static enum status settle(struct usage *u, struct error *err)
{
    pthread_rwlock_wrlock(&u->flushing);
    enum status status = atomic_load(&u->n_news) ? write_news(u, err) : OK;
    pthread_rwlock_unlock(&u->flushing);
    return status;
}

void usage_count(struct usage *u, const char *query, enum usage_outcome outcome, uint32_t client)
{
    struct error err;
    bool news = false;
    struct query_usage one = {.query = query,
                              .searches = 1,
                              .empty = outcome == USAGE_EMPTY,
                              .degraded = outcome == USAGE_DEGRADED,
                              .known = true,
                              .crowd = {client},
                              .n_crowd = 1};
    if (usage_add(u, &one, &news)) {
        if (news && settle(u, &err) != OK)
            log_error("cannot store a new query yet: %s", err.message);
        return;
    }
    one.known = false;
    if (sticker_store_usage_add(u->store, &one, 1, &err) != OK)
        log_error("cannot count a search: %s", err.message);
}

/* All entries of all shards as one list. */
static struct entry *usage_steal(struct usage *u)
{
    struct entry *all = NULL;
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *s = &u->shards[i];
        pthread_mutex_lock(&s->mutex);
        for (; s->news; s->news = s->news->next_news)
            atomic_fetch_sub(&u->n_news, 1);
        for (size_t b = 0; s->n && b < BUCKETS; b++)
            while (s->buckets[b]) {
                struct entry *e = s->buckets[b];
                s->buckets[b] = e->next;
                e->next = all;
                all = e;
                s->n--;
            }
        pthread_mutex_unlock(&s->mutex);
    }
    return all;
}

enum status usage_flush(struct usage *u, struct error *err)
{
    enum status status = OK;
    struct query_usage *rows = malloc(FLUSH_BATCH * sizeof *rows);
    if (!rows)
        return err_no_memory(err, "writing usage counts");
    pthread_rwlock_wrlock(&u->flushing);
    struct entry *all = usage_steal(u);
    while (all && status == OK) {
        size_t n = 0;
        struct entry *rest = all;
        for (; rest && n < FLUSH_BATCH; rest = rest->next)
            if (rest->count.searches)
                rows[n++] = rest->count;
        status = n ? sticker_store_usage_add(u->store, rows, n, err) : OK;
        while (status == OK && all != rest) {
            struct entry *e = all;
            all = e->next;
            free(e);
        }
    }
    int64_t lost = 0;
    while (all) { /* what was not written goes back to wait for the next flush */
        struct entry *e = all;
        all = e->next;
        lost += !e->count.searches || usage_add(u, &e->count, NULL) ? 0 : e->count.searches;
        free(e);
    }
    pthread_rwlock_unlock(&u->flushing);
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
        for (size_t b = 0; u->shards[i].n && b < BUCKETS; b++)
            for (const struct entry *e = u->shards[i].buckets[b]; e; e = e->next)
                n += e->count.searches > 0;
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
    while (worker_rest(w, u->flush_ms))
        flush_logged(u);
}

void usage_close(struct usage *u)
{
    if (!u)
        return;
    if (u->flusher) {
        worker_close(u->flusher);
        flush_logged(u);
    }
    for (struct entry *e = usage_steal(u), *next; e; e = next) {
        next = e->next;
        free(e);
    }
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&u->shards[i].mutex);
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
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_init(&u->shards[i].mutex, NULL);
    enum status status = worker_open("usage-flush", flush_regularly, u, &u->flusher, err);
    if (status != OK) {
        usage_close(u);
        return status;
    }
    *out = u;
    return OK;
}
