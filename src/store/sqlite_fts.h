/* sqlite_fts.h: the lexical search that both stores have: BM25 over an FTS5 table whose four columns hold terms
 * made by text.h: title, words, filename (stems) and folded (unstemmed, for prefixes).
 *
 * An index row's number is FTS_ROW(id, length): the document's own number, and in the low bits how many
 * terms it has. So ranking needs no look-up per match, and a document's row is found by a range. */
#ifndef PEEL_STORE_SQLITE_FTS_H
#define PEEL_STORE_SQLITE_FTS_H

#include "store/sqlite.h"

/* How such a table is declared: terms arrive analysed, so the tokenizer only splits at white space; one- to
 * three-letter prefixes have an index of their own. */
#define FTS_COLUMNS "title, words, filename, folded, tokenize = 'ascii', columnsize = 0, prefix = '1 2 3'"

/* The statements on one such table, and on the table that it indexes. */
struct fts_table {
    const char *match, *insert, *remove, *filename;
};
#define FTS_TABLE(fts, documents, id)                                                                                  \
    {                                                                                                                  \
        .match = "SELECT peel_collect(" fts ", ?2) FROM " fts " WHERE " fts " MATCH ?1",                               \
        .insert = "INSERT INTO " fts " (rowid, title, words, filename, folded) VALUES (?1, ?2, ?3, ?4, ?5)",           \
        .remove = "DELETE FROM " fts " WHERE rowid BETWEEN ?1 << 12 AND (?1 << 12) + 4095",                            \
        .filename = "SELECT filename FROM " documents " WHERE " id " = ?1",                                            \
    }

struct fts_terms {
    const char *title, *words, *filename, *folded;
};
/* Inside a job: a document's terms, replacing older ones; and forgetting them. */
enum status fts_put(struct db_conn *c, const struct fts_table *t, int64_t id, const struct fts_terms *terms,
                    struct error *err) MUST_CHECK;
enum status fts_remove(struct db_conn *c, const struct fts_table *t, int64_t id, struct error *err) MUST_CHECK;

struct fts_hit {
    int64_t id;
    const char *filename;
    double score; /* higher is better */
};
enum { FTS_MAX_TERMS = 128 }; /* later ones are left out */

/* Best first, ties by filename. No terms is OK (no hits). Only the page that was asked for is in the arena. */
enum status fts_search(struct db *d, const struct fts_table *t, const char *const *stems, size_t n_stems,
                       const char *prefix, size_t limit, size_t offset, struct arena *a, struct fts_hit **hits,
                       size_t *n, int64_t *total, struct error *err) MUST_CHECK;

/* Makes peel_collect() known to a connection. Returns SQLite's result code. */
struct sqlite3;
int fts_register(struct sqlite3 *handle);

#endif
