#include "base/evict.h"

#include "base/os.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_AFTER(most) ((most) / 10 * 9)

struct evict_file {
    char *path; /* below the cache's folder */
    uint64_t bytes;
    time_t used;
};

struct evict_files {
    struct evict_file *items;
    size_t n, cap;
    uint64_t bytes;
};

/* Without memory a file counts, but cannot be removed this time. */
static void evict_add(struct evict_files *all, const char *folder, const char *name, const struct stat *sb)
{
    all->bytes += (uint64_t)sb->st_size;
    if (all->n == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 256;
        struct evict_file *items = realloc(all->items, cap * sizeof *items);
        if (!items)
            return;
        all->items = items;
        all->cap = cap;
    }
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) >= 0)
        all->items[all->n++] = (struct evict_file){path, (uint64_t)sb->st_size, sb->st_mtime};
}

static void evict_read_folder(const char *dir, const char *folder,
                              enum evict_kind (*kind)(const char *name, int64_t age_s), struct evict_files *all)
{
    char path[PATH_MAX];
    DIR *d = os_join_path(path, dir, folder) ? opendir(path) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat sb;
        if (fstatat(dirfd(d), e->d_name, &sb, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(sb.st_mode))
            continue;
        enum evict_kind is = kind(e->d_name, os_now_us() / 1000000 - sb.st_mtime);
        if (is == EVICT_LEFT_OVER)
            unlinkat(dirfd(d), e->d_name, 0);
        else if (is == EVICT_COUNTS)
            evict_add(all, folder, e->d_name, &sb);
    }
    if (d)
        closedir(d);
}

static int evict_by_last_use(const void *a, const void *b)
{
    time_t x = ((const struct evict_file *)a)->used, y = ((const struct evict_file *)b)->used;
    return (x > y) - (x < y);
}

bool evict_longest_unused(const char *dir, uint64_t most, enum evict_kind (*kind)(const char *name, int64_t age_s),
                          uint64_t *bytes)
{
    bool removed = false;
    struct evict_files all = {0};
    for (unsigned i = 0; i < 256; i++) {
        char folder[3];
        snprintf(folder, sizeof folder, "%02x", i);
        evict_read_folder(dir, folder, kind, &all);
    }
    bool over = all.bytes > most;
    *bytes = all.bytes;
    if (all.n && over)
        qsort(all.items, all.n, sizeof *all.items, evict_by_last_use);
    for (size_t i = 0; i < all.n; i++) {
        char path[PATH_MAX];
        if (over && *bytes > KEEP_AFTER(most) && os_join_path(path, dir, all.items[i].path) && unlink(path) == 0) {
            *bytes -= all.items[i].bytes;
            removed = true;
        }
        free(all.items[i].path);
    }
    free(all.items);
    return removed;
}

void evict_touch(int fd, time_t changed, int64_t every_s)
{
    if (os_now_us() / 1000000 - changed > every_s)
        (void)futimens(fd, NULL);
}
