/* catalog.h: the documents of SearchService, and everything that must agree with them: their terms and vectors in the
 * store, what their words mean, which of them pass a filter, and each model's vectors in memory (the listener's). Every
 * change of a document goes through here and reaches all of them, or none.
 *
 * Many changes may be under way at once; each holds the catalogue's lock as a reader. Two of one document at the same
 * time may reach memory in another order than the store; following the store puts that right within half a second. Who
 * needs store and memory to agree for a moment, to commit vectors to both, say, locks the catalogue as its only writer.
 *
 * Several SearchServices may share a database. What the others change is read from it twice a second, our own changes
 * with it: applying one again does nothing. */
#ifndef PEEL_SEARCH_SERVICE_CATALOG_H
#define PEEL_SEARCH_SERVICE_CATALOG_H

#include "base/filter.h"
#include "base/labels.h"
#include "base/terms.h"
#include "rank/meanings.h"
#include "search_store/search_store.h"
#include <stdbool.h>

struct catalog;
/* `lexicon`: a path; NULL, "" or no such file: nothing is known of what words mean. `cache_dir`: where the snapshots of
 * what they mean, and of the index of terms, are kept for the next start; NULL or "": nowhere. All borrowed until
 * catalog_close. `threads`: as many read the documents. */
enum status catalog_open(struct search_store *store, const char *lexicon, const char *cache_dir, unsigned threads,
                         struct catalog **out, struct error *err) MUST_CHECK;
void catalog_close(struct catalog *c); /* NULL is fine */

/* Who keeps vectors of documents in memory. */
struct catalog_listener {
    /* The store has no vectors of this document any more. The catalogue is locked by a change. */
    void (*dropped)(void *ctx, int64_t id);
    /* Something of this document is to be encoded. */
    void (*has_work)(void *ctx, int64_t id);
    /* These changed, by whichever process, as they are in the store now: filename NULL where one is gone. The
     * catalogue is locked, by a change or by catalog_lock. */
    enum status (*followed)(void *ctx, const struct search_change *changes, size_t n, struct arena *a,
                            struct error *err);
    /* After each look at the database, twice a second. */
    enum status (*tick)(void *ctx, struct error *err);
};
/* Starts to follow the database. `listener` is borrowed until catalog_close. */
enum status catalog_start(struct catalog *c, const struct catalog_listener *listener, void *ctx,
                          struct error *err) MUST_CHECK;
/* Follows it no longer; waits for what is under way. catalog_catch_up still tells the listener. */
void catalog_stop(struct catalog *c);

/* Adds or replaces a document, as search_store_put. */
enum status catalog_put(struct catalog *c, const struct document *doc, const struct sticker_terms *terms, int64_t *id,
                        bool *changed, struct error *err) MUST_CHECK;
enum status catalog_remove(struct catalog *c, const char *filename, struct error *err) MUST_CHECK; /* NOT_FOUND */
/* Forgets its vectors, so that it is encoded anew. NOT_FOUND. */
enum status catalog_reindex(struct catalog *c, const char *filename, int64_t *id, struct error *err) MUST_CHECK;

/* While locked nothing changes, in the store by us and in memory at all. */
void catalog_lock(struct catalog *c);
void catalog_unlock(struct catalog *c);
/* While locked: applies what others changed, until memory is as new as the store was just now. */
enum status catalog_catch_up(struct catalog *c, struct error *err) MUST_CHECK;

struct meanings *catalog_meanings(struct catalog *c); /* NULL: no lexicon */
/* A test of documents by their ids, to be ended with labels_test_end; changes wait for that. ERR_UNAVAILABLE: soon
 * after the start, what it needs is still being read. */
enum status catalog_test_begin(struct catalog *c, const struct sticker_filter *f, struct label_test *out,
                               struct error *err) MUST_CHECK;

#endif
