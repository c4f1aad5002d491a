#include "sticker_store/sticker_imports.h"
#include "sticker_store/sticker_internal.h"

#include "base/os.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- writing --- */

struct import_job {
    const struct admin_who *who;
    const char *source;
    const struct admin_change *changes;
    bool *written; /* [n] */
    size_t n, added, changed;
};

/* All but its terms. */
static enum status write_one(struct db_conn *c, struct import_job *job, const struct admin_change *ch, bool *written,
                             struct error *err)
{
    bool updated = false;
    enum status st = ch->op == CHANGE_ADD ? sticker_add(c, ch->sticker, NULL, err)
                                          : sticker_update_seen(c, ch->sticker, NULL, ch->seen_us, &updated, err);
    *written = ch->op == CHANGE_ADD || updated;
    job->added += st == OK && ch->op == CHANGE_ADD;
    job->changed += updated;
    return st == OK && job->who && *written ? sticker_note_change(c, job->who, ch, err) : st;
}

static enum status record(struct db_conn *c, const struct import_job *job, struct error *err)
{
    if (!job->who || !job->who->batch || job->added + job->changed == 0)
        return OK;
    int64_t known;
    enum status st = db_run(
        c, "UPDATE imports SET added = added + $2, changed = changed + $3 WHERE batch = $1",
        DB_ARGS(DB_TEXT(job->who->batch), DB_INT((int64_t)job->added), DB_INT((int64_t)job->changed)), &known, err);
    if (st != OK || known)
        return st;
    return db_run(c,
                  "INSERT INTO imports (batch, username, source, added, changed, at_us)"
                  " VALUES ($1, $2, $3, $4, $5, $6)",
                  DB_ARGS(DB_TEXT(job->who->batch), DB_TEXT(job->who->username), DB_TEXT(job->source),
                          DB_INT((int64_t)job->added), DB_INT((int64_t)job->changed), DB_INT(os_now_us())),
                  NULL, err);
}

static enum status import_job(struct db_conn *c, void *arg, struct error *err)
{
    struct import_job *job = arg;
    enum status st = job->who ? sticker_history_begin(c, err) : OK;
    job->added = job->changed = 0;
    if (st == OK)
        st = sticker_alone(c, err);
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = write_one(c, job, &job->changes[i], &job->written[i], err);
    for (size_t i = 0; i < job->n && st == OK; i++)
        if (job->written[i])
            st = sticker_put_terms_of(c, job->changes[i].sticker->filename, job->changes[i].terms, err);
    return st == OK ? record(c, job, err) : st;
}

enum status sticker_store_import(struct sticker_store *s, const struct admin_who *who, const char *source,
                                 const struct admin_change *changes, size_t n, size_t *written, struct error *err)
{
    struct import_job job = {
        .who = who, .source = source, .changes = changes, .written = calloc(n + 1, sizeof(bool)), .n = n};
    enum status st = job.written ? OK : err_no_memory(err, "%zu stickers", n);
    *written = 0;
    for (size_t i = 0; i < n && st == OK; i++)
        st = filename_check(changes[i].sticker->filename, err);
    if (st == OK)
        st = sticker_write(s, import_job, &job, err);
    if (st == OK)
        *written = job.added + job.changed;
    free(job.written);
    return st;
}

struct end_job {
    const char *batch;
    int64_t skipped, failed, number;
};

static enum status end_job(struct db_conn *c, void *arg, struct error *err)
{
    struct end_job *job = arg;
    job->number = 0;
    return db_get_int(c,
                      "UPDATE imports SET skipped = $2, failed = $3, ended_us = $4 WHERE batch = $1 RETURNING number",
                      DB_ARGS(DB_TEXT(job->batch), DB_INT(job->skipped), DB_INT(job->failed), DB_INT(os_now_us())),
                      &job->number, NULL, err);
}

enum status sticker_store_import_end(struct sticker_store *s, const char *batch, size_t skipped, size_t failed,
                                     int64_t *number, struct error *err)
{
    struct end_job job = {.batch = batch, .skipped = (int64_t)skipped, .failed = (int64_t)failed};
    enum status st = db_write(s->db, DB_DURABLE, end_job, &job, err);
    *number = job.number;
    return st;
}

static enum status undone_job(struct db_conn *c, void *arg, struct error *err)
{
    return db_run(c, "UPDATE imports SET undone_us = $2 WHERE number = $1",
                  DB_ARGS(DB_INT(*(const int64_t *)arg), DB_INT(os_now_us())), NULL, err);
}

enum status sticker_store_import_undone(struct sticker_store *s, int64_t number, struct error *err)
{
    return db_write(s->db, DB_DURABLE, undone_job, &number, err);
}

/* --- reading --- */

#define SELECT_IMPORTS                                                                                                 \
    "SELECT number, batch, username, source, added, changed, skipped, failed, at_us, ended_us, undone_us FROM imports"

static void read_import(struct db_rows *r, struct arena *a, void *item)
{
    *(struct import_record *)item = (struct import_record){.number = db_int(r, 0),
                                                           .batch = db_text(r, 1, a),
                                                           .username = db_text(r, 2, a),
                                                           .source = db_text(r, 3, a),
                                                           .added = db_int(r, 4),
                                                           .changed = db_int(r, 5),
                                                           .skipped = db_int(r, 6),
                                                           .failed = db_int(r, 7),
                                                           .at_us = db_int(r, 8),
                                                           .ended_us = db_int(r, 9),
                                                           .undone_us = db_int(r, 10)};
}

enum status sticker_store_imports(struct sticker_store *s, size_t limit, struct arena *a, struct import_record **out,
                                  size_t *n, struct error *err)
{
    void *items = NULL;
    enum status st = db_read_list(s->db, SELECT_IMPORTS " ORDER BY number DESC LIMIT $1",
                                  DB_ARGS(DB_INT(db_limit(limit))), read_import, sizeof **out, a, &items, n, err);
    *out = items;
    return st;
}

enum status sticker_store_import_get(struct sticker_store *s, int64_t number, struct arena *a,
                                     struct import_record *out, struct error *err)
{
    void *items = NULL;
    size_t n;
    enum status st = db_read_list(s->db, SELECT_IMPORTS " WHERE number = $1", DB_ARGS(DB_INT(number)), read_import,
                                  sizeof *out, a, &items, &n, err);
    if (st == OK && !n)
        return err_set(err, ERR_NOT_FOUND, "there is no import %" PRId64, number);
    if (st == OK)
        *out = *(struct import_record *)items;
    return st;
}
