/* sqlite_fts.h: the lexical search that both stores have: BM25 by FTS5 over four columns of terms made
 * by text.h: title, words, filename (stems) and folded (unstemmed, for prefixes). */
#ifndef PEEL_STORE_SQLITE_FTS_H
#define PEEL_STORE_SQLITE_FTS_H

#include "store/sqlite.h"

/* How an FTS table with these columns is declared: terms arrive analysed, so the tokenizer only splits
 * at white space; one- to three-letter prefixes have their own index. */
#define FTS_COLUMNS "title, words, filename, folded, tokenize = 'ascii', prefix = '1 2 3'"
/* Weights: a prefix match counts less than any full match of the same word. */
#define FTS_RANK(table) "bm25(" table ", 3.0, 2.0, 1.0, 0.25)"

struct fts_tables {
    const char *match;    /* SELECT rowid, FTS_RANK(t) FROM t WHERE t MATCH ?1 */
    const char *filename; /* SELECT filename FROM ... WHERE row = ?1 */
};
struct fts_hit {
    int64_t row;
    const char *filename;
    double score; /* higher is better */
};

enum { FTS_MAX_TERMS = 128 }; /* later ones are left out */

/* Best first, ties by filename. No terms is OK (no hits). */
enum status fts_search(struct db *d, const struct fts_tables *t, const char *const *stems, size_t n_stems,
                       const char *prefix, size_t limit, size_t offset, struct arena *a, struct fts_hit **hits,
                       size_t *n, int64_t *total, struct error *err) MUST_CHECK;

#endif
