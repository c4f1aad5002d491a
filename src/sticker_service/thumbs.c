/* Files are <dir>/<first two digits>/<sha256>-<width>.webp. MAKERS slots say which are being made; a
 * caller who finds its own there waits for it. When the folder outgrows its bound, the files that
 * were longest unused go (a hit sets the file's time, at most once an hour). */
#include "sticker_service/thumbs.h"

#include "base/evict.h"
#include "base/os.h"
#include "image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAKERS         2u /* each may hold IMAGE_MAX_PIXELS decoded */
#define QUALITY        80.0f
#define USED_AGAIN_S   3600
#define THUMB_NAME_MAX 96

struct thumbs {
    char *dir;
    uint64_t max_bytes;
    unsigned max_waiting;
    pthread_mutex_t mutex;
    pthread_cond_t made;
    char making[MAKERS][THUMB_NAME_MAX]; /* "" = free */
    unsigned waiting;
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

enum status thumbs_open(const char *dir, uint64_t max_bytes, unsigned max_waiting, struct thumbs **out,
                        struct error *err)
{
    *out = NULL;
    enum status status = os_mkdirs(dir, err);
    if (status != OK)
        return status;
    struct thumbs *t = calloc(1, sizeof *t);
    char *copy = strdup(dir);
    if (!t || !copy) {
        free(t);
        free(copy);
        return err_no_memory(err, "thumbnails");
    }
    t->dir = copy;
    t->max_bytes = max_bytes;
    t->max_waiting = max_waiting;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->made, NULL);
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

/* The size to draw at: at most `width` wide and 4 * width high. */
static void thumbs_fit(uint32_t w, uint32_t h, unsigned width, bool enlarge, uint32_t *out_w, uint32_t *out_h)
{
    double scale = (double)width / w, down = 4.0 * width / h;
    if (down < scale)
        scale = down;
    if (scale > 1 && !enlarge)
        scale = 1;
    *out_w = (uint32_t)(w * scale + 0.5);
    *out_h = (uint32_t)(h * scale + 0.5);
    *out_w = *out_w ? *out_w : 1;
    *out_h = *out_h ? *out_h : 1;
}

static enum status thumbs_draw(const struct buf *file, unsigned width, struct buf *webp, struct error *err)
{
    enum image_kind kind;
    uint32_t w, h;
    struct image full = {0}, small = {0};
    enum status status = image_probe(file->data, file->len, &kind, &w, &h, err);
    if (status != OK)
        return status;
    if (!w || !h)
        return err_set(err, ERR_CORRUPT, "the image has no pixels");
    thumbs_fit(w, h, width, kind == IMAGE_SVG, &w, &h);
    status = image_decode(file->data, file->len, w > h ? w : h, &full, err);
    if (status != OK)
        return status;
    /* Once more from what was decoded: EXIF may have turned it. */
    thumbs_fit(full.width, full.height, width, false, &w, &h);
    if (w == full.width && h == full.height) {
        status = image_encode_webp(&full, QUALITY, webp, err);
    } else {
        status = image_resize(&full, w, h, IMAGE_BICUBIC, &small, err);
        if (status == OK)
            status = image_encode_webp(&small, QUALITY, webp, err);
    }
    image_free(&full);
    image_free(&small);
    return status;
}

static enum status thumbs_make(struct thumbs *t, struct bucket *bucket, const char *key, unsigned width,
                               const char *path, struct error *err)
{
    struct buf file, webp;
    buf_init(&file, IMAGE_MAX_BYTES);
    buf_init(&webp, IMAGE_MAX_BYTES);
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    enum status status = bucket_get(bucket, key, &file, err);
    if (status == OK)
        status = thumbs_draw(&file, width, &webp, err);
    if (status == OK)
        status = os_mkdirs(folder, err);
    if (status == OK)
        status = os_write_file(path, webp.data, webp.len, err);
    if (status == OK) {
        pthread_mutex_lock(&t->mutex);
        t->bytes += webp.len;
        if (t->bytes > t->max_bytes)
            thumbs_shrink(t);
        pthread_mutex_unlock(&t->mutex);
    }
    buf_free(&file);
    buf_free(&webp);
    return status;
}

/* Under the mutex: the slot that is making `name`, or -1. */
static int making(const struct thumbs *t, const char *name)
{
    for (unsigned i = 0; i < MAKERS; i++)
        if (strcmp(t->making[i], name) == 0)
            return (int)i;
    return -1;
}

enum status thumbs_get(struct thumbs *t, struct bucket *bucket, const char *key, const char *sha256, unsigned width,
                       int *fd, uint64_t *size, struct error *err)
{
    char name[THUMB_NAME_MAX], path[PATH_MAX];
    snprintf(name, sizeof name, "%.64s-%u.webp", sha256, width);
    if (snprintf(path, sizeof path, "%s/%.2s/%s", t->dir, sha256, name) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "the path of the thumbnail folder is too long");
    if (open_made(path, fd, size)) {
        atomic_fetch_add_explicit(&t->hits, 1, memory_order_relaxed);
        return OK;
    }
    pthread_mutex_lock(&t->mutex);
    t->misses++;
    int slot;
    while (making(t, name) >= 0 || (slot = making(t, "")) < 0) {
        if (t->waiting >= t->max_waiting) {
            pthread_mutex_unlock(&t->mutex);
            return err_set(err, ERR_UNAVAILABLE, "Too many thumbnails are being made; try again in a moment.");
        }
        t->waiting++;
        pthread_cond_wait(&t->made, &t->mutex);
        t->waiting--;
    }
    memcpy(t->making[slot], name, sizeof name);
    pthread_mutex_unlock(&t->mutex);

    enum status status = OK;
    if (!open_made(path, fd, size)) { /* perhaps made while this call waited */
        status = thumbs_make(t, bucket, key, width, path, err);
        if (status == OK && !open_made(path, fd, size))
            status = err_errno(err, "cannot open the thumbnail %s", path);
    }
    pthread_mutex_lock(&t->mutex);
    t->making[slot][0] = '\0';
    pthread_cond_broadcast(&t->made);
    pthread_mutex_unlock(&t->mutex);
    return status;
}
