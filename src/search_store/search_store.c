/* search_store.c: opening the search database, its documents and settings.
 * Putting and deleting are durable: StickerService forgets a delivery once we said OK. */
#include "search_store/search_internal.h"

#include "base/os.h"
#include "fts/fts_terms.h"
#include <stdlib.h>
#include <string.h>

#define NAMES_BYTES (8u << 20)
#define NAME_BYTES  96u /* of a filename as it is kept */

enum status search_store_open(const char *url, unsigned connections, struct search_store **out, struct error *err)
{
    struct search_store *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "a database");
    enum status st = db_open(url, connections,
                             db_is_postgres_url(url) ? &search_schema_postgres : &search_schema_sqlite, &s->db, err);
    if (st == OK)
        st = lru_open(NAMES_BYTES, NAME_BYTES, &s->names, err);
    if (st != OK) {
        search_store_close(s);
        return st;
    }
    *out = s;
    return OK;
}

enum status search_store_inspect(const char *url, int64_t *version, int64_t *known, struct error *err)
{
    const struct db_schema *schema = db_is_postgres_url(url) ? &search_schema_postgres : &search_schema_sqlite;
    *known = schema->count;
    return db_inspect(url, schema, version, err);
}

void search_store_close(struct search_store *s)
{
    if (!s)
        return;
    search_store_index_close(s);
    lru_close(s->names);
    db_close(s->db);
    free(s);
}

enum status search_store_ping(struct search_store *s, struct error *err)
{
    return db_ping(s->db, err);
}

enum status search_store_writable(struct search_store *s, struct error *err)
{
    return db_writable(s->db, err);
}

void search_store_metrics(const struct search_store *s, const char *prefix, struct buf *out)
{
    db_metrics(s->db, prefix, out);
    search_store_index_metrics(s, prefix, out);
}

struct alone {
    db_job *job;
    void *arg;
};

static enum status alone(struct db_conn *c, void *arg, struct error *err)
{
    const struct alone *a = arg;
    enum status st = db_lock(c, "SELECT 1 FROM write_turn FOR UPDATE", err);
    return st == OK ? a->job(c, a->arg, err) : st;
}

enum status search_store_write(struct search_store *s, enum db_durability durability, db_job *job, void *arg,
                               struct error *err)
{
    return db_write(s->db, durability, alone, &(struct alone){job, arg}, err);
}

/* --- documents --- */

struct put_document_job {
    const struct document *doc;
    const struct sticker_terms *terms;
    struct buf languages; /* of the terms, packed */
    int64_t id;           /* 0: there is none yet */
    bool same, same_terms, stale;
};

#define AND_SAME(place, column, kind, type) &&SAME_##kind(at++, row->column)
#define SAME_TEXT(at, text)                 db_text_is(&r, at, (text) ? (text) : "")
#define SAME_INT(at, number)                (db_int(&r, at) == (int64_t)(number))

/* Is it there, and is it the same? Terms count too: a later program may analyse the same words otherwise. */
static enum status compare_document(struct db_conn *c, struct put_document_job *job, struct error *err)
{
    const struct document *row = job->doc;
    struct db_rows r;
    job->id = 0;
    job->same = job->same_terms = false;
    db_query(&r, c, "SELECT id, words_json" DOCUMENT_NAMES " FROM documents WHERE filename = $1",
             DB_ARGS(DB_TEXT(row->filename)), err);
    while (db_next(&r)) {
        int at = 2;
        job->id = db_int(&r, 0);
        job->same = db_text_is(&r, 1, row->words_json) DOCUMENT_COLUMNS(AND_SAME);
    }
    enum status st = db_end(&r);
    if (st == OK && job->id)
        st = search_store_same_terms(c, job->id, job->terms, &job->languages, &job->same_terms, err);
    job->same = job->same && job->same_terms;
    return st;
}

static enum status put_row(struct db_conn *c, struct put_document_job *job, struct error *err)
{
    const struct document *row = job->doc;
    const char *sql =
        job->id ? "UPDATE documents SET " DOCUMENT_SET "words_json = $4, modified_us = $3 WHERE id = $2 RETURNING id"
                : "INSERT INTO documents (filename, created_us, modified_us, words_json" DOCUMENT_NAMES ")"
                  " VALUES ($1, $3, $3, $4" DOCUMENT_VALUES ") RETURNING id";
    return db_get_int(c, sql,
                      DB_ARGS(DB_TEXT(row->filename), DB_INT(job->id), DB_INT(os_now_us()), DB_TEXT(row->words_json),
                              DOCUMENT_COLUMNS(DB_COLUMN_ARG)),
                      &job->id, NULL, err);
}

static enum status put_document_job(struct db_conn *c, void *arg, struct error *err)
{
    struct put_document_job *job = arg;
    enum status st = compare_document(c, job, err);
    bool is_new = job->id == 0;
    job->stale = false;
    if (st != OK || job->same)
        return st;
    st = put_row(c, job, err);
    if (st == OK && !is_new)
        st = search_store_vectors_forget(c, job->id, job->doc, &job->stale, err);
    if (st == OK && !job->same_terms)
        st = search_store_put_terms(c, job->id, job->terms, &job->languages, err);
    return st == OK ? search_store_changed(c, &job->id, 1, err) : st;
}

void search_store_hash_words(const char *title, const char *words_json, char out[65])
{
    struct buf all;
    out[0] = '\0';
    if (!*title && strcmp(words_json, "[]") == 0)
        return;
    buf_init(&all, SIZE_MAX);
    buf_append(&all, title, strlen(title) + 1);
    buf_puts(&all, words_json);
    os_sha256_hex(buf_str(&all), all.len, out);
    buf_free(&all);
}

enum status search_store_put(struct search_store *s, const struct document *doc, const struct sticker_terms *terms,
                             int64_t *id, bool *changed, bool *stale, struct error *err)
{
    enum status st = filename_check(doc->filename, err);
    if (st != OK)
        return st;
    /* A repeated delivery, the usual case after a refill, should not cost a transaction and its fsync. */
    char words_sha256[65];
    struct document hashed = *doc;
    if (!doc->words_sha256)
        search_store_hash_words(doc->title, doc->words_json, words_sha256);
    hashed.words_sha256 = doc->words_sha256 ? doc->words_sha256 : words_sha256;
    struct put_document_job job = {.doc = &hashed, .terms = terms};
    st = fts_deflate(terms, &job.languages, err);
    if (st == OK) {
        struct db_conn *c = db_reader(s->db);
        st = compare_document(c, &job, err);
        db_reader_done(s->db, c);
    }
    if (st == OK && !job.same)
        st = search_store_write(s, DB_DURABLE, put_document_job, &job, err);
    if (st == OK && !job.same)
        search_store_index_put(s, job.id, doc->filename, terms);
    buf_free(&job.languages);
    *id = job.id;
    *changed = !job.same;
    if (stale)
        *stale = job.stale;
    return st;
}

/* "": it is gone. */
static void keep_name(struct search_store *s, int64_t id, const char *filename)
{
    lru_put(s->names, "", (const char *)&id, sizeof id, filename, strlen(filename) + 1);
}

static enum status no_document(const char *filename, struct error *err)
{
    return err_set(err, ERR_NOT_FOUND, "document \"%s\" does not exist", filename);
}

struct delete_document_job {
    const char *filename;
    int64_t id;
};

static enum status delete_document_job(struct db_conn *c, void *arg, struct error *err)
{
    struct delete_document_job *job = arg;
    bool found, forgot;
    enum status st = db_get_int(c, "SELECT id FROM documents WHERE filename = $1", DB_ARGS(DB_TEXT(job->filename)),
                                &job->id, &found, err);
    if (st != OK)
        return st;
    if (!found)
        return no_document(job->filename, err);
    if ((st = search_store_vectors_forget(c, job->id, NULL, &forgot, err)) != OK ||
        (st = search_store_remove_terms(c, job->id, err)) != OK ||
        (st = search_store_changed(c, &job->id, 1, err)) != OK)
        return st;
    return db_run(c, "DELETE FROM documents WHERE id = $1", DB_ARGS(DB_INT(job->id)), NULL, err);
}

enum status search_store_delete(struct search_store *s, const char *filename, int64_t *id, struct error *err)
{
    struct delete_document_job job = {.filename = filename};
    enum status st = search_store_write(s, DB_DURABLE, delete_document_job, &job, err);
    if (st == OK) {
        search_store_index_remove(s, job.id, filename);
        keep_name(s, job.id, "");
    }
    *id = job.id;
    return st;
}

void search_store_read_document(struct db_rows *r, struct arena *a, struct document *row)
{
    int at = 5;
    *row = (struct document){.id = db_int(r, 0),
                             .filename = db_text(r, 1, a),
                             .created_us = db_int(r, 2),
                             .modified_us = db_int(r, 3),
                             .words_json = db_text(r, 4, a)};
    DOCUMENT_COLUMNS(DB_COLUMN_READ)
}

enum status search_store_read_documents(struct db_rows *r, struct arena *a, struct document **out, size_t *n)
{
    void *documents = NULL;
    size_t cap = 0;
    *n = 0;
    while (db_next(r) && db_grow(r, a, &documents, *n, &cap, sizeof **out))
        search_store_read_document(r, a, (struct document *)documents + (*n)++);
    *out = documents;
    return db_end(r);
}

enum status search_store_get(struct search_store *s, const char *filename, struct arena *a, struct document *out,
                             struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    *out = (struct document){0};
    db_query(&r, c, "SELECT " DOCUMENT_SELECT " FROM documents d WHERE d.filename = $1", DB_ARGS(DB_TEXT(filename)),
             err);
    while (db_next(&r))
        search_store_read_document(&r, a, out);
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st == OK && !out->filename ? no_document(filename, err) : st;
}

enum status search_store_count(struct search_store *s, int64_t *documents, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st = db_count(c, "SELECT count(*) FROM documents", &s->documents, documents, err);
    db_reader_done(s->db, c);
    return st;
}

enum status search_store_documents(struct search_store *s, int64_t after, size_t limit, struct arena *a,
                                   struct document **out, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    db_query(&r, c, "SELECT " DOCUMENT_SELECT " FROM documents d WHERE d.id > $1 ORDER BY d.id LIMIT $2",
             DB_ARGS(DB_INT(after), DB_INT(db_limit(limit))), err);
    enum status st = search_store_read_documents(&r, a, out, n);
    db_reader_done(s->db, c);
    return st;
}

/* In SQLite one by one. */
static enum status name_each(struct db_conn *c, const int64_t *ids, size_t n, struct arena *a, const char **out,
                             struct error *err)
{
    enum status st = db_snapshot(c, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < n && st == OK; i++) {
        struct db_rows r;
        db_query(&r, c, "SELECT filename FROM documents WHERE id = $1", DB_ARGS(DB_INT(ids[i])), err);
        out[i] = db_next(&r) ? db_text(&r, 0, a) : NULL;
        st = db_end(&r);
    }
    db_snapshot_end(c);
    return st;
}

static enum status name_all(struct db_conn *c, const int64_t *ids, size_t n, struct arena *a, const char **out,
                            struct error *err)
{
    struct db_rows r;
    memset(out, 0, n * sizeof *out);
    db_query(&r, c, "SELECT t.n, d.filename FROM unnest($1) WITH ORDINALITY t (id, n) JOIN documents d ON d.id = t.id",
             DB_ARGS(DB_INTS(ids, n)), err);
    while (db_next(&r)) {
        int64_t at = db_int(&r, 0);
        out[at - 1] = db_text(&r, 1, a);
    }
    return db_end(&r);
}

static enum status read_names(struct search_store *s, const int64_t *ids, size_t n, struct arena *a, const char **out,
                              struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st = db_is_postgres(c) ? name_all(c, ids, n, a, out, err) : name_each(c, ids, n, a, out, err);
    db_reader_done(s->db, c);
    return st;
}

enum status search_store_filenames(struct search_store *s, const int64_t *ids, size_t n, struct arena *a,
                                   const char **out, struct error *err)
{
    int64_t *unknown = arena_array(a, n + 1, sizeof *unknown);
    size_t *places = arena_array(a, n + 1, sizeof *places), n_unknown = 0, size;
    const char **read = arena_array(a, n + 1, sizeof *read);
    char name[STICKER_FILENAME_MAX + 1];
    enum status st = unknown && places && read ? OK : err_no_memory(err, "%zu filenames", n);
    for (size_t i = 0; i < n && st == OK; i++) {
        out[i] = NULL;
        if (!lru_get(s->names, "", (const char *)&ids[i], sizeof ids[i], name, sizeof name, &size)) {
            places[n_unknown] = i;
            unknown[n_unknown++] = ids[i];
        } else if (*name && !(out[i] = arena_strndup(a, name, size - 1))) {
            st = err_no_memory(err, "%zu filenames", n);
        }
    }
    if (st == OK && n_unknown)
        st = read_names(s, unknown, n_unknown, a, read, err);
    for (size_t i = 0; i < n_unknown && st == OK; i++) {
        out[places[i]] = read[i];
        if (read[i])
            keep_name(s, unknown[i], read[i]);
    }
    return st;
}

#define SELECT_LABELS(listed) "SELECT d.id, d.pack, d.rating, d.animated FROM documents d" listed

enum status search_store_labels(struct search_store *s, search_store_label *label, void *ctx, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    struct arena a;
    arena_init(&a, 1u << 20);
    db_query(&r, c, db_sql(c, SELECT_LABELS(" INDEXED BY documents_filtered"), SELECT_LABELS("")), DB_NONE, err);
    while (db_next(&r)) {
        arena_reset(&a);
        const char *pack = db_text(&r, 1, &a);
        r.status = label(ctx, db_int(&r, 0), pack, (enum rating)db_int(&r, 2), db_int(&r, 3) != 0, err);
    }
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    arena_free(&a);
    return st;
}

#define SELECT_HASHES(listed) "SELECT d.id, d.words_sha256 FROM documents d" listed " ORDER BY d.id"

enum status search_store_word_hashes(struct search_store *s, search_store_word_hash *tell, void *ctx, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    struct arena a;
    arena_init(&a, 1u << 20);
    db_query(&r, c, db_sql(c, SELECT_HASHES(" INDEXED BY documents_listed"), SELECT_HASHES("")), DB_NONE, err);
    while (db_next(&r)) {
        arena_reset(&a);
        const char *hash = db_text(&r, 1, &a);
        r.status = tell(ctx, db_int(&r, 0), hash, err);
    }
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    arena_free(&a);
    return st;
}

/* --- settings --- */

enum status search_store_setting_get(struct search_store *s, const char *key, struct arena *a, const char **value,
                                     struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    *value = "";
    db_query(&r, c, "SELECT value FROM settings WHERE key = $1", DB_ARGS(DB_TEXT(key)), err);
    while (db_next(&r))
        *value = db_text(&r, 0, a);
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

struct setting_job {
    const char *key, *value;
};

enum status search_store_set(struct db_conn *c, const char *key, const char *value, struct error *err)
{
    return db_run(c,
                  "INSERT INTO settings (key, value, created_us, modified_us) VALUES ($1, $2, $3, $3)"
                  " ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified_us = excluded.modified_us",
                  DB_ARGS(DB_TEXT(key), DB_TEXT(value), DB_INT(os_now_us())), NULL, err);
}

static enum status setting_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct setting_job *job = arg;
    return search_store_set(c, job->key, job->value, err);
}

enum status search_store_setting_set(struct search_store *s, const char *key, const char *value, struct error *err)
{
    return search_store_write(s, DB_DURABLE, setting_job, &(struct setting_job){key, value}, err);
}
