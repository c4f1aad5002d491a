/* sticker_retention.c: what is old is forgotten, a batch at a time, so that nobody waits long for it. */
#include "sticker_store/sticker_events.h"
#include "sticker_store/sticker_internal.h"
#include "sticker_store/sticker_learn.h"
#include "sticker_store/sticker_privacy.h"

#include <stdio.h>

#define MOST_QUERIES 500

const char *const retention_names[RETENTIONS] = {[RETAIN_QUERIES] = "queries",
                                                 [RETAIN_VOTERS] = "voters",
                                                 [RETAIN_ADDRESSES] = "addresses",
                                                 [RETAIN_SESSIONS] = "sessions",
                                                 [RETAIN_LOGINS] = "logins",
                                                 [RETAIN_KEYS] = "idempotency_keys",
                                                 [RETAIN_DELIVERIES] = "webhook_deliveries",
                                                 [RETAIN_EVENTS] = "events"};

struct retain_job {
    enum retention what;
    int64_t before_us, from_us, at_us;
    size_t limit;
    int64_t n;
};

/* --- searches --- */

/* Rows that stay are passed over once in a round, not once in each batch. */
#define OLD_QUERIES                                                                                                    \
    "SELECT id, modified_us FROM queries q WHERE modified_us < $1 AND modified_us >= $2 AND positives = 0"             \
    " AND negatives = 0 AND NOT EXISTS (SELECT 1 FROM votes v WHERE v.query_id = q.id)"                                \
    " AND NOT EXISTS (SELECT 1 FROM trash_scores t WHERE t.query_id = q.id)"                                           \
    " AND NOT EXISTS (SELECT 1 FROM pins p WHERE p.query = q.query) ORDER BY modified_us LIMIT $3"

static enum status retain_queries(struct db_conn *c, struct retain_job *job, struct error *err)
{
    char ids[MOST_QUERIES][37];
    struct db_rows r;
    size_t n = 0;
    size_t limit = job->limit < MOST_QUERIES ? job->limit : MOST_QUERIES;
    enum status st = sticker_notes_settle(c, err);
    if (st != OK)
        return st;
    db_query(&r, c, db_sql(c, OLD_QUERIES, OLD_QUERIES " FOR UPDATE OF q SKIP LOCKED"),
             DB_ARGS(DB_INT(job->before_us), DB_INT(job->from_us), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && n < limit) {
        size_t len;
        const char *id = db_bytes(&r, 0, &len);
        snprintf(ids[n++], sizeof ids[0], "%.*s", (int)(len < 36 ? len : 36), id ? id : "");
        job->at_us = db_int(&r, 1);
    }
    st = db_end(&r);
    for (size_t i = 0; i < n && st == OK; i++) {
        st = sticker_query_words_move(c, ids[i], NULL, err);
        if (st == OK)
            st = db_run(c, "DELETE FROM queries WHERE id = $1", DB_ARGS(DB_TEXT(ids[i])), NULL, err);
    }
    job->n = (int64_t)n;
    return st;
}

/* --- and all else --- */

#define OLDEST(row, table, column) "SELECT " row " FROM " table " WHERE " column " < $1"
#define BATCH(column)              " ORDER BY " column " LIMIT $2"
#define DELETE_OLD(row, table, column)                                                                                 \
    "DELETE FROM " table " WHERE " row " IN (" OLDEST(row, table, column) BATCH(column) ")"
#define ERASE_ADDRESSES(row)                                                                                           \
    "UPDATE history SET address = '', " HISTORY_UNSALTED("address_proof") " WHERE " row " IN (" OLDEST(                \
        row, "history", "at_us") " AND address <> ''" BATCH("at_us") ")"

/* What votes teach stays, but not whose they were. */
static enum status forget_whose_ballots(struct db_conn *c, struct retain_job *job, struct error *err)
{
    int64_t n = 0;
    enum status st = db_run(c,
                            "UPDATE ballots SET voter = -rowno WHERE rowno IN (SELECT rowno FROM ballots"
                            " WHERE at_us < $1 AND voter > 0 ORDER BY at_us LIMIT $2)",
                            DB_ARGS(DB_INT(job->before_us), DB_INT(db_limit(job->limit))), &n, err);
    job->n = n > job->n ? n : job->n;
    return st;
}

static enum status retain_job(struct db_conn *c, void *arg, struct error *err)
{
    static const struct {
        const char *sqlite, *postgres;
    } sql[RETENTIONS] = {
        [RETAIN_VOTERS] = {DELETE_OLD("rowid", "votes", "modified_us"), DELETE_OLD("rowno", "votes", "modified_us")},
        [RETAIN_ADDRESSES] = {ERASE_ADDRESSES("row"), ERASE_ADDRESSES("rowno")},
        [RETAIN_SESSIONS] = {DELETE_OLD("hash_hex", "sessions", "seen_us"),
                             DELETE_OLD("hash_hex", "sessions", "seen_us")},
        [RETAIN_LOGINS] = {DELETE_OLD("key", "logins", "last_us"), DELETE_OLD("key", "logins", "last_us")},
        [RETAIN_KEYS] = {DELETE_OLD("key", "feedback_keys", "created_us"),
                         DELETE_OLD("key", "feedback_keys", "created_us")},
        [RETAIN_DELIVERIES] = {DELETE_OLD("seq", "webhook_deliveries", "at_us"),
                               DELETE_OLD("seq", "webhook_deliveries", "at_us")},
    };
    struct retain_job *job = arg;
    job->n = 0;
    job->at_us = job->from_us;
    if (job->what == RETAIN_QUERIES)
        return retain_queries(c, job, err);
    enum status st = db_run(c, db_sql(c, sql[job->what].sqlite, sql[job->what].postgres),
                            DB_ARGS(DB_INT(job->before_us), DB_INT(db_limit(job->limit))), &job->n, err);
    return st == OK && job->what == RETAIN_VOTERS ? forget_whose_ballots(c, job, err) : st;
}

#define OLD_BURST "SELECT rowno FROM vote_hours WHERE state > 0 AND hour < $1 ORDER BY hour, rowno LIMIT 1"
_Static_assert(STORE_HOUR_US == 3600000000 && BURST_RELEASED == 2, "as retain_burst has them");

/* The oldest hour whose votes were held, with what was decided about it. Votes that were not released go with it, as
 * they would count without it. */
static enum status retain_burst(struct db_conn *c, void *arg, struct error *err)
{
    static const char *const drop[] =
        LEARN_DROP("rowno IN (SELECT b.rowno FROM vote_hours h JOIN ballots b ON b.query = h.query"
                   " AND b.at_us / 3600000000 = h.hour WHERE h.rowno = $1 AND h.state <> 2)");
    struct retain_job *job = arg;
    int64_t row;
    bool found = false;
    enum status st = db_get_int(c, db_sql(c, OLD_BURST, OLD_BURST " FOR UPDATE SKIP LOCKED"),
                                DB_ARGS(DB_INT(job->before_us / STORE_HOUR_US)), &row, &found, err);
    job->n = found;
    if (st == OK && found)
        st = sticker_learn_drop(c, drop, DB_ARGS(DB_INT(row)), err);
    return st == OK && found ? db_run(c, "DELETE FROM vote_hours WHERE rowno = $1", DB_ARGS(DB_INT(row)), NULL, err)
                             : st;
}

enum status sticker_store_retain(struct sticker_store *s, enum retention what, int64_t before_us, size_t limit,
                                 int64_t *from_us, size_t *n, struct error *err)
{
    struct retain_job job = {.what = what, .before_us = before_us, .from_us = *from_us, .limit = limit};
    if (what == RETAIN_EVENTS) {
        bool more = false;
        enum status forgot = sticker_store_events_forget(s, before_us, &more, err);
        if (forgot == OK)
            forgot = db_write(s->db, DB_FAST, retain_burst, &job, err);
        *n = more || job.n ? limit : 0;
        return forgot;
    }
    enum status st = db_write(s->db, DB_FAST, retain_job, &job, err);
    *from_us = job.at_us;
    *n = st == OK ? (size_t)job.n : 0;
    return st;
}
