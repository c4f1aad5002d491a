/* search_changes_sqlite.c: which documents changed, in the order of the changes, so that every SearchService on
 * the database can follow them.
 *
 * Table changes has one row for each document that ever changed, also for those that are gone, with the number
 * of its last change. SQLite has one writer at a time: the numbers become visible in their order. */
#include "store/search_sqlite.h"

#include <inttypes.h>
#include <string.h>

#define NEWEST "(SELECT coalesce(max(generation), 0) FROM changes)"

enum status search_sqlite_changed(struct db_conn *c, int64_t document_id, struct error *err)
{
    return db_run(c,
                  "INSERT INTO changes (document_id, generation) VALUES (?1, " NEWEST " + 1)"
                  " ON CONFLICT (document_id) DO UPDATE SET generation = excluded.generation",
                  DB_ARGS(DB_INT(document_id)), NULL, err);
}

enum status search_sqlite_model_changed(struct db_conn *c, int64_t model_id, struct error *err)
{
    return db_run(c,
                  "INSERT INTO changes (document_id, generation)"
                  " SELECT document_id, " NEWEST " + row_number() OVER () FROM vectors WHERE model_id = ?1"
                  " ON CONFLICT (document_id) DO UPDATE SET generation = excluded.generation",
                  DB_ARGS(DB_INT(model_id)), NULL, err);
}

enum status search_sqlite_generation(struct search_store *s, int64_t *generation, struct error *err)
{
    struct db_conn *c = db_reader(search_db(s));
    enum status st = db_get_int(c, "SELECT " NEWEST, DB_NONE, generation, NULL, err);
    db_reader_done(search_db(s), c);
    return st;
}

enum status search_sqlite_changes(struct search_store *s, int64_t since, size_t limit, struct arena *a,
                                  struct search_change **out, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(search_db(s));
    struct db_rows r;
    void *changes = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c,
             "SELECT " DOCUMENT_COLUMNS ", c.document_id, c.generation FROM changes c"
             " LEFT JOIN documents d ON d.id = c.document_id"
             " WHERE c.generation > ?1 ORDER BY c.generation LIMIT ?2",
             DB_ARGS(DB_INT(since), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, &changes, *n, &cap, sizeof **out)) {
        struct search_change *change = (struct search_change *)changes + (*n)++;
        *change = (struct search_change){.generation = db_int(&r, 8)};
        if (db_int(&r, 0))
            search_sqlite_read_document(&r, a, &change->doc);
        change->doc.id = db_int(&r, 7);
    }
    *out = changes;
    enum status st = db_end(&r);
    db_reader_done(search_db(s), c);
    return st;
}

enum status search_sqlite_vectors_get(struct search_store *s, const char *model, size_t dim,
                                      const int64_t *document_ids, size_t n, struct arena *a, const float **out,
                                      struct error *err)
{
    struct db_conn *c = db_reader(search_db(s));
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        struct db_rows r;
        struct vector_row row = {0};
        db_query(&r, c,
                 "SELECT document_id, vector FROM vectors"
                 " WHERE model_id = (SELECT id FROM models WHERE name = ?1) AND document_id = ?2",
                 DB_ARGS(DB_TEXT(model), DB_INT(document_ids[i])), err);
        while (db_next(&r))
            search_sqlite_read_vector(&r, model, dim, a, &row);
        st = db_end(&r);
        out[i] = row.vector;
    }
    db_reader_done(search_db(s), c);
    return st;
}
