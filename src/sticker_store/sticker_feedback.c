/* sticker_feedback.c: which queries were asked how often, how their stickers were voted, and both by day. */
#include "sticker_store/sticker_internal.h"

#include "base/os.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- queries --- */

/* The words of queries, by which admins find them; in PostgreSQL a trigger sees to them. A query is listed with many
 * others, as each transaction that touches queries_fts costs as much as many words. */
enum status sticker_queries_list(struct db_conn *c, struct error *err)
{
    if (db_is_postgres(c))
        return OK;
    enum status st =
        db_run(c, "INSERT INTO queries_fts (rowid, query) SELECT row, query FROM queries WHERE unlisted = 1", DB_NONE,
               NULL, err);
    return st == OK ? db_run(c, "UPDATE queries SET unlisted = NULL WHERE unlisted = 1", DB_NONE, NULL, err) : st;
}

enum status sticker_query_words_move(struct db_conn *c, const char *id, const char *to, struct error *err)
{
    if (db_is_postgres(c))
        return OK;
    struct db_rows r;
    int64_t row = 0;
    struct arena a;
    const char *before = "";
    arena_init(&a, 1u << 16);
    db_query(&r, c, "SELECT row, query FROM queries WHERE id = $1", DB_ARGS(DB_TEXT(id)), err);
    while (db_next(&r)) {
        row = db_int(&r, 0);
        before = db_text(&r, 1, &a);
    }
    enum status st = db_end(&r);
    if (st == OK)
        st = db_run(c, "INSERT INTO queries_fts (queries_fts, rowid, query) VALUES ('delete', $1, $2)",
                    DB_ARGS(DB_INT(row), DB_TEXT(before)), NULL, err);
    if (st == OK && to)
        st = db_run(c, "INSERT INTO queries_fts (rowid, query) VALUES ($1, $2)", DB_ARGS(DB_INT(row), DB_TEXT(to)),
                    NULL, err);
    arena_free(&a);
    return st;
}

enum status sticker_query_add(struct db_conn *c, const char *query, int64_t usage, bool *added, struct error *err)
{
    char id[37];
    int64_t changed = 0;
    os_uuid7(id);
    enum status st = db_run(c,
                            db_sql(c,
                                   "INSERT INTO queries (id, query, usage, created_us, modified_us, row, unlisted)"
                                   " VALUES ($1, $2, $3, $4, $4, (SELECT coalesce(max(row), 0) + 1 FROM queries), 1)"
                                   " ON CONFLICT (query) DO NOTHING",
                                   "INSERT INTO queries (id, query, usage, created_us, modified_us)"
                                   " VALUES ($1, $2, $3, $4, $4) ON CONFLICT (query) DO NOTHING"),
                            DB_ARGS(DB_TEXT(id), DB_TEXT(query), DB_INT(usage), DB_INT(os_now_us())), &changed, err);
    *added = changed > 0;
    return st;
}

static enum status ensure_job(struct db_conn *c, void *arg, struct error *err)
{
    bool added;
    return sticker_query_add(c, arg, 0, &added, err);
}

enum status sticker_store_query_ensure(struct sticker_store *s, const char *query, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    int64_t one;
    bool found;
    enum status st =
        db_get_int(c, "SELECT 1 FROM queries WHERE query = $1", DB_ARGS(DB_TEXT(query)), &one, &found, err);
    db_reader_done(s->db, c);
    if (st != OK || found)
        return st;
    return db_write(s->db, DB_FAST, ensure_job, (void *)(uintptr_t)query, err);
}

#define MORE_TODAY                                                                                                     \
    " searches = days.searches + excluded.searches, empty = days.empty + excluded.empty,"                              \
    " degraded = days.degraded + excluded.degraded, positives = days.positives + excluded.positives,"                  \
    " negatives = days.negatives + excluded.negatives"

/* In PostgreSQL a day has parts, so that transactions do not wait for each other's commits. */
static enum status add_to_today(struct db_conn *c, const struct day_row *more, struct error *err)
{
    return db_run(
        c,
        db_sql(c,
               "INSERT INTO days (day, searches, empty, degraded, positives, negatives)"
               " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (day) DO UPDATE SET" MORE_TODAY,
               "INSERT INTO days (day, part, searches, empty, degraded, positives, negatives) VALUES"
               " ($1, pg_backend_pid() % 16, $2, $3, $4, $5, $6) ON CONFLICT (day, part) DO UPDATE SET" MORE_TODAY),
        DB_ARGS(DB_INT(os_now_us() / STORE_DAY_US), DB_INT(more->searches), DB_INT(more->empty), DB_INT(more->degraded),
                DB_INT(more->positives), DB_INT(more->negatives)),
        NULL, err);
}

/* Forward decay (Cormode et al., ICDE 2009): instead of making old searches count less, later ones count more, twice as
 * much after each half-life, so that rows keep their order while nothing happens. From a year in the middle, doubles
 * reach 19 years to both sides. */
double sticker_trend_weight(int64_t now_us)
{
    const int64_t year_2040_us = 2208988800000000;
    double half_lives = (double)(now_us - year_2040_us) / (double)STORE_TREND_US;
    return exp2(fmax(-1000, fmin(half_lives, 980)));
}

struct usage_job {
    const struct query_usage **rows; /* by query */
    size_t n;
};

/* Rows are always locked in this order, so that no two transactions wait for each other. */
static int by_query(const void *x, const void *y)
{
    const struct query_usage *const *a = x, *const *b = y;
    return strcmp((*a)->query, (*b)->query);
}

unsigned store_crowd_add(uint32_t crowd[STORE_CROWD], unsigned n, uint32_t client)
{
    unsigned i = 0;
    while (i < n && crowd[i] != client)
        i++;
    if (i < n || n == STORE_CROWD)
        return n;
    crowd[n] = client;
    return n + 1;
}

/* What a clock that ran ahead has added to the trend goes when the query is searched again. $1 query, $2 searches,
 * $3 empty ones, $4 now, $5 what a search counts now, $6 what these count; $7 an id and $8 a crowd, if it is not there
 * yet. */
#define USAGE_MORE(least)                                                                                              \
    "usage = queries.usage + $2, empty = queries.empty + $3, modified_us = $4,"                                        \
    " trend = " least "(queries.trend, (queries.usage - queries.empty) * $5) + $6"
#define USAGE_ADD(least) "UPDATE queries SET " USAGE_MORE(least) " WHERE query = $1 RETURNING crowd"
#define USAGE_INSERT(least, columns, values)                                                                           \
    "INSERT INTO queries (query, usage, empty, created_us, modified_us, trend, id, crowd" columns                      \
    ") VALUES ($1, $2, $3, $4, $4, $6, $7, $8" values                                                                  \
    ") ON CONFLICT (query) DO UPDATE SET " USAGE_MORE(least) " RETURNING crowd"
#define USAGE_INSERT_SQLITE                                                                                            \
    USAGE_INSERT("min", ", row, unlisted", ", (SELECT coalesce(max(row), 0) + 1 FROM queries), 1")

static enum status add_usage(struct db_conn *c, const struct query_usage *row, int64_t now_us, struct error *err)
{
    struct db_rows r;
    char id[37];
    uint32_t crowd[STORE_CROWD];
    unsigned n = 0, before = 0;
    bool known = false, there = false;
    if (row->note) {
        enum status took = sticker_note_take(c, row, &there, err);
        if (took != OK)
            return took;
        known = !there;
        there = false;
    }
    const double weight = sticker_trend_weight(now_us), counts = (double)(row->searches - row->empty) * weight;
    const char *sql = known ? db_sql(c, USAGE_ADD("min"), USAGE_ADD("least"))
                            : db_sql(c, USAGE_INSERT_SQLITE, USAGE_INSERT("least", "", ""));
    os_uuid7(id);
    const struct db_arg args[] = {DB_TEXT(row->query), DB_INT(row->searches),
                                  DB_INT(row->empty),  DB_INT(now_us),
                                  DB_REAL(weight),     DB_REAL(counts),
                                  DB_TEXT(id),         DB_BLOB(row->crowd, row->n_crowd * sizeof *row->crowd)};
    db_query(&r, c, sql, args, known ? 6 : 8, err);
    while (db_next(&r)) {
        size_t len;
        const void *bytes = db_bytes(&r, 0, &len);
        there = true;
        n = before = (unsigned)((len < sizeof crowd ? len : sizeof crowd) / sizeof *crowd);
        if (n)
            memcpy(crowd, bytes, n * sizeof *crowd);
    }
    enum status st = db_end(&r);
    for (unsigned i = 0; i < row->n_crowd; i++)
        n = store_crowd_add(crowd, n, row->crowd[i]);
    if (st != OK || !there || n == before)
        return st;
    return db_run(c, "UPDATE queries SET crowd = $2 WHERE query = $1",
                  DB_ARGS(DB_TEXT(row->query), DB_BLOB(crowd, n * sizeof *crowd)), NULL, err);
}

static enum status usage_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct usage_job *job = arg;
    struct day_row today = {0};
    enum status st = OK;
    int64_t now_us = os_now_us();
    for (size_t i = 0; i < job->n && st == OK; i++) {
        const struct query_usage *row = job->rows[i];
        st = add_usage(c, row, now_us, err);
        today.searches += row->searches;
        today.empty += row->empty;
        today.degraded += row->degraded;
    }
    if (st == OK && today.searches)
        st = add_to_today(c, &today, err);
    return st == OK ? sticker_queries_list(c, err) : st;
}

enum status sticker_store_usage_add(struct sticker_store *s, const struct query_usage *rows, size_t n,
                                    struct error *err)
{
    const struct query_usage **sorted = calloc(n + 1, sizeof *sorted);
    if (!sorted)
        return err_no_memory(err, "the usage of %zu queries", n);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &rows[i];
    qsort(sorted, n, sizeof *sorted, by_query);
    enum status st = db_write(s->db, n > 1 ? DB_BULK : DB_FAST, usage_job, &(struct usage_job){sorted, n}, err);
    free(sorted);
    return st;
}

/* --- votes --- */

/* A vote for a sticker that does not exist; `order`: the how manieth of the request. */
struct unknown {
    const char *filename;
    size_t order;
    bool repeated;
};
struct feedback_room {
    struct db_bytes *names;  /* for every query, or every vote */
    struct unknown *unknown; /* for every vote */
    unsigned char *bits;     /* one for each vote, 1: its sticker is unknown */
    size_t bits_len;
};
struct feedback_job {
    const struct feedback_entry *entries;
    size_t n;
    struct feedback_room *room;
    size_t n_unknown, at;       /* `at`: how many votes were met */
    struct feedback_once *once; /* NULL: every request counts */
    int64_t now_us;
    const struct feedback_entry *searched; /* whose search is in the log */
};

/* The next vote of the request. */
static void meet(struct feedback_job *job, const char *filename, bool unknown)
{
    if (unknown) {
        job->room->bits[job->at / 8] |= (unsigned char)(1u << job->at % 8);
        job->room->unknown[job->n_unknown] = (struct unknown){.filename = filename, .order = job->n_unknown};
        job->n_unknown++;
    }
    job->at++;
}

/* What was counted becomes an event, unless it is one. */
static enum status log_vote(struct db_conn *c, struct feedback_job *job, const struct feedback_entry *e,
                            enum event_action action, const char *filename, struct error *err)
{
    enum status st = OK;
    if (e->logged)
        return OK;
    if (job->searched != e)
        st = sticker_log_search(c, e, job->now_us, err);
    job->searched = e;
    return st == OK ? sticker_log_vote(c, e, action, filename, job->now_us, err) : st;
}

static enum status vote(struct db_conn *c, struct feedback_job *job, const struct feedback_entry *e,
                        const char *query_id, const char *filename, int positive, struct day_row *today,
                        struct error *err)
{
    char id[37];
    int64_t changed;
    os_uuid7(id);
    enum status st =
        db_run(c,
               "INSERT INTO scores (id, query_id, sticker_id, positives, negatives, created_us, modified_us)"
               " SELECT $1, $2, id, $4, $5, $6, $6 FROM stickers WHERE filename = $3"
               " ON CONFLICT (query_id, sticker_id) DO UPDATE SET positives = scores.positives + excluded.positives,"
               " negatives = scores.negatives + excluded.negatives, modified_us = excluded.modified_us",
               DB_ARGS(DB_TEXT(id), DB_TEXT(query_id), DB_TEXT(filename), DB_INT(positive), DB_INT(!positive),
                       DB_INT(os_now_us())),
               &changed, err);
    if (st != OK)
        return st;
    if (changed) {
        today->positives += positive;
        today->negatives += !positive;
        st = log_vote(c, job, e, positive ? EVENT_VOTE_UP : EVENT_VOTE_DOWN, filename, err);
    }
    meet(job, filename, changed == 0);
    return st;
}

enum status sticker_find_id(struct db_conn *c, const char *filename, char id[37], struct error *err)
{
    struct db_rows r;
    id[0] = '\0';
    db_query(&r, c, "SELECT id FROM stickers WHERE filename = $1", DB_ARGS(DB_TEXT(filename)), err);
    while (db_next(&r)) {
        size_t len;
        const void *text = db_bytes(&r, 0, &len);
        memcpy(id, text, len < 37 ? len : 36);
        id[len < 37 ? len : 36] = '\0';
    }
    return db_end(&r);
}

enum ballot { BALLOT_NEGATIVE, BALLOT_POSITIVE, BALLOT_NONE };

/* Takes a vote that was counted back. Somebody may have changed the sums since. */
static enum status uncount(struct db_conn *c, const char *query_id, const char *sticker_id, enum ballot was,
                           struct error *err)
{
    return db_run(c,
                  was == BALLOT_POSITIVE ? "UPDATE scores SET positives = positives - 1, modified_us = $3"
                                           " WHERE query_id = $1 AND sticker_id = $2 AND positives > 0"
                                         : "UPDATE scores SET negatives = negatives - 1, modified_us = $3"
                                           " WHERE query_id = $1 AND sticker_id = $2 AND negatives > 0",
                  DB_ARGS(DB_TEXT(query_id), DB_TEXT(sticker_id), DB_INT(os_now_us())), NULL, err);
}

static enum status keep_ballot(struct db_conn *c, const char *voter, const char *query_id, const char *sticker_id,
                               enum ballot to, struct error *err)
{
    if (to == BALLOT_NONE)
        return db_run(c, "DELETE FROM votes WHERE voter = $1 AND query_id = $2 AND sticker_id = $3",
                      DB_ARGS(DB_TEXT(voter), DB_TEXT(query_id), DB_TEXT(sticker_id)), NULL, err);
    return db_run(c,
                  "INSERT INTO votes (voter, query_id, sticker_id, positive, created_us, modified_us)"
                  " VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (voter, query_id, sticker_id) DO UPDATE SET"
                  " positive = excluded.positive, modified_us = excluded.modified_us",
                  DB_ARGS(DB_TEXT(voter), DB_TEXT(query_id), DB_TEXT(sticker_id), DB_INT(to == BALLOT_POSITIVE),
                          DB_INT(os_now_us())),
                  NULL, err);
}

/* The vote of a known voter: what is counted is what differs from the one before. */
static enum status vote_of(struct db_conn *c, struct feedback_job *job, const struct feedback_entry *e,
                           const char *query_id, const char *filename, enum ballot to, struct day_row *today,
                           struct error *err)
{
    char sticker_id[37];
    int64_t positive = 0;
    bool voted = false;
    enum status st = sticker_find_id(c, filename, sticker_id, err);
    if (st == OK && *sticker_id)
        st = db_get_int(c, "SELECT positive FROM votes WHERE voter = $1 AND query_id = $2 AND sticker_id = $3",
                        DB_ARGS(DB_TEXT(e->voter), DB_TEXT(query_id), DB_TEXT(sticker_id)), &positive, &voted, err);
    if (st != OK)
        return st;
    enum ballot was = !voted ? BALLOT_NONE : positive ? BALLOT_POSITIVE : BALLOT_NEGATIVE;
    if (*sticker_id && was != to) {
        if (was != BALLOT_NONE)
            st = uncount(c, query_id, sticker_id, was, err);
        if (st == OK)
            st = keep_ballot(c, e->voter, query_id, sticker_id, to, err);
        if (st != OK || to != BALLOT_NONE)
            return st == OK ? vote(c, job, e, query_id, filename, to == BALLOT_POSITIVE, today, err) : st;
        if ((st = log_vote(c, job, e, EVENT_UNDO, filename, err)) != OK)
            return st;
    }
    meet(job, filename, !*sticker_id);
    return OK;
}

static size_t add_names(struct db_bytes *names, size_t n, const char *const *from, size_t n_from)
{
    for (size_t i = 0; i < n_from; i++)
        names[n++] = (struct db_bytes){from[i], strlen(from[i])};
    return n;
}

static enum status lock_named(struct db_conn *c, const char *sql, const struct db_bytes *names, size_t n,
                              struct error *err)
{
    return db_run(c, sql, DB_ARGS(DB_BLOBS(names, n)), NULL, err);
}

/* Of all that the votes change, first the queries and then the stickers, each in their order: no two transactions wait
 * for each other. */
static enum status lock_rows(struct db_conn *c, const struct feedback_job *job, struct error *err)
{
    if (!db_is_postgres(c))
        return OK; /* whoever writes is alone */
    size_t n = 0;
    for (size_t i = 0; i < job->n; i++)
        n = add_names(job->room->names, n, &job->entries[i].query, 1);
    enum status st =
        lock_named(c,
                   "SELECT 1 FROM queries WHERE query IN (SELECT convert_from(n, 'UTF8') FROM unnest($1) n)"
                   " ORDER BY query FOR NO KEY UPDATE",
                   job->room->names, n, err);
    n = 0;
    for (size_t i = 0; i < job->n; i++) {
        n = add_names(job->room->names, n, job->entries[i].positive, job->entries[i].n_positive);
        n = add_names(job->room->names, n, job->entries[i].negative, job->entries[i].n_negative);
        n = add_names(job->room->names, n, job->entries[i].withdrawn, job->entries[i].n_withdrawn);
    }
    return st != OK
               ? st
               : lock_named(c,
                            "SELECT 1 FROM stickers WHERE filename IN"
                            " (SELECT convert_from(n, 'UTF8') FROM unnest($1) n) ORDER BY filename FOR NO KEY UPDATE",
                            job->room->names, n, err);
}

static enum status count_list(struct db_conn *c, struct feedback_job *job, const struct feedback_entry *e,
                              const char *query_id, const char *const *names, size_t n, enum ballot to,
                              struct day_row *today, struct error *err)
{
    enum status st = OK;
    for (size_t k = 0; k < n && st == OK; k++) {
        char id[37];
        if (e->search && (st = sticker_find_id(c, names[k], id, err)) == OK && !sticker_rank_shown(e->search, id)) {
            meet(job, names[k], true);
            continue;
        }
        if (st == OK)
            st = e->voter ? vote_of(c, job, e, query_id, names[k], to, today, err)
                          : vote(c, job, e, query_id, names[k], to == BALLOT_POSITIVE, today, err);
    }
    return st;
}

/* The query's id, "" when there is none. */
static enum status find_query(struct db_conn *c, const char *query, char id[37], struct error *err)
{
    struct db_rows r;
    id[0] = '\0';
    db_query(&r, c, "SELECT id FROM queries WHERE query = $1", DB_ARGS(DB_TEXT(query)), err);
    while (db_next(&r)) {
        size_t len;
        const char *text = db_bytes(&r, 0, &len);
        snprintf(id, 37, "%.*s", (int)(len < 36 ? len : 36), text ? text : "");
    }
    return db_end(&r);
}

static enum status count_votes(struct db_conn *c, struct feedback_job *job, struct error *err)
{
    struct day_row today = {0};
    bool settled = false;
    enum status locked = lock_rows(c, job, err);
    job->now_us = os_now_us();
    job->searched = NULL;
    if (locked != OK)
        return locked;
    for (size_t i = 0; i < job->n; i++) {
        const struct feedback_entry *e = &job->entries[i];
        char query_id[37];
        enum status st = find_query(c, e->query, query_id, err);
        if (st == OK && !*query_id && !settled) { /* its search may have been a moment ago */
            settled = true;
            st = sticker_notes_settle(c, err);
            if (st == OK)
                st = find_query(c, e->query, query_id, err);
        }
        if (st == OK && !*query_id)
            st = err_set(err, ERR_NOT_FOUND, "Query not found. feedback[%zu].query \"%.200s\" was never searched.", i,
                         e->query);
        if (st == OK)
            st = count_list(c, job, e, query_id, e->positive, e->n_positive, BALLOT_POSITIVE, &today, err);
        if (st == OK)
            st = count_list(c, job, e, query_id, e->negative, e->n_negative, BALLOT_NEGATIVE, &today, err);
        if (st == OK && e->voter)
            st = count_list(c, job, e, query_id, e->withdrawn, e->n_withdrawn, BALLOT_NONE, &today, err);
        if (st != OK)
            return st;
    }
    return today.positives || today.negatives ? add_to_today(c, &today, err) : OK;
}

enum status sticker_feedback_room(size_t entries, size_t votes, struct arena *a, struct feedback_room **out,
                                  struct error *err)
{
    struct feedback_room *room = *out = arena_array(a, 1, sizeof *room);
    if (!room || !(room->bits = arena_array(a, (room->bits_len = (votes + 7) / 8) + 1, 1)) ||
        !(room->unknown = arena_array(a, votes + 1, sizeof *room->unknown)) ||
        !(room->names = arena_array(a, (votes > entries ? votes : entries) + 1, sizeof *room->names)))
        return err_set(err, ERR_NO_MEMORY, "%zu votes are larger than %zu bytes", votes, a->max);
    return OK;
}

enum status sticker_count_votes(struct db_conn *c, const struct feedback_entry *entries, size_t n,
                                struct feedback_room *room, struct error *err)
{
    memset(room->bits, 0, room->bits_len);
    return count_votes(c, &(struct feedback_job){.entries = entries, .n = n, .room = room}, err);
}

/* The answer that was given: the stickers of those votes whose bit is set. */
static void recall(struct feedback_job *job, const unsigned char *bits, size_t len)
{
    for (size_t i = 0; i < job->n; i++) {
        const struct feedback_entry *e = &job->entries[i];
        size_t n = e->n_positive + e->n_negative;
        for (size_t k = 0; k < n + (e->voter ? e->n_withdrawn : 0); k++) {
            const char *name = k < e->n_positive ? e->positive[k]
                               : k < n           ? e->negative[k - e->n_positive]
                                                 : e->withdrawn[k - n];
            meet(job, name, job->at / 8 < len && (bits[job->at / 8] >> job->at % 8 & 1));
        }
    }
}

/* What was answered to the key's request, if it came before and not too long ago, into the job (may be NULL). */
static enum status look_up(struct db_conn *c, struct feedback_once *once, struct feedback_job *job, struct error *err)
{
    struct db_rows r;
    bool known = false;
    db_query(&r, c, "SELECT body, unknown FROM feedback_keys WHERE key = $1 AND created_us > $2",
             DB_ARGS(DB_TEXT(once->key), DB_INT(once->now_us - STORE_ONCE_US)), err);
    while (db_next(&r)) {
        size_t len;
        known = true;
        once->was = db_text_is(&r, 0, once->body_sha256) ? ONCE_REPLAYED : ONCE_OTHER_BODY;
        const unsigned char *bits = db_bytes(&r, 1, &len);
        if (job && once->was == ONCE_REPLAYED)
            recall(job, bits, len);
    }
    enum status st = db_end(&r);
    if (st == OK && !known)
        st = err_set(err, ERR_UNAVAILABLE, "the key of the request has just run out");
    if (st == OK && once->was == ONCE_OTHER_BODY)
        st = err_set(err, ERR_CONFLICT, "This Idempotency-Key was used for another body.");
    return st;
}

#define OLD_KEYS "SELECT key FROM feedback_keys WHERE created_us <= $1 ORDER BY created_us LIMIT 4"

/* The key is this transaction's, or it was another's, whose end is waited for; the request is answered then as that
 * one was. Nothing else is locked yet, so nobody waits for us meanwhile. A few old keys go with each new one. */
static enum status take_key(struct db_conn *c, const struct feedback_once *once, bool *ours, struct error *err)
{
    int64_t changed = 0, old = once->now_us - STORE_ONCE_US;
    enum status st = db_run(
        c,
        "INSERT INTO feedback_keys (key, body, unknown, created_us) VALUES ($1, $2, $5, $3)"
        " ON CONFLICT (key) DO UPDATE SET body = excluded.body, unknown = excluded.unknown,"
        " created_us = excluded.created_us WHERE feedback_keys.created_us <= $4",
        DB_ARGS(DB_TEXT(once->key), DB_TEXT(once->body_sha256), DB_INT(once->now_us), DB_INT(old), DB_BLOB("", 0)),
        &changed, err);
    *ours = changed > 0;
    if (st == OK && *ours)
        st = db_run(c,
                    db_sql(c, "DELETE FROM feedback_keys WHERE key IN (" OLD_KEYS ")",
                           "DELETE FROM feedback_keys WHERE key IN (" OLD_KEYS " FOR UPDATE SKIP LOCKED)"),
                    DB_ARGS(DB_INT(old)), NULL, err);
    return st;
}

enum status sticker_once_begin(struct db_conn *c, struct feedback_once *once, bool *ours, struct error *err)
{
    once->was = ONCE_COUNTED;
    enum status st = take_key(c, once, ours, err);
    return st == OK && !*ours ? look_up(c, once, NULL, err) : st;
}

static enum status feedback_job(struct db_conn *c, void *arg, struct error *err)
{
    struct feedback_job *job = arg;
    bool ours = false;
    job->n_unknown = job->at = 0;
    memset(job->room->bits, 0, job->room->bits_len);
    if (!job->once)
        return count_votes(c, job, err);
    job->once->was = ONCE_COUNTED;
    enum status st = take_key(c, job->once, &ours, err);
    if (st == OK && !ours)
        return look_up(c, job->once, job, err);
    if (st == OK)
        st = count_votes(c, job, err);
    return st != OK
               ? st
               : db_run(c, "UPDATE feedback_keys SET unknown = $2 WHERE key = $1",
                        DB_ARGS(DB_TEXT(job->once->key), DB_BLOB(job->room->bits, job->room->bits_len)), NULL, err);
}

static int names_in_order(const void *x, const void *y)
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
    qsort(job->room->unknown, job->n_unknown, sizeof *job->room->unknown, names_in_order);
    for (size_t i = 1; i < job->n_unknown; i++)
        job->room->unknown[i].repeated =
            strcmp(job->room->unknown[i].filename, job->room->unknown[i - 1].filename) == 0;
    qsort(job->room->unknown, job->n_unknown, sizeof *job->room->unknown, by_order);
    for (size_t i = 0; i < job->n_unknown; i++) {
        if (job->room->unknown[i].repeated)
            continue;
        if (!(names[(*n)++] = arena_strdup(a, job->room->unknown[i].filename)))
            return err_set(err, ERR_NO_MEMORY, "unknown stickers are larger than %zu bytes", a->max);
    }
    *failed = names;
    return OK;
}

enum status sticker_store_feedback_once(struct sticker_store *s, const struct feedback_entry *entries, size_t n,
                                        struct feedback_once *once, struct arena *a, const char ***failed,
                                        size_t *n_failed, struct error *err)
{
    struct feedback_job job = {.entries = entries, .n = n, .once = once};
    size_t votes = 0;
    for (size_t i = 0; i < n; i++)
        votes += entries[i].n_positive + entries[i].n_negative + entries[i].n_withdrawn;
    *failed = NULL;
    *n_failed = 0;
    enum status st = sticker_feedback_room(n, votes, a, &job.room, err);
    if (st == OK)
        st = db_write(s->db, DB_DURABLE, feedback_job, &job, err);
    return st == OK ? list_unknown(&job, a, failed, n_failed, err) : st;
}

enum status sticker_store_feedback(struct sticker_store *s, const struct feedback_entry *entries, size_t n,
                                   struct arena *a, const char ***failed, size_t *n_failed, struct error *err)
{
    return sticker_store_feedback_once(s, entries, n, NULL, a, failed, n_failed, err);
}

/* --- what was said --- */

static void read_vote(struct db_rows *r, struct arena *a, void *row)
{
    *(struct vote_row *)row = (struct vote_row){.filename = db_text(r, 0, a), .positive = db_int(r, 1) != 0};
}

enum status sticker_store_votes(struct sticker_store *s, const char *voter, const char *query, size_t limit,
                                struct arena *a, struct vote_row **rows, size_t *n, struct error *err)
{
    void *votes;
    enum status st = db_read_list(s->db,
                                  "SELECT s.filename, v.positive FROM votes v JOIN queries q ON q.id = v.query_id"
                                  " JOIN stickers s ON s.id = v.sticker_id WHERE v.voter = $1 AND q.query = $2"
                                  " ORDER BY v.modified_us DESC LIMIT $3",
                                  DB_ARGS(DB_TEXT(voter), DB_TEXT(query), DB_INT(db_limit(limit))), read_vote,
                                  sizeof **rows, a, &votes, n, err);
    *rows = votes;
    return st;
}

static void read_day(struct db_rows *r, struct arena *a, void *day)
{
    (void)a;
    *(struct day_row *)day = (struct day_row){
        .day = db_int(r, 0),
        .searches = db_int(r, 1),
        .empty = db_int(r, 2),
        .degraded = db_int(r, 3),
        .positives = db_int(r, 4),
        .negatives = db_int(r, 5),
    };
}

enum status sticker_store_days(struct sticker_store *s, int64_t from, int64_t to, struct arena *a,
                               struct day_row **rows, size_t *n, struct error *err)
{
    void *days;
    enum status st = db_read_list(
        s->db,
        "SELECT day, CAST(sum(searches) AS bigint), CAST(sum(empty) AS bigint), CAST(sum(degraded) AS bigint),"
        " CAST(sum(positives) AS bigint), CAST(sum(negatives) AS bigint) FROM days"
        " WHERE day BETWEEN $1 AND $2 GROUP BY day ORDER BY day",
        DB_ARGS(DB_INT(from), DB_INT(to)), read_day, sizeof **rows, a, &days, n, err);
    *rows = days;
    return st;
}

static enum status read_scores(struct db_rows *r, bool ids, struct arena *a, struct score_row **rows, size_t *n)
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
            .sticker_id = ids ? db_text(r, 7, a) : NULL,
        };
    }
    *rows = items;
    return db_end(r);
}

#define SCORE_COLUMNS "q.query, k.filename, q.usage, s.positives, s.negatives, s.created_us, s.modified_us"
static enum status read_analytics(struct sticker_store *s, const char *query, struct arena *a, int64_t *usage,
                                  struct score_row **rows, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    bool found;
    *rows = NULL;
    *n = 0;
    enum status st = db_snapshot(c, err);
    if (st != OK)
        goto out;
    st = db_get_int(c, "SELECT usage FROM queries WHERE query = $1", DB_ARGS(DB_TEXT(query)), usage, &found, err);
    if (st == OK && !found)
        st = err_set(err, ERR_NOT_FOUND, "Query not found.");
    if (st == OK) {
        struct db_rows r;
        db_query(&r, c,
                 "SELECT " SCORE_COLUMNS " FROM queries q JOIN scores s ON s.query_id = q.id"
                 " JOIN stickers k ON k.id = s.sticker_id WHERE q.query = $1"
                 " ORDER BY s.positives - s.negatives DESC, k.filename",
                 DB_ARGS(DB_TEXT(query)), err);
        st = read_scores(&r, false, a, rows, n);
    }
    db_snapshot_end(c);
out:
    db_reader_done(s->db, c);
    return st;
}

enum status sticker_store_analytics(struct sticker_store *s, const char *query, struct arena *a, int64_t *usage,
                                    struct score_row **rows, size_t *n, struct error *err)
{
    enum status st = read_analytics(s, query, a, usage, rows, n, err);
    if (st != ERR_NOT_FOUND)
        return st;
    st = sticker_store_queries_settle(s, err); /* its search may have been a moment ago */
    return st == OK ? read_analytics(s, query, a, usage, rows, n, err) : st;
}

/* Both parts follow an index: what is left of the query at hand, then the queries behind it. In SQLite CROSS JOIN fixes
 * the order of the loops, in PostgreSQL LATERAL. */
#define EXPORT_COLUMNS SCORE_COLUMNS ", s.sticker_id"
#define EXPORT_REST                                                                                                    \
    "SELECT * FROM (SELECT " EXPORT_COLUMNS " FROM queries q JOIN scores s ON s.query_id = q.id"                       \
    " JOIN stickers k ON k.id = s.sticker_id"                                                                          \
    " WHERE q.query = $1 AND s.sticker_id > $2 AND s.modified_us >= $3 ORDER BY s.sticker_id LIMIT $4) rest"
#define EXPORT_ENDS " ORDER BY 1, 8 LIMIT $4"
#define EXPORT_SQLITE                                                                                                  \
    EXPORT_REST                                                                                                        \
    " UNION ALL SELECT * FROM (SELECT " EXPORT_COLUMNS                                                                 \
    " FROM queries q CROSS JOIN scores s ON s.query_id = q.id CROSS JOIN stickers k ON k.id = s.sticker_id"            \
    " WHERE q.query > $1 AND s.modified_us >= $3 ORDER BY q.query, s.sticker_id LIMIT $4)" EXPORT_ENDS
#define EXPORT_POSTGRES                                                                                                \
    EXPORT_REST " UNION ALL SELECT * FROM (SELECT q.query, v.* FROM queries q, LATERAL"                                \
                " (SELECT k.filename, q.usage, s.positives, s.negatives, s.created_us, s.modified_us, s.sticker_id"    \
                " FROM scores s JOIN stickers k ON k.id = s.sticker_id"                                                \
                " WHERE s.query_id = q.id AND s.modified_us >= $3 ORDER BY s.sticker_id LIMIT $4) v"                   \
                " WHERE q.query > $1 ORDER BY q.query, v.sticker_id LIMIT $4) next" EXPORT_ENDS

enum status sticker_store_export(struct sticker_store *s, int64_t since_us, const char *after_query,
                                 const char *after_sticker_id, size_t limit, struct arena *a, struct score_row **rows,
                                 size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    db_query(&r, c, db_sql(c, EXPORT_SQLITE, EXPORT_POSTGRES),
             DB_ARGS(DB_TEXT(after_query), DB_TEXT(after_sticker_id), DB_INT(since_us), DB_INT(db_limit(limit))), err);
    enum status st = read_scores(&r, true, a, rows, n);
    db_reader_done(s->db, c);
    return st;
}
