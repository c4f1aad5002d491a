#include "base/buf.h"
#include "base/os.h"
#include "base/utf8.h"
#include "cmd/csv.h"
#include "cmd/import.h"
#include "store/sticker_store.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_DEPTH 16

void import_list_init(struct import_list *l)
{
    *l = (struct import_list){0};
    arena_init(&l->arena, IMPORT_ARENA);
}

void import_list_free(struct import_list *l)
{
    free(l->items);
    free(l->failures);
    arena_free(&l->arena);
}

/* Room for one more of `size` bytes in *array. */
static enum status grow(void *array, size_t n, size_t *cap, size_t size, struct error *err)
{
    void **a = array;
    if (n < *cap)
        return OK;
    size_t more = *cap ? 2 * *cap : 256;
    void *bigger = n < IMPORT_MAX_ITEMS ? realloc(*a, more * size) : NULL;
    if (!bigger)
        return err_set(err, ERR_TOO_LARGE, "more than %zu files at once", n);
    *a = bigger;
    *cap = more;
    return OK;
}

enum status import_list_add(struct import_list *l, const struct import_item *item, struct error *err)
{
    enum status st = grow(&l->items, l->n, &l->cap, sizeof *l->items, err);
    if (st == OK)
        l->items[l->n++] = *item;
    return st;
}

enum status import_list_fail(struct import_list *l, const char *what, const char *why, struct error *err)
{
    enum status st = grow(&l->failures, l->n_failures, &l->cap_failures, sizeof *l->failures, err);
    struct import_failure f = {arena_strdup(&l->arena, what), arena_strdup(&l->arena, why)};
    if (st == OK && (!f.what || !f.why))
        st = err_set(err, ERR_NO_MEMORY, "out of memory");
    if (st == OK)
        l->failures[l->n_failures++] = f;
    return st;
}

/* --- one folder's stickers.csv --- */

struct row {
    const char *filename, *title, *words, *language;
    size_t line;
    bool used;
};

struct sheet {
    struct row *rows;
    size_t n, cap;
};

static int by_filename(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->filename, ((const struct row *)b)->filename);
}

/* Which column each member is in; SIZE_MAX when absent. */
struct columns {
    size_t filename, title, words, language;
};

static enum status read_header(const struct csv_record *r, struct columns *c, struct error *err)
{
    *c = (struct columns){SIZE_MAX, SIZE_MAX, SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < r->n; i++) {
        size_t *at = strcasecmp(r->cells[i], "filename") == 0   ? &c->filename
                     : strcasecmp(r->cells[i], "title") == 0    ? &c->title
                     : strcasecmp(r->cells[i], "words") == 0    ? &c->words
                     : strcasecmp(r->cells[i], "language") == 0 ? &c->language
                                                                : NULL;
        if (at)
            *at = i;
    }
    if (c->filename == SIZE_MAX)
        return err_set(err, ERR_INVALID, "line 1: expected a header with filename,title,words,language");
    return OK;
}

static const char *cell(const struct csv_record *r, size_t column)
{
    return column < r->n ? r->cells[column] : "";
}

static enum status read_rows(struct import_list *l, const char *text, size_t len, struct sheet *s, struct error *err)
{
    struct csv csv;
    struct csv_record r;
    struct columns c;
    csv_begin(&csv, text, len, &l->arena);
    enum status st = csv_next(&csv, &r, err);
    if (st == OK)
        st = read_header(&r, &c, err);
    while (st == OK && (st = csv_next(&csv, &r, err)) == OK) {
        if (r.n == 1 && !*r.cells[0])
            continue; /* an empty line */
        if ((st = grow(&s->rows, s->n, &s->cap, sizeof *s->rows, err)) == OK)
            s->rows[s->n++] = (struct row){
                cell(&r, c.filename), cell(&r, c.title), cell(&r, c.words), cell(&r, c.language), r.line, false};
    }
    if (st == ERR_NOT_FOUND) /* the end */
        st = OK;
    if (st == OK && s->n)
        qsort(s->rows, s->n, sizeof *s->rows, by_filename);
    return st;
}

static enum status read_sheet(struct import_list *l, const char *folder, struct sheet *s, struct error *err)
{
    struct buf text;
    struct error why;
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/stickers.csv", folder) >= (int)sizeof path)
        return OK;
    buf_init(&text, IMPORT_MAX_CSV);
    enum status st = os_read_file(path, &text, &why);
    if (st == OK && !utf8_valid(buf_str(&text), text.len))
        st = err_set(&why, ERR_INVALID, "expected UTF-8");
    if (st == OK)
        st = read_rows(l, buf_str(&text), text.len, s, &why);
    buf_free(&text);
    if (st == OK || st == ERR_NOT_FOUND)
        return OK;
    s->n = 0;
    return import_list_fail(l, path, why.message, err);
}

/* --- files and folders --- */

static bool image_name(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".svg"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (len > strlen(endings[i]) && strcasecmp(name + len - strlen(endings[i]), endings[i]) == 0)
            return true;
    return false;
}

/* "two_black-cats.png" -> "two black cats" */
static const char *title_of(struct import_list *l, const char *filename)
{
    const char *dot = strrchr(filename, '.');
    char *title =
        arena_strndup(&l->arena, filename, dot && dot > filename ? (size_t)(dot - filename) : strlen(filename));
    for (char *p = title; p && *p; p++)
        if (*p == '_' || *p == '-')
            *p = ' ';
    return title;
}

static enum status add_file(struct import_list *l, const char *path, struct sheet *s, struct error *err)
{
    struct error why;
    const char *slash = strrchr(path, '/');
    struct import_item item = {.words = "", .language = "en", .pack = "", .author = "", .license = "", .source = ""};
    item.path = arena_strdup(&l->arena, path);
    item.filename = item.path ? (slash ? item.path + (slash - path) + 1 : item.path) : NULL;
    if (!item.filename)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    if (store_check_filename(item.filename, &why) != OK)
        return import_list_fail(l, path, why.message, err);
    struct row key = {.filename = item.filename};
    struct row *row = s->n ? bsearch(&key, s->rows, s->n, sizeof *s->rows, by_filename) : NULL;
    if (row) {
        row->used = true;
        item.words = row->words;
        item.language = *row->language ? row->language : "en";
        item.title = row->title;
    }
    if (!item.title || !*item.title)
        item.title = title_of(l, item.filename);
    return item.title ? import_list_add(l, &item, err) : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum status add_folder(struct import_list *l, const char *folder, int depth, struct error *err)
{
    struct dirent **entries = NULL;
    struct sheet s = {0};
    char path[PATH_MAX];
    if (depth > MAX_DEPTH)
        return import_list_fail(l, folder, "folders are nested too deeply", err);
    enum status st = read_sheet(l, folder, &s, err);
    int n = scandir(folder, &entries, NULL, by_name);
    if (n < 0 && st == OK)
        st = import_list_fail(l, folder, strerror(errno), err);
    for (int i = 0; i < n; i++) {
        struct stat sb;
        const char *name = entries[i]->d_name;
        if (st == OK && name[0] != '.' && snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path &&
            lstat(path, &sb) == 0) {
            if (S_ISDIR(sb.st_mode))
                st = add_folder(l, path, depth + 1, err);
            else if (S_ISREG(sb.st_mode) && image_name(name))
                st = add_file(l, path, &s, err);
        }
        free(entries[i]);
    }
    free(entries);
    for (size_t i = 0; st == OK && i < s.n; i++)
        if (!s.rows[i].used) {
            char why[128];
            snprintf(path, sizeof path, "%.3000s/stickers.csv", folder);
            snprintf(why, sizeof why, "line %zu: there is no image \"%.80s\" in the folder", s.rows[i].line,
                     s.rows[i].filename);
            st = import_list_fail(l, path, why, err);
        }
    free(s.rows);
    return st;
}

enum status import_list_path(struct import_list *l, const char *path, struct error *err)
{
    struct stat sb;
    struct sheet none = {0};
    if (stat(path, &sb) != 0)
        return import_list_fail(l, path, strerror(errno), err);
    if (S_ISDIR(sb.st_mode))
        return add_folder(l, path, 0, err);
    if (S_ISREG(sb.st_mode))
        return add_file(l, path, &none, err);
    return import_list_fail(l, path, "neither a file nor a folder", err);
}
