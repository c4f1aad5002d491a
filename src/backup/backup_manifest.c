/* backup_manifest.c: manifest.json, and what it says of the databases. */
#include "backup/backup_internal.h"

#include "base/os.h"
#include "search_store/search_internal.h"
#include "sticker_store/sticker_internal.h"
#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT       1
#define MANIFEST_MAX (1u << 20)

static const char *const kinds[] = {
    [BACKUP_ABSENT] = "absent", [BACKUP_SQLITE] = "sqlite", [BACKUP_POSTGRES] = "postgresql"};

/* The numbers of the manifest, and the members that they are kept in. */
static const struct number {
    const char *group, *name;
    size_t offset;
} numbers[] = {
    {"sticker_database", "schema", offsetof(struct backup_summary, sticker_schema)},
    {"sticker_database", "stickers", offsetof(struct backup_summary, stickers)},
    {"sticker_database", "queries", offsetof(struct backup_summary, queries)},
    {"sticker_database", "votes", offsetof(struct backup_summary, votes)},
    {"sticker_database", "users", offsetof(struct backup_summary, users)},
    {"search_database", "schema", offsetof(struct backup_summary, search_schema)},
    {"search_database", "documents", offsetof(struct backup_summary, documents)},
    {"images", "count", offsetof(struct backup_summary, images)},
    {"images", "bytes", offsetof(struct backup_summary, image_bytes)},
    {"images", "missing", offsetof(struct backup_summary, missing)},
    {"files", "count", offsetof(struct backup_summary, files)},
    {"files", "bytes", offsetof(struct backup_summary, bytes)},
};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

enum status backup_manifest_write(const char *folder, const struct backup_summary *s, const char *sums_sha256,
                                  struct error *err)
{
    char path[PATH_MAX];
    enum status st = backup_join(path, folder, BACKUP_MANIFEST, err);
    if (st != OK)
        return st;
    json_t *o =
        json_pack("{s:i, s:s, s:s, s:{s:s}, s:{s:s}, s:{s:b}, s:{s:s}}", "format", FORMAT, "created", s->created,
                  "peel", s->program, "sticker_database", "kind", kinds[s->sticker], "search_database", "kind",
                  kinds[s->search], "images", "included", s->with_images, "files", "sha256sums_sha256", sums_sha256);
    for (size_t i = 0; o && i < NUMBERS; i++)
        json_object_set_new(json_object_get(o, numbers[i].group), numbers[i].name,
                            json_integer(*(const int64_t *)((const char *)s + numbers[i].offset)));
    char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
    json_decref(o);
    st = text ? os_write_file(path, text, strlen(text), err) : err_no_memory(err, "the manifest");
    free(text);
    return st;
}

static bool read_kind(const json_t *o, const char *group, enum backup_database *out)
{
    const char *kind = json_string_value(json_object_get(json_object_get(o, group), "kind"));
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            *out = (enum backup_database)i;
            return true;
        }
    }
    return false;
}

static bool read_string(const json_t *o, const char *name, char *out, size_t cap)
{
    const char *value = json_string_value(json_object_get(o, name));
    return value && (size_t)snprintf(out, cap, "%s", value) < cap;
}

static bool read_manifest(const json_t *o, struct backup_summary *out, char sums_sha256[65])
{
    bool good = read_string(o, "created", out->created, sizeof out->created) &&
                read_string(o, "peel", out->program, sizeof out->program) &&
                read_string(json_object_get(o, "files"), "sha256sums_sha256", sums_sha256, 65) &&
                read_kind(o, "sticker_database", &out->sticker) && read_kind(o, "search_database", &out->search);
    for (size_t i = 0; i < NUMBERS; i++) {
        const json_t *number = json_object_get(json_object_get(o, numbers[i].group), numbers[i].name);
        good = good && json_is_integer(number) && json_integer_value(number) >= 0;
        *(int64_t *)((char *)out + numbers[i].offset) = json_integer_value(number);
    }
    out->with_images = json_is_true(json_object_get(json_object_get(o, "images"), "included"));
    return good;
}

enum status backup_manifest_read(const char *folder, struct backup_summary *out, char sums_sha256[65],
                                 struct error *err)
{
    char path[PATH_MAX];
    struct buf text;
    json_error_t at;
    *out = (struct backup_summary){0};
    enum status st = backup_join(path, folder, BACKUP_MANIFEST, err);
    if (st != OK)
        return st;
    buf_init(&text, MANIFEST_MAX);
    st = os_read_file(path, &text, err);
    if (st == ERR_NOT_FOUND)
        st = err_set(err, ERR_NOT_FOUND, "%s is not a backup: it has no " BACKUP_MANIFEST, folder);
    json_t *o = st == OK ? json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, &at) : NULL;
    buf_free(&text);
    if (st != OK)
        return st;
    json_int_t format = json_integer_value(json_object_get(o, "format"));
    if (!o)
        st = err_set(err, ERR_CORRUPT, "%s: line %d: %s", path, at.line, at.text);
    else if (format > FORMAT)
        st = err_set(err, ERR_UNSUPPORTED, "%s has format %" PRId64 ", this program knows up to %d: use a newer peel",
                     folder, (int64_t)format, FORMAT);
    else if (format < 1 || !read_manifest(o, out, sums_sha256))
        st = err_set(err, ERR_CORRUPT, "%s is not the manifest of a backup", path);
    json_decref(o);
    return st;
}

/* --- the databases --- */

static const struct count {
    bool search;
    const char *sql;
    size_t offset;
} counts[] = {
    {false, "SELECT max(version) FROM schema_migrations", offsetof(struct backup_summary, sticker_schema)},
    {false, "SELECT count(*) FROM stickers", offsetof(struct backup_summary, stickers)},
    {false, "SELECT count(*) FROM queries", offsetof(struct backup_summary, queries)},
    {false, "SELECT coalesce(sum(positives + negatives), 0) FROM scores", offsetof(struct backup_summary, votes)},
    {false, "SELECT count(*) FROM users", offsetof(struct backup_summary, users)},
    {true, "SELECT max(version) FROM schema_migrations", offsetof(struct backup_summary, search_schema)},
    {true, "SELECT count(*) FROM documents", offsetof(struct backup_summary, documents)},
};

static enum status count_in(const char *path, bool search, struct backup_summary *out, struct error *err)
{
    struct db *d;
    enum status st = db_open(path, 1, NULL, &d, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < sizeof counts / sizeof *counts && st == OK; i++)
        if (counts[i].search == search)
            st = db_read_int(d, counts[i].sql, DB_NONE, (int64_t *)((char *)out + counts[i].offset), NULL, err);
    db_close(d);
    return st;
}

enum status backup_count(const char *sticker, const char *search, struct backup_summary *out, struct error *err)
{
    enum status st = out->sticker == BACKUP_SQLITE ? count_in(sticker, false, out, err) : OK;
    return st == OK && out->search == BACKUP_SQLITE ? count_in(search, true, out, err) : st;
}

static enum status check_schema(const struct db_schema *known, int64_t version, struct error *err)
{
    return version <= known->count ? OK
                                   : err_set(err, ERR_UNSUPPORTED,
                                             "the %s of the backup has schema version %" PRId64
                                             ", this program knows up to %" PRId64 ": use a newer peel",
                                             known->what, version, known->count);
}

enum status backup_check_schemas(const struct backup_summary *s, struct error *err)
{
    enum status st = check_schema(&sticker_schema_sqlite, s->sticker_schema, err);
    return st == OK ? check_schema(&search_schema_sqlite, s->search_schema, err) : st;
}
