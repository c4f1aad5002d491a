/* postgres.c: PostgreSQL's driver: connections, their prepared statements, transactions and migrations. Values travel
 * in binary: text, bigint, bytea, boolean (read as an integer) and arrays of bigint and bytea. While the server does
 * not answer, calls fail at once, but for an attempt now and then.
 *
 * It is one file of more than 600 lines because whether a failure may be tried again depends on all of it at once: on
 * how the connection broke, on the transaction that it was in, and on whether a commit may have happened. */
#include "db/postgres.h"
#include "db/db_driver.h"

#include "base/log.h"
#include "base/os.h"

#include <assert.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_STATEMENTS = 192, /* distinct SQL literals that one connection may meet */
    STATEMENT_NAME = 40,
    MAX_TRIES = 8, /* of a job that the server gives up */
    CONNECT_S = 5,
    STATEMENT_MS = 30000,              /* the server gives up */
    PATIENCE_MS = STATEMENT_MS + 5000, /* we do: it hangs, or the network does */
    LEAST_PAUSE_US = 100000,           /* between attempts to connect, doubled up to */
    MOST_PAUSE_US = 3000000,
};
#define MIGRATION_LOCK "7306357456639091052" /* any number; all peel programs take the same */

struct pg_conn {
    struct db_conn base;
    struct pg *db;
    PGconn *handle; /* NULL before the first use */
    const char *prepared[MAX_STATEMENTS];
    size_t n_prepared;
    uint32_t tag; /* random */
    bool patient; /* waits for ever */
    bool pinned;  /* inside a transaction, which a new connection would know nothing of */
    bool gave_up; /* the last failure is one that another attempt may get over */
};

struct pg {
    struct db base;
    char *url;
    struct pg_conn *all;
    int64_t pause_us, next_try_us; /* after failures to connect */
};

static struct pg_conn *pg_conn(struct db_conn *c)
{
    return (struct pg_conn *)c;
}

/* --- errors --- */

static enum status failed(struct pg_conn *c, const PGresult *result, struct error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *said = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    c->gave_up = false;
    if (!c->handle)
        return ERR_UNAVAILABLE; /* await_result has said why */
    state = state ? state : "";
    said = said ? said : PQerrorMessage(c->handle);
    int len = (int)strcspn(said, "\n");
    c->gave_up = strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
    enum status code = ERR_INTERNAL;
    if (PQstatus(c->handle) != CONNECTION_OK || strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
        c->gave_up || strncmp(state, "53", 2) == 0 || strcmp(state, "55P03") == 0) /* full: that passes */
        code = ERR_UNAVAILABLE;
    else if (strcmp(state, "57014") == 0)
        code = ERR_TIMEOUT;
    else if (strncmp(state, "23", 2) == 0)
        code = ERR_CONFLICT;
    else if (strncmp(state, "28", 2) == 0 || strcmp(state, "42501") == 0)
        code = ERR_DENIED;
    else if (strncmp(state, "58", 2) == 0)
        code = ERR_IO;
    else if (strncmp(state, "54", 2) == 0)
        code = ERR_TOO_LARGE;
    else if (strncmp(state, "XX00", 4) == 0)
        code = ERR_CORRUPT;
    else if (strncmp(state, "22", 2) == 0)
        code = ERR_INVALID;
    return err_set(err, code, "database %s: %.*s%s%s", c->base.name, len, said, *state ? ", SQLSTATE " : "", state);
}

/* --- connections --- */

static enum status pg_script(struct db_conn *c, const char *sql, struct error *err);

static void quiet(void *arg, const PGresult *result)
{
    (void)arg, (void)result; /* notices, such as "relation already exists, skipping" */
}

static enum status set_up(struct pg_conn *c, struct error *err)
{
    char sql[300];
    PQsetNoticeReceiver(c->handle, quiet, NULL);
    /* Statements are prepared once; to plan one again each time takes longer than most of them. */
    snprintf(sql, sizeof sql,
             "SET statement_timeout = %d; SET lock_timeout = %d; SET idle_in_transaction_session_timeout = %d;"
             "SET client_encoding = 'UTF8'; SET plan_cache_mode = force_generic_plan",
             STATEMENT_MS, STATEMENT_MS, STATEMENT_MS);
    return pg_script(&c->base, sql, err);
}

static PGconn *connect_to(const struct pg *d, const char *database)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", CONNECT_S);
    /* What stands before the URL it may say otherwise. */
    const char *keys[] = {"connect_timeout",  "keepalives_idle",          "keepalives_interval",
                          "keepalives_count", "tcp_user_timeout",         "application_name",
                          "dbname",           database ? "dbname" : NULL, NULL};
    const char *values[] = {timeout, "10", "5", "3", "20000", "peel", d->url, database, NULL};
    return PQconnectdbParams(keys, values, 1);
}

/* The last result of what was sent (PQclear it); NULL: the connection is gone. */
static PGresult *await_result(struct pg_conn *c, bool sent, struct error *err)
{
    PGresult *last = NULL;
    int64_t deadline = os_monotonic_us() + PATIENCE_MS * 1000ll;
    while (sent) {
        int unsent = PQflush(c->handle);
        while (!PQisBusy(c->handle)) {
            PGresult *pg_next = PQgetResult(c->handle);
            if (!pg_next)
                return last;
            PQclear(last);
            last = pg_next;
        }
        int64_t left = deadline - os_monotonic_us();
        struct pollfd socket = {.fd = PQsocket(c->handle), .events = unsent > 0 ? POLLIN | POLLOUT : POLLIN};
        int ready_n = poll(&socket, 1, c->patient ? -1 : left > 0 ? (int)(left / 1000) + 1 : 0);
        if (ready_n == 0 && left <= 0) {
            err_set(err, ERR_UNAVAILABLE, "database %s did not answer for %d s", c->base.name, PATIENCE_MS / 1000);
            PQclear(last);
            PQfinish(c->handle);
            c->handle = NULL;
            return NULL;
        }
        if (ready_n > 0 && !PQconsumeInput(c->handle)) { /* broken: the result says how */
            PQclear(last);
            return PQgetResult(c->handle);
        }
    }
    return last;
}

/* Makes the connection if there is none. While the server does not answer, attempts become rarer. */
static enum status ready(struct pg_conn *c, struct error *err)
{
    struct pg *d = c->db;
    if (c->handle && PQstatus(c->handle) == CONNECTION_OK)
        return OK;
    if (c->pinned)
        return err_set(err, ERR_UNAVAILABLE, "database %s: the connection broke in a transaction", d->base.name);
    pthread_mutex_lock(&d->base.mutex);
    bool wait = d->pause_us && os_monotonic_us() < d->next_try_us;
    pthread_mutex_unlock(&d->base.mutex);
    if (wait)
        return err_set(err, ERR_UNAVAILABLE, "database %s does not answer", d->base.name);
    PQfinish(c->handle);
    c->n_prepared = 0;
    os_random(&c->tag, sizeof c->tag);
    c->handle = connect_to(d, NULL);
    enum status st = PQstatus(c->handle) == CONNECTION_OK ? set_up(c, err) : failed(c, NULL, err);
    uint32_t random;
    os_random(&random, sizeof random);
    pthread_mutex_lock(&d->base.mutex);
    if (st == OK) {
        d->pause_us = 0;
    } else {
        d->pause_us = d->pause_us ? 2 * d->pause_us : LEAST_PAUSE_US;
        d->pause_us = d->pause_us < MOST_PAUSE_US ? d->pause_us : MOST_PAUSE_US;
        d->next_try_us = os_monotonic_us() + d->pause_us / 2 + random % (d->pause_us / 2); /* not all at once */
    }
    pthread_mutex_unlock(&d->base.mutex);
    return st == OK ? OK : ERR_UNAVAILABLE;
}

/* --- statements --- */

/* In binary, as PostgreSQL's *send functions write them: big endian. */
static void pg_put_bytes(unsigned char **at, uint64_t value, int n)
{
    for (int i = n - 1; i >= 0; i--)
        *(*at)++ = (unsigned char)(value >> 8 * i & 0xff);
}

int64_t pg_read_int(const unsigned char bytes[8])
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | bytes[i];
    return (int64_t)v;
}

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_FLOAT8 = 701, OID_BYTEA_ARRAY = 1001, OID_INT8_ARRAY = 1016 };
enum { ARRAY_HEAD = 20 };

static size_t item_size(const struct db_arg *arg, size_t i)
{
    return arg->type == DB_ARG_INTS ? 8 : ((const struct db_bytes *)arg->data)[i].len;
}

/* The bytes of an array, which the caller frees; NULL: no memory. */
static unsigned char *pack_array(const struct db_arg *arg, size_t *len)
{
    *len = ARRAY_HEAD;
    for (size_t i = 0; i < arg->len; i++)
        *len += 4 + item_size(arg, i);
    unsigned char *bytes = malloc(*len), *at = bytes;
    if (!bytes)
        return NULL;
    pg_put_bytes(&at, 1, 4); /* dimensions */
    pg_put_bytes(&at, 1, 4); /* there may be NULLs */
    pg_put_bytes(&at, arg->type == DB_ARG_INTS ? OID_INT8 : OID_BYTEA, 4);
    pg_put_bytes(&at, arg->len, 4);
    pg_put_bytes(&at, 1, 4); /* the first item's number */
    for (size_t i = 0; i < arg->len; i++) {
        size_t size = item_size(arg, i);
        if (arg->type == DB_ARG_INTS) {
            pg_put_bytes(&at, size, 4);
            pg_put_bytes(&at, (uint64_t)((const int64_t *)arg->data)[i], 8);
            continue;
        }
        const struct db_bytes *b = (const struct db_bytes *)arg->data + i;
        pg_put_bytes(&at, b->data ? size : UINT32_MAX, 4);
        if (b->data && size)
            memcpy(at, b->data, size);
        at += b->data ? size : 0;
    }
    *len = (size_t)(at - bytes);
    return bytes;
}

enum { MAX_ARGS = 32 };
struct values {
    Oid types[MAX_ARGS];
    const char *data[MAX_ARGS];
    int len[MAX_ARGS], format[MAX_ARGS];
    unsigned char numbers[MAX_ARGS][8];
    unsigned char *owned[MAX_ARGS];
};

static enum status pg_bind(struct values *v, const struct db_arg *args, size_t n, struct error *err)
{
    assert(n <= MAX_ARGS);
    memset(v->owned, 0, sizeof v->owned);
    for (size_t i = 0; i < n; i++) {
        const struct db_arg *arg = &args[i];
        unsigned char *at = v->numbers[i];
        size_t len = arg->len;
        uint64_t bits;
        v->format[i] = 1;
        v->data[i] = arg->data;
        switch (arg->type) {
        case DB_ARG_TEXT:
            v->types[i] = OID_TEXT;
            len = arg->data ? strlen(arg->data) : 0;
            break;
        case DB_ARG_INT:
        case DB_ARG_REAL:
            v->types[i] = arg->type == DB_ARG_INT ? OID_INT8 : OID_FLOAT8;
            memcpy(&bits, arg->type == DB_ARG_INT ? (const void *)&arg->number : &arg->real, sizeof bits);
            pg_put_bytes(&at, bits, 8);
            v->data[i] = (const char *)v->numbers[i];
            len = 8;
            break;
        case DB_ARG_BLOB:
            v->types[i] = OID_BYTEA;
            break;
        case DB_ARG_INTS:
        case DB_ARG_BLOBS:
            v->types[i] = arg->type == DB_ARG_INTS ? OID_INT8_ARRAY : OID_BYTEA_ARRAY;
            if (!(v->owned[i] = pack_array(arg, &len)))
                return err_no_memory(err, "the values of a statement");
            v->data[i] = (const char *)v->owned[i];
            break;
        case DB_ARG_POINTER:
            return err_set(err, ERR_INTERNAL, "a pointer for a statement of PostgreSQL");
        }
        if (len > INT32_MAX)
            return err_set(err, ERR_TOO_LARGE, "a value of a statement has %zu bytes", len);
        v->len[i] = (int)len;
    }
    return OK;
}

/* The statement's name on this connection, prepared there if it is new. */
static enum status pg_prepare(struct pg_conn *c, const char *sql, const struct values *v, size_t n,
                              char name[STATEMENT_NAME], struct error *err)
{
    size_t at = 0;
    while (at < c->n_prepared && c->prepared[at] != sql)
        at++;
    snprintf(name, STATEMENT_NAME, "peel_%08" PRIx32 "_%zu", c->tag, at); /* unique also behind a pooler */
    if (at < c->n_prepared)
        return OK;
    assert(at < MAX_STATEMENTS);
    PGresult *made = await_result(c, PQsendPrepare(c->handle, name, sql, (int)n, v->types) == 1, err);
    enum status st = PQresultStatus(made) == PGRES_COMMAND_OK ? OK : failed(c, made, err);
    PQclear(made);
    if (st == OK)
        c->prepared[c->n_prepared++] = sql;
    return st;
}

static enum status pg_execute(struct pg_conn *c, const char *sql, bool once, const struct db_arg *args, size_t n,
                              PGresult **out, struct error *err)
{
    struct values v;
    char name[STATEMENT_NAME];
    *out = NULL;
    c->gave_up = false;
    enum status st = ready(c, err);
    if (st != OK)
        return st;
    /* A server that went away meanwhile is noticed now; the first statement of a transaction, or one outside, may be
     * sent again. */
    bool fresh = !c->pinned;
    st = pg_bind(&v, args, n, err);
    for (int attempt = 0; st == OK; attempt++) {
        if (once)
            *out = await_result(c, PQsendQueryParams(c->handle, sql, (int)n, v.types, v.data, v.len, v.format, 1) == 1,
                                err);
        else if ((st = pg_prepare(c, sql, &v, n, name, err)) == OK)
            *out = await_result(c, PQsendQueryPrepared(c->handle, name, (int)n, v.data, v.len, v.format, 1) == 1, err);
        ExecStatusType got = PQresultStatus(*out);
        if (st == OK && (got == PGRES_TUPLES_OK || got == PGRES_COMMAND_OK))
            break;
        if (st == OK)
            st = failed(c, *out, err);
        PQclear(*out);
        *out = NULL;
        if (attempt || !fresh || !c->handle || PQstatus(c->handle) == CONNECTION_OK)
            break; /* it hung, and would again; or it is the statement's fault */
        st = ready(c, err);
    }
    for (size_t i = 0; i < n; i++)
        free(v.owned[i]);
    return st;
}

static void pg_query(struct db_rows *r, const char *sql, const struct db_arg *args, size_t n)
{
    PGresult *result;
    r->status = pg_execute(pg_conn(r->conn), sql, r->once, args, n, &result, r->err);
    r->set = result;
    r->count = result ? PQntuples(result) : 0;
}

static bool pg_next(struct db_rows *r)
{
    return ++r->at < r->count;
}

static int64_t pg_changed(struct db_rows *r)
{
    return strtoll(PQcmdTuples(r->set), NULL, 10);
}

static void pg_end(struct db_rows *r)
{
    PQclear(r->set);
}

/* The server is of another version than we know, or something between us garbles what it says. */
static void pg_unexpected(struct db_rows *r, int column, const char *expected, size_t len)
{
    if (r->status == OK)
        r->status = err_set(r->err, ERR_CORRUPT, "database %s: column %d of an answer: expected %s, found %zu bytes",
                            r->conn->name, column + 1, expected, len);
}

static const void *pg_bytes(struct db_rows *r, int column, size_t *len)
{
    const PGresult *result = r->set;
    *len = 0;
    if (column >= PQnfields(result)) {
        pg_unexpected(r, column, "a value", 0);
        return NULL;
    }
    if (PQgetisnull(result, r->at, column))
        return NULL;
    *len = (size_t)PQgetlength(result, r->at, column);
    return PQgetvalue(result, r->at, column);
}

static int64_t pg_integer(struct db_rows *r, int column)
{
    size_t len;
    const unsigned char *at = pg_bytes(r, column, &len);
    uint64_t v = len > 1 && at[0] >> 7 ? UINT64_MAX : 0;
    if (at && len != 1 && len != 2 && len != 4 && len != 8) {
        pg_unexpected(r, column, "a number", len);
        return 0;
    }
    for (size_t i = 0; i < len; i++)
        v = v << 8 | at[i];
    return (int64_t)v;
}

static double pg_real(struct db_rows *r, int column)
{
    size_t len;
    const void *at = pg_bytes(r, column, &len);
    double d;
    float f;
    if (at && len != sizeof f && len != sizeof d) {
        pg_unexpected(r, column, "a number", len);
        return 0;
    }
    int64_t bits = pg_integer(r, column);
    if (len == sizeof f) {
        uint32_t half = (uint32_t)bits;
        memcpy(&f, &half, sizeof f);
        return (double)f;
    }
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint32_t read_4(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void pg_array(struct pg_items *it, struct db_rows *r, int column)
{
    size_t len;
    const unsigned char *array = pg_bytes(r, column, &len);
    *it = (struct pg_items){0};
    if (len >= ARRAY_HEAD && read_4(array) == 1)
        *it = (struct pg_items){.at = array + ARRAY_HEAD, .end = array + len, .left = read_4(array + 12)};
}

bool pg_item(struct pg_items *it, const unsigned char **data, size_t *len)
{
    if (it->left == 0 || it->end - it->at < 4)
        return false;
    uint32_t size = read_4(it->at);
    it->at += 4;
    it->left--;
    *len = 0;
    *data = NULL;
    if (size == UINT32_MAX)
        return true;
    if ((size_t)(it->end - it->at) < size)
        return false;
    *data = it->at;
    *len = size;
    it->at += size;
    return true;
}

static enum status pg_script(struct db_conn *base, const char *sql, struct error *err)
{
    struct pg_conn *c = pg_conn(base);
    enum status st = ready(c, err);
    if (st != OK)
        return st;
    PGresult *result = await_result(c, PQsendQuery(c->handle, sql) == 1, err);
    ExecStatusType got = PQresultStatus(result);
    st = got == PGRES_COMMAND_OK || got == PGRES_TUPLES_OK ? OK : failed(c, result, err);
    PQclear(result);
    return st;
}

static enum status pg_script_slow(struct db_conn *base, const char *sql, struct error *err)
{
    struct pg_conn *c = pg_conn(base);
    char again[80];
    enum status st = pg_script(base, "SET statement_timeout = 0; SET lock_timeout = 0", err);
    if (st != OK)
        return st;
    c->patient = true;
    st = pg_script(base, sql, err);
    c->patient = false;
    snprintf(again, sizeof again, "SET statement_timeout = %d; SET lock_timeout = %d", STATEMENT_MS, STATEMENT_MS);
    (void)!pg_script(base, again, NULL); /* a new connection has them anyway */
    return st;
}

/* --- transactions --- */

static enum status pg_snapshot(struct db_conn *c, struct error *err)
{
    enum status st = db_run(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", DB_NONE, NULL, err);
    pg_conn(c)->pinned = st == OK;
    return st;
}

static void pg_snapshot_end(struct db_conn *c)
{
    pg_conn(c)->pinned = false;
    if (PQstatus(pg_conn(c)->handle) == CONNECTION_OK)
        (void)!pg_script(c, "COMMIT", NULL);
}

/* Begins, and learns the transaction's number in the same round trip. */
static enum status pg_begin(struct pg_conn *c, char number[24], bool *again, struct error *err)
{
    c->gave_up = false;
    enum status st = ready(c, err);
    if (st != OK)
        return st;
    PGresult *r = await_result(c, PQsendQuery(c->handle, "BEGIN; SELECT pg_current_xact_id()") == 1, err);
    if (PQresultStatus(r) == PGRES_TUPLES_OK)
        snprintf(number, 24, "%s", PQgetvalue(r, 0, 0));
    else
        st = failed(c, r, err);
    PQclear(r);
    c->pinned = st == OK;
    /* A server that went away meanwhile is noticed now. One that hung would hang again. */
    *again = c->gave_up || (st != OK && c->handle && PQstatus(c->handle) != CONNECTION_OK);
    return st;
}

/* The connection broke between COMMIT and its answer: the server knows whether it came that far, though perhaps not at
 * once. OK: it did. Where it cannot be asked, `st` and *err stay as they are: unknown. */
static enum status pg_outcome(struct pg_conn *c, const char *number, enum status st, bool *again)
{
    enum { ASKED = 8 };
    struct error local;
    for (unsigned i = 0; i < ASKED; i++) {
        struct db_rows r;
        usleep(i ? 5000u << i : 0);
        db_query(&r, &c->base, "SELECT pg_xact_status($1::xid8)", DB_ARGS(DB_TEXT(number)), &local);
        bool found = db_next(&r), done = found && db_text_is(&r, 0, "committed");
        *again = found && db_text_is(&r, 0, "aborted");
        if (db_end(&r) == OK && (done || *again))
            return done ? OK : st;
    }
    *again = false;
    return st;
}

static enum status pg_attempt(struct pg_conn *c, enum db_durability durability, db_job *job, void *arg, bool *again,
                              struct error *err)
{
    char number[24];
    enum status st = pg_begin(c, number, again, err);
    if (st != OK)
        return st;
    if (durability != DB_DURABLE)
        st = db_run(&c->base, "SET LOCAL synchronous_commit = off", DB_NONE, NULL, err);
    if (st == OK)
        st = job(&c->base, arg, err);
    bool committing = st == OK;
    if (committing)
        st = db_run(&c->base, "COMMIT", DB_NONE, NULL, err);
    c->pinned = false;
    bool broke = PQstatus(c->handle) != CONNECTION_OK;
    *again = st != OK && (c->gave_up || (broke && !committing));
    if (st != OK && broke && committing)
        return pg_outcome(c, number, st, again);
    if (!broke && PQtransactionStatus(c->handle) != PQTRANS_IDLE)
        (void)!pg_script(&c->base, "ROLLBACK", NULL);
    return st;
}

static enum status pg_write_job(struct db *d, enum db_durability durability, db_job *job, void *arg, struct error *err)
{
    struct db_conn *c = db_take(d, &d->writes);
    bool again = true;
    enum status st = OK;
    for (unsigned i = 0; again && i < MAX_TRIES; i++) {
        uint32_t random;
        os_random(&random, sizeof random);
        if (i)
            usleep(random % (1000u << i));
        st = pg_attempt(pg_conn(c), durability, job, arg, &again, err);
    }
    db_give(d, c);
    return st;
}

/* --- opening --- */

static enum status create_database(struct pg *d, const char *name, struct error *err)
{
    struct pg_conn c = {.base.name = d->base.name, .db = d, .handle = connect_to(d, "postgres")};
    enum status st = PQstatus(c.handle) == CONNECTION_OK ? OK : failed(&c, NULL, err);
    char *quoted = st == OK ? PQescapeIdentifier(c.handle, name, strlen(name)) : NULL, *sql = NULL;
    if (st == OK && (!quoted || asprintf(&sql, "CREATE DATABASE %s", quoted) < 0))
        st = err_no_memory(err, "database %s", d->base.name);
    PGresult *made = st == OK ? PQexec(c.handle, sql) : NULL;
    const char *state = made ? PQresultErrorField(made, PG_DIAG_SQLSTATE) : NULL;
    /* Another process may have been faster: "duplicate database", or the unique index behind it. */
    if (st == OK && PQresultStatus(made) != PGRES_COMMAND_OK &&
        !(state && (strcmp(state, "42P04") == 0 || strcmp(state, "23505") == 0)))
        st = failed(&c, made, err);
    if (st == OK)
        log_info("created database %s", d->base.name);
    PQclear(made);
    free(sql);
    PQfreemem(quoted);
    PQfinish(c.handle);
    return st;
}

/* The first connection says what is wrong with the URL, the server or the password. */
static enum status first_connection(struct pg *d, bool create, struct error *err)
{
    struct pg_conn *c = &d->all[0];
    os_random(&c->tag, sizeof c->tag);
    c->handle = connect_to(d, NULL);
    if (PQstatus(c->handle) == CONNECTION_OK)
        return set_up(c, err);
    enum status st = failed(c, NULL, err);
    const char *name = PQdb(c->handle);
    /* The message is in the server's language, but names the database if that is what is missing. */
    if (!create || !name || !strstr(PQerrorMessage(c->handle), name) || create_database(d, name, NULL) != OK)
        return st;
    PQfinish(c->handle);
    c->handle = connect_to(d, NULL);
    return PQstatus(c->handle) == CONNECTION_OK ? set_up(c, err) : failed(c, NULL, err);
}

static enum status pg_read_version(struct pg *d, struct pg_conn *c, const struct db_schema *schema, int64_t *version,
                                   struct error *err)
{
    struct db_rows r;
    bool other = false;
    char what[64] = "";
    *version = 0;
    db_query_once(&r, &c->base, "SELECT version, what FROM schema_migrations ORDER BY version DESC LIMIT 1", DB_NONE,
                  err);
    while (db_next(&r)) {
        size_t len;
        const char *mark = db_bytes(&r, 1, &len);
        *version = db_int(&r, 0);
        other = !db_text_is(&r, 1, schema->what);
        snprintf(what, sizeof what, "%.*s", (int)len, mark);
    }
    enum status st = db_end(&r);
    if (st == OK && other)
        return err_set(err, ERR_UNSUPPORTED, "database %s is a %s, expected a %s", d->base.name, what, schema->what);
    if (st == OK && *version > schema->count)
        return err_set(err, ERR_UNSUPPORTED,
                       "database %s has schema version %" PRId64 ", this program knows up to %" PRId64
                       ": use a newer peel",
                       d->base.name, *version, schema->count);
    return st;
}

static enum status migrate(struct pg *d, struct pg_conn *c, const struct db_schema *schema, struct error *err)
{
    int64_t version;
    c->patient = true; /* it may have to wait for another's migration */
    enum status st = pg_script(&c->base,
                               "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
                               "SELECT pg_advisory_xact_lock(" MIGRATION_LOCK ");"
                               "CREATE TABLE IF NOT EXISTS schema_migrations (version bigint PRIMARY KEY,"
                               " what text NOT NULL, applied_us bigint NOT NULL)",
                               err);
    if (st == OK)
        st = pg_read_version(d, c, schema, &version, err);
    for (; st == OK && version < schema->count; version++) {
        if ((st = pg_script(&c->base, schema->migrations[version], err)) != OK ||
            (st = db_run(&c->base, "INSERT INTO schema_migrations (version, what, applied_us) VALUES ($1, $2, $3)",
                         DB_ARGS(DB_INT(version + 1), DB_TEXT(schema->what), DB_INT(os_now_us())), NULL, err)) != OK)
            err_prefix(err, "migration %" PRId64 " of %s", version + 1, schema->what);
    }
    if (st == OK)
        return pg_script(&c->base, "COMMIT", err);
    (void)!pg_script(&c->base, "ROLLBACK", NULL);
    return st;
}

/* "host:port/name", whatever the URL holds. */
static char *pg_database_name(const char *url)
{
    char *said = NULL, *name = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &said);
    const char *host = "", *port = "", *database = "";
    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        host = strcmp(o->keyword, "host") == 0 && o->val ? o->val : host;
        port = strcmp(o->keyword, "port") == 0 && o->val ? o->val : port;
        database = strcmp(o->keyword, "dbname") == 0 && o->val ? o->val : database;
    }
    if (options && asprintf(&name, "%s%s%s/%s", host, *port ? ":" : "", port, database) < 0)
        name = NULL;
    PQconninfoFree(options);
    PQfreemem(said);
    return name;
}

static void pg_close_all(struct db *base)
{
    struct pg *d = (struct pg *)base;
    for (unsigned i = 0; i < base->count; i++)
        PQfinish(d->all[i].handle);
    free(d->all);
    free(d->url);
}

enum status db_postgres_open(const char *url, unsigned connections, const struct db_schema *schema, struct db **out,
                             struct error *err)
{
    char *name = pg_database_name(url);
    struct pg *d = calloc(1, sizeof *d);
    enum status st = OK;
    if (!d)
        st = err_no_memory(err, "a database");
    else if (!name)
        st = err_set(err, ERR_INVALID, "the database URL is not one that PostgreSQL's library understands");
    if (st != OK) {
        free(name);
        free(d);
        return st;
    }
    st = db_init(&d->base, &db_postgres, name, connections, err);
    free(name);
    if (st == OK && (!(d->url = strdup(url)) || !(d->all = calloc(connections, sizeof *d->all))))
        st = err_no_memory(err, "a database");
    for (unsigned i = connections; st == OK && i-- > 0;) { /* the first is the next one used */
        d->all[i] = (struct pg_conn){.base = {.driver = &db_postgres, .name = d->base.name}, .db = d};
        db_add_conn(&d->base, &d->all[i].base);
    }
    if (st == OK)
        st = first_connection(d, schema, err);
    if (st == OK && schema) {
        st = migrate(d, &d->all[0], schema, err);
        d->all[0].patient = false;
    }
    if (st != OK) {
        db_close(&d->base);
        return st;
    }
    *out = &d->base;
    return OK;
}

const struct db_driver db_postgres = {
    .postgres = true,
    .close = pg_close_all,
    .snapshot = pg_snapshot,
    .snapshot_end = pg_snapshot_end,
    .write = pg_write_job,
    .script = pg_script,
    .script_slow = pg_script_slow,
    .query = pg_query,
    .next = pg_next,
    .changed = pg_changed,
    .end = pg_end,
    .integer = pg_integer,
    .real = pg_real,
    .bytes = pg_bytes,
};
