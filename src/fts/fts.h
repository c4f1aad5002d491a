/* fts.h: the lexical search in a database, as StickerService has it: in SQLite two FTS5 tables (fts_sqlite.h), in
 * PostgreSQL postings of our own (fts_postgres.h). SearchService has an index in memory (fts_index.h). All rank alike
 * (fts_rank.h). The room gets terms and knows no language; it sees base and db. */
#ifndef PEEL_FTS_FTS_H
#define PEEL_FTS_FTS_H

#include "fts/fts_postgres.h"
#include "fts/fts_sqlite.h"

struct fts_table {
    struct fts_sqlite sqlite;
    struct fts_postgres postgres;
};
/* The index `fts` of table `documents`, whose rows it knows by the column `row` or `rowno`. `by`: in SQLite, how to
 * find what a filter looks at there, "" or "INDEXED BY ...". */
#define FTS_TABLE(fts, documents, row, rowno, by)                                                                      \
    {                                                                                                                  \
        .sqlite = FTS_SQLITE(fts, documents, row, by), .postgres = FTS_POSTGRES(fts, documents, rowno)                 \
    }

/* Inside a job: a document's terms, replacing older ones; and forgetting them. */
enum status fts_put(struct db_conn *c, const struct fts_table *t, int64_t id, const struct sticker_terms *terms,
                    struct error *err) MUST_CHECK;
enum status fts_remove(struct db_conn *c, const struct fts_table *t, int64_t id, struct error *err) MUST_CHECK;
/* The terms that the document has, in the arena. */
enum status fts_get(struct db_conn *c, const struct fts_table *t, int64_t id, struct arena *a, bool *found,
                    struct sticker_terms *out, struct error *err) MUST_CHECK;
/* The greatest number of a document that has terms; 0: none has. */
enum status fts_last(struct db_conn *c, const struct fts_table *t, int64_t *id, struct error *err) MUST_CHECK;

/* Best first, ties by filename. No terms is OK (no hits). Only
 * the page that was asked for is in the arena. Of a `filter` (NULL: none) all that does not pass is as if it were not
 * there, but for how many documents and words there are. */
enum status fts_search(struct db *d, const struct fts_table *t, const struct term_query *q,
                       const struct sticker_filter *filter, size_t limit, size_t offset, struct arena *a,
                       struct fts_hit **hits, size_t *n, int64_t *total, struct error *err) MUST_CHECK;

#endif
