/* The folder bucket. Keys were checked before (bucket.c), so that none leaves the folder; symbolic links
 * inside it are the operator's own doing and are followed. */
#include "base/os.h"
#include "bucket/bucket_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".put-" /* no key begins with a dot */

struct folder {
    struct bucket base;
    char root[PATH_MAX - BUCKET_MAX_KEY - 2];
};

static void folder_path(const struct bucket *b, const char *key, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", ((const struct folder *)b)->root, key);
}

/* Under a temporary name of its own first, because a name of 255 bytes leaves no room for a suffix. */
static enum status folder_write(struct bucket *b, const char *key, const void *data, size_t len, bool sync,
                                struct error *err)
{
    char path[PATH_MAX], tmp[PATH_MAX];
    int fd;
    folder_path(b, key, path);
    enum status st = os_open_beside(path, TEMPORARY, tmp, &fd, err);
    if (st != OK)
        return st;
    st = os_write_all(fd, path, data, len, err);
    if (st == OK && (fchmod(fd, 0644) != 0 || (sync && fsync(fd) != 0)))
        st = err_errno(err, "cannot finish \"%.200s\" in the bucket", key);
    if (close(fd) != 0 && st == OK)
        st = err_errno(err, "cannot close \"%.200s\" in the bucket", key);
    if (st == OK && sync)
        st = os_place(tmp, path, err);
    else if (st == OK && rename(tmp, path) != 0)
        st = err_errno(err, "cannot rename to \"%.200s\" in the bucket", key);
    if (st != OK)
        unlink(tmp);
    return st;
}

/* One sync of the file system costs about as much as one of a single file. */
static enum status folder_sync(struct bucket *b, struct error *err)
{
    const char *root = ((const struct folder *)b)->root;
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status st = fd >= 0 && syncfs(fd) == 0 ? OK : err_errno(err, "cannot sync the bucket %s", root);
    if (fd >= 0)
        close(fd);
    return st;
}

static void folder_tidy(struct bucket *b, const char *folder)
{
    char path[PATH_MAX];
    folder_path(b, folder, path);
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

static enum status folder_fd(struct bucket *b, const char *key, int *fd, uint64_t *size, struct error *err)
{
    char path[PATH_MAX];
    struct stat sb;
    *fd = -1;
    folder_path(b, key, path);
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

static enum status folder_delete(struct bucket *b, const char *key, struct error *err)
{
    char path[PATH_MAX];
    folder_path(b, key, path);
    if (unlink(path) != 0 && errno != ENOENT && errno != ENOTDIR)
        return err_errno(err, "cannot delete \"%.200s\" from the bucket", key);
    return OK;
}

static enum status folder_exists(struct bucket *b, const char *key, bool *exists, struct error *err)
{
    int fd;
    uint64_t size;
    enum status st = folder_fd(b, key, &fd, &size, err);
    *exists = st == OK;
    if (st == OK)
        close(fd);
    return st == ERR_NOT_FOUND ? OK : st;
}

static void folder_close(struct bucket *b)
{
    free(b);
}

static const struct bucket_ops ops = {.close = folder_close,
                                      .put = folder_write,
                                      .sync = folder_sync,
                                      .tidy = folder_tidy,
                                      .fd = folder_fd,
                                      .remove = folder_delete,
                                      .exists = folder_exists};

enum status bucket_folder_open(const char *path, struct bucket **out, struct error *err)
{
    struct folder *f = calloc(1, sizeof *f);
    if (!f)
        return err_no_memory(err, "bucket");
    enum status st = OK;
    if (strlen(path) >= sizeof f->root)
        st = err_set(err, ERR_INVALID, "bucket: folder name of %zu bytes is too long", strlen(path));
    else
        st = os_mkdirs(path, err);
    if (st != OK) {
        free(f);
        return st;
    }
    snprintf(f->root, sizeof f->root, "%s", path);
    f->base.ops = &ops;
    *out = &f->base;
    return OK;
}
