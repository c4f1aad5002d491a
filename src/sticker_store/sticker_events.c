/* sticker_events.c: the log of what people did, and the keys of its receipts. */
#include "sticker_store/sticker_events.h"

#include "base/os.h"
#include "sticker_store/sticker_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

/* --- keys --- */

struct keys_job {
    const char *purpose;
    const unsigned char *fresh;
    int64_t newer_than_us, replaced_us;
};

/* A key is replaced by the next one, whose id is the next. */
static enum status keys_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct keys_job *job = arg;
    enum status st = db_lock(c, "LOCK TABLE keys IN EXCLUSIVE MODE", err);
    if (st == OK)
        st = db_run(c,
                    "INSERT INTO keys (id, purpose, secret, created_us)"
                    " SELECT (SELECT coalesce(max(id), 0) + 1 FROM keys), $1, $2, $3"
                    " WHERE NOT EXISTS (SELECT 1 FROM keys WHERE purpose = $1 AND created_us > $4)",
                    DB_ARGS(DB_TEXT(job->purpose), DB_BLOB(job->fresh, STORE_KEY_BYTES), DB_INT(os_now_us()),
                            DB_INT(job->newer_than_us)),
                    NULL, err);
    return st != OK ? st
                    : db_run(c,
                             "DELETE FROM keys WHERE purpose = $1 AND EXISTS (SELECT 1 FROM keys newer WHERE"
                             " newer.purpose = $1 AND newer.id > keys.id AND newer.created_us < $2)",
                             DB_ARGS(DB_TEXT(job->purpose), DB_INT(job->replaced_us)), NULL, err);
}

static void read_key(struct db_rows *r, struct arena *a, void *item)
{
    (void)a;
    struct store_key *key = item;
    size_t len;
    *key = (struct store_key){.id = db_int(r, 0), .created_us = db_int(r, 2)};
    const void *secret = db_bytes(r, 1, &len);
    if (len == STORE_KEY_BYTES)
        memcpy(key->secret, secret, len);
    else
        key->id = 0;
}

enum status sticker_store_keys(struct sticker_store *s, const char *purpose, const unsigned char fresh[STORE_KEY_BYTES],
                               int64_t newer_than_us, int64_t replaced_us, struct arena *a, struct store_key **out,
                               size_t *n, struct error *err)
{
    void *keys = NULL;
    struct keys_job job = {purpose, fresh, newer_than_us, replaced_us};
    enum status st = db_write(s->db, DB_DURABLE, keys_job, &job, err);
    if (st == OK)
        st = db_read_list(s->db, "SELECT id, secret, created_us FROM keys WHERE purpose = $1 ORDER BY id DESC",
                          DB_ARGS(DB_TEXT(purpose)), read_key, sizeof **out, a, &keys, n, err);
    *out = keys;
    for (size_t i = 0; st == OK && i < *n; i++)
        if (!(*out)[i].id)
            st = err_set(err, ERR_CORRUPT, "a key for %s in the table keys does not have %d bytes", purpose,
                         STORE_KEY_BYTES);
    return st;
}

/* --- adding --- */

const char *const event_actions[EVENT_ACTIONS] = {
    [EVENT_IMPRESSION] = "impression", [EVENT_CLICK] = "click",         [EVENT_COPY] = "copy",
    [EVENT_SHARE] = "share",           [EVENT_FAVOURITE] = "favourite", [EVENT_VOTE_UP] = "vote_up",
    [EVENT_VOTE_DOWN] = "vote_down",   [EVENT_UNDO] = "undo",           [EVENT_REPORT] = "report",
};

static int64_t day_of(int64_t us)
{
    return us / STORE_DAY_US;
}

enum status sticker_events_day(struct db_conn *c, int64_t day, struct error *err)
{
    static const char *const tables[] = {"searches", "events"};
    char sql[200];
    int64_t there;
    bool found;
    if (!db_is_postgres(c))
        return OK;
    snprintf(sql, sizeof sql, "events_%lld", (long long)day);
    enum status st =
        db_get_int(c, "SELECT 1 WHERE to_regclass($1::text) IS NOT NULL", DB_ARGS(DB_TEXT(sql)), &there, &found, err);
    if (st != OK || found)
        return st;
    /* One at a time: CREATE TABLE IF NOT EXISTS fails where two meet. */
    st = db_script(c, "SELECT pg_advisory_xact_lock(hashtext('peel events'))", err);
    for (size_t i = 0; i < sizeof tables / sizeof *tables && st == OK; i++) {
        snprintf(sql, sizeof sql, "CREATE TABLE IF NOT EXISTS %s_%lld PARTITION OF %s FOR VALUES FROM (%lld) TO (%lld)",
                 tables[i], (long long)day, tables[i], (long long)day, (long long)day + 1);
        st = db_script(c, sql, err);
    }
    return st;
}

static enum status add_search(struct db_conn *c, const struct search_row *s, struct error *err)
{
    return db_run(c,
                  "INSERT INTO searches (day, id, made_us, query, language, ranking, shift, shown)"
                  " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
                  DB_ARGS(DB_INT(day_of(s->made_us)), DB_BLOB(s->id, STORE_SEARCH_ID), DB_INT(s->made_us),
                          DB_TEXT(s->query), DB_TEXT(s->language), DB_TEXT(s->ranking), DB_INT(s->offset),
                          DB_BLOB(s->shown, s->n * STORE_TAG)),
                  NULL, err);
}

struct events_job {
    const struct search_row *searches;
    size_t n_searches;
    struct event_row *events;
    size_t n;
    struct feedback_entry *votes; /* [n] */
    struct feedback_room *room;   /* for them */
    bool query_added;
};

bool store_tag(const char *uuid, unsigned char tag[STORE_TAG])
{
    size_t len = strlen(uuid);
    memset(tag, 0, STORE_TAG);
    return len == 36 &&
           sodium_hex2bin(tag, STORE_TAG, uuid + len - 2 * STORE_TAG, 2 * STORE_TAG, NULL, NULL, NULL) == 0;
}

/* rank 0: it was not shown. */
static enum team team_at(const struct search_row *s, int64_t rank)
{
    unsigned char team = s->teams && rank ? s->teams[rank - s->offset - 1] : TEAM_NONE;
    return team == TEAM_A || team == TEAM_B ? (enum team)team : TEAM_NONE;
}

int64_t sticker_rank_shown(const struct search_row *s, const char *sticker_id)
{
    unsigned char tag[STORE_TAG];
    if (store_tag(sticker_id, tag))
        for (size_t i = 0; i < s->n; i++)
            if (memcmp(s->shown + i * STORE_TAG, tag, STORE_TAG) == 0)
                return s->offset + (int64_t)i + 1;
    return 0;
}

/* Its rank is set. */
static enum status insert_event(struct db_conn *c, const struct event_row *e, const char *sticker_id, int64_t *changed,
                                struct error *err)
{
    const struct search_row *s = e->search;
    return db_run(c,
                  "INSERT INTO events (day, id, search, action, sticker_id, rank, client, at_us, stored_us, experiment,"
                  " team, propensity, person, network, vouched) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"
                  " $12, $13, $14, $15) ON CONFLICT (day, id) DO NOTHING",
                  DB_ARGS(DB_INT(day_of(s->made_us)), DB_BLOB(e->id, STORE_EVENT_ID), DB_BLOB(s->id, STORE_SEARCH_ID),
                          DB_INT(e->action), DB_TEXT(sticker_id), DB_INT(e->rank), DB_TEXT(e->client), DB_INT(e->at_us),
                          DB_INT(os_now_us()), DB_INT(s->experiment), DB_INT(team_at(s, e->rank)),
                          DB_INT(e->rank && e->rank == s->tried ? s->propensity : PROPENSITY_ONE),
                          DB_INT(e->origin.person), DB_INT(e->origin.network), DB_INT(e->origin.vouched)),
                  changed, err);
}

/* --- votes as events --- */

/* Of votes without a receipt: one search for each query and day, which showed nothing. */
static struct search_row search_of_votes(const char *query, int64_t now_us, unsigned char id[STORE_SEARCH_ID])
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)query, strlen(query), NULL, 0);
    memcpy(id, hash, STORE_SEARCH_ID);
    return (struct search_row){.id = id, .made_us = now_us, .query = query, .language = "", .ranking = "", .shown = id};
}

enum status sticker_log_search(struct db_conn *c, const struct feedback_entry *e, int64_t now_us, struct error *err)
{
    unsigned char id[STORE_SEARCH_ID];
    struct search_row none = search_of_votes(e->query, now_us, id);
    const struct search_row *search = e->search ? e->search : &none;
    enum status st = sticker_events_day(c, day_of(search->made_us), err);
    return st == OK ? add_search(c, search, err) : st;
}

enum status sticker_log_vote(struct db_conn *c, const struct feedback_entry *e, enum event_action action,
                             const char *sticker, int64_t now_us, struct error *err)
{
    char sticker_id[37];
    unsigned char id[STORE_EVENT_ID], search_id[STORE_SEARCH_ID];
    struct search_row none = search_of_votes(e->query, now_us, search_id);
    struct event_row event = {.id = id,
                              .search = e->search ? e->search : &none,
                              .action = action,
                              .client = e->voter ? e->voter : "",
                              .at_us = now_us,
                              .origin = e->origin};
    enum status st = sticker_find_id(c, sticker, sticker_id, err);
    if (st != OK)
        return st;
    os_random(id, sizeof id);
    event.rank = sticker_rank_shown(event.search, sticker_id);
    return insert_event(c, &event, sticker_id, NULL, err);
}

/* --- a request's events --- */

/* What an event adds to its sticker's trend, in searches. */
static double use_of(enum event_action action)
{
    switch (action) {
    case EVENT_CLICK:
        return 1;
    case EVENT_COPY:
    case EVENT_FAVOURITE:
    case EVENT_VOTE_UP:
        return 2;
    case EVENT_SHARE:
        return 3;
    default:
        return 0;
    }
}

/* The last use of a sticker by a client. */
struct use {
    uint32_t client, day;
};
_Static_assert(sizeof(struct use) == STORE_USE_BYTES, "as sticker_store_trending counts them");

/* Adds a use to the last ones of different clients, the oldest first. False: the client has used it that day. */
static bool add_to_crowd(struct use crowd[STORE_CROWD], size_t *n, struct use use)
{
    size_t i = 0;
    while (i < *n && crowd[i].client != use.client)
        i++;
    if (i < *n && crowd[i].day == use.day)
        return false;
    if (i == STORE_CROWD)
        i = 0;
    else if (i == *n)
        ++*n;
    memmove(&crowd[i], &crowd[i + 1], (*n - i - 1) * sizeof *crowd);
    crowd[*n - 1] = use;
    return true;
}

static enum status read_crowd(struct db_conn *c, const char *sticker_id, struct use crowd[STORE_CROWD], size_t *n,
                              struct error *err)
{
#define CROWD_OF "SELECT crowd FROM sticker_trends WHERE sticker_id = $1"
    struct db_rows r;
    db_query(&r, c, db_sql(c, CROWD_OF, CROWD_OF " FOR UPDATE"), DB_ARGS(DB_TEXT(sticker_id)), err);
    while (db_next(&r)) {
        size_t len;
        const void *bytes = db_bytes(&r, 0, &len);
        *n = (len < STORE_CROWD * sizeof *crowd ? len : STORE_CROWD * sizeof *crowd) / sizeof *crowd;
        if (*n)
            memcpy(crowd, bytes, *n * sizeof *crowd);
    }
    return db_end(&r);
}

/* Once a day for each client, so that nobody can use a sticker up the list alone. */
static enum status add_use(struct db_conn *c, const char *sticker_id, const struct event_row *e, struct error *err)
{
    double use = use_of(e->action);
    struct use crowd[STORE_CROWD];
    size_t n = 0;
    int64_t now_us = os_now_us();
    bool vouched = e->origin.vouched && *e->client;
    struct use now = {.client = vouched ? (uint32_t)XXH3_64bits(e->client, strlen(e->client)) : e->origin.client,
                      .day = (uint32_t)(now_us / STORE_DAY_US)};
    if (!(use > 0))
        return OK;
    enum status st = read_crowd(c, sticker_id, crowd, &n, err);
    if (st != OK || !add_to_crowd(crowd, &n, now))
        return st;
    return db_run(
        c,
        "INSERT INTO sticker_trends (sticker_id, trend, crowd) VALUES ($1, $2, $3) ON CONFLICT (sticker_id)"
        " DO UPDATE SET trend = sticker_trends.trend + excluded.trend, crowd = excluded.crowd",
        DB_ARGS(DB_TEXT(sticker_id), DB_REAL(use * sticker_trend_weight(now_us)), DB_BLOB(crowd, n * sizeof *crowd)),
        NULL, err);
}

static enum status add_event(struct db_conn *c, struct event_row *e, struct error *err)
{
    char sticker_id[37];
    int64_t changed = 0;
    enum status st = sticker_find_id(c, e->sticker, sticker_id, err);
    if (st != OK)
        return st;
    e->rank = sticker_rank_shown(e->search, sticker_id);
    e->was = EVENT_NOT_SHOWN;
    if (!e->rank)
        return OK;
    st = insert_event(c, e, sticker_id, &changed, err);
    e->was = changed ? EVENT_NEW : EVENT_REPEATED;
    return st == OK && changed ? add_use(c, sticker_id, e, err) : st;
}

/* What an event means for the scores; false: nothing. */
static bool vote_of_event(const struct event_row *e, struct feedback_entry *out)
{
    bool known = *e->client;
    *out = (struct feedback_entry){.query = e->search->query, .voter = known ? e->client : NULL, .logged = true};
    if (e->was != EVENT_NEW || (e->action == EVENT_UNDO && !known))
        return false;
    if (e->action == EVENT_VOTE_UP)
        out->positive = &e->sticker, out->n_positive = 1;
    else if (e->action == EVENT_VOTE_DOWN)
        out->negative = &e->sticker, out->n_negative = 1;
    else if (e->action == EVENT_UNDO)
        out->withdrawn = &e->sticker, out->n_withdrawn = 1;
    else
        return false;
    return true;
}

static enum status events_job(struct db_conn *c, void *arg, struct error *err)
{
    struct events_job *job = arg;
    enum status st = OK;
    size_t n_votes = 0;
    for (size_t i = 0; i < job->n_searches && st == OK; i++) {
        st = sticker_events_day(c, day_of(job->searches[i].made_us), err);
        if (st == OK)
            st = add_search(c, &job->searches[i], err);
    }
    for (size_t i = 0; i < job->n && st == OK; i++) {
        st = add_event(c, &job->events[i], err);
        n_votes += st == OK && vote_of_event(&job->events[i], &job->votes[n_votes]);
    }
    for (size_t i = 0; i < n_votes && st == OK; i++) { /* its searches may not be counted yet */
        bool added;
        st = sticker_query_add(c, job->votes[i].query, 0, &added, err);
    }
    if (st == OK && n_votes)
        st = sticker_queries_list(c, err);
    return st == OK && n_votes ? sticker_count_votes(c, job->votes, n_votes, job->room, err) : st;
}

enum status sticker_store_events_add(struct sticker_store *s, const struct search_row *searches, size_t n_searches,
                                     struct event_row *events, size_t n, struct arena *a, struct error *err)
{
    struct events_job job = {.searches = searches, .n_searches = n_searches, .events = events, .n = n};
    job.votes = arena_array(a, n + 1, sizeof *job.votes);
    if (!job.votes)
        return err_no_memory(err, "%zu events", n);
    enum status st = sticker_feedback_room(n, n, a, &job.room, err);
    return st == OK ? db_write(s->db, DB_DURABLE, events_job, &job, err) : st;
}

/* --- forgetting --- */

#define FORGET_AT_ONCE 5000
struct forget_job {
    int64_t before;
    bool more;
};

/* A day of PostgreSQL's goes as a whole, all days that are due at once. */
static enum status drop_partitions(struct db_conn *c, int64_t before, struct error *err)
{
    struct arena a;
    struct db_rows r;
    void *names = NULL;
    size_t n = 0, cap = 0;
    char sql[200];
    arena_init(&a, 1u << 20);
    db_query(&r, c,
             "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
             " WHERE i.inhparent IN ('searches'::regclass, 'events'::regclass)"
             " AND CAST(split_part(c.relname, '_', 2) AS bigint) < $1",
             DB_ARGS(DB_INT(before)), err);
    while (db_next(&r) && db_grow(&r, &a, &names, n, &cap, sizeof(const char *)))
        ((const char **)names)[n++] = db_text(&r, 0, &a);
    enum status st = db_end(&r);
    for (size_t i = 0; i < n && st == OK; i++) {
        snprintf(sql, sizeof sql, "DROP TABLE %.60s", ((const char **)names)[i]);
        st = db_script(c, sql, err);
    }
    arena_free(&a);
    return st;
}

static enum status forget_job(struct db_conn *c, void *arg, struct error *err)
{
    struct forget_job *job = arg;
    int64_t events = 0, searches = 0;
    job->more = false;
    /* Votes of searches that are kept may have come up to a month later than these. */
    enum status st = sticker_learn_since(c, (job->before + STORE_SEARCH_DAYS) * STORE_DAY_US, err);
    if (st != OK)
        return st;
    if (db_is_postgres(c))
        return drop_partitions(c, job->before, err);
    st = db_run(c, "DELETE FROM events WHERE rowno IN (SELECT rowno FROM events WHERE day < $1 LIMIT $2)",
                DB_ARGS(DB_INT(job->before), DB_INT(FORGET_AT_ONCE)), &events, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM searches WHERE rowno IN (SELECT rowno FROM searches WHERE day < $1 LIMIT $2)",
                    DB_ARGS(DB_INT(job->before), DB_INT(FORGET_AT_ONCE)), &searches, err);
    job->more = events == FORGET_AT_ONCE || searches == FORGET_AT_ONCE;
    return st;
}

enum status sticker_store_events_forget(struct sticker_store *s, int64_t before_us, bool *more, struct error *err)
{
    struct forget_job job = {.before = day_of(before_us)};
    enum status st = db_write(s->db, DB_FAST, forget_job, &job, err);
    *more = job.more;
    return st;
}

/* --- reading --- */

static void read_event(struct db_rows *r, struct arena *a, void *item)
{
    struct logged_event *e = item;
    size_t len;
    *e = (struct logged_event){
        .row = db_int(r, 0),
        .action = (enum event_action)db_int(r, 2),
        .query = db_text(r, 3, a),
        .language = db_text(r, 4, a),
        .ranking = db_text(r, 5, a),
        .sticker = db_text(r, 6, a),
        .client = db_text(r, 7, a),
        .rank = db_int(r, 8),
        .at_us = db_int(r, 9),
        .stored_us = db_int(r, 10),
        .experiment = db_int(r, 11),
        .team = (enum team)db_int(r, 12),
        .propensity = db_int(r, 13),
    };
    const void *id = db_bytes(r, 1, &len);
    if (len == STORE_SEARCH_ID)
        memcpy(e->search, id, len);
}

enum status sticker_store_events_list(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                                      struct logged_event **out, size_t *n, struct error *err)
{
    void *events;
    enum status st =
        db_read_list(s->db,
                     "SELECT e.rowno, e.search, e.action, q.query, q.language, q.ranking, coalesce(k.filename, ''), "
                     "e.client, e.rank,"
                     " e.at_us, e.stored_us, e.experiment, e.team, e.propensity FROM events e JOIN searches q ON q.day "
                     "= e.day AND q.id = e.search"
                     " LEFT JOIN stickers k ON k.id = e.sticker_id WHERE e.rowno > $1 ORDER BY e.rowno LIMIT $2",
                     DB_ARGS(DB_INT(after), DB_INT(db_limit(limit))), read_event, sizeof **out, a, &events, n, err);
    *out = events;
    return st;
}
