/* sticker_feedback_sqlite.c: which queries were asked how often, how their stickers were voted, and both by day. */
#include "store/sticker_sqlite.h"

#include "base/os.h"
#include <stdlib.h>
#include <string.h>

/* --- queries --- */

enum status sticker_sqlite_query_index(struct db_conn *c, int64_t row, const char *query, struct error *err)
{
    return db_run(c, "INSERT INTO queries_fts (rowid, query) VALUES (?1, ?2)", DB_ARGS(DB_INT(row), DB_TEXT(query)),
                  NULL, err);
}

/* A query is listed with many others, as each transaction that touches queries_fts costs as much as many words. */
enum status sticker_sqlite_queries_list(struct db_conn *c, struct error *err)
{
    enum status st =
        db_run(c, "INSERT INTO queries_fts (rowid, query) SELECT row, query FROM queries WHERE unlisted = 1", DB_NONE,
               NULL, err);
    return st == OK ? db_run(c, "UPDATE queries SET unlisted = NULL WHERE unlisted = 1", DB_NONE, NULL, err) : st;
}

enum status sticker_sqlite_query_unindex(struct db_conn *c, int64_t row, const char *query, struct error *err)
{
    return db_run(c, "INSERT INTO queries_fts (queries_fts, rowid, query) VALUES ('delete', ?1, ?2)",
                  DB_ARGS(DB_INT(row), DB_TEXT(query)), NULL, err);
}

enum status sticker_sqlite_query_add(struct db_conn *c, const char *query, int64_t usage, bool *added,
                                     struct error *err)
{
    char id[37];
    int64_t changed = 0;
    os_uuid7(id);
    enum status st = db_run(c,
                            "INSERT INTO queries (id, query, usage, created_us, modified_us, row, unlisted)"
                            " VALUES (?1, ?2, ?3, ?4, ?4, (SELECT coalesce(max(row), 0) + 1 FROM queries), 1)"
                            " ON CONFLICT (query) DO NOTHING",
                            DB_ARGS(DB_TEXT(id), DB_TEXT(query), DB_INT(usage), DB_INT(os_now_us())), &changed, err);
    *added = changed > 0;
    return st;
}

static enum status ensure_job(struct db_conn *c, void *arg, struct error *err)
{
    bool added;
    return sticker_sqlite_query_add(c, arg, 0, &added, err);
}

enum status sticker_sqlite_query_ensure(struct sticker_store *s, const char *query, struct error *err)
{
    struct db_conn *c = db_reader(sticker_db(s));
    int64_t one;
    bool found;
    enum status st =
        db_get_int(c, "SELECT 1 FROM queries WHERE query = ?1", DB_ARGS(DB_TEXT(query)), &one, &found, err);
    db_reader_done(sticker_db(s), c);
    if (st != OK || found)
        return st;
    return db_write(sticker_db(s), DB_FAST, ensure_job, (void *)(uintptr_t)query, err);
}

static enum status add_to_today(struct db_conn *c, const struct day_row *more, struct error *err)
{
    return db_run(c,
                  "INSERT INTO days (day, searches, empty, degraded, positives, negatives)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (day) DO UPDATE SET"
                  " searches = searches + excluded.searches, empty = empty + excluded.empty,"
                  " degraded = degraded + excluded.degraded, positives = positives + excluded.positives,"
                  " negatives = negatives + excluded.negatives",
                  DB_ARGS(DB_INT(os_now_us() / STORE_DAY_US), DB_INT(more->searches), DB_INT(more->empty),
                          DB_INT(more->degraded), DB_INT(more->positives), DB_INT(more->negatives)),
                  NULL, err);
}

struct usage_job {
    const struct query_usage *rows;
    size_t n;
};

static enum status usage_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct usage_job *job = arg;
    struct day_row today = {0};
    enum status st = OK;
    for (size_t i = 0; i < job->n && st == OK; i++) {
        const struct query_usage *row = &job->rows[i];
        bool added = false;
        int64_t changed = 0;
        /* Twice at most: the second time for a query that was not there. */
        for (int turn = 0; turn < 2 && changed == 0 && st == OK; turn++) {
            if (turn)
                st = sticker_sqlite_query_add(c, row->query, 0, &added, err);
            if (st == OK)
                st =
                    db_run(c,
                           "UPDATE queries SET usage = usage + ?2, empty = empty + ?3, modified_us = ?4"
                           " WHERE query = ?1",
                           DB_ARGS(DB_TEXT(row->query), DB_INT(row->searches), DB_INT(row->empty), DB_INT(os_now_us())),
                           &changed, err);
        }
        today.searches += row->searches;
        today.empty += row->empty;
        today.degraded += row->degraded;
    }
    if (st == OK && today.searches)
        st = add_to_today(c, &today, err);
    return st == OK ? sticker_sqlite_queries_list(c, err) : st;
}

enum status sticker_sqlite_usage_add(struct sticker_store *s, const struct query_usage *rows, size_t n,
                                     struct error *err)
{
    return db_write(sticker_db(s), DB_FAST, usage_job, &(struct usage_job){rows, n}, err);
}

/* --- votes --- */

/* A vote for a sticker that does not exist; `order`: the how manieth of the request. */
struct unknown {
    const char *filename;
    size_t order;
    bool repeated;
};
struct feedback_job {
    const struct feedback_entry *entries;
    size_t n;
    struct unknown *unknown; /* room for every vote */
    size_t n_unknown;
    struct feedback_once *once; /* NULL: every request counts */
    unsigned char *bits;        /* one for each vote, 1: its sticker is unknown */
    size_t bits_len, at;        /* `at`: how many votes were met */
};

/* The next vote of the request. */
static void meet(struct feedback_job *job, const char *filename, bool unknown)
{
    if (unknown) {
        job->unknown[job->n_unknown] = (struct unknown){.filename = filename, .order = job->n_unknown};
        job->n_unknown++;
    }
    job->at++;
}

static enum status vote(struct db_conn *c, struct feedback_job *job, const char *query_id, const char *filename,
                        int positive, struct day_row *today, struct error *err)
{
    char id[37];
    int64_t changed;
    os_uuid7(id);
    enum status st =
        db_run(c,
               "INSERT INTO scores (id, query_id, sticker_id, positives, negatives, created_us, modified_us)"
               " SELECT ?1, ?2, id, ?4, ?5, ?6, ?6 FROM stickers WHERE filename = ?3"
               " ON CONFLICT (query_id, sticker_id) DO UPDATE SET positives = positives + excluded.positives,"
               " negatives = negatives + excluded.negatives, modified_us = excluded.modified_us",
               DB_ARGS(DB_TEXT(id), DB_TEXT(query_id), DB_TEXT(filename), DB_INT(positive), DB_INT(!positive),
                       DB_INT(os_now_us())),
               &changed, err);
    if (st != OK)
        return st;
    if (changed == 0) {
        job->bits[job->at / 8] |= (unsigned char)(1u << job->at % 8);
    } else {
        today->positives += positive;
        today->negatives += !positive;
    }
    meet(job, filename, changed == 0);
    return OK;
}

static enum status count_votes(struct db_conn *c, struct feedback_job *job, struct error *err)
{
    struct day_row today = {0};
    for (size_t i = 0; i < job->n; i++) {
        const struct feedback_entry *e = &job->entries[i];
        struct db_rows r;
        char query_id[37] = "";
        db_query(&r, c, "SELECT id FROM queries WHERE query = ?1", DB_ARGS(DB_TEXT(e->query)), err);
        while (db_next(&r)) {
            size_t len;
            const void *text = db_bytes(&r, 0, &len);
            memcpy(query_id, text, len < sizeof query_id ? len : sizeof query_id - 1);
        }
        enum status st = db_end(&r);
        if (st == OK && !*query_id)
            st = err_set(err, ERR_NOT_FOUND, "Query not found.");
        for (size_t k = 0; k < e->n_positive && st == OK; k++)
            st = vote(c, job, query_id, e->positive[k], 1, &today, err);
        for (size_t k = 0; k < e->n_negative && st == OK; k++)
            st = vote(c, job, query_id, e->negative[k], 0, &today, err);
        if (st != OK)
            return st;
    }
    return today.positives || today.negatives ? add_to_today(c, &today, err) : OK;
}

/* The answer that was given: the stickers of those votes whose bit is set. */
static void recall(struct feedback_job *job, const unsigned char *bits, size_t len)
{
    for (size_t i = 0; i < job->n; i++) {
        const struct feedback_entry *e = &job->entries[i];
        for (size_t k = 0; k < e->n_positive + e->n_negative; k++) {
            const char *name = k < e->n_positive ? e->positive[k] : e->negative[k - e->n_positive];
            meet(job, name, job->at / 8 < len && (bits[job->at / 8] >> job->at % 8 & 1));
        }
    }
}

/* What was answered to the key's request, if it came before and not too long ago. */
static enum status look_up(struct db_conn *c, struct feedback_job *job, bool *known, struct error *err)
{
    struct db_rows r;
    *known = false;
    db_query(&r, c, "SELECT body, unknown FROM feedback_keys WHERE key = ?1 AND created_us > ?2",
             DB_ARGS(DB_TEXT(job->once->key), DB_INT(job->once->now_us - STORE_ONCE_US)), err);
    while (db_next(&r)) {
        size_t len;
        *known = true;
        job->once->was = db_text_is(&r, 0, job->once->body_sha256) ? ONCE_REPLAYED : ONCE_OTHER_BODY;
        const unsigned char *bits = db_bytes(&r, 1, &len);
        if (job->once->was == ONCE_REPLAYED)
            recall(job, bits, len);
    }
    enum status st = db_end(&r);
    if (st == OK && job->once->was == ONCE_OTHER_BODY)
        st = err_set(err, ERR_CONFLICT, "This Idempotency-Key was used for another body.");
    return st;
}

/* A few old keys go with each new one, which keeps their number down at no cost that anybody notices. */
static enum status keep_answer(struct db_conn *c, const struct feedback_job *job, struct error *err)
{
    enum status st = db_run(c,
                            "DELETE FROM feedback_keys WHERE key IN (SELECT key FROM feedback_keys"
                            " WHERE created_us <= ?1 ORDER BY created_us LIMIT 4)",
                            DB_ARGS(DB_INT(job->once->now_us - STORE_ONCE_US)), NULL, err);
    return st != OK ? st
                    : db_run(c,
                             "INSERT INTO feedback_keys (key, body, unknown, created_us) VALUES (?1, ?2, ?3, ?4)"
                             " ON CONFLICT (key) DO UPDATE SET body = excluded.body, unknown = excluded.unknown,"
                             " created_us = excluded.created_us", /* an old one */
                             DB_ARGS(DB_TEXT(job->once->key), DB_TEXT(job->once->body_sha256),
                                     DB_BLOB(job->bits, job->bits_len), DB_INT(job->once->now_us)),
                             NULL, err);
}

static enum status feedback_job(struct db_conn *c, void *arg, struct error *err)
{
    struct feedback_job *job = arg;
    bool known = false;
    job->n_unknown = job->at = 0;
    memset(job->bits, 0, job->bits_len);
    if (!job->once)
        return count_votes(c, job, err);
    job->once->was = ONCE_COUNTED;
    enum status st = look_up(c, job, &known, err);
    if (st == OK && !known) {
        st = count_votes(c, job, err);
        if (st == OK)
            st = keep_answer(c, job, err);
    }
    return st;
}

static int by_name(const void *x, const void *y)
{
    const struct unknown *a = x, *b = y;
    int order = strcmp(a->filename, b->filename);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

static int by_order(const void *x, const void *y)
{
    const struct unknown *a = x, *b = y;
    return (a->order > b->order) - (a->order < b->order);
}

/* Each unknown sticker once, in the order met: sorted by name to find repeats, then back. */
static enum status list_unknown(struct feedback_job *job, struct arena *a, const char ***failed, size_t *n,
                                struct error *err)
{
    if (job->n_unknown == 0)
        return OK;
    const char **names = arena_array(a, job->n_unknown, sizeof *names);
    if (!names)
        return err_set(err, ERR_NO_MEMORY, "%zu unknown stickers are larger than %zu bytes", job->n_unknown, a->max);
    qsort(job->unknown, job->n_unknown, sizeof *job->unknown, by_name);
    for (size_t i = 1; i < job->n_unknown; i++)
        job->unknown[i].repeated = strcmp(job->unknown[i].filename, job->unknown[i - 1].filename) == 0;
    qsort(job->unknown, job->n_unknown, sizeof *job->unknown, by_order);
    for (size_t i = 0; i < job->n_unknown; i++) {
        if (job->unknown[i].repeated)
            continue;
        if (!(names[(*n)++] = arena_strdup(a, job->unknown[i].filename)))
            return err_set(err, ERR_NO_MEMORY, "unknown stickers are larger than %zu bytes", a->max);
    }
    *failed = names;
    return OK;
}

enum status sticker_sqlite_feedback(struct sticker_store *s, const struct feedback_entry *entries, size_t n,
                                    struct feedback_once *once, struct arena *a, const char ***failed, size_t *n_failed,
                                    struct error *err)
{
    struct feedback_job job = {.entries = entries, .n = n, .once = once};
    size_t votes = 0;
    for (size_t i = 0; i < n; i++)
        votes += entries[i].n_positive + entries[i].n_negative;
    job.bits_len = (votes + 7) / 8;
    *failed = NULL;
    *n_failed = 0;
    if (!(job.bits = arena_array(a, job.bits_len + 1, 1)) ||
        !(job.unknown = arena_array(a, votes + 1, sizeof *job.unknown)))
        return err_set(err, ERR_NO_MEMORY, "%zu votes are larger than %zu bytes", votes, a->max);
    enum status st = db_write(sticker_db(s), DB_DURABLE, feedback_job, &job, err);
    return st == OK ? list_unknown(&job, a, failed, n_failed, err) : st;
}

/* --- what was said --- */

enum status sticker_sqlite_days(struct sticker_store *s, int64_t from, int64_t to, struct arena *a,
                                struct day_row **rows, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(sticker_db(s));
    struct db_rows r;
    void *items = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c,
             "SELECT day, searches, empty, degraded, positives, negatives FROM days"
             " WHERE day BETWEEN ?1 AND ?2 ORDER BY day",
             DB_ARGS(DB_INT(from), DB_INT(to)), err);
    while (db_next(&r) && db_grow(&r, a, &items, *n, &cap, sizeof **rows))
        ((struct day_row *)items)[(*n)++] = (struct day_row){.day = db_int(&r, 0),
                                                             .searches = db_int(&r, 1),
                                                             .empty = db_int(&r, 2),
                                                             .degraded = db_int(&r, 3),
                                                             .positives = db_int(&r, 4),
                                                             .negatives = db_int(&r, 5)};
    *rows = items;
    enum status st = db_end(&r);
    db_reader_done(sticker_db(s), c);
    return st;
}

static enum status read_scores(struct db_rows *r, struct arena *a, struct score_row **rows, size_t *n)
{
    void *items = NULL;
    size_t cap = 0;
    *n = 0;
    while (db_next(r) && db_grow(r, a, &items, *n, &cap, sizeof **rows)) {
        ((struct score_row *)items)[(*n)++] = (struct score_row){
            .query = db_text(r, 0, a),
            .sticker = db_text(r, 1, a),
            .usage = db_int(r, 2),
            .positives = db_int(r, 3),
            .negatives = db_int(r, 4),
            .created_us = db_int(r, 5),
            .modified_us = db_int(r, 6),
        };
    }
    *rows = items;
    return db_end(r);
}

#define SCORE_COLUMNS "q.query, k.filename, q.usage, s.positives, s.negatives, s.created_us, s.modified_us"
/* CROSS JOIN fixes the order of the loops: queries in their index's order, so that a page needs no sort
 * beyond the stickers of one query. */
#define SCORE_TABLES "queries q CROSS JOIN scores s ON s.query_id = q.id CROSS JOIN stickers k ON k.id = s.sticker_id"

enum status sticker_sqlite_analytics(struct sticker_store *s, const char *query, struct arena *a, int64_t *usage,
                                     struct score_row **rows, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(sticker_db(s));
    bool found;
    *rows = NULL;
    *n = 0;
    enum status st = db_snapshot(c, err);
    if (st != OK)
        goto out;
    st = db_get_int(c, "SELECT usage FROM queries WHERE query = ?1", DB_ARGS(DB_TEXT(query)), usage, &found, err);
    if (st == OK && !found)
        st = err_set(err, ERR_NOT_FOUND, "Query not found.");
    if (st == OK) {
        struct db_rows r;
        db_query(&r, c,
                 "SELECT " SCORE_COLUMNS " FROM " SCORE_TABLES " WHERE q.query = ?1"
                 " ORDER BY s.positives - s.negatives DESC, k.filename",
                 DB_ARGS(DB_TEXT(query)), err);
        st = read_scores(&r, a, rows, n);
    }
    db_snapshot_end(c);
out:
    db_reader_done(sticker_db(s), c);
    return st;
}

enum status sticker_sqlite_export(struct sticker_store *s, int64_t since_us, const char *after_query,
                                  const char *after_sticker, size_t limit, struct arena *a, struct score_row **rows,
                                  size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(sticker_db(s));
    struct db_rows r;
    db_query(&r, c,
             "SELECT " SCORE_COLUMNS " FROM " SCORE_TABLES
             " WHERE q.query >= ?1 AND (q.query > ?1 OR k.filename > ?2) AND s.modified_us >= ?3"
             " ORDER BY q.query, k.filename LIMIT ?4",
             DB_ARGS(DB_TEXT(after_query), DB_TEXT(after_sticker), DB_INT(since_us), DB_INT(db_limit(limit))), err);
    enum status st = read_scores(&r, a, rows, n);
    db_reader_done(sticker_db(s), c);
    return st;
}
