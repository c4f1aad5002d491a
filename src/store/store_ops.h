/* store_ops.h: what a backend fills in; private to src/store. A backend's handle begins with a
 * `struct sticker_store` or `struct search_store`, and each entry has the type of the public function
 * of that name (see sticker_store.h, search_store.h). */
#ifndef PEEL_STORE_STORE_OPS_H
#define PEEL_STORE_STORE_OPS_H

#include "base/metric.h"
#include "base/os.h"
#include "store/search_store.h"
#include "store/sticker_admin.h"
#include "store/sticker_store.h"
#include <stdatomic.h>

/* How long calls took, whatever the backend, and how many failed for the database's sake (it is away, full, broken),
 * not for what was asked; waiting for a connection or for the writer's turn is in it. */
struct store_calls {
    struct metric_times took;
    _Atomic uint64_t failed;
};
struct store_times {
    struct store_calls read, write;
};
#define STORE_TIMED_READ  read
#define STORE_TIMED_WRITE write
/* Ends the calling function with the call's status. */
#define STORE_TIMED(kind, store, call)                                                                                 \
    do {                                                                                                               \
        int64_t began_us = os_monotonic_us();                                                                          \
        enum status timed_status = (call);                                                                             \
        store_timed(&(store)->times.STORE_TIMED_##kind, began_us, timed_status);                                       \
        return timed_status;                                                                                           \
    } while (0)
void store_timed(struct store_calls *calls, int64_t began_us, enum status status);
void store_times_write(const struct store_times *t, const char *prefix, struct buf *out);

struct sticker_store_ops {
    __typeof__(sticker_store_close) *close; /* never called with NULL */
    __typeof__(sticker_store_ping) *ping;
    __typeof__(sticker_store_add) *add;
    __typeof__(sticker_store_update) *update;
    __typeof__(sticker_store_update_unmodified) *update_unmodified;
    __typeof__(sticker_store_delete) *remove;
    __typeof__(sticker_store_get) *get;
    __typeof__(sticker_store_get_many) *get_many;
    __typeof__(sticker_store_list) *list;
    __typeof__(sticker_store_count) *count;
    __typeof__(sticker_store_search) *search;
    __typeof__(sticker_store_query_ensure) *query_ensure;
    __typeof__(sticker_store_usage_add) *usage_add;
    __typeof__(sticker_store_feedback_once) *feedback;
    __typeof__(sticker_store_days) *days;
    __typeof__(sticker_store_analytics) *analytics;
    __typeof__(sticker_store_export) *export_page;
    __typeof__(sticker_store_user_add) *user_add;
    __typeof__(sticker_store_user_get) *user_get;
    __typeof__(sticker_store_user_passwd) *user_passwd;
    __typeof__(sticker_store_user_delete) *user_delete;
    __typeof__(sticker_store_user_list) *user_list;
    __typeof__(sticker_store_token_add) *token_add;
    __typeof__(sticker_store_token_list) *token_list;
    __typeof__(sticker_store_token_revoke) *token_revoke;
    __typeof__(sticker_store_token_user) *token_user;
    __typeof__(sticker_store_outbox_next) *outbox_next;
    __typeof__(sticker_store_outbox_done) *outbox_done;
    __typeof__(sticker_store_outbox_failed) *outbox_failed;
    __typeof__(sticker_store_outbox_refill) *outbox_refill;
    __typeof__(sticker_store_outbox_oldest) *outbox_oldest; /* NULL: unsupported */
    __typeof__(sticker_store_session_add) *session_add;
    __typeof__(sticker_store_session_get) *session_get;
    __typeof__(sticker_store_session_end) *session_end;
    __typeof__(sticker_store_login_try) *login_try;
    __typeof__(sticker_store_login_succeeded) *login_succeeded;
    __typeof__(sticker_store_list_page) *list_page;
    __typeof__(sticker_store_list_row) *list_row;
    __typeof__(sticker_store_list_values) *list_values;
    __typeof__(sticker_store_list_goes) *list_goes;
    __typeof__(sticker_store_change) *change;
};
struct sticker_store {
    const struct sticker_store_ops *ops;
    struct store_times times;
};

struct search_store_ops {
    __typeof__(search_store_close) *close; /* never called with NULL */
    __typeof__(search_store_ping) *ping;
    __typeof__(search_store_put) *put;
    __typeof__(search_store_delete) *remove;
    __typeof__(search_store_get) *get;
    __typeof__(search_store_count) *count;
    __typeof__(search_store_documents) *documents;
    __typeof__(search_store_filenames) *filenames;
    __typeof__(search_store_document_page) *document_page;
    __typeof__(search_store_lexical) *lexical;
    __typeof__(search_store_vectors_put) *vectors_put;
    __typeof__(search_store_vectors_page) *vectors_page;
    __typeof__(search_store_vectors_count) *vectors_count;
    __typeof__(search_store_vectors_progress) *vectors_progress;
    __typeof__(search_store_unindexed) *unindexed;
    __typeof__(search_store_vector_failed) *vector_failed;
    __typeof__(search_store_failures_drop) *failures_drop;
    __typeof__(search_store_document_forget) *document_forget;
    __typeof__(search_store_vectors_drop) *vectors_drop;
    __typeof__(search_store_generation) *generation;
    __typeof__(search_store_changes) *changes;
    __typeof__(search_store_vectors_get) *vectors_get;
    __typeof__(search_store_vectors_searchable) *vectors_searchable; /* these three NULL: unsupported */
    __typeof__(search_store_vectors_index) *vectors_index;
    __typeof__(search_store_vectors_search) *vectors_search;
    __typeof__(search_store_vectors_generation) *vectors_generation;
    __typeof__(search_store_setting_get) *setting_get;
    __typeof__(search_store_setting_set) *setting_set;
};
struct search_store {
    const struct search_store_ops *ops;
    struct store_times times;
};

/* Backends. `readers` is within 1..64. */
extern __typeof__(sticker_store_open) sticker_store_sqlite_open;
extern __typeof__(sticker_store_open) sticker_store_postgres_open;
extern __typeof__(search_store_open) search_store_sqlite_open;
extern __typeof__(search_store_open) search_store_postgres_open;

/* Is it one of PostgreSQL's? */
bool store_is_postgres(const char *url);
/* OK for a SQLite file path or a PostgreSQL URL; ERR_UNSUPPORTED naming the scheme of anything else; ERR_INVALID. */
enum status store_check_url(const char *url, unsigned readers, struct error *err) MUST_CHECK;

#endif
