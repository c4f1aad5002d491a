#include "search_service/thesaurus.h"

#include "base/json_in.h"
#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SETTING         "synonyms"
#define SETTING_VERSION "synonyms.version" /* written after it: whoever reads a new one finds the new set */
#define FOLLOW_MS       1000u
#define MEMORY          (64u << 20)

struct thesaurus {
    struct search_store *store;
    struct worker *worker;
    char followed[65];      /* the version that the database named last; the worker's, after opening */
    pthread_mutex_t change; /* held by who replaces the set */
    pthread_mutex_t mutex;  /* guards: */
    struct synonyms *synonyms;
    char version[65];
};

/* --- JSON --- */

static enum status expected(struct error *err, const char *member, const char *what)
{
    return err_set(err, ERR_INVALID, "%s must be %s", member, what);
}

static bool is_text(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value);
}

static enum status read_synonyms(const json_t *list, struct arena *a, struct synonym_entry *out, struct error *err)
{
    if (!json_is_array(list))
        return expected(err, "synonyms", "an array of strings");
    out->n_synonyms = json_array_size(list);
    const char **texts = arena_array(a, out->n_synonyms + 1, sizeof *texts);
    if (!texts)
        return err_no_memory(err, "synonyms");
    for (size_t i = 0; i < out->n_synonyms; i++) {
        if (!is_text(json_array_get(list, i)))
            return expected(err, "synonyms", "an array of strings");
        texts[i] = json_string_value(json_array_get(list, i));
    }
    out->synonyms = texts;
    return OK;
}

static enum status read_entry(const json_t *entry, struct arena *a, struct synonym_entry *out, struct error *err)
{
    const json_t *term = json_object_get(entry, "term"), *two_way = json_object_get(entry, "two_way"),
                 *language = json_object_get(entry, "language");
    if (!json_is_object(entry))
        return err_set(err, ERR_INVALID, "it must be an object");
    size_t known = 2u + (two_way != NULL) + (language != NULL);
    if (!is_text(term))
        return expected(err, "term", "a string");
    if (two_way && !json_is_boolean(two_way))
        return expected(err, "two_way", "true or false");
    if (language && !is_text(language))
        return expected(err, "language", "a string");
    *out = (struct synonym_entry){.term = json_string_value(term),
                                  .two_way = json_is_true(two_way),
                                  .language = language ? json_string_value(language) : ""};
    enum status st = read_synonyms(json_object_get(entry, "synonyms"), a, out, err);
    if (st == OK && json_object_size(entry) != known)
        st = err_set(err, ERR_INVALID, "it may have term, synonyms, two_way and language, and nothing else");
    return st;
}

static enum status read_set(const json_t *root, struct arena *a, struct synonyms **out, struct error *err)
{
    const json_t *list = json_object_get(root, "synonyms");
    if (!json_is_array(list) || json_object_size(root) != 1)
        return err_set(err, ERR_INVALID, "the body must be {\"synonyms\":[...]}");
    size_t n = json_array_size(list);
    struct synonym_entry *entries = arena_array(a, n + 1, sizeof *entries);
    if (!entries)
        return err_no_memory(err, "%zu synonyms", n);
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++)
        if ((st = read_entry(json_array_get(list, i), a, &entries[i], err)) != OK)
            err_prefix(err, "synonyms[%zu]", i);
    return st == OK ? synonyms_open(entries, n, out, err) : st;
}

static enum status parse(const char *json, size_t len, struct synonyms **out, struct error *err)
{
    struct arena a;
    json_t *root;
    *out = NULL;
    enum status st = json_read_body(json, len, JSON_REJECT_DUPLICATES, &root, err);
    if (st != OK)
        return st;
    arena_init(&a, MEMORY);
    st = read_set(root, &a, out, err);
    arena_free(&a);
    json_decref(root);
    return st;
}

/* --- the set --- */

static void use(struct thesaurus *t, struct synonyms *synonyms, const char version[65])
{
    pthread_mutex_lock(&t->mutex);
    struct synonyms *before = t->synonyms;
    t->synonyms = synonyms;
    memcpy(t->version, version, sizeof t->version);
    pthread_mutex_unlock(&t->mutex);
    synonyms_close(before);
}

/* What the database has. */
static enum status load(struct thesaurus *t, struct arena *a, struct error *err)
{
    const char *json;
    struct synonyms *synonyms = NULL;
    char version[65] = "";
    enum status st = search_store_setting_get(t->store, SETTING, a, &json, err);
    if (st != OK || !*json)
        return st;
    os_sha256_hex(json, strlen(json), version);
    if ((st = parse(json, strlen(json), &synonyms, err)) == OK)
        use(t, synonyms, version);
    return st;
}

/* Reads the set if the database names another version than it did. */
static enum status follow(void *arg, struct error *err)
{
    struct thesaurus *t = arg;
    struct arena a;
    const char *version;
    arena_init(&a, MEMORY);
    pthread_mutex_lock(&t->change);
    enum status st = search_store_setting_get(t->store, SETTING_VERSION, &a, &version, err);
    if (st == OK && strlen(version) < sizeof t->followed && strcmp(version, t->followed) != 0 &&
        (st = load(t, &a, err)) == OK)
        memcpy(t->followed, version, strlen(version) + 1);
    pthread_mutex_unlock(&t->change);
    arena_free(&a);
    return st;
}

static void follow_until_stopped(struct worker *w, void *arg)
{
    worker_repeat(w, FOLLOW_MS, follow, arg, "the synonyms in the database cannot be read");
}

void thesaurus_close(struct thesaurus *t)
{
    if (!t)
        return;
    worker_close(t->worker);
    synonyms_close(t->synonyms);
    pthread_mutex_destroy(&t->mutex);
    pthread_mutex_destroy(&t->change);
    free(t);
}

enum status thesaurus_open(struct search_store *store, struct thesaurus **out, struct error *err)
{
    *out = NULL;
    struct thesaurus *t = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(err, "synonyms");
    t->store = store;
    pthread_mutex_init(&t->change, NULL);
    pthread_mutex_init(&t->mutex, NULL);
    struct error why;
    struct arena a;
    arena_init(&a, MEMORY);
    if (load(t, &a, &why) != OK)
        log_error("the synonyms in the database cannot be read, and searches go without them: %s", why.message);
    arena_free(&a);
    enum status st = worker_open("synonyms", follow_until_stopped, t, &t->worker, err);
    if (st != OK) {
        thesaurus_close(t);
        return st;
    }
    *out = t;
    return OK;
}

static enum status store(struct thesaurus *t, const char *json, const char version[65], struct error *err)
{
    enum status st = search_store_setting_set(t->store, SETTING, json, err);
    return st == OK ? search_store_setting_set(t->store, SETTING_VERSION, version, err) : st;
}

enum status thesaurus_put(struct thesaurus *t, const char *json, size_t len, bool *changed, struct error *err)
{
    struct synonyms *synonyms;
    char version[65], now[65];
    enum status st = parse(json, len, &synonyms, err);
    if (st != OK)
        return st;
    os_sha256_hex(json, len, version);
    pthread_mutex_lock(&t->change);
    thesaurus_version(t, now);
    *changed = strcmp(version, now) != 0;
    st = *changed ? store(t, json, version, err) : OK;
    if (st == OK && *changed) {
        use(t, synonyms, version);
        synonyms = NULL;
    }
    pthread_mutex_unlock(&t->change);
    synonyms_close(synonyms);
    return st;
}

struct synonyms *thesaurus_synonyms(struct thesaurus *t)
{
    pthread_mutex_lock(&t->mutex);
    struct synonyms *s = synonyms_share(t->synonyms);
    pthread_mutex_unlock(&t->mutex);
    return s;
}

void thesaurus_version(struct thesaurus *t, char out[65])
{
    pthread_mutex_lock(&t->mutex);
    memcpy(out, t->version, sizeof t->version);
    pthread_mutex_unlock(&t->mutex);
}

enum status thesaurus_json(struct thesaurus *t, struct arena *a, const char **json, struct error *err)
{
    return search_store_setting_get(t->store, SETTING, a, json, err);
}
