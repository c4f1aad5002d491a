/* sticker_noted.c: queries that were searched and are not among the queries yet.
 *
 * A query has a dozen indexes and its words are found by a search of their own, so that adding one costs more than the
 * search did. A search is answered once its query is noted here: one row behind the last. The next flush of the counts
 * adds many queries at once, with their counts, and takes their notes away; whoever needs a query before that settles
 * the notes first. What a note says is therefore as good as a row of `queries`, for all processes and after a crash. */
#include "sticker_store/sticker_internal.h"

#include <string.h>

#define SETTLE_BATCH 500 /* queries that are in memory at once */

struct note_job {
    struct query_usage *rows;
    size_t n;
};

static enum status note_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct note_job *job = arg;
    enum status st = OK;
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = db_get_int(c, "INSERT INTO noted_queries (query) VALUES ($1) RETURNING rowno",
                        DB_ARGS(DB_TEXT(job->rows[i].query)), &job->rows[i].note, NULL, err);
    return st;
}

enum status sticker_store_queries_note(struct sticker_store *s, struct query_usage *rows, size_t n, struct error *err)
{
    enum status st = db_write(s->db, DB_FAST, note_job, &(struct note_job){rows, n}, err);
    for (size_t i = 0; i < n && st != OK; i++)
        rows[i].note = 0;
    return st;
}

/* SQLite gives the number of a note that is gone to another one: so the query decides, too. */
enum status sticker_note_take(struct db_conn *c, const struct query_usage *row, bool *there, struct error *err)
{
    int64_t changed = 0;
    enum status st = db_run(c, "DELETE FROM noted_queries WHERE rowno = $1 AND query = $2",
                            DB_ARGS(DB_INT(row->note), DB_TEXT(row->query)), &changed, err);
    *there = changed > 0;
    return st;
}

/* In PostgreSQL the notes are deleted first, as sticker_note_take does: whoever else has taken one is waited for, so
 * that its query is there afterwards. */
static enum status take_some(struct db_conn *c, struct arena *a, const char **queries, size_t *n, struct error *err)
{
    struct db_rows r;
    *n = 0;
    db_query(&r, c,
             "DELETE FROM noted_queries WHERE rowno IN (SELECT rowno FROM noted_queries ORDER BY rowno LIMIT $1)"
             " RETURNING query",
             DB_ARGS(DB_INT(SETTLE_BATCH)), err);
    while (db_next(&r) && *n < SETTLE_BATCH)
        queries[(*n)++] = db_text(&r, 0, a);
    return db_end(&r);
}

enum status sticker_notes_settle(struct db_conn *c, struct error *err)
{
    struct arena a;
    enum status st;
    size_t n;
    arena_init(&a, 1u << 20);
    do {
        const char *queries[SETTLE_BATCH];
        st = take_some(c, &a, queries, &n, err);
        for (size_t i = 0; i < n && st == OK; i++) {
            bool added;
            st = sticker_query_add(c, queries[i], 0, &added, err);
        }
        arena_reset(&a);
    } while (st == OK && n);
    arena_free(&a);
    return st == OK ? sticker_queries_list(c, err) : st;
}

static enum status settle_job(struct db_conn *c, void *arg, struct error *err)
{
    (void)arg;
    return sticker_notes_settle(c, err);
}

enum status sticker_store_queries_settle(struct sticker_store *s, struct error *err)
{
    return db_write(s->db, DB_FAST, settle_job, NULL, err);
}
