#include "base/own_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "peel-import-"
#define TRIES  10 /* somebody else who tidies may take a folder away before it is locked */

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void own_folder_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The lock of a folder that is there and is this user's; -1: it is held, or is none. */
static int take_folder(const char *path)
{
    struct stat at_path, held;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &held) == 0 && held.st_uid == geteuid() &&
        lstat(path, &at_path) == 0 && at_path.st_ino == held.st_ino)
        return fd;
    close(fd);
    return -1;
}

static void remove_left(const char *base)
{
    char path[PATH_MAX];
    const struct dirent *entry;
    DIR *dir = opendir(base);
    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
            snprintf(path, sizeof path, "%s/%s", base, entry->d_name) >= (int)sizeof path)
            continue;
        int fd = take_folder(path);
        if (fd < 0)
            continue;
        own_folder_remove(path);
        close(fd);
    }
    if (dir)
        closedir(dir);
}

enum status own_folder_open(const char *base, struct own_folder **out, struct error *err)
{
    struct own_folder *f = *out = calloc(1, sizeof *f);
    if (!f)
        return err_no_memory(err, "a folder");
    remove_left(base);
    f->lock = -1;
    for (int i = 0; i < TRIES && f->lock < 0; i++) {
        int len = snprintf(f->path, sizeof f->path, "%s/" PREFIX "XXXXXX", base);
        if (len >= (int)sizeof f->path)
            errno = ENAMETOOLONG;
        if (len >= (int)sizeof f->path || !mkdtemp(f->path))
            break;
        f->lock = take_folder(f->path);
    }
    if (f->lock >= 0)
        return OK;
    enum status st = err_errno(err, "cannot make a temporary folder in %s", base);
    free(f);
    *out = NULL;
    return st;
}

void own_folder_close(struct own_folder *f)
{
    if (!f)
        return;
    own_folder_remove(f->path);
    close(f->lock);
    free(f);
}
