/* sticker_sqlite.h: the sticker store on SQLite, between its files; private to src/store. */
#ifndef PEEL_STORE_STICKER_SQLITE_H
#define PEEL_STORE_STICKER_SQLITE_H

#include "store/db.h"
#include "store/sticker_lists.h"
#include "store/store_ops.h"

struct sticker_sqlite {
    struct sticker_store base;
    struct db *db;
};
static inline struct db *sticker_db(struct sticker_store *s)
{
    return ((struct sticker_sqlite *)s)->db;
}

/* sticker_store_sqlite.c; inside a job */
enum status sticker_sqlite_sticker_add(struct db_conn *c, const struct sticker *s, const struct index_terms *terms,
                                       struct error *err) MUST_CHECK;
enum status sticker_sqlite_sticker_update(struct db_conn *c, const struct sticker *s, const struct index_terms *terms,
                                          struct error *err) MUST_CHECK;
enum status sticker_sqlite_sticker_delete(struct db_conn *c, const char *filename, struct error *err) MUST_CHECK;

/* sticker_feedback_sqlite.c: queries, usage, votes */
extern __typeof__(sticker_store_query_ensure) sticker_sqlite_query_ensure;
extern __typeof__(sticker_store_usage_add) sticker_sqlite_usage_add;
extern __typeof__(sticker_store_feedback_once) sticker_sqlite_feedback;
extern __typeof__(sticker_store_days) sticker_sqlite_days;
extern __typeof__(sticker_store_analytics) sticker_sqlite_analytics;
extern __typeof__(sticker_store_export) sticker_sqlite_export;
/* Inside a job: adds a query unless it exists, which *added tells; its words are found after queries_list. */
enum status sticker_sqlite_query_add(struct db_conn *c, const char *query, int64_t usage, bool *added,
                                     struct error *err) MUST_CHECK;
/* Inside a job: the words of all queries added since go to queries_fts. */
enum status sticker_sqlite_queries_list(struct db_conn *c, struct error *err) MUST_CHECK;
/* Inside a job: the words of one that is listed, by the number in its column `row`. */
enum status sticker_sqlite_query_index(struct db_conn *c, int64_t row, const char *query, struct error *err) MUST_CHECK;
enum status sticker_sqlite_query_unindex(struct db_conn *c, int64_t row, const char *query,
                                         struct error *err) MUST_CHECK;

/* sticker_users_sqlite.c: users and tokens */
extern __typeof__(sticker_store_user_add) sticker_sqlite_user_add;
extern __typeof__(sticker_store_user_get) sticker_sqlite_user_get;
extern __typeof__(sticker_store_user_passwd) sticker_sqlite_user_passwd;
extern __typeof__(sticker_store_user_delete) sticker_sqlite_user_delete;
extern __typeof__(sticker_store_user_list) sticker_sqlite_user_list;
extern __typeof__(sticker_store_token_add) sticker_sqlite_token_add;
extern __typeof__(sticker_store_token_list) sticker_sqlite_token_list;
extern __typeof__(sticker_store_token_revoke) sticker_sqlite_token_revoke;
extern __typeof__(sticker_store_token_user) sticker_sqlite_token_user;

/* sticker_outbox_sqlite.c: what SearchService has still to hear */
extern __typeof__(sticker_store_outbox_next) sticker_sqlite_outbox_next;
extern __typeof__(sticker_store_outbox_done) sticker_sqlite_outbox_done;
extern __typeof__(sticker_store_outbox_failed) sticker_sqlite_outbox_failed;
extern __typeof__(sticker_store_outbox_refill) sticker_sqlite_outbox_refill;
extern __typeof__(sticker_store_outbox_oldest) sticker_sqlite_outbox_oldest;
/* Inside a job: queues `op` for the sticker, in the place of an older entry. */
enum status sticker_sqlite_outbox_queue(struct db_conn *c, const char *op, const char *filename,
                                        struct error *err) MUST_CHECK;

/* sticker_admin_session_sqlite.c: who is logged in, and who tried to */
extern __typeof__(sticker_store_session_add) sticker_sqlite_session_add;
extern __typeof__(sticker_store_session_get) sticker_sqlite_session_get;
extern __typeof__(sticker_store_session_end) sticker_sqlite_session_end;
extern __typeof__(sticker_store_login_try) sticker_sqlite_login_try;
extern __typeof__(sticker_store_login_succeeded) sticker_sqlite_login_succeeded;

/* sticker_admin_tables_sqlite.c: what the lists are; @ stands for the search as FTS5 wants it. */
const struct list_table *sticker_sqlite_list(const char *name); /* asserts that there is one */

/* sticker_admin_lists_sqlite.c: pages of them; sticker_admin_changes_sqlite.c: changing them */
extern __typeof__(sticker_store_list_page) sticker_sqlite_list_page;
extern __typeof__(sticker_store_list_row) sticker_sqlite_list_row;
extern __typeof__(sticker_store_list_values) sticker_sqlite_list_values;
extern __typeof__(sticker_store_list_goes) sticker_sqlite_list_goes;
extern __typeof__(sticker_store_change) sticker_sqlite_change;

#endif
