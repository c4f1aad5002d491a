/* sqlite_writer.c: the group commit.
 *
 * Callers put their job into a queue. The first to find nobody at work becomes the leader: it takes all
 * that waits, runs it in one transaction, commits once and wakes everybody; who came meanwhile is the
 * next leader's batch. So under load one fsync serves many callers, and a lone caller pays no thread
 * switch. A job that fails is undone alone: the first of a batch with the transaction, which then begins anew, and each
 * other one by its savepoint. (A savepoint costs a copy of every page that the job changes, in a temporary file if they
 * are many: so jobs of many rows come first.)
 *
 * A batch with a durable job commits with synchronous = FULL, which syncs the journal before COMMIT
 * returns (and with it all that earlier commits left unsynced); the others with NORMAL, which does not. */
#include "db/sqlite.h"

#include "base/os.h"
#include <pthread.h>
#include <stdlib.h>

struct job {
    db_job *run;
    void *arg;
    enum db_durability durability;
    enum status status;
    struct error *err; /* the caller's, may be NULL */
    int64_t asked_us, begun_us;
    bool done;
    struct job *next;
};

struct sqlite_writer {
    struct db_conn *conn;
    bool full; /* PRAGMA synchronous as it is set now; the leader's */
    pthread_mutex_t mutex;
    pthread_cond_t finished;
    bool led; /* a leader is at work */
    struct job *queue, **tail;
};

enum status sqlite_writer_open(struct db_conn *c, struct sqlite_writer **out, struct error *err)
{
    struct sqlite_writer *w = calloc(1, sizeof *w);
    if (!w)
        return err_no_memory(err, "a request");
    w->conn = c;
    w->tail = &w->queue;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->finished, NULL);
    *out = w;
    return OK;
}

void sqlite_writer_close(struct sqlite_writer *w)
{
    if (!w)
        return;
    sqlite_conn_close(w->conn);
    pthread_cond_destroy(&w->finished);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

static enum status writer_begin(struct sqlite_writer *w, const struct job *batch, struct error *err)
{
    bool full = false;
    enum status st = db_check_damage(w->conn->db, err);
    if (st != OK)
        return st;
    for (const struct job *j = batch; j; j = j->next)
        full |= j->durability == DB_DURABLE;
    if (full != w->full) {
        st = db_script(w->conn, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err);
        if (st != OK)
            return st;
        w->full = full;
    }
    return db_run(w->conn, "BEGIN IMMEDIATE", DB_NONE, NULL, err);
}

/* The job's answer is in j->status. */
static enum status writer_run_first(struct db_conn *c, struct job *j, struct error *err)
{
    j->status = j->run(c, j->arg, j->err);
    bool undone = !sqlite_in_transaction(c);
    enum status st = db_check_damage(c->db, err);
    if (st == OK && undone && j->status == OK)
        st = err_set(err, ERR_IO, "the transaction was undone");
    if (st != OK || j->status == OK)
        return st;
    if (!undone && (st = db_run(c, "ROLLBACK", DB_NONE, NULL, err)) != OK)
        return st;
    return j->next ? db_run(c, "BEGIN IMMEDIATE", DB_NONE, NULL, err) : OK;
}

/* Runs one job in its savepoint. The answer is the transaction's state, the job's own is in j->status. */
static enum status writer_run_job(struct db_conn *c, struct job *j, struct error *err)
{
    enum status st = db_run(c, "SAVEPOINT job", DB_NONE, NULL, err);
    if (st != OK)
        return st;
    j->status = j->run(c, j->arg, j->err);
    if (!sqlite_in_transaction(c)) /* a full disk or an I/O error makes SQLite undo everything */
        return err_set(err, j->status == OK ? ERR_IO : j->status, "the transaction was undone: %s",
                       j->err ? j->err->message : status_name(j->status));
    if ((st = db_check_damage(c->db, err)) != OK) /* nor what others of this batch have written */
        return st;
    if (j->status != OK && (st = db_run(c, "ROLLBACK TO job", DB_NONE, NULL, err)) != OK)
        return st;
    return db_run(c, "RELEASE job", DB_NONE, NULL, err);
}

static void writer_run_batch(struct sqlite_writer *w, struct job *batch)
{
    struct error err;
    for (struct job *j = batch; j; j = j->next)
        j->begun_us = os_monotonic_us();
    enum status st = writer_begin(w, batch, &err);
    if (st == OK)
        st = writer_run_first(w->conn, batch, &err);
    for (struct job *j = batch->next; j && st == OK; j = j->next)
        st = writer_run_job(w->conn, j, &err);
    if (st == OK && sqlite_in_transaction(w->conn))
        st = db_run(w->conn, "COMMIT", DB_NONE, NULL, &err);
    if (st == OK)
        return;
    if (sqlite_in_transaction(w->conn))
        (void)!db_script(w->conn, "ROLLBACK", NULL);
    for (struct job *j = batch; j; j = j->next)
        if (j->status == OK) /* not run, or run and now undone */
            j->status = err_set(j->err, st, "%s", err.message);
}

enum status sqlite_writer_do(struct sqlite_writer *w, enum db_durability durability, db_job *job, void *arg,
                             struct metric_times *waited, struct error *err)
{
    struct job mine = {.run = job, .arg = arg, .durability = durability, .err = err, .asked_us = os_monotonic_us()};
    pthread_mutex_lock(&w->mutex);
    struct job **at = durability == DB_BULK ? &w->queue : w->tail;
    mine.next = *at;
    *at = &mine;
    if (!mine.next)
        w->tail = &mine.next;
    while (w->led && !mine.done)
        pthread_cond_wait(&w->finished, &w->mutex);
    if (!mine.done) {
        struct job *batch = w->queue;
        w->queue = NULL;
        w->tail = &w->queue;
        w->led = true;
        pthread_mutex_unlock(&w->mutex);
        writer_run_batch(w, batch);
        pthread_mutex_lock(&w->mutex);
        for (struct job *j = batch; j; j = j->next)
            j->done = true;
        w->led = false;
        pthread_cond_broadcast(&w->finished);
    }
    pthread_mutex_unlock(&w->mutex);
    metric_observe(waited, mine.begun_us - mine.asked_us);
    return mine.status;
}
