#include "sticker_service/collection.h"

#include "base/language.h"
#include "base/log.h"
#include "base/os.h"
#include "base/utf8.h"
#include "base/worker.h"
#include "sticker_service/phrase_list.h"
#include "text/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS          3000u     /* whether stickers have changed is asked this often */
#define AGAIN_US         300000000 /* everything is read again after that long: what was deleted leaves no trace */
#define QUIET_US         2500000   /* stickers that are being imported change all the time: what is read meanwhile is */
#define BUSY_US          30000000  /* old at once, so it is read when they rest, or that long after the last time */
#define LANGUAGES_MAX    16u       /* kept at once: each takes some megabytes */
#define TAGS_MAX         1000u     /* "pt", "pt-BR" and so on: what is beyond them has no suggestions */
#define EVICT_US         2000000   /* between one language and the next that makes room for another */
#define PAGE_ROWS        2000u     /* of stickers, read at once */
#define PAGE_BYTES       (64u << 20)
#define PLAIN_MAX        255u /* bytes of a phrase */
#define POPULAR_LEAST    2.0  /* each search counts less than 1, so it takes three */
#define POPULAR_MAX      1000u
#define POPULAR_AGAIN_US 60000000

struct collection {
    struct sticker_store *store;
    unsigned query_clients;
    struct worker *reader;
    atomic_bool wanted[LANGUAGE_COUNT];      /* somebody has asked for it, */
    _Atomic int64_t used_us[LANGUAGE_COUNT]; /* and when last (monotonic) */
    struct language_tag {
        const char *tag;
        unsigned language;
    } * tags; /* that stickers have words under; the reader's own, as the next ones; texts in tags_texts */
    size_t n_tags;
    struct arena tags_texts;
    int64_t evicted_us;
    pthread_rwlock_t lock;                     /* guards what follows: the reader's thread alone changes it */
    struct phrase_list *lists[LANGUAGE_COUNT]; /* NULL: not read */
    struct arena facts_texts, popular_texts;
    struct collection_facts facts; /* texts in facts_texts */
    struct popular {
        const char *query, *plain;
    } * popular; /* the most popular first; texts in popular_texts */
    size_t n_popular;
};

/* --- reading --- */

/* The phrases of "cat, kitten". */
static enum status add_words(struct phrase_list *l, const char *words, struct arena *a, struct error *err)
{
    enum status status = OK;
    for (const char *s = words; *s && status == OK;) {
        size_t len = strcspn(s, ","), n = len;
        const char *word = s, *plain;
        utf8_trim(&word, &n);
        status = text_plain(word, n, PLAIN_MAX, a, &plain, err);
        const char *text = status == OK ? arena_strndup(a, word, n) : NULL;
        if (text)
            phrase_list_add(l, text, plain, SUGGESTION_WORD, 1);
        s += len + (s[len] == ',');
    }
    return status;
}

static enum status add_names(struct phrase_list *l, const struct sticker_name *names, size_t n, struct arena *a,
                             struct error *err)
{
    enum status status = OK;
    for (size_t i = 0; i < n && status == OK; i++) {
        const char *plain;
        status = text_plain(names[i].title, strlen(names[i].title), PLAIN_MAX, a, &plain, err);
        if (status == OK) {
            phrase_list_add(l, names[i].title, plain, SUGGESTION_TITLE, 1);
            status = add_words(l, names[i].words, a, err);
        }
    }
    return status;
}

/* Queries whose words the language has. */
static void add_queries(const struct collection *c, struct phrase_list *l)
{
    for (size_t i = 0; i < c->n_popular; i++)
        if (phrase_list_knows(l, c->popular[i].plain))
            phrase_list_add(l, c->popular[i].query, c->popular[i].plain, SUGGESTION_QUERY, 1);
    phrase_list_sort(l);
}

/* What stickers are called under one tag. */
static enum status read_tag(struct collection *c, const char *tag, struct phrase_list *l, struct error *err)
{
    struct arena page;
    int64_t after = 0;
    size_t n = 1;
    enum status status = OK;
    arena_init(&page, PAGE_BYTES);
    while (status == OK && n && !worker_stopping(c->reader)) {
        struct sticker_name *names;
        arena_reset(&page);
        status = sticker_store_names(c->store, tag, &after, PAGE_ROWS, &page, &names, &n, err);
        if (status == OK)
            status = add_names(l, names, n, &page, err);
    }
    arena_free(&page);
    return status;
}

/* Under its own tag, those of its scripts and countries, and its aliases. */
static enum status read_list(struct collection *c, unsigned language, struct phrase_list **out, struct error *err)
{
    struct phrase_list *l = phrase_list_new();
    enum status status = l ? OK : err_no_memory(err, "the phrases of a language");
    for (size_t i = 0; i < c->n_tags && status == OK; i++)
        if (c->tags[i].language == language)
            status = read_tag(c, c->tags[i].tag, l, err);
    if (status != OK) {
        phrase_list_free(l);
        return status;
    }
    phrase_list_sort(l);
    add_queries(c, l);
    *out = l;
    return OK;
}

static void keep_list(struct collection *c, unsigned language, struct phrase_list *l)
{
    pthread_rwlock_wrlock(&c->lock);
    struct phrase_list *old = c->lists[language];
    c->lists[language] = l;
    pthread_rwlock_unlock(&c->lock);
    phrase_list_free(old);
}

static enum status read_popular(struct collection *c, struct error *err)
{
    struct arena texts;
    const char **queries;
    size_t n = 0;
    arena_init(&texts, 4u << 20);
    enum status status = sticker_store_popular(c->store, POPULAR_LEAST, c->query_clients, os_now_us(), POPULAR_MAX,
                                               &texts, &queries, &n, err);
    struct popular *popular = status == OK ? arena_array(&texts, n + 1, sizeof *popular) : NULL;
    if (status == OK && !popular)
        status = err_no_memory(err, "popular queries");
    for (size_t i = 0; i < n && status == OK; i++) {
        popular[i].query = queries[i];
        status = text_plain(queries[i], strlen(queries[i]), PLAIN_MAX, &texts, &popular[i].plain, err);
    }
    if (status != OK) {
        arena_free(&texts);
        return status;
    }
    pthread_rwlock_wrlock(&c->lock);
    struct arena old = c->popular_texts;
    c->popular_texts = texts;
    c->popular = popular;
    c->n_popular = n;
    pthread_rwlock_unlock(&c->lock);
    arena_free(&old);
    return OK;
}

static enum status read_facts(struct collection *c, struct error *err)
{
    struct arena texts;
    struct pack_row *rows;
    size_t n = 0;
    struct collection_facts facts = {0};
    arena_init(&texts, 1u << 20);
    enum status status = sticker_store_packs(c->store, COLLECTION_PACKS, &texts, &rows, &n, err);
    if (status == OK && !(facts.packs = arena_array(&texts, n + 1, sizeof *facts.packs)))
        status = err_no_memory(err, "packs");
    if (status != OK) {
        arena_free(&texts);
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        if (*rows[i].about.name)
            facts.packs[facts.n_packs++] = rows[i];
        facts.some_animated = facts.some_animated || rows[i].animated;
        facts.some_still = facts.some_still || rows[i].animated < rows[i].stickers;
        if (rows[i].rating_most > facts.rating_most)
            facts.rating_most = rows[i].rating_most;
    }
    pthread_rwlock_wrlock(&c->lock);
    struct arena old = c->facts_texts;
    c->facts_texts = texts;
    c->facts = facts;
    pthread_rwlock_unlock(&c->lock);
    arena_free(&old);
    return OK;
}

/* English is there in any case: stickers have titles of their own. */
static enum status read_tags(struct collection *c, struct error *err)
{
    struct arena texts;
    const char **tags;
    size_t n, n_tags = 0;
    arena_init(&texts, 1u << 20);
    enum status status = sticker_store_languages(c->store, TAGS_MAX, &texts, &tags, &n, err);
    struct language_tag *kept = status == OK ? arena_array(&texts, n + 1, sizeof *kept) : NULL;
    if (status == OK && !kept)
        status = err_no_memory(err, "languages");
    if (status != OK) {
        arena_free(&texts);
        return status;
    }
    kept[n_tags++] = (struct language_tag){language_code(LANGUAGE_en), LANGUAGE_en};
    for (size_t i = 0; i < n; i++)
        if (strcmp(tags[i], kept[0].tag) != 0)
            kept[n_tags++] = (struct language_tag){tags[i], language_number(tags[i])};
    arena_free(&c->tags_texts);
    c->tags_texts = texts;
    c->tags = kept;
    c->n_tags = n_tags;
    return OK;
}

static bool has_words(const struct collection *c, unsigned language)
{
    size_t i = 0;
    while (i < c->n_tags && c->tags[i].language != language)
        i++;
    return i < c->n_tags;
}

/* Room for one list more: if there is none, that of the language which was longest not asked for, unless it is this
 * one. Languages take turns slowly, so that who asks for many keeps nothing busy. */
static bool make_room(struct collection *c, unsigned language)
{
    unsigned n = 0, oldest = language;
    int64_t now_us = os_monotonic_us();
    for (unsigned i = 1; i < LANGUAGE_COUNT; i++) {
        n += c->lists[i] != NULL;
        if (c->lists[i] && i != LANGUAGE_en && atomic_load(&c->used_us[i]) < atomic_load(&c->used_us[oldest]))
            oldest = i;
    }
    if (n < LANGUAGES_MAX)
        return true;
    if (oldest == language || now_us - c->evicted_us < EVICT_US)
        return false;
    keep_list(c, oldest, NULL);
    atomic_store(&c->wanted[oldest], false);
    c->evicted_us = now_us;
    return true;
}

/* What is missing, or with `all` everything. */
static enum status read_lists(struct collection *c, bool all, struct error *err)
{
    enum status status = OK;
    for (unsigned i = 1; i < LANGUAGE_COUNT && status == OK && !worker_stopping(c->reader); i++) {
        struct phrase_list *l = NULL;
        if (!atomic_load(&c->wanted[i]) || (c->lists[i] && !all))
            continue;
        if (has_words(c, i) ? !c->lists[i] && !make_room(c, i) : !c->lists[i])
            continue;
        if (has_words(c, i))
            status = read_list(c, i, &l, err);
        if (status == OK)
            keep_list(c, i, l);
    }
    return status;
}

bool collection_is_due(struct collection_stamp *s, int64_t stamp_us, int64_t now_us)
{
    if (stamp_us != s->seen_stamp_us)
        s->changed_us = now_us;
    s->seen_stamp_us = stamp_us;
    int64_t quiet_us = now_us - s->changed_us, age_us = now_us - s->read_us;
    if (!s->read || age_us > AGAIN_US)
        return true;
    return stamp_us != s->read_stamp_us && (quiet_us >= QUIET_US || age_us >= BUSY_US);
}

void collection_was_read(struct collection_stamp *s, int64_t stamp_us, int64_t now_us)
{
    s->read_us = now_us;
    s->read_stamp_us = stamp_us;
    s->read = true;
}

static void read_now_and_then(struct worker *w, void *arg)
{
    struct collection *c = arg;
    struct collection_stamp stamp = {0};
    int64_t popular_us = 0;
    do {
        struct error err;
        int64_t modified_us = 0, now_us = os_monotonic_us();
        enum status status = sticker_store_modified(c->store, &modified_us, &err);
        bool all = status == OK && collection_is_due(&stamp, modified_us, now_us);
        if (status == OK && all)
            status = read_facts(c, &err);
        if (status == OK && all)
            status = read_tags(c, &err);
        if (status == OK && (all || now_us - popular_us > POPULAR_AGAIN_US)) {
            status = read_popular(c, &err);
            popular_us = now_us;
        }
        if (status == OK)
            status = read_lists(c, all, &err);
        if (status == OK && all)
            collection_was_read(&stamp, modified_us, now_us);
        if (status != OK)
            log_debug("the collection was not read: %s", err.message);
    } while (worker_rest(w, LOOK_MS));
}

/* --- life --- */

enum status collection_open(struct sticker_store *store, unsigned query_clients, struct collection **out,
                            struct error *err)
{
    struct collection *c = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(err, "the collection");
    c->store = store;
    c->query_clients = query_clients;
    worker_rwlock_init(&c->lock);
    arena_init(&c->facts_texts, 1);
    arena_init(&c->popular_texts, 1);
    arena_init(&c->tags_texts, 1);
    atomic_store(&c->wanted[LANGUAGE_en], true);
    enum status status = worker_open("collection", read_now_and_then, c, &c->reader, err);
    if (status != OK) {
        collection_close(c);
        return status;
    }
    *out = c;
    return OK;
}

void collection_close(struct collection *c)
{
    if (!c)
        return;
    worker_close(c->reader);
    for (size_t i = 0; i < LANGUAGE_COUNT; i++)
        phrase_list_free(c->lists[i]);
    arena_free(&c->facts_texts);
    arena_free(&c->popular_texts);
    arena_free(&c->tags_texts);
    pthread_rwlock_destroy(&c->lock);
    free(c);
}

/* --- asking --- */

/* The number of a language that has a list, or may have one soon. */
static unsigned want(struct collection *c, const char *language)
{
    unsigned number = language ? language_number(language) : LANGUAGE_en;
    if (number == LANGUAGE_OTHER)
        return LANGUAGE_en;
    atomic_store(&c->used_us[number], os_monotonic_us());
    if (!atomic_exchange(&c->wanted[number], true))
        worker_wake(c->reader);
    return number;
}

void collection_facts(struct collection *c, struct arena *a, struct collection_facts *out)
{
    pthread_rwlock_rdlock(&c->lock);
    *out = c->facts;
    out->n_packs = 0;
    out->packs = arena_array(a, c->facts.n_packs + 1, sizeof *out->packs);
    for (size_t i = 0; out->packs && i < c->facts.n_packs; i++) {
        struct pack_row pack = c->facts.packs[i];
        const char **texts[] = {&pack.about.name,   &pack.about.title, &pack.about.author, &pack.about.license,
                                &pack.about.source, &pack.about.cover, &pack.cover};
        bool kept = true;
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            kept = (*texts[k] = arena_strdup(a, *texts[k])) && kept;
        if (kept)
            out->packs[out->n_packs++] = pack;
    }
    pthread_rwlock_unlock(&c->lock);
}

/* Adds those that are not among the first n. */
static size_t add_others(const struct phrase_list *l, const char *plain, size_t limit, struct arena *a,
                         struct suggestion *out, size_t n)
{
    struct suggestion more[COLLECTION_SUGGESTIONS];
    size_t found = phrase_list_find(l, plain, limit, a, more);
    for (size_t i = 0; i < found && n < limit; i++) {
        size_t at = 0;
        while (at < n && strcmp(out[at].text, more[i].text) != 0)
            at++;
        if (at == n)
            out[n++] = more[i];
    }
    return n;
}

size_t collection_suggest(struct collection *c, const char *prefix, const char *language, size_t limit, struct arena *a,
                          struct suggestion *out)
{
    const char *plain;
    struct error err;
    size_t n = 0;
    unsigned number = want(c, language);
    if (text_plain(prefix, strlen(prefix), PLAIN_MAX, a, &plain, &err) != OK || !*plain)
        return 0;
    pthread_rwlock_rdlock(&c->lock);
    const struct phrase_list *own = c->lists[number], *english = c->lists[LANGUAGE_en];
    if (own)
        n = phrase_list_find(own, plain, limit, a, out);
    if (n < limit && english && english != own)
        n = add_others(english, plain, limit, a, out, n);
    if (!n && own)
        n = phrase_list_find_near(own, plain, limit, a, out);
    if (!n && english && english != own)
        n = phrase_list_find_near(english, plain, limit, a, out);
    pthread_rwlock_unlock(&c->lock);
    return n;
}

size_t collection_popular(struct collection *c, const char *language, size_t limit, struct arena *a, const char **out)
{
    size_t n = 0;
    unsigned number = want(c, language);
    pthread_rwlock_rdlock(&c->lock);
    const struct phrase_list *l = c->lists[number];
    for (size_t i = 0; l && i < c->n_popular && n < limit; i++) {
        const char *text = phrase_list_knows(l, c->popular[i].plain) ? arena_strdup(a, c->popular[i].query) : NULL;
        if (text)
            out[n++] = text;
    }
    pthread_rwlock_unlock(&c->lock);
    return n;
}
