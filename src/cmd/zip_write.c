#include "cmd/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct zip_writer {
    struct archive *archive;
    char path[PATH_MAX], part[PATH_MAX];
};

static enum status zip_failed(struct zip_writer *z, struct error *err)
{
    return err_set(err, ERR_IO, "cannot write %.200s: %.200s", z->path, archive_error_string(z->archive));
}

enum status zip_create(const char *path, struct zip_writer **out, struct error *err)
{
    *out = NULL;
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_CONFLICT, "%.200s is there already", path);
    struct zip_writer *z = calloc(1, sizeof *z);
    if (!z || !(z->archive = archive_write_new())) {
        free(z);
        return err_no_memory(err, "%.200s", path);
    }
    int len = snprintf(z->part, sizeof z->part, "%s.part", path);
    snprintf(z->path, sizeof z->path, "%s", path);
    *out = z;
    if (len >= (int)sizeof z->part)
        return err_set(err, ERR_INVALID, "the path of the file is too long");
    if (archive_write_set_format_zip(z->archive) != ARCHIVE_OK ||
        archive_write_open_filename(z->archive, z->part) != ARCHIVE_OK)
        return zip_failed(z, err);
    return OK;
}

static bool is_packed(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcmp(dot, ".svg") != 0 && strcmp(dot, ".csv") != 0 && strcmp(dot, ".txt") != 0;
}

enum status zip_add(struct zip_writer *z, const char *name, const void *data, size_t len, struct error *err)
{
    struct archive_entry *e = archive_entry_new();
    if (!e)
        return err_no_memory(err, "%.200s", name);
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = uselocale(utf8); /* of the name */
    archive_entry_set_pathname_utf8(e, name);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, (la_int64_t)len);
    bool ok = (is_packed(name) ? archive_write_zip_set_compression_store(z->archive)
                               : archive_write_zip_set_compression_deflate(z->archive)) == ARCHIVE_OK &&
              archive_write_header(z->archive, e) >= ARCHIVE_WARN &&
              archive_write_data(z->archive, data, len) == (la_ssize_t)len;
    archive_entry_free(e);
    uselocale(before);
    if (utf8)
        freelocale(utf8);
    return ok ? OK : zip_failed(z, err);
}

enum status zip_close(struct zip_writer *z, enum status st, struct error *err)
{
    if (!z)
        return st;
    if (st == OK && archive_write_close(z->archive) != ARCHIVE_OK)
        st = zip_failed(z, err);
    if (st == OK && link(z->part, z->path) != 0) /* unlike rename, replaces nothing */
        st = errno == EEXIST ? err_set(err, ERR_CONFLICT, "%.200s is there already", z->path)
                             : err_errno(err, "cannot write %.200s", z->path);
    unlink(z->part);
    archive_write_free(z->archive);
    free(z);
    return st;
}
