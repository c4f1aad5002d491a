/* sticker_store_sqlite.c: the sticker database's schema, and stickers themselves: adding, changing,
 * reading, and the search over their words that stands in when SearchService cannot answer. */
#include "store/sticker_sqlite.h"

#include "base/os.h"
#include "store/sqlite_fts.h"
#include <stdlib.h>
#include <string.h>

/* Votes of the rows of `table`, which scores know by `column`. */
#define SUMMED_VOTES(table, column)                                                                                    \
    "ALTER TABLE " table " ADD COLUMN positives INTEGER NOT NULL DEFAULT 0;"                                           \
    "ALTER TABLE " table " ADD COLUMN negatives INTEGER NOT NULL DEFAULT 0;"                                           \
    "UPDATE " table " SET positives = v.positives, negatives = v.negatives FROM"                                       \
    " (SELECT " column " AS id, sum(positives) AS positives, sum(negatives) AS negatives FROM scores GROUP BY 1) v"    \
    " WHERE v.id = " table ".id;"                                                                                      \
    "CREATE INDEX " table "_positives ON " table " (positives);"                                                       \
    "CREATE INDEX " table "_negatives ON " table " (negatives);"
/* Adds to the votes of one `kind` of the sticker and of the query that the score `row` is of. */
#define SUM_VOTES(kind, change, row)                                                                                   \
    "UPDATE stickers SET " kind " = " kind " " change " WHERE id = " row ".sticker_id;"                                \
    " UPDATE queries SET " kind " = " kind " " change " WHERE id = " row ".query_id;"

/* Ids are UUIDv7 text, times microseconds since 1970. */
static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE stickers ("
    " row INTEGER PRIMARY KEY," /* what stickers_fts knows it by */
    " id TEXT NOT NULL UNIQUE,"
    " filename TEXT NOT NULL UNIQUE,"
    " title TEXT NOT NULL,"
    " pack TEXT NOT NULL, author TEXT NOT NULL, license TEXT NOT NULL, source TEXT NOT NULL,"
    " sha256 TEXT NOT NULL, mime TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE sticker_words ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " sticker_id TEXT NOT NULL REFERENCES stickers (id) ON DELETE CASCADE,"
    " language TEXT NOT NULL, words TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " UNIQUE (sticker_id, language)) STRICT;"

    "CREATE VIRTUAL TABLE stickers_fts USING fts5 (" FTS_COLUMNS ");"

    "CREATE TABLE queries ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " query TEXT NOT NULL UNIQUE,"
    " usage INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE scores ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " query_id TEXT NOT NULL REFERENCES queries (id) ON DELETE CASCADE,"
    " sticker_id TEXT NOT NULL REFERENCES stickers (id) ON DELETE CASCADE,"
    " positives INTEGER NOT NULL, negatives INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " UNIQUE (query_id, sticker_id)) STRICT;"
    "CREATE INDEX scores_sticker ON scores (sticker_id);"

    "CREATE TABLE users ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " username TEXT NOT NULL UNIQUE,"
    " password_hash TEXT NOT NULL,"
    " is_staff INTEGER NOT NULL, is_superuser INTEGER NOT NULL, is_active INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE tokens ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " label TEXT NOT NULL,"
    " hash_hex TEXT NOT NULL UNIQUE,"
    " last_used_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX tokens_user ON tokens (user_id);"

    "CREATE TABLE outbox ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT," /* never reused: outbox_done must not hit a later entry */
    " filename TEXT NOT NULL UNIQUE,"
    " op TEXT NOT NULL,"
    " attempts INTEGER NOT NULL, last_error TEXT NOT NULL, due_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;",

    /* 2: the admin. An index per column that a list sorts by, so that a page is a short walk along it (its last
     * column is the row number, which breaks ties); a number for each query that the words of all queries are found
     * by; and who may do what, who is logged in, who did what. */
    "CREATE INDEX stickers_title ON stickers (title);"
    "CREATE INDEX stickers_pack ON stickers (pack);"
    "CREATE INDEX stickers_created ON stickers (created_us);"
    "CREATE INDEX stickers_modified ON stickers (modified_us);"
    "CREATE INDEX sticker_words_language ON sticker_words (language);"
    "CREATE INDEX queries_usage ON queries (usage);"
    "CREATE INDEX queries_created ON queries (created_us);"
    "CREATE INDEX queries_modified ON queries (modified_us);"
    "CREATE INDEX scores_positives ON scores (positives);"
    "CREATE INDEX scores_negatives ON scores (negatives);"
    "CREATE INDEX scores_modified ON scores (modified_us);"

    "ALTER TABLE queries ADD COLUMN row INTEGER;" /* unlike SQLite's own row numbers, VACUUM leaves it alone */
    "UPDATE queries SET row = rowid;"
    "CREATE UNIQUE INDEX queries_row ON queries (row);"
    "CREATE VIRTUAL TABLE queries_fts USING fts5 (query, content = '', columnsize = 0, detail = 'none',"
    " tokenize = 'unicode61 remove_diacritics 2');"
    "INSERT INTO queries_fts (rowid, query) SELECT row, query FROM queries;"
    "ALTER TABLE queries ADD COLUMN unlisted INTEGER;" /* 1: its words are not in queries_fts yet */
    "CREATE INDEX queries_unlisted ON queries (row) WHERE unlisted = 1;"

    "CREATE TABLE groups ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " permissions TEXT NOT NULL," /* "stickers.view stickers.change" */
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE user_groups ("
    " user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,"
    " PRIMARY KEY (user_id, group_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX user_groups_group ON user_groups (group_id);"
    "CREATE TABLE sessions ("
    " hash_hex TEXT NOT NULL PRIMARY KEY,"
    " user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " address TEXT NOT NULL,"
    " seen_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX sessions_user ON sessions (user_id);"
    "CREATE INDEX sessions_seen ON sessions (seen_us);"
    "CREATE TABLE logins (" /* attempts to log in, by "account NAME" and by "address ADDRESS" */
    " key TEXT NOT NULL PRIMARY KEY,"
    " failures INTEGER NOT NULL, last_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX logins_last ON logins (last_us);"
    "CREATE TABLE history ("
    " row INTEGER PRIMARY KEY,"
    " at_us INTEGER NOT NULL, username TEXT NOT NULL, address TEXT NOT NULL,"
    " action TEXT NOT NULL, model TEXT NOT NULL, object TEXT NOT NULL,"
    " before TEXT NOT NULL, after TEXT NOT NULL) STRICT;"
    "CREATE INDEX history_at ON history (at_us);"
    "CREATE INDEX history_username ON history (username);"
    "CREATE INDEX history_object ON history (object);",

    /* 3: words in many languages. An emoji has some 130 lists of a few words, so rows are lean: no ids and times
     * of their own. Those that are there are sent again, to be found by their languages. */
    FTS_LANGUAGES_SCHEMA("stickers_fts")
    /* clang-format off */
    "CREATE TABLE words_by_language ("
    " sticker INTEGER NOT NULL REFERENCES stickers (row) ON DELETE CASCADE,"
    " language TEXT NOT NULL, title TEXT NOT NULL, words TEXT NOT NULL,"
    " PRIMARY KEY (sticker, language)) STRICT, WITHOUT ROWID;"
    "INSERT INTO words_by_language SELECT s.row, w.language, '', w.words"
    " FROM sticker_words w JOIN stickers s ON s.id = w.sticker_id;"
    "DROP TABLE sticker_words;"
    "ALTER TABLE words_by_language RENAME TO sticker_words;"
    "CREATE INDEX sticker_words_language ON sticker_words (language);"
    "INSERT OR REPLACE INTO outbox (filename, op, attempts, last_error, due_us, created_us, modified_us)"
    " SELECT filename, 'put', 0, '', 0, created_us, created_us FROM stickers WHERE row IN"
    " (SELECT sticker FROM sticker_words WHERE language NOT LIKE 'en%') ORDER BY filename;",
    /* clang-format on */

    /* 4: totals by day, and how often a query found nothing. */
    "CREATE TABLE days ("
    " day INTEGER PRIMARY KEY," /* since 1970, UTC */
    " searches INTEGER NOT NULL, empty INTEGER NOT NULL, degraded INTEGER NOT NULL,"
    " positives INTEGER NOT NULL, negatives INTEGER NOT NULL) STRICT;"
    "ALTER TABLE queries ADD COLUMN empty INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX queries_empty ON queries (empty);",

    /* 5: votes by sticker and by query. Triggers keep them, whoever votes, changes or deletes a score, also by
     * deleting its sticker or query; one for either kind, because a vote is of one kind and each has an index. */
    SUMMED_VOTES("stickers", "sticker_id") SUMMED_VOTES("queries", "query_id")
    /* clang-format off */
    "CREATE TRIGGER scores_add_positives AFTER INSERT ON scores WHEN new.positives <> 0 BEGIN "
    SUM_VOTES("positives", "+ new.positives", "new") " END;"
    "CREATE TRIGGER scores_add_negatives AFTER INSERT ON scores WHEN new.negatives <> 0 BEGIN "
    SUM_VOTES("negatives", "+ new.negatives", "new") " END;"
    "CREATE TRIGGER scores_change_positives AFTER UPDATE OF positives ON scores WHEN new.positives <> old.positives BEGIN "
    SUM_VOTES("positives", "- old.positives + new.positives", "new") " END;"
    "CREATE TRIGGER scores_change_negatives AFTER UPDATE OF negatives ON scores WHEN new.negatives <> old.negatives BEGIN "
    SUM_VOTES("negatives", "- old.negatives + new.negatives", "new") " END;"
    "CREATE TRIGGER scores_delete AFTER DELETE ON scores BEGIN "
    SUM_VOTES("positives", "- old.positives", "old") " " SUM_VOTES("negatives", "- old.negatives", "old") " END;",
    /* clang-format on */

    /* 6: requests that may come again. What was answered follows from the body and a bit for each of its votes. */
    "CREATE TABLE feedback_keys ("
    " key TEXT NOT NULL PRIMARY KEY,"
    " body TEXT NOT NULL,"    /* its SHA-256 */
    " unknown BLOB NOT NULL," /* bit i % 8 of byte i / 8: the sticker of vote i does not exist */
    " created_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX feedback_keys_created ON feedback_keys (created_us);",
};

static const struct db_schema schema = {
    .what = "sticker database",
    .application_id = 0x5065534b, /* "PeSK" */
    .count = sizeof migrations / sizeof *migrations,
    .migrations = migrations,
};

static void sqlite_close(struct sticker_store *s)
{
    db_close(sticker_db(s));
    free(s);
}

static enum status sqlite_ping(struct sticker_store *s, struct error *err)
{
    return db_ping(sticker_db(s), err);
}

/* --- changes --- */

static const struct fts_table fts = FTS_TABLE("stickers_fts", "stickers", "row");

static enum status put_words(struct db_conn *c, int64_t row, const struct sticker *s, const struct index_terms *terms,
                             struct error *err)
{
    enum status st = fts_put(c, &fts, row, terms, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM sticker_words WHERE sticker = ?1", DB_ARGS(DB_INT(row)), NULL, err);
    for (size_t i = 0; i < s->n_words && st == OK; i++) {
        const struct sticker_words *w = &s->words[i];
        /* Two lists for one language are one longer list. */
        st = db_run(c,
                    "INSERT INTO sticker_words (sticker, language, title, words) VALUES (?1, ?2, ?3, ?4)"
                    " ON CONFLICT (sticker, language) DO UPDATE SET words = words || ', ' || excluded.words",
                    DB_ARGS(DB_INT(row), DB_TEXT(w->language), DB_TEXT(w->title ? w->title : ""), DB_TEXT(w->words)),
                    NULL, err);
    }
    return st;
}

struct add_job {
    const struct sticker *stickers;
    const struct index_terms *terms;
    size_t n, updated;
};

enum status sticker_sqlite_sticker_add(struct db_conn *c, const struct sticker *s, const struct index_terms *terms,
                                       struct error *err)
{
    char id[37];
    int64_t now = os_now_us(), row;
    bool added;
    os_uuid7(id);
    enum status st =
        db_get_int(c,
                   "INSERT INTO stickers (id, filename, title, pack, author, license, source, sha256, mime,"
                   " bytes, width, height, created_us, modified_us)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)"
                   " ON CONFLICT (filename) DO NOTHING RETURNING row",
                   DB_ARGS(DB_TEXT(id), DB_TEXT(s->filename), DB_TEXT(s->title), DB_TEXT(s->pack), DB_TEXT(s->author),
                           DB_TEXT(s->license), DB_TEXT(s->source), DB_TEXT(s->sha256), DB_TEXT(s->mime),
                           DB_INT(s->bytes), DB_INT(s->width), DB_INT(s->height), DB_INT(now)),
                   &row, &added, err);
    if (st != OK)
        return st;
    if (!added)
        return err_set(err, ERR_CONFLICT, "sticker \"%s\" exists already", s->filename);
    st = put_words(c, row, s, terms, err);
    return st == OK ? sticker_sqlite_outbox_queue(c, "put", s->filename, err) : st;
}

static enum status add_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct add_job *job = arg;
    enum status st = OK;
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = sticker_sqlite_sticker_add(c, &job->stickers[i], &job->terms[i], err);
    return st;
}

static enum status sqlite_add(struct sticker_store *s, const struct sticker *stickers, const struct index_terms *terms,
                              size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        enum status st = store_check_filename(stickers[i].filename, err);
        if (st != OK)
            return st;
    }
    return db_write(sticker_db(s), DB_DURABLE, add_job, &(struct add_job){stickers, terms, n, 0}, err);
}

static enum status not_found(const char *filename, struct error *err)
{
    return err_set(err, ERR_NOT_FOUND, "sticker \"%s\" does not exist", filename);
}

/* *row is 0 when the sticker is not there, or was modified after `unmodified_since`. */
static enum status update_one(struct db_conn *c, const struct sticker *s, const struct index_terms *terms,
                              int64_t unmodified_since, int64_t *row, struct error *err)
{
    struct db_rows r;
    *row = 0;
    db_query(&r, c,
             "UPDATE stickers SET title = ?2, pack = ?3, author = ?4, license = ?5, source = ?6, modified_us = ?7"
             " WHERE filename = ?1 AND modified_us <= ?8 RETURNING row",
             DB_ARGS(DB_TEXT(s->filename), DB_TEXT(s->title), DB_TEXT(s->pack), DB_TEXT(s->author), DB_TEXT(s->license),
                     DB_TEXT(s->source), DB_INT(os_now_us()), DB_INT(unmodified_since)),
             err);
    while (db_next(&r))
        *row = db_int(&r, 0);
    enum status st = db_end(&r);
    if (st == OK && *row)
        st = put_words(c, *row, s, terms, err);
    return st == OK && *row ? sticker_sqlite_outbox_queue(c, "put", s->filename, err) : st;
}

enum status sticker_sqlite_sticker_update(struct db_conn *c, const struct sticker *s, const struct index_terms *terms,
                                          struct error *err)
{
    int64_t row;
    enum status st = update_one(c, s, terms, INT64_MAX, &row, err);
    return st == OK && row == 0 ? not_found(s->filename, err) : st;
}

static enum status update_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct add_job *job = arg;
    return sticker_sqlite_sticker_update(c, job->stickers, job->terms, err);
}

static enum status sqlite_update(struct sticker_store *s, const struct sticker *sticker,
                                 const struct index_terms *terms, struct error *err)
{
    return db_write(sticker_db(s), DB_DURABLE, update_job, &(struct add_job){sticker, terms, 1, 0}, err);
}

static enum status update_unmodified_job(struct db_conn *c, void *arg, struct error *err)
{
    struct add_job *job = arg;
    enum status st = OK;
    job->updated = 0;
    for (size_t i = 0; i < job->n && st == OK; i++) {
        int64_t row;
        st = update_one(c, &job->stickers[i], &job->terms[i], job->stickers[i].modified_us, &row, err);
        job->updated += row != 0;
    }
    return st;
}

static enum status sqlite_update_unmodified(struct sticker_store *s, const struct sticker *stickers,
                                            const struct index_terms *terms, size_t n, size_t *updated,
                                            struct error *err)
{
    struct add_job job = {stickers, terms, n, 0};
    enum status st = db_write(sticker_db(s), DB_DURABLE, update_unmodified_job, &job, err);
    *updated = st == OK ? job.updated : 0;
    return st;
}

enum status sticker_sqlite_sticker_delete(struct db_conn *c, const char *filename, struct error *err)
{
    bool found;
    int64_t row;
    enum status st =
        db_get_int(c, "SELECT row FROM stickers WHERE filename = ?1", DB_ARGS(DB_TEXT(filename)), &row, &found, err);
    if (st != OK)
        return st;
    if (!found)
        return not_found(filename, err);
    if ((st = fts_remove(c, &fts, row, err)) != OK ||
        (st = db_run(c, "DELETE FROM stickers WHERE row = ?1", DB_ARGS(DB_INT(row)), NULL, err)) != OK)
        return st;
    return sticker_sqlite_outbox_queue(c, "delete", filename, err);
}

static enum status delete_job(struct db_conn *c, void *arg, struct error *err)
{
    return sticker_sqlite_sticker_delete(c, arg, err);
}

static enum status sqlite_delete(struct sticker_store *s, const char *filename, struct error *err)
{
    return db_write(sticker_db(s), DB_DURABLE, delete_job, (void *)(uintptr_t)filename, err);
}

/* --- reads --- */

#define STICKER_COLUMNS                                                                                                \
    "id, filename, title, pack, author, license, source, sha256, mime, bytes, width, height, created_us, modified_us"

static void read_sticker(struct db_rows *r, struct arena *a, struct sticker *out)
{
    *out = (struct sticker){
        .id = db_text(r, 0, a),
        .filename = db_text(r, 1, a),
        .title = db_text(r, 2, a),
        .pack = db_text(r, 3, a),
        .author = db_text(r, 4, a),
        .license = db_text(r, 5, a),
        .source = db_text(r, 6, a),
        .sha256 = db_text(r, 7, a),
        .mime = db_text(r, 8, a),
        .bytes = db_int(r, 9),
        .width = (int32_t)db_int(r, 10),
        .height = (int32_t)db_int(r, 11),
        .created_us = db_int(r, 12),
        .modified_us = db_int(r, 13),
    };
}

static enum status read_words(struct db_conn *c, struct arena *a, struct sticker *sticker, struct error *err)
{
    struct db_rows r;
    void *words = NULL;
    size_t n = 0, cap = 0;
    db_query(&r, c,
             "SELECT w.language, w.words, w.title FROM sticker_words w JOIN stickers s ON w.sticker = s.row"
             " WHERE s.id = ?1 ORDER BY w.language",
             DB_ARGS(DB_TEXT(sticker->id)), err);
    while (db_next(&r) && db_grow(&r, a, &words, n, &cap, sizeof(struct sticker_words))) {
        ((struct sticker_words *)words)[n++] = (struct sticker_words){
            .language = db_text(&r, 0, a), .words = db_text(&r, 1, a), .title = db_text(&r, 2, a)};
    }
    sticker->words = words;
    sticker->n_words = n;
    return db_end(&r);
}

/* out->filename is NULL when there is none. */
static enum status find(struct db_conn *c, const char *filename, struct arena *a, struct sticker *out,
                        struct error *err)
{
    struct db_rows r;
    *out = (struct sticker){0};
    db_query(&r, c, "SELECT " STICKER_COLUMNS " FROM stickers WHERE filename = ?1", DB_ARGS(DB_TEXT(filename)), err);
    while (db_next(&r))
        read_sticker(&r, a, out);
    return db_end(&r);
}

static enum status sqlite_get(struct sticker_store *s, const char *filename, struct arena *a, struct sticker *out,
                              struct error *err)
{
    struct db_conn *c = db_reader(sticker_db(s));
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        st = find(c, filename, a, out, err);
        if (st == OK && !out->filename)
            st = not_found(filename, err);
        if (st == OK)
            st = read_words(c, a, out, err);
        db_snapshot_end(c);
    }
    db_reader_done(sticker_db(s), c);
    return st;
}

static enum status sqlite_get_many(struct sticker_store *s, const char *const *filenames, size_t n, struct arena *a,
                                   struct sticker *out, struct error *err)
{
    struct db_conn *c = db_reader(sticker_db(s));
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        for (size_t i = 0; i < n && st == OK; i++)
            st = find(c, filenames[i], a, &out[i], err);
        db_snapshot_end(c);
    }
    db_reader_done(sticker_db(s), c);
    return st;
}

static enum status list_page(struct db_conn *c, const char *after, size_t limit, struct arena *a, void **page,
                             size_t *n, struct error *err)
{
    struct db_rows r;
    size_t cap = 0;
    db_query(&r, c, "SELECT " STICKER_COLUMNS " FROM stickers WHERE filename > ?1 ORDER BY filename LIMIT ?2",
             DB_ARGS(DB_TEXT(after), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, page, *n, &cap, sizeof(struct sticker)))
        read_sticker(&r, a, (struct sticker *)*page + (*n)++);
    return db_end(&r);
}

static enum status sqlite_list(struct sticker_store *s, const char *after, size_t limit, struct arena *a,
                               struct sticker **out, size_t *n, struct error *err)
{
    void *page = NULL;
    *n = 0;
    struct db_conn *c = db_reader(sticker_db(s));
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        st = list_page(c, after, limit, a, &page, n, err);
        for (size_t i = 0; i < *n && st == OK; i++)
            st = read_words(c, a, (struct sticker *)page + i, err);
        db_snapshot_end(c);
    }
    db_reader_done(sticker_db(s), c);
    *out = page;
    return st;
}

static enum status sqlite_count(struct sticker_store *s, int64_t *stickers, int64_t *queries, int64_t *pending,
                                struct error *err)
{
    struct db_conn *c = db_reader(sticker_db(s));
    struct db_rows r;
    db_query(&r, c,
             "SELECT (SELECT count(*) FROM stickers), (SELECT count(*) FROM queries), (SELECT count(*) FROM outbox)",
             DB_NONE, err);
    while (db_next(&r)) {
        *stickers = db_int(&r, 0);
        *queries = db_int(&r, 1);
        *pending = db_int(&r, 2);
    }
    enum status st = db_end(&r);
    db_reader_done(sticker_db(s), c);
    return st;
}

static enum status sqlite_search(struct sticker_store *s, const struct index_query *q, size_t limit, size_t offset,
                                 struct arena *a, struct store_hit **hits, size_t *n, int64_t *total, struct error *err)
{
    struct fts_hit *found;
    *hits = NULL;
    *n = 0;
    enum status st = fts_search(sticker_db(s), &fts, q, limit, offset, a, &found, n, total, err);
    if (st != OK || *n == 0)
        return st;
    if (!(*hits = arena_array(a, *n, sizeof **hits)))
        return err_set(err, ERR_NO_MEMORY, "%zu search hits are larger than %zu bytes", *n, a->max);
    for (size_t i = 0; i < *n; i++)
        (*hits)[i] = (struct store_hit){.filename = found[i].filename, .score = found[i].score};
    return OK;
}

enum status sticker_store_sqlite_open(const char *url, unsigned readers, struct sticker_store **out, struct error *err)
{
    static const struct sticker_store_ops ops = {
        .close = sqlite_close,
        .ping = sqlite_ping,
        .add = sqlite_add,
        .update = sqlite_update,
        .update_unmodified = sqlite_update_unmodified,
        .remove = sqlite_delete,
        .get = sqlite_get,
        .get_many = sqlite_get_many,
        .list = sqlite_list,
        .count = sqlite_count,
        .search = sqlite_search,
        .query_ensure = sticker_sqlite_query_ensure,
        .usage_add = sticker_sqlite_usage_add,
        .feedback = sticker_sqlite_feedback,
        .days = sticker_sqlite_days,
        .analytics = sticker_sqlite_analytics,
        .export_page = sticker_sqlite_export,
        .user_add = sticker_sqlite_user_add,
        .user_get = sticker_sqlite_user_get,
        .user_passwd = sticker_sqlite_user_passwd,
        .user_delete = sticker_sqlite_user_delete,
        .user_list = sticker_sqlite_user_list,
        .token_add = sticker_sqlite_token_add,
        .token_list = sticker_sqlite_token_list,
        .token_revoke = sticker_sqlite_token_revoke,
        .token_user = sticker_sqlite_token_user,
        .outbox_next = sticker_sqlite_outbox_next,
        .outbox_done = sticker_sqlite_outbox_done,
        .outbox_failed = sticker_sqlite_outbox_failed,
        .outbox_refill = sticker_sqlite_outbox_refill,
        .outbox_oldest = sticker_sqlite_outbox_oldest,
        .session_add = sticker_sqlite_session_add,
        .session_get = sticker_sqlite_session_get,
        .session_end = sticker_sqlite_session_end,
        .login_try = sticker_sqlite_login_try,
        .login_succeeded = sticker_sqlite_login_succeeded,
        .list_page = sticker_sqlite_list_page,
        .list_row = sticker_sqlite_list_row,
        .list_values = sticker_sqlite_list_values,
        .list_goes = sticker_sqlite_list_goes,
        .change = sticker_sqlite_change,
    };
    struct sticker_sqlite *s = calloc(1, sizeof *s);
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
