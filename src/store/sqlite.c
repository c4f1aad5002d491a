/* sqlite.c: connections, their statement caches, and rows. SQLite is opened without its own mutexes:
 * each connection is in one thread's hands at a time (the reader pool and the writer see to that). */
#include "store/sqlite.h"
#include "store/sqlite_fts.h"

#include "base/os.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUSY_MS = 5000,
    MAX_STATEMENTS = 96, /* distinct SQL literals that one connection may meet */
};

struct db_conn {
    sqlite3 *handle;
    char *path;
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } cache[MAX_STATEMENTS];
    size_t n_cached;
};

struct db {
    char *path;
    struct db_writer *writer;
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    struct db_conn **readers; /* all of them, for closing */
    struct db_conn **free;    /* a stack: the one used last has the warmest cache */
    unsigned n_readers, n_free;
};

/* --- errors --- */

static enum status conn_error(struct db_conn *c, int rc, struct error *err)
{
    const char *said = c->handle ? sqlite3_errmsg(c->handle) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_UNAVAILABLE, "database %s is busy: another process held it for over %d s", c->path,
                       BUSY_MS / 1000);
    case SQLITE_NOMEM:
        return err_set(err, ERR_NO_MEMORY, "database %s: out of memory", c->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return err_set(err, ERR_CORRUPT, "database %s is damaged: %s", c->path, said);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: {
        int os = c->handle ? sqlite3_system_errno(c->handle) : 0;
        bool full = (rc & 0xff) == SQLITE_FULL || os == ENOSPC || os == EDQUOT; /* that passes: come again */
        return err_set(err, full ? ERR_UNAVAILABLE : ERR_IO, "database %s: %s%s%s", c->path, said, os ? ": " : "",
                       os ? strerror(os) : "");
    }
    case SQLITE_CONSTRAINT:
        return err_set(err, ERR_CONFLICT, "database %s: %s", c->path, said);
    case SQLITE_TOOBIG:
        return err_set(err, ERR_TOO_LARGE, "database %s: %s", c->path, said);
    default:
        return err_set(err, ERR_INTERNAL, "database %s: %s (SQLite code %d)", c->path, said, rc);
    }
}

/* --- connections --- */

/* SQLite's count of its own memory is one lock that all connections would meet at, on every allocation. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum status db_script(struct db_conn *c, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(c->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : conn_error(c, rc, err);
}

bool db_in_transaction(struct db_conn *c)
{
    return !sqlite3_get_autocommit(c->handle);
}

/* Switching a new file to WAL needs the whole file for a moment, and SQLite does not wait for that lock
 * when two processes try at once (each holds what the other wants): so this waits. */
static enum status enter_wal(struct db_conn *c, struct error *err)
{
    for (int64_t deadline = os_monotonic_us() + BUSY_MS * 1000;;) {
        int rc = sqlite3_exec(c->handle, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            return OK;
        if ((rc & 0xff) != SQLITE_BUSY || os_monotonic_us() > deadline)
            return conn_error(c, rc, err);
        usleep(5000);
    }
}

enum status db_conn_open(const char *path, bool writer, struct db_conn **out, struct error *err)
{
    struct db_conn *c = calloc(1, sizeof *c);
    if (!c || !(c->path = strdup(path))) {
        db_conn_close(c);
        return err_set(err, ERR_NO_MEMORY, "out of memory opening database %s", path);
    }
    enum status st = OK;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
    /* "./" because SQLite would take ":memory:" and "file:..." for something else than names of files. */
    char *name = NULL;
    if (asprintf(&name, "%s%s", path[0] == '/' ? "" : "./", path) < 0) {
        db_conn_close(c);
        return err_set(err, ERR_NO_MEMORY, "out of memory opening database %s", path);
    }
    int rc = sqlite3_open_v2(name, &c->handle, flags, NULL);
    free(name);
    if (rc != SQLITE_OK) {
        st = conn_error(c, rc, err);
        goto out;
    }
    sqlite3_extended_result_codes(c->handle, 1);
    sqlite3_busy_timeout(c->handle, BUSY_MS);
    /* A database file may come from anywhere: its schema gets no say in what we run. */
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if ((rc = fts_register(c->handle)) != SQLITE_OK) {
        st = conn_error(c, rc, err);
        goto out;
    }
    if (writer && (st = enter_wal(c, err)) != OK)
        goto out;
    st = db_script(c,
                   writer ? "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA synchronous = NORMAL;"
                            "PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000;"
                            "PRAGMA cache_size = -8192"
                          : "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -4096",
                   err);
out:
    if (st != OK) {
        db_conn_close(c);
        return st;
    }
    *out = c;
    return OK;
}

void db_conn_close(struct db_conn *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_cached; i++)
        sqlite3_finalize(c->cache[i].stmt);
    sqlite3_close(c->handle);
    free(c->path);
    free(c);
}

/* --- the database: readers and the writer --- */

/* The file is ours alone: it holds password hashes. Its journal inherits the mode. The folder is synced
 * so that the file's name survives a power loss as its content does. */
static enum status create_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? OK : err_errno(err, "cannot create database %s", path);
    close(fd);
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    int dir = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    enum status st = dir >= 0 && fsync(dir) == 0 ? OK : err_errno(err, "cannot sync the folder of database %s", path);
    if (dir >= 0)
        close(dir);
    free(folder);
    return st;
}

enum status db_open(const char *path, unsigned readers, const struct db_schema *schema, struct db **out,
                    struct error *err)
{
    assert(readers >= 1 && readers <= 64);
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    pthread_once(&configured, configure);
    struct db_conn *writer = NULL;
    struct db *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(err, ERR_NO_MEMORY, "out of memory opening database %s", path);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->returned, NULL);
    enum status st = OK;
    if (!(d->path = strdup(path)) || !(d->readers = calloc(readers, sizeof *d->readers)) ||
        !(d->free = calloc(readers, sizeof *d->free))) {
        st = err_set(err, ERR_NO_MEMORY, "out of memory opening database %s", path);
        goto out;
    }
    if ((st = create_file(path, err)) != OK || (st = db_conn_open(path, true, &writer, err)) != OK ||
        (st = db_migrate(writer, path, schema, err)) != OK || (st = db_writer_open(writer, &d->writer, err)) != OK)
        goto out;
    writer = NULL;
    while (d->n_readers < readers) {
        if ((st = db_conn_open(path, false, &d->readers[d->n_readers], err)) != OK)
            goto out;
        d->free[d->n_free++] = d->readers[d->n_readers++];
    }
    if ((st = db_ping(d, err)) != OK)
        goto out;
    *out = d;
    return OK;
out:
    db_conn_close(writer);
    db_close(d);
    return st;
}

void db_close(struct db *d)
{
    if (!d)
        return;
    assert(d->n_free == d->n_readers);
    for (unsigned i = 0; i < d->n_readers; i++)
        db_conn_close(d->readers[i]);
    db_writer_close(d->writer); /* last, so that SQLite folds the journal into the file */
    pthread_cond_destroy(&d->returned);
    pthread_mutex_destroy(&d->mutex);
    free(d->free);
    free(d->readers);
    free(d->path);
    free(d);
}

const char *db_path(const struct db *d)
{
    return d->path;
}

struct db_conn *db_reader(struct db *d)
{
    pthread_mutex_lock(&d->mutex);
    while (d->n_free == 0)
        pthread_cond_wait(&d->returned, &d->mutex);
    struct db_conn *c = d->free[--d->n_free];
    pthread_mutex_unlock(&d->mutex);
    return c;
}

void db_reader_done(struct db *d, struct db_conn *c)
{
    pthread_mutex_lock(&d->mutex);
    d->free[d->n_free++] = c;
    pthread_cond_signal(&d->returned);
    pthread_mutex_unlock(&d->mutex);
}

enum status db_ping(struct db *d, struct error *err)
{
    struct db_conn *c = db_reader(d);
    int64_t version;
    enum status st = db_get_int(c, "SELECT max(version) FROM schema_migrations", DB_NONE, &version, NULL, err);
    db_reader_done(d, c);
    return st;
}

enum status db_write(struct db *d, enum db_durability durability, db_job *job, void *arg, struct error *err)
{
    return db_writer_do(d->writer, durability, job, arg, err);
}

enum status db_snapshot(struct db_conn *c, struct error *err)
{
    return db_run(c, "BEGIN", DB_NONE, NULL, err);
}

void db_snapshot_end(struct db_conn *c)
{
    /* Nothing was written, so there is nothing that ending could lose. */
    (void)!db_run(c, "COMMIT", DB_NONE, NULL, NULL);
    if (db_in_transaction(c))
        (void)!db_script(c, "ROLLBACK", NULL);
}

/* --- statements --- */

static enum status prepare(struct db_conn *c, const char *sql, unsigned flags, sqlite3_stmt **out, struct error *err)
{
    int rc = sqlite3_prepare_v3(c->handle, sql, -1, flags, out, NULL);
    if (rc == SQLITE_ERROR) /* our SQL is fixed: the file's tables are not what their version promises */
        rc = SQLITE_CORRUPT;
    return rc == SQLITE_OK ? OK : conn_error(c, rc, err);
}

static enum status cached(struct db_conn *c, const char *sql, sqlite3_stmt **out, struct error *err)
{
    for (size_t i = 0; i < c->n_cached; i++) {
        if (c->cache[i].sql == sql) {
            *out = c->cache[i].stmt;
            return OK;
        }
    }
    assert(c->n_cached < MAX_STATEMENTS);
    sqlite3_stmt *stmt;
    enum status st = prepare(c, sql, SQLITE_PREPARE_PERSISTENT, &stmt, err);
    if (st != OK)
        return st;
    c->cache[c->n_cached].sql = sql;
    c->cache[c->n_cached++].stmt = stmt;
    *out = stmt;
    return OK;
}

static void bind(struct db_rows *r, const struct db_arg *args, size_t n)
{
    for (size_t i = 0; i < n && r->status == OK; i++) {
        int rc = SQLITE_OK, at = (int)i + 1;
        switch (args[i].type) {
        case DB_ARG_TEXT:
            rc = sqlite3_bind_text(r->stmt, at, args[i].data, -1, SQLITE_STATIC);
            break;
        case DB_ARG_INT:
            rc = sqlite3_bind_int64(r->stmt, at, args[i].number);
            break;
        case DB_ARG_BLOB:
            rc = sqlite3_bind_blob64(r->stmt, at, args[i].data, args[i].len, SQLITE_STATIC);
            break;
        case DB_ARG_POINTER:
            rc = sqlite3_bind_pointer(r->stmt, at, (void *)(uintptr_t)args[i].data, DB_POINTER_TYPE, NULL);
            break;
        }
        if (rc != SQLITE_OK)
            r->status = conn_error(r->conn, rc, r->err);
    }
}

void db_query(struct db_rows *r, struct db_conn *c, const char *sql, const struct db_arg *args, size_t n,
              struct error *err)
{
    *r = (struct db_rows){.conn = c, .err = err};
    r->status = cached(c, sql, &r->stmt, err);
    bind(r, args, n);
}

void db_query_once(struct db_rows *r, struct db_conn *c, const char *sql, const struct db_arg *args, size_t n,
                   struct error *err)
{
    *r = (struct db_rows){.conn = c, .err = err, .once = true};
    r->status = prepare(c, sql, 0, &r->stmt, err);
    bind(r, args, n);
}

bool db_next(struct db_rows *r)
{
    if (r->status != OK)
        return false;
    int rc = sqlite3_step(r->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r->status = conn_error(r->conn, rc, r->err);
    return rc == SQLITE_ROW;
}

enum status db_end(struct db_rows *r)
{
    if (r->once)
        sqlite3_finalize(r->stmt);
    else if (r->stmt)
        sqlite3_reset(r->stmt); /* repeats step's code, which is known already */
    r->stmt = NULL;
    return r->status;
}

int64_t db_int(struct db_rows *r, int column)
{
    return sqlite3_column_int64(r->stmt, column);
}

double db_double(struct db_rows *r, int column)
{
    return sqlite3_column_double(r->stmt, column);
}

const char *db_text(struct db_rows *r, int column, struct arena *a)
{
    const char *s = (const char *)sqlite3_column_text(r->stmt, column);
    const char *copy = s ? arena_strdup(a, s) : "";
    if (!copy && r->status == OK)
        r->status =
            err_set(r->err, ERR_NO_MEMORY, "database %s: the answer is larger than %zu bytes", r->conn->path, a->max);
    return copy ? copy : "";
}

bool db_text_is(struct db_rows *r, int column, const char *s)
{
    const char *found = (const char *)sqlite3_column_text(r->stmt, column);
    return found && strcmp(found, s) == 0;
}

const void *db_blob(struct db_rows *r, int column, size_t *len)
{
    const void *data = sqlite3_column_blob(r->stmt, column);
    *len = (size_t)sqlite3_column_bytes(r->stmt, column);
    return data;
}

bool db_grow(struct db_rows *r, struct arena *a, void **items, size_t n, size_t *cap, size_t item_size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 16;
    void *grown = arena_array(a, more, item_size);
    if (!grown) {
        r->status =
            err_set(r->err, ERR_NO_MEMORY, "database %s: the answer is larger than %zu bytes", r->conn->path, a->max);
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
    if (r.status == OK && changed)
        *changed = sqlite3_changes64(c->handle);
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

int64_t db_last_row(struct db_conn *c)
{
    return sqlite3_last_insert_rowid(c->handle);
}

int64_t db_limit(size_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}
