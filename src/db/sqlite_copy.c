/* sqlite_copy.c: SQLite files copied while others write to them, for backups.
 *
 * A copy is read in one transaction of its own, so that it is the file as it was when that began. Several files must be
 * of one moment: transactions begin on all of them, and when another connection then tells that one of the files
 * changed meanwhile, all begin again. */
#include "db/sqlite.h"

#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MOMENT_US = 10 * 1000000, /* that a moment without changes is looked for; one is some 0.1 ms long */
    STEP_PAGES = 1024,
};

struct source {
    struct db_conn *read, *watch; /* the watch sees when others write */
    int64_t seen;
};

static enum status data_version(struct db_conn *c, int64_t *version, struct error *err)
{
    return db_get_int(c, "PRAGMA data_version", DB_NONE, version, NULL, err);
}

/* The transaction begins with the first read. */
static enum status begin_read(struct db_conn *c, struct error *err)
{
    int64_t pages;
    enum status st = db_snapshot(c, err);
    return st == OK ? db_get_int(c, "SELECT count(*) FROM sqlite_schema", DB_NONE, &pages, NULL, err) : st;
}

/* *quiet: no file changed between the first transaction's begin and the last one's. */
static enum status begin_all(struct source *s, size_t n, bool *quiet, struct error *err)
{
    enum status st = OK;
    int64_t now;
    *quiet = true;
    for (size_t i = 0; i < n && st == OK; i++)
        st = data_version(s[i].watch, &s[i].seen, err);
    for (size_t i = 0; i < n && st == OK; i++)
        st = begin_read(s[i].read, err);
    for (size_t i = 0; i < n && st == OK; i++) {
        st = data_version(s[i].watch, &now, err);
        *quiet &= now == s[i].seen;
    }
    return st;
}

static enum status begin_at_one_moment(struct source *s, size_t n, struct error *err)
{
    for (int64_t deadline = os_monotonic_us() + MOMENT_US;;) {
        bool quiet;
        enum status st = begin_all(s, n, &quiet, err);
        if (st != OK || quiet)
            return st;
        for (size_t i = 0; i < n; i++)
            db_snapshot_end(s[i].read);
        if (os_monotonic_us() > deadline)
            return err_set(err, ERR_UNAVAILABLE, "the databases change all the time: no moment was found to copy them");
        usleep(1000);
    }
}

/* Into one file without a journal beside it. */
static enum status copy_pages(struct db_conn *from, struct db_conn *to, int64_t before, int64_t total,
                              db_copy_progress *progress, void *ctx, struct error *err)
{
    sqlite3_backup *b = sqlite3_backup_init(sqlite_handle(to), "main", sqlite_handle(from), "main");
    if (!b)
        return sqlite_error(to, sqlite3_errcode(sqlite_handle(to)), err);
    int rc = SQLITE_OK;
    bool go_on = true;
    while (rc == SQLITE_OK && go_on) {
        rc = sqlite3_backup_step(b, STEP_PAGES);
        go_on = progress(ctx, before + sqlite3_backup_pagecount(b) - sqlite3_backup_remaining(b), total);
    }
    int ended = sqlite3_backup_finish(b);
    if (rc == SQLITE_OK)
        return err_set(err, ERR_CANCELLED, "stopped");
    return rc == SQLITE_DONE ? OK : sqlite_error(to, ended, err);
}

static enum status count_pages(const struct source *s, size_t n, int64_t *pages, struct error *err)
{
    enum status st = OK;
    *pages = 0;
    for (size_t i = 0; i < n && st == OK; i++) {
        int64_t more = 0;
        st = db_get_int(s[i].read, "PRAGMA page_count", DB_NONE, &more, NULL, err);
        *pages += more;
    }
    return st;
}

static enum status copy_all(struct source *s, const struct db_file_copy *copies, size_t n, db_copy_progress *progress,
                            void *ctx, struct error *err)
{
    int64_t total, pages, before = 0;
    enum status st = count_pages(s, n, &total, err);
    for (size_t i = 0; i < n && st == OK; i++) {
        struct db_conn *to;
        int fd = open(copies[i].to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
            return err_errno(err, "cannot create %s", copies[i].to);
        if ((st = sqlite_conn_open_plain(copies[i].to, &to, err)) == OK) {
            st = copy_pages(s[i].read, to, before, total, progress, ctx, err);
            sqlite_conn_close(to);
        }
        if (st == OK && (st = count_pages(&s[i], 1, &pages, err)) == OK)
            before += pages;
        if (st == OK)
            st = db_file_fold(copies[i].to, err);
        if (st == OK && fsync(fd) != 0)
            st = err_errno(err, "cannot sync %s", copies[i].to);
        close(fd);
    }
    return st;
}

enum status db_copy_files(const struct db_file_copy *copies, size_t n, db_copy_progress *progress, void *ctx,
                          struct error *err)
{
    struct source s[DB_COPY_FILES] = {0};
    enum status st = OK;
    if (n > DB_COPY_FILES)
        return err_set(err, ERR_TOO_LARGE, "%zu databases, expected at most %d", n, DB_COPY_FILES);
    for (size_t i = 0; i < n && st == OK; i++) {
        st = sqlite_conn_open(copies[i].from, false, NULL, &s[i].read, err);
        if (st == OK)
            st = sqlite_conn_open(copies[i].from, false, NULL, &s[i].watch, err);
    }
    if (st == OK)
        st = begin_at_one_moment(s, n, err);
    if (st == OK)
        st = copy_all(s, copies, n, progress, ctx, err);
    for (size_t i = 0; i < n; i++) {
        if (s[i].read)
            db_snapshot_end(s[i].read);
        sqlite_conn_close(s[i].read);
        sqlite_conn_close(s[i].watch);
    }
    return st;
}

enum status db_file_fold(const char *path, struct error *err)
{
    struct db_conn *c;
    enum status st = sqlite_conn_open_plain(path, &c, err);
    if (st != OK)
        return st;
    st = db_script(c, "PRAGMA journal_mode = DELETE", err);
    sqlite_conn_close(c);
    return st;
}

enum status db_file_check(const char *path, struct error *err)
{
    struct db *d;
    struct db_rows r;
    char found[200] = "nothing";
    enum status st = db_open(path, 1, NULL, &d, err);
    if (st != OK)
        return st;
    struct db_conn *c = db_reader(d);
    db_query(&r, c, "PRAGMA integrity_check(1)", DB_NONE, err);
    while (db_next(&r)) {
        size_t len;
        const char *said = db_bytes(&r, 0, &len);
        snprintf(found, sizeof found, "%s", said ? said : "nothing");
    }
    st = db_end(&r);
    db_reader_done(d, c);
    db_close(d);
    return st == OK && strcmp(found, "ok") != 0
               ? err_set(err, ERR_CORRUPT, "%s is damaged: SQLite's integrity_check says: %s", path, found)
               : st;
}
