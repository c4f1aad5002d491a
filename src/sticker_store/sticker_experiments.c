/* sticker_experiments.c: experiments, and the sums of the log (sticker_events.c) by which they are decided. */
#include "sticker_store/sticker_experiments.h"

#include "base/json_out.h"
#include "base/os.h"
#include "sticker_store/sticker_internal.h"

#include <inttypes.h>
#include <string.h>

const char *const experiment_kinds[EXPERIMENT_KINDS] = {
    [EXPERIMENT_INTERLEAVE] = "interleave",
    [EXPERIMENT_AB] = "ab",
};

#define COLUMNS                                                                                                        \
    "id, name, kind, ranking_a, ranking_b, share, started_us, stopped_us, searches, people_a, people_b, won_a, won_b," \
    " tied"

/* --- counting --- */

/* Each sticker that somebody used, once a search, by enum event_action. */
#define USED(person)                                                                                                   \
    " FROM (SELECT DISTINCT " person " AS person, day, search, sticker_id, team FROM events WHERE experiment = $1"     \
    " AND team > 0 AND action IN (1, 2, 3, 5)) used GROUP BY person"
_Static_assert(EVENT_CLICK == 1 && EVENT_COPY == 2 && EVENT_SHARE == 3 && EVENT_VOTE_UP == 5, "the actions in USED");

#define PREFERRED(person)                                                                                              \
    "SELECT count(CASE WHEN a > b THEN 1 END), count(CASE WHEN b > a THEN 1 END), count(CASE WHEN a = b THEN 1 END)"   \
    " FROM (SELECT count(CASE team WHEN 1 THEN 1 END) AS a, count(CASE team WHEN 2 THEN 1 END) AS b" USED(             \
        person) ") p"
#define SUCCEEDED(person)                                                                                              \
    "SELECT count(CASE arm WHEN 1 THEN used END), count(CASE arm WHEN 2 THEN used END),"                               \
    " count(CASE arm WHEN 1 THEN 1 END), count(CASE arm WHEN 2 THEN 1 END)"                                            \
    " FROM (SELECT max(team) AS arm, max(CASE WHEN action IN (1, 2, 3, 5) THEN 1 END) AS used"                         \
    " FROM events WHERE experiment = $1 AND team > 0 GROUP BY " person ") p"
#define ON_SQLITE   "CASE client WHEN '' THEN hex(search) ELSE client END"
#define ON_POSTGRES "CASE client WHEN '' THEN encode(search, 'hex') ELSE client END"
_Static_assert(TEAM_A == 1 && TEAM_B == 2, "the teams in the statements");

static enum status count_events(struct db_conn *c, struct experiment *e, struct error *err)
{
    struct db_rows r;
    struct experiment_counts *n = &e->counts;
    bool ab = e->kind == EXPERIMENT_AB;
    *n = (struct experiment_counts){0};
    db_query(&r, c,
             ab ? db_sql(c, SUCCEEDED(ON_SQLITE), SUCCEEDED(ON_POSTGRES))
                : db_sql(c, PREFERRED(ON_SQLITE), PREFERRED(ON_POSTGRES)),
             DB_ARGS(DB_INT(e->id)), err);
    if (db_next(&r)) {
        n->won[0] = db_int(&r, 0);
        n->won[1] = db_int(&r, 1);
        n->people[0] = ab ? db_int(&r, 2) : 0;
        n->people[1] = ab ? db_int(&r, 3) : 0;
        n->tied = ab ? 0 : db_int(&r, 2);
    }
    enum status st = db_end(&r);
    return st == OK ? db_get_int(c, "SELECT count(DISTINCT search) FROM events WHERE experiment = $1",
                                 DB_ARGS(DB_INT(e->id)), &n->searches, NULL, err)
                    : st;
}

/* --- reading --- */

static void read_experiment(struct db_rows *r, struct arena *a, void *item)
{
    *(struct experiment *)item = (struct experiment){
        .id = db_int(r, 0),
        .name = db_text(r, 1, a),
        .kind = db_int(r, 2) == EXPERIMENT_AB ? EXPERIMENT_AB : EXPERIMENT_INTERLEAVE,
        .rankings = {db_text(r, 3, a), db_text(r, 4, a)},
        .share = db_int(r, 5),
        .started_us = db_int(r, 6),
        .stopped_us = db_int(r, 7),
        .counts = {.searches = db_int(r, 8),
                   .people = {db_int(r, 9), db_int(r, 10)},
                   .won = {db_int(r, 11), db_int(r, 12)},
                   .tied = db_int(r, 13)},
    };
}

enum status sticker_store_experiment_running(struct sticker_store *s, struct arena *a, struct experiment *out,
                                             bool *found, struct error *err)
{
    void *list;
    size_t n;
    enum status st = db_read_list(s->db, "SELECT " COLUMNS " FROM experiments WHERE stopped_us = 0", DB_NONE,
                                  read_experiment, sizeof *out, a, &list, &n, err);
    *found = st == OK && n;
    if (*found)
        *out = *(struct experiment *)list;
    return st;
}

enum status sticker_store_experiments(struct sticker_store *s, const char *name, size_t limit, struct arena *a,
                                      struct experiment **out, size_t *n, struct error *err)
{
    void *list;
    enum status st = db_read_list(
        s->db, "SELECT " COLUMNS " FROM experiments WHERE $1 = '' OR name = $1 ORDER BY id DESC LIMIT $2",
        DB_ARGS(DB_TEXT(name ? name : ""), DB_INT(db_limit(limit))), read_experiment, sizeof **out, a, &list, n, err);
    *out = list;
    struct db_conn *c = db_reader(s->db);
    for (size_t i = 0; i < *n && st == OK; i++)
        if (!(*out)[i].stopped_us)
            st = count_events(c, &(*out)[i], err);
    db_reader_done(s->db, c);
    return st;
}

/* --- changing --- */

struct experiment_job {
    const struct admin_who *who;
    const struct experiment *started;
    const char *name; /* to be stopped; NULL: any */
};

static enum status note(struct db_conn *c, const struct admin_who *who, enum change_op op, const struct experiment *e,
                        struct error *err)
{
    struct buf after;
    buf_init(&after, 8192);
    buf_puts(&after, "{\"a\":");
    json_put_string(&after, e->rankings[0]);
    buf_puts(&after, ",\"b\":");
    json_put_string(&after, e->rankings[1]);
    buf_printf(&after, ",\"kind\":\"%s\",\"share\":%" PRId64, experiment_kinds[e->kind], e->share);
    if (op != CHANGE_ADD)
        buf_printf(&after, ",\"won_a\":%" PRId64 ",\"won_b\":%" PRId64, e->counts.won[0], e->counts.won[1]);
    buf_putc(&after, '}');
    enum status st = buf_status(&after, err);
    if (st == OK)
        st = sticker_note(c, who, op, "experiments", e->name, buf_str(&after), err);
    buf_free(&after);
    return st;
}

static enum status start_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct experiment_job *job = arg;
    const struct experiment *e = job->started;
    int64_t there, id;
    enum status st = sticker_history_begin(c, err); /* one after the other */
    if (st == OK)
        st = db_get_int(c, "SELECT count(*) FROM experiments WHERE stopped_us = 0", DB_NONE, &there, NULL, err);
    if (st == OK && there)
        return err_set(err, ERR_CONFLICT, "another experiment is running: stop it first");
    if (st == OK)
        st = db_get_int(c, "SELECT count(*) FROM experiments WHERE name = $1", DB_ARGS(DB_TEXT(e->name)), &there, NULL,
                        err);
    if (st == OK && there)
        return err_set(err, ERR_CONFLICT, "there was an experiment \"%s\" already: choose another name", e->name);
    if (st == OK)
        st = db_get_int(c, "SELECT coalesce(max(id), 0) + 1 FROM experiments", DB_NONE, &id, NULL, err);
    if (st == OK)
        st = db_run(c,
                    "INSERT INTO experiments (id, name, kind, ranking_a, ranking_b, share, started_us)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    DB_ARGS(DB_INT(id), DB_TEXT(e->name), DB_INT(e->kind), DB_TEXT(e->rankings[0]),
                            DB_TEXT(e->rankings[1]), DB_INT(e->share), DB_INT(os_now_us())),
                    NULL, err);
    return st == OK ? note(c, job->who, CHANGE_ADD, e, err) : st;
}

enum status sticker_store_experiment_start(struct sticker_store *s, const struct admin_who *who,
                                           const struct experiment *e, struct error *err)
{
    struct experiment_job job = {.who = who, .started = e};
    return db_write(s->db, DB_DURABLE, start_job, &job, err);
}

static enum status stop_in(struct db_conn *c, const struct experiment_job *job, struct arena *a, struct error *err)
{
    struct db_rows r;
    struct experiment e;
    enum status st = sticker_history_begin(c, err);
    if (st != OK)
        return st;
    db_query(&r, c, "SELECT " COLUMNS " FROM experiments WHERE stopped_us = 0 AND ($1 = '' OR name = $1)",
             DB_ARGS(DB_TEXT(job->name ? job->name : "")), err);
    bool found = db_next(&r);
    if (found)
        read_experiment(&r, a, &e);
    st = db_end(&r);
    if (st == OK && !found)
        return job->name ? err_set(err, ERR_NOT_FOUND, "the experiment \"%s\" is not running", job->name)
                         : err_set(err, ERR_NOT_FOUND, "no experiment is running");
    if (st == OK)
        st = count_events(c, &e, err);
    const struct experiment_counts *n = &e.counts;
    if (st == OK)
        st = db_run(c,
                    "UPDATE experiments SET stopped_us = $2, searches = $3, people_a = $4, people_b = $5, won_a = $6,"
                    " won_b = $7, tied = $8 WHERE id = $1",
                    DB_ARGS(DB_INT(e.id), DB_INT(os_now_us()), DB_INT(n->searches), DB_INT(n->people[0]),
                            DB_INT(n->people[1]), DB_INT(n->won[0]), DB_INT(n->won[1]), DB_INT(n->tied)),
                    NULL, err);
    return st == OK ? note(c, job->who, CHANGE_UPDATE, &e, err) : st;
}

static enum status stop_job(struct db_conn *c, void *arg, struct error *err)
{
    struct arena a;
    arena_init(&a, 64u << 10);
    enum status st = stop_in(c, arg, &a, err);
    arena_free(&a);
    return st;
}

enum status sticker_store_experiment_stop(struct sticker_store *s, const struct admin_who *who, const char *name,
                                          struct error *err)
{
    struct experiment_job job = {.who = who, .name = name};
    return db_write(s->db, DB_DURABLE, stop_job, &job, err);
}

/* --- new stickers --- */

static void read_id(struct db_rows *r, struct arena *a, void *item)
{
    *(const char **)item = db_text(r, 0, a);
}

enum status sticker_store_newest(struct sticker_store *s, int64_t since_us, size_t limit, struct arena *a,
                                 const char ***ids, size_t *n, int64_t *all, struct error *err)
{
    void *list = NULL;
    int64_t queries, pending;
    enum status st =
        db_read_list(s->db, "SELECT id FROM stickers WHERE created_us >= $1 ORDER BY created_us DESC LIMIT $2",
                     DB_ARGS(DB_INT(since_us), DB_INT(db_limit(limit))), read_id, sizeof **ids, a, &list, n, err);
    *ids = list;
    return st == OK ? sticker_store_count(s, all, &queries, &pending, err) : st;
}

static void read_act(struct db_rows *r, struct arena *a, void *item)
{
    *(struct sticker_act *)item = (struct sticker_act){db_int(r, 0), (enum event_action)db_int(r, 1), db_text(r, 2, a)};
}

enum status sticker_store_acts(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                               struct sticker_act **out, size_t *n, struct error *err)
{
    void *list;
    enum status st =
        db_read_list(s->db, "SELECT rowno, action, sticker_id FROM events WHERE rowno > $1 ORDER BY rowno LIMIT $2",
                     DB_ARGS(DB_INT(after), DB_INT(db_limit(limit))), read_act, sizeof **out, a, &list, n, err);
    *out = list;
    return st;
}
