#include "eval/judged.h"

#include "base/csv.h"
#include "base/os.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* --- what both forms share --- */

static enum status no_room(const char *path, struct error *err)
{
    return err_set(err, ERR_TOO_LARGE, "%.300s: too much text", path);
}

static int judged_by_filename(const void *x, const void *y)
{
    const struct judgement *a = x, *b = y;
    return strcmp(a->filename, b->filename);
}

/* Sorts and checks what a query's judgements came to; `where` for the error. */
static enum status judged_finish(struct judged_query *q, const char *path, struct error *err)
{
    if (q->n == 0)
        return err_set(err, ERR_INVALID, "%.300s: query %.64s has no relevant sticker", path, q->id);
    qsort(q->relevant, q->n, sizeof *q->relevant, judged_by_filename);
    for (size_t i = 1; i < q->n; i++)
        if (strcmp(q->relevant[i - 1].filename, q->relevant[i].filename) == 0)
            return err_set(err, ERR_INVALID, "%.300s: query %.64s names %.200s twice", path, q->id,
                           q->relevant[i].filename);
    return OK;
}

static enum status judged_push(struct judged *out, const struct judged_query *q, size_t *cap, const char *path,
                               struct arena *a, struct error *err)
{
    if (out->n == JUDGED_MAX_QUERIES)
        return err_set(err, ERR_TOO_LARGE, "%.300s: more than %u queries", path, JUDGED_MAX_QUERIES);
    if (out->n == *cap) {
        *cap = *cap ? 2 * *cap : 256;
        struct judged_query *queries = arena_array(a, *cap, sizeof *queries);
        if (!queries)
            return no_room(path, err);
        if (out->n)
            memcpy(queries, out->queries, out->n * sizeof *queries);
        out->queries = queries;
    }
    out->queries[out->n++] = *q;
    return OK;
}

/* A whole number without anything after it. */
static bool read_grade(const char *s, long *out)
{
    char *end;
    *out = strtol(s, &end, 10);
    return end > s && !*end && *out <= JUDGED_MAX_GRADE && *out >= -JUDGED_MAX_GRADE;
}

int judged_grade(const struct judged_query *q, const char *filename)
{
    struct judgement key = {.filename = filename};
    const struct judgement *found = bsearch(&key, q->relevant, q->n, sizeof key, judged_by_filename);
    return found ? found->grade : 0;
}

/* --- CSV --- */

enum column { QUERY, RELEVANT, ID, SPLIT, TYPE, LANGUAGE, COLUMNS };
static const char *const column_names[COLUMNS] = {"query", "relevant", "id", "split", "type", "language"};

static enum status judged_read_header(const char *path, const char *const *fields, size_t n, size_t columns[COLUMNS],
                                      struct error *err)
{
    for (size_t c = 0; c < COLUMNS; c++) {
        columns[c] = SIZE_MAX;
        for (size_t i = 0; i < n; i++)
            if (strcmp(fields[i], column_names[c]) == 0)
                columns[c] = i;
        if (columns[c] == SIZE_MAX && (c == QUERY || c == RELEVANT))
            return err_set(err, ERR_INVALID, "%.300s: the header has no column \"%s\"", path, column_names[c]);
    }
    return OK;
}

/* "a.svg b.svg:1" into q->relevant. */
static enum status read_relevant(const char *cell, struct judged_query *q, struct arena *a, struct error *err)
{
    char *save, *copy = arena_strdup(a, cell);
    size_t most = 1;
    for (const char *p = cell; *p; p++)
        most += *p == ' ';
    most = most < JUDGED_MAX_RELEVANT ? most : JUDGED_MAX_RELEVANT;
    q->relevant = arena_array(a, most, sizeof *q->relevant);
    if (!copy || !q->relevant)
        return err_set(err, ERR_TOO_LARGE, "too much text");
    for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
        char *colon = strrchr(name, ':');
        long grade = JUDGED_GRADE;
        if (q->n == most)
            return err_set(err, ERR_TOO_LARGE, "more than %u relevant stickers", JUDGED_MAX_RELEVANT);
        if (colon && (!read_grade(colon + 1, &grade) || grade < 1))
            return err_set(err, ERR_INVALID, "relevant: \"%.200s\": a grade is 1 to %d", name, JUDGED_MAX_GRADE);
        if (colon)
            *colon = '\0';
        q->relevant[q->n++] = (struct judgement){name, (int)grade};
    }
    return OK;
}

enum status judged_read_csv(const char *path, const char *split, struct arena *a, struct judged *out, struct error *err)
{
    struct buf file;
    struct csv csv;
    const char *fields[CSV_MAX_FIELDS];
    size_t columns[COLUMNS], n = 0, width = 0, cap = 0;
    *out = (struct judged){0};
    buf_init(&file, JUDGED_MAX_BYTES);
    enum status st = os_read_file(path, &file, err);
    if (st != OK) {
        buf_free(&file);
        return st;
    }
    st = csv_open(buf_str(&file), file.len, a, &csv, err);
    if (st == OK)
        st = csv_next(&csv, fields, &width, err);
    if (st != OK)
        st = err_prefix(err, "%.300s", path);
    if (st == OK)
        st = judged_read_header(path, fields, width, columns, err);
    while (st == OK) {
        if ((st = csv_next(&csv, fields, &n, err)) != OK || n == 0) {
            st = st == OK ? OK : err_prefix(err, "%.300s", path);
            break;
        }
        if (n != width) {
            st = err_set(err, ERR_INVALID, "%.300s: line %zu has %zu fields, the header %zu", path, csv.record_line, n,
                         width);
            break;
        }
        const char *cell[COLUMNS];
        for (size_t c = 0; c < COLUMNS; c++)
            cell[c] = columns[c] == SIZE_MAX ? "" : fields[columns[c]];
        if (split && strcmp(split, cell[SPLIT]) != 0)
            continue;
        struct judged_query q = {.query = cell[QUERY], .type = cell[TYPE], .language = cell[LANGUAGE]};
        q.id = *cell[ID] ? cell[ID] : arena_printf(a, "line %zu", csv.record_line);
        if (!q.id)
            st = no_room(path, err);
        else if (!*q.query)
            st = err_set(err, ERR_INVALID, "%.300s: line %zu has no query", path, csv.record_line);
        else if ((st = read_relevant(cell[RELEVANT], &q, a, err)) != OK)
            st = err_prefix(err, "%.300s: line %zu", path, csv.record_line);
        if (st == OK)
            st = judged_finish(&q, path, err);
        if (st == OK)
            st = judged_push(out, &q, &cap, path, a, err);
    }
    if (st == OK && out->n == 0)
        st =
            err_set(err, ERR_INVALID, "%.300s: no queries%s%.64s", path, split ? " in split " : "", split ? split : "");
    buf_free(&file);
    return st;
}

/* --- TREC --- */

/* The file as a string in the arena, of valid UTF-8 without NUL. */
static enum status judged_read_text(const char *path, struct arena *a, char **out, struct error *err)
{
    struct buf file;
    buf_init(&file, JUDGED_MAX_BYTES);
    enum status st = os_read_file(path, &file, err);
    if (st == OK && (!utf8_valid(buf_str(&file), file.len) || strlen(buf_str(&file)) != file.len))
        st = err_set(err, ERR_INVALID, "%.300s: not text in UTF-8", path);
    if (st == OK && !(*out = arena_strndup(a, buf_str(&file), file.len)))
        st = no_room(path, err);
    buf_free(&file);
    return st;
}

/* The next line of *at that is not empty, cut off and without CR, or NULL; *line counts them from 1. */
static char *next_line(char **at, size_t *line)
{
    while (*at && **at) {
        char *begin = *at, *end = strchr(begin, '\n');
        *at = end ? end + 1 : NULL;
        ++*line;
        if (end)
            *end = '\0';
        begin[strcspn(begin, "\r")] = '\0';
        if (*begin)
            return begin;
    }
    return NULL;
}

static enum status read_topics(const char *path, char *text, struct arena *a, struct judged *out, struct error *err)
{
    size_t line = 0, cap = 0;
    enum status st = OK;
    for (char *s; st == OK && (s = next_line(&text, &line)) != NULL;) {
        char *tab = strchr(s, '\t');
        if (!tab || tab == s || !tab[1])
            return err_set(err, ERR_INVALID, "%.300s: line %zu: expected an id, a tab and a query", path, line);
        *tab = '\0';
        struct judged_query q = {.id = s, .query = tab + 1, .type = "", .language = ""};
        st = judged_push(out, &q, &cap, path, a, err);
    }
    return st;
}

static int judgements_by_id(const void *x, const void *y)
{
    const struct judged_query *a = x, *b = y;
    return strcmp(a->id, b->id);
}

static enum status read_qrels(const char *path, char *text, struct arena *a, struct judged *out, struct error *err)
{
    size_t line = 0;
    for (char *s; (s = next_line(&text, &line)) != NULL;) {
        char *save, *id = strtok_r(s, " \t", &save), *iteration = strtok_r(NULL, " \t", &save);
        char *name = strtok_r(NULL, " \t", &save), *number = strtok_r(NULL, " \t", &save);
        long grade;
        if (!id || !iteration || !name || !number || strtok_r(NULL, " \t", &save) || !read_grade(number, &grade))
            return err_set(err, ERR_INVALID, "%.300s: line %zu: expected \"id 0 filename grade\"", path, line);
        struct judged_query key = {.id = id}, *q = bsearch(&key, out->queries, out->n, sizeof key, judgements_by_id);
        if (!q)
            return err_set(err, ERR_INVALID, "%.300s: line %zu: there is no query %.64s", path, line, id);
        if (grade < 1)
            continue;
        if (q->n == JUDGED_MAX_RELEVANT)
            return err_set(err, ERR_TOO_LARGE, "%.300s: more than %u relevant stickers for %.64s", path,
                           JUDGED_MAX_RELEVANT, id);
        if ((q->n & (q->n - 1)) == 0) { /* full at each power of two */
            struct judgement *more = arena_array(a, q->n ? 2 * q->n : 1, sizeof *more);
            if (!more)
                return no_room(path, err);
            if (q->n)
                memcpy(more, q->relevant, q->n * sizeof *more);
            q->relevant = more;
        }
        q->relevant[q->n++] = (struct judgement){name, (int)grade};
    }
    return OK;
}

enum status judged_read_trec(const char *topics, const char *qrels, struct arena *a, struct judged *out,
                             struct error *err)
{
    char *text;
    *out = (struct judged){0};
    enum status st = judged_read_text(topics, a, &text, err);
    if (st == OK)
        st = read_topics(topics, text, a, out, err);
    if (st == OK && out->n == 0)
        st = err_set(err, ERR_INVALID, "%.300s: no queries", topics);
    if (st == OK)
        qsort(out->queries, out->n, sizeof *out->queries, judgements_by_id);
    for (size_t i = 1; i < out->n && st == OK; i++)
        if (strcmp(out->queries[i - 1].id, out->queries[i].id) == 0)
            st = err_set(err, ERR_INVALID, "%.300s: query %.64s is there twice", topics, out->queries[i].id);
    if (st == OK)
        st = judged_read_text(qrels, a, &text, err);
    if (st == OK)
        st = read_qrels(qrels, text, a, out, err);
    for (size_t i = 0; i < out->n && st == OK; i++)
        st = judged_finish(&out->queries[i], qrels, err);
    return st;
}
