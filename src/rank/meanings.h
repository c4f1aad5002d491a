/* meanings.h: the documents' English words with their meaning, in memory: which distinct words there are,
 * their vectors, and who has them. Late interaction: each word of a query looks for the most alike word of
 * each document. Thread-safe; a change holds searches up for microseconds. */
#ifndef PEEL_RANK_MEANINGS_H
#define PEEL_RANK_MEANINGS_H

#include "base/arena.h"
#include "base/labels.h"
#include "base/pool.h"
#include "search_store/search_store.h"

struct meanings;
/* Reads the lexicon and all documents; those alone that have changed since it was saved, if there is a snapshot (NULL:
 * there is none): by the numbers of the changes, or by the hashes of all where the store does not know the snapshot.
 * Where there are many to read, on so many threads. ERR_NOT_FOUND: there is no lexicon. */
enum status meanings_open(const char *path, struct search_store *store, const char *snapshot, unsigned threads,
                          struct meanings **out, struct error *err) MUST_CHECK;
void meanings_close(struct meanings *x); /* NULL is fine */
/* Writes the snapshot, if anything changed since it was read or written. `number`: the last change of the store that
 * was taken in. One thread's. */
enum status meanings_save(struct meanings *x, const char *snapshot, int64_t number, struct error *err) MUST_CHECK;

/* Takes in a document as it is in the store now, or anew; NULL for x is fine, as below. */
enum status meanings_put(struct meanings *x, const struct document *doc, struct error *err) MUST_CHECK;
void meanings_remove(struct meanings *x, int64_t id);

struct meaning_hit {
    int64_t id;
    double score; /* 0..1; 1: every word of the query is there, and the document is about nothing else */
};
/* The best `most`, at least 1; in_order: the best first, equal ones by id. Those whose words are not alike are left
 * out, as are those not in `passing` (NULL: all are). *corrected: the query with misspelled words put right, NULL when
 * there are none. With many documents, the threads of the pool (NULL: none) help. */
enum status meanings_search(struct meanings *x, const char *text, size_t len, const struct label_test *passing,
                            size_t most, bool in_order, struct pool *pool, struct arena *a, struct meaning_hit **out,
                            size_t *n, const char **corrected, struct error *err) MUST_CHECK;

/* How many English words are more frequent than this one, in small letters; UINT32_MAX: it is unknown. */
uint32_t meanings_rank(const struct meanings *x, const char *word, size_t len);

/* The names of the places whose people, or whose things, the text names, for a search by terms: "unitedstates america
 * usa" of "american flag". "": none; in the arena. */
enum status meanings_names(const struct meanings *x, const char *text, size_t len, struct arena *a, const char **names,
                           struct error *err) MUST_CHECK;
/* The most that the rarity of a folded word among stickers may count: what is frequent in English, such as "want", says
 * little about a picture, however few stickers have it. 0: no limit. */
double meanings_most(const struct meanings *x, const char *word);

#endif
