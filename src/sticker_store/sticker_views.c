/* sticker_views.c: the lists that users of the admin pages saved for themselves. */
#include "sticker_store/sticker_internal.h"

#include "base/os.h"

static void read_view(struct db_rows *r, struct arena *a, void *item)
{
    *(struct saved_view *)item =
        (struct saved_view){.id = db_text(r, 0, a), .name = db_text(r, 1, a), .query = db_text(r, 2, a)};
}

enum status sticker_store_views(struct sticker_store *s, const char *user_id, const char *list, struct arena *a,
                                struct saved_view **out, size_t *n, struct error *err)
{
    void *views = NULL;
    enum status st = db_read_list(
        s->db, "SELECT id, name, query FROM saved_views WHERE user_id = $1 AND list = $2 ORDER BY name LIMIT 100",
        DB_ARGS(DB_TEXT(user_id), DB_TEXT(list)), read_view, sizeof(struct saved_view), a, &views, n, err);
    *out = views;
    return st;
}

struct view_job {
    const char *user_id, *list, *name, *query;
};

static enum status save_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct view_job *job = arg;
    char id[37];
    int64_t others;
    os_uuid7(id);
    enum status st =
        db_get_int(c, "SELECT count(*) FROM saved_views WHERE user_id = $1 AND list = $2 AND name <> $3",
                   DB_ARGS(DB_TEXT(job->user_id), DB_TEXT(job->list), DB_TEXT(job->name)), &others, NULL, err);
    if (st == OK && others >= SAVED_VIEWS_MAX)
        return err_set(err, ERR_TOO_LARGE, "You can save at most %d views of a list. Delete one first.",
                       SAVED_VIEWS_MAX);
    if (st == OK)
        st = db_run(
            c,
            "INSERT INTO saved_views (id, user_id, list, name, query, created_us) VALUES ($1, $2, $3, $4, $5, $6)"
            " ON CONFLICT (user_id, list, name) DO UPDATE SET query = excluded.query",
            DB_ARGS(DB_TEXT(id), DB_TEXT(job->user_id), DB_TEXT(job->list), DB_TEXT(job->name), DB_TEXT(job->query),
                    DB_INT(os_now_us())),
            NULL, err);
    return st;
}

enum status sticker_store_view_save(struct sticker_store *s, const char *user_id, const char *list, const char *name,
                                    const char *query, struct error *err)
{
    return db_write(s->db, DB_DURABLE, save_job, &(struct view_job){user_id, list, name, query}, err);
}

static enum status delete_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct view_job *job = arg;
    return db_run(c, "DELETE FROM saved_views WHERE id = $1 AND user_id = $2",
                  DB_ARGS(DB_TEXT(job->name), DB_TEXT(job->user_id)), NULL, err);
}

enum status sticker_store_view_delete(struct sticker_store *s, const char *user_id, const char *id, struct error *err)
{
    return db_write(s->db, DB_DURABLE, delete_job, &(struct view_job){.user_id = user_id, .name = id}, err);
}
