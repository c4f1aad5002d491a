#include "search_service/catalog.h"

#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLLOW_MS      500
#define LABELS_US      60000000 /* between two tries to read what searches filter by */
#define LABELS_WAIT_MS 200      /* for which a search waits while others read it */
#define SAVE_US        60000000 /* between two snapshots, and SAVE_EFFORT times as long as one takes */
#define SAVE_EFFORT    20
#define PAGE_ROWS      100u
#define PAGE_BYTES     (128u << 20)

struct catalog {
    struct search_store *store;
    struct meanings *meanings;
    struct labels *_Atomic labels; /* what searches filter by; NULL until it has been read */
    int64_t labels_us;             /* when the follower may try again to read it */
    /* Changes hold it as readers, catalog_lock as a writer; taken before the labels' own. */
    pthread_rwlock_t changes;
    int64_t followed;                        /* changes up to here are in memory; under changes, as a writer */
    const struct catalog_listener *listener; /* NULL before catalog_start */
    void *ctx;
    struct worker *follower;
    char words[PATH_MAX],
        terms[PATH_MAX]; /* snapshots of what words mean and of the index of terms; "": none is kept */
    int64_t save_us;     /* when the next ones may be written; the follower's */
};

/* After a crash there are the last ones, or none: then the next start reads more documents. */
static void save(struct catalog *c)
{
    struct error err;
    int64_t start = os_monotonic_us();
    pthread_rwlock_rdlock(&c->changes);
    int64_t followed = c->followed;
    pthread_rwlock_unlock(&c->changes);
    if (*c->words && meanings_save(c->meanings, c->words, followed, &err) != OK)
        log_warn("cannot write %s, so the next start takes longer: %s", c->words, err.message);
    if (*c->terms && search_store_index_save(c->store, c->terms, &err) != OK)
        log_warn("cannot write %s, so the next start takes longer: %s", c->terms, err.message);
    int64_t now = os_monotonic_us(), pause = SAVE_EFFORT * (now - start);
    c->save_us = now + (pause > SAVE_US ? pause : SAVE_US);
}

enum status catalog_open(struct search_store *store, const char *lexicon, const char *cache_dir, unsigned threads,
                         struct catalog **out, struct error *err)
{
    struct error why;
    struct catalog *c = *out = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(err, "the catalogue");
    c->store = store;
    worker_rwlock_init(&c->changes);
    enum status st = search_store_generation(store, &c->followed, err); /* before the documents are read */
    if (st == OK && cache_dir && *cache_dir && (st = os_mkdirs(cache_dir, err)) == OK) {
        (void)snprintf(c->words, sizeof c->words, "%s/words.snapshot", cache_dir);
        (void)snprintf(c->terms, sizeof c->terms, "%s/terms.snapshot", cache_dir);
    }
    if (st == OK)
        st = search_store_index_open(store, *c->terms ? c->terms : NULL, err);
    if (st == OK && lexicon && *lexicon &&
        meanings_open(lexicon, store, *c->words ? c->words : NULL, threads, &c->meanings, &why) != OK)
        log_warn("no lexicon of words: searching without meanings; `peel words pull` downloads it: %s", why.message);
    if (st != OK) {
        catalog_close(c);
        *out = NULL;
    }
    return st;
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    catalog_stop(c);
    save(c);
    labels_close(atomic_load(&c->labels));
    meanings_close(c->meanings);
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
        log_warn("%s cannot be found by the meanings of its keywords until the next start: %s", doc->filename,
                 err.message);
    struct labels *l = atomic_load(&c->labels);
    if (l && labels_put(l, doc->id, doc->pack, doc->rating, doc->animated, &err) != OK)
        log_warn("%s cannot be found with a filter until the next start: %s", doc->filename, err.message);
}

static void take_out(struct catalog *c, int64_t id)
{
    meanings_remove(c->meanings, id);
    struct labels *l = atomic_load(&c->labels);
    if (l)
        labels_remove(l, id);
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
        log_warn("%s is found by its old keywords for a moment: %s", doc->filename, err.message);
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
    char words_sha256[65];
    struct document stored = *doc;
    bool stale = false;
    search_store_hash_words(doc->title, doc->words_json, words_sha256);
    stored.words_sha256 = words_sha256;
    pthread_rwlock_rdlock(&c->changes);
    enum status st = search_store_put(c->store, &stored, terms, id, changed, &stale, err);
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

/* --- filters --- */

struct labels_reading {
    struct labels *labels;
    struct worker *w; /* stops reading when it is to stop; NULL: a search reads */
};

static enum status take_label(void *ctx, int64_t id, const char *pack, enum rating rating, bool animated,
                              struct error *err)
{
    struct labels_reading *r = ctx;
    if (r->w && worker_stopping(r->w))
        return err_set(err, ERR_CANCELLED, "stopped");
    return labels_put(r->labels, id, pack, rating, animated, err);
}

/* While the catalogue is locked. */
static enum status read_labels(struct catalog *c, struct worker *w, struct error *err)
{
    struct labels_reading r = {.w = w};
    if (atomic_load(&c->labels))
        return OK;
    enum status st = labels_open(&r.labels, err);
    if (st == OK)
        st = search_store_labels(c->store, take_label, &r, err);
    if (st == OK)
        atomic_store(&c->labels, r.labels);
    else
        labels_close(r.labels);
    return st;
}

/* Soon after the start, in the background: with many documents, it takes longer than a search may. */
static void load_labels(struct catalog *c, struct worker *w)
{
    struct error err;
    if (atomic_load(&c->labels) || os_monotonic_us() < c->labels_us)
        return;
    catalog_lock(c);
    enum status st = read_labels(c, w, &err);
    catalog_unlock(c);
    c->labels_us = os_monotonic_us() + LABELS_US;
    if (st != OK && st != ERR_CANCELLED)
        log_warn("searches with a filter fail, as what they filter by cannot be read at the moment: %s", err.message);
}

/* A search that comes before reads them itself. While others hold the lock it waits, for LABELS_WAIT_MS at most. */
static enum status await_labels(struct catalog *c, struct error *err)
{
    enum status st = OK;
    for (unsigned waited = 0; st == OK && !atomic_load(&c->labels); waited++) {
        if (waited == LABELS_WAIT_MS)
            return err_set(err, ERR_UNAVAILABLE, "what searches filter by is being read");
        if (pthread_rwlock_trywrlock(&c->changes) == 0) {
            st = read_labels(c, NULL, err);
            catalog_unlock(c);
        } else {
            usleep(1000);
        }
    }
    return st;
}

enum status catalog_test_begin(struct catalog *c, const struct sticker_filter *f, struct label_test *out,
                               struct error *err)
{
    enum status st = await_labels(c, err);
    if (st == OK)
        labels_test_begin(atomic_load(&c->labels), f, out);
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
static enum status follow_documents(struct catalog *c, struct worker *w, int64_t newest, struct error *err)
{
    enum status st = OK;
    for (bool more = true; more && st == OK && !worker_stopping(w);) {
        catalog_lock(c);
        more = newest > c->followed;
        if (more)
            st = follow_page(c, &more, err);
        catalog_unlock(c);
    }
    return st;
}

static enum status follow_terms(struct catalog *c, struct worker *w, int64_t newest, struct error *err)
{
    enum status st = OK;
    for (bool more = true; more && st == OK && !worker_stopping(w);) {
        catalog_lock(c);
        st = search_store_index_read(c->store, newest, &more, err);
        catalog_unlock(c);
        if (st == OK)
            st = search_store_tidy(c->store, err);
    }
    return st;
}

static enum status follow(struct catalog *c, struct worker *w, struct error *err)
{
    int64_t newest;
    load_labels(c, w);
    enum status st = search_store_generation(c->store, &newest, err);
    if (st == OK)
        st = follow_terms(c, w, newest, err);
    return st == OK ? follow_documents(c, w, newest, err) : st;
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
            log_warn("cannot follow the changes of other SearchServices at the moment: %s", err.message);
        if (st == OK && !follows)
            log_info("following the changes of other SearchServices again");
        follows = st == OK;
        if (os_monotonic_us() >= c->save_us)
            save(c);
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
