/* Walking folders, in the order of names, and joining stickers.csv to the pictures beside it. */
#include "base/buf.h"
#include "base/csv.h"
#include "base/os.h"
#include "base/utf8.h"
#include "cmd/import.h"
#include "sticker_service/picture.h"
#include "text/text.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define CSV_NAME     "stickers.csv"
#define CSV_MAX      (64u << 20) /* bytes */
#define MAX_DEPTH    32
#define MAX_FAILURES 1000u

void import_list_init(struct import_list *l, struct arena *arena)
{
    *l = (struct import_list){.arena = arena};
}

void import_list_free(struct import_list *l)
{
    free(l->items);
    free(l->failures);
    *l = (struct import_list){0};
}

enum status import_list_add(struct import_list *l, const struct import_item *item, struct error *err)
{
    if (l->n == IMPORT_MAX_ITEMS)
        return err_set(err, ERR_TOO_LARGE, "more than %u pictures: import them in parts", IMPORT_MAX_ITEMS);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        struct import_item *items = realloc(l->items, cap * sizeof *items);
        if (!items)
            return err_no_memory(err, "%zu pictures", cap);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = *item;
    return OK;
}

void import_list_fail(struct import_list *l, const char *name, const char *reason)
{
    l->failed++;
    if (!l->failures)
        l->failures = calloc(MAX_FAILURES, sizeof *l->failures);
    char *n = arena_strdup(l->arena, name), *r = arena_strdup(l->arena, reason);
    if (l->failures && n && r && l->n_failures < MAX_FAILURES)
        l->failures[l->n_failures++] = (struct import_failure){n, r};
}

/* --- stickers.csv --- */

enum column { FILENAME, TITLE, WORDS, LANGUAGE, AUTHOR, LICENSE, SOURCE, RATING, ANIMATED, COLUMNS };
static const char *const column_names[COLUMNS] = {"filename", "title",  "words",  "language", "author",
                                                  "license",  "source", "rating", "animated"};

struct row {
    const char *cells[COLUMNS]; /* "" where there is nothing */
    struct sticker_words words;
    size_t line;
    bool used;
};
struct rows {
    struct row *items; /* sorted by filename, then line */
    size_t n, cap;
};

static enum status read_header(struct csv *c, int columns[CSV_MAX_FIELDS], size_t *n, struct error *err)
{
    const char *fields[CSV_MAX_FIELDS];
    bool seen[COLUMNS] = {false};
    enum status st = csv_next(c, fields, n, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < *n; i++) {
        columns[i] = -1;
        for (int k = 0; k < COLUMNS; k++)
            if (strcasecmp(fields[i], column_names[k]) == 0 && !seen[k]) {
                columns[i] = k;
                seen[k] = true;
                break;
            }
        if (columns[i] < 0)
            return err_set(err, ERR_INVALID,
                           "line %zu: column \"%.60s\": expected filename, title, words, language, author, license, "
                           "source, rating or animated, each once",
                           c->record_line, fields[i]);
    }
    return seen[FILENAME] ? OK : err_set(err, ERR_INVALID, "line 1: expected the header filename,title,words,language");
}

/* Capital or small, as spreadsheets like it; "" is g. */
static bool read_rating(const char *cell, enum rating *out)
{
    for (enum rating r = RATING_G; r <= RATING_R; r++)
        if (strcasecmp(cell, rating_name(r)) == 0) {
            *out = r;
            return true;
        }
    *out = RATING_G;
    return !*cell;
}

static enum status read_row(const struct csv *c, const int *columns, const char *const *fields, size_t n,
                            struct row *out, struct error *err)
{
    *out = (struct row){.line = c->record_line};
    const char **cells = out->cells;
    for (size_t k = 0; k < COLUMNS; k++)
        cells[k] = "";
    for (size_t i = 0; i < n; i++) {
        /* Spreadsheets put line breaks into cells; here they are spaces. */
        char *text = arena_strdup(c->arena, fields[i]);
        if (!text)
            return err_set(err, ERR_TOO_LARGE, "line %zu: too much text", c->record_line);
        for (char *p = text; *p; p++)
            *p = strchr("\r\n\t", *p) ? ' ' : *p;
        const char *start = text;
        size_t len = strlen(start), k = (size_t)columns[i], most = k == WORDS ? IMPORT_MAX_WORDS : IMPORT_MAX_TITLE;
        utf8_trim(&start, &len);
        if (len > most)
            return err_set(err, ERR_TOO_LARGE, "line %zu: %s of %zu bytes: at most %zu are allowed", c->record_line,
                           column_names[k], len, most);
        if (utf8_has_control(start, len))
            return err_set(err, ERR_INVALID, "line %zu: control character in %s", c->record_line, column_names[k]);
        cells[k] = arena_strndup(c->arena, start, len);
        if (!cells[k])
            return err_set(err, ERR_TOO_LARGE, "line %zu: too much text", c->record_line);
    }
    if (!*cells[FILENAME])
        return err_set(err, ERR_INVALID, "line %zu: filename is empty", c->record_line);
    if (*cells[LANGUAGE] && !language_valid(cells[LANGUAGE]))
        return err_set(err, ERR_INVALID, "line %zu: language \"%.40s\": expected a tag like \"en\" or \"pt-BR\"",
                       c->record_line, cells[LANGUAGE]);
    enum rating rating;
    if (!read_rating(cells[RATING], &rating))
        return err_set(err, ERR_INVALID, "line %zu: rating \"%.40s\": expected g, pg, pg-13 or r", c->record_line,
                       cells[RATING]);
    if (*cells[ANIMATED] && strcasecmp(cells[ANIMATED], "true") != 0 && strcasecmp(cells[ANIMATED], "false") != 0)
        return err_set(err, ERR_INVALID, "line %zu: animated \"%.40s\": expected true or false", c->record_line,
                       cells[ANIMATED]);
    char *words = text_normalize_words(cells[WORDS], c->arena);
    if (!words)
        return err_set(err, ERR_TOO_LARGE, "line %zu: too much text", c->record_line);
    out->words = (struct sticker_words){
        .language = *cells[LANGUAGE] ? cells[LANGUAGE] : "en", .words = words, .title = cells[TITLE]};
    return OK;
}

static int by_filename(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = strcmp(x->cells[FILENAME], y->cells[FILENAME]);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Sorts; a picture may have several rows, one per language. */
static enum status check_rows(struct rows *rows, struct error *err)
{
    if (rows->n)
        qsort(rows->items, rows->n, sizeof *rows->items, by_filename);
    for (size_t i = 0, first = 0; i < rows->n; i++) {
        const struct row *r = &rows->items[i];
        if (strcmp(rows->items[first].cells[FILENAME], r->cells[FILENAME]) != 0)
            first = i;
        if (i - first >= LANGUAGE_MAX_LISTS)
            return err_set(err, ERR_TOO_LARGE, "line %zu: more than %u rows for one picture", r->line,
                           LANGUAGE_MAX_LISTS);
        for (size_t k = first; k < i; k++)
            if (strcasecmp(rows->items[k].words.language, r->words.language) == 0)
                return err_set(err, ERR_INVALID, "line %zu: \"%.80s\" has a row in \"%.35s\" already, on line %zu",
                               r->line, r->cells[FILENAME], r->words.language, rows->items[k].line);
    }
    return OK;
}

static enum status parse_rows(const char *text, size_t len, struct arena *arena, struct rows *rows, struct error *err)
{
    struct csv c;
    int columns[CSV_MAX_FIELDS];
    const char *fields[CSV_MAX_FIELDS];
    size_t n_columns, n;
    enum status st = csv_open(text, len, arena, &c, err);
    if (st == OK)
        st = read_header(&c, columns, &n_columns, err);
    while (st == OK && (st = csv_next(&c, fields, &n, err)) == OK && n) {
        if (n != n_columns) {
            st = err_set(err, ERR_INVALID, "line %zu: expected %zu fields, found %zu", c.record_line, n_columns, n);
            break;
        }
        if (rows->n == rows->cap) {
            size_t cap = rows->cap ? 2 * rows->cap : 256;
            struct row *items = realloc(rows->items, cap * sizeof *items);
            if (!items)
                return err_no_memory(err, "%zu rows", cap);
            rows->items = items;
            rows->cap = cap;
        }
        st = read_row(&c, columns, fields, n, &rows->items[rows->n], err);
        if (st == OK)
            rows->n++;
    }
    return st == OK ? check_rows(rows, err) : st;
}

static enum status read_rows(const char *path, struct arena *arena, struct rows *rows, struct error *err)
{
    struct buf b;
    struct stat sb;
    *rows = (struct rows){0};
    if (lstat(path, &sb) != 0)
        return errno == ENOENT ? OK : err_errno(err, "cannot read " CSV_NAME);
    if (!S_ISREG(sb.st_mode)) /* a FIFO would hang us, a link would leave the folder */
        return err_set(err, ERR_INVALID, CSV_NAME " is not a file");
    buf_init(&b, CSV_MAX);
    enum status st = os_read_file(path, &b, err);
    if (st == OK && (st = parse_rows(buf_str(&b), b.len, arena, rows, err)) != OK)
        err_prefix(err, CSV_NAME);
    buf_free(&b);
    return st;
}

/* The rows of one picture: *n of them from the result on. */
static struct row *rows_of(const struct rows *rows, const char *filename, size_t *n)
{
    size_t low = 0, high = rows->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(rows->items[middle].cells[FILENAME], filename) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *n = 0;
    while (low + *n < rows->n && strcmp(rows->items[low + *n].cells[FILENAME], filename) == 0)
        ++*n;
    return rows->items + low;
}

/* --- files and folders --- */

struct walk {
    struct import_list *list;
    bool (*stopped)(void *ctx);
    void *ctx;
};

static bool has_picture_name(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".svg"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (len > n && strcasecmp(name + len - n, endings[i]) == 0)
            return true;
    }
    return false;
}

/* Leaves out lists that say no more than the sticker's title does. */
static void keep_lists(struct sticker *sticker, struct sticker_words *words)
{
    size_t kept = 0;
    for (size_t i = 0; i < sticker->n_words; i++) {
        if (strcmp(words[i].title, sticker->title) == 0 && language_number(words[i].language) == LANGUAGE_en)
            words[i].title = "";
        if (*words[i].words || *words[i].title)
            words[kept++] = words[i];
    }
    sticker->n_words = kept;
}

/* The cells of a picture's first row, and where they are empty those of the next ones. */
static void merge_cells(struct row *rows, size_t n, const char *cells[COLUMNS])
{
    for (size_t k = 0; k < COLUMNS; k++)
        cells[k] = "";
    for (size_t i = 0; i < n; i++) {
        rows[i].used = true;
        for (size_t k = 0; k < COLUMNS; k++)
            cells[k] = *cells[k] ? cells[k] : rows[i].cells[k];
    }
}

static enum status add_file(struct walk *w, const char *path, const struct stat *sb, bool follow,
                            const struct rows *rows, struct error *err)
{
    struct arena *arena = w->list->arena;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n;
    struct row *found = rows_of(rows, name, &n);
    struct sticker_words *words = n ? arena_array(arena, n, sizeof *words) : NULL;
    const char *cells[COLUMNS];
    merge_cells(found, n, cells);
    struct import_item item = {.path = arena_strdup(arena, path),
                               .len = (size_t)sb->st_size,
                               .sticker = {.title = cells[TITLE],
                                           .pack = "",
                                           .author = cells[AUTHOR],
                                           .license = cells[LICENSE],
                                           .source = cells[SOURCE],
                                           .animated = strcasecmp(cells[ANIMATED], "true") == 0,
                                           .words = words,
                                           .n_words = n},
                               .title_said = n && *found[0].cells[TITLE],
                               .rating_said = *cells[RATING],
                               .animated_said = *cells[ANIMATED],
                               .follow = follow};
    (void)read_rating(cells[RATING], &item.sticker.rating); /* it was checked with its row */
    if (!item.path || (n && !words))
        return err_set(err, ERR_TOO_LARGE, "too many names and words to hold: import in parts");
    item.filename = item.path + (name - path);
    for (size_t i = 0; i < n; i++)
        words[i] = found[i].words;
    keep_lists(&item.sticker, words);
    if (!*item.sticker.title)
        item.sticker.title = picture_title(name, arena);
    return item.sticker.title ? import_list_add(w->list, &item, err)
                              : err_set(err, ERR_TOO_LARGE, "too many names and words to hold: import in parts");
}

static enum status walk_folder(struct walk *w, const char *path, int depth, struct error *err);

/* One entry of a folder. What is wrong with it becomes a failure; errors are about the whole run. */
static enum status walk_entry(struct walk *w, const char *folder, const char *name, int depth, const struct rows *rows,
                              struct error *err)
{
    char path[PATH_MAX];
    struct stat sb;
    if (name[0] == '.' || strcmp(name, CSV_NAME) == 0)
        return OK;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) {
        import_list_fail(w->list, name, "its path is too long");
        return OK;
    }
    if (lstat(path, &sb) != 0) {
        import_list_fail(w->list, path, strerror(errno));
        return OK;
    }
    if (S_ISDIR(sb.st_mode))
        return walk_folder(w, path, depth + 1, err);
    if (!S_ISREG(sb.st_mode) || !has_picture_name(name)) {
        w->list->ignored++;
        return OK;
    }
    return add_file(w, path, &sb, false, rows, err);
}

/* Whatever the locale, so that runs are alike everywhere. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum status walk_folder(struct walk *w, const char *path, int depth, struct error *err)
{
    struct dirent **entries = NULL;
    struct rows rows = {0};
    struct error bad;
    char csv[PATH_MAX + sizeof CSV_NAME];
    if (w->stopped && w->stopped(w->ctx))
        return err_set(err, ERR_CANCELLED, "stopped");
    if (depth > MAX_DEPTH) {
        import_list_fail(w->list, path, "folders are nested too deeply");
        return OK;
    }
    snprintf(csv, sizeof csv, "%s/" CSV_NAME, path);
    if (read_rows(csv, w->list->arena, &rows, &bad) != OK) { /* pictures without their words would be of little use */
        import_list_fail(w->list, path, bad.message);
        free(rows.items);
        return OK;
    }
    int n = scandir(path, &entries, NULL, by_bytes);
    if (n < 0)
        import_list_fail(w->list, path, strerror(errno));
    enum status st = OK;
    for (int i = 0; i < n; i++) {
        if (st == OK)
            st = walk_entry(w, path, entries[i]->d_name, depth, &rows, err);
        free(entries[i]);
    }
    free(entries);
    for (size_t i = 0; st == OK && i < rows.n; i++)
        if (!rows.items[i].used) {
            const char *name = rows.items[i].cells[FILENAME], *below = strrchr(name, '/');
            char reason[160];
            snprintf(reason, sizeof reason, CSV_NAME " line %zu: not found%s", rows.items[i].line,
                     below ? "; it lists files of this folder only: put a " CSV_NAME " into each folder for its files"
                           : " in this folder");
            import_list_fail(w->list, name, reason);
        }
    free(rows.items);
    return st;
}

enum status import_find(const char *path, bool (*stopped)(void *ctx), void *ctx, struct import_list *out,
                        struct error *err)
{
    struct walk w = {out, stopped, ctx};
    struct stat sb;
    struct rows none = {0};
    char clean[PATH_MAX];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    int why = 0;
    if (snprintf(clean, sizeof clean, "%.*s", (int)len, path) >= (int)sizeof clean)
        why = ENAMETOOLONG;
    else if (stat(clean, &sb) != 0)
        why = errno;
    if (why) {
        import_list_fail(out, path, strerror(why));
        return OK;
    }
    if (S_ISDIR(sb.st_mode))
        return walk_folder(&w, clean, 0, err);
    if (!S_ISREG(sb.st_mode)) {
        import_list_fail(out, clean, "neither a file nor a folder");
        return OK;
    }
    return add_file(&w, clean, &sb, true, &none, err);
}
