/* sticker_evidence.c: events become ballots and sums of clicks, each once. */
#include "sticker_store/sticker_learn.h"

#include "base/json_out.h"
#include "base/os.h"
#include "sticker_store/sticker_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- the log --- */

struct upto_job {
    int64_t *upto;
};

/* On PostgreSQL rows become visible in another order than that of their numbers. Whoever is adding some is waited for;
 * then all numbers given out so far are either visible or gone. */
static enum status upto_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct upto_job *job = arg;
    enum status st = db_lock(c, "SET LOCAL lock_timeout = '2s'", err);
    if (st == OK)
        st = db_lock(c, "LOCK TABLE ONLY events IN SHARE MODE", err);
    return st == OK ? db_get_int(c, "SELECT coalesce(max(rowno), 0) FROM events", DB_NONE, job->upto, NULL, err) : st;
}

static enum status find_upto(struct sticker_store *s, int64_t after, int64_t *upto, struct error *err)
{
    bool postgres, found = false;
    struct db_conn *c = db_reader(s->db);
    enum status st = db_get_int(c, "SELECT rowno FROM events WHERE rowno > $1 ORDER BY rowno DESC LIMIT 1",
                                DB_ARGS(DB_INT(after)), upto, &found, err);
    postgres = db_is_postgres(c);
    db_reader_done(s->db, c);
    if (st == OK && !found)
        *upto = after;
    return st == OK && found && postgres ? db_write(s->db, DB_FAST, upto_job, &(struct upto_job){upto}, err) : st;
}

static void read_event(struct db_rows *r, struct arena *a, void *item)
{
    *(struct learn_event *)item = (struct learn_event){
        .row = db_int(r, 0),
        .action = (enum event_action)db_int(r, 1),
        .query = db_text(r, 2, a),
        .sticker_id = db_text(r, 3, a),
        .client = db_text(r, 4, a),
        .rank = db_int(r, 5),
        .at_us = db_int(r, 6),
        .origin = {.person = db_int(r, 7), .network = db_int(r, 8), .vouched = db_int(r, 9) != 0},
    };
}

#define SELECT_EVENTS                                                                                                  \
    "SELECT e.rowno, e.action, q.query, e.sticker_id, e.client, e.rank, e.stored_us, e.person, e.network, e.vouched"   \
    " FROM events e JOIN searches q ON q.day = e.day AND q.id = e.search WHERE e.rowno > $1 AND e.rowno <= $2"

enum status sticker_store_learn_events(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                                       struct learn_event **out, size_t *n, int64_t *upto, struct error *err)
{
    void *events = NULL;
    *n = 0;
    enum status st = find_upto(s, after, upto, err);
    if (st == OK && *upto > after)
        st = db_read_list(s->db, SELECT_EVENTS " ORDER BY e.rowno LIMIT $3",
                          DB_ARGS(DB_INT(after), DB_INT(*upto), DB_INT(db_limit(limit))), read_event, sizeof **out, a,
                          &events, n, err);
    *out = events;
    if (st == OK && *n == limit)
        *upto = (*out)[*n - 1].row;
    return st;
}

enum status sticker_store_learn_events_before(struct sticker_store *s, int64_t after, int64_t upto, size_t limit,
                                              struct arena *a, struct learn_event **out, size_t *n, struct error *err)
{
    void *events;
    enum status st = db_read_list(s->db, SELECT_EVENTS " AND e.action < 5 ORDER BY e.rowno DESC LIMIT $3",
                                  DB_ARGS(DB_INT(after), DB_INT(upto), DB_INT(db_limit(limit))), read_event,
                                  sizeof **out, a, &events, n, err);
    *out = events;
    return st;
}
_Static_assert(EVENT_FAVOURITE < 5 && EVENT_VOTE_UP == 5, "the actions that are no votes");

int64_t sticker_learn_voter(const char *client, const struct origin *origin)
{
    int64_t voter = 0;
    for (int i = 0; i < 16 && client[i]; i++) {
        int digit = client[i] >= 'a' ? client[i] - 'a' + 10 : client[i] - '0';
        voter = (int64_t)((uint64_t)voter << 4 | (uint64_t)(digit & 15));
    }
    voter &= INT64_MAX;
    return voter ? voter : origin->person ? origin->person : 1;
}

/* --- adding --- */

enum status sticker_learn_due(struct db_conn *c, const char *query, struct error *err)
{
    return db_run(c,
                  "INSERT INTO lessons (query, due) VALUES ($1, $2) ON CONFLICT (query) DO UPDATE SET due ="
                  " CASE WHEN excluded.due > lessons.due THEN excluded.due ELSE lessons.due + 1 END",
                  DB_ARGS(DB_TEXT(query), DB_INT(os_now_us())), NULL, err);
}

enum status sticker_learn_drop(struct db_conn *c, const char *const sql[3], const struct db_arg *args, size_t n_args,
                               struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < 3 && st == OK; i++)
        st = db_run(c, sql[i], args, n_args, NULL, err);
    return st;
}

/* How many ballots a voter has cast since a day began. */
struct voter_day {
    int64_t voter, since_us; /* 0: free */
    int64_t cast;
};

struct add_job {
    struct learn_batch *batch;
    int64_t ups, downs;
    /* By voter, open addressing, [n_days], a power of two. An app that sends the votes of all its users is one voter,
     * whose ballots of a day must not be counted again for each vote. */
    struct voter_day *days;
    size_t n_days;
};

static enum status find_day(struct db_conn *c, struct add_job *job, const struct learn_vote *v, struct voter_day **out,
                            struct error *err)
{
    int64_t since_us = v->at_us / STORE_DAY_US * STORE_DAY_US;
    size_t at = (uint64_t)v->voter * 0x9e3779b97f4a7c15u >> 32 & (job->n_days - 1);
    while (job->days[at].since_us && job->days[at].voter != v->voter)
        at = (at + 1) & (job->n_days - 1);
    struct voter_day *day = *out = &job->days[at];
    if (day->since_us == since_us)
        return OK;
    *day = (struct voter_day){.voter = v->voter, .since_us = since_us};
    return db_get_int(c, "SELECT count(*) FROM ballots WHERE voter = $1 AND at_us >= $2",
                      DB_ARGS(DB_INT(v->voter), DB_INT(since_us)), &day->cast, NULL, err);
}

/* A vote counts the less, the more somebody votes in a day. */
static int64_t weigh(const struct learn_vote *v, int64_t others_today)
{
    return llround((v->named ? 1 : LEARN_NAMELESS) / sqrt(1 + (double)others_today / 20) * LEARN_MILLION);
}

/* A ballot counts once in an hour, however often it is changed, and not if it is taken back. */
static enum status count_hour(struct db_conn *c, const char *query, int64_t hour, int64_t more, struct error *err)
{
    return db_run(c,
                  "INSERT INTO vote_hours (query, hour, votes) VALUES ($1, $2, $3)"
                  " ON CONFLICT (query, hour) DO UPDATE SET votes = vote_hours.votes + excluded.votes",
                  DB_ARGS(DB_TEXT(query), DB_INT(hour), DB_INT(more)), NULL, err);
}

static enum status add_vote(struct db_conn *c, struct add_job *job, const struct learn_vote *v, struct error *err)
{
    int64_t was = 0, was_us = 0, hour = v->at_us / STORE_HOUR_US;
    struct voter_day *day;
    const struct db_arg key[] = {DB_TEXT(v->query), DB_TEXT(v->sticker_id), DB_INT(v->voter)};
    struct db_rows r;
    db_query(&r, c, "SELECT vote, at_us FROM ballots WHERE query = $1 AND sticker_id = $2 AND voter = $3", key, 3, err);
    while (db_next(&r)) {
        was = db_int(&r, 0);
        was_us = db_int(&r, 1);
    }
    enum status st = db_end(&r);
    if (st != OK || (!was && !v->vote))
        return st;
    job->ups += (v->vote > 0) - (was > 0);
    job->downs += (v->vote < 0) - (was < 0);
    st = find_day(c, job, v, &day, err);
    if (st != OK)
        return st;
    day->cast -= was && was_us >= day->since_us;
    if (!v->vote) {
        st = db_run(c, "DELETE FROM ballots WHERE query = $1 AND sticker_id = $2 AND voter = $3", key, 3, NULL, err);
        return st == OK ? count_hour(c, v->query, was_us / STORE_HOUR_US, -1, err) : st;
    }
    int64_t weight = weigh(v, day->cast++);
    st = db_run(c,
                "INSERT INTO ballots (query, sticker_id, voter, vote, weight, network, vouched, at_us)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (query, sticker_id, voter) DO UPDATE SET"
                " vote = excluded.vote, weight = excluded.weight, network = excluded.network,"
                " vouched = excluded.vouched, at_us = excluded.at_us",
                DB_ARGS(DB_TEXT(v->query), DB_TEXT(v->sticker_id), DB_INT(v->voter), DB_INT(v->vote), DB_INT(weight),
                        DB_INT(v->origin.network), DB_INT(v->origin.vouched), DB_INT(v->at_us)),
                NULL, err);
    return st == OK && (!was || was_us / STORE_HOUR_US != hour) ? count_hour(c, v->query, hour, 1, err) : st;
}

static enum status tell_of_burst(struct db_conn *c, const char *query, int64_t hour, int64_t votes, int64_t usual,
                                 struct error *err)
{
    struct buf data;
    char when[28];
    buf_init(&data, 8192);
    os_format_time(hour * STORE_HOUR_US, when);
    buf_puts(&data, "{\"query\":");
    json_put_string(&data, query);
    buf_printf(&data, ",\"hour\":\"%s\",\"votes\":%" PRId64 ",\"usual\":%" PRId64 "}", when, votes, usual);
    enum status st = buf_status(&data, err);
    if (st == OK)
        st = sticker_tell(c, WEBHOOK_VOTES_HELD, query, buf_str(&data), err);
    buf_free(&data);
    return st;
}

/* The ballots of an hour, of which a network counts some only: more of them weigh no more (learn_gain.c), so they need
 * not be held, and whoever sends them cannot have those of all others held. */
#define BURST                                                                                                          \
    "SELECT CAST(coalesce(sum(CASE WHEN vouched = 0 AND n > $4 THEN $4 ELSE n END), 0) AS bigint) FROM (SELECT"        \
    " vouched, count(*) AS n FROM ballots WHERE query = $1 AND at_us >= $2 AND at_us < $3 GROUP BY vouched, network) " \
    "b"

/* Holds the votes of a query in an hour with many more of them than usual. */
static enum status look_for_burst(struct db_conn *c, const struct learn_vote *v, struct error *err)
{
    int64_t hour = v->at_us / STORE_HOUR_US, usual = 0, cast = 0, votes = 0;
    enum status st = db_get_int(
        c,
        "SELECT CAST(coalesce(sum(votes), 0) / CASE WHEN count(*) > $4 THEN count(*) ELSE $4 END AS bigint)"
        " FROM vote_hours WHERE query = $1 AND hour >= $2 AND hour < $3 AND state IN (0, 2)",
        DB_ARGS(DB_TEXT(v->query), DB_INT(hour - LEARN_USUAL_HOURS), DB_INT(hour), DB_INT(LEARN_USUAL_LEAST)), &usual,
        NULL, err);
    usual = usual > LEARN_BURST_LEAST ? usual : LEARN_BURST_LEAST;
    if (st == OK)
        st = db_get_int(c, "SELECT votes FROM vote_hours WHERE query = $1 AND hour = $2 AND state = 0",
                        DB_ARGS(DB_TEXT(v->query), DB_INT(hour)), &cast, NULL, err);
    if (st != OK || cast <= LEARN_BURST_TIMES * usual)
        return st;
    st = db_get_int(c, BURST,
                    DB_ARGS(DB_TEXT(v->query), DB_INT(hour * STORE_HOUR_US), DB_INT((hour + 1) * STORE_HOUR_US),
                            DB_INT(LEARN_BURST_SHARED)),
                    &votes, NULL, err);
    if (st != OK)
        return st;
    if (votes <= LEARN_BURST_TIMES * usual) /* nor may they be what is usual from now on */
        return db_run(c, "UPDATE vote_hours SET votes = $3 WHERE query = $1 AND hour = $2",
                      DB_ARGS(DB_TEXT(v->query), DB_INT(hour), DB_INT(votes)), NULL, err);
    st = db_run(c, "UPDATE vote_hours SET state = 1, usual = $3 WHERE query = $1 AND hour = $2 AND state = 0",
                DB_ARGS(DB_TEXT(v->query), DB_INT(hour), DB_INT(usual)), NULL, err);
    return st == OK ? tell_of_burst(c, v->query, hour, votes, usual, err) : st;
}

void learn_clicks_add(struct learn_clicks *sum, const struct learn_clicks *more, double half_life_us)
{
    int64_t last = more->at_us > sum->at_us ? more->at_us : sum->at_us;
    double left = exp2((double)(sum->at_us - last) / half_life_us);
    double more_left = exp2((double)(more->at_us - last) / half_life_us);
    sum->seen = left * sum->seen + more_left * more->seen;
    sum->clicked = left * sum->clicked + more_left * more->clicked;
    sum->networks |= more->networks;
    sum->at_us = last;
}

static enum status add_clicks(struct db_conn *c, const struct learn_batch *b, const struct learn_clicks *k,
                              struct error *err)
{
    struct db_rows r;
    struct learn_clicks sum = *k;
    db_query(&r, c, "SELECT seen, clicked, at_us, networks FROM clicks WHERE query = $1 AND sticker_id = $2",
             DB_ARGS(DB_TEXT(k->query), DB_TEXT(k->sticker_id)), err);
    while (db_next(&r)) {
        struct learn_clicks before = {.seen = (double)db_int(&r, 0) / LEARN_MILLION,
                                      .clicked = (double)db_int(&r, 1) / LEARN_MILLION,
                                      .at_us = db_int(&r, 2),
                                      .networks = db_int(&r, 3)};
        learn_clicks_add(&sum, &before, b->half_life_us);
    }
    enum status st = db_end(&r);
    return st != OK
               ? st
               : db_run(c,
                        "INSERT INTO clicks (query, sticker_id, seen, clicked, at_us, networks)"
                        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (query, sticker_id) DO UPDATE SET"
                        " seen = excluded.seen, clicked = excluded.clicked, at_us = excluded.at_us,"
                        " networks = excluded.networks",
                        DB_ARGS(DB_TEXT(k->query), DB_TEXT(k->sticker_id), DB_INT(llround(sum.seen * LEARN_MILLION)),
                                DB_INT(llround(sum.clicked * LEARN_MILLION)), DB_INT(sum.at_us), DB_INT(sum.networks)),
                        NULL, err);
}

static enum status add_ranks(struct db_conn *c, const struct learn_batch *b, struct error *err)
{
    enum status st = OK;
    for (int rank = 1; rank <= LEARN_RANKS && st == OK; rank++)
        if (b->ranks[rank].seen || b->ranks[rank].clicked)
            st = db_run(c,
                        "INSERT INTO click_ranks (rank, seen, clicked) VALUES ($1, $2, $3)"
                        " ON CONFLICT (rank) DO UPDATE SET seen = click_ranks.seen + excluded.seen,"
                        " clicked = click_ranks.clicked + excluded.clicked",
                        DB_ARGS(DB_INT(rank), DB_INT(b->ranks[rank].seen), DB_INT(b->ranks[rank].clicked)), NULL, err);
    return st;
}

static enum status add_job(struct db_conn *c, void *arg, struct error *err)
{
    struct add_job *job = arg;
    struct learn_batch *b = job->batch;
    int64_t moved = 0, forgotten = 0;
    const char *last = NULL;
    job->ups = job->downs = 0;
    memset(job->days, 0, job->n_days * sizeof *job->days);
    b->late = true;
    enum status st = sticker_learn_count(c, LEARN_FORGOTTEN, 0, err); /* nothing is erased until this ends */
    if (st == OK)
        st = db_get_int(c, "SELECT value FROM learning WHERE key = 'forgotten'", DB_NONE, &forgotten, NULL, err);
    if (st != OK || forgotten != b->forgotten)
        return st;
    st = db_run(c, "UPDATE learning SET value = $2 WHERE key = 'watermark' AND value = $1",
                DB_ARGS(DB_INT(b->after), DB_INT(b->upto)), &moved, err);
    b->late = !moved;
    if (st != OK || b->late)
        return st;
    for (size_t i = 0; i < b->n_votes && st == OK; i++)
        st = add_vote(c, job, &b->votes[i], err);
    for (size_t i = 0; i < b->n_votes && st == OK; i++) {
        const struct learn_vote *v = &b->votes[i], *next = v + 1;
        if (i + 1 < b->n_votes && strcmp(v->query, next->query) == 0 &&
            v->at_us / STORE_HOUR_US == next->at_us / STORE_HOUR_US)
            continue;
        st = look_for_burst(c, v, err);
        if (st == OK)
            st = sticker_learn_due(c, v->query, err);
    }
    for (size_t i = 0; i < b->n_clicks && st == OK; i++) {
        st = add_clicks(c, b, &b->clicks[i], err);
        if (st == OK && (!last || strcmp(last, b->clicks[i].query) != 0))
            st = sticker_learn_due(c, last = b->clicks[i].query, err);
    }
    if (st == OK)
        st = add_ranks(c, b, err);
    if (st == OK && b->n_votes)
        st = sticker_learn_due(c, "", err);
    if (st == OK)
        st = sticker_learn_count(c, LEARN_UPS, job->ups, err);
    return st == OK ? sticker_learn_count(c, LEARN_DOWNS, job->downs, err) : st;
}

enum status sticker_store_learn_add(struct sticker_store *s, struct learn_batch *batch, struct error *err)
{
    struct add_job job = {.batch = batch, .n_days = 2};
    while (job.n_days < 2 * batch->n_votes)
        job.n_days *= 2;
    if (!(job.days = calloc(job.n_days, sizeof *job.days)))
        return err_no_memory(err, "%zu votes", batch->n_votes);
    enum status st = db_write(s->db, DB_FAST, add_job, &job, err);
    free(job.days);
    return st;
}

/* --- reading --- */

static void read_rank(struct db_rows *r, struct arena *a, void *item)
{
    (void)a;
    int64_t *row = item;
    for (int i = 0; i < 3; i++)
        row[i] = db_int(r, i);
}

enum status sticker_store_learn_ranks(struct sticker_store *s, struct learn_rank ranks[LEARN_RANKS + 1],
                                      struct error *err)
{
    struct arena a;
    void *rows;
    size_t n = 0;
    memset(ranks, 0, (LEARN_RANKS + 1) * sizeof *ranks);
    arena_init(&a, 1u << 16);
    enum status st = db_read_list(s->db, "SELECT rank, seen, clicked FROM click_ranks", DB_NONE, read_rank,
                                  3 * sizeof(int64_t), &a, &rows, &n, err);
    for (size_t i = 0; i < n && st == OK; i++) {
        const int64_t *row = (const int64_t *)rows + 3 * i;
        if (row[0] >= 1 && row[0] <= LEARN_RANKS)
            ranks[row[0]] = (struct learn_rank){row[1], row[2]};
    }
    arena_free(&a);
    return st;
}

#define BALLOT_COLUMNS "b.sticker_id, b.voter, b.network, b.at_us, b.vote, b.vouched, b.weight"
#define NOT_HELD                                                                                                       \
    " NOT EXISTS (SELECT 1 FROM vote_hours h WHERE h.query = b.query AND h.hour = b.at_us / 3600000000"                \
    " AND h.state IN (1, 3))"
_Static_assert(STORE_HOUR_US == 3600000000 && BURST_HELD == 1 && BURST_DROPPED == 3, "as NOT_HELD has them");

static void read_ballot(struct db_rows *r, struct arena *a, void *item)
{
    *(struct learn_ballot *)item = (struct learn_ballot){.sticker_id = db_text(r, 0, a),
                                                         .voter = db_int(r, 1),
                                                         .network = db_int(r, 2),
                                                         .at_us = db_int(r, 3),
                                                         .vote = (int)db_int(r, 4),
                                                         .vouched = db_int(r, 5) != 0,
                                                         .weight = (double)db_int(r, 6) / LEARN_MILLION};
}

enum status sticker_store_learn_ballots(struct sticker_store *s, const char *query, struct arena *a,
                                        struct learn_ballot **out, size_t *n, struct error *err)
{
    void *rows;
    enum status st =
        db_read_list(s->db,
                     "SELECT * FROM (SELECT " BALLOT_COLUMNS ", row_number() OVER (PARTITION BY b.vouched, b.network,"
                     " b.sticker_id ORDER BY b.at_us DESC) AS place FROM ballots b WHERE b.query = $1 AND" NOT_HELD
                     " ORDER BY vouched DESC, place, at_us DESC LIMIT $2) kept ORDER BY sticker_id",
                     DB_ARGS(DB_TEXT(query), DB_INT(LEARN_BALLOTS)), read_ballot, sizeof **out, a, &rows, n, err);
    *out = rows;
    return st;
}

static void read_clicks(struct db_rows *r, struct arena *a, void *item)
{
    *(struct learn_clicks *)item = (struct learn_clicks){.sticker_id = db_text(r, 0, a),
                                                         .seen = (double)db_int(r, 1) / LEARN_MILLION,
                                                         .clicked = (double)db_int(r, 2) / LEARN_MILLION,
                                                         .at_us = db_int(r, 3),
                                                         .networks = db_int(r, 4)};
}

enum status sticker_store_learn_clicks(struct sticker_store *s, const char *query, struct arena *a,
                                       struct learn_clicks **out, size_t *n, struct error *err)
{
    void *rows;
    enum status st =
        db_read_list(s->db,
                     "SELECT * FROM (SELECT sticker_id, seen, clicked, at_us, networks FROM clicks"
                     " WHERE query = $1 ORDER BY seen DESC LIMIT $2) most ORDER BY sticker_id",
                     DB_ARGS(DB_TEXT(query), DB_INT(2 * LEARN_STICKERS)), read_clicks, sizeof **out, a, &rows, n, err);
    *out = rows;
    return st;
}

enum status sticker_store_learn_all_ballots(struct sticker_store *s, sticker_learn_tell *tell, void *ctx,
                                            struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    struct arena a;
    struct learn_ballot ballot;
    enum status st = OK;
    arena_init(&a, 1u << 16);
    db_query(&r, c, "SELECT " BALLOT_COLUMNS " FROM ballots b WHERE" NOT_HELD " ORDER BY b.sticker_id, b.voter",
             DB_NONE, err);
    while (st == OK && db_next(&r)) {
        arena_reset(&a);
        read_ballot(&r, &a, &ballot);
        st = tell(ctx, &ballot, err);
    }
    enum status ended = db_end(&r);
    db_reader_done(s->db, c);
    arena_free(&a);
    return st == OK ? ended : st;
}

enum status sticker_store_learn_names(struct sticker_store *s, const char *const *ids, size_t n, struct arena *a,
                                      const char **out, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        struct db_rows r;
        out[i] = NULL;
        db_query(&r, c, "SELECT filename FROM stickers WHERE id = $1", DB_ARGS(DB_TEXT(ids[i])), err);
        while (db_next(&r))
            out[i] = db_text(&r, 0, a);
        st = db_end(&r);
    }
    db_reader_done(s->db, c);
    return st;
}
