/* The folder bucket. Keys are checked before they become paths, so that no key leaves the folder;
 * symbolic links inside it are the operator's own doing and are followed. */
#include "bucket/bucket.h"
#include "base/os.h"
#include "base/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_KEY   512
#define TEMPORARY ".put-" /* no key begins with a dot */

struct bucket {
    char root[PATH_MAX - MAX_KEY - 2];
};

enum status bucket_open(const char *url, struct bucket **out, struct error *err)
{
    *out = NULL;
    if (strstr(url, "://"))
        return err_set(err, ERR_UNSUPPORTED, "bucket: expected a folder, found \"%.120s\"", url);
    struct bucket *b = calloc(1, sizeof *b);
    if (!b)
        return err_set(err, ERR_NO_MEMORY, "bucket: out of memory");
    enum status st = OK;
    if (strlen(url) >= sizeof b->root)
        st = err_set(err, ERR_INVALID, "bucket: folder name of %zu bytes is too long", strlen(url));
    else
        st = os_mkdirs(url, err);
    if (st != OK) {
        free(b);
        return st;
    }
    snprintf(b->root, sizeof b->root, "%s", url);
    *out = b;
    return OK;
}

void bucket_close(struct bucket *b)
{
    free(b);
}

static enum status path_of(const struct bucket *b, const char *key, char path[PATH_MAX], struct error *err)
{
    size_t len = strlen(key);
    bool good = len >= 1 && len <= MAX_KEY && utf8_valid(key, len) && !utf8_has_control(key, len);
    for (const char *segment = key; good; segment += strcspn(segment, "/") + 1) {
        good = *segment && *segment != '.' && *segment != '/';
        if (!segment[strcspn(segment, "/")])
            break;
    }
    if (!good)
        return err_set(err, ERR_INVALID, "bucket key \"%.120s\": expected segments that do not begin with a dot", key);
    snprintf(path, PATH_MAX, "%s/%s", b->root, key);
    return OK;
}

/* Under a temporary name of its own first, because a name of 255 bytes leaves no room for a suffix. */
static enum status put(struct bucket *b, const char *key, const void *data, size_t len, bool sync, struct error *err)
{
    char path[PATH_MAX], folder[PATH_MAX], tmp[PATH_MAX + sizeof TEMPORARY + 8];
    enum status st = path_of(b, key, path, err);
    if (st != OK)
        return st;
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    snprintf(tmp, sizeof tmp, "%s/" TEMPORARY "XXXXXX", folder);
    st = os_mkdirs(folder, err);
    if (st != OK)
        return st;
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot make a file in %.200s", folder);
    st = os_write_all(fd, path, data, len, err);
    if (st == OK && (fchmod(fd, 0644) != 0 || (sync && fsync(fd) != 0)))
        st = err_errno(err, "cannot finish \"%.200s\" in the bucket", key);
    if (close(fd) != 0 && st == OK)
        st = err_errno(err, "cannot close \"%.200s\" in the bucket", key);
    if (st == OK && rename(tmp, path) != 0)
        st = err_errno(err, "cannot rename to \"%.200s\" in the bucket", key);
    if (st != OK)
        unlink(tmp);
    if (st != OK || !sync)
        return st;
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fsync(dir) != 0)
        st = err_errno(err, "cannot sync folder %.200s", folder);
    if (dir >= 0)
        close(dir);
    return st;
}

enum status bucket_put(struct bucket *b, const char *key, const void *data, size_t len, struct error *err)
{
    return put(b, key, data, len, true, err);
}

enum status bucket_put_later(struct bucket *b, const char *key, const void *data, size_t len, struct error *err)
{
    return put(b, key, data, len, false, err);
}

/* One sync of the file system costs about as much as one of a single file. */
enum status bucket_sync(struct bucket *b, struct error *err)
{
    int fd = open(b->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status st = fd >= 0 && syncfs(fd) == 0 ? OK : err_errno(err, "cannot sync the bucket %s", b->root);
    if (fd >= 0)
        close(fd);
    return st;
}

void bucket_tidy(struct bucket *b, const char *folder)
{
    char path[PATH_MAX];
    if (path_of(b, folder, path, NULL) != OK)
        return;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat sb;
        if (strncmp(e->d_name, TEMPORARY, sizeof TEMPORARY - 1) == 0 &&
            fstatat(dirfd(d), e->d_name, &sb, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(sb.st_mode) &&
            os_now_us() / 1000000 - sb.st_mtime >= 3600)
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
}

enum status bucket_fd(struct bucket *b, const char *key, int *fd, uint64_t *size, struct error *err)
{
    char path[PATH_MAX];
    struct stat sb;
    *fd = -1;
    enum status st = path_of(b, key, path, err);
    if (st != OK)
        return st;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
    if (opened < 0)
        return errno == ENOENT || errno == ENOTDIR ? err_set(err, ERR_NOT_FOUND, "bucket has no \"%.200s\"", key)
                                                   : err_errno(err, "cannot open \"%.200s\" in the bucket", key);
    if (fstat(opened, &sb) != 0 || !S_ISREG(sb.st_mode)) {
        close(opened);
        return err_set(err, ERR_NOT_FOUND, "bucket: \"%.200s\" is not a file", key);
    }
    *fd = opened;
    *size = (uint64_t)sb.st_size;
    return OK;
}

enum status bucket_get(struct bucket *b, const char *key, struct buf *out, struct error *err)
{
    int fd;
    uint64_t size;
    enum status st = bucket_fd(b, key, &fd, &size, err);
    if (st != OK)
        return st;
    char chunk[65536];
    ssize_t n;
    while (st == OK && (n = read(fd, chunk, sizeof chunk)) != 0) {
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
    char path[PATH_MAX];
    enum status st = path_of(b, key, path, err);
    if (st == OK && unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        st = err_errno(err, "cannot delete \"%.200s\" from the bucket", key);
    return st;
}

enum status bucket_exists(struct bucket *b, const char *key, bool *exists, struct error *err)
{
    int fd;
    uint64_t size;
    enum status st = bucket_fd(b, key, &fd, &size, err);
    *exists = st == OK;
    if (st == OK)
        close(fd);
    return st == ERR_NOT_FOUND ? OK : st;
}
