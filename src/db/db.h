/* db.h: one database behind a store, whichever it is; for the stores and the search in them (src/fts).
 * The room knows connections, transactions and migrations, but no table of Peel's; it sees base only, and is the only
 * one besides fts that sees the databases' own headers.
 *
 * A `struct db` is one database: a SQLite file (sqlite.c, with its group commit in sqlite_writer.c) or one on a
 * PostgreSQL server (postgres.c), reached over a bounded set of connections, each used by one thread at a time.
 * A read looks like
 *
 *     struct db_conn *c = db_reader(d);
 *     struct db_rows r;
 *     db_query(&r, c, "SELECT filename FROM stickers WHERE bytes > $1", DB_ARGS(DB_INT(least)), err);
 *     while (db_next(&r))
 *         use(db_text(&r, 0, arena));
 *     st = db_end(&r); // OK, or the first thing that went wrong in query, next or text
 *     db_reader_done(d, c);
 *
 * SQL is always a string literal, prepared once per connection under its address; db_query_once takes SQL that was put
 * together from literals, and prepares it each time. $1 is the first value in either dialect. Where the dialects
 * part, there is one literal for each: db_sql(c, "for SQLite", "for PostgreSQL").
 *
 * A database that does not answer (or a file that is full or held too long) is ERR_UNAVAILABLE. */
#ifndef PEEL_DB_DB_H
#define PEEL_DB_DB_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_conn;
struct sqlite3;

/* Migration i of `migrations` (SQL script) takes a database from version i to i + 1. */
struct db_schema {
    const char *what;       /* "sticker database": for messages; it marks one of PostgreSQL's, and ... */
    int32_t application_id; /* ... this marks SQLite's, so that one store never opens the other's */
    int64_t count;
    const char *const *migrations;
    /* SQLite only: makes our own functions known to each new connection and returns SQLite's result code; or NULL. */
    int (*sqlite_functions)(struct sqlite3 *handle);
};

/* True for PostgreSQL's URL; anything else is the path of a SQLite file. */
bool db_is_postgres_url(const char *url);

/* Opens the database, makes it if it is not there (a file has mode 0600), and migrates it in one transaction that
 * excludes others': any number of processes may do so at once. 1 to 64 connections. ERR_UNSUPPORTED for a newer
 * schema, the other store's database, another program's, or a URL of another scheme. Without a schema (NULL) it opens
 * what is there, whatever it is, for reading only, and neither makes nor migrates anything; db_write is not to be
 * called then. */
enum status db_open(const char *url, unsigned connections, const struct db_schema *schema, struct db **out,
                    struct error *err) MUST_CHECK;
/* The version of what is there, after a look whether it is a database of this schema and, with SQLite, whole
 * (quick_check, which reads all of it). Makes, migrates and changes nothing. ERR_UNSUPPORTED: it is of another schema;
 * ERR_CORRUPT. */
enum status db_inspect(const char *url, const struct db_schema *schema, int64_t *version, struct error *err) MUST_CHECK;
void db_close(struct db *d); /* NULL is fine; every connection must have been handed back */
enum status db_ping(struct db *d, struct error *err) MUST_CHECK;
/* Whether writes can be stored: OK while the last one was. After one that failed for the database's sake (a full disk,
 * a lost connection) it looks for room and writes something that changes nothing, at most once a second, and says why
 * that failed. ERR_CORRUPT: a SQLite file was found damaged; nothing is written to it until it is opened anew. */
enum status db_writable(struct db *d, struct error *err) MUST_CHECK;

/* Prometheus' <prefix>_database_*: how long calls took, how long of it they waited for a connection or for the writer's
 * turn, and how many failed for the database's sake (it is away, full, broken), not for what was asked. */
void db_metrics(const struct db *d, const char *prefix, struct buf *out);

const char *db_name(const struct db *d); /* for messages: without a password */

struct db_conn *db_reader(struct db *d); /* waits for a free one; never NULL: errors come with its first statement */
void db_reader_done(struct db *d, struct db_conn *c);
/* Until the end all reads of this connection see one state of the database. */
enum status db_snapshot(struct db_conn *c, struct error *err) MUST_CHECK;
void db_snapshot_end(struct db_conn *c);

/* Runs `job` in a transaction, and returns what it returned or why that could not be committed; when it fails, it
 * alone is undone. A durable one is on the disk (fsync) when this returns OK.
 * SQLite: the transaction is shared with other callers, and the job may run on another caller's thread.
 * PostgreSQL: the job runs again when the server gave it up because of another's (a deadlock, a serialisation failure),
 * or when the connection broke before the commit: so it sets all its results itself. When it broke during the commit,
 * the server is asked what became of it; where it cannot be asked, ERR_UNAVAILABLE leaves open whether it happened. */
typedef enum status db_job(struct db_conn *c, void *arg, struct error *err);
enum db_durability { DB_FAST, DB_DURABLE, DB_BULK /* fast, but of many rows: the first of its transaction */ };
enum status db_write(struct db *d, enum db_durability durability, db_job *job, void *arg, struct error *err) MUST_CHECK;

/* --- SQLite's files as wholes, for backups --- */
enum { DB_COPY_FILES = 4 };
struct db_file_copy {
    const char *from, *to; /* `to` must not be there; mode 0600 */
};
/* In pages of the files. False: stop. */
typedef bool db_copy_progress(void *ctx, int64_t done, int64_t total);
/* Copies up to DB_COPY_FILES databases while others use them, all as they are at one and the same moment. Each copy is
 * one file, synced. ERR_CANCELLED; ERR_UNAVAILABLE: they changed without a pause for ten seconds. */
enum status db_copy_files(const struct db_file_copy *copies, size_t n, db_copy_progress *progress, void *ctx,
                          struct error *err) MUST_CHECK;
/* Writes the journal into the file, so that the file is all there is. ERR_UNAVAILABLE: somebody else has it open. */
enum status db_file_fold(const char *path, struct error *err) MUST_CHECK;
/* SQLite's integrity_check, which reads all of it. ERR_CORRUPT. */
enum status db_file_check(const char *path, struct error *err) MUST_CHECK;

/* --- the dialects --- */
bool db_is_postgres(const struct db_conn *c);
const char *db_sql(const struct db_conn *c, const char *sqlite, const char *postgres);
/* Inside a job: only PostgreSQL has others at work meanwhile, and needs to be told to keep them off. */
enum status db_lock(struct db_conn *c, const char *postgres, struct error *err) MUST_CHECK;

/* --- statements --- */
struct db_bytes {
    const void *data;
    size_t len;
};
struct db_arg {
    enum { DB_ARG_TEXT, DB_ARG_INT, DB_ARG_REAL, DB_ARG_BLOB, DB_ARG_POINTER, DB_ARG_INTS, DB_ARG_BLOBS } type;
    const void *data; /* borrowed until the statement ends; NULL is SQL's */
    size_t len;       /* bytes, or items of an array */
    union {
        int64_t number;
        double real;
    };
};
#define DB_TEXT(s)                                                                                                     \
    {                                                                                                                  \
        .type = DB_ARG_TEXT, .data = (s)                                                                               \
    }
#define DB_INT(i)                                                                                                      \
    {                                                                                                                  \
        .type = DB_ARG_INT, .number = (i)                                                                              \
    }
#define DB_REAL(d)                                                                                                     \
    {                                                                                                                  \
        .type = DB_ARG_REAL, .real = (d)                                                                               \
    }
#define DB_BLOB(p, n)                                                                                                  \
    {                                                                                                                  \
        .type = DB_ARG_BLOB, .data = (p), .len = (n)                                                                   \
    }
/* SQLite only: for sqlite3_value_pointer in our own functions. */
#define DB_POINTER(p)                                                                                                  \
    {                                                                                                                  \
        .type = DB_ARG_POINTER, .data = (p)                                                                            \
    }
/* PostgreSQL only: int64_t [n] as bigint[]; struct db_bytes [n] as bytea[] (data NULL is SQL's). */
#define DB_INTS(p, n)                                                                                                  \
    {                                                                                                                  \
        .type = DB_ARG_INTS, .data = (p), .len = (n)                                                                   \
    }
#define DB_BLOBS(p, n)                                                                                                 \
    {                                                                                                                  \
        .type = DB_ARG_BLOBS, .data = (p), .len = (n)                                                                  \
    }
#define DB_ARGS(...)                                                                                                   \
    (const struct db_arg[]){__VA_ARGS__}, sizeof((const struct db_arg[]){__VA_ARGS__}) / sizeof(struct db_arg)
#define DB_NONE NULL, 0

struct db_rows {
    struct db_conn *conn;
    void *set;          /* the driver's: a statement, or a result */
    int at, count;      /* of a result */
    bool once;          /* the statement is not cached */
    enum status status; /* sticky */
    struct error *err;
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
bool db_text_is(struct db_rows *r, int column, const char *s);       /* equal? without copying */
/* A text's bytes or a blob's, borrowed until the next db_next or db_end; NULL for SQL's. */
const void *db_bytes(struct db_rows *r, int column, size_t *len);
/* Makes room for item `n` of an array in the arena; false (and r fails) when the arena is full. */
bool db_grow(struct db_rows *r, struct arena *a, void **items, size_t n, size_t *cap, size_t item_size);

/* A statement whose rows do not matter. `changed`: how many rows it changed; may be NULL. */
enum status db_run(struct db_conn *c, const char *sql, const struct db_arg *args, size_t n, int64_t *changed,
                   struct error *err) MUST_CHECK;
/* The first column of the first row; *found false without a row (may be NULL). */
enum status db_get_int(struct db_conn *c, const char *sql, const struct db_arg *args, size_t n, int64_t *value,
                       bool *found, struct error *err) MUST_CHECK;
/* How many there are, by a statement that counts them. It reads an index whole, so that a count of more than DB_COUNTED
 * is good for ten seconds; smaller ones are always as of now. `kept`: of this statement, zeros at first. */
#define DB_COUNTED 100000
struct db_counted {
    atomic_int_least64_t n, until_us;
};
enum status db_count(struct db_conn *c, const char *sql, struct db_counted *kept, int64_t *n,
                     struct error *err) MUST_CHECK;
/* The same for a read of its own, with a connection of the pool. */
enum status db_read_int(struct db *d, const char *sql, const struct db_arg *args, size_t n, int64_t *value, bool *found,
                        struct error *err) MUST_CHECK;
/* All rows of a read of its own, each made into an item of `item_size` bytes by `read`: out[*n_out] in the arena. */
typedef void db_read_item(struct db_rows *r, struct arena *a, void *item);
enum status db_read_list(struct db *d, const char *sql, const struct db_arg *args, size_t n, db_read_item *read,
                         size_t item_size, struct arena *a, void **out, size_t *n_out, struct error *err) MUST_CHECK;
enum status db_script(struct db_conn *c, const char *sql, struct error *err) MUST_CHECK; /* several, without values */
/* One statement that may take hours, such as the making of an index. */
enum status db_script_slow(struct db_conn *c, const char *sql, struct error *err) MUST_CHECK;
int64_t db_limit(size_t n); /* a size as SQL's LIMIT or OFFSET */

#endif
