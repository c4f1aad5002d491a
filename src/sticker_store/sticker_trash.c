/* sticker_trash.c: deleted stickers, which can be restored until the trash is emptied.
 *
 * 1. A filename is that of a sticker or of a row of the trash, never of both: so the image of that name belongs to one.
 * 2. Emptying marks a row (emptied = 1), deletes its image, then the row: whatever stops it, the next round goes on.
 * 3. A marked row cannot be restored. */
#include "sticker_store/sticker_columns.h"
#include "sticker_store/sticker_internal.h"

#include "base/os.h"

#define KEPT "id, filename, created_us, modified_us" STICKER_NAMES

/* Nothing is known any more of how well it fitted, unless the sticker is back. */
static enum status unlearn(struct db_conn *c, const char *filename, struct error *err)
{
#define OF_LOST                                                                                                        \
    "sticker_id IN (SELECT t.id FROM trash t WHERE t.filename = $1"                                                    \
    " AND NOT EXISTS (SELECT 1 FROM stickers s WHERE s.id = t.id))"
    static const char *const drop[] = LEARN_DROP(OF_LOST);
    enum status st = sticker_learn_drop(c, drop, DB_ARGS(DB_TEXT(filename)), err);
    return st == OK ? db_run(c, "DELETE FROM clicks WHERE " OF_LOST, DB_ARGS(DB_TEXT(filename)), NULL, err) : st;
}

enum status sticker_trash_forget(struct db_conn *c, const char *filename, struct error *err)
{
    enum status st = unlearn(c, filename, err);
    if (st == OK)
        st = sticker_pack_forget(c, filename, err);
    return st == OK ? db_run(c, "DELETE FROM trash WHERE filename = $1", DB_ARGS(DB_TEXT(filename)), NULL, err) : st;
}

#define COPY_WORDS(row)                                                                                                \
    "INSERT INTO trash_words (trash, language, title, words) SELECT t." row ", w.language, w.title, w.words"           \
    " FROM stickers s JOIN sticker_words w ON w.sticker = s." row " JOIN trash t ON t.filename = s.filename"           \
    " WHERE s.filename = $1"
#define COPY_SCORES(row)                                                                                               \
    "INSERT INTO trash_scores (id, trash, query_id, positives, negatives, created_us, modified_us)"                    \
    " SELECT c.id, t." row ", c.query_id, c.positives, c.negatives, c.created_us, c.modified_us"                       \
    " FROM stickers s JOIN scores c ON c.sticker_id = s.id JOIN trash t ON t.filename = s.filename"                    \
    " WHERE s.filename = $1"

/* Who voted, so that they can change their votes when it is back. */
#define COPY_VOTES(row)                                                                                                \
    "INSERT INTO trash_votes (trash, voter, query_id, positive, created_us, modified_us)"                              \
    " SELECT t." row ", v.voter, v.query_id, v.positive, v.created_us, v.modified_us"                                  \
    " FROM stickers s JOIN votes v ON v.sticker_id = s.id JOIN trash t ON t.filename = s.filename"                     \
    " WHERE s.filename = $1"

enum status sticker_trash_put(struct db_conn *c, const char *filename, const char *by, struct error *err)
{
    enum status st = db_run(c,
                            "INSERT INTO trash (" KEPT ", deleted_us, deleted_by) SELECT " KEPT
                            ", CAST($2 AS bigint), CAST($3 AS text) FROM stickers WHERE filename = $1",
                            DB_ARGS(DB_TEXT(filename), DB_INT(os_now_us()), DB_TEXT(by)), NULL, err);
    if (st == OK)
        st = db_run(c, db_sql(c, COPY_WORDS("row"), COPY_WORDS("rowno")), DB_ARGS(DB_TEXT(filename)), NULL, err);
    if (st == OK)
        st = db_run(c, db_sql(c, COPY_SCORES("row"), COPY_SCORES("rowno")), DB_ARGS(DB_TEXT(filename)), NULL, err);
    if (st == OK)
        st = db_run(c, db_sql(c, COPY_VOTES("row"), COPY_VOTES("rowno")), DB_ARGS(DB_TEXT(filename)), NULL, err);
    return st;
}

#define SCORES_BACK(row)                                                                                               \
    "INSERT INTO scores (id, query_id, sticker_id, positives, negatives, created_us, modified_us)"                     \
    " SELECT c.id, c.query_id, s.id, c.positives, c.negatives, c.created_us, c.modified_us"                            \
    " FROM trash t JOIN trash_scores c ON c.trash = t." row " JOIN stickers s ON s.filename = t.filename"              \
    " WHERE t.filename = $1"

#define VOTES_BACK(row)                                                                                                \
    "INSERT INTO votes (voter, query_id, sticker_id, positive, created_us, modified_us)"                               \
    " SELECT v.voter, v.query_id, s.id, v.positive, v.created_us, v.modified_us"                                       \
    " FROM trash t JOIN trash_votes v ON v.trash = t." row " JOIN stickers s ON s.filename = t.filename"               \
    " WHERE t.filename = $1"

enum status sticker_trash_restore(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                                  struct error *err)
{
    int64_t emptied;
    bool found;
    enum status st = db_get_int(c, "SELECT emptied FROM trash WHERE filename = $1", DB_ARGS(DB_TEXT(s->filename)),
                                &emptied, &found, err);
    if (st == OK && (!found || emptied))
        return err_set(err, ERR_NOT_FOUND, "\"%s\" is no longer in the trash.", s->filename);
    if (st == OK)
        st = sticker_insert(c, s, terms, err);
    if (st == OK)
        st = db_run(c, db_sql(c, SCORES_BACK("row"), SCORES_BACK("rowno")), DB_ARGS(DB_TEXT(s->filename)), NULL, err);
    if (st == OK)
        st = db_run(c, db_sql(c, VOTES_BACK("row"), VOTES_BACK("rowno")), DB_ARGS(DB_TEXT(s->filename)), NULL, err);
    if (st == OK)
        st = db_run(c, "UPDATE stickers SET created_us = $2 WHERE filename = $1",
                    DB_ARGS(DB_TEXT(s->filename), DB_INT(s->created_us)), NULL, err);
    if (st == OK)
        st = sticker_trash_forget(c, s->filename, err);
    return st == OK ? sticker_tell(c, WEBHOOK_STICKER_RESTORED, s->filename, "", err) : st;
}

/* --- reads --- */

static void read_trashed(struct db_rows *r, struct arena *a, struct sticker *row)
{
    int at = 4;
    *row = (struct sticker){
        .id = db_text(r, 0, a), .filename = db_text(r, 1, a), .created_us = db_int(r, 2), .modified_us = db_int(r, 3)};
    STICKER_COLUMNS(DB_COLUMN_READ)
}

#define TRASHED_WORDS(row)                                                                                             \
    "SELECT w.language, w.words, w.title FROM trash t JOIN trash_words w ON w.trash = t." row                          \
    " WHERE t.filename = $1 ORDER BY w.language"

static enum status get_trashed(struct db_conn *c, const char *filename, struct arena *a, struct sticker *out,
                               struct error *err)
{
    struct db_rows r;
    void *words = NULL;
    size_t n = 0, cap = 0;
    *out = (struct sticker){0};
    db_query(&r, c, "SELECT " KEPT " FROM trash WHERE filename = $1", DB_ARGS(DB_TEXT(filename)), err);
    while (db_next(&r))
        read_trashed(&r, a, out);
    enum status st = db_end(&r);
    if (st != OK || !out->filename)
        return st == OK ? err_set(err, ERR_NOT_FOUND, "\"%s\" is not in the trash.", filename) : st;
    db_query(&r, c, db_sql(c, TRASHED_WORDS("row"), TRASHED_WORDS("rowno")), DB_ARGS(DB_TEXT(filename)), err);
    while (db_next(&r) && db_grow(&r, a, &words, n, &cap, sizeof(struct sticker_words)))
        ((struct sticker_words *)words)[n++] = (struct sticker_words){
            .language = db_text(&r, 0, a), .words = db_text(&r, 1, a), .title = db_text(&r, 2, a)};
    out->words = words;
    out->n_words = n;
    return db_end(&r);
}

enum status sticker_store_trash_get(struct sticker_store *s, const char *filename, struct arena *a, struct sticker *out,
                                    struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        st = get_trashed(c, filename, a, out, err);
        db_snapshot_end(c);
    }
    db_reader_done(s->db, c);
    return st;
}

/* --- emptying --- */

static enum status mark_job(struct db_conn *c, void *arg, struct error *err)
{
    return db_run(c, "UPDATE trash SET emptied = 1 WHERE deleted_us < $1 AND emptied = 0",
                  DB_ARGS(DB_INT(*(const int64_t *)arg)), NULL, err);
}

static void read_name(struct db_rows *r, struct arena *a, void *item)
{
    *(const char **)item = db_text(r, 0, a);
}

enum status sticker_store_trash_due(struct sticker_store *s, int64_t before_us, size_t limit, struct arena *a,
                                    const char ***filenames, size_t *n, struct error *err)
{
    void *names = NULL;
    enum status st = db_write(s->db, DB_DURABLE, mark_job, &before_us, err);
    if (st == OK)
        st = db_read_list(s->db, "SELECT filename FROM trash WHERE emptied = 1 ORDER BY filename LIMIT $1",
                          DB_ARGS(DB_INT(db_limit(limit))), read_name, sizeof(const char *), a, &names, n, err);
    *filenames = names;
    return st;
}

static enum status gone_job(struct db_conn *c, void *arg, struct error *err)
{
    int64_t gone = 0;
    enum status st = db_get_int(c, "SELECT emptied FROM trash WHERE filename = $1", DB_ARGS(DB_TEXT((const char *)arg)),
                                &gone, NULL, err);
    return st == OK && gone ? sticker_trash_forget(c, arg, err) : st;
}

enum status sticker_store_trash_gone(struct sticker_store *s, const char *filename, struct error *err)
{
    return db_write(s->db, DB_DURABLE, gone_job, (void *)(uintptr_t)filename, err);
}
