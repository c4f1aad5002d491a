/* Archives are unpacked into a folder of the import's own, where they are found like any other folder; it is deleted
 * with the list. Everything about an archive is bounded, and what it writes stays below its folder: the folder is new,
 * only plain files are written, and none of them over another. */
#include "import/import_parts.h"

#include "base/os.h"
#include "base/utf8.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZIP_END_MAX (22u + 65535u) /* bytes of the end of a zip archive, with a comment */
#define MAX_ENTRIES 20000u
#define MAX_FILE    (64ll << 20)   /* bytes of one file */
#define MAX_BYTES   (2048ll << 20) /* of all of them */

bool import_is_archive(const char *name)
{
    static const char *const endings[] = {".zip", ".wastickers", ".hbsp", ".tar.gz", ".tgz", ".tar", NULL};
    return import_has_ending(name, endings);
}

enum status import_make_folder(struct import_list *l, const char *name, char out[PATH_MAX], struct error *err)
{
    const char *base = l->unpack_into ? l->unpack_into : getenv("TMPDIR");
    if (!l->unpacked) {
        enum status st = own_folder_open(base && *base ? base : "/tmp", &l->unpacked, err);
        if (st != OK)
            return st;
    }
    for (unsigned i = 1; i < 1000; i++) {
        int len = i == 1 ? snprintf(out, PATH_MAX, "%s/%s", l->unpacked->path, name)
                         : snprintf(out, PATH_MAX, "%s/%s.%u", l->unpacked->path, name, i);
        if (len >= PATH_MAX)
            return err_set(err, ERR_INVALID, "its name is too long");
        if (mkdir(out, 0700) == 0)
            return OK;
        if (errno != EEXIST)
            break;
    }
    return err_errno(err, "cannot make a folder to unpack into");
}

/* Whether every part of the path names something below the folder that it is unpacked into. */
static bool is_safe(const char *path)
{
    size_t len = strlen(path), part;
    if (!len || len > 1000 || !utf8_valid(path, len) || utf8_has_control(path, len) || strchr(path, '\\'))
        return false;
    for (const char *p = path;; p += part + 1) {
        part = strcspn(p, "/");
        if (!part || part > NAME_MAX || strncmp(p, "..", part) == 0) /* "." and ".." */
            return false;
        if (!p[part])
            return true;
    }
}

static enum status copy_data(struct archive *archive, int fd, const char *name, int64_t *total, struct error *err)
{
    char piece[65536];
    la_ssize_t n;
    int64_t size = 0;
    while ((n = archive_read_data(archive, piece, sizeof piece)) > 0) {
        size += n;
        *total += n;
        if (size > MAX_FILE || *total > MAX_BYTES)
            return err_set(err, ERR_TOO_LARGE, "it has more than %lld bytes", MAX_FILE);
        enum status st = os_write_all(fd, name, piece, (size_t)n, err);
        if (st != OK)
            return st;
    }
    return n == 0 ? OK : err_set(err, ERR_CORRUPT, "%.200s", archive_error_string(archive));
}

static enum status unpack_file(struct archive *archive, const char *folder, const char *name, int64_t *total,
                               struct error *err)
{
    char path[PATH_MAX];
    if (!is_safe(name) || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "its name is not one of a file below the archive");
    char *slash = strrchr(path, '/');
    *slash = '\0';
    enum status st = os_mkdirs(path, err);
    *slash = '/';
    int fd = st == OK ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (st == OK && fd < 0 && errno == EEXIST)
        return err_set(err, ERR_INVALID, "the archive has another file of this name");
    if (st == OK && fd < 0)
        return err_errno(err, "cannot be unpacked");
    if (st == OK)
        st = copy_data(archive, fd, name, total, err);
    if (fd >= 0)
        close(fd);
    if (st != OK && fd >= 0)
        unlink(path);
    return st;
}

/* What is wrong with one file becomes a failure, unless the archive cannot be read on. */
static enum status unpack_entries(struct import_list *l, struct archive *archive, const char *shown, const char *folder,
                                  struct error *err)
{
    struct archive_entry *entry;
    int64_t total = 0;
    for (size_t n = 0;; n++) {
        int rc = archive_read_next_header(archive, &entry);
        if (rc == ARCHIVE_EOF)
            return OK;
        if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
            return err_set(err, ERR_CORRUPT, "%.200s", archive_error_string(archive));
        if (n == MAX_ENTRIES)
            return err_set(err, ERR_TOO_LARGE, "it has more than %u files", MAX_ENTRIES);
        const char *name = archive_entry_pathname_utf8(entry);
        name = name ? name : archive_entry_pathname(entry);
        name = name ? name : "";
        if (archive_entry_filetype(entry) == AE_IFDIR)
            continue;
        struct error bad;
        enum status st = archive_entry_filetype(entry) == AE_IFREG
                             ? unpack_file(archive, folder, name, &total, &bad)
                             : err_set(&bad, ERR_INVALID, "it is not a plain file");
        if (total > MAX_BYTES)
            return err_set(err, ERR_TOO_LARGE, "it unpacks to more than %lld MiB", MAX_BYTES >> 20);
        const char *place = st != OK ? arena_printf(l->arena, "%s/%.255s", shown, name) : NULL;
        if (st != OK)
            import_list_fail(l, place ? place : shown, bad.message);
    }
}

/* A zip ends with its directory: one that was cut off between two files, or within the directory, would else be taken
 * for a whole one. */
static enum status check_zip_end(const char *path, struct error *err)
{
    static const char end[] = {'P', 'K', 5, 6};
    struct os_map map;
    enum status st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    size_t tail = map.len < ZIP_END_MAX ? map.len : ZIP_END_MAX;
    if (!tail || !memmem(map.data + map.len - tail, tail, end, sizeof end))
        st = err_set(err, ERR_CORRUPT, "it is cut off: the end of a zip archive is missing");
    os_unmap(&map);
    return st;
}

enum status import_unpack(struct import_list *l, const char *path, char folder[PATH_MAX], struct error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    struct archive *archive = archive_read_new();
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = uselocale(utf8); /* of its names */
    enum status st = archive ? import_make_folder(l, name, folder, err) : err_no_memory(err, "unpacking");
    if (st == OK && (archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
                     archive_read_support_format_tar(archive) != ARCHIVE_OK ||
                     archive_read_support_format_zip(archive) != ARCHIVE_OK ||
                     archive_read_open_filename(archive, path, 65536) != ARCHIVE_OK))
        st = err_set(err, ERR_CORRUPT, "%.200s", archive_error_string(archive));
    if (st == OK)
        st = unpack_entries(l, archive, name, folder, err);
    if (st == OK && (archive_format(archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP)
        st = check_zip_end(path, err);
    archive_read_free(archive);
    uselocale(before);
    if (utf8)
        freelocale(utf8);
    return st;
}
