/* Archives are read with libarchive, in memory: nothing is unpacked to the disk. */
#include "import/packs.h"

#include "base/buf.h"
#include "base/os.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILES    20000u
#define MAX_FILE     (16u << 20)
#define MAX_UNPACKED (8ll << 30) /* of the whole archive, wanted or not; a release holds PNGs too */

/* The name below `folder` without `ending`, if the path is of that form. */
static const char *name_in_folder(const char *path, const char *folder, const char *ending, size_t *len)
{
    size_t n = strlen(path), head = folder ? strlen(folder) : 0, tail = strlen(ending);
    if (!folder || n <= head + tail || strncmp(path, folder, head) != 0 || strcmp(path + n - tail, ending) != 0)
        return NULL;
    *len = n - head - tail;
    return memchr(path + head, '/', *len) ? NULL : path + head;
}

static enum status unpack_entry(struct archive *archive, struct archive_entry *entry, struct arena *a, char **data,
                                size_t *len, struct error *err)
{
    int64_t size = archive_entry_size(entry);
    if (size < 0 || size > (int64_t)MAX_FILE)
        return err_set(err, ERR_TOO_LARGE, "%.200s has more than %u bytes", archive_entry_pathname(entry), MAX_FILE);
    *data = arena_alloc(a, (size_t)size + 1);
    if (!*data)
        return err_no_memory(err, "%.200s", archive_entry_pathname(entry));
    if (archive_read_data(archive, *data, (size_t)size) != size)
        return err_set(err, ERR_CORRUPT, "%.200s is cut off", archive_entry_pathname(entry));
    *len = (size_t)size;
    return OK;
}

/* The next file, and its path without the first folder; *path is NULL at the end. */
static enum status next_file(struct archive *archive, struct archive_entry **entry, const char **path,
                             struct error *err)
{
    for (;;) {
        *path = NULL;
        int rc = archive_read_next_header(archive, entry);
        if (rc == ARCHIVE_EOF)
            return OK;
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return err_set(err, ERR_CORRUPT, "%.200s", archive_error_string(archive));
        if (archive_filter_bytes(archive, 0) > MAX_UNPACKED)
            return err_set(err, ERR_TOO_LARGE, "unpacks to more than %lld bytes", MAX_UNPACKED);
        const char *whole = archive_entry_pathname(*entry), *slash = whole ? strchr(whole, '/') : NULL;
        if (slash && archive_entry_filetype(*entry) == AE_IFREG) {
            *path = slash + 1;
            return OK;
        }
    }
}

static enum status open_archive(const char *path, struct archive **out, struct error *err)
{
    struct archive *archive = *out = archive_read_new();
    if (!archive)
        return err_no_memory(err, "unpacking");
    if (archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
        archive_read_support_format_tar(archive) != ARCHIVE_OK ||
        archive_read_open_filename(archive, path, 65536) != ARCHIVE_OK)
        return err_set(err, ERR_CORRUPT, "%.200s", archive_error_string(archive));
    return OK;
}

static int unpacked_by_name(const void *a, const void *b)
{
    return strcmp(((const struct pack_file *)a)->name, ((const struct pack_file *)b)->name);
}

static enum status unpack_all(struct archive *archive, const char *folder, const char *ending, const char *extra,
                              struct arena *a, struct pack_files *out, struct error *err)
{
    for (;;) {
        struct archive_entry *entry;
        const char *path, *name;
        char *data;
        size_t len;
        enum status st = next_file(archive, &entry, &path, err);
        if (st != OK || !path)
            return st;
        if (extra && strcmp(path, extra) == 0) {
            st = unpack_entry(archive, entry, a, &data, &out->extra_len, err);
            out->extra = st == OK ? data : NULL;
        } else if ((name = name_in_folder(path, folder, ending, &len))) {
            struct pack_file *f = &out->items[out->n];
            if (out->n == MAX_FILES)
                return err_set(err, ERR_TOO_LARGE, "holds more than %u pictures", MAX_FILES);
            f->name = arena_strndup(a, name, len);
            st = f->name ? unpack_entry(archive, entry, a, &data, &f->len, err) : err_no_memory(err, "its names");
            f->data = st == OK ? data : NULL;
            out->n++;
        }
        if (st != OK)
            return st;
    }
}

enum status pack_unpack(const char *path, const char *folder, const char *ending, const char *extra, struct arena *a,
                        struct pack_files *out, struct error *err)
{
    struct archive *archive;
    *out = (struct pack_files){.items = arena_array(a, MAX_FILES, sizeof *out->items)};
    enum status st = open_archive(path, &archive, err);
    if (st == OK && !out->items)
        st = err_no_memory(err, "unpacking");
    if (st == OK)
        st = unpack_all(archive, folder, ending, extra, a, out, err);
    if (st == OK && out->n)
        qsort(out->items, out->n, sizeof *out->items, unpacked_by_name);
    archive_read_free(archive);
    if (st != OK && err)
        err_prefix(err, "%.200s", path);
    return st;
}

enum status pack_each(const char *path, bool (*is_wanted)(void *ctx, const char *path),
                      enum status (*use)(void *ctx, const char *path, const char *data, size_t len, struct error *err),
                      void *ctx, struct error *err)
{
    struct archive *archive;
    struct archive_entry *entry;
    struct arena a;
    const char *name;
    arena_init(&a, MAX_FILE + (1u << 20));
    enum status st = open_archive(path, &archive, err);
    while (st == OK && (st = next_file(archive, &entry, &name, err)) == OK && name) {
        char *data;
        size_t len;
        if (!is_wanted(ctx, name))
            continue;
        arena_reset(&a);
        st = unpack_entry(archive, entry, &a, &data, &len, err);
        if (st == OK)
            st = use(ctx, name, data, len, err);
    }
    archive_read_free(archive);
    arena_free(&a);
    if (st != OK && err)
        err_prefix(err, "%.200s", path);
    return st;
}

enum status pack_digest(const struct pack_files *files, char out[65], struct error *err)
{
    struct buf lines;
    char hash[65];
    buf_init(&lines, 16u << 20);
    for (size_t i = 0; i < files->n; i++) {
        os_sha256_hex(files->items[i].data, files->items[i].len, hash);
        buf_printf(&lines, "%s %s\n", hash, files->items[i].name);
    }
    os_sha256_hex(files->extra ? files->extra : "", files->extra_len, hash);
    buf_printf(&lines, "%s \n", hash);
    enum status st = buf_status(&lines, err);
    if (st == OK)
        os_sha256_hex(lines.data, lines.len, out);
    buf_free(&lines);
    return st;
}

enum status pack_stream(const char *path, bool (*is_wanted)(void *ctx, const char *path),
                        enum status (*use)(void *ctx, const char *path, const char *data, size_t len,
                                           struct error *err),
                        void *ctx, struct error *err)
{
    struct archive *archive;
    struct archive_entry *entry;
    const char *name;
    char piece[65536];
    enum status st = open_archive(path, &archive, err);
    while (st == OK && (st = next_file(archive, &entry, &name, err)) == OK && name) {
        la_ssize_t n = 0;
        while (is_wanted(ctx, name) && st == OK && (n = archive_read_data(archive, piece, sizeof piece)) > 0)
            st = use(ctx, name, piece, (size_t)n, err);
        if (st == OK && n < 0)
            st = err_set(err, ERR_CORRUPT, "%.200s is cut off", name);
    }
    archive_read_free(archive);
    if (st != OK && err)
        err_prefix(err, "%.200s", path);
    return st;
}
