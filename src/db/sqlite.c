/* sqlite.c: SQLite's driver: connections, their statement caches, and rows. SQLite is opened without its own mutexes:
 * each connection is in one thread's hands at a time (the pool of readers and the writer see to that). */
#include "db/sqlite.h"

#include "base/deadline.h"
#include "base/os.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    BUSY_MS = 5000,
    BUSY_LOOK_US = 1000,
    STEPS_PER_LOOK = 1000 /* of SQLite's machine: some 0.1 ms */,
    MAX_STATEMENTS = 192, /* distinct SQL literals that one connection may meet */
    LEAST_ROOM = 1 << 20, /* bytes on the disk: more than any vote takes */
};

struct sqlite_conn {
    struct db_conn base;
    sqlite3 *handle;
    int64_t busy_until_us; /* while another process holds the lock */
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } cache[MAX_STATEMENTS];
    size_t n_cached;
};

sqlite3 *sqlite_handle(struct db_conn *c)
{
    return ((struct sqlite_conn *)c)->handle;
}

struct sqlite_db {
    struct db base;
    struct sqlite_writer *writer;
};

/* --- errors --- */

/* Are pages not as SQLite wrote them, or not to be read? */
static bool is_damage(int rc)
{
    return (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB || rc == SQLITE_IOERR_READ ||
           rc == SQLITE_IOERR_SHORT_READ || rc == SQLITE_IOERR_DATA || rc == SQLITE_IOERR_CORRUPTFS;
}

enum status sqlite_error(struct db_conn *c, int rc, struct error *err)
{
    sqlite3 *handle = sqlite_handle(c);
    const char *said = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(rc);
    if (is_damage(rc))
        db_mark_damaged(c, said);
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_UNAVAILABLE, "database %s is busy: another process held it for over %d s", c->name,
                       BUSY_MS / 1000);
    case SQLITE_INTERRUPT:
        return err_set(err, ERR_TIMEOUT, "database %s: this took too long", c->name);
    case SQLITE_NOMEM:
        return err_no_memory(err, "database %s", c->name);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return err_set(err, ERR_CORRUPT, "database %s is damaged: %s", c->name, said);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: {
        int os = handle ? sqlite3_system_errno(handle) : 0;
        /* that passes: come again */
        bool full = (rc & 0xff) == SQLITE_FULL || os == ENOSPC || os == EDQUOT || os == EFBIG;
        return err_set(err, full ? ERR_UNAVAILABLE : ERR_IO, "database %s: %s%s%s", c->name, said, os ? ": " : "",
                       os ? strerror(os) : "");
    }
    case SQLITE_CONSTRAINT:
        return err_set(err, ERR_CONFLICT, "database %s: %s", c->name, said);
    case SQLITE_TOOBIG:
        return err_set(err, ERR_TOO_LARGE, "database %s: %s", c->name, said);
    default:
        return err_set(err, ERR_INTERNAL, "database %s: %s (SQLite code %d)", c->name, said, rc);
    }
}

/* --- connections --- */

/* SQLite's count of its own memory is one lock that all connections would meet at, on every allocation. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static enum status sqlite_script(struct db_conn *c, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(sqlite_handle(c), sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : sqlite_error(c, rc, err);
}

bool sqlite_in_transaction(struct db_conn *c)
{
    return !sqlite3_get_autocommit(sqlite_handle(c));
}

/* A reader's statement ends with its thread's deadline. (The writer's may be another thread's job.) */
static int is_over(void *arg)
{
    (void)arg;
    return deadline_passed();
}

/* Another process holds the lock. SQLite's own handler (sqlite3_busy_timeout) looks ever more rarely, in the end ten
 * times a second: a search would wait for it long after an import's transaction has ended. */
static int wait_for_lock(void *arg, int times)
{
    struct sqlite_conn *c = arg;
    int64_t now_us = os_monotonic_us();
    if (times == 0)
        c->busy_until_us = now_us + BUSY_MS * 1000;
    if (now_us > c->busy_until_us)
        return 0;
    usleep(BUSY_LOOK_US);
    return 1;
}

/* Switching a new file to WAL needs the whole file for a moment, and SQLite does not wait for that lock
 * when two processes try at once (each holds what the other wants): so this waits. */
static enum status enter_wal(struct db_conn *c, struct error *err)
{
    for (int64_t deadline = os_monotonic_us() + BUSY_MS * 1000;;) {
        int rc = sqlite3_exec(sqlite_handle(c), "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            return OK;
        if ((rc & 0xff) != SQLITE_BUSY || os_monotonic_us() > deadline)
            return sqlite_error(c, rc, err);
        usleep(5000);
    }
}

enum status sqlite_conn_open_plain(const char *path, struct db_conn **out, struct error *err)
{
    struct sqlite_conn *c = calloc(1, sizeof *c);
    char *name = NULL;
    /* "./" because SQLite would take ":memory:" and "file:..." for something else than names of files. */
    if (!c || asprintf(&name, "%s%s", path[0] == '/' ? "" : "./", path) < 0) {
        free(c);
        return err_no_memory(err, "database %s", path);
    }
    c->base = (struct db_conn){.driver = &db_sqlite, .name = path};
    int rc = sqlite3_open_v2(name, &c->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    free(name);
    if (rc != SQLITE_OK) {
        enum status st = sqlite_error(&c->base, rc, err);
        sqlite_conn_close(&c->base);
        return st;
    }
    sqlite3_extended_result_codes(c->handle, 1);
    sqlite3_busy_handler(c->handle, wait_for_lock, c);
    /* A database file may come from anywhere: its schema gets no say in what we run. */
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    *out = &c->base;
    return OK;
}

enum status sqlite_conn_open(const char *path, bool writer, const struct db_schema *schema, struct db_conn **out,
                             struct error *err)
{
    struct db_conn *base;
    enum status st = sqlite_conn_open_plain(path, &base, err);
    if (st != OK)
        return st;
    struct sqlite_conn *c = (struct sqlite_conn *)base;
    if (!writer)
        sqlite3_progress_handler(c->handle, STEPS_PER_LOOK, is_over, NULL);
    if (schema && schema->sqlite_functions) {
        int rc = schema->sqlite_functions(c->handle);
        st = rc == SQLITE_OK ? OK : sqlite_error(base, rc, err);
    }
    if (st == OK && writer)
        st = enter_wal(base, err);
    if (st == OK)
        st =
            sqlite_script(&c->base,
                          writer ? "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA synchronous = NORMAL;"
                                   "PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000;"
                                   "PRAGMA cache_size = -8192"
                                 : "PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -4096",
                          err);
    if (st != OK) {
        sqlite_conn_close(base);
        return st;
    }
    *out = base;
    return OK;
}

void sqlite_conn_close(struct db_conn *base)
{
    struct sqlite_conn *c = (struct sqlite_conn *)base;
    if (!c)
        return;
    for (size_t i = 0; i < c->n_cached; i++)
        sqlite3_finalize(c->cache[i].stmt);
    sqlite3_close(c->handle);
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
    return os_sync_folder_of(path, err);
}

static void sqlite_close_all(struct db *base)
{
    struct sqlite_db *d = (struct sqlite_db *)base;
    for (unsigned i = 0; i < base->count; i++)
        sqlite_conn_close(base->conns[i]);
    sqlite_writer_close(d->writer); /* last, so that SQLite folds the journal into the file */
}

static enum status open_writer(struct sqlite_db *d, const struct db_schema *schema, struct error *err)
{
    struct db_conn *conn;
    enum status st = create_file(d->base.name, err);
    if (st == OK)
        st = sqlite_conn_open(d->base.name, true, schema, &conn, err);
    if (st != OK)
        return st;
    conn->db = &d->base;
    if ((st = sqlite_migrate(conn, schema, err)) == OK)
        st = sqlite_writer_open(conn, &d->writer, err);
    if (st != OK)
        sqlite_conn_close(conn);
    return st;
}

enum status db_sqlite_open(const char *path, unsigned readers, const struct db_schema *schema, struct db **out,
                           struct error *err)
{
    static pthread_once_t configured = PTHREAD_ONCE_INIT;
    pthread_once(&configured, configure);
    struct db_conn *conn = NULL;
    struct sqlite_db *d = calloc(1, sizeof *d);
    if (!d)
        return err_no_memory(err, "database %s", path);
    enum status st = db_init(&d->base, &db_sqlite, path, readers, err);
    if (st == OK && schema)
        st = open_writer(d, schema, err);
    for (unsigned i = 0; i < readers && st == OK; i++)
        if ((st = sqlite_conn_open(d->base.name, false, schema, &conn, err)) == OK)
            db_add_conn(&d->base, conn);
    if (st == OK && schema)
        st = db_ping(&d->base, err);
    if (st != OK) {
        db_close(&d->base);
        return st;
    }
    *out = &d->base;
    return OK;
}

static enum status sqlite_write_job(struct db *d, enum db_durability durability, db_job *job, void *arg,
                                    struct error *err)
{
    return sqlite_writer_do(((struct sqlite_db *)d)->writer, durability, job, arg, &d->writes.waited, err);
}

static enum status sqlite_has_room(const struct db *d, struct error *err)
{
    struct statvfs disk;
    if (statvfs(d->name, &disk) != 0)
        return err_errno(err, "database %s", d->name);
    if ((uint64_t)disk.f_bavail * disk.f_frsize < LEAST_ROOM)
        return err_set(err, ERR_UNAVAILABLE, "database %s: the disk is full", d->name);
    return OK;
}

static enum status sqlite_snapshot(struct db_conn *c, struct error *err)
{
    return db_run(c, "BEGIN", DB_NONE, NULL, err);
}

static void sqlite_snapshot_end(struct db_conn *c)
{
    /* Nothing was written, so there is nothing that ending could lose. */
    (void)!db_run(c, "COMMIT", DB_NONE, NULL, NULL);
    if (sqlite_in_transaction(c))
        (void)!sqlite_script(c, "ROLLBACK", NULL);
}

/* --- statements --- */

static enum status sqlite_prepare(struct sqlite_conn *c, const char *sql, unsigned flags, sqlite3_stmt **out,
                                  struct error *err)
{
    int rc = sqlite3_prepare_v3(c->handle, sql, -1, flags, out, NULL);
    if (rc == SQLITE_ERROR) /* our SQL is fixed: the file's tables are not what their version promises */
        rc = SQLITE_FORMAT;
    return rc == SQLITE_OK ? OK : sqlite_error(&c->base, rc, err);
}

static enum status cached(struct sqlite_conn *c, const char *sql, sqlite3_stmt **out, struct error *err)
{
    for (size_t i = 0; i < c->n_cached; i++) {
        if (c->cache[i].sql == sql) {
            *out = c->cache[i].stmt;
            return OK;
        }
    }
    assert(c->n_cached < MAX_STATEMENTS);
    sqlite3_stmt *stmt;
    enum status st = sqlite_prepare(c, sql, SQLITE_PREPARE_PERSISTENT, &stmt, err);
    if (st != OK)
        return st;
    c->cache[c->n_cached].sql = sql;
    c->cache[c->n_cached++].stmt = stmt;
    *out = stmt;
    return OK;
}

/* To SQLite $1 is a name, which gets the next free number: so the value is found by the name's digits. */
static const struct db_arg *arg_at(sqlite3_stmt *stmt, int at, const struct db_arg *args, size_t n)
{
    const char *name = sqlite3_bind_parameter_name(stmt, at);
    size_t number = name ? strtoul(name + 1, NULL, 10) : (size_t)at;
    assert(number >= 1 && number <= n);
    return &args[number - 1];
}

static void sqlite_bind(struct db_rows *r, const struct db_arg *args, size_t n)
{
    sqlite3_stmt *stmt = r->set;
    int count = sqlite3_bind_parameter_count(stmt);
    for (int at = 1; at <= count && r->status == OK; at++) {
        const struct db_arg *arg = arg_at(stmt, at, args, n);
        int rc = SQLITE_MISUSE;
        switch (arg->type) {
        case DB_ARG_TEXT:
            rc = sqlite3_bind_text(stmt, at, arg->data, -1, SQLITE_STATIC);
            break;
        case DB_ARG_INT:
            rc = sqlite3_bind_int64(stmt, at, arg->number);
            break;
        case DB_ARG_REAL:
            rc = sqlite3_bind_double(stmt, at, arg->real);
            break;
        case DB_ARG_BLOB:
            rc = sqlite3_bind_blob64(stmt, at, arg->data, arg->len, SQLITE_STATIC);
            break;
        case DB_ARG_POINTER:
            rc = sqlite3_bind_pointer(stmt, at, (void *)(uintptr_t)arg->data, SQLITE_POINTER_TYPE, NULL);
            break;
        case DB_ARG_INTS:
        case DB_ARG_BLOBS:
            break;
        }
        if (rc != SQLITE_OK)
            r->status = sqlite_error(r->conn, rc, r->err);
    }
}

static void sqlite_query(struct db_rows *r, const char *sql, const struct db_arg *args, size_t n)
{
    struct sqlite_conn *c = (struct sqlite_conn *)r->conn;
    sqlite3_stmt *stmt = NULL;
    r->status = r->once ? sqlite_prepare(c, sql, 0, &stmt, r->err) : cached(c, sql, &stmt, r->err);
    r->set = stmt;
    if (r->status == OK)
        sqlite_bind(r, args, n);
}

static bool sqlite_next(struct db_rows *r)
{
    int rc = sqlite3_step(r->set);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r->status = sqlite_error(r->conn, rc, r->err);
    return rc == SQLITE_ROW;
}

static int64_t sqlite_changed(struct db_rows *r)
{
    return sqlite3_changes64(sqlite_handle(r->conn));
}

static void sqlite_end(struct db_rows *r)
{
    if (r->once)
        sqlite3_finalize(r->set);
    else if (r->set)
        sqlite3_reset(r->set); /* repeats step's code, which is known already */
}

static int64_t sqlite_integer(struct db_rows *r, int column)
{
    return sqlite3_column_int64(r->set, column);
}

static double sqlite_real(struct db_rows *r, int column)
{
    return sqlite3_column_double(r->set, column);
}

static const void *sqlite_bytes(struct db_rows *r, int column, size_t *len)
{
    int type = sqlite3_column_type(r->set, column);
    const void *data = type == SQLITE_BLOB ? sqlite3_column_blob(r->set, column) : sqlite3_column_text(r->set, column);
    *len = (size_t)sqlite3_column_bytes(r->set, column);
    return data || type == SQLITE_NULL ? data : ""; /* an empty blob has no address */
}

const struct db_driver db_sqlite = {
    .close = sqlite_close_all,
    .snapshot = sqlite_snapshot,
    .snapshot_end = sqlite_snapshot_end,
    .write = sqlite_write_job,
    .script = sqlite_script,
    .script_slow = sqlite_script,
    .query = sqlite_query,
    .next = sqlite_next,
    .changed = sqlite_changed,
    .end = sqlite_end,
    .integer = sqlite_integer,
    .real = sqlite_real,
    .bytes = sqlite_bytes,
    .has_room = sqlite_has_room,
};
