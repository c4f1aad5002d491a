/* sticker_admin_session.c: who is logged in, and who tried to. */
#include "sticker_store/sticker_internal.h"

#include "base/os.h"

#define SEEN_NOTED_US (60 * 1000000ll) /* seen_us is exact to this: a page seldom causes a write */

/* --- sessions --- */

struct session_job {
    const char *user_id, *hash_hex, *address, *browser;
};

static enum status session_add_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct session_job *job = arg;
    return db_run(c,
                  "INSERT INTO sessions (hash_hex, user_id, address, browser, seen_us, created_us, modified_us)"
                  " VALUES ($1, $2, $3, $4, $5, $5, $5)",
                  DB_ARGS(DB_TEXT(job->hash_hex), DB_TEXT(job->user_id), DB_TEXT(job->address), DB_TEXT(job->browser),
                          DB_INT(os_now_us())),
                  NULL, err);
}

enum status sticker_store_session_add(struct sticker_store *s, const char *user_id, const char *hash_hex,
                                      const char *address, const char *browser, struct error *err)
{
    return db_write(s->db, DB_FAST, session_add_job, &(struct session_job){user_id, hash_hex, address, browser}, err);
}

static enum status session_seen_job(struct db_conn *c, void *arg, struct error *err)
{
    return db_run(c, "UPDATE sessions SET seen_us = $2, modified_us = $2 WHERE hash_hex = $1",
                  DB_ARGS(DB_TEXT(arg), DB_INT(os_now_us())), NULL, err);
}

#define SESSION(joined)                                                                                                \
    "SELECT u.id, u.username, u.password_hash, u.is_staff, u.is_superuser, u.created_us, u.modified_us,"               \
    " s.created_us, s.seen_us, u.totp, (SELECT " joined "(g.permissions, ' ') FROM user_groups m"                      \
    " JOIN groups g ON g.id = m.group_id WHERE m.user_id = u.id)"                                                      \
    " FROM sessions s JOIN users u ON u.id = s.user_id"                                                                \
    " WHERE s.hash_hex = $1 AND s.seen_us > $2 AND s.created_us > $3 AND u.is_active <> 0"

enum status sticker_store_session_get(struct sticker_store *s, const char *hash_hex, int64_t idle_us, int64_t most_us,
                                      struct arena *a, struct session *out, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    int64_t now = os_now_us();
    *out = (struct session){0};
    db_query(&r, c, db_sql(c, SESSION("group_concat"), SESSION("string_agg")),
             DB_ARGS(DB_TEXT(hash_hex), DB_INT(now - idle_us), DB_INT(now - most_us)), err);
    while (db_next(&r))
        *out = (struct session){.user = {.id = db_text(&r, 0, a),
                                         .username = db_text(&r, 1, a),
                                         .password_hash = db_text(&r, 2, a),
                                         .is_staff = db_int(&r, 3) != 0,
                                         .is_superuser = db_int(&r, 4) != 0,
                                         .is_active = true,
                                         .created_us = db_int(&r, 5),
                                         .modified_us = db_int(&r, 6),
                                         .totp = db_text(&r, 9, a)},
                                .created_us = db_int(&r, 7),
                                .seen_us = db_int(&r, 8),
                                .permissions = db_text(&r, 10, a)};
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    if (st == OK && !out->user.username)
        return err_set(err, ERR_NOT_FOUND, "no such session, or not any more");
    /* When the note cannot be written the session is no less valid. A short idle time is noted more often. */
    if (st == OK && now - out->seen_us > (idle_us / 4 < SEEN_NOTED_US ? idle_us / 4 : SEEN_NOTED_US))
        (void)!db_write(s->db, DB_FAST, session_seen_job, (void *)(uintptr_t)hash_hex, NULL);
    return st;
}

static enum status session_end_job(struct db_conn *c, void *arg, struct error *err)
{
    return db_run(c, "DELETE FROM sessions WHERE hash_hex = $1", DB_ARGS(DB_TEXT(arg)), NULL, err);
}

enum status sticker_store_session_end(struct sticker_store *s, const char *hash_hex, struct error *err)
{
    return db_write(s->db, DB_DURABLE, session_end_job, (void *)(uintptr_t)hash_hex, err);
}

struct end_job {
    const char *user_id, *hash_hex;
    bool others;
    int64_t ended;
};

static enum status end_own_job(struct db_conn *c, void *arg, struct error *err)
{
    struct end_job *job = arg;
    return db_run(c,
                  job->others ? "DELETE FROM sessions WHERE user_id = $1 AND hash_hex <> $2"
                              : "DELETE FROM sessions WHERE user_id = $1 AND hash_hex = $2",
                  DB_ARGS(DB_TEXT(job->user_id), DB_TEXT(job->hash_hex)), &job->ended, err);
}

enum status sticker_store_session_end_own(struct sticker_store *s, const char *user_id, const char *hash_hex,
                                          bool others, int64_t *ended, struct error *err)
{
    struct end_job job = {.user_id = user_id, .hash_hex = hash_hex, .others = others};
    enum status st = db_write(s->db, DB_DURABLE, end_own_job, &job, err);
    *ended = job.ended;
    return st;
}

static void read_session(struct db_rows *r, struct arena *a, void *row)
{
    *(struct session_row *)row = (struct session_row){.hash_hex = db_text(r, 0, a),
                                                      .address = db_text(r, 1, a),
                                                      .browser = db_text(r, 2, a),
                                                      .created_us = db_int(r, 3),
                                                      .seen_us = db_int(r, 4)};
}

enum status sticker_store_session_list(struct sticker_store *s, const char *user_id, int64_t idle_us, int64_t most_us,
                                       struct arena *a, struct session_row **out, size_t *n, struct error *err)
{
    void *rows;
    int64_t now = os_now_us();
    enum status st =
        db_read_list(s->db,
                     "SELECT hash_hex, address, browser, created_us, seen_us FROM sessions WHERE user_id = $1"
                     " AND seen_us > $2 AND created_us > $3 ORDER BY seen_us DESC, hash_hex",
                     DB_ARGS(DB_TEXT(user_id), DB_INT(now - idle_us), DB_INT(now - most_us)), read_session,
                     sizeof **out, a, &rows, n, err);
    *out = rows;
    return st;
}

/* --- attempts --- */

struct login_job {
    const struct login_rule *rules;
    size_t n;
    int64_t now_us, wait_us;
    bool succeeded;
};

/* 1 s after the first attempt that is not free, doubling with each. */
static int64_t delay_after(int64_t failures, const struct login_rule *rule)
{
    int64_t delay = 1000000;
    if (failures < rule->free)
        return 0;
    for (int64_t i = rule->free; i < failures && delay < rule->longest_us; i++)
        delay *= 2;
    return delay < rule->longest_us ? delay : rule->longest_us;
}

static enum status login_try_job(struct db_conn *c, void *arg, struct error *err)
{
    struct login_job *job = arg;
    job->wait_us = 0;
    /* One attempt after the other, or many at once would all find that there is no delay yet. */
    enum status st = db_lock(c, "LOCK TABLE logins IN SHARE ROW EXCLUSIVE MODE", err);
    if (st == OK)
        st = db_run(c, "DELETE FROM logins WHERE last_us < $1", DB_ARGS(DB_INT(job->now_us - LOGIN_FORGOTTEN_US)), NULL,
                    err);
    if (st == OK) /* the clock was ahead when these were noted: nobody waits until it is there again */
        st = db_run(c, "UPDATE logins SET last_us = $1 WHERE last_us > $1", DB_ARGS(DB_INT(job->now_us)), NULL, err);
    for (size_t i = 0; i < job->n && st == OK; i++) {
        struct db_rows r;
        db_query(&r, c, "SELECT failures, last_us FROM logins WHERE key = $1", DB_ARGS(DB_TEXT(job->rules[i].key)),
                 err);
        while (db_next(&r)) {
            int64_t wait = db_int(&r, 1) + delay_after(db_int(&r, 0), &job->rules[i]) - job->now_us;
            job->wait_us = wait > job->wait_us ? wait : job->wait_us;
        }
        st = db_end(&r);
    }
    for (size_t i = 0; i < job->n && st == OK && job->wait_us == 0; i++)
        st = db_run(c,
                    "INSERT INTO logins (key, failures, last_us) VALUES ($1, 1, $2)"
                    " ON CONFLICT (key) DO UPDATE SET failures = logins.failures + 1, last_us = excluded.last_us",
                    DB_ARGS(DB_TEXT(job->rules[i].key), DB_INT(job->now_us)), NULL, err);
    return st;
}

enum status sticker_store_login_try(struct sticker_store *s, const struct login_rule *rules, size_t n, int64_t *wait_us,
                                    struct error *err)
{
    struct login_job job = {.rules = rules, .n = n, .now_us = os_now_us()};
    enum status st = db_write(s->db, DB_FAST, login_try_job, &job, err);
    *wait_us = job.wait_us;
    return st;
}

static enum status login_over_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct login_job *job = arg;
    enum status st = OK;
    if (job->succeeded)
        st = db_run(c, "DELETE FROM logins WHERE key = $1", DB_ARGS(DB_TEXT(job->rules[0].key)), NULL, err);
    for (size_t i = job->succeeded; i < job->n && st == OK; i++)
        st = db_run(c, "UPDATE logins SET failures = failures - 1 WHERE key = $1", DB_ARGS(DB_TEXT(job->rules[i].key)),
                    NULL, err);
    return st;
}

enum status sticker_store_login_succeeded(struct sticker_store *s, const struct login_rule *rules, size_t n,
                                          struct error *err)
{
    struct login_job job = {.rules = rules, .n = n, .succeeded = true};
    return db_write(s->db, DB_FAST, login_over_job, &job, err);
}

enum status sticker_store_login_unchecked(struct sticker_store *s, const struct login_rule *rules, size_t n,
                                          struct error *err)
{
    return db_write(s->db, DB_FAST, login_over_job, &(struct login_job){.rules = rules, .n = n}, err);
}
