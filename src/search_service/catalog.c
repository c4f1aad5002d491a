#include "search_service/catalog.h"

#include "base/log.h"
#include "base/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOW_MS  500
#define PAGE_ROWS  100u
#define PAGE_BYTES (128u << 20)
#define MAX_SETS   16 /* filters that are kept */

/* The documents that pass one filter. */
struct passing {
    struct id_set ids; /* first: what is handed out */
    struct sticker_filter filter;
    char *pack;
    atomic_uint_fast64_t used; /* when, by c->clock */
};

struct catalog {
    struct search_store *store;
    struct meanings *meanings;
    /* Changes hold it as readers, catalog_lock as a writer; taken before `sets_lock`. */
    pthread_rwlock_t changes;
    int64_t followed;                        /* changes up to here are in memory; under changes, as a writer */
    const struct catalog_listener *listener; /* NULL before catalog_start */
    void *ctx;
    struct worker *follower;

    pthread_rwlock_t sets_lock;
    struct passing *sets[MAX_SETS];
    size_t n_sets;
    atomic_uint_fast64_t clock;
};

enum status catalog_open(struct search_store *store, const char *lexicon, struct catalog **out, struct error *err)
{
    struct error why;
    struct catalog *c = *out = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(err, "the catalogue");
    c->store = store;
    pthread_rwlockattr_t prefer;
    pthread_rwlockattr_init(&prefer);
    pthread_rwlockattr_setkind_np(&prefer, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&c->changes, &prefer);
    pthread_rwlock_init(&c->sets_lock, &prefer);
    pthread_rwlockattr_destroy(&prefer);
    enum status st = search_store_generation(store, &c->followed, err); /* before the documents are read */
    if (st == OK && lexicon && *lexicon && meanings_open(lexicon, store, &c->meanings, &why) != OK)
        log_warn("search knows letters only, not what words mean; \"peel words pull\" helps: %s", why.message);
    if (st != OK) {
        catalog_close(c);
        *out = NULL;
    }
    return st;
}

static void free_passing(struct passing *p)
{
    if (!p)
        return;
    id_set_free(&p->ids);
    free(p->pack);
    free(p);
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    catalog_stop(c);
    for (size_t i = 0; i < c->n_sets; i++)
        free_passing(c->sets[i]);
    meanings_close(c->meanings);
    pthread_rwlock_destroy(&c->sets_lock);
    pthread_rwlock_destroy(&c->changes);
    free(c);
}

void catalog_lock(struct catalog *c)
{
    pthread_rwlock_wrlock(&c->changes);
}

void catalog_unlock(struct catalog *c)
{
    pthread_rwlock_unlock(&c->changes);
}

struct meanings *catalog_meanings(struct catalog *c)
{
    return c->meanings;
}

/* --- what is in memory --- */

/* A document as the store has it now; the catalogue is locked, or held by the change. */
static void take_in(struct catalog *c, const struct document *doc)
{
    struct error err;
    if (meanings_put(c->meanings, doc, &err) != OK)
        log_warn("%s is not found by what its words mean until the next start: %s", doc->filename, err.message);
    pthread_rwlock_wrlock(&c->sets_lock);
    for (size_t i = 0; i < c->n_sets; i++) {
        struct passing *p = c->sets[i];
        if (!sticker_filter_passes(&p->filter, doc->pack, doc->rating, doc->animated))
            id_set_remove(&p->ids, doc->id);
        else if (id_set_add(&p->ids, doc->id, &err) != OK)
            log_warn("%s is not found with a filter until the next start: %s", doc->filename, err.message);
    }
    pthread_rwlock_unlock(&c->sets_lock);
}

static void take_out(struct catalog *c, int64_t id)
{
    meanings_remove(c->meanings, id);
    pthread_rwlock_wrlock(&c->sets_lock);
    for (size_t i = 0; i < c->n_sets; i++)
        id_set_remove(&c->sets[i]->ids, id);
    pthread_rwlock_unlock(&c->sets_lock);
}

static void tell_dropped(struct catalog *c, int64_t id)
{
    if (c->listener)
        c->listener->dropped(c->ctx, id);
}

/* Some of the vectors of this document were dropped from the store: those in memory follow it. */
static void tell_stale(struct catalog *c, const struct document *doc)
{
    struct arena a;
    struct error err;
    struct search_change change = {.doc = *doc};
    arena_init(&a, PAGE_BYTES);
    if (c->listener && c->listener->followed(c->ctx, &change, 1, &a, &err) != OK)
        log_warn("%s is found by what it was for a moment longer: %s", doc->filename, err.message);
    arena_free(&a);
}

static void tell_work(struct catalog *c, int64_t id)
{
    if (c->listener)
        c->listener->has_work(c->ctx, id);
}

/* --- changes --- */

enum status catalog_put(struct catalog *c, const struct document *doc, const struct sticker_terms *terms, int64_t *id,
                        bool *changed, struct error *err)
{
    struct document stored = *doc;
    char words_sha256[65];
    bool stale = false;
    search_store_hash_words(doc->title, doc->words_json, words_sha256);
    stored.words_sha256 = words_sha256; /* as the store has it */
    pthread_rwlock_rdlock(&c->changes);
    enum status st = search_store_put(c->store, doc, terms, id, changed, &stale, err);
    stored.id = *id;
    if (st == OK && stale)
        tell_stale(c, &stored);
    if (st == OK && *changed)
        take_in(c, &stored);
    pthread_rwlock_unlock(&c->changes);
    if (st == OK && *changed)
        tell_work(c, *id);
    return st;
}

enum status catalog_remove(struct catalog *c, const char *filename, struct error *err)
{
    int64_t id;
    pthread_rwlock_rdlock(&c->changes);
    enum status st = search_store_delete(c->store, filename, &id, err);
    if (st == OK) {
        tell_dropped(c, id);
        take_out(c, id);
    }
    pthread_rwlock_unlock(&c->changes);
    return st;
}

enum status catalog_reindex(struct catalog *c, const char *filename, int64_t *id, struct error *err)
{
    pthread_rwlock_rdlock(&c->changes);
    enum status st = search_store_document_forget(c->store, filename, id, err);
    if (st == OK)
        tell_dropped(c, *id);
    pthread_rwlock_unlock(&c->changes);
    if (st == OK)
        tell_work(c, *id);
    return st;
}

/* --- following what others change --- */

/* Changes are numbered in the order in which they became visible, so a number is all that must be remembered, and a
 * gap of any length, as after a database that was down, is caught up with page by page. *more: there may be another. */
static enum status follow_page(struct catalog *c, bool *more, struct error *err)
{
    struct arena a;
    struct search_change *changes;
    size_t n = 0;
    arena_init(&a, PAGE_BYTES);
    enum status st = search_store_changes(c->store, c->followed, PAGE_ROWS, &a, &changes, &n, err);
    for (size_t i = 0; i < n && st == OK; i++)
        if (changes[i].doc.filename)
            take_in(c, &changes[i].doc);
        else
            take_out(c, changes[i].doc.id);
    if (st == OK && n && c->listener)
        st = c->listener->followed(c->ctx, changes, n, &a, err);
    if (st == OK && n)
        c->followed = changes[n - 1].generation;
    *more = n == PAGE_ROWS;
    arena_free(&a);
    return st;
}

enum status catalog_catch_up(struct catalog *c, struct error *err)
{
    enum status st = OK;
    for (bool more = true; st == OK && more;)
        st = follow_page(c, &more, err);
    return st;
}

/* Page by page, so that changes of our own need not wait for all. */
static enum status follow(struct catalog *c, struct worker *w, struct error *err)
{
    int64_t newest;
    enum status st = search_store_generation(c->store, &newest, err);
    for (bool more = st == OK; more && st == OK && !worker_stopping(w);) {
        catalog_lock(c);
        more = newest > c->followed;
        if (more)
            st = follow_page(c, &more, err);
        catalog_unlock(c);
    }
    return st;
}

static void run_follower(struct worker *w, void *arg)
{
    struct catalog *c = arg;
    bool follows = true;
    while (worker_rest(w, FOLLOW_MS)) {
        struct error err;
        enum status st = follow(c, w, &err);
        if (st == OK)
            st = c->listener->tick(c->ctx, &err);
        if (st != OK && follows)
            log_warn("changes of other services are not followed for now: %s", err.message);
        if (st == OK && !follows)
            log_info("changes of other services are followed again");
        follows = st == OK;
    }
}

enum status catalog_start(struct catalog *c, const struct catalog_listener *listener, void *ctx, struct error *err)
{
    c->listener = listener;
    c->ctx = ctx;
    return worker_open("follow", run_follower, c, &c->follower, err);
}

void catalog_stop(struct catalog *c)
{
    worker_close(c->follower);
    c->follower = NULL;
}

/* --- filters --- */

static bool same_filter(const struct sticker_filter *a, const struct sticker_filter *b)
{
    const char *x = a->pack ? a->pack : "", *y = b->pack ? b->pack : "";
    return a->rating_most == b->rating_most && a->animated == b->animated && strcmp(x, y) == 0;
}

/* Under sets_lock. NULL: it is not kept. */
static struct passing *find_passing(struct catalog *c, const struct sticker_filter *f)
{
    for (size_t i = 0; i < c->n_sets; i++)
        if (same_filter(&c->sets[i]->filter, f))
            return c->sets[i];
    return NULL;
}

static enum status read_passing(struct search_store *store, const struct sticker_filter *f, struct passing **out,
                                struct error *err)
{
    struct passing *p = calloc(1, sizeof *p);
    if (!p || !(p->pack = strdup(f->pack ? f->pack : ""))) {
        free_passing(p);
        return err_no_memory(err, "a filter");
    }
    p->filter = *f;
    p->filter.pack = p->pack;
    enum status st = search_store_passing(store, f, &p->ids, err);
    if (st != OK) {
        free_passing(p);
        return st;
    }
    *out = p;
    return OK;
}

/* Reads it while nothing changes; it takes the place of the one that was not used for the longest time. */
static enum status keep_passing(struct catalog *c, const struct sticker_filter *f, struct error *err)
{
    struct passing *p = NULL;
    catalog_lock(c);
    enum status st = read_passing(c->store, f, &p, err);
    if (st == OK) {
        pthread_rwlock_wrlock(&c->sets_lock);
        size_t at = c->n_sets;
        for (size_t i = 0; c->n_sets == MAX_SETS && i < MAX_SETS; i++)
            if (at == MAX_SETS || c->sets[i]->used < c->sets[at]->used)
                at = i;
        if (find_passing(c, f)) { /* somebody else was quicker */
            free_passing(p);
        } else {
            c->n_sets += at == c->n_sets;
            free_passing(c->sets[at]);
            c->sets[at] = p;
            p->used = ++c->clock;
        }
        pthread_rwlock_unlock(&c->sets_lock);
    }
    catalog_unlock(c);
    return st;
}

enum status catalog_passing(struct catalog *c, const struct sticker_filter *f, const struct id_set **out,
                            struct error *err)
{
    *out = NULL;
    if (sticker_filter_is_none(f))
        return OK;
    for (;;) {
        pthread_rwlock_rdlock(&c->sets_lock);
        struct passing *p = find_passing(c, f);
        if (p) {
            p->used = ++c->clock;
            *out = &p->ids;
            return OK; /* the lock is kept */
        }
        pthread_rwlock_unlock(&c->sets_lock);
        enum status st = keep_passing(c, f, err);
        if (st != OK)
            return st;
    }
}

void catalog_passing_done(struct catalog *c, const struct id_set *passing)
{
    if (passing)
        pthread_rwlock_unlock(&c->sets_lock);
}
