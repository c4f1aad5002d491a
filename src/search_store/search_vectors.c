/* search_vectors.c: one vector per document and model, which documents still lack one, and each
 * model's generation, counted up in the same transaction as the change it counts. */
#include "search_store/search_internal.h"

#include "base/os.h"
#include <inttypes.h>
#include <string.h>

enum {
    MAX_DIM = 65536,
    MAX_MODEL = 255, /* bytes of a model's id string */
};

static enum status check(const char *model, size_t dim, struct error *err)
{
    size_t len = strlen(model);
    if (len < 1 || len > MAX_MODEL)
        return err_set(err, ERR_INVALID, "a model's id has 1 to %d bytes, found %zu", MAX_MODEL, len);
    if (dim < 1 || dim > MAX_DIM)
        return err_set(err, ERR_INVALID, "model %s: a vector has 1 to %d numbers, found %zu", model, MAX_DIM, dim);
    return OK;
}

/* --- changes --- */

enum status search_store_vectors_forget(struct db_conn *c, int64_t document_id, struct error *err)
{
    enum status st = db_run(c,
                            "UPDATE models SET generation = generation + 1, modified_us = $2"
                            " WHERE id IN (SELECT model_id FROM vectors WHERE document_id = $1)",
                            DB_ARGS(DB_INT(document_id), DB_INT(os_now_us())), NULL, err);
    if (st != OK ||
        (st = db_run(c, "DELETE FROM vectors WHERE document_id = $1", DB_ARGS(DB_INT(document_id)), NULL, err)) != OK)
        return st;
    return db_run(c, "DELETE FROM vector_failures WHERE document_id = $1", DB_ARGS(DB_INT(document_id)), NULL, err);
}

struct forget_job {
    const char *filename;
    int64_t id;
};

static enum status forget_job(struct db_conn *c, void *arg, struct error *err)
{
    struct forget_job *job = arg;
    bool found;
    enum status st = db_get_int(c, "SELECT id FROM documents WHERE filename = $1", DB_ARGS(DB_TEXT(job->filename)),
                                &job->id, &found, err);
    if (st == OK && !found)
        st = err_set(err, ERR_NOT_FOUND, "document \"%s\" does not exist", job->filename);
    if (st == OK)
        st = search_store_vectors_forget(c, job->id, err);
    return st == OK ? search_store_changed(c, &job->id, 1, err) : st;
}

enum status search_store_document_forget(struct search_store *s, const char *filename, int64_t *id, struct error *err)
{
    struct forget_job job = {.filename = filename};
    enum status st = search_store_write(s, DB_DURABLE, forget_job, &job, err);
    *id = job.id;
    return st;
}

enum status search_store_touch_model(struct db_conn *c, const char *model, int64_t by, int64_t *id, struct error *err)
{
    return db_get_int(
        c,
        "INSERT INTO models (name, generation, created_us, modified_us) VALUES ($1, $2, $3, $3)"
        " ON CONFLICT (name) DO UPDATE SET generation = models.generation + $2, modified_us = $3 RETURNING id",
        DB_ARGS(DB_TEXT(model), DB_INT(by), DB_INT(os_now_us())), id, NULL, err);
}

struct put_job {
    const char *model;
    size_t dim, n;
    const int64_t *document_ids;
    const char *const *image_sha256;
    const float *vectors;
};

/* The numbers of the documents whose vectors were stored, and these. */
struct stored {
    int64_t *ids;
    const float **vectors;
    size_t n;
};

/* In SQLite one by one. */
static enum status put_vector(struct db_conn *c, const struct put_job *job, int64_t model, size_t i, struct stored *out,
                              struct error *err)
{
    int64_t id;
    bool found;
    enum status st =
        db_get_int(c,
                   "INSERT INTO vectors (model_id, document_id, vector, created_us, modified_us)"
                   " SELECT $1, id, $4, $5, $5 FROM documents WHERE id = $2 AND image_sha256 = $3"
                   " ON CONFLICT (model_id, document_id) DO UPDATE SET vector = excluded.vector,"
                   " modified_us = excluded.modified_us RETURNING document_id",
                   DB_ARGS(DB_INT(model), DB_INT(job->document_ids[i]), DB_TEXT(job->image_sha256[i]),
                           DB_BLOB(job->vectors + i * job->dim, job->dim * sizeof(float)), DB_INT(os_now_us())),
                   &id, &found, err);
    if (st != OK || !found)
        return st;
    out->vectors[out->n] = job->vectors + i * job->dim;
    out->ids[out->n++] = id;
    return db_run(c, "DELETE FROM vector_failures WHERE model_id = $1 AND document_id = $2",
                  DB_ARGS(DB_INT(model), DB_INT(id)), NULL, err);
}

/* In PostgreSQL all in one round trip. */
static enum status put_vectors(struct db_conn *c, const struct put_job *job, int64_t model, struct arena *a,
                               struct stored *out, struct error *err)
{
    struct db_rows r;
    struct db_bytes *images = arena_array(a, job->n + 1, sizeof *images);
    struct db_bytes *vectors = arena_array(a, job->n + 1, sizeof *vectors);
    if (!images || !vectors)
        return err_no_memory(err, "%zu vectors", job->n);
    for (size_t i = 0; i < job->n; i++) {
        images[i] = (struct db_bytes){job->image_sha256[i], strlen(job->image_sha256[i])};
        vectors[i] = (struct db_bytes){job->vectors + i * job->dim, job->dim * sizeof(float)};
    }
    db_query(&r, c,
             "INSERT INTO vectors (model_id, document_id, vector, created_us, modified_us)"
             " SELECT $1, d.id, t.vector, $5, $5 FROM unnest($2, $3, $4) t (id, image, vector)"
             " JOIN documents d ON d.id = t.id AND d.image_sha256 = convert_from(t.image, 'UTF8')"
             " ON CONFLICT (model_id, document_id) DO UPDATE SET vector = excluded.vector,"
             " modified_us = excluded.modified_us RETURNING document_id",
             DB_ARGS(DB_INT(model), DB_INTS(job->document_ids, job->n), DB_BLOBS(images, job->n),
                     DB_BLOBS(vectors, job->n), DB_INT(os_now_us())),
             err);
    while (db_next(&r)) {
        int64_t id = db_int(&r, 0);
        for (size_t i = 0; i < job->n; i++)
            if (job->document_ids[i] == id)
                out->vectors[out->n] = job->vectors + i * job->dim;
        out->ids[out->n++] = id;
    }
    enum status st = db_end(&r);
    return st != OK ? st
                    : db_run(c, "DELETE FROM vector_failures WHERE model_id = $1 AND document_id = ANY ($2)",
                             DB_ARGS(DB_INT(model), DB_INTS(out->ids, out->n)), NULL, err);
}

static enum status put_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct put_job *job = arg;
    struct stored stored = {0};
    struct arena a;
    int64_t model;
    arena_init(&a, SIZE_MAX);
    stored.ids = arena_array(&a, job->n + 1, sizeof *stored.ids);
    stored.vectors = arena_array(&a, job->n + 1, sizeof *stored.vectors);
    enum status st = stored.ids && stored.vectors ? search_store_touch_model(c, job->model, 0, &model, err)
                                                  : err_no_memory(err, "%zu vectors", job->n);
    if (st == OK && db_is_postgres(c))
        st = put_vectors(c, job, model, &a, &stored, err);
    else
        for (size_t i = 0; i < job->n && st == OK; i++)
            st = put_vector(c, job, model, i, &stored, err);
    if (st == OK && stored.n) {
        st = search_store_changed(c, stored.ids, stored.n, err);
        if (st == OK)
            st = search_store_pgvector_put(c, model, job->dim, stored.ids, stored.vectors, stored.n, err);
        if (st == OK)
            st = search_store_touch_model(c, job->model, 1, &model, err);
    }
    arena_free(&a);
    return st;
}

enum status search_store_vectors_put(struct search_store *s, const char *model, size_t dim, const int64_t *document_ids,
                                     const char *const *image_sha256, const float *vectors, size_t n, struct error *err)
{
    enum status st = check(model, dim, err);
    if (st != OK)
        return st;
    struct put_job job = {model, dim, n, document_ids, image_sha256, vectors};
    return search_store_write(s, DB_FAST, put_job, &job, err);
}

struct failed_job {
    const char *model;
    int64_t document_id;
    const char *why;
};

static enum status failed_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct failed_job *job = arg;
    int64_t model;
    enum status st = search_store_touch_model(c, job->model, 0, &model, err);
    if (st != OK)
        return st;
    return db_run(c,
                  "INSERT INTO vector_failures (model_id, document_id, why, created_us, modified_us)"
                  " SELECT $1, id, $3, $4, $4 FROM documents WHERE id = $2"
                  " ON CONFLICT (model_id, document_id) DO UPDATE SET why = excluded.why,"
                  " modified_us = excluded.modified_us",
                  DB_ARGS(DB_INT(model), DB_INT(job->document_id), DB_TEXT(job->why), DB_INT(os_now_us())), NULL, err);
}

enum status search_store_vector_failed(struct search_store *s, const char *model, int64_t document_id, const char *why,
                                       struct error *err)
{
    enum status st = check(model, 1, err);
    struct failed_job job = {model, document_id, why};
    return st == OK ? search_store_write(s, DB_FAST, failed_job, &job, err) : st;
}

static enum status failures_drop_job(struct db_conn *c, void *arg, struct error *err)
{
    const char *model = arg;
    return db_run(c, "DELETE FROM vector_failures WHERE model_id = (SELECT id FROM models WHERE name = $1)",
                  DB_ARGS(DB_TEXT(model)), NULL, err);
}

enum status search_store_failures_drop(struct search_store *s, const char *model, struct error *err)
{
    return search_store_write(s, DB_FAST, failures_drop_job, (void *)(uintptr_t)model, err);
}

static enum status drop_job(struct db_conn *c, void *arg, struct error *err)
{
    const char *model = arg;
    int64_t id;
    bool found;
    enum status st = db_get_int(c, "SELECT id FROM models WHERE name = $1", DB_ARGS(DB_TEXT(model)), &id, &found, err);
    if (st != OK || !found)
        return st;
    if ((st = search_store_model_changed(c, id, err)) != OK ||
        (st = db_run(c, "DELETE FROM vectors WHERE model_id = $1", DB_ARGS(DB_INT(id)), NULL, err)) != OK ||
        (st = db_run(c, "DELETE FROM vector_failures WHERE model_id = $1", DB_ARGS(DB_INT(id)), NULL, err)) != OK)
        return st;
    return search_store_touch_model(c, model, 1, &id, err); /* the row stays, so that its generation never repeats */
}

enum status search_store_vectors_drop(struct search_store *s, const char *model, struct error *err)
{
    return search_store_write(s, DB_FAST, drop_job, (void *)(uintptr_t)model, err);
}

/* --- reads --- */

void search_store_read_vector(struct db_rows *r, const char *model, size_t dim, struct arena *a, struct vector_row *out)
{
    size_t bytes;
    const void *blob = db_bytes(r, 1, &bytes);
    if (bytes != dim * sizeof(float)) {
        r->status = err_set(r->err, ERR_CORRUPT,
                            "model %s, document %" PRId64 ": the stored vector has %zu bytes, expected %zu", model,
                            db_int(r, 0), bytes, dim * sizeof(float));
        return;
    }
    float *copy = arena_array(a, dim, sizeof *copy);
    if (!copy) {
        r->status = err_set(r->err, ERR_NO_MEMORY, "a page of vectors is larger than %zu bytes", a->max);
        return;
    }
    memcpy(copy, blob, bytes);
    *out = (struct vector_row){.document_id = db_int(r, 0), .vector = copy};
}

enum status search_store_vectors_page(struct search_store *s, const char *model, size_t dim, int64_t after,
                                      size_t limit, struct arena *a, struct vector_row **out, size_t *n,
                                      struct error *err)
{
    *out = NULL;
    *n = 0;
    enum status st = check(model, dim, err);
    if (st != OK)
        return st;
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *rows = NULL;
    size_t cap = 0;
    db_query(&r, c,
             "SELECT document_id, vector FROM vectors WHERE model_id = (SELECT id FROM models WHERE name = $1)"
             " AND document_id > $2 ORDER BY document_id LIMIT $3",
             DB_ARGS(DB_TEXT(model), DB_INT(after), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, &rows, *n, &cap, sizeof **out))
        search_store_read_vector(&r, model, dim, a, (struct vector_row *)rows + (*n)++);
    *out = rows;
    st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

enum status search_store_vectors_count(struct search_store *s, const char *model, int64_t *vectors, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st =
        db_get_int(c, "SELECT count(*) FROM vectors WHERE model_id = (SELECT id FROM models WHERE name = $1)",
                   DB_ARGS(DB_TEXT(model)), vectors, NULL, err);
    db_reader_done(s->db, c);
    return st;
}

#define PROGRESS(listed)                                                                                               \
    "WITH m AS (SELECT id FROM models WHERE name = $1)"                                                                \
    " SELECT (SELECT count(*) FROM vectors WHERE model_id = (SELECT id FROM m)),"                                      \
    " (SELECT count(*) FROM vector_failures WHERE model_id = (SELECT id FROM m)),"                                     \
    " (SELECT count(*) FROM documents" listed " WHERE image_sha256 <> '')"

enum status search_store_vectors_progress(struct search_store *s, const char *model, struct vectors_progress *out,
                                          struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    *out = (struct vectors_progress){0};
    db_query(&r, c, db_sql(c, PROGRESS(" INDEXED BY documents_listed"), PROGRESS("")), DB_ARGS(DB_TEXT(model)), err);
    while (db_next(&r)) {
        out->indexed = db_int(&r, 0);
        out->failed = db_int(&r, 1);
        out->pending = db_int(&r, 2) - out->indexed - out->failed;
    }
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

enum status search_store_unindexed(struct search_store *s, const char *model, int64_t after, size_t limit,
                                   struct arena *a, struct document **out, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    db_query(&r, c,
             "SELECT " DOCUMENT_SELECT " FROM documents d LEFT JOIN models m ON m.name = $1"
             " WHERE d.id > $2 AND d.image_sha256 <> ''"
             " AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.model_id = m.id AND v.document_id = d.id)"
             " AND NOT EXISTS (SELECT 1 FROM vector_failures f WHERE f.model_id = m.id AND f.document_id = d.id)"
             " ORDER BY d.id LIMIT $3",
             DB_ARGS(DB_TEXT(model), DB_INT(after), DB_INT(db_limit(limit))), err);
    enum status st = search_store_read_documents(&r, a, out, n);
    db_reader_done(s->db, c);
    return st;
}

enum status search_store_vectors_generation(struct search_store *s, const char *model, int64_t *generation,
                                            struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st =
        db_get_int(c, "SELECT generation FROM models WHERE name = $1", DB_ARGS(DB_TEXT(model)), generation, NULL, err);
    db_reader_done(s->db, c);
    return st;
}
