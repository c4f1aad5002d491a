/* store_copy.c: what the tables of both stores are, whichever the database, and copying them by that.
 *
 * Rows keep their numbers, so that lists and cursors mean the same afterwards. What a database derives from its rows is
 * not copied but made anew (sums of votes, by triggers; the words of queries, at the end), and compared where it is
 * seen. The words of stickers and documents are copied as the analysed terms they were made of.
 *
 * It is one file of more than 600 lines because the copier and the comparison both walk the one list of tables, so that
 * nothing is copied that is not compared. */
#include "store_copy/store_copy.h"

#include "base/os.h"
#include "fts/fts_terms.h"
#include "search_store/search_columns.h"
#include "search_store/search_internal.h"
#include "sticker_store/sticker_columns.h"
#include "sticker_store/sticker_internal.h"

#include <assert.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    MAX_COLUMNS = 32,
    MAX_KEYS = 2,
    BATCH_ROWS = 1000, /* to a transaction, at most, and so many bytes and a row */
    BATCH_BYTES = 8 << 20,
    BATCH_DOCUMENTS = 100, /* whose terms go together */
    MAX_KEY = 2048,        /* bytes of a text that a table is ordered by */
    MAX_SQL = 4096,
};

/* --- what is copied --- */

struct column {
    const char *name; /* NULL ends them. rowno is SQLite's rowid. */
    enum { NUMBER, TEXT, BLOB, DERIVED_NUMBER } type;
};
struct table {
    const char *name;
    size_t keys; /* the first columns, by which it is ordered */
    struct column columns[MAX_COLUMNS + 1];
    const char *postgres_source; /* what PostgreSQL reads in its place; NULL: the table */
    struct {
        const char *name, *value; /* one more column, of this database alone */
    } sqlite, postgres;
    bool by_day;            /* PostgreSQL has a partition for each value of its second column */
    const char *derived[3]; /* columns that are left out, because the database makes them anew, or users do in days */
};
#define TIMES                                                                                                          \
    {"created_us", NUMBER},                                                                                            \
    {                                                                                                                  \
        "modified_us", NUMBER                                                                                          \
    }
#define VOTES                                                                                                          \
    {"positives", DERIVED_NUMBER},                                                                                     \
    {                                                                                                                  \
        "negatives", DERIVED_NUMBER                                                                                    \
    }

/* Columns that their store declares. */
#define DECLARED(place, column, kind, type) {#column, DECLARED_##kind},
#define DECLARED_TEXT                       TEXT
#define DECLARED_INT                        NUMBER

_Static_assert(STICKER_WIDTH + 4 <= MAX_COLUMNS,
               "so many a deleted sticker has: its number, when, by whom, whether for good");

/* In an order that no reference hinders. */
static const struct table sticker_tables[] = {
    {.name = "stickers",
     .keys = 1,
     .columns = {{"rowno", NUMBER}, {"id", TEXT}, {"filename", TEXT}, STICKER_COLUMNS(DECLARED) TIMES, VOTES}},
    {.name = "sticker_words",
     .keys = 2,
     .columns = {{"sticker", NUMBER}, {"language", TEXT}, {"title", TEXT}, {"words", TEXT}}},
    {.name = "sticker_looks", .keys = 1, .columns = {{"sticker", NUMBER}, {"look", BLOB}}},
    {.name = "not_duplicates", .keys = 2, .columns = {{"first_id", TEXT}, {"second_id", TEXT}}},
    {.name = "queries",
     .keys = 1,
     .columns = {{"rowno", NUMBER}, {"id", TEXT}, {"query", TEXT}, {"usage", NUMBER}, {"empty", NUMBER}, TIMES, VOTES},
     .sqlite = {"row", "$1"},
     .derived = {"unlisted", "trend", "crowd"}},
    {.name = "noted_queries", .keys = 1, .columns = {{"rowno", NUMBER}, {"query", TEXT}}},
    {.name = "scores",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"id", TEXT},
                 {"query_id", TEXT},
                 {"sticker_id", TEXT},
                 {"positives", NUMBER},
                 {"negatives", NUMBER},
                 TIMES}},
    {.name = "votes",
     .keys = 1,
     .columns =
         {{"rowno", NUMBER}, {"voter", TEXT}, {"query_id", TEXT}, {"sticker_id", TEXT}, {"positive", NUMBER}, TIMES}},
    {.name = "days",
     .keys = 1,
     .columns = {{"day", NUMBER},
                 {"searches", NUMBER},
                 {"empty", NUMBER},
                 {"degraded", NUMBER},
                 {"positives", NUMBER},
                 {"negatives", NUMBER}},
     .postgres_source =
         "(SELECT day, sum(searches)::bigint AS searches, sum(empty)::bigint AS empty, sum(degraded)::bigint AS "
         "degraded,"
         " sum(positives)::bigint AS positives, sum(negatives)::bigint AS negatives FROM days GROUP BY day) d",
     .postgres = {"part", "0"}},
    {.name = "users",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"id", TEXT},
                 {"username", TEXT},
                 {"password_hash", TEXT},
                 {"is_staff", NUMBER},
                 {"is_superuser", NUMBER},
                 {"is_active", NUMBER},
                 {"totp", TEXT},
                 {"totp_step", NUMBER},
                 TIMES}},
    {.name = "recovery_codes", .keys = 1, .columns = {{"hash_hex", TEXT}, {"user_id", TEXT}}},
    {.name = "tokens",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"id", TEXT},
                 {"user_id", TEXT},
                 {"label", TEXT},
                 {"hash_hex", TEXT},
                 {"last_used_us", NUMBER},
                 {"expires_us", NUMBER},
                 TIMES}},
    {.name = "app_keys",
     .keys = 1,
     .columns = {{"name", TEXT},
                 {"hash_hex", TEXT},
                 {"per_minute", NUMBER},
                 {"requests", NUMBER},
                 {"last_used_us", NUMBER},
                 TIMES}},
    {.name = "groups",
     .keys = 1,
     .columns = {{"rowno", NUMBER}, {"id", TEXT}, {"name", TEXT}, {"permissions", TEXT}, TIMES}},
    {.name = "user_groups", .keys = 2, .columns = {{"user_id", TEXT}, {"group_id", TEXT}}},
    {.name = "sessions",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"hash_hex", TEXT},
                 {"user_id", TEXT},
                 {"address", TEXT},
                 {"browser", TEXT},
                 {"seen_us", NUMBER},
                 TIMES}},
    {.name = "logins", .keys = 1, .columns = {{"key", TEXT}, {"failures", NUMBER}, {"last_us", NUMBER}}},
    {.name = "history",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"at_us", NUMBER},
                 {"username", TEXT},
                 {"address", TEXT},
                 {"action", TEXT},
                 {"model", TEXT},
                 {"object", TEXT},
                 {"before", TEXT},
                 {"after", TEXT},
                 {"batch", TEXT},
                 {"hash", TEXT},
                 {"username_proof", TEXT},
                 {"address_proof", TEXT},
                 {"content_proof", TEXT}}},
    {.name = "history_head",
     .keys = 1,
     .columns = {{"one", NUMBER}, {"last", NUMBER}, {"hash", TEXT}, {"logged", NUMBER}}},
    {.name = "packs",
     .keys = 1,
     .columns = {{"name", TEXT},
                 {"title", TEXT},
                 {"author", TEXT},
                 {"license", TEXT},
                 {"source", TEXT},
                 {"cover", TEXT},
                 TIMES}},
    {.name = "imports",
     .keys = 1,
     .columns = {{"number", NUMBER},
                 {"batch", TEXT},
                 {"username", TEXT},
                 {"source", TEXT},
                 {"added", NUMBER},
                 {"changed", NUMBER},
                 {"skipped", NUMBER},
                 {"failed", NUMBER},
                 {"at_us", NUMBER},
                 {"ended_us", NUMBER},
                 {"undone_us", NUMBER}}},
    {.name = "trash",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"id", TEXT},
                 {"filename", TEXT},
                 STICKER_COLUMNS(DECLARED) TIMES,
                 {"deleted_us", NUMBER},
                 {"deleted_by", TEXT},
                 {"emptied", NUMBER}}},
    {.name = "trash_words",
     .keys = 2,
     .columns = {{"trash", NUMBER}, {"language", TEXT}, {"title", TEXT}, {"words", TEXT}}},
    {.name = "trash_scores",
     .keys = 1,
     .columns =
         {{"id", TEXT}, {"trash", NUMBER}, {"query_id", TEXT}, {"positives", NUMBER}, {"negatives", NUMBER}, TIMES}},
    {.name = "trash_votes",
     .keys = 1,
     .columns =
         {{"rowno", NUMBER}, {"trash", NUMBER}, {"voter", TEXT}, {"query_id", TEXT}, {"positive", NUMBER}, TIMES}},
    {.name = "saved_views",
     .keys = 1,
     .columns =
         {{"id", TEXT}, {"user_id", TEXT}, {"list", TEXT}, {"name", TEXT}, {"query", TEXT}, {"created_us", NUMBER}}},
    {.name = "outbox",
     .keys = 1,
     .columns = {{"seq", NUMBER},
                 {"filename", TEXT},
                 {"op", TEXT},
                 {"attempts", NUMBER},
                 {"last_error", TEXT},
                 {"due_us", NUMBER},
                 TIMES}},
    {.name = "webhooks",
     .keys = 1,
     .columns = {{"id", NUMBER},
                 {"url", TEXT},
                 {"events", TEXT},
                 {"secret", TEXT},
                 {"disabled", TEXT},
                 {"failures", NUMBER},
                 {"due_us", NUMBER},
                 TIMES}},
    {.name = "webhook_deliveries",
     .keys = 1,
     .columns = {{"seq", NUMBER},
                 {"webhook", NUMBER},
                 {"id", TEXT},
                 {"event", TEXT},
                 {"object", TEXT},
                 {"data", TEXT},
                 {"at_us", NUMBER},
                 {"attempts", NUMBER},
                 {"status", NUMBER},
                 {"error", TEXT},
                 {"delivered_us", NUMBER}}},
    {.name = "feedback_keys",
     .keys = 1,
     .columns = {{"key", TEXT}, {"body", TEXT}, {"unknown", BLOB}, {"created_us", NUMBER}}},
    {.name = "pins",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"id", TEXT},
                 {"query", TEXT},
                 {"language", TEXT},
                 {"sticker_id", TEXT},
                 {"position", NUMBER},
                 TIMES}},
    {.name = "synonyms",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"id", TEXT},
                 {"term", TEXT},
                 {"language", TEXT},
                 {"synonyms", TEXT},
                 {"two_way", NUMBER},
                 TIMES}},
    {.name = "keys",
     .keys = 1,
     .columns = {{"id", NUMBER}, {"purpose", TEXT}, {"secret", BLOB}, {"created_us", NUMBER}}},
    {.name = "experiments",
     .keys = 1,
     .columns = {{"id", NUMBER},
                 {"name", TEXT},
                 {"kind", NUMBER},
                 {"ranking_a", TEXT},
                 {"ranking_b", TEXT},
                 {"share", NUMBER},
                 {"started_us", NUMBER},
                 {"stopped_us", NUMBER},
                 {"searches", NUMBER},
                 {"people_a", NUMBER},
                 {"people_b", NUMBER},
                 {"won_a", NUMBER},
                 {"won_b", NUMBER},
                 {"tied", NUMBER}}},
    {.name = "searches",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"day", NUMBER},
                 {"id", BLOB},
                 {"made_us", NUMBER},
                 {"query", TEXT},
                 {"language", TEXT},
                 {"ranking", TEXT},
                 {"shift", NUMBER},
                 {"shown", BLOB}},
     .by_day = true},
    {.name = "events",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"day", NUMBER},
                 {"id", BLOB},
                 {"search", BLOB},
                 {"action", NUMBER},
                 {"sticker_id", TEXT},
                 {"rank", NUMBER},
                 {"client", TEXT},
                 {"at_us", NUMBER},
                 {"stored_us", NUMBER},
                 {"experiment", NUMBER},
                 {"team", NUMBER},
                 {"propensity", NUMBER},
                 {"person", NUMBER},
                 {"network", NUMBER},
                 {"vouched", NUMBER}},
     .by_day = true},
    {.name = "learning", .keys = 1, .columns = {{"key", TEXT}, {"value", NUMBER}}},
    {.name = "ballots",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"query", TEXT},
                 {"sticker_id", TEXT},
                 {"voter", NUMBER},
                 {"vote", NUMBER},
                 {"weight", NUMBER},
                 {"network", NUMBER},
                 {"vouched", NUMBER},
                 {"at_us", NUMBER}}},
    {.name = "clicks",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"query", TEXT},
                 {"sticker_id", TEXT},
                 {"seen", NUMBER},
                 {"clicked", NUMBER},
                 {"at_us", NUMBER},
                 {"networks", NUMBER}}},
    {.name = "click_ranks", .keys = 1, .columns = {{"rank", NUMBER}, {"seen", NUMBER}, {"clicked", NUMBER}}},
    {.name = "vote_hours",
     .keys = 1,
     .columns = {{"rowno", NUMBER},
                 {"query", TEXT},
                 {"hour", NUMBER},
                 {"votes", NUMBER},
                 {"state", NUMBER},
                 {"usual", NUMBER}}},
    {.name = "lessons",
     .keys = 1,
     .columns = {{"query", TEXT},
                 {"due", NUMBER},
                 {"computed_us", NUMBER},
                 {"version", NUMBER},
                 {"gains", TEXT},
                 {"terms", TEXT}}},
};

_Static_assert(sizeof sticker_tables / sizeof *sticker_tables <= STORE_COPY_TABLES, "each has a place in the report");

static const struct table search_tables[] = {
    {.name = "documents",
     .keys = 1,
     .columns = {{"id", NUMBER}, {"filename", TEXT}, {"words_json", TEXT}, DOCUMENT_COLUMNS(DECLARED) TIMES}},
    {.name = "document_terms",
     .keys = 1,
     .columns = {{"document_id", NUMBER},
                 {"title", TEXT},
                 {"words", TEXT},
                 {"filename", TEXT},
                 {"folded", TEXT},
                 {"languages", BLOB}}},
    {.name = "models",
     .keys = 1,
     .columns = {{"id", NUMBER}, {"name", TEXT}, {"generation", NUMBER}, {"source", NUMBER}, TIMES}},
    {.name = "vectors",
     .keys = 2,
     .columns = {{"model_id", NUMBER}, {"document_id", NUMBER}, {"vector", BLOB}, {"source_sha256", TEXT}, TIMES}},
    {.name = "vector_failures",
     .keys = 2,
     .columns = {{"model_id", NUMBER}, {"document_id", NUMBER}, {"why", TEXT}, {"source_sha256", TEXT}, TIMES}},
    {.name = "phrase_vectors", .keys = 2, .columns = {{"model_id", NUMBER}, {"phrase", TEXT}, {"code", BLOB}}},
    {.name = "priors",
     .keys = 2,
     .columns = {{"query", TEXT}, {"filename", TEXT}, {"gain", NUMBER}, {"by_clicks", NUMBER}}},
    {.name = "prior_versions", .keys = 1, .columns = {{"query", TEXT}, {"version", NUMBER}}},
    {.name = "settings", .keys = 1, .columns = {{"key", TEXT}, {"value", TEXT}, TIMES}},
    {.name = "changes", .keys = 1, .columns = {{"document_id", NUMBER}, {"generation", NUMBER}}},
};

/* What the terms are found by, whose turn it is to deliver, and what is each database's own. */
static const char *const sticker_derived[] = {
    "stickers_fts*", "queries_fts*",      "sticker_search",  "query_search",  "outbox_turn",    "schema_migrations",
    "sqlite_*",      "curation_versions", "searches_[0-9]*", "events_[0-9]*", "sticker_trends", NULL};
static const char *const search_derived[] = {"vector_tables",     "vectors_[0-9]*", "write_turn",
                                             "schema_migrations", "sqlite_*",       NULL};

/* The next row gets the number after the last one's. */
#define NUMBERED(table, column)                                                                                        \
    "SELECT setval(pg_get_serial_sequence('" table "', '" column "'), max(" column ")) FROM " table ";"

static const struct database {
    const struct db_schema *sqlite, *postgres;
    const struct table *tables;
    size_t n;
    const struct fts_table *fts; /* NULL: there is no index of terms */
    const struct table *indexed; /* whose rows have terms */
    enum status (*put_terms)(struct db_conn *c, int64_t id, const struct sticker_terms *terms, struct error *err);
    const char *finish_sqlite, *finish_postgres;
    const char *const
        *derived; /* tables that are left out, because they follow from others; patterns, NULL at the end */
} databases[] = {
    {.sqlite = &sticker_schema_sqlite,
     .postgres = &sticker_schema_postgres,
     .tables = sticker_tables,
     .n = sizeof sticker_tables / sizeof *sticker_tables,
     .fts = &sticker_fts,
     .indexed = &sticker_tables[0],
     .put_terms = sticker_put_terms,
     .finish_sqlite = "INSERT INTO queries_fts (rowid, query) SELECT row, query FROM queries",
     .finish_postgres = NUMBERED("stickers", "rowno") NUMBERED("queries", "rowno") NUMBERED("noted_queries", "rowno")
         NUMBERED("scores", "rowno") NUMBERED("votes", "rowno") NUMBERED("users", "rowno") NUMBERED("sessions", "rowno")
             NUMBERED("tokens", "rowno") NUMBERED("groups", "rowno") NUMBERED("history", "rowno")
                 NUMBERED("imports", "number") NUMBERED("trash", "rowno") NUMBERED("trash_votes", "rowno")
                     NUMBERED("outbox", "seq") NUMBERED("webhooks", "id") NUMBERED("webhook_deliveries", "seq")
                         NUMBERED("pins", "rowno") NUMBERED("synonyms", "rowno") NUMBERED("ballots", "rowno")
                             NUMBERED("clicks", "rowno") NUMBERED(
                                 "vote_hours", "rowno") "SELECT setval('searches_rowno', max(rowno)) FROM searches;"
                                                        "SELECT setval('events_rowno', max(rowno)) FROM events;",
     .derived = sticker_derived},
    {.sqlite = &search_schema_sqlite,
     .postgres = &search_schema_postgres,
     .tables = search_tables,
     .n = sizeof search_tables / sizeof *search_tables,
     /* The numbers of documents that are gone are not given again. */
     .finish_sqlite = "DELETE FROM sqlite_sequence WHERE name = 'documents'; INSERT INTO sqlite_sequence (name, seq)"
                      " SELECT 'documents', coalesce(max(document_id), 0) FROM changes",
     .finish_postgres = NUMBERED(
         "models", "id") "SELECT setval(pg_get_serial_sequence('documents', 'id'), max(document_id)) FROM changes;",
     .derived = search_derived},
};

struct copy {
    const struct database *database;
    struct db *from, *to;
    struct db_conn *source; /* in a snapshot, from the beginning to the end */
    store_copy_progress *progress;
    void *ctx;
    int64_t done, total;
    struct arena sql; /* statements are cached under their address, so they stay */
    struct store_copied *out;
};

static enum status report(struct copy *k, size_t rows, struct error *err)
{
    k->done += (int64_t)rows;
    return k->progress(k->ctx, k->done, k->total) ? OK : err_set(err, ERR_CANCELLED, "stopped");
}

/* --- rows --- */

/* The place after which rows are read. */
struct cursor {
    bool begun;
    struct db_arg key[MAX_KEYS];
    char text[MAX_KEYS][MAX_KEY];
};

struct batch {
    struct arena arena;
    size_t n, bytes;
    int64_t *numbers[MAX_COLUMNS];
    struct db_bytes *texts[MAX_COLUMNS]; /* or blobs; each with a NUL behind it */
};

static bool is_number(const struct column *c)
{
    return c->type == NUMBER || c->type == DERIVED_NUMBER;
}

static const char *column_name(const struct db_conn *c, const struct column *column)
{
    return strcmp(column->name, "rowno") == 0 ? db_sql(c, "rowid", "rowno") : column->name;
}

static void put_names(struct buf *sql, const struct db_conn *c, const struct table *t, size_t n)
{
    for (size_t i = 0; t->columns[i].name && i < n; i++)
        buf_printf(sql, "%s%s", i ? ", " : "", column_name(c, &t->columns[i]));
}

/* By their bytes, as SQLite has them. */
static void put_keys(struct buf *sql, const struct db_conn *c, const struct table *t, const char *direction)
{
    for (size_t i = 0; i < t->keys; i++)
        buf_printf(sql, "%s%s%s%s", i ? ", " : "", column_name(c, &t->columns[i]),
                   t->columns[i].type == TEXT ? db_sql(c, "", " COLLATE \"C\"") : "", direction);
}

static const char *source_of(const struct db_conn *c, const struct table *t)
{
    return db_is_postgres(c) && t->postgres_source ? t->postgres_source : t->name;
}

/* SELECT columns FROM table WHERE (keys) > ($1, $2) ORDER BY keys LIMIT n */
static void put_select(struct buf *sql, const struct db_conn *c, const struct table *t, const struct cursor *at)
{
    buf_puts(sql, "SELECT ");
    put_names(sql, c, t, MAX_COLUMNS);
    buf_printf(sql, " FROM %s", source_of(c, t));
    if (at->begun) {
        buf_puts(sql, " WHERE (");
        put_keys(sql, c, t, "");
        buf_puts(sql, t->keys == 1 ? ") > ($1)" : ") > ($1, $2)");
    }
    buf_puts(sql, " ORDER BY ");
    put_keys(sql, c, t, "");
    buf_printf(sql, " LIMIT %d", BATCH_ROWS);
}

static enum status move_to(struct cursor *at, struct db_rows *r, const struct table *t)
{
    at->begun = true;
    for (size_t i = 0; i < t->keys; i++) {
        size_t len;
        const void *text = is_number(&t->columns[i]) ? NULL : db_bytes(r, (int)i, &len);
        if (!text) {
            at->key[i] = (struct db_arg)DB_INT(db_int(r, (int)i));
            continue;
        }
        if (len >= MAX_KEY)
            return r->status = err_set(r->err, ERR_TOO_LARGE, "table %s: a %s has %zu bytes, at most %d are copied",
                                       t->name, t->columns[i].name, len, MAX_KEY - 1);
        memcpy(at->text[i], text, len);
        at->text[i][len] = '\0';
        at->key[i] = (struct db_arg)DB_TEXT(at->text[i]);
    }
    return OK;
}

static bool read_copied_row(struct db_rows *r, const struct table *t, struct batch *b)
{
    for (size_t i = 0; t->columns[i].name; i++) {
        if (is_number(&t->columns[i])) {
            b->numbers[i][b->n] = db_int(r, (int)i);
            continue;
        }
        size_t len;
        const char *bytes = db_bytes(r, (int)i, &len);
        char *copy = arena_strndup(&b->arena, bytes ? bytes : "", len);
        if (!copy)
            return false;
        b->texts[i][b->n] = (struct db_bytes){copy, len};
        b->bytes += len;
    }
    b->n++;
    return true;
}

/* The rows after `at`, which moves behind the last of them; none at the end. */
static enum status read_batch(struct db_conn *c, const struct table *t, struct cursor *at, struct batch *b,
                              struct error *err)
{
    struct db_rows r;
    struct buf sql;
    bool memory = true;
    arena_reset(&b->arena);
    b->n = b->bytes = 0;
    for (size_t i = 0; t->columns[i].name; i++) {
        b->numbers[i] = arena_array(&b->arena, BATCH_ROWS, sizeof *b->numbers[i]);
        b->texts[i] = arena_array(&b->arena, BATCH_ROWS, sizeof *b->texts[i]);
        memory = memory && b->numbers[i] && b->texts[i];
    }
    buf_init(&sql, MAX_SQL);
    put_select(&sql, c, t, at);
    enum status st = buf_status(&sql, err);
    if (st == OK && memory) {
        db_query_once(&r, c, sql.data, at->key, at->begun ? t->keys : 0, err);
        while (memory && b->bytes < BATCH_BYTES && db_next(&r))
            memory = read_copied_row(&r, t, b) && move_to(at, &r, t) == OK;
        st = db_end(&r);
    }
    buf_free(&sql);
    return st == OK && !memory ? err_no_memory(err, "rows of table %s", t->name) : st;
}

static enum status count_rows(struct db_conn *c, const struct table *t, int64_t *n, struct error *err)
{
    char sql[1024];
    struct db_rows r;
    *n = 0;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", source_of(c, t));
    db_query_once(&r, c, sql, DB_NONE, err);
    while (db_next(&r))
        *n = db_int(&r, 0);
    return db_end(&r);
}

/* --- copying --- */

struct copy_job {
    const struct table *table;
    const struct batch *batch;
    const char *sql;
};

/* SQLite gets a row at a time, PostgreSQL an array of each column. */
static void put_insert(struct buf *sql, const struct db_conn *c, const struct table *t)
{
    bool postgres = db_is_postgres(c);
    const char *more = postgres ? t->postgres.name : t->sqlite.name;
    const char *value = postgres ? t->postgres.value : t->sqlite.value;
    size_t n = 0;
    while (t->columns[n].name && t->columns[n].type != DERIVED_NUMBER)
        n++;
    buf_printf(sql, "INSERT INTO %s (", t->name);
    put_names(sql, c, t, n);
    buf_printf(sql, more ? ", %s) " : ")%s ", more ? more : "");
    buf_puts(sql, postgres ? "SELECT " : "VALUES (");
    for (size_t i = 0; i < n; i++)
        buf_printf(sql,
                   !postgres                    ? "%s$%zu"
                   : t->columns[i].type == TEXT ? "%sconvert_from(a.c%zu, 'UTF8')"
                                                : "%sa.c%zu",
                   i ? ", " : "", i + 1);
    if (more)
        buf_printf(sql, ", %s", value);
    if (!postgres) {
        buf_puts(sql, ")");
        return;
    }
    buf_puts(sql, " FROM unnest(");
    for (size_t i = 0; i < n; i++)
        buf_printf(sql, "%s$%zu", i ? ", " : "", i + 1);
    buf_puts(sql, ") a (");
    for (size_t i = 0; i < n; i++)
        buf_printf(sql, "%sc%zu", i ? ", " : "", i + 1);
    buf_puts(sql, ")");
}

static enum status copy_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct copy_job *job = arg;
    const struct batch *b = job->batch;
    const struct column *columns = job->table->columns;
    struct db_arg args[MAX_COLUMNS];
    bool postgres = db_is_postgres(c);
    enum status st = OK;
    for (size_t row = 0; job->table->by_day && row < b->n && st == OK; row++)
        if (!row || b->numbers[1][row] != b->numbers[1][row - 1])
            st = sticker_events_day(c, b->numbers[1][row], err);
    for (size_t row = 0; row < (postgres ? 1 : b->n) && st == OK; row++) {
        size_t n = 0;
        for (; columns[n].name && columns[n].type != DERIVED_NUMBER; n++) {
            const struct db_bytes *text = &b->texts[n][row];
            if (postgres && columns[n].type == NUMBER)
                args[n] = (struct db_arg)DB_INTS(b->numbers[n], b->n);
            else if (postgres)
                args[n] = (struct db_arg)DB_BLOBS(b->texts[n], b->n);
            else if (columns[n].type == NUMBER)
                args[n] = (struct db_arg)DB_INT(b->numbers[n][row]);
            else if (columns[n].type == TEXT)
                args[n] = (struct db_arg)DB_TEXT(text->data);
            else
                args[n] = (struct db_arg)DB_BLOB(text->data, text->len);
        }
        st = db_run(c, job->sql, args, n, NULL, err);
    }
    return st;
}

/* Where an earlier attempt ended: behind the last row that is there. */
static enum status find_end(struct db_conn *c, const struct table *t, struct cursor *at, struct error *err)
{
    struct buf sql;
    struct db_rows r;
    at->begun = false;
    buf_init(&sql, MAX_SQL);
    buf_puts(&sql, "SELECT ");
    put_names(&sql, c, t, t->keys);
    buf_printf(&sql, " FROM %s ORDER BY ", source_of(c, t));
    put_keys(&sql, c, t, " DESC");
    buf_puts(&sql, " LIMIT 1");
    enum status st = buf_status(&sql, err);
    if (st == OK) {
        db_query_once(&r, c, sql.data, DB_NONE, err);
        while (db_next(&r) && move_to(at, &r, t) == OK) {
        }
        st = db_end(&r);
    }
    buf_free(&sql);
    return st;
}

static enum status copy_table(struct copy *k, const struct table *t, struct batch *b, struct error *err)
{
    struct buf sql;
    struct cursor at;
    int64_t there;
    struct db_conn *c = db_reader(k->to);
    enum status st = find_end(c, t, &at, err);
    if (st == OK)
        st = count_rows(c, t, &there, err);
    buf_init(&sql, MAX_SQL);
    put_insert(&sql, c, t);
    db_reader_done(k->to, c);
    if (st == OK)
        st = buf_status(&sql, err);
    const char *insert = st == OK ? arena_strdup(&k->sql, sql.data) : "";
    buf_free(&sql);
    if (!insert)
        return err_no_memory(err, "a copy");
    if (st == OK)
        st = report(k, (size_t)there, err);
    while (st == OK && (st = read_batch(k->source, t, &at, b, err)) == OK && b->n) {
        st = db_write(k->to, DB_DURABLE, copy_job, &(struct copy_job){t, b, insert}, err);
        if (st == OK)
            st = report(k, b->n, err);
    }
    return st;
}

/* --- terms --- */

struct terms {
    struct arena arena;
    size_t n;
    int64_t ids[BATCH_DOCUMENTS];
    struct sticker_terms terms[BATCH_DOCUMENTS];
};

/* Of the documents after `after`, those that have terms; *last: the last one looked at, 0 at the end. */
static enum status read_terms(struct db_conn *c, const struct database *d, int64_t after, struct terms *out,
                              int64_t *last, struct error *err)
{
    char sql[256];
    struct db_rows r;
    int64_t ids[BATCH_DOCUMENTS];
    size_t n = 0;
    const char *id = column_name(c, &d->indexed->columns[0]);
    arena_reset(&out->arena);
    out->n = 0;
    snprintf(sql, sizeof sql, "SELECT %s FROM %s WHERE %s > $1 ORDER BY 1 LIMIT %d", id, d->indexed->name, id,
             BATCH_DOCUMENTS);
    db_query_once(&r, c, sql, DB_ARGS(DB_INT(after)), err);
    while (db_next(&r))
        ids[n++] = db_int(&r, 0);
    enum status st = db_end(&r);
    for (size_t i = 0; i < n && st == OK; i++) {
        bool found;
        st = fts_get(c, d->fts, ids[i], &out->arena, &found, &out->terms[out->n], err);
        if (st == OK && found)
            out->ids[out->n++] = ids[i];
    }
    *last = n ? ids[n - 1] : 0;
    return st;
}

struct terms_job {
    const struct database *database;
    const struct terms *terms;
};

static enum status terms_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct terms_job *job = arg;
    enum status st = OK;
    for (size_t i = 0; i < job->terms->n && st == OK; i++)
        st = job->database->put_terms(c, job->terms->ids[i], &job->terms->terms[i], err);
    return st;
}

static enum status copy_terms(struct copy *k, struct terms *t, struct error *err)
{
    int64_t last;
    struct db_conn *c = db_reader(k->to);
    enum status st = fts_last(c, k->database->fts, &last, err);
    db_reader_done(k->to, c);
    while (st == OK && (st = read_terms(k->source, k->database, last, t, &last, err)) == OK && last) {
        if (t->n)
            st = db_write(k->to, DB_DURABLE, terms_job, &(struct terms_job){k->database, t}, err);
        if (st == OK)
            st = report(k, t->n, err);
    }
    return st;
}

/* --- comparing --- */

/* One of the two databases, as far as it was read. */
struct side {
    struct db_conn *conn;
    struct cursor at;
    int64_t last; /* of documents with terms */
    bool done;
    int64_t rows;
    char sha256[65];
};

static void put_number(struct buf *out, int64_t value)
{
    for (int i = 0; i < 8; i++)
        buf_putc(out, (char)((uint64_t)value >> 8 * i & 0xff));
}

static void put_copied_bytes(struct buf *out, const void *data, size_t len)
{
    put_number(out, (int64_t)len);
    buf_append(out, data, len);
}

static void begin(struct side *s)
{
    s->at.begun = s->done = false;
    s->last = s->rows = 0;
    os_sha256_hex("", 0, s->sha256);
}

/* Chains the row in `row` to those before it, and empties it. */
static enum status chain(struct side *s, struct buf *row, struct error *err)
{
    buf_append(row, s->sha256, sizeof s->sha256);
    enum status st = buf_status(row, err);
    if (st == OK)
        os_sha256_hex(row->data, row->len, s->sha256);
    s->rows++;
    buf_reset(row);
    return st;
}

static enum status sum_rows(struct side *s, const struct table *t, struct batch *b, struct error *err)
{
    struct buf row;
    enum status st = read_batch(s->conn, t, &s->at, b, err);
    buf_init(&row, SIZE_MAX);
    for (size_t i = 0; st == OK && i < b->n; i++) {
        for (size_t col = 0; t->columns[col].name; col++)
            if (is_number(&t->columns[col]))
                put_number(&row, b->numbers[col][i]);
            else
                put_copied_bytes(&row, b->texts[col][i].data, b->texts[col][i].len);
        st = chain(s, &row, err);
    }
    s->done = b->n == 0;
    buf_free(&row);
    return st;
}

static enum status sum_terms(struct side *s, const struct database *d, struct terms *t, struct error *err)
{
    struct buf row;
    enum status st = read_terms(s->conn, d, s->last, t, &s->last, err);
    buf_init(&row, SIZE_MAX);
    for (size_t i = 0; st == OK && i < t->n; i++) {
        const struct sticker_terms *terms = &t->terms[i];
        const char *const texts[] = {terms->title, terms->words, terms->filename, terms->folded};
        put_number(&row, t->ids[i]);
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++)
            put_copied_bytes(&row, texts[j], strlen(texts[j]));
        fts_pack(terms, &row);
        st = chain(s, &row, err);
    }
    s->done = s->last == 0;
    buf_free(&row);
    return st;
}

/* The same rows? Both are read in step, so that neither connection is idle for long. `t` NULL: the terms. */
static enum status compare_table(struct copy *k, const struct table *t, struct side sides[2], struct batch *b,
                                 struct terms *terms, struct error *err)
{
    const char *name = t ? t->name : "terms";
    enum status st = OK;
    begin(&sides[0]);
    begin(&sides[1]);
    for (size_t i = 0; st == OK && (!sides[0].done || !sides[1].done); i = !i) {
        if (sides[i].done)
            continue;
        st = t ? sum_rows(&sides[i], t, b, err) : sum_terms(&sides[i], k->database, terms, err);
        if (st == OK)
            st = report(k, t ? b->n : terms->n, err);
    }
    if (st != OK)
        return st;
    if (sides[0].rows != sides[1].rows || strcmp(sides[0].sha256, sides[1].sha256) != 0)
        return err_set(err, ERR_CONFLICT,
                       "table %s is not the same: %" PRId64 " rows of %s, %" PRId64 " of %s; if the first was in use,"
                       " stop its services, remove the copy and begin again",
                       name, sides[0].rows, db_name(k->from), sides[1].rows, db_name(k->to));
    assert(k->out->n < STORE_COPY_TABLES);
    k->out->tables[k->out->n].name = name;
    k->out->tables[k->out->n].rows = sides[1].rows;
    memcpy(k->out->tables[k->out->n++].sha256, sides[1].sha256, sizeof sides[1].sha256);
    return OK;
}

static enum status compare_tables(struct copy *k, struct batch *b, struct terms *terms, struct error *err)
{
    struct side sides[2] = {{.conn = k->source}, {.conn = db_reader(k->to)}};
    enum status st = OK;
    for (size_t i = 0; i < k->database->n && st == OK; i++)
        st = compare_table(k, &k->database->tables[i], sides, b, terms, err);
    if (st == OK && k->database->fts)
        st = compare_table(k, NULL, sides, b, terms, err);
    db_reader_done(k->to, sides[1].conn);
    return st;
}

/* --- all of it --- */

static enum status finish_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct database *d = arg;
    char mark[64];
    snprintf(mark, sizeof mark, "PRAGMA application_id = %" PRId32, d->sqlite->application_id);
    enum status st = db_script(c, db_sql(c, d->finish_sqlite, d->finish_postgres), err);
    if (st != OK)
        return st;
    return db_is_postgres(c)
               ? db_run(c, "UPDATE schema_migrations SET what = $1", DB_ARGS(DB_TEXT(d->postgres->what)), NULL, err)
               : db_script(c, mark, err);
}

static enum status copy_all(struct copy *k, struct error *err)
{
    struct batch b;
    struct terms t;
    enum status st = OK;
    arena_init(&b.arena, SIZE_MAX);
    arena_init(&t.arena, SIZE_MAX);
    for (size_t i = 0; i < k->database->n && st == OK; i++) {
        int64_t rows = 0;
        st = count_rows(k->source, &k->database->tables[i], &rows, err);
        k->total += 3 * rows; /* copied, and read on both sides */
        if (&k->database->tables[i] == k->database->indexed)
            k->total += 3 * rows;
    }
    for (size_t i = 0; i < k->database->n && st == OK; i++)
        st = copy_table(k, &k->database->tables[i], &b, err);
    if (st == OK && k->database->fts)
        st = copy_terms(k, &t, err);
    if (st == OK)
        st = compare_tables(k, &b, &t, err);
    if (st == OK)
        st = db_write(k->to, DB_DURABLE, finish_job, (void *)(uintptr_t)k->database, err);
    arena_free(&b.arena);
    arena_free(&t.arena);
    return st;
}

/* Which store's database is it? */
static enum status recognise(struct copy *k, struct error *err)
{
    struct db_conn *c = k->source;
    int64_t version = 0;
    struct db_rows r;
    db_query(&r, c, db_sql(c, "PRAGMA application_id", "SELECT what FROM schema_migrations ORDER BY version LIMIT 1"),
             DB_NONE, err);
    while (db_next(&r))
        for (size_t i = 0; i < sizeof databases / sizeof *databases; i++)
            if (db_is_postgres(c) ? db_text_is(&r, 0, databases[i].postgres->what)
                                  : db_int(&r, 0) == databases[i].sqlite->application_id)
                k->database = &databases[i];
    enum status st = db_end(&r);
    if (st == ERR_UNAVAILABLE)
        return st;
    if (!k->database)
        return err_set(err, ERR_UNSUPPORTED, "database %s is neither a sticker nor a search database of peel's",
                       db_name(k->from));
    const struct db_schema *schema = db_is_postgres(c) ? k->database->postgres : k->database->sqlite;
    st = db_get_int(c, "SELECT max(version) FROM schema_migrations", DB_NONE, &version, NULL, err);
    if (st == OK && version != schema->count)
        return err_set(err, ERR_UNSUPPORTED,
                       "database %s has schema version %" PRId64 ", this program's is %" PRId64
                       ": `peel migrate` brings an older one there",
                       db_name(k->from), version, schema->count);
    return st;
}

/* --- nothing is left out by mistake --- */

static bool knows_table(const struct database *d, const char *name, const struct table **copied)
{
    *copied = NULL;
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->tables[i].name, name) == 0)
            *copied = &d->tables[i];
    for (size_t i = 0; d->derived[i] && !*copied; i++)
        if (fnmatch(d->derived[i], name, 0) == 0)
            return true;
    return *copied;
}

static bool knows_column(const struct db_conn *c, const struct table *t, const char *name)
{
    const char *own = db_is_postgres(c) ? t->postgres.name : t->sqlite.name;
    if (own && strcmp(own, name) == 0)
        return true;
    for (size_t i = 0; i < sizeof t->derived / sizeof *t->derived && t->derived[i]; i++)
        if (strcmp(t->derived[i], name) == 0)
            return true;
    for (const struct column *k = t->columns; k->name; k++)
        if (strcmp(k->name, name) == 0 ||
            (strcmp(k->name, "rowno") == 0 && strcmp(name, db_sql(c, "row", "rowno")) == 0))
            return true;
    return false;
}

/* ERR_UNSUPPORTED names a table or column that the database has and that the tables above do not: it would be lost. */
static enum status check_schema(const struct database *d, struct db *database, struct db_conn *c, struct error *err)
{
    struct arena a;
    struct db_rows r;
    enum status st = OK;
    arena_init(&a, 1 << 20);
    db_query(&r, c,
             db_sql(c,
                    "SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p"
                    " WHERE m.type = 'table' ORDER BY 1, 2",
                    "SELECT c.relname::text, a.attname::text FROM pg_class c"
                    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
                    " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace"
                    " AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.objid = c.oid AND e.deptype = 'e')"
                    " ORDER BY 1, 2"),
             DB_NONE, err);
    while (st == OK && db_next(&r)) {
        const char *table = db_text(&r, 0, &a), *column = db_text(&r, 1, &a);
        const struct table *copied;
        if (!knows_table(d, table, &copied))
            st = err_set(err, ERR_UNSUPPORTED, "database %s has a table %s, which this program does not know to copy",
                         db_name(database), table);
        else if (copied && !knows_column(c, copied, column))
            st = err_set(err, ERR_UNSUPPORTED,
                         "database %s has a column %s in its table %s, which this program does not know to copy",
                         db_name(database), column, table);
        arena_reset(&a);
    }
    enum status end = db_end(&r);
    arena_free(&a);
    return st == OK ? end : st;
}

static enum status open_copy(struct copy *k, const char *url, struct error *err)
{
    char what[64];
    struct db_schema unfinished = db_is_postgres_url(url) ? *k->database->postgres : *k->database->sqlite;
    snprintf(what, sizeof what, "half-copied %s", unfinished.what);
    unfinished.what = what;
    unfinished.application_id |= 0x20000000; /* the first letter is small */
    enum status st = db_open(url, 1, &unfinished, &k->to, err);
    if (st == ERR_UNSUPPORTED && err)
        return err_prefix(err, "a copy goes into a new database only");
    if (st != OK)
        return st;
    struct db_conn *c = db_reader(k->to);
    st = check_schema(k->database, k->to, c, err);
    db_reader_done(k->to, c);
    return st;
}

enum status store_copy(const char *from, const char *to, store_copy_progress *progress, void *ctx,
                       struct store_copied *out, struct error *err)
{
    struct copy k = {.progress = progress, .ctx = ctx, .out = out};
    *out = (struct store_copied){0};
    enum status st = db_open(from, 1, NULL, &k.from, err);
    if (st != OK)
        return st;
    arena_init(&k.sql, SIZE_MAX);
    k.source = db_reader(k.from);
    st = db_snapshot(k.source, err);
    if (st == OK) {
        st = recognise(&k, err);
        if (st == OK)
            st = check_schema(k.database, k.from, k.source, err);
        if (st == OK)
            st = open_copy(&k, to, err);
        if (st == OK) {
            out->what = k.database->sqlite->what;
            st = copy_all(&k, err);
        }
        db_snapshot_end(k.source);
    }
    db_reader_done(k.from, k.source);
    db_close(k.to);
    db_close(k.from);
    arena_free(&k.sql);
    return st;
}
