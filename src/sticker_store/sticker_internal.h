/* sticker_internal.h: the sticker store, between its files; private to src/sticker_store. */
#ifndef PEEL_STICKER_STORE_STICKER_INTERNAL_H
#define PEEL_STICKER_STORE_STICKER_INTERNAL_H

#include "db/db.h"
#include "fts/fts.h"
#include "sticker_store/sticker_admin.h"
#include "sticker_store/sticker_events.h"
#include "sticker_store/sticker_learn.h"
#include "sticker_store/sticker_lists.h"
#include "sticker_store/sticker_store.h"
#include "sticker_store/sticker_webhooks.h"

struct sticker_store {
    struct db *db;
    const struct admin_who *who; /* see sticker_store_act_as */
    struct db_counted stickers, queries, pending;
    struct recall *recall;
};

extern const struct db_schema sticker_schema_sqlite, sticker_schema_postgres;
extern const struct fts_table sticker_fts;

/* sticker_recall.c: stickers in memory. */
enum status sticker_recall_open(struct recall **out, struct error *err) MUST_CHECK;
void sticker_recall_close(struct recall *r); /* NULL is fine */
/* As db_write, durable, for jobs that change stickers: none that were kept in memory before are given from then on. */
enum status sticker_write(struct sticker_store *s, db_job *job, void *arg, struct error *err) MUST_CHECK;

/* sticker_store.c; inside a job. Who changes stickers comes first to `sticker_alone`: writers of words would meet at
 * the word index's totals anyway, and so they cannot deadlock. */
enum status sticker_alone(struct db_conn *c, struct error *err) MUST_CHECK;
/* What the sticker is found by, in the place of what it was. */
enum status sticker_put_terms(struct db_conn *c, int64_t row, const struct sticker_terms *terms,
                              struct error *err) MUST_CHECK;
/* The same by filename. A job that writes several stickers writes them without terms (NULL below), and then the terms
 * of all: before each new row SQLite would write the words that FTS5 has gathered so far, which takes longer than all
 * else. */
enum status sticker_put_terms_of(struct db_conn *c, const char *filename, const struct sticker_terms *terms,
                                 struct error *err) MUST_CHECK;
/* The row, its words and its outbox entry. ERR_CONFLICT. */
enum status sticker_insert(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                           struct error *err) MUST_CHECK;
/* The same for a new sticker: one of its name leaves the trash for good. */
enum status sticker_add(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                        struct error *err) MUST_CHECK;
enum status sticker_update(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                           struct error *err) MUST_CHECK;
/* The same, but not of one that was modified after seen_us, or is gone. */
enum status sticker_update_seen(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                                int64_t seen_us, bool *updated, struct error *err) MUST_CHECK;
/* Its image is another one: of `image` only the columns STICKER_IMAGE and STICKER_BOTH count, and its look. */
enum status sticker_update_image(struct db_conn *c, const char *filename, const struct sticker *image,
                                 struct error *err) MUST_CHECK;
/* Moves it to the trash with its words and votes, deletes its pins, and queues an outbox "delete". The username of a
 * program is "". */
enum status sticker_delete(struct db_conn *c, const char *filename, const struct admin_who *who,
                           struct error *err) MUST_CHECK;

/* sticker_looks.c; inside a job. Replaces what the sticker of that row looks like, s->look; NULL: it is not known. */
enum status sticker_put_look(struct db_conn *c, int64_t row, const struct sticker *s, struct error *err) MUST_CHECK;

/* sticker_trash.c; inside a job. A copy of the sticker, its words and votes. */
enum status sticker_trash_put(struct db_conn *c, const char *filename, const char *by, struct error *err) MUST_CHECK;
/* The sticker is what it was, with its votes. ERR_CONFLICT: there is another of its name. */
enum status sticker_trash_restore(struct db_conn *c, const struct sticker *s, const struct sticker_terms *terms,
                                  struct error *err) MUST_CHECK;
enum status sticker_trash_forget(struct db_conn *c, const char *filename, struct error *err) MUST_CHECK;

/* sticker_packs.c; inside a job: a change of the list "packs". */
enum status sticker_change_pack(struct db_conn *c, const struct admin_change *ch, struct error *err) MUST_CHECK;
/* This sticker leaves the trash: if it was the last one of its pack, in the trash or out of it, what is said of the
 * pack is deleted. */
enum status sticker_pack_forget(struct db_conn *c, const char *filename, struct error *err) MUST_CHECK;

/* sticker_feedback.c. What a search at that time adds to its query's column `trend`, which orders queries by
 * popularity.
 */
double sticker_trend_weight(int64_t now_us);
/* Inside a job. Adds a query unless it exists, which *added tells; its words are found after sticker_queries_list. */
enum status sticker_query_add(struct db_conn *c, const char *query, int64_t usage, bool *added,
                              struct error *err) MUST_CHECK;
/* Inside a job. The words of all queries added since. */
enum status sticker_queries_list(struct db_conn *c, struct error *err) MUST_CHECK;
/* sticker_noted.c; inside a job. All queries that are noted are among the others then, with no usage if they were not
 * there, and listed. Who deletes queries settles first, so that none comes back with its counts. */
enum status sticker_notes_settle(struct db_conn *c, struct error *err) MUST_CHECK;
/* Inside a job. Takes the note of a query away; *there: nobody else has done so, by settling or deleting the query. */
enum status sticker_note_take(struct db_conn *c, const struct query_usage *row, bool *there,
                              struct error *err) MUST_CHECK;
/* Inside a job. The words of a listed query, by its id, leave the search, and come back as those of `to` (NULL: they do
 * not). */
enum status sticker_query_words_move(struct db_conn *c, const char *id, const char *to, struct error *err) MUST_CHECK;
/* Room to count votes in; made outside of the job, which may run again. */
struct feedback_room;
enum status sticker_feedback_room(size_t entries, size_t votes, struct arena *a, struct feedback_room **out,
                                  struct error *err) MUST_CHECK;
/* Inside a job. Counts the votes of entries whose queries are there; what is for unknown stickers counts nothing. */
enum status sticker_count_votes(struct db_conn *c, const struct feedback_entry *entries, size_t n,
                                struct feedback_room *room, struct error *err) MUST_CHECK;
/* Inside a job, before all else. *ours: the key of the request is this transaction's, and what it keeps of its answer
 * is "". Else the request came before, or another did with this key; once->was says so, and that is ERR_CONFLICT. */
enum status sticker_once_begin(struct db_conn *c, struct feedback_once *once, bool *ours, struct error *err) MUST_CHECK;
/* Inside a job. The sticker's id, "" when there is none. */
enum status sticker_find_id(struct db_conn *c, const char *filename, char id[37], struct error *err) MUST_CHECK;

/* sticker_events.c; inside a job. Makes PostgreSQL's partitions for the searches of a day, and their events, unless
 * they are there. */
enum status sticker_events_day(struct db_conn *c, int64_t day, struct error *err) MUST_CHECK;
/* Inside a job. A vote that was counted becomes an event: first its search, once for all votes of the entry. */
enum status sticker_log_search(struct db_conn *c, const struct feedback_entry *e, int64_t now_us,
                               struct error *err) MUST_CHECK;
enum status sticker_log_vote(struct db_conn *c, const struct feedback_entry *e, enum event_action action,
                             const char *sticker, int64_t now_us, struct error *err) MUST_CHECK;
/* The rank at which a search showed the sticker of this id; 0: it did not. */
int64_t sticker_rank_shown(const struct search_row *search, const char *sticker_id);

/* sticker_learn.c, sticker_evidence.c; inside a job. Adds to a number. The log has all votes from then on. There is
 * something new to learn of a query; "" for what is true of all. */
enum status sticker_learn_count(struct db_conn *c, enum learn_number which, int64_t more, struct error *err) MUST_CHECK;
/* Deletes ballots, which are among all votes no more. sql: LEARN_DROP of a condition. */
#define LEARN_UNCOUNT(number, votes, where)                                                                            \
    "UPDATE learning SET value = value - (SELECT count(*) FROM ballots WHERE " votes " AND " where                     \
    ") WHERE key = '" number "'"
#define LEARN_DROP(where)                                                                                              \
    {                                                                                                                  \
        LEARN_UNCOUNT("ups", "vote > 0", where), LEARN_UNCOUNT("downs", "vote < 0", where),                            \
            "DELETE FROM ballots WHERE " where                                                                         \
    }
enum status sticker_learn_drop(struct db_conn *c, const char *const sql[3], const struct db_arg *args, size_t n_args,
                               struct error *err) MUST_CHECK;
enum status sticker_learn_since(struct db_conn *c, int64_t since_us, struct error *err) MUST_CHECK;
enum status sticker_learn_due(struct db_conn *c, const char *query, struct error *err) MUST_CHECK;

/* sticker_webhooks.c; inside the job of the change. Writes the event down for each webhook that wants it; `data` as
 * struct webhook_delivery has it. */
enum status sticker_tell(struct db_conn *c, enum webhook_event event, const char *object, const char *data,
                         struct error *err) MUST_CHECK;

/* sticker_outbox.c; inside a job. Queues `op` for the sticker, in the place of an older entry. */
enum status sticker_outbox_queue(struct db_conn *c, const char *op, const char *filename, struct error *err) MUST_CHECK;

/* sticker_admin_changes.c. Inside a job: the history entry of what `who` did, if that is not NULL. */
enum status sticker_note(struct db_conn *c, const struct admin_who *who, enum change_op op, const char *list,
                         const char *object, const char *after, struct error *err) MUST_CHECK;
/* Writes durably, with that entry by whom the store acts as. `after` may be NULL for want of memory. */
enum status sticker_write_noted(struct sticker_store *s, db_job *job, void *arg, enum change_op op, const char *list,
                                const char *object, const char *after, struct error *err) MUST_CHECK;
/* Inside a job. Selects modified_us by $1, and keeps the row as it is until the transaction
 * ends. */
#define STICKER_SEEN(c, table, key)                                                                                    \
    db_sql(c, "SELECT modified_us FROM " table " WHERE " key " = $1",                                                  \
           "SELECT modified_us FROM " table " WHERE " key " = $1 FOR UPDATE")
/* The row is there, and as it was when the person saw it. `sql` is a STICKER_SEEN. */
enum status sticker_check_seen(struct db_conn *c, const char *sql, const struct admin_change *ch,
                               struct error *err) MUST_CHECK;

/* sticker_history.c; inside a job, but for the last. Who will add entries comes here before anything else is locked, so
 * that no two transactions wait for each other. */
enum status sticker_history_begin(struct db_conn *c, struct error *err) MUST_CHECK;
/* Adds the history entry of a change. */
enum status sticker_note_change(struct db_conn *c, const struct admin_who *who, const struct admin_change *ch,
                                struct error *err) MUST_CHECK;
/* What erasing leaves: in the place of a text, and at the beginning of a username. */
#define HISTORY_ERASED      "(erased)"
#define HISTORY_ERASED_USER "erased-"
/* SQL by which an entry's proof loses its salt. */
#define HISTORY_UNSALTED(proof) proof " = substr(" proof ", length(" proof ") - 63)"
/* Begins the chain where there is none yet. */
enum status sticker_history_open(struct sticker_store *s, struct error *err) MUST_CHECK;

/* sticker_curation.c; inside a job: a change of the lists "pins" and "synonyms". */
enum status sticker_change_curation(struct db_conn *c, const struct admin_change *ch, struct error *err) MUST_CHECK;
/* Deletes all pins of the sticker, each with its history entry. */
enum status sticker_unpin(struct db_conn *c, const char *filename, const struct admin_who *who,
                          struct error *err) MUST_CHECK;

/* sticker_admin_tables.c */
const struct list_table *sticker_list(const char *name); /* asserts that there is one */

#endif
