/* sticker_looks.c: tables sticker_looks and not_duplicates: see sticker_looks.h. */
#include "sticker_store/sticker_looks.h"

#include "sticker_store/sticker_internal.h"

#include <string.h>

enum status sticker_put_look(struct db_conn *c, int64_t row, const struct sticker *s, struct error *err)
{
    if (!s->look)
        return db_run(c, "DELETE FROM sticker_looks WHERE sticker = $1", DB_ARGS(DB_INT(row)), NULL, err);
    return db_run(c,
                  "INSERT INTO sticker_looks (sticker, look) VALUES ($1, $2)"
                  " ON CONFLICT (sticker) DO UPDATE SET look = excluded.look",
                  DB_ARGS(DB_INT(row), DB_BLOB(s->look, s->look_size)), NULL, err);
}

/* --- looks --- */

#define LOOKS_FROM(row)                                                                                                \
    "SELECT l.sticker, s.filename, s.duration_ms, s.frames > 1, l.look FROM sticker_looks l"                           \
    " JOIN stickers s ON s." row " = l.sticker WHERE l.sticker > $2 AND length(l.look) = $1"                           \
    " ORDER BY l.sticker LIMIT $3"

enum status sticker_store_looks(struct sticker_store *s, size_t size, int64_t *after, size_t limit, struct arena *a,
                                struct look_row **out, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *rows = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c, db_sql(c, LOOKS_FROM("row"), LOOKS_FROM("rowno")),
             DB_ARGS(DB_INT((int64_t)size), DB_INT(*after), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, &rows, *n, &cap, sizeof(struct look_row))) {
        size_t len;
        const void *look = db_bytes(&r, 4, &len);
        void *kept = len == size ? arena_array(a, 1, size) : NULL;
        if (kept)
            memcpy(kept, look, size);
        *after = db_int(&r, 0);
        ((struct look_row *)rows)[*n] = (struct look_row){
            .filename = db_text(&r, 1, a), .duration_ms = db_int(&r, 2), .animated = db_int(&r, 3) != 0, .look = kept};
        *n += kept != NULL;
    }
    *out = rows;
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

#define LOOKLESS_FROM(row)                                                                                             \
    "SELECT s." row ", s.filename FROM stickers s LEFT JOIN sticker_looks l ON l.sticker = s." row " WHERE s." row     \
    " > $2 AND (l.look IS NULL OR length(l.look) <> $1) ORDER BY s." row " LIMIT $3"

enum status sticker_store_lookless(struct sticker_store *s, size_t size, int64_t *after, size_t limit, struct arena *a,
                                   const char ***filenames, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *names = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c, db_sql(c, LOOKLESS_FROM("row"), LOOKLESS_FROM("rowno")),
             DB_ARGS(DB_INT((int64_t)size), DB_INT(*after), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, &names, *n, &cap, sizeof(const char *))) {
        *after = db_int(&r, 0);
        ((const char **)names)[(*n)++] = db_text(&r, 1, a);
    }
    *filenames = names;
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

struct look_job {
    const char *filename, *sha256;
    struct sticker look; /* of it only that */
};

static enum status look_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct look_job *job = arg;
    int64_t row;
    bool found;
    enum status st = db_get_int(c,
                                db_sql(c, "SELECT row FROM stickers WHERE filename = $1 AND sha256 = $2",
                                       "SELECT rowno FROM stickers WHERE filename = $1 AND sha256 = $2 FOR KEY SHARE"),
                                DB_ARGS(DB_TEXT(job->filename), DB_TEXT(job->sha256)), &row, &found, err);
    return st == OK && found ? sticker_put_look(c, row, &job->look, err) : st;
}

enum status sticker_store_look_set(struct sticker_store *s, const char *filename, const char *sha256, const void *look,
                                   size_t size, struct error *err)
{
    struct look_job job = {filename, sha256, {.look = look, .look_size = size}};
    return db_write(s->db, DB_FAST, look_job, &job, err);
}

/* --- what is no duplicate --- */

static void read_pair(struct db_rows *r, struct arena *a, void *item)
{
    *(struct look_pair *)item = (struct look_pair){db_text(r, 0, a), db_text(r, 1, a)};
}

enum status sticker_store_not_duplicates(struct sticker_store *s, struct arena *a, struct look_pair **out, size_t *n,
                                         struct error *err)
{
    void *rows = NULL;
    enum status st = db_read_list(s->db,
                                  "SELECT a.filename, b.filename FROM not_duplicates d JOIN stickers a ON a.id ="
                                  " d.first_id JOIN stickers b ON b.id = d.second_id ORDER BY 1, 2",
                                  DB_NONE, read_pair, sizeof(struct look_pair), a, &rows, n, err);
    *out = rows;
    return st;
}

struct pairs_job {
    const char *const *filenames;
    size_t n;
};

static enum status pairs_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct pairs_job *job = arg;
    enum status st = OK;
    for (size_t i = 0; i < job->n && st == OK; i++)
        for (size_t k = 0; k < job->n && st == OK; k++)
            if (strcmp(job->filenames[i], job->filenames[k]) < 0)
                st = db_run(c,
                            "INSERT INTO not_duplicates (first_id, second_id) SELECT a.id, b.id FROM stickers a,"
                            " stickers b WHERE a.filename = $1 AND b.filename = $2 ON CONFLICT DO NOTHING",
                            DB_ARGS(DB_TEXT(job->filenames[i]), DB_TEXT(job->filenames[k])), NULL, err);
    return st;
}

enum status sticker_store_not_duplicates_add(struct sticker_store *s, const char *const *filenames, size_t n,
                                             struct error *err)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(filenames[i], filenames[k]) == 0)
                return err_set(err, ERR_INVALID, "\"%.255s\" is named twice", filenames[i]);
    return db_write(s->db, DB_DURABLE, pairs_job, &(struct pairs_job){filenames, n}, err);
}
