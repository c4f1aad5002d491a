/* word_index.h: the documents' English words with their meaning, in memory: which distinct words there are,
 * their vectors, and who has them. Late interaction: each word of a query looks for the most alike word of
 * each document. Thread-safe; a change holds searches up for microseconds. */
#ifndef PEEL_SEARCH_SERVICE_WORD_INDEX_H
#define PEEL_SEARCH_SERVICE_WORD_INDEX_H

#include "base/arena.h"
#include "search_store/search_store.h"

struct word_index;
/* Reads the lexicon and all documents. ERR_NOT_FOUND: there is no lexicon. */
enum status word_index_open(const char *path, struct search_store *store, struct word_index **out,
                            struct error *err) MUST_CHECK;
void word_index_close(struct word_index *x); /* NULL is fine */

/* Takes in a document as it is in the store now, or anew; NULL for x is fine, as below. */
enum status word_index_put(struct word_index *x, const struct document *doc, struct error *err) MUST_CHECK;
void word_index_remove(struct word_index *x, int64_t id);

struct word_hit {
    int64_t id;
    double score; /* 0..1; 1: every word of the query is there, and the document is about nothing else */
};
/* The best `most` first, equal ones by id; those whose words are not alike are left out. *corrected: the query with
 * misspelled words put right, NULL when there are none. */
enum status word_index_search(struct word_index *x, const char *text, size_t len, size_t most, struct arena *a,
                              struct word_hit **out, size_t *n, const char **corrected, struct error *err) MUST_CHECK;

/* A document's title and words as one text, in English if it has that. */
enum status document_text(const struct document *doc, struct arena *a, const char **text, size_t *len,
                          struct error *err) MUST_CHECK;

#endif
