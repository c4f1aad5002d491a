/* fts.c: to the index of the database at hand. */
#include "fts/fts.h"

enum status fts_put(struct db_conn *c, const struct fts_table *t, int64_t id, const struct sticker_terms *terms,
                    struct error *err)
{
    return db_is_postgres(c) ? fts_postgres_put(c, &t->postgres, id, terms, err)
                             : fts_sqlite_put(c, &t->sqlite, id, terms, err);
}

enum status fts_remove(struct db_conn *c, const struct fts_table *t, int64_t id, struct error *err)
{
    return db_is_postgres(c) ? fts_postgres_remove(c, &t->postgres, id, err)
                             : fts_sqlite_remove(c, &t->sqlite, id, err);
}

enum status fts_get(struct db_conn *c, const struct fts_table *t, int64_t id, struct arena *a, bool *found,
                    struct sticker_terms *out, struct error *err)
{
    return db_is_postgres(c) ? fts_postgres_get(c, &t->postgres, id, a, found, out, err)
                             : fts_sqlite_get(c, &t->sqlite, id, a, found, out, err);
}

enum status fts_last(struct db_conn *c, const struct fts_table *t, int64_t *id, struct error *err)
{
    return db_get_int(c, db_sql(c, t->sqlite.last, t->postgres.last), DB_NONE, id, NULL, err);
}

enum status fts_search(struct db *d, const struct fts_table *t, const struct term_query *q,
                       const struct sticker_filter *filter, size_t limit, size_t offset, struct arena *a,
                       struct fts_hit **hits, size_t *n, int64_t *total, struct error *err)
{
    struct db_conn *c = db_reader(d);
    if (sticker_filter_is_none(filter))
        filter = NULL;
    enum status st = db_is_postgres(c)
                         ? fts_postgres_search(c, &t->postgres, q, filter, limit, offset, a, hits, n, total, err)
                         : fts_sqlite_search(c, &t->sqlite, q, filter, limit, offset, a, hits, n, total, err);
    db_reader_done(d, c);
    return st;
}
