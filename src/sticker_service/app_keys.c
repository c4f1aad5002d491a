/* A worker reads the keys again and again, and writes down how often each was used since. What is asked meanwhile is
 * answered from the list, under the mutex: requests with a key are hashed before. A key's bucket lives in its entry and
 * moves along when the list is read. */
#include "sticker_service/app_keys.h"

#include "base/json_out.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/os.h"
#include "base/worker.h"
#include "sticker_service/auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEYS_MEMORY (4u << 20)
#define MINUTE_NS   60000000000ll

struct entry {
    const char *name;
    char hash[65];
    int64_t per_minute, full_ns;
    uint64_t requests, refused; /* since the start */
    uint64_t unwritten;         /* of the requests */
    int64_t used_us;
};

struct app_keys {
    struct sticker_store *store;
    bool required;
    pthread_mutex_t mutex;          /* guards what follows */
    struct arena arenas[2], *arena; /* of the names; the other one is for the next list */
    struct entry *entries;          /* [n] in the order of their hashes */
    size_t n;
    struct worker *worker;
};

static int by_hash(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->hash, ((const struct entry *)b)->hash);
}

static struct entry *find(struct entry *entries, size_t n, const char *hash)
{
    struct entry key = {.name = NULL};
    memcpy(key.hash, hash, sizeof key.hash);
    return n ? bsearch(&key, entries, n, sizeof key, by_hash) : NULL;
}

/* --- the list --- */

/* Takes the counts that are to be written, in the arena. */
static size_t take_counts(struct app_keys *k, struct arena *a, struct app_key **out)
{
    size_t n = 0;
    pthread_mutex_lock(&k->mutex);
    *out = arena_array(a, k->n + 1, sizeof **out);
    for (size_t i = 0; *out && i < k->n; i++) {
        struct entry *e = &k->entries[i];
        const char *name = e->unwritten ? arena_strdup(a, e->name) : NULL;
        if (!name)
            continue;
        (*out)[n++] = (struct app_key){.name = name, .requests = (int64_t)e->unwritten, .last_used_us = e->used_us};
        e->unwritten = 0;
    }
    pthread_mutex_unlock(&k->mutex);
    return n;
}

static void flush(struct app_keys *k)
{
    struct arena a;
    struct app_key *keys;
    struct error err;
    arena_init(&a, KEYS_MEMORY);
    size_t n = take_counts(k, &a, &keys);
    if (n && sticker_store_app_key_used(k->store, keys, n, &err) != OK)
        log_warn("how often keys were used was not written: %s", err.message);
    arena_free(&a);
}

static enum status refresh(struct app_keys *k, struct error *err)
{
    struct arena *a = k->arena == &k->arenas[0] ? &k->arenas[1] : &k->arenas[0];
    struct app_key *rows;
    size_t n;
    arena_reset(a);
    enum status st = sticker_store_app_key_list(k->store, a, &rows, &n, err);
    struct entry *entries = st == OK ? arena_array(a, n + 1, sizeof *entries) : NULL;
    if (!entries)
        return st == OK ? err_no_memory(err, "%zu keys", n) : st;
    pthread_mutex_lock(&k->mutex);
    for (size_t i = 0; i < n; i++) {
        struct entry *e = &entries[i];
        snprintf(e->hash, sizeof e->hash, "%s", rows[i].hash_hex);
        const struct entry *old = find(k->entries, k->n, e->hash);
        if (old)
            *e = *old;
        e->name = rows[i].name;
        e->per_minute = rows[i].per_minute;
    }
    qsort(entries, n, sizeof *entries, by_hash);
    k->arena = a;
    k->entries = entries;
    k->n = n;
    pthread_mutex_unlock(&k->mutex);
    return OK;
}

static void run_app_keys(struct worker *w, void *arg)
{
    struct app_keys *k = arg;
    struct error err;
    while (worker_rest(w, APP_KEYS_EVERY_MS)) {
        flush(k);
        if (refresh(k, &err) != OK)
            log_debug("keys of apps were not read: %s", err.message);
    }
}

enum status app_keys_open(struct sticker_store *store, bool required, struct app_keys **out, struct error *err)
{
    struct app_keys *k = *out = calloc(1, sizeof *k);
    if (!k)
        return err_no_memory(err, "keys of apps");
    k->store = store;
    k->required = required;
    pthread_mutex_init(&k->mutex, NULL);
    arena_init(&k->arenas[0], KEYS_MEMORY);
    arena_init(&k->arenas[1], KEYS_MEMORY);
    enum status st = refresh(k, err);
    return st == OK ? worker_open("app-keys", run_app_keys, k, &k->worker, err) : st;
}

void app_keys_close(struct app_keys *k)
{
    if (!k)
        return;
    worker_close(k->worker);
    flush(k);
    arena_free(&k->arenas[0]);
    arena_free(&k->arenas[1]);
    pthread_mutex_destroy(&k->mutex);
    free(k);
}

/* --- requests --- */

/* NULL: there is none. */
static const char *key_of(const struct http_request *req)
{
    static const char klipy[] = "/klipy/api/v1/", bearer[] = "Bearer ";
    const char *key = http_header(req, "X-Api-Key"), *authorization = http_header(req, "Authorization");
    if (key)
        return key;
    if (authorization && strncasecmp(authorization, bearer, sizeof bearer - 1) == 0)
        return authorization + sizeof bearer - 1 + strspn(authorization + sizeof bearer - 1, " ");
    if (strncmp(req->path, klipy, sizeof klipy - 1) == 0) {
        const char *segment = req->path + sizeof klipy - 1;
        return arena_strndup(req->arena, segment, strcspn(segment, "/"));
    }
    if (http_param(req, strncmp(req->path, "/tenor/", 7) == 0 ? "key" : "api_key", &key, NULL) != OK)
        return NULL;
    return key;
}

/* Under the mutex. */
static void use(struct entry *e, unsigned cost, bool again, struct http_app *out)
{
    e->requests += !again;
    e->unwritten += !again;
    e->used_us = os_now_us();
    if (!e->per_minute)
        return;
    out->is = HTTP_APP_LIMITED;
    out->per_minute = (unsigned)e->per_minute;
    rate_bucket_take(&e->full_ns, MINUTE_NS / e->per_minute, MINUTE_NS, cost, os_monotonic_us(), &out->answer);
    e->refused += !out->answer.allowed;
}

static bool always_needed(const struct http_request *req)
{
    return strcmp(req->path, "/mcp") == 0 || strcmp(req->path, "/mcp/") == 0;
}

void app_keys_ask(struct app_keys *k, const struct http_request *req, unsigned cost, bool again, struct http_app *out)
{
    const char *key = key_of(req);
    char hash[65];
    struct entry *e = NULL;
    if (key && auth_token_check(key, NULL) == OK) {
        auth_token_hash(key, hash);
        pthread_mutex_lock(&k->mutex);
        if ((e = find(k->entries, k->n, hash)))
            use(e, cost, again, out);
        pthread_mutex_unlock(&k->mutex);
    }
    if (e || (!k->required && !always_needed(req)))
        return;
    out->is = HTTP_APP_REFUSED;
    out->why = key ? "This API key is unknown."
                   : "An API key is needed: send it as Authorization: Bearer KEY, or as X-Api-Key.";
}

void app_keys_metrics(struct app_keys *k, struct buf *out)
{
    static const char *const names[] = {"peel_sticker_app_requests_total", "peel_sticker_app_limited_total"};
    pthread_mutex_lock(&k->mutex);
    for (int which = 0; which < 2; which++) {
        metric_family(out, names[which], "counter",
                      which ? "Requests over the limit of an app's key." : "Requests with an app's key.");
        for (size_t i = 0; i < k->n; i++) {
            const struct entry *e = &k->entries[i];
            buf_printf(out, "%s{app=", names[which]);
            json_put_string(out, e->name); /* as Prometheus escapes: names have no control characters */
            buf_printf(out, "} %llu\n", (unsigned long long)(which ? e->refused : e->requests));
        }
    }
    pthread_mutex_unlock(&k->mutex);
}
