#include "sticker_service/audit_log.h"

#include "base/buf.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"
#include "sticker_store/sticker_history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS     1000
#define BATCH        100 /* entries, of at most some 2 MiB */
#define BATCH_MEMORY (512u << 20)
#define COMPLAIN_US  (60 * 1000000ll) /* a target that cannot be written to is logged that often */
#define SYSLOG       "syslog"
#define SYSLOG_PATH  "/dev/log"

struct audit_log {
    struct sticker_store *store;
    char *target;
    const char *syslog; /* the socket's path; NULL: the target is a file */
    int64_t complained_us;
    struct worker *worker;
};

static void put_member(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, ",\"%s\":", name);
    json_put_string(out, value);
}

/* {"row":7,"at":"...","username":...}. What changed is left out where a line must be short. */
static void put_entry(struct buf *out, const struct history_entry *e, bool whole)
{
    char when[28];
    os_format_time(e->at_us, when);
    buf_printf(out, "{\"row\":%" PRId64 ",\"at\":\"%s\"", e->row, when);
    put_member(out, "username", e->username);
    put_member(out, "address", e->address);
    put_member(out, "action", e->action);
    put_member(out, "model", e->model);
    put_member(out, "object", e->object);
    if (whole) {
        put_member(out, "before", e->before);
        put_member(out, "after", e->after);
    }
    put_member(out, "batch", e->batch);
    put_member(out, "hash", e->hash);
    buf_putc(out, '}');
}

/* --- a file --- */

/* A crash may have left half a line, which stays one of its own. */
static enum status end_line(int fd, const char *path, off_t size, struct error *err)
{
    char last = '\n';
    if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
        return err_errno(err, "cannot read %s", path);
    return last == '\n' ? OK : os_write_all(fd, path, "\n", 1, err);
}

static enum status append(const char *path, const struct buf *text, struct error *err)
{
    struct stat info;
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 || fstat(fd, &info) != 0) {
        enum status failed = err_errno(err, "cannot open %s", path);
        if (fd >= 0)
            close(fd);
        return failed;
    }
    enum status st = end_line(fd, path, info.st_size, err);
    if (st == OK)
        st = os_write_all(fd, path, buf_str(text), text->len, err);
    if (st == OK && fdatasync(fd) != 0 && errno != EINVAL) /* EINVAL: a pipe or a device */
        st = err_errno(err, "cannot write %s to the disk", path);
    close(fd);
    return st;
}

static enum status write_file(const struct audit_log *l, const struct history_entry *entries, size_t n,
                              struct error *err)
{
    struct buf text;
    buf_init(&text, BATCH_MEMORY);
    for (size_t i = 0; i < n; i++) {
        put_entry(&text, &entries[i], true);
        buf_putc(&text, '\n');
    }
    enum status st = buf_status(&text, err);
    if (st == OK)
        st = append(l->target, &text, err);
    buf_free(&text);
    return st;
}

/* --- syslog --- */

/* As the C library's syslog() writes it; that one does not tell when nobody took the line. */
static enum status write_syslog(const struct audit_log *l, const struct history_entry *entries, size_t n,
                                struct error *err)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct buf line;
    enum status st = OK;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%s", l->syslog);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        st = err_errno(err, "cannot reach syslog at %s", l->syslog);
    buf_init(&line, 1u << 20);
    for (size_t i = 0; i < n && st == OK; i++) {
        char when[32];
        struct tm tm;
        time_t seconds = (time_t)(entries[i].at_us / 1000000);
        localtime_r(&seconds, &tm);
        strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
        buf_reset(&line);
        buf_printf(&line, "<%d>%s peel[%d]: ", LOG_AUTHPRIV | LOG_INFO, when, (int)getpid());
        put_entry(&line, &entries[i], false);
        st = buf_status(&line, err);
        if (st == OK && send(fd, buf_str(&line), line.len, MSG_NOSIGNAL) < 0)
            st = err_errno(err, "cannot write to syslog at %s", l->syslog);
    }
    if (fd >= 0)
        close(fd);
    buf_free(&line);
    return st;
}

/* --- the thread --- */

/* *more: a whole batch was written. */
static enum status deliver(const struct audit_log *l, bool *more, struct error *err)
{
    struct arena a;
    struct history_entry *entries;
    int64_t logged;
    size_t n = 0;
    arena_init(&a, BATCH_MEMORY);
    enum status st = sticker_store_history_unlogged(l->store, BATCH, &a, &logged, &entries, &n, err);
    if (st == OK && n)
        st = l->syslog ? write_syslog(l, entries, n, err) : write_file(l, entries, n, err);
    if (st == OK && n)
        st = sticker_store_history_logged(l->store, logged, entries[n - 1].row, err);
    arena_free(&a);
    *more = st == OK && n == BATCH;
    return st;
}

static void deliver_all(struct audit_log *l)
{
    struct error err;
    bool more = true;
    while (more) {
        int64_t now = os_monotonic_us();
        if (deliver(l, &more, &err) != OK && (!l->complained_us || now - l->complained_us > COMPLAIN_US)) {
            log_error("the audit log is behind the history: %s", err.message);
            l->complained_us = now;
        }
    }
}

static void run_audit_log(struct worker *w, void *arg)
{
    do
        deliver_all(arg);
    while (worker_rest(w, EVERY_MS));
}

enum status audit_log_open(struct sticker_store *store, const char *target, struct audit_log **out, struct error *err)
{
    struct audit_log *l = *out = calloc(1, sizeof *l);
    if (!l || !(l->target = strdup(target)))
        return err_no_memory(err, "the audit log");
    l->store = store;
    if (strcmp(target, SYSLOG) == 0)
        l->syslog = SYSLOG_PATH;
    else if (strncmp(target, SYSLOG ":", sizeof SYSLOG) == 0)
        l->syslog = l->target + sizeof SYSLOG;
    if (l->syslog && strlen(l->syslog) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return err_set(err, ERR_INVALID, "--audit-log: the path of the socket is too long");
    return worker_open("audit-log", run_audit_log, l, &l->worker, err);
}

void audit_log_close(struct audit_log *l)
{
    if (!l)
        return;
    if (l->worker) {
        worker_close(l->worker);
        deliver_all(l);
    }
    free(l->target);
    free(l);
}
