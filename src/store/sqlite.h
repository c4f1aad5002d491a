/* sqlite.h: what the SQLite backends of both stores share; private to src/store.
 *
 * One `struct db` is one database file: a bounded set of read connections, each used by one thread at
 * a time, and one write connection behind a group commit (sqlite_writer.c). A read looks like
 *
 *     struct db_conn *c = db_reader(d);
 *     struct db_rows r;
 *     db_query(&r, c, "SELECT filename FROM stickers WHERE bytes > ?1", DB_ARGS(DB_INT(least)), err);
 *     while (db_next(&r))
 *         use(db_text(&r, 0, arena));
 *     st = db_end(&r); // OK, or the first thing that went wrong in query, next or text
 *     db_reader_done(d, c);
 *
 * SQL is always a string literal, whose prepared statement is cached under its address; db_query_once takes SQL
 * that was put together from literals, and prepares it each time. */
#ifndef PEEL_STORE_SQLITE_H
#define PEEL_STORE_SQLITE_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_conn;
struct sqlite3_stmt;

/* Migration i of `migrations` (SQL script) takes a database from version i to i + 1. */
struct db_schema {
    const char *what;       /* "sticker database", for messages */
    int32_t application_id; /* marks the file, so that one store never opens the other's */
    int64_t count;
    const char *const *migrations;
};

/* Creates the file (mode 0600) or opens it, and migrates it in one exclusive transaction; any number of
 * processes may do so at once. ERR_UNSUPPORTED for a newer schema or another program's database. */
enum status db_open(const char *path, unsigned readers, const struct db_schema *schema, struct db **out,
                    struct error *err) MUST_CHECK;
void db_close(struct db *d); /* NULL is fine; every reader must have been handed back */
const char *db_path(const struct db *d);
enum status db_ping(struct db *d, struct error *err) MUST_CHECK;

struct db_conn *db_reader(struct db *d); /* waits for a free one; never NULL */
void db_reader_done(struct db *d, struct db_conn *c);
/* Several reads that must see one state of the database. */
enum status db_snapshot(struct db_conn *c, struct error *err) MUST_CHECK;
void db_snapshot_end(struct db_conn *c);

/* Runs `job` inside a transaction shared with other callers, in a savepoint of its own: when it fails,
 * it alone is undone. It may run on another caller's thread. Returns what the job returned, or why the
 * transaction could not be committed. A durable one is on the disk (fsync) when this returns OK. */
typedef enum status db_job(struct db_conn *c, void *arg, struct error *err);
enum db_durability { DB_FAST, DB_DURABLE };
enum status db_write(struct db *d, enum db_durability durability, db_job *job, void *arg, struct error *err) MUST_CHECK;

/* --- statements --- */
struct db_arg {
    enum { DB_ARG_TEXT, DB_ARG_INT, DB_ARG_BLOB, DB_ARG_POINTER } type;
    const void *data; /* borrowed until the statement ends */
    size_t len;
    int64_t number;
};
#define DB_TEXT(s)                                                                                                     \
    {                                                                                                                  \
        .type = DB_ARG_TEXT, .data = (s)                                                                               \
    }
#define DB_INT(i)                                                                                                      \
    {                                                                                                                  \
        .type = DB_ARG_INT, .number = (i)                                                                              \
    }
#define DB_BLOB(p, n)                                                                                                  \
    {                                                                                                                  \
        .type = DB_ARG_BLOB, .data = (p), .len = (n)                                                                   \
    }
#define DB_POINTER(p)                                                                                                  \
    {                                                                                                                  \
        .type = DB_ARG_POINTER, .data = (p)                                                                            \
    } /* for sqlite3_value_pointer in our own functions */
#define DB_POINTER_TYPE "peel"
#define DB_ARGS(...)                                                                                                   \
    (const struct db_arg[]){__VA_ARGS__}, sizeof((const struct db_arg[]){__VA_ARGS__}) / sizeof(struct db_arg)
#define DB_NONE NULL, 0

struct db_rows {
    struct db_conn *conn;
    struct sqlite3_stmt *stmt;
    enum status status; /* sticky */
    struct error *err;
    bool once; /* the statement is not cached */
};
void db_query(struct db_rows *r, struct db_conn *c, const char *sql, const struct db_arg *args, size_t n,
              struct error *err);
void db_query_once(struct db_rows *r, struct db_conn *c, const char *sql, const struct db_arg *args, size_t n,
                   struct error *err);
bool db_next(struct db_rows *r);                                     /* false at the end and after a failure */
enum status db_end(struct db_rows *r) MUST_CHECK;                    /* once for every db_query */
int64_t db_int(struct db_rows *r, int column);                       /* NULL reads as 0 */
double db_double(struct db_rows *r, int column);                     /* NULL reads as 0 */
const char *db_text(struct db_rows *r, int column, struct arena *a); /* NULL reads as ""; "" when a is full */
const void *db_blob(struct db_rows *r, int column, size_t *len);     /* borrowed until the next db_next or db_end */
bool db_text_is(struct db_rows *r, int column, const char *s);       /* equal? without copying */
/* Makes room for item `n` of an array in the arena; false (and r fails) when the arena is full. */
bool db_grow(struct db_rows *r, struct arena *a, void **items, size_t n, size_t *cap, size_t item_size);

/* A statement without rows. `changed`: how many rows it changed; may be NULL. */
enum status db_run(struct db_conn *c, const char *sql, const struct db_arg *args, size_t n, int64_t *changed,
                   struct error *err) MUST_CHECK;
/* The first column of the first row; *found false without a row (may be NULL). */
enum status db_get_int(struct db_conn *c, const char *sql, const struct db_arg *args, size_t n, int64_t *value,
                       bool *found, struct error *err) MUST_CHECK;
int64_t db_last_row(struct db_conn *c); /* row number of the last insert on this connection */
int64_t db_limit(size_t n);             /* a size as SQL's LIMIT or OFFSET */

/* --- between sqlite.c, sqlite_schema.c and sqlite_writer.c --- */
enum status db_conn_open(const char *path, bool writer, struct db_conn **out, struct error *err) MUST_CHECK;
void db_conn_close(struct db_conn *c);
enum status db_script(struct db_conn *c, const char *sql, struct error *err) MUST_CHECK; /* not cached */
bool db_in_transaction(struct db_conn *c);
enum status db_migrate(struct db_conn *c, const char *path, const struct db_schema *schema,
                       struct error *err) MUST_CHECK;

struct db_writer;
enum status db_writer_open(struct db_conn *c, struct db_writer **out, struct error *err) MUST_CHECK; /* takes c over */
void db_writer_close(struct db_writer *w);
enum status db_writer_do(struct db_writer *w, enum db_durability durability, db_job *job, void *arg,
                         struct error *err) MUST_CHECK;

#endif
