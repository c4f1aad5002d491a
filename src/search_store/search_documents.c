/* search_documents.c: pages of documents, with how far a model is with each.
 *
 * A page is a walk along an index that knows the ids in order, and what it finds is then looked up:
 *
 *     SELECT columns... FROM (SELECT id FROM (ids after the last page's, at most DOCUMENT_WALK) WHERE tests LIMIT n)
 *         JOIN the rest ORDER BY id
 *
 * Indexed and failed documents are walked along the model's vectors and failures, all others along
 * documents_listed. The statement is put together from the literals here; values are only ever bound. */
#include "search_store/search_internal.h"

#include "base/buf.h"
#include <assert.h>
#include <string.h>

#define SQL_MAX        8192u
#define MODEL          "(SELECT id FROM models WHERE name = $1)"
#define HAS(table, id) "EXISTS (SELECT 1 FROM " table " x WHERE x.model_id = " MODEL " AND x.document_id = " id ")"

/* $1 model, $2 after, $3 filename, $4 search, $5 how many rows */
struct asking {
    const struct document_ask *ask;
    struct db_conn *conn;
    struct db_arg args[5];
};

/* SQLite must be told. */
static const char *listed(const struct db_conn *c)
{
    return db_sql(c, " INDEXED BY documents_listed", "");
}

/* Does `name` contain what is looked for? Both know small letters from ASCII's alone. */
static void put_contains(struct buf *sql, const struct db_conn *c, const char *name)
{
    buf_printf(
        sql,
        db_sql(c, "instr(lower(%s), lower($4)) > 0", "strpos(lower(%s COLLATE \"C\"), lower($4 COLLATE \"C\")) > 0"),
        name);
}

/* Ids (and what tests need) of rows after the last page's. */
static void put_walk(struct buf *sql, const struct asking *q)
{
    const struct document_ask *ask = q->ask;
    const char *past = ask->descending ? "<" : ">", *direction = ask->descending ? " DESC" : "";
    if (ask->filename) {
        buf_puts(sql, "SELECT id, filename, " SOURCE_OF("documents") " AS source FROM documents WHERE filename = $3");
        return;
    }
    const char *from = ask->state == DOCUMENT_INDEXED  ? "vectors"
                       : ask->state == DOCUMENT_FAILED ? "vector_failures"
                                                       : NULL;
    if (from)
        buf_printf(sql, "SELECT document_id AS id FROM %s WHERE model_id = " MODEL, from);
    else
        buf_printf(sql, "SELECT id, filename, " SOURCE_OF("documents") " AS source FROM documents%s WHERE true",
                   listed(q->conn));
    const char *id = from ? "document_id" : "id";
    if (ask->after)
        buf_printf(sql, " AND %s %s $2", id, past);
    buf_printf(sql, " ORDER BY %s%s LIMIT %d", id, direction, DOCUMENT_WALK);
}

static void put_tests(struct buf *sql, const struct asking *q)
{
    const struct document_ask *ask = q->ask;
    bool bare = !ask->filename && (ask->state == DOCUMENT_INDEXED || ask->state == DOCUMENT_FAILED);
    buf_puts(sql, " WHERE true");
    if (*ask->search && bare) {
        buf_printf(sql, " AND EXISTS (SELECT 1 FROM documents k%s WHERE k.id = w.id AND ", listed(q->conn));
        put_contains(sql, q->conn, "k.filename");
        buf_puts(sql, ")");
    } else if (*ask->search) {
        buf_puts(sql, " AND ");
        put_contains(sql, q->conn, "w.filename");
    }
    if (ask->state == DOCUMENT_PENDING)
        buf_puts(sql, " AND w.source <> '' AND NOT " HAS("vectors", "w.id") " AND NOT " HAS("vector_failures", "w.id"));
    else if (ask->filename && ask->state == DOCUMENT_INDEXED)
        buf_puts(sql, " AND " HAS("vectors", "w.id"));
    else if (ask->filename && ask->state == DOCUMENT_FAILED)
        buf_puts(sql, " AND " HAS("vector_failures", "w.id"));
}

static void put_page(struct buf *sql, const struct asking *q)
{
    const char *direction = q->ask->descending ? " DESC" : "";
    buf_puts(sql,
             "SELECT " DOCUMENT_SELECT_BRIEF
             ", v.document_id, f.document_id, f.why, length(v.vector), " SOURCE_OF("d") ""
                                                                                        " FROM (SELECT w.id FROM (");
    put_walk(sql, q);
    buf_puts(sql, ") w");
    put_tests(sql, q);
    buf_printf(sql, " LIMIT $5) p %s documents d ON d.id = p.id", db_sql(q->conn, "CROSS JOIN", "JOIN"));
    buf_puts(sql, " LEFT JOIN vectors v ON v.model_id = " MODEL " AND v.document_id = d.id"
                  " LEFT JOIN vector_failures f ON f.model_id = " MODEL " AND f.document_id = d.id");
    buf_printf(sql, " ORDER BY p.id%s", direction);
}

static void read_document_row(struct db_rows *r, struct arena *a, struct document_row *out)
{
    *out = (struct document_row){.why = "", .state = DOCUMENT_PENDING};
    search_store_read_document(r, a, &out->doc);
    if (db_int(r, DOCUMENT_WIDTH)) {
        out->state = DOCUMENT_INDEXED;
        out->dim = db_int(r, DOCUMENT_WIDTH + 3) / (int64_t)sizeof(float);
    } else if (db_int(r, DOCUMENT_WIDTH + 1)) {
        out->state = DOCUMENT_FAILED;
        out->why = db_text(r, DOCUMENT_WIDTH + 2, a);
    } else if (!*db_text(r, DOCUMENT_WIDTH + 4, a)) {
        out->state = DOCUMENT_IMAGELESS;
    }
}

/* One row more than asked for tells that there is a next page. */
static enum status read_document_page(struct db_conn *c, const struct asking *q, struct arena *a,
                                      struct document_page *out, struct error *err)
{
    struct buf sql;
    struct db_rows r;
    void *rows = NULL;
    size_t cap = 0;
    buf_init(&sql, SQL_MAX);
    put_page(&sql, q);
    enum status st = buf_status(&sql, err);
    if (st == OK) {
        db_query_once(&r, c, sql.data, q->args, sizeof q->args / sizeof *q->args, err);
        while (db_next(&r)) {
            if (out->n == q->ask->limit) {
                out->next = ((struct document_row *)rows)[out->n - 1].doc.id;
                break;
            }
            if (!db_grow(&r, a, &rows, out->n, &cap, sizeof *out->rows))
                break;
            read_document_row(&r, a, (struct document_row *)rows + out->n++);
        }
        st = db_end(&r);
    }
    buf_free(&sql);
    out->rows = rows;
    return st;
}

/* Where a walk that looked at all it may ended; 0 if the index did. */
static enum status document_walk_end(struct db_conn *c, const struct asking *q, int64_t *id, struct error *err)
{
    struct buf sql;
    struct db_rows r;
    struct asking last = *q;
    last.args[4] = (struct db_arg)DB_INT(DOCUMENT_WALK - 1);
    *id = 0;
    buf_init(&sql, SQL_MAX);
    buf_puts(&sql, "SELECT id FROM (");
    put_walk(&sql, q);
    buf_puts(&sql, ") w LIMIT 1 OFFSET $5");
    enum status st = buf_status(&sql, err);
    if (st == OK) {
        db_query_once(&r, c, sql.data, last.args, sizeof last.args / sizeof *last.args, err);
        while (db_next(&r))
            *id = db_int(&r, 0);
        st = db_end(&r);
    }
    buf_free(&sql);
    return st;
}

enum status search_store_document_page(struct search_store *s, const struct document_ask *ask, struct arena *a,
                                       struct document_page *out, struct error *err)
{
    assert(ask->limit && ask->state != DOCUMENT_IMAGELESS);
    struct db_conn *c = db_reader(s->db);
    const struct asking q = {.ask = ask,
                             .conn = c,
                             .args = {DB_TEXT(ask->model), DB_INT(ask->after),
                                      DB_TEXT(ask->filename ? ask->filename : ""), DB_TEXT(ask->search),
                                      DB_INT(db_limit(ask->limit + 1))}};
    *out = (struct document_page){0};
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        st = read_document_page(c, &q, a, out, err);
        if (st == OK && !out->next && !ask->filename)
            st = document_walk_end(c, &q, &out->next, err);
        db_snapshot_end(c);
    }
    db_reader_done(s->db, c);
    return st;
}
