/* sticker_store.c: picks the backend by URL, and hands every call to it. */
#include "store/store_ops.h"

#include "base/utf8.h"
#include <stdio.h>
#include <string.h>

bool store_is_postgres(const char *url)
{
    return strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0;
}

enum status store_check_url(const char *url, unsigned readers, struct error *err)
{
    if (!*url)
        return err_set(err, ERR_INVALID, "the database URL is empty, expected a file path");
    const char *colon = strstr(url, "://");
    if (colon && !store_is_postgres(url))
        return err_set(err, ERR_UNSUPPORTED,
                       "database URL scheme \"%.*s\" is not supported, expected a file path or postgresql://",
                       colon - url < 32 ? (int)(colon - url) : 32, url);
    if (readers < 1 || readers > 64)
        return err_set(err, ERR_INVALID, "%u read connections, expected 1 to 64", readers);
    return OK;
}

enum status store_check_filename(const char *filename, struct error *err)
{
    size_t len = strlen(filename);
    if (len == 0)
        return err_set(err, ERR_INVALID, "a filename must not be empty");
    if (!utf8_valid(filename, len))
        return err_set(err, ERR_INVALID, "a filename must be valid UTF-8");
    if (utf8_has_control(filename, len))
        return err_set(err, ERR_INVALID, "a filename must not contain control characters");
    if (len > STORE_MAX_FILENAME)
        return err_set(err, ERR_INVALID, "a filename must not have more than %d bytes, found %zu", STORE_MAX_FILENAME,
                       len);
    if (strpbrk(filename, "/\\"))
        return err_set(err, ERR_INVALID, "filename \"%s\" must not contain a slash or a backslash", filename);
    if (filename[0] == '.')
        return err_set(err, ERR_INVALID, "filename \"%s\" must not start with a dot", filename);
    return OK;
}

enum status sticker_store_open(const char *url, unsigned readers, struct sticker_store **out, struct error *err)
{
    enum status st = store_check_url(url, readers, err);
    if (st != OK)
        return st;
    return store_is_postgres(url) ? sticker_store_postgres_open(url, readers, out, err)
                                  : sticker_store_sqlite_open(url, readers, out, err);
}

void sticker_store_close(struct sticker_store *s)
{
    if (s)
        s->ops->close(s);
}

enum status sticker_store_ping(struct sticker_store *s, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->ping(s, err));
}

enum status sticker_store_add(struct sticker_store *s, const struct sticker *stickers, const struct index_terms *terms,
                              size_t n, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->add(s, stickers, terms, n, err));
}

enum status sticker_store_update(struct sticker_store *s, const struct sticker *sticker,
                                 const struct index_terms *terms, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->update(s, sticker, terms, err));
}

enum status sticker_store_update_unmodified(struct sticker_store *s, const struct sticker *stickers,
                                            const struct index_terms *terms, size_t n, size_t *updated,
                                            struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->update_unmodified(s, stickers, terms, n, updated, err));
}

enum status sticker_store_delete(struct sticker_store *s, const char *filename, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->remove(s, filename, err));
}

enum status sticker_store_get(struct sticker_store *s, const char *filename, struct arena *a, struct sticker *out,
                              struct error *err)
{
    STORE_TIMED(READ, s, s->ops->get(s, filename, a, out, err));
}

enum status sticker_store_get_many(struct sticker_store *s, const char *const *filenames, size_t n, struct arena *a,
                                   struct sticker *out, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->get_many(s, filenames, n, a, out, err));
}

enum status sticker_store_list(struct sticker_store *s, const char *after, size_t limit, struct arena *a,
                               struct sticker **out, size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->list(s, after, limit, a, out, n, err));
}

enum status sticker_store_count(struct sticker_store *s, int64_t *stickers, int64_t *queries, int64_t *pending,
                                struct error *err)
{
    STORE_TIMED(READ, s, s->ops->count(s, stickers, queries, pending, err));
}

enum status sticker_store_search(struct sticker_store *s, const struct index_query *q, size_t limit, size_t offset,
                                 struct arena *a, struct store_hit **hits, size_t *n, int64_t *total, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->search(s, q, limit, offset, a, hits, n, total, err));
}

enum status sticker_store_query_ensure(struct sticker_store *s, const char *query, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->query_ensure(s, query, err));
}

enum status sticker_store_usage_add(struct sticker_store *s, const struct query_usage *rows, size_t n,
                                    struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->usage_add(s, rows, n, err));
}

enum status sticker_store_days(struct sticker_store *s, int64_t from, int64_t to, struct arena *a,
                               struct day_row **rows, size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->days(s, from, to, a, rows, n, err));
}

enum status sticker_store_feedback(struct sticker_store *s, const struct feedback_entry *entries, size_t n,
                                   struct arena *a, const char ***failed, size_t *n_failed, struct error *err)
{
    return sticker_store_feedback_once(s, entries, n, NULL, a, failed, n_failed, err);
}

enum status sticker_store_feedback_once(struct sticker_store *s, const struct feedback_entry *entries, size_t n,
                                        struct feedback_once *once, struct arena *a, const char ***failed,
                                        size_t *n_failed, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->feedback(s, entries, n, once, a, failed, n_failed, err));
}

enum status sticker_store_analytics(struct sticker_store *s, const char *query, struct arena *a, int64_t *usage,
                                    struct score_row **rows, size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->analytics(s, query, a, usage, rows, n, err));
}

enum status sticker_store_export(struct sticker_store *s, int64_t since_us, const char *after_query,
                                 const char *after_sticker, size_t limit, struct arena *a, struct score_row **rows,
                                 size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->export_page(s, since_us, after_query, after_sticker, limit, a, rows, n, err));
}

enum status sticker_store_user_add(struct sticker_store *s, const struct user *u, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->user_add(s, u, err));
}

enum status sticker_store_user_get(struct sticker_store *s, const char *username, struct arena *a, struct user *out,
                                   struct error *err)
{
    STORE_TIMED(READ, s, s->ops->user_get(s, username, a, out, err));
}

enum status sticker_store_user_passwd(struct sticker_store *s, const char *username, const char *password_hash,
                                      const char *kept_session, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->user_passwd(s, username, password_hash, kept_session, err));
}

enum status sticker_store_user_delete(struct sticker_store *s, const char *username, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->user_delete(s, username, err));
}

enum status sticker_store_user_list(struct sticker_store *s, struct arena *a, struct user **out, size_t *n,
                                    struct error *err)
{
    STORE_TIMED(READ, s, s->ops->user_list(s, a, out, n, err));
}

enum status sticker_store_token_add(struct sticker_store *s, const char *username, const char *label,
                                    const char *hash_hex, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->token_add(s, username, label, hash_hex, err));
}

enum status sticker_store_token_list(struct sticker_store *s, struct arena *a, struct token **out, size_t *n,
                                     struct error *err)
{
    STORE_TIMED(READ, s, s->ops->token_list(s, a, out, n, err));
}

enum status sticker_store_token_revoke(struct sticker_store *s, const char *id, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->token_revoke(s, id, err));
}

enum status sticker_store_token_user(struct sticker_store *s, const char *hash_hex, struct arena *a, struct user *out,
                                     struct error *err)
{
    STORE_TIMED(READ, s, s->ops->token_user(s, hash_hex, a, out, err));
}

enum status sticker_store_outbox_next(struct sticker_store *s, int64_t now_us, size_t limit, struct arena *a,
                                      struct outbox_item **out, size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->outbox_next(s, now_us, limit, a, out, n, err));
}

enum status sticker_store_outbox_done(struct sticker_store *s, const int64_t *seq, size_t n, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->outbox_done(s, seq, n, err));
}

enum status sticker_store_outbox_failed(struct sticker_store *s, int64_t seq, const char *why, int64_t retry_us,
                                        struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->outbox_failed(s, seq, why, retry_us, err));
}

enum status sticker_store_outbox_refill(struct sticker_store *s, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->outbox_refill(s, err));
}

enum status sticker_store_session_add(struct sticker_store *s, const char *user_id, const char *hash_hex,
                                      const char *address, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->session_add(s, user_id, hash_hex, address, err));
}

enum status sticker_store_session_get(struct sticker_store *s, const char *hash_hex, int64_t idle_us, int64_t most_us,
                                      struct arena *a, struct session *out, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->session_get(s, hash_hex, idle_us, most_us, a, out, err));
}

enum status sticker_store_session_end(struct sticker_store *s, const char *hash_hex, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->session_end(s, hash_hex, err));
}

enum status sticker_store_login_try(struct sticker_store *s, const struct login_rule *rules, size_t n, int64_t *wait_us,
                                    struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->login_try(s, rules, n, wait_us, err));
}

enum status sticker_store_login_succeeded(struct sticker_store *s, const struct login_rule *rules, size_t n,
                                          struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->login_succeeded(s, rules, n, err));
}

enum status sticker_store_list_page(struct sticker_store *s, const struct list_ask *ask, struct arena *a,
                                    struct list_page *out, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->list_page(s, ask, a, out, err));
}

enum status sticker_store_list_row(struct sticker_store *s, const char *list, const char *id,
                                   const char *const *columns, size_t n, struct arena *a, const char ***cells,
                                   struct error *err)
{
    STORE_TIMED(READ, s, s->ops->list_row(s, list, id, columns, n, a, cells, err));
}

enum status sticker_store_list_values(struct sticker_store *s, const char *list, const char *filter, struct arena *a,
                                      const char ***out, size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->list_values(s, list, filter, a, out, n, err));
}

enum status sticker_store_list_goes(struct sticker_store *s, const char *list, const char *const *ids, size_t n_ids,
                                    struct list_goes out[4], size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->list_goes(s, list, ids, n_ids, out, n, err));
}

enum status sticker_store_change(struct sticker_store *s, const struct admin_who *who,
                                 const struct admin_change *changes, size_t n, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->change(s, who, changes, n, err));
}

enum status sticker_store_outbox_oldest(struct sticker_store *s, int64_t *created_us, struct error *err)
{
    if (!s->ops->outbox_oldest)
        return err_set(err, ERR_UNSUPPORTED, "this database does not tell the outbox's age");
    STORE_TIMED(READ, s, s->ops->outbox_oldest(s, created_us, err));
}

/* --- times --- */

void store_timed(struct store_calls *calls, int64_t began_us, enum status status)
{
    int64_t us = os_monotonic_us() - began_us;
    metric_observe(&calls->took, us);
    metric_part_add(METRIC_DATABASE, us);
    if (status == ERR_UNAVAILABLE || status == ERR_IO || status == ERR_CORRUPT || status == ERR_TIMEOUT ||
        status == ERR_INTERNAL)
        atomic_fetch_add_explicit(&calls->failed, 1, memory_order_relaxed);
}

void store_times_write(const struct store_times *t, const char *prefix, struct buf *out)
{
    char name[128];
    snprintf(name, sizeof name, "%s_database_duration_seconds", prefix);
    metric_family(out, name, "histogram", "Time of calls to the database, waiting for it included.");
    metric_histogram(out, name, "kind=\"read\"", &t->read.took);
    metric_histogram(out, name, "kind=\"write\"", &t->write.took);
    snprintf(name, sizeof name, "%s_database_errors_total", prefix);
    metric_family(out, name, "counter", "Calls that the database failed.");
    metric_value(out, name, "kind=\"read\"", (double)atomic_load(&t->read.failed));
    metric_value(out, name, "kind=\"write\"", (double)atomic_load(&t->write.failed));
}

void sticker_store_metrics(const struct sticker_store *s, const char *prefix, struct buf *out)
{
    store_times_write(&s->times, prefix, out);
}
