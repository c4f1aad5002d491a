/* sticker_learn.c: numbers of the learning, its lessons and bursts. sticker_evidence.c has what they are made of. */
#include "sticker_store/sticker_learn.h"

#include "base/buf.h"
#include "base/json_out.h"
#include "base/os.h"
#include "sticker_store/sticker_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- numbers --- */

static const char *const numbers[LEARN_NUMBERS] = {[LEARN_WATERMARK] = "watermark",
                                                   [LEARN_FROZEN] = "frozen",
                                                   [LEARN_EPOCH] = "epoch",
                                                   [LEARN_SINCE] = "since_us",
                                                   [LEARN_UPS] = "ups",
                                                   [LEARN_DOWNS] = "downs",
                                                   [LEARN_VERSION] = "version",
                                                   [LEARN_FORGOTTEN] = "forgotten"};

static enum status set_number(struct db_conn *c, enum learn_number which, int64_t to, struct error *err)
{
    return db_run(c,
                  "INSERT INTO learning (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET"
                  " value = excluded.value",
                  DB_ARGS(DB_TEXT(numbers[which]), DB_INT(to)), NULL, err);
}

enum status sticker_learn_count(struct db_conn *c, enum learn_number which, int64_t more, struct error *err)
{
    return db_run(c, "UPDATE learning SET value = value + $2 WHERE key = $1",
                  DB_ARGS(DB_TEXT(numbers[which]), DB_INT(more)), NULL, err);
}

static int64_t new_epoch(void)
{
    int64_t epoch;
    os_random(&epoch, sizeof epoch);
    return (epoch & 0xfffffffffffff) + 1; /* exact as a number of JSON */
}

static enum status open_job(struct db_conn *c, void *arg, struct error *err)
{
    int64_t first[LEARN_NUMBERS] = {[LEARN_EPOCH] = new_epoch(), [LEARN_SINCE] = os_now_us()};
    enum status st = OK;
    (void)arg;
    for (int i = 0; i < LEARN_NUMBERS && st == OK; i++)
        st = db_run(c, "INSERT INTO learning (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING",
                    DB_ARGS(DB_TEXT(numbers[i]), DB_INT(first[i])), NULL, err);
    return st;
}

static void read_number(struct db_rows *r, struct arena *a, void *item)
{
    (void)a;
    int64_t *number = item;
    number[0] = LEARN_NUMBERS;
    for (int i = 0; i < LEARN_NUMBERS; i++)
        if (db_text_is(r, 0, numbers[i]))
            number[0] = i;
    number[1] = db_int(r, 1);
}

enum status sticker_store_learn_numbers(struct sticker_store *s, int64_t out[LEARN_NUMBERS], struct error *err)
{
    struct arena a;
    void *rows;
    size_t n = 0;
    memset(out, 0, LEARN_NUMBERS * sizeof *out);
    arena_init(&a, 1u << 16);
    enum status st = db_read_list(s->db, "SELECT key, value FROM learning", DB_NONE, read_number, 2 * sizeof(int64_t),
                                  &a, &rows, &n, err);
    for (size_t i = 0; i < n && st == OK; i++) {
        const int64_t *row = (const int64_t *)rows + 2 * i;
        if (row[0] < LEARN_NUMBERS)
            out[row[0]] = row[1];
    }
    arena_free(&a);
    return st;
}

enum status sticker_store_learn_open(struct sticker_store *s, struct error *err)
{
    int64_t n = 0;
    enum status st = db_read_int(s->db, "SELECT count(*) FROM learning", DB_NONE, &n, NULL, err);
    return st == OK && n < LEARN_NUMBERS ? db_write(s->db, DB_DURABLE, open_job, NULL, err) : st;
}

enum status sticker_learn_since(struct db_conn *c, int64_t since_us, struct error *err)
{
    return db_run(c, "UPDATE learning SET value = $2 WHERE key = $1 AND value < $2",
                  DB_ARGS(DB_TEXT(numbers[LEARN_SINCE]), DB_INT(since_us)), NULL, err);
}

/* --- what a person does --- */

struct person_job {
    const struct admin_who *who;
    bool again, frozen;
    int64_t *n; /* rows that changed */
};

static enum status note(struct db_conn *c, const struct admin_who *who, enum change_op op, const char *object,
                        const char *before, const char *after, struct error *err)
{
    return sticker_note_change(
        c, who,
        &(struct admin_change){.op = op, .list = "learning", .object = object, .before = before, .after = after}, err);
}

static enum status freeze_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct person_job *job = arg;
    static const char *const json[] = {"{\"frozen\":\"0\"}", "{\"frozen\":\"1\"}"};
    enum status st = sticker_history_begin(c, err);
    if (st == OK)
        st = open_job(c, NULL, err);
    if (st == OK)
        st = db_run(c, "UPDATE learning SET value = $2 WHERE key = $1 AND value <> $2",
                    DB_ARGS(DB_TEXT(numbers[LEARN_FROZEN]), DB_INT(job->frozen)), job->n, err);
    return st == OK && *job->n ? note(c, job->who, CHANGE_UPDATE, job->frozen ? "freeze" : "unfreeze",
                                      json[!job->frozen], json[job->frozen], err)
                               : st;
}

enum status sticker_store_learn_freeze(struct sticker_store *s, const struct admin_who *who, bool frozen, bool *changed,
                                       struct error *err)
{
    int64_t n = 0;
    struct person_job job = {.who = who, .frozen = frozen, .n = &n};
    enum status st = db_write(s->db, DB_DURABLE, freeze_job, &job, err);
    *changed = n > 0;
    return st;
}

/* What people decided about bursts stays where the log is read again. */
static enum status reset_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct person_job *job = arg;
    int64_t last = 0;
    enum status st = sticker_history_begin(c, err);
    if (st == OK)
        st = open_job(c, NULL, err);
    if (st == OK)
        st = db_lock(c, "LOCK TABLE ONLY events IN SHARE MODE", err);
    if (st == OK && !job->again)
        st = db_get_int(c, "SELECT coalesce(max(rowno), 0) FROM events", DB_NONE, &last, NULL, err);
    if (st == OK)
        st = set_number(c, LEARN_WATERMARK, last, err);
    if (st == OK)
        st = set_number(c, LEARN_EPOCH, new_epoch(), err);
    for (enum learn_number i = LEARN_UPS; i <= LEARN_VERSION && st == OK; i++)
        st = set_number(c, i, 0, err);
    if (st == OK)
        st = db_script(c, "DELETE FROM ballots; DELETE FROM clicks; DELETE FROM click_ranks; DELETE FROM lessons", err);
    if (st == OK)
        st = db_script(c,
                       job->again ? "DELETE FROM vote_hours WHERE state < 2; UPDATE vote_hours SET votes = 0"
                                  : "DELETE FROM vote_hours",
                       err);
    return st == OK ? note(c, job->who, CHANGE_DELETE, job->again ? "rebuild" : "reset", "", "", err) : st;
}

enum status sticker_store_learn_reset(struct sticker_store *s, const struct admin_who *who, bool again,
                                      struct error *err)
{
    return db_write(s->db, DB_DURABLE, reset_job, &(struct person_job){.who = who, .again = again}, err);
}

enum status sticker_store_learn_older(struct sticker_store *s, int64_t *n, struct error *err)
{
    return db_read_int(s->db,
                       "SELECT count(*) FROM ballots WHERE at_us <"
                       " coalesce((SELECT stored_us FROM events ORDER BY rowno LIMIT 1), $1)",
                       DB_ARGS(DB_INT(INT64_MAX)), n, NULL, err);
}

/* Each vote of somebody unknown counts, and the last one of anybody known. */
#define NET_VOTES                                                                                                      \
    "(SELECT k.id AS query_id, v.sticker_id, CAST(sum(CASE v.action WHEN 5 THEN 1 ELSE 0 END) AS bigint) AS ups,"      \
    " CAST(sum(CASE v.action WHEN 6 THEN 1 ELSE 0 END) AS bigint) AS downs"                                            \
    " FROM (SELECT q.query, e.sticker_id, e.action, row_number() OVER (PARTITION BY q.query, e.sticker_id, e.client,"  \
    " CASE e.client WHEN '' THEN e.rowno ELSE 0 END ORDER BY e.rowno DESC) AS place"                                   \
    " FROM events e JOIN searches q ON q.day = e.day AND q.id = e.search WHERE e.action IN (5, 6, 7)) v"               \
    " JOIN queries k ON k.query = v.query WHERE v.place = 1 GROUP BY k.id, v.sticker_id)"
_Static_assert(EVENT_VOTE_UP == 5 && EVENT_VOTE_DOWN == 6 && EVENT_UNDO == 7, "as NET_VOTES has them");

static enum status rescore_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct person_job *job = arg;
    char after[64];
    int64_t since = 0, lost = 0;
    enum status st = sticker_history_begin(c, err);
    if (st == OK)
        st = open_job(c, NULL, err);
    if (st == OK)
        st = db_get_int(c, "SELECT value FROM learning WHERE key = 'since_us'", DB_NONE, &since, NULL, err);
    if (st == OK)
        st = db_lock(c, "LOCK TABLE scores IN SHARE ROW EXCLUSIVE MODE", err);
    if (st == OK)
        st = db_run(c,
                    "UPDATE scores SET positives = net.ups, negatives = net.downs, modified_us = $2 FROM " NET_VOTES
                    " net WHERE net.query_id = scores.query_id AND net.sticker_id = scores.sticker_id"
                    " AND scores.created_us >= $1 AND (scores.positives <> net.ups OR scores.negatives <> net.downs)",
                    DB_ARGS(DB_INT(since), DB_INT(os_now_us())), job->n, err);
    if (st == OK)
        st = db_run(c,
                    "UPDATE scores SET positives = 0, negatives = 0, modified_us = $2 WHERE created_us >= $1"
                    " AND (positives > 0 OR negatives > 0) AND NOT EXISTS (SELECT 1 FROM " NET_VOTES
                    " net WHERE net.query_id = scores.query_id AND net.sticker_id = scores.sticker_id)",
                    DB_ARGS(DB_INT(since), DB_INT(os_now_us())), &lost, err);
    *job->n += lost;
    snprintf(after, sizeof after, "{\"scores\":\"%" PRId64 "\"}", *job->n);
    return st == OK && *job->n ? note(c, job->who, CHANGE_UPDATE, "scores", "", after, err) : st;
}

enum status sticker_store_learn_rescore(struct sticker_store *s, const struct admin_who *who, int64_t *n,
                                        struct error *err)
{
    *n = 0;
    return db_write(s->db, DB_DURABLE, rescore_job, &(struct person_job){.who = who, .n = n}, err);
}

/* --- lessons --- */

static void read_lesson(struct db_rows *r, struct arena *a, void *item)
{
    *(struct lesson *)item = (struct lesson){.query = db_text(r, 0, a),
                                             .due = db_int(r, 1),
                                             .version = db_int(r, 2),
                                             .gains = db_text(r, 3, a),
                                             .terms = db_text(r, 4, a)};
}

#define SELECT_LESSON "SELECT query, due, version, gains, terms FROM lessons "

enum status sticker_store_lessons_due(struct sticker_store *s, int64_t old_us, size_t limit, struct arena *a,
                                      struct lesson **out, size_t *n, struct error *err)
{
    void *rows;
    enum status st = db_read_list(s->db, SELECT_LESSON "WHERE due > 0 AND query <> '' ORDER BY computed_us LIMIT $1",
                                  DB_ARGS(DB_INT(db_limit(limit))), read_lesson, sizeof **out, a, &rows, n, err);
    if (st == OK && !*n)
        st =
            db_read_list(s->db, SELECT_LESSON "WHERE computed_us < $1 AND query <> '' ORDER BY computed_us LIMIT $2",
                         DB_ARGS(DB_INT(old_us), DB_INT(db_limit(limit))), read_lesson, sizeof **out, a, &rows, n, err);
    *out = rows;
    return st;
}

enum status sticker_store_lesson(struct sticker_store *s, const char *query, struct arena *a, struct lesson *out,
                                 struct error *err)
{
    void *rows;
    size_t n;
    enum status st = db_read_list(s->db, SELECT_LESSON "WHERE query = $1", DB_ARGS(DB_TEXT(query)), read_lesson,
                                  sizeof *out, a, &rows, &n, err);
    *out = st == OK && n ? *(struct lesson *)rows : (struct lesson){.query = query, .gains = "", .terms = ""};
    return st;
}

struct lessons_job {
    const struct lesson *lessons;
    size_t n;
    int64_t *changed;
};

static enum status set_lesson(struct db_conn *c, const struct lesson *l, int64_t version, bool *changed,
                              struct error *err)
{
    int64_t n = 0, now = os_now_us();
    *changed = false;
    enum status st =
        db_run(c, "UPDATE lessons SET due = 0, computed_us = $3 WHERE query = $1 AND due = $2 AND gains = $4",
               DB_ARGS(DB_TEXT(l->query), DB_INT(l->due), DB_INT(now), DB_TEXT(l->gains)), &n, err);
    if (st != OK || n)
        return st;
    st = db_run(
        c,
        "UPDATE lessons SET due = 0, computed_us = $3, gains = $4, version = $5, terms = $6 WHERE query = $1"
        " AND due = $2",
        DB_ARGS(DB_TEXT(l->query), DB_INT(l->due), DB_INT(now), DB_TEXT(l->gains), DB_INT(version), DB_TEXT(l->terms)),
        &n, err);
    *changed = n > 0;
    return st == OK && n && *l->terms ? sticker_learn_due(c, l->terms, err) : st;
}

/* Whoever gives out versions holds their number until the end, so that they become visible in their order. */
static enum status lessons_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct lessons_job *job = arg;
    int64_t version = 0;
    *job->changed = 0;
    enum status st = sticker_learn_count(c, LEARN_VERSION, 0, err);
    if (st == OK)
        st = db_get_int(c, "SELECT value FROM learning WHERE key = 'version'", DB_NONE, &version, NULL, err);
    for (size_t i = 0; i < job->n && st == OK; i++) {
        bool changed;
        st = set_lesson(c, &job->lessons[i], version + *job->changed + 1, &changed, err);
        *job->changed += changed;
    }
    return st == OK && *job->changed ? sticker_learn_count(c, LEARN_VERSION, *job->changed, err) : st;
}

enum status sticker_store_lessons_set(struct sticker_store *s, const struct lesson *lessons, size_t n, int64_t *changed,
                                      struct error *err)
{
    return db_write(s->db, DB_FAST, lessons_job, &(struct lessons_job){lessons, n, changed}, err);
}

enum status sticker_store_lessons_changed(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                                          struct lesson **out, size_t *n, struct error *err)
{
    void *rows;
    enum status st =
        db_read_list(s->db, SELECT_LESSON "WHERE version > $1 ORDER BY version LIMIT $2",
                     DB_ARGS(DB_INT(after), DB_INT(db_limit(limit))), read_lesson, sizeof **out, a, &rows, n, err);
    *out = rows;
    return st;
}

enum status sticker_store_lessons_alike(struct sticker_store *s, const char *terms, size_t limit, struct arena *a,
                                        struct lesson **out, size_t *n, struct error *err)
{
    void *rows;
    enum status st =
        db_read_list(s->db, SELECT_LESSON "WHERE terms = $1 AND gains <> '' ORDER BY query LIMIT $2",
                     DB_ARGS(DB_TEXT(terms), DB_INT(db_limit(limit))), read_lesson, sizeof **out, a, &rows, n, err);
    *out = rows;
    return st;
}

static enum status tidy_job(struct db_conn *c, void *arg, struct error *err)
{
    const int64_t *version = arg;
    enum status st = db_run(c, "DELETE FROM lessons WHERE gains = '' AND due = 0 AND version <= $1",
                            DB_ARGS(DB_INT(*version)), NULL, err);
    /* hours that say no more what is usual */
    return st == OK ? db_run(c, "DELETE FROM vote_hours WHERE state = 0 AND hour < $1",
                             DB_ARGS(DB_INT(os_now_us() / STORE_HOUR_US - LEARN_USUAL_HOURS)), NULL, err)
                    : st;
}

enum status sticker_store_lessons_tidy(struct sticker_store *s, int64_t version, struct error *err)
{
    return db_write(s->db, DB_FAST, tidy_job, &version, err);
}

enum status sticker_store_learn_count(struct sticker_store *s, struct learn_counts *out, struct error *err)
{
    static const char *const sql[] = {"SELECT count(*) FROM ballots",
                                      "SELECT count(DISTINCT voter) FROM ballots",
                                      "SELECT count(*) FROM lessons WHERE gains <> ''",
                                      "SELECT count(*) FROM lessons WHERE due > 0",
                                      "SELECT value FROM learning WHERE key = 'version'",
                                      "SELECT count(*) FROM vote_hours WHERE state = 1"};
    int64_t *const to[] = {&out->ballots, &out->voters, &out->queries, &out->due, &out->version, &out->held};
    enum status st = OK;
    *out = (struct learn_counts){0};
    for (size_t i = 0; i < sizeof sql / sizeof *sql && st == OK; i++)
        st = db_read_int(s->db, sql[i], DB_NONE, to[i], NULL, err);
    return st;
}

/* --- bursts --- */

const char *const burst_states[] = {"", "held", "released", "dropped"};

static void read_burst(struct db_rows *r, struct arena *a, void *item)
{
    *(struct burst *)item = (struct burst){.query = db_text(r, 0, a),
                                           .hour = db_int(r, 1),
                                           .votes = db_int(r, 2),
                                           .usual = db_int(r, 3),
                                           .state = (enum burst_state)db_int(r, 4)};
}

enum status sticker_store_bursts(struct sticker_store *s, size_t limit, struct arena *a, struct burst **out, size_t *n,
                                 struct error *err)
{
    void *rows;
    enum status st = db_read_list(
        s->db,
        "SELECT query, hour, votes, usual, state FROM vote_hours WHERE state > 0 ORDER BY state > 1, hour DESC, query"
        " LIMIT $1",
        DB_ARGS(DB_INT(db_limit(limit))), read_burst, sizeof **out, a, &rows, n, err);
    *out = rows;
    return st;
}

struct decide_job {
    const struct admin_who *who;
    const char *query;
    int64_t hour;
    enum burst_state to;
};

static enum status decide_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct decide_job *job = arg;
    char before[64], after[96];
    int64_t was = 0;
    bool found;
    enum status st = sticker_history_begin(c, err);
    if (st == OK)
        st = db_get_int(c,
                        db_sql(c, "SELECT state FROM vote_hours WHERE query = $1 AND hour = $2 AND state > 0",
                               "SELECT state FROM vote_hours WHERE query = $1 AND hour = $2 AND state > 0 FOR UPDATE"),
                        DB_ARGS(DB_TEXT(job->query), DB_INT(job->hour)), &was, &found, err);
    if (st == OK && !found)
        return err_set(err, ERR_NOT_FOUND, "No votes for \"%.200s\" were held in that hour.", job->query);
    if (st != OK || was == (int64_t)job->to)
        return st;
    st = db_run(c, "UPDATE vote_hours SET state = $3 WHERE query = $1 AND hour = $2",
                DB_ARGS(DB_TEXT(job->query), DB_INT(job->hour), DB_INT(job->to)), NULL, err);
    if (st == OK)
        st = sticker_learn_due(c, job->query, err);
    if (st == OK)
        st = sticker_learn_due(c, "", err);
    snprintf(before, sizeof before, "{\"state\":\"%s\"}", burst_states[was & 3]);
    snprintf(after, sizeof after, "{\"state\":\"%s\",\"hour\":\"%" PRId64 "\"}", burst_states[job->to], job->hour);
    return st == OK ? note(c, job->who, CHANGE_UPDATE, job->query, before, after, err) : st;
}

enum status sticker_store_burst_decide(struct sticker_store *s, const struct admin_who *who, const char *query,
                                       int64_t hour, enum burst_state to, struct error *err)
{
    return db_write(s->db, DB_DURABLE, decide_job, &(struct decide_job){who, query, hour, to}, err);
}
