/* Files are <dir>/<first two digits>/<name>: the object's bytes, then a trailer of TRAILER bytes of text with
 * their number, hash and ETag. So one rename replaces both, and whoever reads only the object's bytes may
 * have the descriptor. Copies that were longest unused go first (a hit sets the file's time). */
#include "base/evict.h"
#include "base/log.h"
#include "base/os.h"
#include "bucket/bucket_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define NAME         64
#define TRAILER      256
#define TEMPORARY    ".new-"
#define USED_AGAIN_S 60
#define LEFT_S       3600 /* a temporary file this old is nobody's any more */

/* One object that is being asked for. */
struct flight {
    struct flight *next;
    char name[NAME + 1];
    unsigned users;
    bool busy;
    int64_t began_us; /* of the last fetch that ended; 0: none */
    struct error result;
};

struct bucket_cache {
    char *dir;
    uint64_t max;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t landed;
    struct flight *flights;
    uint64_t bytes, added; /* there, and written by us since they were counted */
};

/* --- one copy --- */

static bool cache_path(const struct bucket_cache *c, const char *name, char path[PATH_MAX])
{
    return snprintf(path, PATH_MAX, "%s/%.2s/%s", c->dir, name, name) < PATH_MAX;
}

/* The hash of the first `size` bytes, which are left read. */
static bool hash_file(int fd, uint64_t size, uint64_t *hash)
{
    XXH3_state_t *state = XXH3_createState();
    char chunk[65536];
    bool ok = state && XXH3_64bits_reset(state) == XXH_OK;
    for (uint64_t at = 0; ok && at < size;) {
        size_t want = size - at < sizeof chunk ? (size_t)(size - at) : sizeof chunk;
        ssize_t n = pread(fd, chunk, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        ok = n > 0 && XXH3_64bits_update(state, chunk, (size_t)n) == XXH_OK;
        at += n > 0 ? (uint64_t)n : 0;
    }
    if (ok)
        *hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return ok;
}

static bool read_trailer(int fd, const char *name, uint64_t *size, char etag[BUCKET_MAX_ETAG])
{
    struct stat sb;
    char text[TRAILER + 1] = "", own[NAME + 1];
    uint64_t want, have;
    if (fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode) || sb.st_size < TRAILER ||
        pread(fd, text, TRAILER, sb.st_size - TRAILER) != TRAILER ||
        sscanf(text, "peel-cache 1 %" SCNu64 " %16" SCNx64 " %64s %127s", size, &want, own, etag) != 4)
        return false;
    return *size == (uint64_t)sb.st_size - TRAILER && strcmp(own, name) == 0 && hash_file(fd, *size, &have) &&
           have == want;
}

/* The copy, when it is there and whole; -1 otherwise. */
static int cache_open_copy(const struct bucket_cache *c, const char *name, uint64_t *size, char etag[BUCKET_MAX_ETAG])
{
    char path[PATH_MAX];
    struct stat sb;
    int fd = cache_path(c, name, path) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    if (fd < 0)
        return -1;
    if (!read_trailer(fd, name, size, etag)) {
        log_warn("bucket cache: %s is damaged; downloading it again", path);
        close(fd);
        return -1;
    }
    if (fstat(fd, &sb) == 0)
        evict_touch(fd, sb.st_mtime, USED_AGAIN_S);
    return fd;
}

static enum status write_trailer(int fd, const char *path, const char *name, const char *etag, uint64_t *size,
                                 struct error *err)
{
    struct stat sb;
    uint64_t hash;
    char text[TRAILER + 1];
    if (fstat(fd, &sb) != 0 || !hash_file(fd, (uint64_t)sb.st_size, &hash) || lseek(fd, 0, SEEK_END) < 0)
        return err_errno(err, "cannot read back %s", path);
    *size = (uint64_t)sb.st_size;
    bool plain = *etag && !etag[strcspn(etag, " \t\r\n\v\f")];
    int n = snprintf(text, sizeof text, "peel-cache 1 %" PRIu64 " %016" PRIx64 " %s %s", *size, hash, name,
                     plain ? etag : "-");
    memset(text + n, '\n', sizeof text - (size_t)n);
    return os_write_all(fd, path, text, TRAILER, err);
}

/* --- all copies --- */

static enum evict_kind copy_kind(const char *name, int64_t age_s)
{
    if (strncmp(name, TEMPORARY, sizeof TEMPORARY - 1) == 0)
        return age_s >= LEFT_S ? EVICT_LEFT_OVER : EVICT_FOREIGN;
    return strlen(name) == NAME ? EVICT_COUNTS : EVICT_FOREIGN;
}

/* Under the mutex. Returns whether it removed something. */
static bool cache_shrink(struct bucket_cache *c, uint64_t most)
{
    c->added = 0;
    return evict_longest_unused(c->dir, most, copy_kind, &c->bytes);
}

enum status bucket_cache_open(const char *dir, uint64_t max_bytes, struct bucket_cache **out, struct error *err)
{
    *out = NULL;
    enum status st = os_mkdirs(dir, err);
    if (st != OK)
        return st;
    struct bucket_cache *c = calloc(1, sizeof *c);
    char *copy = strdup(dir);
    if (!c || !copy) {
        free(c);
        free(copy);
        return err_no_memory(err, "the bucket cache");
    }
    c->dir = copy;
    c->max = max_bytes;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->landed, NULL);
    (void)cache_shrink(c, c->max);
    *out = c;
    return OK;
}

void bucket_cache_close(struct bucket_cache *c)
{
    if (!c)
        return;
    pthread_cond_destroy(&c->landed);
    pthread_mutex_destroy(&c->mutex);
    free(c->dir);
    free(c);
}

uint64_t bucket_cache_max(const struct bucket_cache *c)
{
    return c->max;
}

/* --- one fetch at a time for each object --- */

/* Under the mutex: waits until the object is ours to fetch. NULL: no memory. */
static struct flight *flight_board(struct bucket_cache *c, const char *name)
{
    struct flight *f = c->flights;
    while (f && strcmp(f->name, name) != 0)
        f = f->next;
    if (!f) {
        f = calloc(1, sizeof *f);
        if (!f)
            return NULL;
        memcpy(f->name, name, NAME);
        f->next = c->flights;
        c->flights = f;
    }
    f->users++;
    while (f->busy)
        pthread_cond_wait(&c->landed, &c->mutex);
    f->busy = true;
    return f;
}

/* Under the mutex. */
static void flight_leave(struct bucket_cache *c, struct flight *f)
{
    f->busy = false;
    pthread_cond_broadcast(&c->landed);
    if (--f->users)
        return;
    struct flight **at = &c->flights;
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    free(f);
}

/* Fetches into a temporary file, unless the copy `etag` is still right, and puts it in the copy's place. */
static enum status cache_renew(struct bucket_cache *c, const char *name, const char *etag, bucket_fetch *fetch,
                               void *ctx, bool *same, struct error *err)
{
    char path[PATH_MAX], tmp[PATH_MAX];
    int fd;
    struct bucket_fetched got = {0};
    uint64_t size = 0;
    if (!cache_path(c, name, path))
        return err_set(err, ERR_INVALID, "bucket cache: the folder's path is too long");
    enum status st = os_open_beside(path, TEMPORARY, tmp, &fd, err);
    if (st != OK)
        return st;
    st = fetch(ctx, etag, fd, &got, err);
    *same = st == OK && got.same;
    if (st == OK && !got.same)
        st = write_trailer(fd, tmp, name, got.etag, &size, err);
    if (close(fd) != 0 && st == OK)
        st = err_errno(err, "cannot close %s", tmp);
    if (st == OK && !got.same && rename(tmp, path) != 0)
        st = err_errno(err, "cannot rename %s", tmp);
    if (st != OK || got.same)
        unlink(tmp);
    if (st == ERR_NOT_FOUND)
        unlink(path);
    if (st != OK || got.same)
        return st;
    pthread_mutex_lock(&c->mutex);
    c->bytes += size + TRAILER;
    c->added += size + TRAILER;
    pthread_mutex_unlock(&c->mutex);
    return OK;
}

/* Called after the new copy was opened, so that it stays readable even if it is removed here. */
static void keep_bound(struct bucket_cache *c)
{
    pthread_mutex_lock(&c->mutex);
    if (c->bytes > c->max || c->added > c->max / 16)
        (void)cache_shrink(c, c->max);
    pthread_mutex_unlock(&c->mutex);
}

/* Removes about half of the copies, for a disk that has less room than the bound promises. */
static bool cache_make_room(struct bucket_cache *c)
{
    pthread_mutex_lock(&c->mutex);
    (void)cache_shrink(c, c->max);
    bool made = cache_shrink(c, c->bytes / 2);
    pthread_mutex_unlock(&c->mutex);
    return made;
}

static enum status fetch_now(struct bucket_cache *c, const char *name, bucket_fetch *fetch, void *ctx, int *fd,
                             uint64_t *size, struct error *err)
{
    char etag[BUCKET_MAX_ETAG];
    bool same = false;
    *fd = cache_open_copy(c, name, size, etag);
    const char *have = *fd >= 0 && strcmp(etag, "-") != 0 ? etag : NULL;
    enum status st = cache_renew(c, name, have, fetch, ctx, &same, err);
    if (st == ERR_IO && cache_make_room(c)) {
        log_warn("bucket cache: removed half of the copies: %s", err->message);
        st = cache_renew(c, name, have, fetch, ctx, &same, err);
    }
    if (*fd >= 0 && (st == ERR_UNAVAILABLE || st == ERR_TIMEOUT || st == ERR_IO)) {
        log_warn("bucket: using an older copy: %s", err->message);
        return OK;
    }
    if (st == OK && same)
        return OK;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    if (st != OK)
        return st;
    *fd = cache_open_copy(c, name, size, etag);
    if (*fd < 0)
        st = err_set(err, ERR_UNAVAILABLE, "bucket cache: %s went as soon as it came", name);
    keep_bound(c);
    return st;
}

enum status bucket_cache_fd(struct bucket_cache *c, const char *name, bucket_fetch *fetch, void *ctx, int *fd,
                            uint64_t *size, struct error *err)
{
    struct error local;
    char etag[BUCKET_MAX_ETAG];
    err = err ? err : &local;
    err->code = OK;
    *fd = -1;
    int64_t arrived = os_monotonic_us();
    pthread_mutex_lock(&c->mutex);
    struct flight *f = flight_board(c, name);
    pthread_mutex_unlock(&c->mutex);
    if (!f)
        return err_no_memory(err, "the bucket cache");
    enum status st = OK;
    bool shared = f->began_us && f->began_us >= arrived; /* another's fetch that is young enough for us */
    if (shared && f->result.code != OK) {
        *err = f->result;
        st = err->code;
    } else if (!shared || (*fd = cache_open_copy(c, name, size, etag)) < 0) {
        int64_t began = os_monotonic_us();
        st = fetch_now(c, name, fetch, ctx, fd, size, err);
        if (st == OK)
            err->code = OK;
        f->result = *err;
        f->began_us = began;
    }
    pthread_mutex_lock(&c->mutex);
    flight_leave(c, f);
    pthread_mutex_unlock(&c->mutex);
    return st;
}
