#include "base/os.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

bool os_join_path(char out[PATH_MAX], const char *folder, const char *name)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return n >= 0 && n < PATH_MAX;
}

enum status os_mkdirs(const char *path, struct error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return err_set(err, ERR_INVALID, "folder name of %zu bytes: expected 1 to %zu", len, sizeof part - 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0755) == 0) {
            enum status st = os_sync_folder_of(part, err);
            if (st != OK)
                return st;
        } else if (errno != EEXIST) {
            return err_errno(err, "cannot make folder %s", part);
        }
    }
    struct stat sb;
    if (stat(path, &sb) != 0)
        return err_errno(err, "cannot make folder %s", path);
    if (!S_ISDIR(sb.st_mode))
        return err_set(err, ERR_CONFLICT, "%s is there, but is not a folder", path);
    return OK;
}

static enum status open_to_read(const char *path, int *fd, struct error *err)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd >= 0)
        return OK;
    if (errno == ENOENT || errno == ENOTDIR)
        return err_set(err, ERR_NOT_FOUND, "%s does not exist", path);
    return err_errno(err, "cannot open %s", path);
}

enum status os_read_file(const char *path, struct buf *out, struct error *err)
{
    int fd;
    enum status st = open_to_read(path, &fd, err);
    if (st != OK)
        return st;
    for (;;) {
        char chunk[65536];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            st = err_errno(err, "cannot read %s", path);
            break;
        }
        if (n == 0)
            break;
        buf_append(out, chunk, (size_t)n);
        if (out->failed) {
            st = out->no_memory ? err_no_memory(err, "%s", path)
                                : err_set(err, ERR_TOO_LARGE, "%s has more than %zu bytes", path, out->max);
            break;
        }
    }
    close(fd);
    return st;
}

enum status os_write_all(int fd, const char *path, const void *data, size_t len, struct error *err)
{
    const char *p = data;
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, "cannot write %s", path);
        p += n;
        len -= (size_t)n;
    }
    return OK;
}

static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        snprintf(folder, PATH_MAX, ".");
    else
        snprintf(folder, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static enum status sync_folder(const char *folder, struct error *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) /* one that may be written to, but not read, cannot be synced */
        return errno == EACCES ? OK : err_errno(err, "cannot open folder %s", folder);
    int rc = fsync(fd);
    close(fd);
    return rc == 0 ? OK : err_errno(err, "cannot sync folder %s", folder);
}

enum status os_sync_folder_of(const char *path, struct error *err)
{
    char folder[PATH_MAX];
    folder_of(path, folder);
    return sync_folder(folder, err);
}

enum status os_place(const char *tmp, const char *path, struct error *err)
{
    struct stat sb;
    enum status st = lstat(tmp, &sb) == 0 ? OK : err_errno(err, "cannot read %s", tmp);
    if (st == OK && S_ISDIR(sb.st_mode))
        st = sync_folder(tmp, err); /* the names of the files in it */
    if (st == OK && rename(tmp, path) != 0)
        st = errno == ENOTEMPTY || errno == EEXIST ? err_set(err, ERR_CONFLICT, "%s is there already", path)
                                                   : err_errno(err, "cannot rename %s to %s", tmp, path);
    return st == OK ? os_sync_folder_of(path, err) : st;
}

enum status os_open_beside(const char *path, const char *prefix, char tmp[PATH_MAX], int *fd, struct error *err)
{
    char folder[PATH_MAX];
    folder_of(path, folder);
    *fd = -1;
    enum status st = os_mkdirs(folder, err);
    if (st != OK)
        return st;
    int n = snprintf(tmp, PATH_MAX, "%s/%sXXXXXX", folder, prefix);
    if (n < 0 || n >= PATH_MAX)
        return err_set(err, ERR_INVALID, "path of %zu bytes is too long", strlen(path));
    *fd = mkostemp(tmp, O_CLOEXEC);
    return *fd >= 0 ? OK : err_errno(err, "cannot make a file in %.200s", folder);
}

int os_scratch_file(const char *folder)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/peel-XXXXXX", folder);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static enum status write_file(const char *path, const void *data, size_t len, mode_t mode, struct error *err)
{
    char tmp[PATH_MAX];
    int n = snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return err_set(err, ERR_INVALID, "path of %zu bytes is too long", strlen(path));
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot make a file beside %s", path);
    enum status st = os_write_all(fd, path, data, len, err);
    if (st == OK && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        st = err_errno(err, "cannot finish %s", path);
    if (close(fd) != 0 && st == OK)
        st = err_errno(err, "cannot close %s", path);
    if (st == OK)
        st = os_place(tmp, path, err);
    if (st != OK)
        unlink(tmp);
    return st;
}

enum status os_write_file(const char *path, const void *data, size_t len, struct error *err)
{
    return write_file(path, data, len, 0644, err);
}

enum status os_write_private(const char *path, const void *data, size_t len, struct error *err)
{
    return write_file(path, data, len, 0600, err);
}

enum status os_map_file(const char *path, struct os_map *out, struct error *err)
{
    *out = (struct os_map){0};
    int fd;
    enum status st = open_to_read(path, &fd, err);
    if (st != OK)
        return st;
    struct stat sb;
    if (fstat(fd, &sb) != 0) {
        st = err_errno(err, "cannot read %s", path);
    } else if (!S_ISREG(sb.st_mode)) {
        st = err_set(err, ERR_INVALID, "%s is not a regular file", path);
    } else if (sb.st_size > 0) {
        void *data = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            st = err_errno(err, "cannot map %s", path);
        else
            *out = (struct os_map){.data = data, .len = (size_t)sb.st_size};
    }
    close(fd);
    return st;
}

void os_unmap(struct os_map *m)
{
    if (m->data)
        munmap((void *)(uintptr_t)m->data, m->len);
    *m = (struct os_map){0};
}

static int64_t clock_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

#define NICENESS 5 /* a third of the others' share where they want all */

/* On Linux each thread has a niceness of its own. */
void os_stand_back(void)
{
    if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS) != 0)
        (void)errno; /* then it is like the others */
}

int64_t os_now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

int64_t os_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

void os_format_time(int64_t us, char out[28])
{
    int64_t fraction = us % 1000000;
    time_t seconds = (time_t)(us / 1000000);
    if (fraction < 0) {
        fraction += 1000000;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, 28, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, 28 - n, ".%06dZ", (int)fraction);
}

/* Reads exactly `digits` digits; -1 if there are not that many. */
static int digits(const char **s, int n)
{
    int value = 0;
    for (; n > 0; n--, (*s)++) {
        if (!isdigit((unsigned char)**s))
            return -1;
        value = value * 10 + (**s - '0');
    }
    return value;
}

enum status os_parse_time(const char *s, int64_t *us, struct error *err)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *p = s;
    int year = digits(&p, 4), month = -1, day = -1, hour = 0, minute = 0, second = 0, offset = 0;
    int64_t fraction = 0;
    if (*p++ != '-' || (month = digits(&p, 2)) < 1 || month > 12 || *p++ != '-' || (day = digits(&p, 2)) < 1)
        goto bad;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1 || day > month_days[month - 1] + (leap && month == 2))
        goto bad;
    if (*p == 'T' || *p == 't' || *p == ' ') {
        p++;
        if ((hour = digits(&p, 2)) < 0 || hour > 23 || *p++ != ':' || (minute = digits(&p, 2)) < 0 || minute > 59)
            goto bad;
        if (*p == ':') {
            p++;
            if ((second = digits(&p, 2)) < 0 || second > 60)
                goto bad;
            if (*p == '.') {
                int64_t unit = 100000;
                if (!isdigit((unsigned char)*++p))
                    goto bad;
                for (; isdigit((unsigned char)*p); p++, unit /= 10)
                    fraction += (*p - '0') * unit;
            }
        }
        if (*p == 'Z' || *p == 'z') {
            p++;
        } else if (*p == '+' || *p == '-') {
            int sign = *p++ == '-' ? -1 : 1;
            int oh = digits(&p, 2);
            if (*p == ':')
                p++;
            int om = digits(&p, 2);
            if (oh < 0 || oh > 23 || om < 0 || om > 59)
                goto bad;
            offset = sign * (oh * 3600 + om * 60);
        }
    }
    if (*p)
        goto bad;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    *us = ((int64_t)timegm(&tm) - offset) * 1000000 + fraction;
    return OK;
bad:
    return err_set(err, ERR_INVALID, "expected a time such as 2026-01-31T12:00:00Z, found \"%.40s\"", s);
}

void os_uuid7(char out[37])
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static uint64_t last_ms, sequence; /* RFC 9562, 6.2, method 1: a counter in rand_a keeps the order */
    unsigned char r[16];
    os_random(r, sizeof r);
    pthread_mutex_lock(&mutex);
    uint64_t ms = (uint64_t)(os_now_us() / 1000);
    if (ms > last_ms) {
        last_ms = ms;
        sequence = r[6] & 0x7f;
    } else if (++sequence > 0xfff) {
        last_ms++;
        sequence = 0;
    }
    ms = last_ms;
    uint64_t seq = sequence;
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 6; i++)
        r[i] = (unsigned char)(ms >> (40 - 8 * i));
    r[6] = (unsigned char)(0x70 | seq >> 8);
    r[7] = (unsigned char)seq;
    r[8] = (unsigned char)(0x80 | (r[8] & 0x3f));
    static const char hex[] = "0123456789abcdef";
    for (int i = 0, o = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out[o++] = '-';
        out[o++] = hex[r[i] >> 4];
        out[o++] = hex[r[i] & 15];
    }
    out[36] = '\0';
}

void os_random(void *out, size_t len)
{
    unsigned char *p = out;
    while (len) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            abort();
        p += n;
        len -= (size_t)n;
    }
}

void os_sha256_hex(const void *data, size_t len, char out[65])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, data, len);
    sodium_bin2hex(out, 65, hash, sizeof hash);
}
