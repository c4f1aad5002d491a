/* sticker_store.c: opening the sticker database, and stickers themselves: adding, changing, reading, and the search
 * over their words that stands in when SearchService cannot answer. */
#include "sticker_store/sticker_columns.h"
#include "sticker_store/sticker_internal.h"

#include "base/os.h"
#include <stdlib.h>
#include <string.h>

enum status sticker_store_open(const char *url, unsigned connections, struct sticker_store **out, struct error *err)
{
    struct sticker_store *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "a database");
    enum status st = db_open(url, connections,
                             db_is_postgres_url(url) ? &sticker_schema_postgres : &sticker_schema_sqlite, &s->db, err);
    if (st == OK)
        st = sticker_history_open(s, err);
    if (st == OK)
        st = sticker_recall_open(&s->recall, err);
    if (st != OK) {
        sticker_store_close(s);
        return st;
    }
    *out = s;
    return OK;
}

enum status sticker_store_inspect(const char *url, int64_t *version, int64_t *known, struct error *err)
{
    const struct db_schema *schema = db_is_postgres_url(url) ? &sticker_schema_postgres : &sticker_schema_sqlite;
    *known = schema->count;
    return db_inspect(url, schema, version, err);
}

void sticker_store_close(struct sticker_store *s)
{
    if (!s)
        return;
    sticker_recall_close(s->recall);
    db_close(s->db);
    free(s);
}

enum status sticker_store_ping(struct sticker_store *s, struct error *err)
{
    return db_ping(s->db, err);
}

enum status sticker_store_writable(struct sticker_store *s, struct error *err)
{
    return db_writable(s->db, err);
}

void sticker_store_metrics(const struct sticker_store *s, const char *prefix, struct buf *out)
{
    db_metrics(s->db, prefix, out);
}

/* --- changes --- */

const struct fts_table sticker_fts = FTS_TABLE("stickers_fts", "stickers", "row", "rowno", "");

enum status sticker_alone(struct db_conn *c, struct error *err)
{
    return db_lock(c, "SELECT 1 FROM stickers_fts_totals FOR UPDATE", err);
}

enum status sticker_put_terms(struct db_conn *c, int64_t row, const struct sticker_terms *terms, struct error *err)
{
    enum status st = fts_put(c, &sticker_fts, row, terms, err);
    if (st != OK || !db_is_postgres(c))
        return st;
    /* The words that admins look for; FTS5 has them already. */
    return db_run(c,
                  "INSERT INTO sticker_search (rowno, words) VALUES ($1, to_tsvector('simple', $2))"
                  " ON CONFLICT (rowno) DO UPDATE SET words = excluded.words",
                  DB_ARGS(DB_INT(row), DB_TEXT(terms->folded ? terms->folded : "")), NULL, err);
}

/* Deletes the stored lists that are not among the sticker's or differ, and notes which of its lists are stored already:
 * a row for each language costs a page of the index by language. */
static enum status keep_words(struct db_conn *c, int64_t row, const struct sticker *s, struct arena *a, bool *kept,
                              struct error *err)
{
    struct db_rows r;
    void *gone = NULL;
    size_t n_gone = 0, cap = 0;
    db_query(&r, c, "SELECT language, title, words FROM sticker_words WHERE sticker = $1", DB_ARGS(DB_INT(row)), err);
    while (db_next(&r)) {
        size_t i = 0;
        while (i < s->n_words && !db_text_is(&r, 0, s->words[i].language))
            i++;
        if (i < s->n_words && db_text_is(&r, 1, s->words[i].title ? s->words[i].title : "") &&
            db_text_is(&r, 2, s->words[i].words))
            kept[i] = true;
        else if (db_grow(&r, a, &gone, n_gone, &cap, sizeof(const char *)))
            ((const char **)gone)[n_gone++] = db_text(&r, 0, a);
    }
    enum status st = db_end(&r);
    for (size_t i = 0; i < n_gone && st == OK; i++)
        st = db_run(c, "DELETE FROM sticker_words WHERE sticker = $1 AND language = $2",
                    DB_ARGS(DB_INT(row), DB_TEXT(((const char **)gone)[i])), NULL, err);
    return st;
}

static enum status put_words(struct db_conn *c, int64_t row, const struct sticker *s, const struct sticker_terms *terms,
                             struct error *err)
{
    struct arena a;
    arena_init(&a, 1u << 20);
    bool *kept = arena_array(&a, s->n_words + 1, sizeof *kept);
    enum status st = kept ? OK : err_no_memory(err, "a sticker's words");
    if (st == OK && terms)
        st = sticker_put_terms(c, row, terms, err);
    if (st == OK)
        st = keep_words(c, row, s, &a, kept, err);
    for (size_t i = 0; i < s->n_words && st == OK; i++) {
        const struct sticker_words *w = &s->words[i];
        if (kept[i])
            continue;
        /* Two lists for one language are one longer list. */
        st = db_run(
            c,
            "INSERT INTO sticker_words (sticker, language, title, words) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (sticker, language) DO UPDATE SET words = sticker_words.words || ', ' || excluded.words",
            DB_ARGS(DB_INT(row), DB_TEXT(w->language), DB_TEXT(w->title ? w->title : ""), DB_TEXT(w->words)), NULL,
            err);
    }
    arena_free(&a);
    return st;
}

struct add_job {
    const struct sticker *stickers;
    const struct sticker_terms *terms;
    size_t n;
    const struct admin_who *who;
};

#define RETURNING_ROW(c, sql) db_sql(c, sql " RETURNING row", sql " RETURNING rowno")
#define INSERT_STICKER                                                                                                 \
    "INSERT INTO stickers (filename, id, created_us, modified_us" STICKER_NAMES ")"                                    \
    " VALUES ($1, $2, $4, $4" STICKER_VALUES ") ON CONFLICT (filename) DO NOTHING"
#define UPDATE_STICKER(set) "UPDATE stickers SET " set "modified_us = $4 WHERE filename = $1 AND modified_us <= $3"

/* Runs one of these. *number: of the row; 0 when there was nothing to write. */
static enum status write_row(struct db_conn *c, const char *sql, const struct sticker *row, int64_t unmodified_since,
                             int64_t *number, struct error *err)
{
    char id[37];
    os_uuid7(id);
    *number = 0;
    return db_get_int(c, sql,
                      DB_ARGS(DB_TEXT(row->filename), DB_TEXT(id), DB_INT(unmodified_since), DB_INT(os_now_us()),
                              STICKER_COLUMNS(DB_COLUMN_ARG)),
                      number, NULL, err);
}

enum status sticker_insert(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                           struct error *err)
{
    int64_t row;
    enum status st = write_row(c, RETURNING_ROW(c, INSERT_STICKER), s, 0, &row, err);
    if (st != OK)
        return st;
    if (!row)
        return err_set(err, ERR_CONFLICT, "sticker \"%s\" exists already", s->filename);
    st = put_words(c, row, s, terms, err);
    if (st == OK && s->look)
        st = sticker_put_look(c, row, s, err);
    return st == OK ? sticker_outbox_queue(c, "put", s->filename, err) : st;
}

enum status sticker_add(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                        struct error *err)
{
    enum status st = sticker_insert(c, s, terms, err);
    if (st == OK)
        st = sticker_trash_forget(c, s->filename, err); /* the image of that name is its own now */
    return st == OK ? sticker_tell(c, WEBHOOK_STICKER_CREATED, s->filename, "", err) : st;
}

static enum status add_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct add_job *job = arg;
    enum status st = sticker_alone(c, err);
    for (size_t i = 0; i < job->n && st == OK; i++)
        if ((st = sticker_add(c, &job->stickers[i], NULL, err)) == OK)
            st = sticker_note(c, job->who, CHANGE_ADD, "stickers", job->stickers[i].filename, "", err);
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = sticker_put_terms_of(c, job->stickers[i].filename, &job->terms[i], err);
    return st;
}

enum status sticker_store_add(struct sticker_store *s, const struct sticker *stickers,
                              const struct sticker_terms *terms, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        enum status st = filename_check(stickers[i].filename, err);
        if (st != OK)
            return st;
    }
    return sticker_write(s, add_job, &(struct add_job){stickers, terms, n, s->who}, err);
}

static enum status no_sticker(const char *filename, struct error *err)
{
    return err_set(err, ERR_NOT_FOUND, "sticker \"%s\" does not exist", filename);
}

static enum status find_row(struct db_conn *c, const char *filename, int64_t *row, struct error *err)
{
    bool found;
    enum status st = db_get_int(
        c, db_sql(c, "SELECT row FROM stickers WHERE filename = $1", "SELECT rowno FROM stickers WHERE filename = $1"),
        DB_ARGS(DB_TEXT(filename)), row, &found, err);
    return st == OK && !found ? no_sticker(filename, err) : st;
}

enum status sticker_put_terms_of(struct db_conn *c, const char *filename, const struct sticker_terms *terms,
                                 struct error *err)
{
    int64_t row;
    enum status st = find_row(c, filename, &row, err);
    return st == OK ? sticker_put_terms(c, row, terms, err) : st;
}

/* *row is 0 when the sticker is not there, or was modified after `unmodified_since`. */
static enum status update_one(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                              int64_t unmodified_since, int64_t *row, struct error *err)
{
    enum status st =
        write_row(c, RETURNING_ROW(c, UPDATE_STICKER(STICKER_SAID(DB_COLUMN_SET) STICKER_BOTH(DB_COLUMN_SET))), s,
                  unmodified_since, row, err);
    if (st == OK && *row)
        st = put_words(c, *row, s, terms, err);
    if (st == OK && *row)
        st = sticker_outbox_queue(c, "put", s->filename, err);
    return st == OK && *row ? sticker_tell(c, WEBHOOK_STICKER_CHANGED, s->filename, "", err) : st;
}

enum status sticker_update_seen(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                                int64_t seen_us, bool *updated, struct error *err)
{
    int64_t row = 0;
    enum status st = update_one(c, s, terms, seen_us, &row, err);
    *updated = st == OK && row;
    return st;
}

enum status sticker_update(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                           struct error *err)
{
    int64_t row;
    enum status st = update_one(c, s, terms, INT64_MAX, &row, err);
    return st == OK && row == 0 ? no_sticker(s->filename, err) : st;
}

enum status sticker_update_image(struct db_conn *c, const char *filename, const struct sticker *image,
                                 struct error *err)
{
    struct sticker s = *image;
    int64_t row;
    s.filename = filename;
    enum status st =
        write_row(c, RETURNING_ROW(c, UPDATE_STICKER(STICKER_IMAGE(DB_COLUMN_SET) STICKER_BOTH(DB_COLUMN_SET))), &s,
                  INT64_MAX, &row, err);
    if (st == OK && row == 0)
        return no_sticker(filename, err);
    if (st == OK)
        st = sticker_put_look(c, row, image, err);
    return st == OK ? sticker_tell(c, WEBHOOK_STICKER_CHANGED, filename, "", err) : st;
}

static enum status update_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct add_job *job = arg;
    enum status st = sticker_alone(c, err);
    if (st == OK)
        st = sticker_update(c, job->stickers, job->terms, err);
    return st == OK ? sticker_note(c, job->who, CHANGE_UPDATE, "stickers", job->stickers->filename, "", err) : st;
}

enum status sticker_store_update(struct sticker_store *s, const struct sticker *sticker,
                                 const struct sticker_terms *terms, struct error *err)
{
    return sticker_write(s, update_job, &(struct add_job){sticker, terms, 1, s->who}, err);
}

struct ocr_job {
    struct add_job all;
    size_t changed;
};

static enum status ocr_job(struct db_conn *c, void *arg, struct error *err)
{
    struct ocr_job *job = arg;
    enum status st = sticker_alone(c, err);
    job->changed = 0;
    for (size_t i = 0; i < job->all.n && st == OK; i++) {
        const struct sticker *s = &job->all.stickers[i];
        int64_t row;
        bool same, updated = false;
        st =
            db_get_int(c,
                       RETURNING_ROW(c, "UPDATE stickers SET ocr_by = $3 WHERE filename = $1 AND modified_us <= $2"
                                        " AND ocr_words = $4"),
                       DB_ARGS(DB_TEXT(s->filename), DB_INT(s->modified_us), DB_TEXT(s->ocr_by), DB_TEXT(s->ocr_words)),
                       &row, &same, err);
        if (st == OK && !same)
            st = sticker_update_seen(c, s, &job->all.terms[i], s->modified_us, &updated, err);
        if (st == OK && updated)
            st = sticker_note(c, job->all.who, CHANGE_UPDATE, "stickers", s->filename, "", err);
        job->changed += updated;
    }
    return st;
}

enum status sticker_store_ocr(struct sticker_store *s, const struct sticker *stickers,
                              const struct sticker_terms *terms, size_t n, size_t *changed, struct error *err)
{
    struct ocr_job job = {{stickers, terms, n, s->who}, 0};
    enum status st = sticker_write(s, ocr_job, &job, err);
    *changed = st == OK ? job.changed : 0;
    return st;
}

enum status sticker_delete(struct db_conn *c, const char *filename, const struct admin_who *who, struct error *err)
{
    int64_t row;
    enum status st = find_row(c, filename, &row, err);
    if (st != OK)
        return st;
    if ((st = sticker_unpin(c, filename, who, err)) != OK ||
        (st = sticker_trash_put(c, filename, who->username, err)) != OK ||
        (st = fts_remove(c, &sticker_fts, row, err)) != OK ||
        (st = db_run(c, "DELETE FROM stickers WHERE filename = $1", DB_ARGS(DB_TEXT(filename)), NULL, err)) != OK)
        return st;
    st = sticker_outbox_queue(c, "delete", filename, err);
    return st == OK ? sticker_tell(c, WEBHOOK_STICKER_REMOVED, filename, "", err) : st;
}

static enum status delete_sticker_job(struct db_conn *c, void *arg, struct error *err)
{
    static const struct admin_who program = {.username = "", .address = ""};
    enum status st = sticker_history_begin(c, err); /* for its pins */
    if (st == OK)
        st = sticker_alone(c, err);
    return st == OK ? sticker_delete(c, arg, &program, err) : st;
}

enum status sticker_store_delete(struct sticker_store *s, const char *filename, struct error *err)
{
    return sticker_write(s, delete_sticker_job, (void *)(uintptr_t)filename, err);
}

/* --- reads --- */

#define STICKER_SELECT "filename, id, created_us, modified_us" STICKER_NAMES

static void read_sticker(struct db_rows *r, struct arena *a, struct sticker *row)
{
    int at = 4;
    *row = (struct sticker){
        .filename = db_text(r, 0, a), .id = db_text(r, 1, a), .created_us = db_int(r, 2), .modified_us = db_int(r, 3)};
    STICKER_COLUMNS(DB_COLUMN_READ)
}

#define WORDS_OF(row)                                                                                                  \
    "SELECT w.language, w.words, w.title FROM sticker_words w JOIN stickers s ON w.sticker = s." row                   \
    " WHERE s.id = $1 ORDER BY w.language"

static enum status read_sticker_words(struct db_conn *c, struct arena *a, struct sticker *sticker, struct error *err)
{
    struct db_rows r;
    void *words = NULL;
    size_t n = 0, cap = 0;
    db_query(&r, c, db_sql(c, WORDS_OF("row"), WORDS_OF("rowno")), DB_ARGS(DB_TEXT(sticker->id)), err);
    while (db_next(&r) && db_grow(&r, a, &words, n, &cap, sizeof(struct sticker_words))) {
        ((struct sticker_words *)words)[n++] = (struct sticker_words){
            .language = db_text(&r, 0, a), .words = db_text(&r, 1, a), .title = db_text(&r, 2, a)};
    }
    sticker->words = words;
    sticker->n_words = n;
    return db_end(&r);
}

/* out->filename is NULL when there is none. */
static enum status find_sticker(struct db_conn *c, const char *filename, struct arena *a, struct sticker *out,
                                struct error *err)
{
    struct db_rows r;
    *out = (struct sticker){0};
    db_query(&r, c, "SELECT " STICKER_SELECT " FROM stickers WHERE filename = $1", DB_ARGS(DB_TEXT(filename)), err);
    while (db_next(&r))
        read_sticker(&r, a, out);
    return db_end(&r);
}

enum status sticker_store_get(struct sticker_store *s, const char *filename, struct arena *a, struct sticker *out,
                              struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        st = find_sticker(c, filename, a, out, err);
        if (st == OK && !out->filename)
            st = no_sticker(filename, err);
        if (st == OK)
            st = read_sticker_words(c, a, out, err);
        db_snapshot_end(c);
    }
    db_reader_done(s->db, c);
    return st;
}

/* In PostgreSQL all in one round trip. */
static enum status find_many(struct db_conn *c, const char *const *filenames, size_t n, struct arena *a,
                             struct sticker *out, struct error *err)
{
    struct db_rows r;
    struct db_bytes *names = arena_array(a, n + 1, sizeof *names);
    if (!names)
        return err_set(err, ERR_NO_MEMORY, "%zu filenames are larger than %zu bytes", n, a->max);
    for (size_t i = 0; i < n; i++) {
        names[i] = (struct db_bytes){filenames[i], strlen(filenames[i])};
        out[i] = (struct sticker){0};
    }
    db_query(&r, c,
             "SELECT " STICKER_SELECT ", t.nth FROM unnest($1) WITH ORDINALITY t (asked, nth)"
             " JOIN stickers ON filename = convert_from(t.asked, 'UTF8')",
             DB_ARGS(DB_BLOBS(names, n)), err);
    while (db_next(&r)) {
        int64_t nth = db_int(&r, STICKER_WIDTH);
        read_sticker(&r, a, &out[nth - 1]);
    }
    return db_end(&r);
}

enum status sticker_store_get_many(struct sticker_store *s, const char *const *filenames, size_t n, struct arena *a,
                                   struct sticker *out, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st;
    if (db_is_postgres(c)) {
        st = find_many(c, filenames, n, a, out, err);
    } else if ((st = db_snapshot(c, err)) == OK) {
        for (size_t i = 0; i < n && st == OK; i++)
            st = find_sticker(c, filenames[i], a, &out[i], err);
        db_snapshot_end(c);
    }
    db_reader_done(s->db, c);
    return st;
}

static enum status list_page(struct db_conn *c, const char *after, size_t limit, struct arena *a, void **page,
                             size_t *n, struct error *err)
{
    struct db_rows r;
    size_t cap = 0;
    db_query(&r, c, "SELECT " STICKER_SELECT " FROM stickers WHERE filename > $1 ORDER BY filename LIMIT $2",
             DB_ARGS(DB_TEXT(after), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, page, *n, &cap, sizeof(struct sticker)))
        read_sticker(&r, a, (struct sticker *)*page + (*n)++);
    return db_end(&r);
}

enum status sticker_store_list(struct sticker_store *s, const char *after, size_t limit, struct arena *a,
                               struct sticker **out, size_t *n, struct error *err)
{
    void *page = NULL;
    *n = 0;
    struct db_conn *c = db_reader(s->db);
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        st = list_page(c, after, limit, a, &page, n, err);
        for (size_t i = 0; i < *n && st == OK; i++)
            st = read_sticker_words(c, a, (struct sticker *)page + i, err);
        db_snapshot_end(c);
    }
    db_reader_done(s->db, c);
    *out = page;
    return st;
}

_Static_assert(STORE_COUNT_FRESH == DB_COUNTED, "what sticker_store.h says");

enum status sticker_store_count(struct sticker_store *s, int64_t *stickers, int64_t *queries, int64_t *pending,
                                struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st = db_count(c, "SELECT count(*) FROM stickers", &s->stickers, stickers, err);
    if (st == OK)
        st = db_count(c, "SELECT count(*) FROM queries", &s->queries, queries, err);
    if (st == OK)
        st = db_count(c, "SELECT count(*) FROM outbox", &s->pending, pending, err);
    db_reader_done(s->db, c);
    return st;
}

enum status sticker_store_search(struct sticker_store *s, const struct term_query *q,
                                 const struct sticker_filter *filter, size_t limit, size_t offset, struct arena *a,
                                 struct store_hit **hits, size_t *n, int64_t *total, struct error *err)
{
    struct fts_hit *found;
    *hits = NULL;
    *n = 0;
    enum status st = fts_search(s->db, &sticker_fts, q, filter, limit, offset, a, &found, n, total, err);
    if (st != OK || *n == 0)
        return st;
    if (!(*hits = arena_array(a, *n, sizeof **hits)))
        return err_set(err, ERR_NO_MEMORY, "%zu search hits are larger than %zu bytes", *n, a->max);
    for (size_t i = 0; i < *n; i++)
        (*hits)[i] = (struct store_hit){.filename = found[i].filename, .score = found[i].score};
    return OK;
}
