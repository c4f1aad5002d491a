/* powercut.c: for LD_PRELOAD: writes down all that a process does to the files below $POWERCUT_FOLDER, into
 * $POWERCUT_LOG, so that tests/api/test_powercut.py can say what a power cut would have left of them.
 *
 * A record is a struct record, then `path` bytes of a path, then `data` bytes. What was done is written down
 * afterwards; a sync when it begins and when it has ended, because it only covers what was done before it began. Files
 * are known by their inode. Not seen: mmap (SQLite's -shm, which no recovery reads) and stdio. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    CREATE = 1,
    WRITE,
    TRUNCATE,
    SYNC_BEGINS,
    SYNCED,
    ALL_SYNC_BEGINS,
    ALL_SYNCED,
    RENAME,
    LINK,
    UNLINK,
    MKDIR
};
struct record {
    uint32_t kind, path;
    uint64_t inode, offset, data, thread;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name)                                                                                                     \
    static __typeof__(name) *real;                                                                                     \
    if (!real)                                                                                                         \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

static void put(enum kind kind, uint64_t inode, uint64_t offset, const char *path, const void *data, size_t len)
{
    static int log = -1;
    int before = errno;
    struct record r = {.kind = kind,
                       .path = path ? (uint32_t)strlen(path) : 0,
                       .inode = inode,
                       .offset = offset,
                       .data = len,
                       .thread = (uint64_t)pthread_self() ^ (uint64_t)getpid() << 48};
    struct iovec parts[] = {{&r, sizeof r}, {(void *)(uintptr_t)path, r.path}, {(void *)(uintptr_t)data, len}};
    pthread_mutex_lock(&mutex);
    if (log < 0)
        log = open(getenv("POWERCUT_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (writev(log, parts, 3) != (ssize_t)(sizeof r + r.path + len)) /* one call: other processes write too */
        abort();
    pthread_mutex_unlock(&mutex);
    errno = before;
}

static const char *watched(void)
{
    static const char *folder;
    if (!folder)
        folder = getenv("POWERCUT_FOLDER");
    return folder;
}

/* The path below the folder, or NULL. */
static const char *below(const char *path)
{
    const char *folder = watched();
    size_t len = folder ? strlen(folder) : 0;
    size_t end = strlen(path);
    if (!len || strncmp(path, folder, len) != 0 || (path[len] && path[len] != '/') ||
        (end > 4 && strcmp(path + end - 4, "-shm") == 0))
        return NULL;
    return path[len] ? path + len + 1 : path + len;
}

static const char *below_at(int folder, const char *path, char full[2 * PATH_MAX])
{
    char link[64], name[PATH_MAX];
    if (path[0] == '/' || !watched())
        return below(path);
    snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, name, sizeof name - 1);
    name[n > 0 ? n : 0] = '\0';
    snprintf(full, 2 * PATH_MAX, "%s/%s", name, path[0] == '.' && path[1] == '/' ? path + 2 : path);
    return below(full);
}

/* The inode of a watched file that is open; 0: another one. */
static uint64_t inode_of(int fd)
{
    char full[2 * PATH_MAX], link[64];
    struct stat sb;
    int before = errno;
    if (!watched())
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, full, PATH_MAX);
    full[n > 0 ? n : 0] = '\0';
    uint64_t inode = n > 0 && below(full) && fstat(fd, &sb) == 0 ? sb.st_ino : 0;
    errno = before;
    return inode;
}

/* --- opening --- */

static int opened(int fd, const char *path, int flags, int existed)
{
    struct stat sb;
    if (fd < 0 || !path || fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode))
        return fd;
    if ((flags & O_CREAT) && !existed)
        put(CREATE, sb.st_ino, 0, path, NULL, 0);
    else if (flags & O_TRUNC)
        put(TRUNCATE, sb.st_ino, 0, NULL, NULL, 0);
    return fd;
}

static int open_any(int folder, const char *path, int flags, mode_t mode)
{
    static int (*real)(int, const char *, int, ...);
    char full[2 * PATH_MAX];
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "openat64");
    const char *name = flags & (O_CREAT | O_TRUNC) ? below_at(folder, path, full) : NULL;
    int existed = name && faccessat(folder, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    return opened(real(folder, path, flags, mode), name, flags, existed);
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        mode = (mode_t)va_arg(args, unsigned);                                                                         \
        va_end(args);                                                                                                  \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_any(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_any(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_any(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    MODE(flags, mode)
    return open_any(folder, path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

static int made(int fd, const char *path)
{
    char full[2 * PATH_MAX];
    return opened(fd, below_at(AT_FDCWD, path, full), O_CREAT, 0);
}

int mkostemp(char *path, int flags)
{
    REAL(mkostemp);
    return made(real(path, flags), path);
}

int mkostemp64(char *path, int flags)
{
    REAL(mkostemp64);
    return made(real(path, flags), path);
}

int mkstemp(char *path)
{
    REAL(mkstemp);
    return made(real(path), path);
}

int mkstemp64(char *path)
{
    REAL(mkstemp64);
    return made(real(path), path);
}

/* --- writing --- */

static ssize_t wrote(int fd, const void *data, ssize_t n, off64_t at)
{
    uint64_t inode = n > 0 ? inode_of(fd) : 0;
    if (inode)
        put(WRITE, inode, (uint64_t)at, NULL, data, (size_t)n);
    return n;
}

ssize_t write(int fd, const void *data, size_t len)
{
    REAL(write);
    int watch = fd > 2 && inode_of(fd);
    off64_t at = watch ? (fcntl(fd, F_GETFL) & O_APPEND ? lseek64(fd, 0, SEEK_END) : lseek64(fd, 0, SEEK_CUR)) : 0;
    ssize_t n = real(fd, data, len);
    return watch ? wrote(fd, data, n, at) : n;
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    REAL(pwrite);
    return wrote(fd, data, real(fd, data, len, at), at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    REAL(pwrite64);
    return wrote(fd, data, real(fd, data, len, at), at);
}

static int cut(int fd, int rc, off64_t len)
{
    uint64_t inode = rc == 0 ? inode_of(fd) : 0;
    if (inode)
        put(TRUNCATE, inode, (uint64_t)len, NULL, NULL, 0);
    return rc;
}

int ftruncate(int fd, off_t len)
{
    REAL(ftruncate);
    return cut(fd, real(fd, len), len);
}

int ftruncate64(int fd, off64_t len)
{
    REAL(ftruncate64);
    return cut(fd, real(fd, len), len);
}

/* --- syncing: a file's inode, or a folder's path --- */

static int sync_with(int (*sync)(int), int fd)
{
    char full[2 * PATH_MAX], link[64];
    struct stat sb;
    uint64_t inode = inode_of(fd);
    const char *path = NULL;
    if (inode && fstat(fd, &sb) == 0 && S_ISDIR(sb.st_mode)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, full, PATH_MAX);
        full[n > 0 ? n : 0] = '\0';
        path = below(full);
    }
    if (inode)
        put(SYNC_BEGINS, inode, path != NULL, path, NULL, 0);
    int rc = sync(fd);
    if (inode && rc == 0)
        put(SYNCED, inode, path != NULL, path, NULL, 0);
    return rc;
}

int fsync(int fd)
{
    REAL(fsync);
    return sync_with(real, fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    return sync_with(real, fd);
}

int syncfs(int fd)
{
    REAL(syncfs);
    put(ALL_SYNC_BEGINS, 0, 0, NULL, NULL, 0);
    int rc = real(fd);
    if (rc == 0)
        put(ALL_SYNCED, 0, 0, NULL, NULL, 0);
    return rc;
}

/* --- names --- */

static int named(int rc, enum kind kind, const char *path)
{
    if (rc == 0 && path)
        put(kind, 0, 0, path, NULL, 0);
    return rc;
}

/* From outside the folder, or out of it, nothing is moved here. */
static int moved(int rc, enum kind kind, const char *from, const char *to)
{
    const char *a = below(from), *b = below(to);
    if (rc == 0 && a && b)
        put(kind, 0, 0, a, b, strlen(b));
    return rc;
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    return moved(real(from, to), RENAME, from, to);
}

int link(const char *from, const char *to)
{
    REAL(link);
    return moved(real(from, to), LINK, from, to);
}

int unlink(const char *path)
{
    REAL(unlink);
    return named(real(path), UNLINK, below(path));
}

int rmdir(const char *path)
{
    REAL(rmdir);
    return named(real(path), UNLINK, below(path));
}

int unlinkat(int folder, const char *path, int flags)
{
    REAL(unlinkat);
    char full[2 * PATH_MAX];
    const char *name = below_at(folder, path, full);
    return named(real(folder, path, flags), UNLINK, name);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    return named(real(path, mode), MKDIR, below(path));
}
