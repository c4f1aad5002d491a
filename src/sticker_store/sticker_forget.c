/* sticker_forget.c: `peel forget`: a search, a voter or a user is erased. Entries of the history stay, and its chain
 * with them: see sticker_history.c. */
#include "sticker_store/sticker_internal.h"
#include "sticker_store/sticker_privacy.h"

#include "base/json_out.h"
#include "base/os.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct forget_job {
    const struct admin_who *who;
    const char *what, *pin;    /* a query or a username; the query folded, as pins and lessons have it */
    const char *const *voters; /* [n_voters] their hashes */
    size_t n_voters;
    bool dry, counted;
    struct forgotten n;
    char pseudonym[sizeof HISTORY_ERASED_USER + 16];
};

/* The end of each: the entry of the history; or a failure that undoes all, of which `counted` says that it is none. */
static enum status finish(struct db_conn *c, struct forget_job *job, const char *list, const char *object,
                          struct error *err)
{
    char after[256];
    job->counted = true;
    if (job->dry)
        return err_set(err, ERR_CANCELLED, "nothing was erased");
    snprintf(after, sizeof after,
             "{\"searches\":%" PRId64 ",\"scores\":%" PRId64 ",\"votes\":%" PRId64 ",\"pins\":%" PRId64
             ",\"events\":%" PRId64 ",\"history\":%" PRId64 "}",
             job->n.searches, job->n.scores, job->n.votes, job->n.pins, job->n.events, job->n.history);
    return sticker_note_change(
        c, job->who,
        &(struct admin_change){.op = CHANGE_FORGET, .list = list, .object = object, .before = "", .after = after}, err);
}

static enum status begin(struct db_conn *c, struct forget_job *job, struct error *err)
{
    job->counted = false;
    job->n = (struct forgotten){0};
    enum status st = sticker_history_begin(c, err);
    /* Before anything is erased: a pass that has read it already must not add it afterwards. */
    return st == OK ? sticker_learn_count(c, LEARN_FORGOTTEN, 1, err) : st;
}

/* The rows that a statement with the value $1 changed are added to *n. */
static enum status sum(struct db_conn *c, const char *sql, const char *value, int64_t *n, struct error *err)
{
    int64_t changed = 0;
    enum status st = db_run(c, sql, DB_ARGS(DB_TEXT(value)), &changed, err);
    *n += changed;
    return st;
}

#define ERASE_CONTENT                                                                                                  \
    "UPDATE history SET object = '" HISTORY_ERASED "', before = '', after = '', " HISTORY_UNSALTED("content_proof")

/* --- a search --- */

/* Of searches, scores and pins an entry has {"query":"..."}; of exports, the search or filter that was set; of held
 * votes, the search is the object. */
#define HAS_TEXT(position)                                                                                             \
    ERASE_CONTENT " WHERE object <> '" HISTORY_ERASED "' AND (model IN ('queries', 'scores', 'pins')"                  \
                  " OR (model = 'learning' AND " position "(before, '{\"state\":') > 0))"                              \
                  " AND (object = $1 OR " position "(before, $2) > 0 OR " position "(after, $2) > 0"                   \
                  " OR (action = 'export' AND " position "(after, $3) > 0))"

static enum status erase_text(struct db_conn *c, struct forget_job *job, const char *text, struct error *err)
{
    struct buf member, quoted;
    int64_t changed = 0;
    buf_init(&member, 16u << 10);
    buf_init(&quoted, 16u << 10);
    json_put_string(&quoted, text);
    buf_printf(&member, "\"query\":%s", buf_str(&quoted));
    enum status st = buf_status(&member, err);
    if (st == OK)
        st = buf_status(&quoted, err);
    if (st == OK)
        st = db_run(c, db_sql(c, HAS_TEXT("instr"), HAS_TEXT("strpos")),
                    DB_ARGS(DB_TEXT(text), DB_TEXT(buf_str(&member)), DB_TEXT(buf_str(&quoted))), &changed, err);
    job->n.history += changed;
    buf_free(&member);
    buf_free(&quoted);
    return st;
}

#define OF_QUERY " query_id IN (SELECT id FROM queries WHERE query = $1)"

static enum status erase_query(struct db_conn *c, struct forget_job *job, const char *text, struct error *err)
{
    struct db_rows r;
    char id[37] = "";
    enum status st = sum(c, "DELETE FROM votes WHERE" OF_QUERY, text, &job->n.votes, err);
    if (st == OK)
        st = sum(c, "DELETE FROM trash_votes WHERE" OF_QUERY, text, &job->n.votes, err);
    if (st == OK)
        st = sum(c, "DELETE FROM scores WHERE" OF_QUERY, text, &job->n.scores, err);
    if (st == OK)
        st = sum(c, "DELETE FROM trash_scores WHERE" OF_QUERY, text, &job->n.scores, err);
    if (st != OK)
        return st;
    st = sum(
        c,
        "DELETE FROM events WHERE EXISTS (SELECT 1 FROM searches q WHERE q.day = events.day AND q.id = events.search"
        " AND q.query = $1)",
        text, &job->n.events, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM searches WHERE query = $1", DB_ARGS(DB_TEXT(text)), NULL, err);
    if (st != OK)
        return st;
    db_query(&r, c, "SELECT id FROM queries WHERE query = $1", DB_ARGS(DB_TEXT(text)), err);
    while (db_next(&r)) {
        size_t len;
        const char *bytes = db_bytes(&r, 0, &len);
        snprintf(id, sizeof id, "%.*s", (int)(len < 36 ? len : 36), bytes ? bytes : "");
    }
    st = db_end(&r);
    if (st == OK && *id)
        st = sticker_query_words_move(c, id, NULL, err);
    if (st == OK && *id)
        st = sum(c, "DELETE FROM queries WHERE id = $1", id, &job->n.searches, err);
    return st == OK ? erase_text(c, job, text, err) : st;
}

/* Makes a lesson say nothing, of which SearchService is told even while learning is frozen. */
static enum status unteach(struct db_conn *c, const char *key, struct error *err)
{
    enum status st = sticker_learn_count(c, LEARN_VERSION, 1, err);
    return st == OK ? db_run(c,
                             "UPDATE lessons SET gains = '', terms = '', due = 0,"
                             " version = (SELECT value FROM learning WHERE key = 'version') WHERE query = $1",
                             DB_ARGS(DB_TEXT(key)), NULL, err)
                    : st;
}

/* What was learnt of a search, from others too that have the same key, and of searches of the same words, which is made
 * anew; SearchService is told within seconds. */
static enum status unlearn_query(struct db_conn *c, const char *key, struct error *err)
{
    static const char *const sql[] = {"DELETE FROM clicks WHERE query = $1", "DELETE FROM vote_hours WHERE query = $1",
                                      "DELETE FROM webhook_deliveries WHERE event = 'votes.held' AND object = $1"};
    static const char *const drop[] = LEARN_DROP("query = $1");
    struct arena a;
    struct db_rows r;
    const char *terms = "";
    enum status st = sticker_learn_drop(c, drop, DB_ARGS(DB_TEXT(key)), err);
    for (size_t i = 0; i < sizeof sql / sizeof *sql && st == OK; i++)
        st = db_run(c, sql[i], DB_ARGS(DB_TEXT(key)), NULL, err);
    if (st != OK)
        return st;
    arena_init(&a, 1u << 16);
    db_query(&r, c, "SELECT terms FROM lessons WHERE query = $1", DB_ARGS(DB_TEXT(key)), err);
    while (db_next(&r))
        terms = db_text(&r, 0, &a);
    st = db_end(&r);
    if (st == OK)
        st = unteach(c, key, err);
    if (st == OK && *terms)
        st = unteach(c, terms, err);
    if (st == OK && *terms)
        st = db_run(
            c, "UPDATE lessons SET due = $2 WHERE query = $1 AND EXISTS (SELECT 1 FROM lessons o WHERE o.terms = $1)",
            DB_ARGS(DB_TEXT(terms), DB_INT(os_now_us())), NULL, err);
    arena_free(&a);
    return st == OK ? sticker_learn_due(c, "", err) : st;
}

static enum status search_job(struct db_conn *c, void *arg, struct error *err)
{
    struct forget_job *job = arg;
    enum status st = begin(c, job, err);
    if (st == OK)
        st = sticker_notes_settle(c, err);
    if (st == OK)
        st = erase_query(c, job, job->what, err);
    if (st == OK && strcmp(job->what, job->pin) != 0)
        st = erase_query(c, job, job->pin, err);
    if (st == OK)
        st = unlearn_query(c, job->pin, err);
    if (st == OK)
        st = sum(c, "DELETE FROM pins WHERE query = $1", job->pin, &job->n.pins, err);
    if (st == OK && !db_is_postgres(c)) /* what was deleted from an index of FTS5 stays in it until parts are merged */
        st = db_run(c, "INSERT INTO queries_fts (queries_fts) VALUES ('optimize')", DB_NONE, NULL, err);
    return st == OK ? finish(c, job, "queries", "search", err) : st;
}

/* --- a voter --- */

#define UNCOUNT(scores, votes, same, kind, positive)                                                                   \
    "UPDATE " scores " SET " kind " = " kind " - 1 WHERE " kind " > 0 AND EXISTS (SELECT 1 FROM " votes                \
    " v WHERE v.voter = $1 AND v.query_id = " scores ".query_id AND v." same " = " scores "." same                     \
    " AND v.positive " positive " 0)"

/* Who used a sticker lately, of those that the voter used. */
#define UNCROWD   "UPDATE sticker_trends SET crowd = "
#define OF_EVENTS " WHERE sticker_id IN (SELECT sticker_id FROM events WHERE client = $1)"

#define OF_SEARCH " e.day = searches.day AND e.search = searches.id"

static enum status unlearn_voter(struct db_conn *c, int64_t voter, struct error *err)
{
    static const char *const drop[] = LEARN_DROP("voter = $1");
    enum status st = db_run(c,
                            "UPDATE lessons SET due = due + $2 WHERE query = '' OR query IN"
                            " (SELECT query FROM ballots WHERE voter = $1)",
                            DB_ARGS(DB_INT(voter), DB_INT(os_now_us())), NULL, err);
    return st == OK ? sticker_learn_drop(c, drop, DB_ARGS(DB_INT(voter)), err) : st;
}

static enum status erase_voter(struct db_conn *c, struct forget_job *job, const char *voter, struct error *err)
{
    static const char *const uncount[] = {UNCOUNT("scores", "votes", "sticker_id", "positives", "<>"),
                                          UNCOUNT("scores", "votes", "sticker_id", "negatives", "="),
                                          UNCOUNT("trash_scores", "trash_votes", "trash", "positives", "<>"),
                                          UNCOUNT("trash_scores", "trash_votes", "trash", "negatives", "=")};
    enum status st = OK;
    for (size_t i = 0; i < sizeof uncount / sizeof *uncount && st == OK; i++)
        st = sum(c, uncount[i], voter, &job->n.scores, err);
    if (st == OK)
        st = sum(c, "DELETE FROM votes WHERE voter = $1", voter, &job->n.votes, err);
    if (st == OK)
        st = sum(c, "DELETE FROM trash_votes WHERE voter = $1", voter, &job->n.votes, err);
    if (st == OK) /* searches of which there are no other events */
        st = db_run(c,
                    "DELETE FROM searches WHERE EXISTS (SELECT 1 FROM events e WHERE" OF_SEARCH " AND e.client = $1)"
                    " AND NOT EXISTS (SELECT 1 FROM events e WHERE" OF_SEARCH " AND e.client <> $1)",
                    DB_ARGS(DB_TEXT(voter)), NULL, err);
    if (st == OK)
        st = db_run(c, db_sql(c, UNCROWD "x''" OF_EVENTS, UNCROWD "''" OF_EVENTS), DB_ARGS(DB_TEXT(voter)), NULL, err);
    if (st == OK)
        st = sum(c, "DELETE FROM events WHERE client = $1", voter, &job->n.events, err);
    return st == OK ? unlearn_voter(c, sticker_learn_voter(voter, &(struct origin){0}), err) : st;
}

static enum status voter_job(struct db_conn *c, void *arg, struct error *err)
{
    struct forget_job *job = arg;
    enum status st = begin(c, job, err);
    for (size_t i = 0; i < job->n_voters && st == OK; i++)
        st = erase_voter(c, job, job->voters[i], err);
    return st == OK ? finish(c, job, "scores", "voter", err) : st;
}

/* --- a user --- */

/* What was done to the account, its tokens and its sessions. */
#define OF_USER(position)                                                                                              \
    ERASE_CONTENT " WHERE model IN ('users', 'tokens', 'sessions') AND object <> '" HISTORY_ERASED "'"                 \
                  " AND ((model IN ('users', 'sessions') AND object = $1) OR " position "(before, $2) > 0"             \
                  " OR " position "(after, $2) > 0)"

static enum status erase_account(struct db_conn *c, struct forget_job *job, struct error *err)
{
    struct buf member;
    int64_t changed = 0;
    buf_init(&member, 16u << 10);
    buf_puts(&member, "\"username\":");
    json_put_string(&member, job->what);
    enum status st = buf_status(&member, err);
    if (st == OK)
        st = db_run(c, db_sql(c, OF_USER("instr"), OF_USER("strpos")),
                    DB_ARGS(DB_TEXT(job->what), DB_TEXT(buf_str(&member))), &changed, err);
    job->n.history += changed;
    buf_free(&member);
    return st;
}

static enum status user_job(struct db_conn *c, void *arg, struct error *err)
{
    struct forget_job *job = arg;
    int64_t changed = 0;
    enum status st = begin(c, job, err);
    if (st == OK)
        st = db_run(c,
                    "UPDATE history SET username = $2, " HISTORY_UNSALTED(
                        "username_proof") ", address = '', " HISTORY_UNSALTED("address_proof") " WHERE username = $1",
                    DB_ARGS(DB_TEXT(job->what), DB_TEXT(job->pseudonym)), &changed, err);
    job->n.history += changed;
    if (st == OK)
        st = erase_account(c, job, err);
    if (st == OK)
        st = db_run(c, "UPDATE trash SET deleted_by = $2 WHERE deleted_by = $1",
                    DB_ARGS(DB_TEXT(job->what), DB_TEXT(job->pseudonym)), NULL, err);
    if (st == OK)
        st = db_run(c, "UPDATE imports SET username = $2 WHERE username = $1",
                    DB_ARGS(DB_TEXT(job->what), DB_TEXT(job->pseudonym)), NULL, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM logins WHERE key IN ('account ' || $1, 'code account ' || $1)",
                    DB_ARGS(DB_TEXT(job->what)), NULL, err);
    return st == OK ? finish(c, job, "users", job->pseudonym, err) : st;
}

/* --- all of them --- */

static enum status forget(struct sticker_store *s, db_job *run, struct forget_job *job, struct forgotten *out,
                          struct error *err)
{
    unsigned char random[8];
    os_random(random, sizeof random);
    snprintf(job->pseudonym, sizeof job->pseudonym, HISTORY_ERASED_USER);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(job->pseudonym + sizeof HISTORY_ERASED_USER - 1 + 2 * i, 3, "%02x", random[i]);
    enum status st = db_write(s->db, DB_DURABLE, run, job, err);
    *out = job->n;
    return st == ERR_CANCELLED && job->dry && job->counted ? OK : st;
}

enum status sticker_store_forget_search(struct sticker_store *s, const struct admin_who *who, const char *query,
                                        const char *pin, bool dry, struct forgotten *out, struct error *err)
{
    struct forget_job job = {.who = who, .what = query, .pin = pin, .dry = dry};
    return forget(s, search_job, &job, out, err);
}

enum status sticker_store_forget_voter(struct sticker_store *s, const struct admin_who *who, const char *const *voters,
                                       size_t n, bool dry, struct forgotten *out, struct error *err)
{
    struct forget_job job = {.who = who, .voters = voters, .n_voters = n, .dry = dry};
    return forget(s, voter_job, &job, out, err);
}

enum status sticker_store_forget_user(struct sticker_store *s, const struct admin_who *who, const char *username,
                                      bool dry, struct forgotten *out, struct error *err)
{
    struct forget_job job = {.who = who, .what = username, .dry = dry};
    return forget(s, user_job, &job, out, err);
}
