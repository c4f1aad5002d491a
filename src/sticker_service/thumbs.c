/* Files are <dir>/<first two digits>/<sha256>-<width>[p, m].<webp, png ...>, p for posters and m for what moves. Slots
 * say which are being made; a caller who finds its own there waits for it. Drawing is the sandbox's, which decides how
 * many are drawn at once. When the folder outgrows its bound, the files that were longest unused go (a hit sets the
 * file's time, at most once an hour). */
#include "sticker_service/thumbs.h"

#include "base/evict.h"
#include "base/os.h"
#include "image/image.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS        5000u /* for others' thumbnails, and again for a worker */
#define USED_AGAIN_S   3600
#define THUMB_NAME_MAX 96

struct thumbs {
    char *dir;
    uint64_t max_bytes;
    struct sandbox *sandbox;
    pthread_mutex_t mutex;
    pthread_cond_t made;
    char (*making)[THUMB_NAME_MAX]; /* [max_waiting], "" = free */
    unsigned max_waiting, waiting;
    uint64_t bytes, misses;
    _Atomic uint64_t hits;
};

static enum evict_kind thumb_kind(const char *name, int64_t age_s)
{
    (void)age_s;
    return name[0] != '.' && strlen(name) < THUMB_NAME_MAX ? EVICT_COUNTS : EVICT_FOREIGN;
}

/* Under the mutex. */
static void thumbs_shrink(struct thumbs *t)
{
    (void)evict_longest_unused(t->dir, t->max_bytes, thumb_kind, &t->bytes);
}

enum status thumbs_open(const char *dir, uint64_t max_bytes, unsigned max_waiting, struct sandbox *sandbox,
                        struct thumbs **out, struct error *err)
{
    *out = NULL;
    enum status status = os_mkdirs(dir, err);
    if (status != OK)
        return status;
    struct thumbs *t = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(err, "thumbnails");
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->made, &clock);
    pthread_condattr_destroy(&clock);
    t->max_bytes = max_bytes;
    t->max_waiting = max_waiting ? max_waiting : 1;
    t->sandbox = sandbox;
    t->dir = strdup(dir);
    t->making = calloc(t->max_waiting, sizeof *t->making);
    if (!t->dir || !t->making) {
        thumbs_close(t);
        return err_no_memory(err, "thumbnails");
    }
    thumbs_shrink(t);
    *out = t;
    return OK;
}

void thumbs_close(struct thumbs *t)
{
    if (!t)
        return;
    pthread_cond_destroy(&t->made);
    pthread_mutex_destroy(&t->mutex);
    free(t->making);
    free(t->dir);
    free(t);
}

struct thumbs_stats thumbs_stats(struct thumbs *t)
{
    pthread_mutex_lock(&t->mutex);
    struct thumbs_stats stats = {.bytes = t->bytes, .misses = t->misses};
    pthread_mutex_unlock(&t->mutex);
    stats.hits = atomic_load_explicit(&t->hits, memory_order_relaxed);
    return stats;
}

static bool open_made(const char *path, int *fd, uint64_t *size)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0)
        return false;
    if (fstat(*fd, &st) != 0 || st.st_size == 0) {
        close(*fd);
        return false;
    }
    *size = (uint64_t)st.st_size;
    evict_touch(*fd, st.st_mtime, USED_AGAIN_S);
    return true;
}

/* The image as a mapping of its file: it is only passed on, so that its bytes never are this process's memory. */
static enum status draw_rendition(struct thumbs *t, struct bucket *bucket, const char *key, const char *sha256,
                                  const struct thumb *wanted, struct buf *out, struct error *err)
{
    int fd;
    uint64_t size;
    enum status status = bucket_fd(bucket, key, &fd, &size, err);
    if (status != OK)
        return status;
    void *data = size && size <= IMAGE_MAX_BYTES ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (data == MAP_FAILED) {
        status = err_set(err, ERR_TOO_LARGE, "the image's file of %llu bytes cannot be read", (unsigned long long)size);
    } else {
        struct sandbox_image file = {.data = data, .len = size, .sha256 = sha256, .wait_ms = WAIT_MS};
        status = (wanted->motion == THUMB_MOVING ? sandbox_animation : sandbox_rendition)(
            t->sandbox, &file, wanted->width, wanted->as, out, err);
        munmap(data, size);
    }
    close(fd);
    return status;
}

static enum status thumbs_make(struct thumbs *t, struct bucket *bucket, const char *key, const char *sha256,
                               const struct thumb *wanted, const char *path, struct error *err)
{
    struct buf made;
    buf_init(&made, IMAGE_MAX_BYTES);
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    enum status status = draw_rendition(t, bucket, key, sha256, wanted, &made, err);
    if (status == OK)
        status = os_mkdirs(folder, err);
    if (status == OK)
        status = os_write_file(path, made.data, made.len, err);
    if (status == OK) {
        pthread_mutex_lock(&t->mutex);
        t->bytes += made.len;
        if (t->bytes > t->max_bytes)
            thumbs_shrink(t);
        pthread_mutex_unlock(&t->mutex);
    }
    buf_free(&made);
    return status;
}

/* Under the mutex: the slot that is making `name`, or -1. */
static int making(const struct thumbs *t, const char *name)
{
    for (unsigned i = 0; i < t->max_waiting; i++)
        if (strcmp(t->making[i], name) == 0)
            return (int)i;
    return -1;
}

/* Under the mutex: a slot for `name`, once nobody else is making it; -1 when that takes too long, or too many wait. */
static int take_slot(struct thumbs *t, const char name[THUMB_NAME_MAX])
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_MS / 1000;
    for (bool late = false; making(t, name) >= 0;) {
        if (late || t->waiting >= t->max_waiting)
            return -1;
        t->waiting++;
        late = pthread_cond_timedwait(&t->made, &t->mutex, &until) == ETIMEDOUT;
        t->waiting--;
    }
    int slot = making(t, "");
    if (slot >= 0)
        memcpy(t->making[slot], name, THUMB_NAME_MAX);
    return slot;
}

enum status thumbs_get(struct thumbs *t, struct bucket *bucket, const char *key, const char *sha256,
                       const struct thumb *wanted, int *fd, uint64_t *size, struct error *err)
{
    static const char *const marks[] = {[THUMB_STILL] = "", [THUMB_POSTER] = "p", [THUMB_MOVING] = "m"};
    char name[THUMB_NAME_MAX] = "", path[PATH_MAX];
    snprintf(name, sizeof name, "%.64s-%u%s.%s", sha256, wanted->width, marks[wanted->motion],
             image_extension(wanted->as));
    if (snprintf(path, sizeof path, "%s/%.2s/%s", t->dir, sha256, name) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "the path of the thumbnail folder is too long");
    if (open_made(path, fd, size)) {
        atomic_fetch_add_explicit(&t->hits, 1, memory_order_relaxed);
        return OK;
    }
    pthread_mutex_lock(&t->mutex);
    t->misses++;
    int slot = take_slot(t, name);
    pthread_mutex_unlock(&t->mutex);
    if (slot < 0)
        return err_set(err, ERR_UNAVAILABLE, "Too many thumbnails are being created; try again in a moment.");

    enum status status = OK;
    if (!open_made(path, fd, size)) { /* perhaps made while this call waited */
        status = thumbs_make(t, bucket, key, sha256, wanted, path, err);
        if (status == OK && !open_made(path, fd, size))
            status = err_errno(err, "cannot open the thumbnail %s", path);
    }
    pthread_mutex_lock(&t->mutex);
    t->making[slot][0] = '\0';
    pthread_cond_broadcast(&t->made);
    pthread_mutex_unlock(&t->mutex);
    return status;
}
