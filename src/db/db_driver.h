/* db_driver.h: what a database's driver gives to db.c; between db.c, sqlite*.c and postgres.c.
 * A driver's connection begins with a `struct db_conn`, its database with a `struct db`. */
#ifndef PEEL_DB_DB_DRIVER_H
#define PEEL_DB_DB_DRIVER_H

#include "base/metric.h"
#include "db/db.h"
#include <pthread.h>
#include <stdatomic.h>

struct db_driver {
    bool postgres;
    void (*close)(struct db *d); /* connections too; the rest of `struct db` is db.c's */
    __typeof__(db_snapshot) *snapshot;
    __typeof__(db_snapshot_end) *snapshot_end;
    __typeof__(db_write) *write;
    __typeof__(db_script) *script, *script_slow;
    /* Fills in r->set, and r->count if it is known; what goes wrong is in r->status. */
    void (*query)(struct db_rows *r, const char *sql, const struct db_arg *args, size_t n);
    __typeof__(db_next) *next;             /* called while r->status is OK */
    int64_t (*changed)(struct db_rows *r); /* after the last row */
    void (*end)(struct db_rows *r);
    __typeof__(db_int) *integer;
    __typeof__(db_double) *real;
    __typeof__(db_bytes) *bytes;
    /* Whether there is room for more; NULL: only the server knows. */
    enum status (*has_room)(const struct db *d, struct error *err) MUST_CHECK;
};

struct db_conn {
    const struct db_driver *driver;
    struct db *db;      /* NULL while it opens */
    const char *name;   /* the database's, for messages */
    int64_t since_us;   /* when it was asked for, for a read */
    enum status status; /* what went wrong in the read, the last of it */
};

struct db_calls {
    struct metric_times took, waited;
    _Atomic uint64_t failed;
};

struct db {
    const struct db_driver *driver;
    char *name; /* for messages: without a password */
    pthread_mutex_t mutex;
    pthread_cond_t returned;
    struct db_conn **conns; /* for reads, and with PostgreSQL also for writes */
    struct db_conn **free;  /* a stack: the one used last has the most statements prepared */
    unsigned count, n_free;
    struct db_calls reads, writes;
    atomic_bool damaged;          /* nothing is written any more */
    atomic_bool write_failed;     /* the last write did, for the database's sake */
    _Atomic int64_t rechecked_us; /* when db_writable tried one itself */
    struct error write_error;     /* why it failed; under the mutex */
};

extern const struct db_driver db_sqlite, db_postgres;

/* What both have: pool and name. `d` is zeroed; db_close undoes it whatever this returns. */
enum status db_init(struct db *d, const struct db_driver *driver, const char *name, unsigned connections,
                    struct error *err) MUST_CHECK;
/* Waits for a free connection, without counting a read; its wait is one of `calls`. */
struct db_conn *db_take(struct db *d, struct db_calls *calls);
void db_give(struct db *d, struct db_conn *c);
/* A page of it is not as the database wrote it, or cannot be read: from now on nothing is written, which could make it
 * worse, and this is logged once. For drivers. */
void db_mark_damaged(struct db_conn *c, const char *why);
/* ERR_CORRUPT once it is marked. */
enum status db_check_damage(const struct db *d, struct error *err) MUST_CHECK;
void db_add_conn(struct db *d, struct db_conn *c); /* takes it over; within the number given to db_init */

__typeof__(db_open) db_sqlite_open, db_postgres_open; /* the url is of that kind */

#endif
