/* postgres.h: what the PostgreSQL backends of both stores share; private to src/store.
 *
 * One `struct pg` is one database, reached over a bounded set of connections that are made when they are first
 * needed and made again when they broke. A read looks as it does in sqlite.h:
 *
 *     struct pg_conn *c = pg_reader(d);
 *     struct pg_rows r;
 *     pg_query(&r, c, "SELECT filename FROM documents WHERE id > $1", PG_ARGS(PG_INT(after)), err);
 *     while (pg_next(&r))
 *         use(pg_text(&r, 0, arena));
 *     st = pg_end(&r); // OK, or the first thing that went wrong
 *     pg_reader_done(d, c);
 *
 * SQL is always a string literal, prepared once per connection under its address; pg_query_once takes any. Values
 * travel in binary: text, bigint, bytea, boolean (read as an integer) and arrays of bigint and bytea.
 *
 * A server that does not answer is ERR_UNAVAILABLE, at once while the last attempt is less than a moment ago. */
#ifndef PEEL_STORE_POSTGRES_H
#define PEEL_STORE_POSTGRES_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg;
struct pg_conn;
struct pg_result;

/* Migration i of `migrations` (SQL script) takes a database from version i to i + 1. */
struct pg_schema {
    const char *what; /* "sticker database": for messages, and as a mark, so that one store never opens the other's */
    int64_t count;
    const char *const *migrations;
};

/* url: postgresql://user:password@host:port/name?sslmode=..., or what else libpq understands. Creates the database if
 * it may, and migrates it in one transaction under an advisory lock: any number of processes may do so at once.
 * At most `connections` are open at a time. ERR_UNSUPPORTED for a newer schema or the other store's database. */
enum status pg_open(const char *url, unsigned connections, const struct pg_schema *schema, struct pg **out,
                    struct error *err) MUST_CHECK;
void pg_close(struct pg *d); /* NULL is fine; every connection must have been handed back */
enum status pg_ping(struct pg *d, struct error *err) MUST_CHECK;

struct pg_conn *pg_reader(struct pg *d); /* waits for a free one; never NULL: errors come with its first statement */
void pg_reader_done(struct pg *d, struct pg_conn *c);
/* Until the end all reads of this connection see the same moment. */
enum status pg_snapshot(struct pg_conn *c, struct error *err) MUST_CHECK;
void pg_snapshot_end(struct pg_conn *c);

/* Runs `job` in a transaction of its own. It runs again when the server gave it up because of another's (a deadlock,
 * a serialisation failure), or when the connection broke before the commit: so it sets all its results itself. When it
 * broke during the commit, the server is asked what became of it; ERR_UNAVAILABLE where it cannot be asked, and then
 * the transaction may or may not have happened. A durable one is on the disk when this returns OK. */
typedef enum status pg_job(struct pg_conn *c, void *arg, struct error *err);
enum pg_durability { PG_FAST, PG_DURABLE };
enum status pg_write(struct pg *d, enum pg_durability durability, pg_job *job, void *arg, struct error *err) MUST_CHECK;

/* --- statements --- */
struct pg_blob {
    const void *data;
    size_t len;
};
struct pg_arg {
    enum { PG_ARG_TEXT, PG_ARG_INT, PG_ARG_BLOB, PG_ARG_INTS, PG_ARG_BLOBS } type;
    const void *data; /* borrowed until the statement was sent; NULL is SQL's */
    size_t len;       /* bytes, or items of an array */
    int64_t number;
};
#define PG_TEXT(s)                                                                                                     \
    {                                                                                                                  \
        .type = PG_ARG_TEXT, .data = (s)                                                                               \
    }
#define PG_INT(i)                                                                                                      \
    {                                                                                                                  \
        .type = PG_ARG_INT, .number = (i)                                                                              \
    }
#define PG_BLOB(p, n)                                                                                                  \
    {                                                                                                                  \
        .type = PG_ARG_BLOB, .data = (p), .len = (n)                                                                   \
    }
#define PG_INTS(p, n)                                                                                                  \
    {                                                                                                                  \
        .type = PG_ARG_INTS, .data = (p), .len = (n)                                                                   \
    } /* int64_t [n], as bigint[] */
#define PG_BLOBS(p, n)                                                                                                 \
    {                                                                                                                  \
        .type = PG_ARG_BLOBS, .data = (p), .len = (n)                                                                  \
    } /* struct pg_blob [n], as bytea[]; data NULL is SQL's */
#define PG_ARGS(...)                                                                                                   \
    (const struct pg_arg[]){__VA_ARGS__}, sizeof((const struct pg_arg[]){__VA_ARGS__}) / sizeof(struct pg_arg)
#define PG_NONE NULL, 0

struct pg_rows {
    struct pg_conn *conn;
    struct pg_result *result;
    int at, count;
    enum status status; /* sticky */
    struct error *err;
};
void pg_query(struct pg_rows *r, struct pg_conn *c, const char *sql, const struct pg_arg *args, size_t n,
              struct error *err);
void pg_query_once(struct pg_rows *r, struct pg_conn *c, const char *sql, const struct pg_arg *args, size_t n,
                   struct error *err);
bool pg_next(struct pg_rows *r);                  /* false at the end and after a failure */
enum status pg_end(struct pg_rows *r) MUST_CHECK; /* once for every pg_query */
bool pg_null(struct pg_rows *r, int column);
int64_t pg_int(struct pg_rows *r, int column);                       /* NULL reads as 0 */
double pg_double(struct pg_rows *r, int column);                     /* double precision or real; NULL reads as 0 */
const char *pg_text(struct pg_rows *r, int column, struct arena *a); /* NULL reads as ""; "" when a is full */
const void *pg_blob(struct pg_rows *r, int column, size_t *len);     /* borrowed until pg_end */
bool pg_text_is(struct pg_rows *r, int column, const char *s);       /* equal? without copying */
bool pg_grow(struct pg_rows *r, struct arena *a, void **items, size_t n, size_t *cap, size_t item_size);

/* An array of bigint or bytea, item by item:
 *     pg_array(&it, &r, column);
 *     while (pg_item(&it, &data, &len)) // data NULL: SQL's; a bigint has 8 bytes, see pg_read_int */
struct pg_items {
    const unsigned char *at, *end;
    size_t left;
};
void pg_array(struct pg_items *it, struct pg_rows *r, int column); /* no items when it is NULL */
bool pg_item(struct pg_items *it, const unsigned char **data, size_t *len);
int64_t pg_read_int(const unsigned char bytes[8]);

enum status pg_run(struct pg_conn *c, const char *sql, const struct pg_arg *args, size_t n, int64_t *changed,
                   struct error *err) MUST_CHECK;
enum status pg_script(struct pg_conn *c, const char *sql, struct error *err) MUST_CHECK; /* several statements */
enum status pg_get_int(struct pg_conn *c, const char *sql, const struct pg_arg *args, size_t n, int64_t *value,
                       bool *found, struct error *err) MUST_CHECK;
int64_t pg_limit(size_t n); /* a size as SQL's LIMIT or OFFSET */

#endif
