/* db.c: the pool of connections, and what rows and statements have in common whatever the database. */
#include "db/db.h"
#include "db/db_driver.h"

#include "base/log.h"
#include "base/os.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECHECK_US 1000000

bool db_is_postgres_url(const char *url)
{
    return strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0;
}

static enum status check_url(const char *url, unsigned connections, struct error *err)
{
    if (!*url)
        return err_set(err, ERR_INVALID, "the database URL is empty, expected a file path");
    const char *colon = strstr(url, "://");
    if (colon && !db_is_postgres_url(url))
        return err_set(err, ERR_UNSUPPORTED,
                       "database URL scheme \"%.*s\" is not supported, expected a file path or postgresql://",
                       colon - url < 32 ? (int)(colon - url) : 32, url);
    if (connections < 1 || connections > 64)
        return err_set(err, ERR_INVALID, "%u read connections, expected 1 to 64", connections);
    return OK;
}

enum status db_open(const char *url, unsigned connections, const struct db_schema *schema, struct db **out,
                    struct error *err)
{
    enum status st = check_url(url, connections, err);
    if (st != OK)
        return st;
    return db_is_postgres_url(url) ? db_postgres_open(url, connections, schema, out, err)
                                   : db_sqlite_open(url, connections, schema, out, err);
}

enum status db_init(struct db *d, const struct db_driver *driver, const char *name, unsigned connections,
                    struct error *err)
{
    d->driver = driver;
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->returned, NULL);
    d->name = strdup(name);
    d->conns = calloc(connections, sizeof(struct db_conn *));
    d->free = calloc(connections, sizeof(struct db_conn *));
    if (!d->name || !d->conns || !d->free)
        return err_no_memory(err, "database %s", name);
    return OK;
}

void db_add_conn(struct db *d, struct db_conn *c)
{
    c->db = d;
    d->conns[d->count++] = c;
    d->free[d->n_free++] = c;
}

void db_close(struct db *d)
{
    if (!d)
        return;
    assert(d->n_free == d->count);
    d->driver->close(d);
    pthread_cond_destroy(&d->returned);
    pthread_mutex_destroy(&d->mutex);
    free(d->free);
    free(d->conns);
    free(d->name);
    free(d);
}

const char *db_name(const struct db *d)
{
    return d->name;
}

enum status db_ping(struct db *d, struct error *err)
{
    struct db_conn *c = db_reader(d);
    int64_t version;
    enum status st = db_get_int(c, "SELECT max(version) FROM schema_migrations", DB_NONE, &version, NULL, err);
    db_reader_done(d, c);
    return st;
}

/* --- taking turns, and how long that takes --- */

struct db_conn *db_take(struct db *d, struct db_calls *calls)
{
    int64_t asked_us = os_monotonic_us();
    pthread_mutex_lock(&d->mutex);
    while (d->n_free == 0)
        pthread_cond_wait(&d->returned, &d->mutex);
    struct db_conn *c = d->free[--d->n_free];
    pthread_mutex_unlock(&d->mutex);
    metric_observe(&calls->waited, os_monotonic_us() - asked_us);
    c->since_us = asked_us;
    c->status = OK;
    return c;
}

void db_give(struct db *d, struct db_conn *c)
{
    pthread_mutex_lock(&d->mutex);
    d->free[d->n_free++] = c;
    pthread_cond_signal(&d->returned);
    pthread_mutex_unlock(&d->mutex);
}

/* Did the database fail, and not what was asked? */
static bool is_failure(enum status status)
{
    return status == ERR_UNAVAILABLE || status == ERR_IO || status == ERR_CORRUPT || status == ERR_TIMEOUT ||
           status == ERR_INTERNAL;
}

static void count_call(struct db_calls *calls, int64_t since_us, enum status status)
{
    int64_t us = os_monotonic_us() - since_us;
    metric_observe(&calls->took, us);
    metric_part_add(METRIC_DATABASE, us);
    if (is_failure(status))
        atomic_fetch_add_explicit(&calls->failed, 1, memory_order_relaxed);
}

struct db_conn *db_reader(struct db *d)
{
    return db_take(d, &d->reads);
}

void db_reader_done(struct db *d, struct db_conn *c)
{
    count_call(&d->reads, c->since_us, c->status);
    db_give(d, c);
}

/* On a full disk some writes find enough all the same: the next may not. */
static enum status has_room(const struct db *d, struct error *err)
{
    return d->driver->has_room ? d->driver->has_room(d, err) : OK;
}

enum status db_write(struct db *d, enum db_durability durability, db_job *job, void *arg, struct error *err)
{
    int64_t since_us = os_monotonic_us();
    struct error own;
    err = err ? err : &own;
    enum status st = d->driver->write(d, durability, job, arg, err);
    count_call(&d->writes, since_us, st);
    if (is_failure(st)) {
        pthread_mutex_lock(&d->mutex);
        d->write_error = *err;
        pthread_mutex_unlock(&d->mutex);
        atomic_store(&d->write_failed, true);
    } else if (st == OK && atomic_load_explicit(&d->write_failed, memory_order_relaxed) && has_room(d, NULL) == OK) {
        atomic_store(&d->write_failed, false);
    }
    return st;
}

/* --- what can be written --- */

void db_mark_damaged(struct db_conn *c, const char *why)
{
    if (c->db && !atomic_exchange(&c->db->damaged, true))
        log_error(
            "database %s is damaged: %s; nothing is written to it until it is repaired and this process restarted",
            c->name, why);
}

enum status db_check_damage(const struct db *d, struct error *err)
{
    return atomic_load_explicit(&d->damaged, memory_order_relaxed)
               ? err_set(err, ERR_CORRUPT,
                         "database %s is damaged; nothing is written to it until it is repaired and this process "
                         "restarted",
                         d->name)
               : OK;
}

static enum status write_nothing_new(struct db_conn *c, void *arg, struct error *err)
{
    (void)arg;
    return db_run(c, "UPDATE schema_migrations SET version = version", DB_NONE, NULL, err);
}

enum status db_writable(struct db *d, struct error *err)
{
    int64_t now_us = os_monotonic_us(), before_us = atomic_load(&d->rechecked_us);
    enum status st = db_check_damage(d, err);
    if (st != OK || !atomic_load(&d->write_failed))
        return st;
    if (now_us - before_us > RECHECK_US && atomic_compare_exchange_strong(&d->rechecked_us, &before_us, now_us)) {
        st = has_room(d, err);
        return st == OK ? db_write(d, DB_DURABLE, write_nothing_new, NULL, err) : st;
    }
    pthread_mutex_lock(&d->mutex);
    st = err_set(err, ERR_UNAVAILABLE, "%s", d->write_error.message);
    pthread_mutex_unlock(&d->mutex);
    return st;
}

void db_metrics(const struct db *d, const char *prefix, struct buf *out)
{
    char name[128];
    snprintf(name, sizeof name, "%s_database_duration_seconds", prefix);
    metric_family(out, name, "histogram", "Time of calls to the database, waiting for it included.");
    metric_histogram(out, name, "kind=\"read\"", &d->reads.took);
    metric_histogram(out, name, "kind=\"write\"", &d->writes.took);
    snprintf(name, sizeof name, "%s_database_wait_seconds", prefix);
    metric_family(out, name, "histogram", "How long of it calls waited for a connection or for the writer's turn.");
    metric_histogram(out, name, "kind=\"read\"", &d->reads.waited);
    metric_histogram(out, name, "kind=\"write\"", &d->writes.waited);
    snprintf(name, sizeof name, "%s_database_writable", prefix);
    metric_one(out, name, "gauge", "1 unless the last write failed for the database's sake, or it is damaged.",
               !atomic_load(&d->write_failed) && !atomic_load(&d->damaged));
    snprintf(name, sizeof name, "%s_database_errors_total", prefix);
    metric_family(out, name, "counter", "Calls that the database failed.");
    metric_value(out, name, "kind=\"read\"", (double)atomic_load(&d->reads.failed));
    metric_value(out, name, "kind=\"write\"", (double)atomic_load(&d->writes.failed));
}

enum status db_snapshot(struct db_conn *c, struct error *err)
{
    return c->driver->snapshot(c, err);
}

void db_snapshot_end(struct db_conn *c)
{
    c->driver->snapshot_end(c);
}

/* --- the dialects --- */

bool db_is_postgres(const struct db_conn *c)
{
    return c->driver->postgres;
}

const char *db_sql(const struct db_conn *c, const char *sqlite, const char *postgres)
{
    return c->driver->postgres ? postgres : sqlite;
}

enum status db_lock(struct db_conn *c, const char *postgres, struct error *err)
{
    return c->driver->postgres ? db_run(c, postgres, DB_NONE, NULL, err) : OK;
}

/* --- statements --- */

void db_query(struct db_rows *r, struct db_conn *c, const char *sql, const struct db_arg *args, size_t n,
              struct error *err)
{
    *r = (struct db_rows){.conn = c, .at = -1, .err = err};
    c->driver->query(r, sql, args, n);
}

void db_query_once(struct db_rows *r, struct db_conn *c, const char *sql, const struct db_arg *args, size_t n,
                   struct error *err)
{
    *r = (struct db_rows){.conn = c, .at = -1, .err = err, .once = true};
    c->driver->query(r, sql, args, n);
}

bool db_next(struct db_rows *r)
{
    return r->status == OK && r->conn->driver->next(r);
}

enum status db_end(struct db_rows *r)
{
    r->conn->driver->end(r);
    r->set = NULL;
    if (r->status != OK)
        r->conn->status = r->status;
    return r->status;
}

int64_t db_int(struct db_rows *r, int column)
{
    return r->conn->driver->integer(r, column);
}

double db_double(struct db_rows *r, int column)
{
    return r->conn->driver->real(r, column);
}

const void *db_bytes(struct db_rows *r, int column, size_t *len)
{
    return r->conn->driver->bytes(r, column, len);
}

static void too_large(struct db_rows *r, const struct arena *a)
{
    if (r->status == OK)
        r->status =
            err_set(r->err, ERR_NO_MEMORY, "database %s: the answer is larger than %zu bytes", r->conn->name, a->max);
}

const char *db_text(struct db_rows *r, int column, struct arena *a)
{
    size_t len;
    const char *s = db_bytes(r, column, &len);
    const char *copy = s ? arena_strndup(a, s, len) : "";
    if (!copy)
        too_large(r, a);
    return copy ? copy : "";
}

bool db_text_is(struct db_rows *r, int column, const char *s)
{
    size_t len;
    const char *found = db_bytes(r, column, &len);
    return found && len == strlen(s) && memcmp(found, s, len) == 0;
}

bool db_grow(struct db_rows *r, struct arena *a, void **items, size_t n, size_t *cap, size_t item_size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 16;
    void *grown = arena_array(a, more, item_size);
    if (!grown) {
        too_large(r, a);
        return false;
    }
    if (n)
        memcpy(grown, *items, n * item_size);
    *items = grown;
    *cap = more;
    return true;
}

enum status db_run(struct db_conn *c, const char *sql, const struct db_arg *args, size_t n, int64_t *changed,
                   struct error *err)
{
    struct db_rows r;
    db_query(&r, c, sql, args, n, err);
    while (db_next(&r)) {
    }
    if (changed)
        *changed = r.status == OK ? c->driver->changed(&r) : 0;
    return db_end(&r);
}

enum status db_get_int(struct db_conn *c, const char *sql, const struct db_arg *args, size_t n, int64_t *value,
                       bool *found, struct error *err)
{
    struct db_rows r;
    db_query(&r, c, sql, args, n, err);
    bool row = db_next(&r);
    *value = row ? db_int(&r, 0) : 0;
    if (found)
        *found = row;
    while (db_next(&r)) {
    }
    return db_end(&r);
}

enum status db_script(struct db_conn *c, const char *sql, struct error *err)
{
    return c->driver->script(c, sql, err);
}

enum status db_script_slow(struct db_conn *c, const char *sql, struct error *err)
{
    return c->driver->script_slow(c, sql, err);
}

int64_t db_limit(size_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

enum status db_count(struct db_conn *c, const char *sql, struct db_counted *kept, int64_t *n, struct error *err)
{
    int64_t now = os_monotonic_us();
    *n = atomic_load(&kept->n);
    if (now < atomic_load(&kept->until_us))
        return OK;
    enum status st = db_get_int(c, sql, DB_NONE, n, NULL, err);
    if (st == OK) {
        atomic_store(&kept->n, *n);
        atomic_store(&kept->until_us, *n > DB_COUNTED ? now + 10000000 : 0);
    }
    return st;
}

enum status db_read_int(struct db *d, const char *sql, const struct db_arg *args, size_t n, int64_t *value, bool *found,
                        struct error *err)
{
    struct db_conn *c = db_reader(d);
    enum status st = db_get_int(c, sql, args, n, value, found, err);
    db_reader_done(d, c);
    return st;
}

enum status db_read_list(struct db *d, const char *sql, const struct db_arg *args, size_t n, db_read_item *read,
                         size_t item_size, struct arena *a, void **out, size_t *n_out, struct error *err)
{
    struct db_conn *c = db_reader(d);
    struct db_rows r;
    size_t cap = 0;
    *out = NULL;
    *n_out = 0;
    db_query(&r, c, sql, args, n, err);
    while (db_next(&r) && db_grow(&r, a, out, *n_out, &cap, item_size))
        read(&r, a, (char *)*out + item_size * (*n_out)++);
    enum status st = db_end(&r);
    db_reader_done(d, c);
    return st;
}
