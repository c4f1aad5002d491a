/* sticker_webhooks.c: a row for each webhook, and one for each event that it is to be told of. Rows of events do not
 * refer to those of webhooks, so that no change of a sticker fails because somebody removes a webhook meanwhile. */
#include "sticker_store/sticker_webhooks.h"

#include "base/json_out.h"
#include "base/os.h"
#include "sticker_store/sticker_internal.h"

#include <stdio.h>
#include <string.h>

const char *const webhook_events[WEBHOOK_EVENTS] = {
    [WEBHOOK_STICKER_CREATED] = "sticker.created", [WEBHOOK_STICKER_CHANGED] = "sticker.changed",
    [WEBHOOK_STICKER_REMOVED] = "sticker.removed", [WEBHOOK_STICKER_RESTORED] = "sticker.restored",
    [WEBHOOK_VOTES_HELD] = "votes.held",           [WEBHOOK_TEST] = "webhook.test"};

enum status webhook_events_check(const char *events, struct error *err)
{
    for (const char *at = events, *end; *at; at = *end ? end + 1 : end) {
        size_t len = strcspn(at, ","), known = 0;
        end = at + len;
        while (known < WEBHOOK_TEST &&
               (strlen(webhook_events[known]) != len || memcmp(webhook_events[known], at, len) != 0))
            known++;
        if (known == WEBHOOK_TEST || (*end && !end[1]))
            return err_set(err, ERR_INVALID,
                           "events: expected sticker.created, sticker.changed, sticker.removed, sticker.restored or"
                           " votes.held, separated by commas; found \"%.*s\"",
                           len < 60 ? (int)len : 60, at);
    }
    return OK;
}

/* --- events --- */

#define DELIVERY                                                                                                       \
    "INSERT INTO webhook_deliveries (webhook, id, event, object, data, at_us) SELECT id, $1, $2, $3, $4, $5"

enum status sticker_tell(struct db_conn *c, enum webhook_event event, const char *object, const char *data,
                         struct error *err)
{
    char id[37];
    int64_t one;
    bool any;
    /* Asked beforehand, as SQLite writes the words that it has gathered (FTS5's) before each INSERT of several rows. */
    enum status st = db_get_int(c, "SELECT 1 FROM webhooks WHERE disabled = '' LIMIT 1", DB_NONE, &one, &any, err);
    if (st != OK || !any)
        return st;
    os_uuid7(id);
    return db_run(c,
                  DELIVERY " FROM webhooks WHERE disabled = '' AND (events = ''"
                           " OR ',' || events || ',' LIKE '%,' || $6 || ',%') ORDER BY webhooks.id",
                  DB_ARGS(DB_TEXT(id), DB_TEXT(webhook_events[event]), DB_TEXT(object), DB_TEXT(data),
                          DB_INT(os_now_us()), DB_TEXT(webhook_events[event])),
                  NULL, err);
}

/* --- webhooks --- */

struct webhook_job {
    const struct admin_who *who;
    const struct webhook *webhook; /* to be added */
    const char *disabled;
    int64_t id, seq;
};

static enum status no_webhook(int64_t id, struct error *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no webhook %lld", (long long)id);
}

static enum status note_webhook(struct db_conn *c, const struct admin_who *who, enum change_op op, const char *url,
                                const char *member, const char *value, struct error *err)
{
    struct buf after;
    buf_init(&after, 8192);
    buf_printf(&after, "{\"%s\":", member);
    json_put_string(&after, value);
    buf_putc(&after, '}');
    enum status st = buf_status(&after, err);
    if (st == OK)
        st = sticker_note(c, who, op, "webhooks", url, op == CHANGE_DELETE ? "" : buf_str(&after), err);
    buf_free(&after);
    return st;
}

static enum status add_webhook_job(struct db_conn *c, void *arg, struct error *err)
{
    struct webhook_job *job = arg;
    const struct webhook *w = job->webhook;
    int64_t there;
    bool added;
    enum status st = sticker_history_begin(c, err); /* one after the other */
    if (st == OK)
        st = db_get_int(c, "SELECT count(*) FROM webhooks", DB_NONE, &there, NULL, err);
    if (st == OK && there >= STORE_WEBHOOKS)
        return err_set(err, ERR_TOO_LARGE, "there are %d webhooks already, which is the maximum", STORE_WEBHOOKS);
    if (st == OK)
        st =
            db_get_int(c,
                       "INSERT INTO webhooks (url, events, secret, created_us, modified_us) VALUES ($1, $2, $3, $4, $4)"
                       " ON CONFLICT (url) DO NOTHING RETURNING id",
                       DB_ARGS(DB_TEXT(w->url), DB_TEXT(w->events), DB_TEXT(w->secret), DB_INT(os_now_us())), &job->id,
                       &added, err);
    if (st == OK && !added)
        return err_set(err, ERR_CONFLICT, "a webhook with the URL %.300s exists already", w->url);
    return st == OK ? note_webhook(c, job->who, CHANGE_ADD, w->url, "events", w->events, err) : st;
}

enum status sticker_store_webhook_add(struct sticker_store *s, const struct admin_who *who, const struct webhook *w,
                                      int64_t *id, struct error *err)
{
    struct webhook_job job = {.who = who, .webhook = w};
    enum status st = webhook_events_check(w->events, err);
    if (st == OK)
        st = db_write(s->db, DB_DURABLE, add_webhook_job, &job, err);
    *id = job.id;
    return st;
}

#define URL_MAX 2048 /* bytes with the NUL; longer ones are cut in the history */

/* The URL of a webhook; ERR_NOT_FOUND. */
static enum status webhook_url(struct db_conn *c, int64_t id, char out[URL_MAX], struct error *err)
{
    struct db_rows r;
    bool found = false;
    db_query(&r, c, "SELECT url FROM webhooks WHERE id = $1", DB_ARGS(DB_INT(id)), err);
    while (db_next(&r)) {
        size_t len;
        const char *url = db_bytes(&r, 0, &len);
        snprintf(out, URL_MAX, "%.*s", len < URL_MAX ? (int)len : URL_MAX - 1, url);
        found = true;
    }
    enum status st = db_end(&r);
    return st == OK && !found ? no_webhook(id, err) : st;
}

static enum status remove_webhook_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct webhook_job *job = arg;
    char url[URL_MAX];
    enum status st = sticker_history_begin(c, err);
    if (st == OK)
        st = webhook_url(c, job->id, url, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM webhooks WHERE id = $1", DB_ARGS(DB_INT(job->id)), NULL, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM webhook_deliveries WHERE webhook = $1", DB_ARGS(DB_INT(job->id)), NULL, err);
    return st == OK ? note_webhook(c, job->who, CHANGE_DELETE, url, "", "", err) : st;
}

enum status sticker_store_webhook_remove(struct sticker_store *s, const struct admin_who *who, int64_t id,
                                         struct error *err)
{
    return db_write(s->db, DB_DURABLE, remove_webhook_job, &(struct webhook_job){.who = who, .id = id}, err);
}

#define SWITCH "UPDATE webhooks SET disabled = $2, failures = 0, due_us = 0, modified_us = $3 WHERE id = $1"

static enum status disable_webhook_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct webhook_job *job = arg;
    char url[URL_MAX];
    enum status st = sticker_history_begin(c, err);
    if (st == OK)
        st = webhook_url(c, job->id, url, err);
    if (st == OK)
        st = db_run(c, SWITCH, DB_ARGS(DB_INT(job->id), DB_TEXT(job->disabled), DB_INT(os_now_us())), NULL, err);
    return st == OK ? note_webhook(c, job->who, CHANGE_UPDATE, url, "disabled", job->disabled, err) : st;
}

enum status sticker_store_webhook_disable(struct sticker_store *s, const struct admin_who *who, int64_t id,
                                          const char *why, struct error *err)
{
    return db_write(s->db, DB_DURABLE, disable_webhook_job,
                    &(struct webhook_job){.who = who, .id = id, .disabled = why}, err);
}

static enum status test_webhook_job(struct db_conn *c, void *arg, struct error *err)
{
    struct webhook_job *job = arg;
    char id[37];
    bool queued;
    os_uuid7(id);
    enum status st = db_get_int(c, DELIVERY " FROM webhooks WHERE id = $6 AND disabled = '' RETURNING seq",
                                DB_ARGS(DB_TEXT(id), DB_TEXT(webhook_events[WEBHOOK_TEST]), DB_TEXT(""), DB_TEXT("{}"),
                                        DB_INT(os_now_us()), DB_INT(job->id)),
                                &job->seq, &queued, err);
    if (st == OK && !queued)
        st = webhook_url(c, job->id, (char[URL_MAX]){0}, err);
    if (st == OK && !queued)
        return err_set(err, ERR_INVALID, "webhook %lld is disabled: enable it first", (long long)job->id);
    return st == OK ? db_run(c, "UPDATE webhooks SET due_us = 0 WHERE id = $1", DB_ARGS(DB_INT(job->id)), NULL, err)
                    : st;
}

enum status sticker_store_webhook_test(struct sticker_store *s, int64_t id, int64_t *seq, struct error *err)
{
    struct webhook_job job = {.id = id};
    enum status st = db_write(s->db, DB_DURABLE, test_webhook_job, &job, err);
    *seq = job.seq;
    return st;
}

static enum status resend_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct webhook_job *job = arg;
    int64_t changed;
    enum status st = db_run(c, "UPDATE webhook_deliveries SET delivered_us = 0, status = 0, error = '' WHERE seq = $1",
                            DB_ARGS(DB_INT(job->seq)), &changed, err);
    if (st == OK && !changed)
        return err_set(err, ERR_NOT_FOUND, "there is no delivery %lld", (long long)job->seq);
    return st == OK ? db_run(c,
                             "UPDATE webhooks SET due_us = 0 WHERE id = (SELECT webhook FROM webhook_deliveries"
                             " WHERE seq = $1)",
                             DB_ARGS(DB_INT(job->seq)), NULL, err)
                    : st;
}

enum status sticker_store_webhook_resend(struct sticker_store *s, int64_t seq, struct error *err)
{
    return db_write(s->db, DB_DURABLE, resend_job, &(struct webhook_job){.seq = seq}, err);
}

/* --- reading --- */

#define WAITING "FROM webhook_deliveries d WHERE d.webhook = w.id AND d.delivered_us = 0"
#define SELECT(waiting)                                                                                                \
    "SELECT id, url, events, secret, disabled, failures, due_us, created_us, " waiting " FROM webhooks w"

static void read_webhook(struct db_rows *r, struct arena *a, void *item)
{
    *(struct webhook *)item = (struct webhook){.id = db_int(r, 0),
                                               .url = db_text(r, 1, a),
                                               .events = db_text(r, 2, a),
                                               .secret = db_text(r, 3, a),
                                               .disabled = db_text(r, 4, a),
                                               .failures = db_int(r, 5),
                                               .due_us = db_int(r, 6),
                                               .created_us = db_int(r, 7),
                                               .waiting = db_int(r, 8)};
}

enum status sticker_store_webhook_list(struct sticker_store *s, int64_t id, struct arena *a, struct webhook **out,
                                       size_t *n, struct error *err)
{
    void *list;
    enum status st = db_read_list(s->db, SELECT("(SELECT count(*) " WAITING ")") " WHERE $1 = 0 OR id = $1 ORDER BY id",
                                  DB_ARGS(DB_INT(id)), read_webhook, sizeof **out, a, &list, n, err);
    *out = list;
    return st == OK && id && !*n ? no_webhook(id, err) : st;
}

#define DUE                                                                                                            \
    SELECT("1") " WHERE disabled = '' AND (due_us <= $1 OR due_us > $2) AND EXISTS (SELECT 1 " WAITING ") ORDER BY id"

enum status sticker_store_webhook_due(struct sticker_store *s, int64_t now_us, struct arena *a, struct webhook **out,
                                      size_t *n, struct error *err)
{
    void *list;
    enum status st = db_read_list(s->db, DUE, DB_ARGS(DB_INT(now_us), DB_INT(now_us + WEBHOOK_MAX_WAIT_US)),
                                  read_webhook, sizeof **out, a, &list, n, err);
    *out = list;
    return st;
}

#define DELIVERIES                                                                                                     \
    "SELECT seq, id, event, object, data, at_us, attempts, status, error, delivered_us FROM webhook_deliveries"        \
    " WHERE webhook = $1"

static void read_delivery(struct db_rows *r, struct arena *a, void *item)
{
    *(struct webhook_delivery *)item = (struct webhook_delivery){.seq = db_int(r, 0),
                                                                 .id = db_text(r, 1, a),
                                                                 .event = db_text(r, 2, a),
                                                                 .object = db_text(r, 3, a),
                                                                 .data = db_text(r, 4, a),
                                                                 .at_us = db_int(r, 5),
                                                                 .attempts = db_int(r, 6),
                                                                 .status = db_int(r, 7),
                                                                 .error = db_text(r, 8, a),
                                                                 .delivered_us = db_int(r, 9)};
}

static enum status read_deliveries(struct sticker_store *s, const char *sql, int64_t id, size_t limit, struct arena *a,
                                   struct webhook_delivery **out, size_t *n, struct error *err)
{
    void *list;
    enum status st = db_read_list(s->db, sql, DB_ARGS(DB_INT(id), DB_INT(db_limit(limit))), read_delivery, sizeof **out,
                                  a, &list, n, err);
    *out = list;
    return st;
}

enum status sticker_store_webhook_deliveries(struct sticker_store *s, int64_t id, size_t limit, struct arena *a,
                                             struct webhook_delivery **out, size_t *n, struct error *err)
{
    return read_deliveries(s, DELIVERIES " ORDER BY seq DESC LIMIT $2", id, limit, a, out, n, err);
}

enum status sticker_store_webhook_next(struct sticker_store *s, int64_t id, size_t limit, struct arena *a,
                                       struct webhook_delivery **out, size_t *n, struct error *err)
{
    return read_deliveries(s, DELIVERIES " AND delivered_us = 0 ORDER BY seq LIMIT $2", id, limit, a, out, n, err);
}

enum status sticker_store_webhook_count(struct sticker_store *s, struct webhook_counts *out, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    *out = (struct webhook_counts){0};
    db_query(&r, c,
             "SELECT count(CASE disabled WHEN '' THEN 1 END), count(*), (SELECT count(*) FROM webhook_deliveries d"
             " WHERE d.delivered_us = 0 AND d.webhook IN (SELECT id FROM webhooks WHERE disabled = '')) FROM webhooks",
             DB_NONE, err);
    while (db_next(&r))
        *out = (struct webhook_counts){
            .enabled = db_int(&r, 0), .disabled = db_int(&r, 1) - db_int(&r, 0), .waiting = db_int(&r, 2)};
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

/* --- delivering --- */

struct tried_job {
    int64_t id, seq, status, due_us;
    const struct error *tried;
    const char *disabled;
};

static enum status tried_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct tried_job *job = arg;
    bool delivered = job->tried->code == OK;
    int64_t now_us = os_now_us();
    enum status st = db_run(c,
                            "UPDATE webhook_deliveries SET attempts = attempts + 1, status = $2, error = $3,"
                            " delivered_us = $4 WHERE seq = $1",
                            DB_ARGS(DB_INT(job->seq), DB_INT(job->status),
                                    DB_TEXT(delivered ? "" : job->tried->message), DB_INT(delivered ? now_us : 0)),
                            NULL, err);
    if (st == OK && delivered)
        return db_run(c, "UPDATE webhooks SET failures = 0 WHERE id = $1 AND failures > 0", DB_ARGS(DB_INT(job->id)),
                      NULL, err);
    return st == OK ? db_run(c,
                             "UPDATE webhooks SET failures = failures + 1, due_us = $2, modified_us = $4,"
                             " disabled = CASE disabled WHEN '' THEN $3 ELSE disabled END WHERE id = $1",
                             DB_ARGS(DB_INT(job->id), DB_INT(job->due_us), DB_TEXT(job->disabled), DB_INT(now_us)),
                             NULL, err)
                    : st;
}

/* Not durable: what a power cut brings back is delivered twice. */
enum status sticker_store_webhook_tried(struct sticker_store *s, int64_t id, int64_t seq, int64_t status,
                                        const struct error *tried, int64_t due_us, const char *disabled,
                                        struct error *err)
{
    struct tried_job job = {id, seq, status, due_us, tried, disabled};
    return db_write(s->db, DB_FAST, tried_job, &job, err);
}
