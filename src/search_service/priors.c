/* priors.c: gains by query are kept as the table has them, also when there are none, until that query is handed over
 * anew; documents come and go, so that what they are of is looked up again now and then. A kept value is never older
 * than the version: both change under `mutex`. */
#include "search_service/priors.h"

#include "base/json_in.h"
#include "base/lru.h"
#include "base/os.h"
#include "base/worker.h"
#include "text/text.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOW_MS       1000u
#define KEEP_US         3000000 /* what the gains of a query are of */
#define CACHE_BYTES     (16u << 20)
#define QUERIES_MAX     1000u
#define ROWS_MAX        2000u /* of a query */
#define QUERY_MAX       2048u /* bytes */
#define CHANGED_AT_ONCE 10000u
#define MEMORY          (64u << 20)

/* A list as it is kept. */
struct kept {
    int64_t until_us; /* monotonic; 0: it was replaced */
    struct rank_prior items[ROWS_MAX];
};
#define KEPT_SIZE(n) (offsetof(struct kept, items) + (n) * sizeof(struct rank_prior))

struct priors {
    struct search_store *store;
    double weight;
    struct lru *cache;
    struct worker *worker;
    pthread_mutex_t mutex; /* guards what follows, and that no older value than of this version is kept */
    struct prior_version version;
    char space[32]; /* of the cache: another one for each epoch */
};

/* --- the version --- */

struct prior_version priors_version(struct priors *p)
{
    pthread_mutex_lock(&p->mutex);
    struct prior_version v = p->version;
    pthread_mutex_unlock(&p->mutex);
    return v;
}

static void set_version(struct priors *p, struct prior_version v, const char *const *changed, size_t n)
{
    const struct kept none = {0};
    pthread_mutex_lock(&p->mutex);
    p->version = v;
    snprintf(p->space, sizeof p->space, "%lld", (long long)v.epoch);
    for (size_t i = 0; i < n; i++)
        lru_put(p->cache, p->space, changed[i], strlen(changed[i]), &none, KEPT_SIZE(0));
    pthread_mutex_unlock(&p->mutex);
}

/* --- JSON --- */

static enum status read_row(const json_t *json, size_t i, size_t k, struct prior_row *out, struct error *err)
{
    const json_t *name = json_object_get(json, "filename"), *gain = json_object_get(json, "gain"),
                 *clicks = json_object_get(json, "clicks");
    struct error why;
    if (!json_is_string(name) || filename_check(json_string_value(name), &why) != OK)
        return err_set(err, ERR_INVALID, "priors[%zu].gains[%zu].filename must be a filename", i, k);
    if (!json_is_number(gain) || !(fabs(json_number_value(gain)) <= 1))
        return err_set(err, ERR_INVALID, "priors[%zu].gains[%zu].gain must be a number from -1 to 1", i, k);
    if (clicks && !json_is_boolean(clicks))
        return err_set(err, ERR_INVALID, "priors[%zu].gains[%zu].clicks must be true or false", i, k);
    *out = (struct prior_row){
        .filename = json_string_value(name), .gain = json_number_value(gain), .by_clicks = json_is_true(clicks)};
    return OK;
}

static enum status read_query(const json_t *json, size_t i, struct arena *a, struct prior_query *out, struct error *err)
{
    const json_t *query = json_object_get(json, "query"), *gains = json_object_get(json, "gains");
    enum status st = OK;
    if (!json_is_string(query) || json_string_length(query) > QUERY_MAX ||
        strlen(json_string_value(query)) != json_string_length(query))
        return err_set(err, ERR_INVALID, "priors[%zu].query must be a string of at most %u bytes", i, QUERY_MAX);
    if (!json_is_array(gains) || json_array_size(gains) > ROWS_MAX)
        return err_set(err, ERR_INVALID, "priors[%zu].gains must be an array of at most %u objects", i, ROWS_MAX);
    struct prior_row *rows = arena_array(a, json_array_size(gains) + 1, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "priors");
    *out = (struct prior_query){.query = json_string_value(query), .rows = rows, .n = json_array_size(gains)};
    for (size_t k = 0; k < out->n && st == OK; k++)
        st = read_row(json_array_get(gains, k), i, k, &rows[k], err);
    return st;
}

static enum status read_number(const json_t *root, const char *member, int64_t *out, struct error *err)
{
    return json_whole_number(json_object_get(root, member), out) && *out >= 0
               ? OK
               : err_set(err, ERR_INVALID, "%s must be a whole number", member);
}

static enum status put(struct priors *p, const json_t *root, struct arena *a, struct error *err)
{
    struct prior_version from = {0}, to = {0};
    const json_t *list = json_object_get(root, "priors");
    enum status st = read_number(root, "epoch", &to.epoch, err);
    if (st == OK)
        st = read_number(root, "after", &from.version, err);
    if (st == OK)
        st = read_number(root, "version", &to.version, err);
    if (st == OK && (!json_is_array(list) || json_array_size(list) > QUERIES_MAX))
        st = err_set(err, ERR_INVALID, "priors must be an array of at most %u objects", QUERIES_MAX);
    size_t n = json_array_size(list);
    struct prior_query *queries = arena_array(a, n + 1, sizeof *queries);
    const char **names = arena_array(a, n + 1, sizeof *names);
    if (st == OK && (!queries || !names))
        st = err_no_memory(err, "priors");
    for (size_t i = 0; i < n && st == OK; i++) {
        st = read_query(json_array_get(list, i), i, a, &queries[i], err);
        names[i] = queries[i].query;
    }
    from.epoch = to.epoch;
    if (st == OK)
        st = search_store_priors_put(p->store, from, to, queries, n, err);
    if (st == OK)
        set_version(p, to, names, n);
    return st;
}

enum status priors_put(struct priors *p, const char *json, size_t len, struct error *err)
{
    struct arena a;
    json_t *root;
    enum status st = json_read_body(json, len, JSON_REJECT_DUPLICATES, &root, err);
    if (st != OK)
        return st;
    arena_init(&a, MEMORY);
    st = put(p, root, &a, err);
    arena_free(&a);
    json_decref(root);
    return st;
}

/* --- following the database --- */

static enum status follow(void *arg, struct error *err)
{
    struct priors *p = arg;
    struct arena a;
    struct prior_version now, ours = priors_version(p);
    const char **changed = NULL;
    size_t n = 0;
    enum status st = search_store_priors_version(p->store, &now, err);
    if (st != OK || (now.epoch == ours.epoch && now.version == ours.version))
        return st;
    arena_init(&a, MEMORY);
    if (now.epoch == ours.epoch && now.version > ours.version)
        st = search_store_priors_changed(p->store, ours.version, CHANGED_AT_ONCE, &a, &changed, &n, err);
    if (st == OK)
        set_version(p, now, changed, n);
    arena_free(&a);
    return st;
}

static void follow_until_stopped(struct worker *w, void *arg)
{
    worker_repeat(w, FOLLOW_MS, follow, arg, "what votes taught cannot be read from the database");
}

void priors_close(struct priors *p)
{
    if (!p)
        return;
    worker_close(p->worker);
    lru_close(p->cache);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

enum status priors_open(struct search_store *store, double weight, struct priors **out, struct error *err)
{
    struct priors *p = *out = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(err, "priors");
    p->store = store;
    p->weight = weight;
    pthread_mutex_init(&p->mutex, NULL);
    enum status st = lru_open(CACHE_BYTES, KEPT_SIZE(8), &p->cache, err);
    if (st == OK)
        st = follow(p, err);
    return st == OK ? worker_open("priors", follow_until_stopped, p, &p->worker, err) : st;
}

/* --- searching --- */

static enum status read_list(struct priors *p, const char *key, struct prior_version version, const char *space,
                             struct kept *kept, size_t *n, struct arena *a, struct error *err)
{
    struct prior_row *rows;
    bool any = false;
    enum status st = search_store_priors_get(p->store, key, a, &rows, n, &any, err);
    if (st != OK)
        return st;
    *n = *n < ROWS_MAX ? *n : ROWS_MAX;
    kept->until_us = any ? os_monotonic_us() + KEEP_US : INT64_MAX;
    for (size_t i = 0; i < *n; i++)
        kept->items[i] = (struct rank_prior){rows[i].id, (float)rows[i].gain, rows[i].by_clicks};
    pthread_mutex_lock(&p->mutex);
    if (p->version.epoch == version.epoch && p->version.version == version.version)
        lru_put(p->cache, space, key, strlen(key), kept, KEPT_SIZE(*n));
    pthread_mutex_unlock(&p->mutex);
    return OK;
}

static enum status find_list(struct priors *p, const char *key, double share, struct prior_version version,
                             const char *space, struct kept *room, struct arena *a, struct rank_prior_list *out,
                             struct error *err)
{
    size_t size = 0, n = 0;
    enum status st = OK;
    *out = (struct rank_prior_list){.share = share};
    if (lru_get(p->cache, space, key, strlen(key), room, sizeof *room, &size) && os_monotonic_us() < room->until_us)
        n = (size - KEPT_SIZE(0)) / sizeof room->items[0];
    else
        st = read_list(p, key, version, space, room, &n, a, err);
    if (st != OK || !n)
        return st;
    struct rank_prior *items = arena_array(a, n, sizeof *items);
    if (!items)
        return err_no_memory(err, "priors");
    memcpy(items, room->items, n * sizeof *items);
    out->items = items;
    out->n = n;
    return OK;
}

enum status priors_find(struct priors *p, const char *query, struct arena *a, const struct rank_priors **out,
                        struct error *err)
{
    static const double shares[RANK_PRIOR_LISTS] = {1, RANK_PRIOR_ALIKE, RANK_PRIOR_ALL};
    char space[sizeof p->space];
    const char *keys[RANK_PRIOR_LISTS] = {"", "", ""};
    struct prior_version version;
    bool any = false;
    *out = NULL;
    pthread_mutex_lock(&p->mutex);
    version = p->version;
    memcpy(space, p->space, sizeof space);
    pthread_mutex_unlock(&p->mutex);
    if (!version.version || p->weight <= 0)
        return OK;
    struct rank_priors *found = arena_alloc(a, sizeof *found);
    struct kept *room = arena_alloc(a, sizeof *room);
    if (!found || !room)
        return err_no_memory(err, "priors");
    *found = (struct rank_priors){.weight = p->weight, .version = version.version};
    enum status st = text_fold_query(query, TEXT_QUERY_BYTES, a, &keys[0], err);
    if (st == OK)
        st = text_alike_key(keys[0], a, &keys[1], err);
    for (size_t i = 0; i < RANK_PRIOR_LISTS && st == OK; i++)
        if (*keys[i] || i == RANK_PRIOR_LISTS - 1) {
            st = find_list(p, keys[i], shares[i], version, space, room, a, &found->lists[i], err);
            any = any || found->lists[i].n;
        }
    *out = any ? found : NULL;
    return st;
}
