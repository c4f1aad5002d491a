/* search_pgvector.c: vectors that the database itself searches, with the extension pgvector.
 *
 * Table vectors stays what counts: float32, exact. For each model and dimension that is searched here, table
 * vectors_<model's number>_<dimension> holds the same numbers in half precision under an HNSW index. It is made when it
 * is first asked for, named in vector_tables, and from then on written in the transaction that writes to vectors,
 * whichever process does; what vectors loses it loses by its foreign key. Vectors that exist before the
 * table are copied in first and indexed afterwards: one at a time that would take several times as long.
 *
 * A search takes more candidates from the index than were asked for, and orders them by their exact product.
 * How many depends on a few steps of k alone, so that the pages of one list come from the same candidates. */
#include "search_store/search_internal.h"

#include "base/buf.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_DIM = 4000,       /* of halfvec under HNSW */
    MAX_NUMBER = 24,      /* bytes of a number as text */
    PAGE = 200,           /* vectors brought in by one transaction */
    MOST_SEARCHED = 1000, /* pgvector's bound of hnsw.ef_search */
    FEW = 20,             /* vectors for each that is looked for: all are read */
};

/* [0.1,0.2,...] */
static enum status put_vector(struct buf *out, const float *v, size_t dim, struct error *err)
{
    buf_init(out, 64 + dim * MAX_NUMBER);
    for (size_t i = 0; i < dim; i++)
        buf_printf(out, "%c%.9g", i ? ',' : '[', (double)v[i]);
    buf_putc(out, ']');
    return buf_status(out, err);
}

static enum status no_extension(struct error *err)
{
    return err_set(
        err, ERR_UNSUPPORTED,
        "the database has no pgvector, which --vectors pgvector needs: \"CREATE EXTENSION vector\" as its owner "
        "helps where it is installed, 0.8 or newer");
}

static enum status check_database(const struct db_conn *c, struct error *err)
{
    return db_is_postgres(c)
               ? OK
               : err_set(err, ERR_UNSUPPORTED, "vectors are searched by the database in PostgreSQL with pgvector only");
}

enum status search_store_vectors_searchable(struct search_store *s, struct error *err)
{
    int64_t there;
    struct db_conn *c = db_reader(s->db);
    static const char *const asks = "SELECT count(*) FROM pg_extension WHERE extname = 'vector' AND"
                                    " string_to_array(extversion, '.')::int[] >= ARRAY[0, 8]";
    enum status st = check_database(c, err);
    if (st == OK)
        st = db_get_int(c, asks, DB_NONE, &there, NULL, err);
    if (st == OK && !there) {
        st = db_script(c, "CREATE EXTENSION IF NOT EXISTS vector", NULL);
        if (st == OK || st != ERR_UNAVAILABLE)
            st = db_get_int(c, asks, DB_NONE, &there, NULL, err);
        if (st == OK && !there)
            st = no_extension(err);
    }
    db_reader_done(s->db, c);
    return st;
}

/* --- the tables --- */

static enum status model_id(struct db_conn *c, const char *model, int64_t *id, bool *found, struct error *err)
{
    return db_get_int(c, "SELECT id FROM models WHERE name = $1", DB_ARGS(DB_TEXT(model)), id, found, err);
}

/* Numbers are all that a name is made of. */
#define TABLE_FORMAT "vectors_%" PRId64 "_%zu"

static enum status is_searched(struct db_conn *c, int64_t model, size_t dim, bool *searched, struct error *err)
{
    int64_t one;
    return db_get_int(c, "SELECT 1 FROM vector_tables WHERE model_id = $1 AND dim = $2",
                      DB_ARGS(DB_INT(model), DB_INT((int64_t)dim)), &one, searched, err);
}

static enum status put_all(struct db_conn *c, int64_t model, size_t dim, const int64_t *documents,
                           const float *const *vectors, size_t n, struct error *err)
{
    char sql[400];
    struct arena a;
    struct buf text;
    struct db_rows r;
    arena_init(&a, SIZE_MAX);
    struct db_bytes *texts = arena_array(&a, n + 1, sizeof *texts);
    enum status st = texts ? OK : err_no_memory(err, "%zu vectors", n);
    for (size_t i = 0; i < n && st == OK; i++) {
        st = put_vector(&text, vectors[i], dim, err);
        texts[i] = (struct db_bytes){st == OK ? arena_strndup(&a, text.data, text.len) : NULL, text.len};
        if (st == OK && !texts[i].data)
            st = err_no_memory(err, "%zu vectors", n);
        buf_free(&text);
    }
    if (st == OK) {
        snprintf(sql, sizeof sql,
                 "INSERT INTO " TABLE_FORMAT " (model_id, document_id, vector)"
                 " SELECT $1, t.id, convert_from(t.vector, 'UTF8')::halfvec FROM unnest($2, $3) t (id, vector)"
                 " ON CONFLICT (document_id) DO UPDATE SET vector = excluded.vector",
                 model, dim);
        db_query_once(&r, c, sql, DB_ARGS(DB_INT(model), DB_INTS(documents, n), DB_BLOBS(texts, n)), err);
        st = db_end(&r);
    }
    arena_free(&a);
    return st;
}

enum status search_store_pgvector_put(struct db_conn *c, int64_t model, size_t dim, const int64_t *document_ids,
                                      const float *const *vectors, size_t n, struct error *err)
{
    bool searched;
    if (!db_is_postgres(c))
        return OK;
    enum status st = is_searched(c, model, dim, &searched, err);
    return st == OK && searched ? put_all(c, model, dim, document_ids, vectors, n, err) : st;
}

struct scan_job {
    const char *model;
    size_t dim;
    int64_t after; /* the last document brought in */
    bool more;
};

static enum status make_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct scan_job *job = arg;
    char sql[500];
    int64_t model;
    bool searched = false;
    enum status st = search_store_touch_model(c, job->model, 0, &model, err);
    if (st == OK)
        st = is_searched(c, model, job->dim, &searched, err);
    if (st != OK || searched)
        return st;
    snprintf(sql, sizeof sql,
             "CREATE TABLE " TABLE_FORMAT " (document_id bigint PRIMARY KEY, model_id bigint NOT NULL,"
             " vector halfvec(%zu) NOT NULL,"
             " FOREIGN KEY (model_id, document_id) REFERENCES vectors (model_id, document_id) ON DELETE CASCADE);"
             "INSERT INTO vector_tables (model_id, dim) VALUES (%" PRId64 ", %zu)",
             model, job->dim, job->dim, model, job->dim);
    return db_script(c, sql, err);
}

/* Brings a page of vectors in that were there before the table was. */
static enum status fill_job(struct db_conn *c, void *arg, struct error *err)
{
    struct scan_job *job = arg;
    struct arena a;
    struct db_rows r;
    char sql[300];
    int64_t model, ids[PAGE];
    const float *vectors[PAGE];
    size_t n = 0;
    bool found;
    arena_init(&a, SIZE_MAX);
    job->more = false;
    enum status st = model_id(c, job->model, &model, &found, err);
    if (st == OK) {
        snprintf(sql, sizeof sql,
                 "SELECT v.document_id, v.vector FROM vectors v WHERE v.model_id = $1 AND v.document_id > $2"
                 " AND NOT EXISTS (SELECT 1 FROM " TABLE_FORMAT " t WHERE t.document_id = v.document_id)"
                 " ORDER BY v.document_id LIMIT %d",
                 model, job->dim, PAGE);
        db_query_once(&r, c, sql, DB_ARGS(DB_INT(model), DB_INT(job->after)), err);
        while (db_next(&r)) {
            struct vector_row row = {0};
            search_store_read_vector(&r, job->model, job->dim, &a, &row);
            job->after = ids[n] = row.document_id;
            vectors[n++] = row.vector;
        }
        st = db_end(&r);
    }
    if (st == OK && n)
        st = put_all(c, model, job->dim, ids, vectors, n, err);
    job->more = n == PAGE;
    arena_free(&a);
    return st;
}

/* The state of a table's index, as make_graph's query numbers it. `abandoned`: whoever made it was stopped, and the
 * database does not use it. */
enum graph { GRAPH_NONE, GRAPH_ABANDONED, GRAPH_IN_THE_MAKING, GRAPH_THERE };

/* Makes the table's index, unless it is there or another service does, for which it waits. Vectors are written and
 * searched meanwhile, so it cannot be part of a transaction. */
static enum status make_graph(struct search_store *s, const char *model, size_t dim, struct error *err)
{
    char table[64], sql[300];
    int64_t number, graph = GRAPH_NONE;
    bool found;
    struct db_conn *c = db_reader(s->db);
    enum status st = model_id(c, model, &number, &found, err);
    snprintf(table, sizeof table, TABLE_FORMAT, number, dim);
    while (st == OK) {
        st =
            db_get_int(c,
                       "SELECT CASE WHEN i.indisvalid THEN 3 WHEN EXISTS (SELECT 1 FROM pg_stat_progress_create_index p"
                       " WHERE p.index_relid = i.indexrelid) THEN 2 ELSE 1 END FROM pg_index i"
                       " JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam"
                       " WHERE i.indrelid = to_regclass($1) AND a.amname = 'hnsw'",
                       DB_ARGS(DB_TEXT(table)), &graph, &found, err);
        graph = found ? graph : GRAPH_NONE;
        if (st != OK || graph == GRAPH_THERE)
            break;
        if (graph == GRAPH_IN_THE_MAKING) {
            usleep(500000);
            continue;
        }
        if (graph == GRAPH_ABANDONED) {
            snprintf(sql, sizeof sql, "DROP INDEX CONCURRENTLY IF EXISTS %s_graph", table);
            st = db_script_slow(c, sql, err);
        }
        snprintf(sql, sizeof sql,
                 "CREATE INDEX CONCURRENTLY IF NOT EXISTS %s_graph ON %s USING hnsw (vector halfvec_ip_ops)"
                 " WITH (m = 16, ef_construction = 100)",
                 table, table);
        st = st == OK ? db_script_slow(c, sql, err) : st;
    }
    db_reader_done(s->db, c);
    return st;
}

enum status search_store_vectors_index(struct search_store *s, const char *model, size_t dim, struct error *err)
{
    struct scan_job job = {.model = model, .dim = dim, .after = -1};
    if (dim > MAX_DIM)
        return err_set(err, ERR_UNSUPPORTED, "model %s: pgvector indexes vectors of %d numbers at most, found %zu",
                       model, MAX_DIM, dim);
    enum status st = search_store_vectors_searchable(s, err);
    if (st == OK)
        st = search_store_write(s, DB_DURABLE, make_job, &job, err);
    for (job.more = true; st == OK && job.more;)
        st = search_store_write(s, DB_FAST, fill_job, &job, err);
    return st == OK ? make_graph(s, model, dim, err) : st;
}

/* --- searching --- */

static int vector_hits_by_score(const void *x, const void *y)
{
    const struct vector_hit *a = x, *b = y;
    int order = (a->score < b->score) - (a->score > b->score);
    return order ? order : (a->id > b->id) - (a->id < b->id);
}

/* Half again as many as the step that k is in. */
static size_t candidates_for(size_t k)
{
    size_t step = k <= 50 ? 50 : k <= 200 ? 200 : k <= 1000 ? 1000 : (k + 999) / 1000 * 1000;
    return step + step / 2;
}

/* The model's number, 0 if it is unknown. *exact: it has so few vectors that reading them all takes no longer than
 * their graph, which may have places that no way leads to. */
static enum status find_model(struct db_conn *c, const char *model, size_t candidates, int64_t *id, bool *exact,
                              struct error *err)
{
    struct db_rows r;
    int64_t few = db_limit(FEW * candidates);
    *id = 0;
    *exact = false;
    db_query(&r, c,
             "SELECT id, (SELECT count(*) FROM (SELECT 1 FROM vectors WHERE model_id = models.id LIMIT $2) v)"
             " FROM models WHERE name = $1",
             DB_ARGS(DB_TEXT(model), DB_INT(few)), err);
    while (db_next(&r)) {
        *id = db_int(&r, 0);
        *exact = db_int(&r, 1) < few;
    }
    return db_end(&r);
}

/* One search of the model's table: its graph or, `exact`, all of it. */
struct asking {
    const char *model;
    int64_t number; /* the model's */
    size_t dim, candidates;
    const float *query;
    const char *text;                    /* the same */
    const struct sticker_filter *filter; /* or NULL */
    bool exact;
};

static enum status read_hits(struct db_conn *c, const struct asking *q, struct vector_hit *hits, size_t *n,
                             struct error *err)
{
    char sql[800];
    struct arena a;
    struct db_rows r;
    const struct sticker_filter none = STICKER_FILTER_NONE;
    const struct db_arg args[] = {DB_TEXT(q->text), DB_INT(q->number), DB_INT(db_limit(q->candidates)),
                                  DB_FILTER(q->filter ? q->filter : &none)};
    *n = 0;
    arena_init(&a, SIZE_MAX);
    snprintf(sql, sizeof sql,
             "SELECT v.document_id, v.vector FROM (SELECT t.document_id FROM " TABLE_FORMAT " t%s"
             " ORDER BY t.vector <#> $1::text::halfvec(%zu) LIMIT $3) c"
             " JOIN vectors v ON v.model_id = $2 AND v.document_id = c.document_id",
             q->number, q->dim,
             q->filter ? " WHERE EXISTS (SELECT 1 FROM documents d WHERE d.id = t.document_id"
                         " AND " DB_PASSES("$4", "$5", "$6") ")"
                       : "",
             q->dim);
    db_query_once(&r, c, sql, args, q->filter ? sizeof args / sizeof *args : 3, err);
    while (*n < q->candidates && db_next(&r)) {
        struct vector_row row = {0};
        double sum = 0;
        search_store_read_vector(&r, q->model, q->dim, &a, &row);
        if (!row.vector)
            break;
        for (size_t i = 0; i < q->dim; i++)
            sum += (double)q->query[i] * (double)row.vector[i];
        hits[(*n)++] = (struct vector_hit){.id = row.document_id, .score = (float)sum};
        arena_reset(&a);
    }
    arena_free(&a);
    return db_end(&r);
}

static enum status set_scan(struct db_conn *c, const struct asking *q, struct error *err)
{
    char settings[400];
    snprintf(settings, sizeof settings,
             "SET LOCAL hnsw.ef_search = %zu; SET LOCAL hnsw.iterative_scan = relaxed_order;"
             "SET LOCAL hnsw.max_scan_tuples = %zu; SET LOCAL plan_cache_mode = force_custom_plan;"
             "SET LOCAL enable_indexscan = %s",
             q->candidates < MOST_SEARCHED ? q->candidates : MOST_SEARCHED,
             20 * q->candidates > 20000 ? 20 * q->candidates : 20000, q->exact ? "off" : "on");
    return db_script(c, settings, err);
}

enum status search_store_vectors_search(struct search_store *s, const char *model, size_t dim, const float *query,
                                        const struct sticker_filter *filter, size_t k, struct arena *a,
                                        struct vector_hit **out, size_t *n, struct error *err)
{
    struct buf text;
    struct asking q = {.model = model,
                       .dim = dim,
                       .candidates = candidates_for(k),
                       .query = query,
                       .filter = sticker_filter_is_none(filter) ? NULL : filter};
    *n = 0;
    *out = arena_array(a, q.candidates, sizeof **out);
    if (!*out)
        return err_set(err, ERR_NO_MEMORY, "%zu search hits are larger than %zu bytes", q.candidates, a->max);
    enum status st = put_vector(&text, query, dim, err);
    q.text = text.data;
    struct db_conn *c = db_reader(s->db);
    if (st == OK)
        st = check_database(c, err);
    if (st == OK && (st = db_snapshot(c, err)) == OK) {
        st = find_model(c, model, q.candidates, &q.number, &q.exact, err);
        if (st == OK && q.number && (st = set_scan(c, &q, err)) == OK)
            st = read_hits(c, &q, *out, n, err);
        /* The graph is left after so many vectors that do not pass: then all are read. */
        if (st == OK && q.number && q.filter && !q.exact && *n < q.candidates) {
            q.exact = true;
            if ((st = set_scan(c, &q, err)) == OK)
                st = read_hits(c, &q, *out, n, err);
        }
        db_snapshot_end(c);
    }
    db_reader_done(s->db, c);
    buf_free(&text);
    if (*n)
        qsort(*out, *n, sizeof **out, vector_hits_by_score);
    *n = *n < k ? *n : k;
    return st;
}
