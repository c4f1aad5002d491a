/* sticker_outbox.c: a row per sticker that SearchService has still to hear about. A newer change
 * takes the older one's place under a new number, so that a delivery that was under way while the
 * sticker changed again cannot tick off the newer change. */
#include "sticker_store/sticker_internal.h"

#include "base/os.h"

/* What does more is not replaced by what does less: delivering a reindex puts, too, and an image is looked at before
 * either. In SQLite only a new row gets a new number, in PostgreSQL an old one can. */
#define COLUMNS "outbox (filename, op, attempts, last_error, due_us, created_us, modified_us)"
#define STRONGER(old, new)                                                                                             \
    "(" new " = 'put' AND " old " = 'reindex' OR " new " IN ('put', 'reindex') AND " old " = 'image')"
#define OP(filename, op)                                                                                               \
    "coalesce((SELECT o.op FROM outbox o WHERE o.filename = " filename " AND " STRONGER("o.op", op) "), " op ")"
#define IN_PLACE                                                                                                       \
    " ON CONFLICT (filename) DO UPDATE SET seq = DEFAULT, attempts = 0, last_error = '',"                              \
    " due_us = excluded.due_us, created_us = excluded.created_us, modified_us = excluded.modified_us,"                 \
    " op = CASE WHEN " STRONGER("outbox.op", "excluded.op") " THEN outbox.op ELSE excluded.op END"

static enum status queue_at(struct db_conn *c, const char *op, const char *filename, int64_t due_us, struct error *err)
{
    return db_run(c,
                  db_sql(c, "INSERT OR REPLACE INTO " COLUMNS " VALUES ($1, " OP("$1", "$2") ", 0, '', $4, $3, $3)",
                         "INSERT INTO " COLUMNS " VALUES ($1, $2, 0, '', $4, $3, $3)" IN_PLACE),
                  DB_ARGS(DB_TEXT(filename), DB_TEXT(op), DB_INT(os_now_us()), DB_INT(due_us)), NULL, err);
}

enum status sticker_outbox_queue(struct db_conn *c, const char *op, const char *filename, struct error *err)
{
    return queue_at(c, op, filename, 0, err);
}

struct image_job {
    const char *filename;
    int64_t due_us;
    const struct sticker *image;
};

static enum status image_begins_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct image_job *job = arg;
    return queue_at(c, "image", job->filename, job->due_us, err);
}

enum status sticker_store_image_begins(struct sticker_store *s, const char *filename, int64_t due_us, struct error *err)
{
    return db_write(s->db, DB_DURABLE, image_begins_job, &(struct image_job){filename, due_us, NULL}, err);
}

static enum status image_is_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct image_job *job = arg;
    enum status st = sticker_alone(c, err);
    return st == OK ? sticker_update_image(c, job->filename, job->image, err) : st;
}

enum status sticker_store_image_is(struct sticker_store *s, const char *filename, const struct sticker *image,
                                   struct error *err)
{
    return sticker_write(s, image_is_job, &(struct image_job){filename, 0, image}, err);
}

static void read_outbox_item(struct db_rows *r, struct arena *a, void *item)
{
    *(struct outbox_item *)item = (struct outbox_item){
        .seq = db_int(r, 0),
        .op = db_text(r, 1, a),
        .filename = db_text(r, 2, a),
        .attempts = (int)db_int(r, 3),
        .last_error = db_text(r, 4, a),
    };
}

enum status sticker_store_outbox_next(struct sticker_store *s, int64_t now_us, size_t limit, struct arena *a,
                                      struct outbox_item **out, size_t *n, struct error *err)
{
    void *items;
    enum status st = db_read_list(
        s->db,
        "SELECT seq, op, filename, attempts, last_error FROM outbox WHERE due_us <= $1 OR due_us > $3"
        " ORDER BY seq LIMIT $2",
        DB_ARGS(DB_INT(now_us), DB_INT(db_limit(limit)),
                DB_INT(now_us < INT64_MAX - OUTBOX_MAX_DELAY_US ? now_us + OUTBOX_MAX_DELAY_US : INT64_MAX)),
        read_outbox_item, sizeof **out, a, &items, n, err);
    *out = items;
    return st;
}

struct turn_job {
    const char *queue, *holder;
    int64_t for_us, changed;
};

#define SQLITE_NOW   "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
#define POSTGRES_NOW "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
/* A turn that ends in more than ten minutes was taken when the clock was ahead. */
#define TURN(now)                                                                                                      \
    "UPDATE outbox_turn SET holder = $1, until_us = " now " + $2 WHERE queue = $3 AND (holder = $1"                    \
    " OR until_us <= " now " OR until_us > " now " + 600000000)"

static enum status turn_job(struct db_conn *c, void *arg, struct error *err)
{
    struct turn_job *job = arg;
    return db_run(c, db_sql(c, TURN(SQLITE_NOW), TURN(POSTGRES_NOW)),
                  DB_ARGS(DB_TEXT(job->holder), DB_INT(job->for_us), DB_TEXT(job->queue)), &job->changed, err);
}

enum status sticker_store_outbox_turn(struct sticker_store *s, const char *queue, const char *holder, int64_t for_us,
                                      bool *ours, struct error *err)
{
    struct turn_job job = {.queue = queue, .holder = holder, .for_us = for_us};
    enum status st = db_write(s->db, DB_FAST, turn_job, &job, err);
    *ours = st == OK && job.changed > 0;
    return st;
}

struct done_job {
    const int64_t *seq;
    size_t n;
};

static enum status done_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct done_job *job = arg;
    enum status st = OK;
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = db_run(c, "DELETE FROM outbox WHERE seq = $1", DB_ARGS(DB_INT(job->seq[i])), NULL, err);
    return st;
}

/* Not durable: what a power loss brings back is delivered twice, which SearchService does not mind. */
enum status sticker_store_outbox_done(struct sticker_store *s, const int64_t *seq, size_t n, struct error *err)
{
    return db_write(s->db, DB_FAST, done_job, &(struct done_job){seq, n}, err);
}

struct outbox_failed_job {
    int64_t seq, retry_us;
    const char *why;
};

static enum status outbox_failed_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct outbox_failed_job *job = arg;
    return db_run(c,
                  "UPDATE outbox SET attempts = attempts + 1, last_error = $2, due_us = $3, modified_us = $4"
                  " WHERE seq = $1",
                  DB_ARGS(DB_INT(job->seq), DB_TEXT(job->why), DB_INT(job->retry_us), DB_INT(os_now_us())), NULL, err);
}

enum status sticker_store_outbox_failed(struct sticker_store *s, int64_t seq, const char *why, int64_t retry_us,
                                        struct error *err)
{
    return db_write(s->db, DB_FAST, outbox_failed_job, &(struct outbox_failed_job){seq, retry_us, why}, err);
}

static enum status refill_job(struct db_conn *c, void *arg, struct error *err)
{
    (void)arg;
    return db_run(c,
                  db_sql(c,
                         "INSERT OR REPLACE INTO " COLUMNS " SELECT k.filename, " OP(
                             "k.filename", "'put'") ", 0, '', 0, $1, $1 FROM stickers k ORDER BY k.filename",
                         "INSERT INTO " COLUMNS
                         " SELECT filename, 'put', 0, '', 0, $1, $1 FROM stickers ORDER BY filename" IN_PLACE),
                  DB_ARGS(DB_INT(os_now_us())), NULL, err);
}

enum status sticker_store_outbox_refill(struct sticker_store *s, struct error *err)
{
    return sticker_write_noted(s, refill_job, NULL, CHANGE_REINDEX, "stickers", "all stickers", "", err);
}

enum status sticker_store_outbox_oldest(struct sticker_store *s, int64_t *created_us, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    *created_us = 0;
    db_query(&r, c, "SELECT coalesce(min(created_us), 0) FROM outbox", DB_NONE, err);
    while (db_next(&r))
        *created_us = db_int(&r, 0);
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}
