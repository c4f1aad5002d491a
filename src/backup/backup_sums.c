/* backup_sums.c: SHA256SUMS, which `sha256sum -c` reads too. Names have no control character and no backslash, which it
 * would write in another way. */
#include "backup/backup_internal.h"

#include "base/filename.h"
#include "base/os.h"
#include <stdlib.h>
#include <string.h>

#define HEX      64u
#define BETWEEN  "  "
#define LINE_MIN (HEX + 2 + 1 + 1)

void backup_sums_init(struct backup_sums *s)
{
    *s = (struct backup_sums){0};
    arena_init(&s->arena, BACKUP_MEMORY);
}

void backup_sums_free(struct backup_sums *s)
{
    free(s->files);
    arena_free(&s->arena);
}

enum status backup_sums_add(struct backup_sums *s, const char *name, const char *sha256, struct error *err)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 256;
        struct backup_sum *more = reallocarray(s->files, cap, sizeof *more);
        if (!more)
            return err_no_memory(err, "the list of files");
        s->files = more;
        s->cap = cap;
    }
    struct backup_sum *to = &s->files[s->n];
    to->name = arena_strdup(&s->arena, name);
    if (!to->name)
        return err_no_memory(err, "the list of files");
    memcpy(to->sha256, sha256, HEX);
    to->sha256[HEX] = '\0';
    s->n++;
    return OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct backup_sum *)a)->name, ((const struct backup_sum *)b)->name);
}

void backup_sums_sort(struct backup_sums *s)
{
    if (s->n)
        qsort(s->files, s->n, sizeof *s->files, by_name);
}

const struct backup_sum *backup_sums_find(const struct backup_sums *s, const char *name)
{
    struct backup_sum key = {.name = name};
    return s->n ? bsearch(&key, s->files, s->n, sizeof key, by_name) : NULL;
}

enum status backup_sums_write(struct backup_sums *s, const char *folder, char sha256[65], struct error *err)
{
    char path[PATH_MAX];
    struct buf out;
    enum status st = backup_join(path, folder, BACKUP_SUMS, err);
    if (st != OK)
        return st;
    backup_sums_sort(s);
    buf_init(&out, BACKUP_MEMORY);
    for (size_t i = 0; i < s->n; i++)
        buf_printf(&out, "%s" BETWEEN "%s\n", s->files[i].sha256, s->files[i].name);
    st = buf_status(&out, err);
    if (st == OK) {
        os_sha256_hex(buf_str(&out), out.len, sha256);
        st = os_write_file(path, buf_str(&out), out.len, err);
    }
    buf_free(&out);
    return st;
}

/* A file of a backup, so that no list can name others. */
static bool is_ours(const char *name)
{
    bool image = strncmp(name, BACKUP_MEDIA, sizeof BACKUP_MEDIA - 1) == 0;
    return filename_check(image ? name + sizeof BACKUP_MEDIA - 1 : name, NULL) == OK;
}

static enum status read_line(struct backup_sums *s, char *line, size_t number, struct error *err)
{
    bool good = strlen(line) >= LINE_MIN - 1 && strspn(line, "0123456789abcdef") == HEX &&
                memcmp(line + HEX, BETWEEN, 2) == 0 && is_ours(line + HEX + 2);
    return good ? backup_sums_add(s, line + HEX + 2, line, err)
                : err_set(err, ERR_CORRUPT, BACKUP_SUMS ": line %zu: expected a SHA-256, two spaces and a file's name",
                          number);
}

enum status backup_sums_read(struct backup_sums *s, const char *folder, const char *sha256, struct error *err)
{
    char path[PATH_MAX], found[65];
    struct buf text;
    enum status st = backup_join(path, folder, BACKUP_SUMS, err);
    if (st != OK)
        return st;
    buf_init(&text, BACKUP_MEMORY);
    st = os_read_file(path, &text, err);
    if (st == OK) {
        os_sha256_hex(buf_str(&text), text.len, found);
        if (strcmp(found, sha256) != 0)
            st = err_set(err, ERR_CORRUPT, "%s is damaged: its SHA-256 is not that in " BACKUP_MANIFEST, path);
    }
    char *line = text.data;
    for (size_t number = 1; st == OK && line && *line; number++) {
        char *end = line + strcspn(line, "\n");
        char *next = *end ? end + 1 : end;
        *end = '\0';
        st = read_line(s, line, number, err);
        line = next;
    }
    buf_free(&text);
    backup_sums_sort(s);
    return st;
}

enum status backup_hash(const char *path, char sha256[65], int64_t *bytes, struct error *err)
{
    struct os_map map;
    enum status st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    os_sha256_hex(map.data, map.len, sha256);
    *bytes = (int64_t)map.len;
    os_unmap(&map);
    return OK;
}
