/* sticker_log.c: the log and the votes of known voters, as exports read them whole. */
#include "sticker_store/sticker_events.h"

#include "sticker_store/sticker_internal.h"

#include <string.h>

/* A number is given before its row can be seen: on PostgreSQL whoever has one and has not committed is waited for. */
static enum status end_job(struct db_conn *c, void *arg, struct error *err)
{
    enum status st = db_lock(c, "LOCK TABLE events IN SHARE MODE", err);
    return st == OK ? db_get_int(c, "SELECT coalesce(max(rowno), 0) FROM events", DB_NONE, arg, NULL, err) : st;
}

enum status sticker_store_events_end(struct sticker_store *s, int64_t *row, struct error *err)
{
    return db_write(s->db, DB_FAST, end_job, row, err);
}

static void read_search(struct db_rows *r, struct arena *a, void *item)
{
    struct logged_search *q = item;
    size_t id_len, len;
    *q = (struct logged_search){.row = db_int(r, 0)};
    const void *id = db_bytes(r, 1, &id_len);
    if (id_len == STORE_SEARCH_ID)
        memcpy(q->id, id, id_len);
    q->search = (struct search_row){.id = q->id,
                                    .made_us = db_int(r, 2),
                                    .query = db_text(r, 3, a),
                                    .language = db_text(r, 4, a),
                                    .ranking = db_text(r, 5, a),
                                    .offset = db_int(r, 6)};
    const void *shown = db_bytes(r, 7, &len);
    unsigned char *copy = arena_alloc(a, len + 1);
    if (!copy || !shown)
        return; /* none is shown */
    memcpy(copy, shown, len);
    q->search.shown = copy;
    q->search.n = len / STORE_TAG;
}

enum status sticker_store_searches_list(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                                        struct logged_search **out, size_t *n, struct error *err)
{
    void *searches;
    enum status st =
        db_read_list(s->db,
                     "SELECT rowno, id, made_us, query, language, ranking, shift, shown FROM searches"
                     " WHERE rowno > $1 ORDER BY rowno LIMIT $2",
                     DB_ARGS(DB_INT(after), DB_INT(db_limit(limit))), read_search, sizeof **out, a, &searches, n, err);
    *out = searches;
    for (size_t i = 0; st == OK && i < *n; i++)
        (*out)[i].search.id = (*out)[i].id; /* the list may have moved while it grew */
    return st;
}

static void read_ballot(struct db_rows *r, struct arena *a, void *item)
{
    *(struct ballot_row *)item = (struct ballot_row){
        .voter = db_text(r, 0, a),
        .query_id = db_text(r, 1, a),
        .sticker_id = db_text(r, 2, a),
        .query = db_text(r, 3, a),
        .sticker = db_text(r, 4, a),
        .positive = db_int(r, 5) != 0,
    };
}

enum status sticker_store_ballots_list(struct sticker_store *s, const struct ballot_row *after, size_t limit,
                                       struct arena *a, struct ballot_row **out, size_t *n, struct error *err)
{
    void *ballots;
    enum status st = db_read_list(
        s->db,
        "SELECT v.voter, v.query_id, v.sticker_id, q.query, k.filename, v.positive FROM votes v"
        " JOIN queries q ON q.id = v.query_id JOIN stickers k ON k.id = v.sticker_id"
        " WHERE (v.voter, v.query_id, v.sticker_id) > ($1, $2, $3) ORDER BY v.voter, v.query_id, v.sticker_id LIMIT $4",
        DB_ARGS(DB_TEXT(after ? after->voter : ""), DB_TEXT(after ? after->query_id : ""),
                DB_TEXT(after ? after->sticker_id : ""), DB_INT(db_limit(limit))),
        read_ballot, sizeof **out, a, &ballots, n, err);
    *out = ballots;
    return st;
}
