/* sticker_postgres.h: the sticker store on PostgreSQL, between its files; private to src/store. */
#ifndef PEEL_STORE_STICKER_POSTGRES_H
#define PEEL_STORE_STICKER_POSTGRES_H

#include "store/db.h"
#include "store/sticker_lists.h"
#include "store/store_ops.h"

struct sticker_postgres {
    struct sticker_store base;
    struct db *db;
};
static inline struct db *sticker_db(struct sticker_store *s)
{
    return ((struct sticker_postgres *)s)->db;
}

/* sticker_store_postgres.c; inside a job. Who changes stickers comes first to `alone`: writers of words would meet at
 * the word index's totals anyway, and so they cannot deadlock. */
enum status sticker_postgres_alone(struct db_conn *c, struct error *err) MUST_CHECK;
enum status sticker_postgres_sticker_add(struct db_conn *c, const struct sticker *s, const struct index_terms *terms,
                                         struct error *err) MUST_CHECK;
enum status sticker_postgres_sticker_update(struct db_conn *c, const struct sticker *s, const struct index_terms *terms,
                                            struct error *err) MUST_CHECK;
enum status sticker_postgres_sticker_delete(struct db_conn *c, const char *filename, struct error *err) MUST_CHECK;

/* sticker_feedback_postgres.c: queries, usage, votes */
extern __typeof__(sticker_store_query_ensure) sticker_postgres_query_ensure;
extern __typeof__(sticker_store_usage_add) sticker_postgres_usage_add;
extern __typeof__(sticker_store_feedback_once) sticker_postgres_feedback;
extern __typeof__(sticker_store_days) sticker_postgres_days;
extern __typeof__(sticker_store_analytics) sticker_postgres_analytics;
extern __typeof__(sticker_store_export) sticker_postgres_export;
/* Inside a job: adds a query unless it exists, which *added tells. */
enum status sticker_postgres_query_add(struct db_conn *c, const char *query, int64_t usage, bool *added,
                                       struct error *err) MUST_CHECK;

/* sticker_users_postgres.c: users and tokens */
extern __typeof__(sticker_store_user_add) sticker_postgres_user_add;
extern __typeof__(sticker_store_user_get) sticker_postgres_user_get;
extern __typeof__(sticker_store_user_passwd) sticker_postgres_user_passwd;
extern __typeof__(sticker_store_user_delete) sticker_postgres_user_delete;
extern __typeof__(sticker_store_user_list) sticker_postgres_user_list;
extern __typeof__(sticker_store_token_add) sticker_postgres_token_add;
extern __typeof__(sticker_store_token_list) sticker_postgres_token_list;
extern __typeof__(sticker_store_token_revoke) sticker_postgres_token_revoke;
extern __typeof__(sticker_store_token_user) sticker_postgres_token_user;

/* sticker_outbox_postgres.c: what SearchService has still to hear */
extern __typeof__(sticker_store_outbox_next) sticker_postgres_outbox_next;
extern __typeof__(sticker_store_outbox_done) sticker_postgres_outbox_done;
extern __typeof__(sticker_store_outbox_failed) sticker_postgres_outbox_failed;
extern __typeof__(sticker_store_outbox_refill) sticker_postgres_outbox_refill;
extern __typeof__(sticker_store_outbox_oldest) sticker_postgres_outbox_oldest;
/* Inside a job: queues `op` for the sticker, in the place of an older entry. */
enum status sticker_postgres_outbox_queue(struct db_conn *c, const char *op, const char *filename,
                                          struct error *err) MUST_CHECK;

/* sticker_admin_session_postgres.c: who is logged in, and who tried to */
extern __typeof__(sticker_store_session_add) sticker_postgres_session_add;
extern __typeof__(sticker_store_session_get) sticker_postgres_session_get;
extern __typeof__(sticker_store_session_end) sticker_postgres_session_end;
extern __typeof__(sticker_store_login_try) sticker_postgres_login_try;
extern __typeof__(sticker_store_login_succeeded) sticker_postgres_login_succeeded;

/* sticker_admin_tables_postgres.c: what the lists are; # stands for the search as to_tsquery wants it. */
const struct list_table *sticker_postgres_list(const char *name); /* asserts that there is one */

/* sticker_admin_lists_postgres.c: pages of them; sticker_admin_changes_postgres.c: changing them */
extern __typeof__(sticker_store_list_page) sticker_postgres_list_page;
extern __typeof__(sticker_store_list_row) sticker_postgres_list_row;
extern __typeof__(sticker_store_list_values) sticker_postgres_list_values;
extern __typeof__(sticker_store_list_goes) sticker_postgres_list_goes;
extern __typeof__(sticker_store_change) sticker_postgres_change;

#endif
