/* search_store_sqlite.c: the search database's schema, its documents, the lexical search and settings.
 * Putting and deleting are durable: StickerService forgets a delivery once we said OK. */
#include "store/search_sqlite.h"

#include "base/os.h"
#include "store/sqlite_fts.h"
#include <stdlib.h>

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE documents ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* never reused; documents_fts knows it by this */
    " filename TEXT NOT NULL UNIQUE,"
    " title TEXT NOT NULL, words_json TEXT NOT NULL, image_sha256 TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE VIRTUAL TABLE documents_fts USING fts5 (" FTS_COLUMNS ");"

    "CREATE TABLE models ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " generation INTEGER NOT NULL," /* grows with every change of its vectors */
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE vectors ("
    " model_id INTEGER NOT NULL REFERENCES models (id),"
    " document_id INTEGER NOT NULL REFERENCES documents (id),"
    " vector BLOB NOT NULL," /* float32 [dim], little endian */
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " PRIMARY KEY (model_id, document_id)) STRICT;"
    "CREATE INDEX vectors_document ON vectors (document_id);"

    "CREATE TABLE vector_failures ("
    " model_id INTEGER NOT NULL REFERENCES models (id),"
    " document_id INTEGER NOT NULL REFERENCES documents (id),"
    " why TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " PRIMARY KEY (model_id, document_id)) STRICT;"
    "CREATE INDEX vector_failures_document ON vector_failures (document_id);"

    "CREATE TABLE settings ("
    " key TEXT NOT NULL PRIMARY KEY,"
    " value TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;",
    /* 2 */
    FTS_LANGUAGES_SCHEMA("documents_fts"),
    /* 3: what lists of documents walk along, without the words, which take most of a row */
    "CREATE INDEX documents_listed ON documents (id, filename, image_sha256);",
    /* 3 */
    "CREATE TABLE changes ("
    " document_id INTEGER PRIMARY KEY," /* also of those that are gone */
    " generation INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX changes_generation ON changes (generation);",
};

static const struct db_schema schema = {
    .what = "search database",
    .application_id = 0x50655345, /* "PeSE" */
    .count = sizeof migrations / sizeof *migrations,
    .migrations = migrations,
};

static void sqlite_close(struct search_store *s)
{
    db_close(search_db(s));
    free(s);
}

static enum status sqlite_ping(struct search_store *s, struct error *err)
{
    return db_ping(search_db(s), err);
}

/* --- documents --- */

static const struct fts_table fts = FTS_TABLE("documents_fts", "documents", "id");

struct put_job {
    const struct document *doc;
    const struct index_terms *terms;
    int64_t id; /* 0: there is none yet */
    bool same, same_image;
};

/* Is it there, and is it the same? Terms count too: a later program may analyse the same words otherwise. */
static enum status compare(struct db_conn *c, struct put_job *job, struct error *err)
{
    const struct document *doc = job->doc;
    struct db_rows r;
    job->id = 0;
    job->same = job->same_image = false;
    db_query(&r, c, "SELECT id, title, words_json, image_sha256 FROM documents WHERE filename = ?1",
             DB_ARGS(DB_TEXT(doc->filename)), err);
    while (db_next(&r)) {
        job->id = db_int(&r, 0);
        job->same_image = db_text_is(&r, 3, doc->image_sha256);
        job->same = job->same_image && db_text_is(&r, 1, doc->title) && db_text_is(&r, 2, doc->words_json);
    }
    enum status st = db_end(&r);
    return st == OK && job->same ? fts_same(c, &fts, job->id, job->terms, &job->same, err) : st;
}

static enum status put_row(struct db_conn *c, struct put_job *job, struct error *err)
{
    const struct document *doc = job->doc;
    int64_t now = os_now_us();
    if (job->id)
        return db_run(c,
                      "UPDATE documents SET title = ?2, words_json = ?3, image_sha256 = ?4, modified_us = ?5"
                      " WHERE id = ?1",
                      DB_ARGS(DB_INT(job->id), DB_TEXT(doc->title), DB_TEXT(doc->words_json),
                              DB_TEXT(doc->image_sha256), DB_INT(now)),
                      NULL, err);
    return db_get_int(c,
                      "INSERT INTO documents (filename, title, words_json, image_sha256, created_us, modified_us)"
                      " VALUES ($1, $2, $3, $4, $5, $5) RETURNING id",
                      DB_ARGS(DB_TEXT(doc->filename), DB_TEXT(doc->title), DB_TEXT(doc->words_json),
                              DB_TEXT(doc->image_sha256), DB_INT(now)),
                      &job->id, NULL, err);
}

static enum status put_job(struct db_conn *c, void *arg, struct error *err)
{
    struct put_job *job = arg;
    enum status st = compare(c, job, err);
    if (st != OK || job->same)
        return st;
    if (job->id && !job->same_image && (st = search_sqlite_vectors_forget(c, job->id, err)) != OK)
        return st;
    if ((st = put_row(c, job, err)) != OK)
        return st;
    st = fts_put(c, &fts, job->id, job->terms, err);
    return st == OK ? search_sqlite_changed(c, job->id, err) : st;
}

static enum status sqlite_put(struct search_store *s, const struct document *doc, const struct index_terms *terms,
                              int64_t *id, bool *changed, struct error *err)
{
    enum status st = store_check_filename(doc->filename, err);
    if (st != OK)
        return st;
    /* A repeated delivery, the usual case after a refill, should not cost a transaction and its fsync. */
    struct put_job job = {.doc = doc, .terms = terms};
    struct db_conn *c = db_reader(search_db(s));
    st = compare(c, &job, err);
    db_reader_done(search_db(s), c);
    if (st == OK && !job.same)
        st = db_write(search_db(s), DB_DURABLE, put_job, &job, err);
    *id = job.id;
    *changed = !job.same;
    return st;
}

static enum status not_found(const char *filename, struct error *err)
{
    return err_set(err, ERR_NOT_FOUND, "document \"%s\" does not exist", filename);
}

struct delete_job {
    const char *filename;
    int64_t id;
};

static enum status delete_job(struct db_conn *c, void *arg, struct error *err)
{
    struct delete_job *job = arg;
    bool found;
    enum status st = db_get_int(c, "SELECT id FROM documents WHERE filename = ?1", DB_ARGS(DB_TEXT(job->filename)),
                                &job->id, &found, err);
    if (st != OK)
        return st;
    if (!found)
        return not_found(job->filename, err);
    if ((st = search_sqlite_vectors_forget(c, job->id, err)) != OK || (st = fts_remove(c, &fts, job->id, err)) != OK ||
        (st = search_sqlite_changed(c, job->id, err)) != OK)
        return st;
    return db_run(c, "DELETE FROM documents WHERE id = ?1", DB_ARGS(DB_INT(job->id)), NULL, err);
}

static enum status sqlite_delete(struct search_store *s, const char *filename, int64_t *id, struct error *err)
{
    struct delete_job job = {.filename = filename};
    enum status st = db_write(search_db(s), DB_DURABLE, delete_job, &job, err);
    *id = job.id;
    return st;
}

void search_sqlite_read_document(struct db_rows *r, struct arena *a, struct document *out)
{
    *out = (struct document){
        .id = db_int(r, 0),
        .filename = db_text(r, 1, a),
        .title = db_text(r, 2, a),
        .words_json = db_text(r, 3, a),
        .image_sha256 = db_text(r, 4, a),
        .created_us = db_int(r, 5),
        .modified_us = db_int(r, 6),
    };
}

static enum status sqlite_get(struct search_store *s, const char *filename, struct arena *a, struct document *out,
                              struct error *err)
{
    struct db_conn *c = db_reader(search_db(s));
    struct db_rows r;
    *out = (struct document){0};
    db_query(&r, c, "SELECT " DOCUMENT_COLUMNS " FROM documents d WHERE d.filename = ?1", DB_ARGS(DB_TEXT(filename)),
             err);
    while (db_next(&r))
        search_sqlite_read_document(&r, a, out);
    enum status st = db_end(&r);
    db_reader_done(search_db(s), c);
    return st == OK && !out->filename ? not_found(filename, err) : st;
}

static enum status sqlite_count(struct search_store *s, int64_t *documents, struct error *err)
{
    struct db_conn *c = db_reader(search_db(s));
    enum status st = db_get_int(c, "SELECT count(*) FROM documents", DB_NONE, documents, NULL, err);
    db_reader_done(search_db(s), c);
    return st;
}

static enum status sqlite_documents(struct search_store *s, int64_t after, size_t limit, struct arena *a,
                                    struct document **out, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(search_db(s));
    struct db_rows r;
    void *documents = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c, "SELECT " DOCUMENT_COLUMNS " FROM documents d WHERE d.id > ?1 ORDER BY d.id LIMIT ?2",
             DB_ARGS(DB_INT(after), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, &documents, *n, &cap, sizeof **out))
        search_sqlite_read_document(&r, a, (struct document *)documents + (*n)++);
    *out = documents;
    enum status st = db_end(&r);
    db_reader_done(search_db(s), c);
    return st;
}

static enum status sqlite_filenames(struct search_store *s, const int64_t *ids, size_t n, struct arena *a,
                                    const char **out, struct error *err)
{
    struct db_conn *c = db_reader(search_db(s));
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        for (size_t i = 0; i < n && st == OK; i++) {
            struct db_rows r;
            db_query(&r, c, fts.filename, DB_ARGS(DB_INT(ids[i])), err);
            out[i] = db_next(&r) ? db_text(&r, 0, a) : NULL;
            st = db_end(&r);
        }
        db_snapshot_end(c);
    }
    db_reader_done(search_db(s), c);
    return st;
}

static enum status sqlite_lexical(struct search_store *s, const struct index_query *q, size_t limit, size_t offset,
                                  struct arena *a, struct search_hit **hits, size_t *n, int64_t *total,
                                  struct error *err)
{
    struct fts_hit *found;
    *hits = NULL;
    *n = 0;
    enum status st = fts_search(search_db(s), &fts, q, limit, offset, a, &found, n, total, err);
    if (st != OK || *n == 0)
        return st;
    if (!(*hits = arena_array(a, *n, sizeof **hits)))
        return err_set(err, ERR_NO_MEMORY, "%zu search hits are larger than %zu bytes", *n, a->max);
    for (size_t i = 0; i < *n; i++)
        (*hits)[i] = (struct search_hit){.id = found[i].id, .filename = found[i].filename, .score = found[i].score};
    return OK;
}

/* --- settings --- */

static enum status sqlite_setting_get(struct search_store *s, const char *key, struct arena *a, const char **value,
                                      struct error *err)
{
    struct db_conn *c = db_reader(search_db(s));
    struct db_rows r;
    *value = "";
    db_query(&r, c, "SELECT value FROM settings WHERE key = ?1", DB_ARGS(DB_TEXT(key)), err);
    while (db_next(&r))
        *value = db_text(&r, 0, a);
    enum status st = db_end(&r);
    db_reader_done(search_db(s), c);
    return st;
}

struct setting_job {
    const char *key, *value;
};

static enum status setting_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct setting_job *job = arg;
    return db_run(c,
                  "INSERT INTO settings (key, value, created_us, modified_us) VALUES (?1, ?2, ?3, ?3)"
                  " ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified_us = excluded.modified_us",
                  DB_ARGS(DB_TEXT(job->key), DB_TEXT(job->value), DB_INT(os_now_us())), NULL, err);
}

static enum status sqlite_setting_set(struct search_store *s, const char *key, const char *value, struct error *err)
{
    return db_write(search_db(s), DB_DURABLE, setting_job, &(struct setting_job){key, value}, err);
}

enum status search_store_sqlite_open(const char *url, unsigned readers, struct search_store **out, struct error *err)
{
    static const struct search_store_ops ops = {
        .close = sqlite_close,
        .ping = sqlite_ping,
        .put = sqlite_put,
        .remove = sqlite_delete,
        .get = sqlite_get,
        .count = sqlite_count,
        .documents = sqlite_documents,
        .filenames = sqlite_filenames,
        .document_page = search_sqlite_document_page,
        .lexical = sqlite_lexical,
        .vectors_put = search_sqlite_vectors_put,
        .vectors_page = search_sqlite_vectors_page,
        .vectors_count = search_sqlite_vectors_count,
        .vectors_progress = search_sqlite_vectors_progress,
        .unindexed = search_sqlite_unindexed,
        .vector_failed = search_sqlite_vector_failed,
        .failures_drop = search_sqlite_failures_drop,
        .document_forget = search_sqlite_document_forget,
        .vectors_drop = search_sqlite_vectors_drop,
        .generation = search_sqlite_generation,
        .changes = search_sqlite_changes,
        .vectors_get = search_sqlite_vectors_get,
        .vectors_generation = search_sqlite_vectors_generation,
        .setting_get = sqlite_setting_get,
        .setting_set = sqlite_setting_set,
    };
    struct search_sqlite *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NO_MEMORY, "out of memory opening database %s", url);
    s->base.ops = &ops;
    enum status st = db_open(url, readers, &schema, &s->db, err);
    if (st != OK) {
        free(s);
        return st;
    }
    *out = &s->base;
    return OK;
}
