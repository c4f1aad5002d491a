/* What all kinds of bucket have in common: which kind a URL means, and which keys there are. */
#include "bucket/bucket.h"
#include "base/utf8.h"
#include "bucket/bucket_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool bucket_url_is_remote(const char *url)
{
    return strncmp(url, "s3://", 5) == 0;
}

enum status bucket_open(const char *url, const struct bucket_s3 *s3, struct bucket **out, struct error *err)
{
    *out = NULL;
    if (bucket_url_is_remote(url) && s3)
        return bucket_s3_open(url, s3, out, err);
    if (strstr(url, "://"))
        return err_set(err, ERR_UNSUPPORTED, "bucket: expected a folder or s3://bucket/prefix, found \"%.120s\"", url);
    return bucket_folder_open(url, out, err);
}

void bucket_close(struct bucket *b)
{
    if (b)
        b->ops->close(b);
}

bool bucket_key_valid(const char *key)
{
    size_t len = strlen(key);
    bool good = len >= 1 && len <= BUCKET_MAX_KEY && utf8_valid(key, len) && !utf8_has_control(key, len);
    for (const char *segment = key; good; segment += strcspn(segment, "/") + 1) {
        good = *segment && *segment != '.' && *segment != '/';
        if (!segment[strcspn(segment, "/")])
            break;
    }
    return good;
}

static enum status check_key(const char *key, struct error *err)
{
    return bucket_key_valid(key)
               ? OK
               : err_set(err, ERR_INVALID, "bucket key \"%.120s\": expected segments that do not begin with a dot",
                         key);
}

enum status bucket_put(struct bucket *b, const char *key, const void *data, size_t len, struct error *err)
{
    enum status st = check_key(key, err);
    return st == OK ? b->ops->put(b, key, data, len, true, err) : st;
}

enum status bucket_put_later(struct bucket *b, const char *key, const void *data, size_t len, struct error *err)
{
    enum status st = check_key(key, err);
    return st == OK ? b->ops->put(b, key, data, len, false, err) : st;
}

enum status bucket_sync(struct bucket *b, struct error *err)
{
    return b->ops->sync(b, err);
}

void bucket_tidy(struct bucket *b, const char *folder)
{
    if (bucket_key_valid(folder))
        b->ops->tidy(b, folder);
}

enum status bucket_fd(struct bucket *b, const char *key, int *fd, uint64_t *size, struct error *err)
{
    *fd = -1;
    enum status st = check_key(key, err);
    return st == OK ? b->ops->fd(b, key, fd, size, err) : st;
}

enum status bucket_get(struct bucket *b, const char *key, struct buf *out, struct error *err)
{
    int fd;
    uint64_t size;
    enum status st = bucket_fd(b, key, &fd, &size, err);
    if (st != OK)
        return st;
    char chunk[65536];
    ssize_t n = 1;
    for (uint64_t left = size; st == OK && left && n; left -= n > 0 ? (uint64_t)n : 0) {
        n = read(fd, chunk, left < sizeof chunk ? (size_t)left : sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = err_errno(err, "cannot read \"%.200s\" in the bucket", key);
        else
            buf_append(out, chunk, (size_t)n);
        if (out->failed)
            st = err_set(err, ERR_TOO_LARGE, "bucket: \"%.200s\" has more than %zu bytes", key, out->max);
    }
    close(fd);
    return st;
}

enum status bucket_delete(struct bucket *b, const char *key, struct error *err)
{
    enum status st = check_key(key, err);
    return st == OK ? b->ops->remove(b, key, err) : st;
}

enum status bucket_exists(struct bucket *b, const char *key, bool *exists, struct error *err)
{
    *exists = false;
    enum status st = check_key(key, err);
    return st == OK ? b->ops->exists(b, key, exists, err) : st;
}
