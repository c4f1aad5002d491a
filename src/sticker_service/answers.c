/* A set-associative cache: the hash of the key chooses a set of WAYS places under one of STRIPES
 * mutexes; a new answer takes the place of its own key, else the one that expires first, and more of these until the
 * set has room for it. */
#include "sticker_service/answers.h"

#include "base/os.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WAYS    4u
#define STRIPES 16u

_Static_assert(ANSWERS_MAX_BYTES <= WAYS * ANSWERS_BYTES, "a set has room for the longest answer");

struct place {
    char *key;    /* NULL: free. One block: key, NUL, answer */
    char *answer; /* points into key's block */
    size_t len;
    int64_t expires_us;
    bool renewing; /* past its time once already; somebody is making the next one */
};

struct answers {
    int64_t keep_us;
    size_t sets;
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
    pthread_mutex_t stripes[STRIPES];
    struct place *places; /* [sets][WAYS] */
    atomic_uint_fast64_t hits, misses;
    atomic_uint cleared; /* how often */
};

enum status answers_open(unsigned keep_ms, size_t count, struct answers **out, struct error *err)
{
    *out = NULL;
    struct answers *c = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(err, "the answer cache");
    c->keep_us = (int64_t)keep_ms * 1000;
    c->sets = keep_ms && count ? (count + WAYS - 1) / WAYS : 0;
    os_random(c->hash_key, sizeof c->hash_key);
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&c->stripes[i], NULL);
    if (c->sets && !(c->places = calloc(c->sets * WAYS, sizeof *c->places))) {
        answers_close(c);
        return err_no_memory(err, "%zu cached answers", count);
    }
    *out = c;
    return OK;
}

void answers_close(struct answers *c)
{
    if (!c)
        return;
    answers_clear(c);
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_destroy(&c->stripes[i]);
    free(c->places);
    free(c);
}

static size_t answers_set_of(const struct answers *c, const char *key)
{
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t h;
    crypto_shorthash(out, (const unsigned char *)key, strlen(key), c->hash_key);
    memcpy(&h, out, sizeof h);
    return h % c->sets;
}

static struct place *answers_find(struct place *set, const char *key)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].key && strcmp(set[i].key, key) == 0)
            return &set[i];
    return NULL;
}

bool answers_get(struct answers *c, const char *key, struct buf *out)
{
    if (!c->sets)
        return false;
    size_t set = answers_set_of(c, key);
    int64_t now = os_monotonic_us();
    bool found = false;
    pthread_mutex_lock(&c->stripes[set % STRIPES]);
    struct place *p = answers_find(&c->places[set * WAYS], key);
    if (p && now < p->expires_us) {
        found = true;
    } else if (p && !p->renewing && now < p->expires_us + c->keep_us) {
        p->renewing = true;
        p->expires_us += c->keep_us;
    }
    if (found)
        buf_append(out, p->answer, p->len);
    pthread_mutex_unlock(&c->stripes[set % STRIPES]);
    atomic_fetch_add_explicit(found ? &c->hits : &c->misses, 1, memory_order_relaxed);
    return found;
}

/* Of the places of a set, or of those in use, the one that expires first; a free one does so before all others. */
static struct place *expires_first(struct place *set, bool in_use)
{
    struct place *first = NULL;
    for (size_t i = 0; i < WAYS; i++)
        if ((set[i].key || !in_use) && (!first || set[i].expires_us < first->expires_us))
            first = &set[i];
    return first;
}

/* Returns its block, to be freed when the lock is not held any more. */
static char *empty(struct place *p)
{
    char *block = p->key;
    *p = (struct place){0};
    return block;
}

static size_t bytes_of(const struct place *set)
{
    size_t bytes = 0;
    for (size_t i = 0; i < WAYS; i++)
        bytes += set[i].len;
    return bytes;
}

unsigned answers_cleared(struct answers *c)
{
    return atomic_load(&c->cleared);
}

void answers_put(struct answers *c, const char *key, const char *answer, size_t len, unsigned cleared)
{
    if (!c->sets || len > ANSWERS_MAX_BYTES)
        return;
    size_t set = answers_set_of(c, key), key_len = strlen(key) + 1;
    char *block = malloc(key_len + len);
    if (!block)
        return;
    memcpy(block, key, key_len);
    memcpy(block + key_len, answer, len);
    struct place fresh = {block, block + key_len, len, os_monotonic_us() + c->keep_us, false};
    pthread_mutex_lock(&c->stripes[set % STRIPES]);
    if (cleared != answers_cleared(c)) { /* which takes this lock after it has counted */
        pthread_mutex_unlock(&c->stripes[set % STRIPES]);
        free(block);
        return;
    }
    struct place *places = &c->places[set * WAYS], *p = answers_find(places, key);
    struct place *last;
    char *old[WAYS];
    size_t n_old = 0;
    if (!p)
        p = expires_first(places, false);
    old[n_old++] = empty(p);
    while (bytes_of(places) + len > WAYS * ANSWERS_BYTES && (last = expires_first(places, true)))
        old[n_old++] = empty(last);
    *p = fresh;
    pthread_mutex_unlock(&c->stripes[set % STRIPES]);
    for (size_t i = 0; i < n_old; i++)
        free(old[i]);
}

void answers_clear(struct answers *c)
{
    atomic_fetch_add(&c->cleared, 1);
    for (size_t set = 0; c->places && set < c->sets; set++) {
        pthread_mutex_lock(&c->stripes[set % STRIPES]);
        for (size_t i = 0; i < WAYS; i++) {
            free(c->places[set * WAYS + i].key);
            c->places[set * WAYS + i] = (struct place){0};
        }
        pthread_mutex_unlock(&c->stripes[set % STRIPES]);
    }
}

struct answers_stats answers_stats(struct answers *c)
{
    return (struct answers_stats){atomic_load(&c->hits), atomic_load(&c->misses)};
}
