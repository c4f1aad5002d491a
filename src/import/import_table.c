#include "import/import_parts.h"

#include "base/buf.h"
#include "base/charset.h"
#include "base/csv.h"
#include "base/os.h"
#include "base/utf8.h"
#include "text/text.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define CSV_NAME  "stickers.csv"
#define JSON_NAME "stickers.json"
#define TABLE_MAX (64u << 20) /* bytes */

static const char *const column_names[TABLE_COLUMNS] = {
    "filename", "title", "words", "language", "author", "license", "source", "rating", "animated", "pack", "emoji"};
static const char known_columns[] =
    "filename, title, words, language, author, license, source, rating, animated, pack or emoji";

struct reading {
    struct import_table *table;
    struct import_list *list;
    const char *folder;
};

#define IMPORT_TABLE_NONE ((struct import_table){.name = "", .pack = "", .author = "", .license = "", .cover = ""})

bool import_table_is(const char *filename)
{
    return strcmp(filename, CSV_NAME) == 0 || strcmp(filename, JSON_NAME) == 0;
}

void import_table_free(struct import_table *t)
{
    free(t->items);
    *t = IMPORT_TABLE_NONE;
}

static bool is_json(const struct import_table *t)
{
    return strcmp(t->name, CSV_NAME) != 0; /* lists of other programs are, too */
}

const char *import_table_place(const struct import_table *t, const struct table_row *r, struct arena *a)
{
    const char *place = arena_printf(a, "%s %zu", is_json(t) ? "entry" : "line", r->place);
    return place ? place : "a row";
}

bool import_table_rating(const char *cell, enum rating *out)
{
    for (enum rating r = RATING_G; r <= RATING_R; r++)
        if (strcasecmp(cell, rating_name(r)) == 0) {
            *out = r;
            return true;
        }
    *out = RATING_G;
    return !*cell;
}

static int column_of(const char *name, size_t len)
{
    int k = 0;
    utf8_trim(&name, &len);
    while (k < TABLE_COLUMNS && !(strlen(column_names[k]) == len && strncasecmp(name, column_names[k], len) == 0))
        k++;
    return len ? k : -1;
}

/* --- one row --- */

/* One line of text: spreadsheets put line breaks into cells, where they are spaces here. */
static enum status take_cell(struct arena *a, struct table_row *row, size_t k, const char *given, struct error *err)
{
    size_t len = strlen(given), most = k == TABLE_WORDS ? IMPORT_MAX_WORDS : IMPORT_MAX_TITLE;
    char *text = arena_strdup(a, given);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "too much text");
    for (char *p = text; *p; p++)
        *p = strchr("\r\n\t", *p) ? ' ' : *p;
    const char *start = text;
    utf8_trim(&start, &len);
    if (len > most)
        return err_set(err, ERR_TOO_LARGE, "%s of %zu bytes: at most %zu are allowed", column_names[k], len, most);
    if (utf8_has_control(start, len))
        return err_set(err, ERR_INVALID, "control character in %s", column_names[k]);
    text[start - text + (ptrdiff_t)len] = '\0';
    row->cells[k] = start;
    return OK;
}

/* "sub\b.png" as Windows writes it, "./b.png", and a name as another system composes its letters. */
static enum status take_filename(struct table_row *row, struct arena *a, struct error *err)
{
    char *name = arena_strdup(a, row->cells[TABLE_FILENAME]);
    if (!name)
        return err_set(err, ERR_NO_MEMORY, "too much text");
    for (char *p = name; *p; p++)
        *p = *p == '\\' ? '/' : *p;
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    row->cells[TABLE_FILENAME] = text_composed(name, a);
    return row->cells[TABLE_FILENAME] ? OK : err_set(err, ERR_NO_MEMORY, "too much text");
}

static enum status check_row(struct table_row *row, struct arena *a, struct error *err)
{
    const char *const *cells = row->cells;
    enum rating rating;
    if (*cells[TABLE_LANGUAGE] && !language_valid(cells[TABLE_LANGUAGE]))
        return err_set(err, ERR_INVALID, "language \"%.40s\": expected a tag like \"en\" or \"pt-BR\"",
                       cells[TABLE_LANGUAGE]);
    if (!import_table_rating(cells[TABLE_RATING], &rating))
        return err_set(err, ERR_INVALID, "rating \"%.40s\": expected g, pg, pg-13 or r", cells[TABLE_RATING]);
    if (*cells[TABLE_ANIMATED] && strcasecmp(cells[TABLE_ANIMATED], "true") != 0 &&
        strcasecmp(cells[TABLE_ANIMATED], "false") != 0)
        return err_set(err, ERR_INVALID, "animated \"%.40s\": expected true or false", cells[TABLE_ANIMATED]);
    row->words = (struct sticker_words){.language = *cells[TABLE_LANGUAGE] ? cells[TABLE_LANGUAGE] : "en",
                                        .words = text_normalize_words(cells[TABLE_WORDS], a),
                                        .title = cells[TABLE_TITLE]};
    return row->words.words ? OK : err_set(err, ERR_NO_MEMORY, "too much text");
}

/* The row is a failure; its picture, if it names one, will be left out. */
static void fail_row(struct reading *r, struct table_row *row, const char *why)
{
    struct arena *a = r->list->arena;
    const char *name = row->cells[TABLE_FILENAME];
    const char *reason = arena_printf(a, "%s: %s: %s%s", r->table->name, import_table_place(r->table, row, a), why,
                                      *name ? "; the picture is left out" : "");
    import_list_fail(r->list, *name ? name : r->folder, reason ? reason : why);
    row->bad = true;
}

/* values[TABLE_COLUMNS]: what the row says, NULL where nothing. why: what is wrong with it already, so that nothing but
 * its filename is believed; or NULL. ERR_NO_MEMORY is the only error: the others are failures of the row. */
static enum status add_row(struct reading *r, const char *const *values, size_t place, const char *why,
                           struct error *err)
{
    struct import_table *t = r->table;
    struct arena *a = r->list->arena;
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 256;
        struct table_row *items = realloc(t->items, cap * sizeof *items);
        if (!items)
            return err_no_memory(err, "%zu rows", cap);
        t->items = items;
        t->cap = cap;
    }
    struct table_row *row = &t->items[t->n];
    enum status st = OK;
    *row = (struct table_row){.place = place};
    for (size_t k = 0; k < TABLE_COLUMNS; k++)
        row->cells[k] = "";
    for (size_t k = 0; k < TABLE_COLUMNS && st == OK && !(why && k > TABLE_FILENAME); k++)
        st = values[k] ? take_cell(a, row, k, values[k], err) : OK;
    if (st == OK && !why && !*row->cells[TABLE_FILENAME])
        st = err_set(err, ERR_INVALID, "filename is empty");
    if (st == OK)
        st = take_filename(row, a, err);
    if (st == OK && !why)
        st = check_row(row, a, err);
    if (st == ERR_NO_MEMORY)
        return st;
    if (st != OK || why)
        fail_row(r, row, st != OK ? err->message : why);
    t->n += *row->cells[TABLE_FILENAME] != '\0';
    return OK;
}

enum status import_table_add(struct import_table *t, struct import_list *list, const char *folder,
                             const char *const *values, size_t place, struct error *err)
{
    struct reading r = {t, list, folder};
    return add_row(&r, values, place, NULL, err);
}

/* --- stickers.csv --- */

static enum status read_header(struct csv *c, int columns[CSV_MAX_FIELDS], size_t *n, struct error *err)
{
    const char *fields[CSV_MAX_FIELDS];
    bool seen[TABLE_COLUMNS] = {false};
    enum status st = csv_next(c, fields, n, err);
    for (size_t i = 0; st == OK && i < *n; i++) {
        int k = columns[i] = column_of(fields[i], strlen(fields[i]));
        if (k == TABLE_COLUMNS || (k >= 0 && seen[k]))
            return err_set(err, ERR_INVALID, "line %zu: column \"%.60s\": expected %s, each once", c->record_line,
                           fields[i], known_columns);
        if (k >= 0)
            seen[k] = true;
    }
    return st != OK || seen[TABLE_FILENAME]
               ? st
               : err_set(err, ERR_INVALID, "line 1: expected the header filename,title,words,language");
}

static enum status read_csv(struct reading *r, const struct buf *file, struct error *err)
{
    struct csv c;
    struct error bad;
    int columns[CSV_MAX_FIELDS];
    const char *fields[CSV_MAX_FIELDS];
    size_t n_columns, n = 1;
    enum status st = csv_open(buf_str(file), file->len, r->list->arena, &c, err);
    if (st == OK)
        st = read_header(&c, columns, &n_columns, err);
    while (st == OK && n) {
        const char *values[TABLE_COLUMNS] = {NULL}, *why = NULL;
        if (csv_next(&c, fields, &n, &bad) != OK) {
            why = strncmp(bad.message, "line ", 5) == 0 ? strchr(bad.message, ':') + 2 : bad.message;
            st = add_row(r, values, c.record_line, why, err);
            n = 1;
            continue;
        }
        for (size_t i = 0; i < n; i++)
            if (i < n_columns && columns[i] >= 0)
                values[columns[i]] = csv_read_cell(fields[i]);
            else if (fields[i][strspn(fields[i], " ")])
                why = arena_printf(r->list->arena, "\"%.60s\" is in a column without a name", fields[i]);
        if (n)
            st = add_row(r, values, c.record_line, why, err);
    }
    return st;
}

/* --- stickers.json: an array of objects with the same names --- */

/* A value as the cell of a table; NULL: it cannot be one. */
static const char *json_cell(const json_t *value, size_t k, struct arena *a)
{
    struct buf all;
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_null(value))
        return "";
    if (k == TABLE_ANIMATED && json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (k != TABLE_WORDS || !json_is_array(value))
        return NULL;
    buf_init(&all, IMPORT_MAX_WORDS + 1);
    bool strings = true;
    for (size_t i = 0; i < json_array_size(value) && strings; i++) {
        const char *word = json_string_value(json_array_get(value, i));
        strings = word != NULL;
        buf_printf(&all, "%s%s", i ? ", " : "", strings ? word : "");
    }
    const char *out = strings && !all.failed ? arena_strdup(a, buf_str(&all)) : NULL;
    buf_free(&all);
    return out;
}

static enum status read_entry(struct reading *r, json_t *entry, size_t place, struct error *err)
{
    const char *values[TABLE_COLUMNS] = {NULL}, *name, *why = json_is_object(entry) ? NULL : "expected an object";
    json_t *value;
    json_object_foreach(entry, name, value)
    {
        int k = column_of(name, strlen(name));
        if (k < 0 || k == TABLE_COLUMNS || values[k])
            why = arena_printf(r->list->arena, "member \"%.60s\": expected %s, each once", name, known_columns);
        else if (!(values[k] = json_cell(value, (size_t)k, r->list->arena)))
            why = arena_printf(r->list->arena, "%s must be a string%s", column_names[k],
                               k == TABLE_WORDS      ? " or an array of strings"
                               : k == TABLE_ANIMATED ? " or true or false"
                                                     : "");
    }
    return add_row(r, values, place, why, err);
}

static enum status read_json(struct reading *r, const struct buf *file, struct error *err)
{
    const char *text;
    size_t len;
    json_error_t where;
    enum status st = charset_to_utf8(buf_str(file), file->len, r->list->arena, &text, &len, err);
    json_t *root = st == OK ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (st == OK && !root)
        st = err_set(err, ERR_INVALID, "line %d: %s", where.line, where.text);
    else if (st == OK && !json_is_array(root))
        st = err_set(err, ERR_INVALID, "expected an array of objects with a filename each");
    for (size_t i = 0; st == OK && i < json_array_size(root); i++)
        st = read_entry(r, json_array_get(root, i), i + 1, err);
    json_decref(root);
    return st;
}

/* --- the whole table --- */

static int by_filename(const void *a, const void *b)
{
    const struct table_row *x = a, *y = b;
    int order = strcmp(x->cells[TABLE_FILENAME], y->cells[TABLE_FILENAME]);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* Sorts; a picture may have several rows, one for each language. */
static void sort_rows(struct reading *r)
{
    struct table_row *rows = r->table->items;
    struct arena *a = r->list->arena;
    if (r->table->n)
        qsort(rows, r->table->n, sizeof *rows, by_filename);
    for (size_t i = 0, first = 0; i < r->table->n; i++) {
        const char *why = NULL;
        if (strcmp(rows[first].cells[TABLE_FILENAME], rows[i].cells[TABLE_FILENAME]) != 0)
            first = i;
        if (i - first == LANGUAGE_MAX_LISTS)
            why = arena_printf(a, "more than %u rows for one picture", LANGUAGE_MAX_LISTS);
        for (size_t k = first; k < i && i - first < LANGUAGE_MAX_LISTS && !rows[i].bad && !why; k++)
            if (!rows[k].bad && strcasecmp(rows[k].words.language, rows[i].words.language) == 0)
                why = arena_printf(a, "it has a row in \"%.35s\" already, %s", rows[i].words.language,
                                   import_table_place(r->table, &rows[k], a));
        if (why)
            fail_row(r, &rows[i], why);
    }
}

static enum status read_table(struct reading *r, const char *name, struct error *err)
{
    char path[PATH_MAX];
    struct stat sb;
    struct buf file;
    if (snprintf(path, sizeof path, "%s/%s", r->folder, name) >= (int)sizeof path)
        return OK; /* nor can there be a file */
    if (lstat(path, &sb) != 0)
        return errno == ENOENT ? OK : err_errno(err, "cannot read %s", name);
    if (!S_ISREG(sb.st_mode)) /* a FIFO would hang us, a link would leave the folder */
        return err_set(err, ERR_INVALID, "%s is not a file", name);
    if (*r->table->name)
        return err_set(err, ERR_INVALID, "both " CSV_NAME " and " JSON_NAME " are there: keep one");
    r->table->name = name;
    buf_init(&file, TABLE_MAX);
    enum status st = os_read_file(path, &file, err);
    if (st == OK && (st = is_json(r->table) ? read_json(r, &file, err) : read_csv(r, &file, err)) != OK)
        err_prefix(err, "%s", name);
    buf_free(&file);
    return st;
}

enum status import_table_read(const char *folder, struct import_list *list, struct import_table *out, struct error *err)
{
    struct reading r = {out, list, folder};
    *out = IMPORT_TABLE_NONE;
    enum status st = read_table(&r, CSV_NAME, err);
    if (st == OK)
        st = read_table(&r, JSON_NAME, err);
    if (st == OK)
        st = *out->name ? import_about_read(folder, list, out, err) : import_lists_read(folder, list, out, err);
    if (st == OK)
        sort_rows(&r);
    else
        import_table_free(out);
    return st;
}

struct table_row *import_table_rows(const struct import_table *t, const char *filename, size_t *n)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(t->items[middle].cells[TABLE_FILENAME], filename) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *n = 0;
    while (low + *n < t->n && strcmp(t->items[low + *n].cells[TABLE_FILENAME], filename) == 0)
        ++*n;
    return *n ? t->items + low : NULL;
}
