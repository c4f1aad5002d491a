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

static enum status check_model(const char *model, size_t dim, struct error *err)
{
    size_t len = strlen(model);
    if (len < 1 || len > MAX_MODEL)
        return err_set(err, ERR_INVALID, "a model's id has 1 to %d bytes, found %zu", MAX_MODEL, len);
    if (dim < 1 || dim > MAX_DIM)
        return err_set(err, ERR_INVALID, "model %s: a vector has 1 to %d numbers, found %zu", model, MAX_DIM, dim);
    return OK;
}

/* --- changes --- */

/* Of document $1, what was made of neither $2 nor $3. */
#define STALE "document_id = $1 AND (source_sha256 = '' OR source_sha256 NOT IN ($2, $3))"

enum status search_store_vectors_forget(struct db_conn *c, int64_t document_id, const struct document *doc,
                                        bool *forgot, struct error *err)
{
    const char *image = doc ? doc->image_sha256 : "", *words = doc ? doc->words_sha256 : "";
    int64_t dropped = 0;
    enum status st =
        db_run(c,
               "UPDATE models SET generation = generation + 1, modified_us = $4"
               " WHERE id IN (SELECT model_id FROM vectors WHERE " STALE ")",
               DB_ARGS(DB_INT(document_id), DB_TEXT(image), DB_TEXT(words), DB_INT(os_now_us())), NULL, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM vectors WHERE " STALE, DB_ARGS(DB_INT(document_id), DB_TEXT(image), DB_TEXT(words)),
                    &dropped, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM vector_failures WHERE " STALE,
                    DB_ARGS(DB_INT(document_id), DB_TEXT(image), DB_TEXT(words)), NULL, err);
    *forgot = st == OK && dropped > 0;
    return st;
}

struct forget_job {
    const char *filename;
    int64_t id;
};

static enum status forget_job(struct db_conn *c, void *arg, struct error *err)
{
    struct forget_job *job = arg;
    bool found, forgot;
    enum status st = db_get_int(c, "SELECT id FROM documents WHERE filename = $1", DB_ARGS(DB_TEXT(job->filename)),
                                &job->id, &found, err);
    if (st == OK && !found)
        st = err_set(err, ERR_NOT_FOUND, "document \"%s\" does not exist", job->filename);
    if (st == OK)
        st = search_store_vectors_forget(c, job->id, NULL, &forgot, err);
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

/* Documents that were stored before their words were hashed. */
static enum status hash_words(struct db_conn *c, struct error *err)
{
    enum status st = OK;
    int64_t after = 0;
    for (bool more = true; more && st == OK;) {
        struct db_rows r;
        struct arena a;
        const char *title = "", *words = "";
        char hash[65];
        more = false;
        arena_init(&a, SIZE_MAX);
        db_query(&r, c,
                 "SELECT id, title, words_json FROM documents WHERE words_sha256 = '' AND id > $1 ORDER BY id LIMIT 1",
                 DB_ARGS(DB_INT(after)), err);
        while (db_next(&r)) {
            more = true;
            after = db_int(&r, 0);
            title = db_text(&r, 1, &a);
            words = db_text(&r, 2, &a);
        }
        st = db_end(&r);
        if (st == OK && more) {
            search_store_hash_words(title, words, hash);
            st = db_run(c, "UPDATE documents SET words_sha256 = $2 WHERE id = $1",
                        DB_ARGS(DB_INT(after), DB_TEXT(hash)), NULL, err);
        }
        arena_free(&a);
    }
    return st;
}

struct source_job {
    const char *model;
    enum search_source source;
};

static enum status source_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct source_job *job = arg;
    int64_t id;
    enum status st = search_store_touch_model(c, job->model, 0, &id, err);
    if (st == OK)
        st = db_run(c, "UPDATE models SET source = $2 WHERE id = $1", DB_ARGS(DB_INT(id), DB_INT(job->source)), NULL,
                    err);
    return st == OK && job->source == SEARCH_WORDS ? hash_words(c, err) : st;
}

enum status search_store_model_source(struct search_store *s, const char *model, enum search_source source,
                                      struct error *err)
{
    enum status st = check_model(model, 1, err);
    struct source_job job = {model, source};
    int64_t now = -1;
    if (st != OK)
        return st;
    struct db_conn *c = db_reader(s->db);
    st = db_get_int(c, "SELECT source FROM models WHERE name = $1", DB_ARGS(DB_TEXT(model)), &now, NULL, err);
    db_reader_done(s->db, c);
    if (st != OK || (now == (int64_t)source && source == SEARCH_IMAGE))
        return st;
    return search_store_write(s, DB_FAST, source_job, &job, err);
}

struct put_vectors_job {
    const char *model;
    size_t dim, n;
    const int64_t *document_ids;
    const char *const *source_sha256;
    const float *vectors;
};

/* The numbers of the documents whose vectors were stored, and these. */
struct stored {
    int64_t *ids;
    const float **vectors;
    size_t n;
};

/* In SQLite one by one. */
static enum status insert_vector(struct db_conn *c, const struct put_vectors_job *job, int64_t model, size_t i,
                                 struct stored *out, struct error *err)
{
    int64_t id;
    bool found;
    enum status st =
        db_get_int(c,
                   "INSERT INTO vectors (model_id, document_id, vector, source_sha256, created_us, modified_us)"
                   " SELECT $1, id, $4, $3, $5, $5 FROM documents WHERE id = $2 AND $3 IN (image_sha256, words_sha256)"
                   " ON CONFLICT (model_id, document_id) DO UPDATE SET vector = excluded.vector,"
                   " source_sha256 = excluded.source_sha256, modified_us = excluded.modified_us RETURNING document_id",
                   DB_ARGS(DB_INT(model), DB_INT(job->document_ids[i]), DB_TEXT(job->source_sha256[i]),
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
static enum status put_vectors(struct db_conn *c, const struct put_vectors_job *job, int64_t model, struct arena *a,
                               struct stored *out, struct error *err)
{
    struct db_rows r;
    struct db_bytes *sources = arena_array(a, job->n + 1, sizeof *sources);
    struct db_bytes *vectors = arena_array(a, job->n + 1, sizeof *vectors);
    if (!sources || !vectors)
        return err_no_memory(err, "%zu vectors", job->n);
    for (size_t i = 0; i < job->n; i++) {
        sources[i] = (struct db_bytes){job->source_sha256[i], strlen(job->source_sha256[i])};
        vectors[i] = (struct db_bytes){job->vectors + i * job->dim, job->dim * sizeof(float)};
    }
    db_query(&r, c,
             "INSERT INTO vectors (model_id, document_id, vector, source_sha256, created_us, modified_us)"
             " SELECT $1, d.id, t.vector, convert_from(t.source, 'UTF8'), $5, $5"
             " FROM unnest($2, $3, $4) t (id, source, vector)"
             " JOIN documents d ON d.id = t.id AND convert_from(t.source, 'UTF8') IN (d.image_sha256, d.words_sha256)"
             " ON CONFLICT (model_id, document_id) DO UPDATE SET vector = excluded.vector,"
             " source_sha256 = excluded.source_sha256, modified_us = excluded.modified_us RETURNING document_id",
             DB_ARGS(DB_INT(model), DB_INTS(job->document_ids, job->n), DB_BLOBS(sources, job->n),
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

static enum status put_vectors_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct put_vectors_job *job = arg;
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
            st = insert_vector(c, job, model, i, &stored, err);
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
                                     const char *const *source_sha256, const float *vectors, size_t n,
                                     struct error *err)
{
    enum status st = check_model(model, dim, err);
    if (st != OK)
        return st;
    struct put_vectors_job job = {model, dim, n, document_ids, source_sha256, vectors};
    return search_store_write(s, DB_FAST, put_vectors_job, &job, err);
}

struct vector_failed_job {
    const char *model;
    int64_t document_id;
    const char *why;
};

static enum status vector_failed_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct vector_failed_job *job = arg;
    int64_t model;
    enum status st = search_store_touch_model(c, job->model, 0, &model, err);
    if (st != OK)
        return st;
    return db_run(c,
                  "INSERT INTO vector_failures (model_id, document_id, why, source_sha256, created_us, modified_us)"
                  " SELECT m.id, d.id, $3, " SOURCE_OF(
                      "d") ", $4, $4 FROM documents d, models m"
                           " WHERE d.id = $2 AND m.name = $1"
                           " ON CONFLICT (model_id, document_id) DO UPDATE SET why = excluded.why,"
                           " source_sha256 = excluded.source_sha256, modified_us = excluded.modified_us",
                  DB_ARGS(DB_TEXT(job->model), DB_INT(job->document_id), DB_TEXT(job->why), DB_INT(os_now_us())), NULL,
                  err);
}

enum status search_store_vector_failed(struct search_store *s, const char *model, int64_t document_id, const char *why,
                                       struct error *err)
{
    enum status st = check_model(model, 1, err);
    struct vector_failed_job job = {model, document_id, why};
    return st == OK ? search_store_write(s, DB_FAST, vector_failed_job, &job, err) : st;
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
        (st = db_run(c, "DELETE FROM vector_failures WHERE model_id = $1", DB_ARGS(DB_INT(id)), NULL, err)) != OK ||
        (st = db_run(c, "DELETE FROM phrase_vectors WHERE model_id = $1", DB_ARGS(DB_INT(id)), NULL, err)) != OK)
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
    enum status st = check_model(model, dim, err);
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
    return db_read_int(s->db, "SELECT count(*) FROM vectors WHERE model_id = (SELECT id FROM models WHERE name = $1)",
                       DB_ARGS(DB_TEXT(model)), vectors, NULL, err);
}

enum status search_store_vectors_passing(struct search_store *s, const char *model, const struct sticker_filter *f,
                                         int64_t *vectors, struct error *err)
{
    return db_read_int(s->db,
                       "SELECT count(*) FROM vectors v JOIN documents d ON d.id = v.document_id"
                       " WHERE v.model_id = (SELECT id FROM models WHERE name = $1) AND " DB_PASSES("$2", "$3", "$4"),
                       DB_ARGS(DB_TEXT(model), DB_FILTER(f)), vectors, NULL, err);
}

#define PROGRESS(listed)                                                                                               \
    "WITH m AS (SELECT id FROM models WHERE name = $1)"                                                                \
    " SELECT (SELECT count(*) FROM vectors WHERE model_id = (SELECT id FROM m)),"                                      \
    " (SELECT count(*) FROM vector_failures WHERE model_id = (SELECT id FROM m)),"                                     \
    " (SELECT count(*) FROM documents d" listed " WHERE " SOURCE_OF("d") " <> '')"

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
    db_query(
        &r, c,
        "SELECT " DOCUMENT_SELECT " FROM documents d LEFT JOIN models m ON m.name = $1"
        " WHERE d.id > $2 AND " SOURCE_OF(
            "d") " <> ''"
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
    return db_read_int(s->db, "SELECT generation FROM models WHERE name = $1", DB_ARGS(DB_TEXT(model)), generation,
                       NULL, err);
}
