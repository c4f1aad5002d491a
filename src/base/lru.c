/* A hash table of chains, whose entries also stand in one list by time of use; one mutex, held for the
 * length of a copy. An entry is one allocation: head, value, key. */
#include "base/lru.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BUCKETS (1u << 20)

struct entry {
    struct entry *chain;         /* next in the bucket */
    struct entry *newer, *older; /* by time of use */
    uint64_t hash;
    size_t bytes, key_len, size;
    char value[]; /* [size], then the key */
};

struct lru {
    pthread_mutex_t mutex;
    struct entry **buckets;
    size_t n_buckets, max_bytes;
    struct entry *newest, *oldest;
    struct lru_stats stats;
};

/* The key "space NUL text", in two pieces, so that it need not be put together. */
struct key {
    const char *space, *text;
    size_t space_len, text_len;
    uint64_t hash;
};

static uint64_t fnv1a(uint64_t h, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return h;
}

static struct key key_of(const char *space, const char *text, size_t len)
{
    struct key k = {.space = space, .text = text, .space_len = strlen(space) + 1, .text_len = len};
    uint64_t h = fnv1a(fnv1a(0xcbf29ce484222325u, space, k.space_len), text, len);
    k.hash = h ^ h >> 32;
    return k;
}

static const char *entry_key(const struct entry *e)
{
    return e->value + e->size;
}

enum status lru_open(size_t max_bytes, size_t value_bytes, struct lru **out, struct error *err)
{
    size_t n = max_bytes / (sizeof(struct entry) + value_bytes);
    struct lru *c = calloc(1, sizeof *c);
    *out = c;
    if (!c)
        return err_no_memory(err, "a cache");
    pthread_mutex_init(&c->mutex, NULL);
    c->max_bytes = max_bytes;
    c->n_buckets = n < 1 ? 1 : n > MAX_BUCKETS ? MAX_BUCKETS : n;
    c->buckets = calloc(c->n_buckets, sizeof(struct entry *));
    if (c->buckets)
        return OK;
    lru_close(c);
    *out = NULL;
    return err_no_memory(err, "a cache");
}

void lru_close(struct lru *c)
{
    if (!c)
        return;
    for (struct entry *e = c->oldest, *newer; e; e = newer) {
        newer = e->newer;
        free(e);
    }
    pthread_mutex_destroy(&c->mutex);
    free(c->buckets);
    free(c);
}

static struct entry **cache_find(struct lru *c, const struct key *k)
{
    struct entry **at = &c->buckets[k->hash % c->n_buckets];
    for (; *at; at = &(*at)->chain) {
        const struct entry *e = *at;
        if (e->hash == k->hash && e->key_len == k->space_len + k->text_len &&
            memcmp(entry_key(e), k->space, k->space_len) == 0 &&
            memcmp(entry_key(e) + k->space_len, k->text, k->text_len) == 0)
            break;
    }
    return at;
}

static void list_remove(struct lru *c, struct entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void list_add(struct lru *c, struct entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

/* Takes the entry at `at` out of the table and frees it. */
static void drop(struct lru *c, struct entry **at)
{
    struct entry *e = *at;
    *at = e->chain;
    list_remove(c, e);
    c->stats.bytes -= e->bytes;
    c->stats.entries--;
    free(e);
}

static void drop_oldest(struct lru *c)
{
    struct entry **at = &c->buckets[c->oldest->hash % c->n_buckets];
    while (*at != c->oldest)
        at = &(*at)->chain;
    drop(c, at);
}

bool lru_get(struct lru *c, const char *space, const char *key, size_t len, void *out, size_t cap, size_t *size)
{
    struct key k = key_of(space, key, len);
    pthread_mutex_lock(&c->mutex);
    struct entry *e = *cache_find(c, &k);
    bool found = e && e->size <= cap;
    if (found) {
        list_remove(c, e);
        list_add(c, e);
        memcpy(out, e->value, e->size);
        *size = e->size;
        c->stats.hits++;
    } else {
        c->stats.misses++;
    }
    pthread_mutex_unlock(&c->mutex);
    return found;
}

void lru_put(struct lru *c, const char *space, const char *key, size_t len, const void *value, size_t size)
{
    struct key k = key_of(space, key, len);
    size_t key_len = k.space_len + k.text_len, bytes = sizeof(struct entry) + size + key_len;
    struct entry *e = bytes <= c->max_bytes ? malloc(bytes) : NULL;
    if (!e)
        return;
    *e = (struct entry){.hash = k.hash, .bytes = bytes, .key_len = key_len, .size = size};
    memcpy(e->value, value, size);
    memcpy(e->value + size, k.space, k.space_len);
    memcpy(e->value + size + k.space_len, k.text, k.text_len);
    pthread_mutex_lock(&c->mutex);
    struct entry **at = cache_find(c, &k);
    if (*at)
        drop(c, at);
    while (c->oldest && c->stats.bytes + bytes > c->max_bytes)
        drop_oldest(c);
    at = &c->buckets[k.hash % c->n_buckets];
    e->chain = *at;
    *at = e;
    list_add(c, e);
    c->stats.bytes += bytes;
    c->stats.entries++;
    pthread_mutex_unlock(&c->mutex);
}

struct lru_stats lru_stats(struct lru *c)
{
    pthread_mutex_lock(&c->mutex);
    struct lru_stats stats = c->stats;
    pthread_mutex_unlock(&c->mutex);
    return stats;
}
