/* search_changes.c: which documents changed, in the order of the changes, so that every SearchService on
 * the database can follow them.
 *
 * Table changes has one row for each document that ever changed, also for those that are gone, with the number
 * of its last change. There is one writer at a time (search_store_write): the numbers become visible in their order. */
#include "search_store/search_internal.h"

#include "base/os.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEWEST "(SELECT coalesce(max(generation), 0) FROM changes)"

static enum status one_changed(struct db_conn *c, int64_t document_id, struct error *err)
{
    return db_run(c,
                  "INSERT INTO changes (document_id, generation) VALUES ($1, " NEWEST " + 1)"
                  " ON CONFLICT (document_id) DO UPDATE SET generation = excluded.generation",
                  DB_ARGS(DB_INT(document_id)), NULL, err);
}

enum status search_store_changed(struct db_conn *c, const int64_t *document_ids, size_t n, struct error *err)
{
    enum status st = OK;
    if (db_is_postgres(c))
        return db_run(c,
                      "INSERT INTO changes (document_id, generation)"
                      " SELECT id, " NEWEST " + row_number() OVER (ORDER BY id) FROM unnest($1) t (id)"
                      " ON CONFLICT (document_id) DO UPDATE SET generation = excluded.generation",
                      DB_ARGS(DB_INTS(document_ids, n)), NULL, err);
    for (size_t i = 0; i < n && st == OK; i++)
        st = one_changed(c, document_ids[i], err);
    return st;
}

enum status search_store_model_changed(struct db_conn *c, int64_t model_id, struct error *err)
{
    return db_run(c,
                  "INSERT INTO changes (document_id, generation)"
                  " SELECT document_id, " NEWEST " + row_number() OVER () FROM vectors WHERE model_id = $1"
                  " ON CONFLICT (document_id) DO UPDATE SET generation = excluded.generation",
                  DB_ARGS(DB_INT(model_id)), NULL, err);
}

enum status search_store_generation(struct search_store *s, int64_t *generation, struct error *err)
{
    return db_read_int(s->db, "SELECT " NEWEST, DB_NONE, generation, NULL, err);
}

static void read_change(struct db_rows *r, struct arena *a, void *item)
{
    struct search_change *change = item;
    *change = (struct search_change){.generation = db_int(r, DOCUMENT_WIDTH + 1)};
    if (db_int(r, 0))
        search_store_read_document(r, a, &change->doc);
    change->doc.id = db_int(r, DOCUMENT_WIDTH);
}

enum status search_store_changes(struct search_store *s, int64_t since, size_t limit, struct arena *a,
                                 struct search_change **out, size_t *n, struct error *err)
{
    void *changes;
    enum status st =
        db_read_list(s->db,
                     "SELECT " DOCUMENT_SELECT ", c.document_id, c.generation FROM changes c"
                     " LEFT JOIN documents d ON d.id = c.document_id"
                     " WHERE c.generation > $1 ORDER BY c.generation LIMIT $2",
                     DB_ARGS(DB_INT(since), DB_INT(db_limit(limit))), read_change, sizeof **out, a, &changes, n, err);
    *out = changes;
    return st;
}

/* --- files --- */

static void setting_of(const char *tag, char key[64])
{
    snprintf(key, 64, "snapshot %s", tag);
}

void search_store_mark_new(struct search_mark *out)
{
    *out = (struct search_mark){.number = 0};
    os_uuid7(out->tag);
}

enum status search_store_mark(struct search_store *s, const struct search_mark *mark, struct error *err)
{
    char key[64], value[24];
    setting_of(mark->tag, key);
    snprintf(value, sizeof value, "%" PRId64, mark->number);
    return search_store_setting_set(s, key, value, err);
}

bool search_store_marked(struct search_store *s, const struct search_mark *mark, int64_t *since)
{
    struct arena a;
    struct error err;
    char key[64];
    const char *value = "";
    int64_t newest = 0;
    size_t len = strnlen(mark->tag, sizeof mark->tag);
    if (len != 36 || strspn(mark->tag, "0123456789abcdef-") != len)
        return false;
    arena_init(&a, 4096);
    setting_of(mark->tag, key);
    bool known = search_store_generation(s, &newest, &err) == OK && mark->number <= newest &&
                 search_store_setting_get(s, key, &a, &value, &err) == OK && *value &&
                 strtoll(value, NULL, 10) >= mark->number;
    arena_free(&a);
    *since = newest - mark->number;
    return known;
}

/* --- vectors --- */

/* In SQLite one by one. */
static enum status get_vector(struct db_conn *c, const char *model, size_t dim, int64_t document_id, struct arena *a,
                              const float **out, struct error *err)
{
    struct db_rows r;
    struct vector_row row = {0};
    db_query(&r, c,
             "SELECT document_id, vector FROM vectors"
             " WHERE model_id = (SELECT id FROM models WHERE name = $1) AND document_id = $2",
             DB_ARGS(DB_TEXT(model), DB_INT(document_id)), err);
    while (db_next(&r))
        search_store_read_vector(&r, model, dim, a, &row);
    *out = row.vector;
    return db_end(&r);
}

/* In PostgreSQL all in one round trip. */
static enum status get_vectors(struct db_conn *c, const char *model, size_t dim, const int64_t *document_ids, size_t n,
                               struct arena *a, const float **out, struct error *err)
{
    struct db_rows r;
    for (size_t i = 0; i < n; i++)
        out[i] = NULL;
    db_query(&r, c,
             "SELECT v.document_id, v.vector, t.n FROM unnest($2) WITH ORDINALITY t (id, n)"
             " JOIN vectors v ON v.model_id = (SELECT id FROM models WHERE name = $1) AND v.document_id = t.id",
             DB_ARGS(DB_TEXT(model), DB_INTS(document_ids, n)), err);
    while (db_next(&r)) {
        struct vector_row row = {0};
        int64_t at = db_int(&r, 2);
        search_store_read_vector(&r, model, dim, a, &row);
        out[at - 1] = row.vector;
    }
    return db_end(&r);
}

enum status search_store_vectors_get(struct search_store *s, const char *model, size_t dim, const int64_t *document_ids,
                                     size_t n, struct arena *a, const float **out, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st = OK;
    if (db_is_postgres(c))
        st = get_vectors(c, model, dim, document_ids, n, a, out, err);
    else
        for (size_t i = 0; i < n && st == OK; i++)
            st = get_vector(c, model, dim, document_ids[i], a, &out[i], err);
    db_reader_done(s->db, c);
    return st;
}
