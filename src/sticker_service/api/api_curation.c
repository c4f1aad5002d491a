/* /api/pins and /api/synonyms: what staff decide about searches, for programs: all of it as JSON or CSV (GET), rows
 * added, changed or replaced as a whole (POST, the same forms), one deleted (DELETE). A token is needed whose user may
 * do that in the admin. */
#include "base/csv.h"
#include "base/json_in.h"
#include "base/json_out.h"
#include "sticker_service/api/api.h"
#include "sticker_service/auth.h"
#include "sticker_service/service.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#define ANSWER_MAX (64u << 20)
#define MEMORY     (64u << 20)
#define ROWS_MAX   CURATION_MAX_PINS

struct asked {
    struct sticker_service *s;
    const struct http_request *req;
    struct http_response *res;
    enum curation_kind kind;
    const struct curation_names *names;
    struct admin_who who;
    struct arena arena;
};

/* --- who --- */

/* False: the answer has been given. `rights`: such as "add", ended by NULL. */
static bool begin(struct asked *k, void *ctx, const struct http_request *req, struct http_response *res,
                  enum curation_kind kind, const char *const *rights)
{
    struct user user;
    const char *permissions;
    *k = (struct asked){.s = ctx, .req = req, .res = res, .kind = kind, .names = &curation_names[kind]};
    if (!auth_user(k->s->store, req, res, &user) || !auth_permissions(k->s->store, req, res, &user, &permissions))
        return false;
    for (; *rights; rights++)
        if (!auth_needs(res, &user, permissions, k->names->list, *rights))
            return false;
    k->who = (struct admin_who){.username = user.username, .address = req->client};
    arena_init(&k->arena, MEMORY);
    return true;
}

/* --- out --- */

static void put_value(struct asked *k, const char *column, const char *value, struct buf *out)
{
    if (strcmp(column, "position") == 0) {
        buf_puts(out, value);
    } else if (strcmp(column, "two_way") == 0) {
        buf_puts(out, strcmp(value, "1") == 0 ? "true" : "false");
    } else if (strcmp(column, "synonyms") == 0) {
        size_t n = 0;
        const char **texts = curation_split(value, &k->arena, &n);
        for (size_t i = 0; texts && i < n; i++) {
            buf_puts(out, i ? "," : "[");
            json_put_string(out, texts[i]);
        }
        buf_puts(out, texts && n ? "]" : "[]");
    } else {
        json_put_string(out, value);
    }
}

static void write_json(struct asked *k, const struct curation_row *rows, size_t n, struct buf *out)
{
    buf_printf(out, "{\"%s\":[", k->names->list);
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? ",{" : "{");
        for (int c = 0; c < CURATION_COLUMNS; c++) {
            buf_printf(out, "%s\"%s\":", c ? "," : "", k->names->columns[c]);
            put_value(k, k->names->columns[c], rows[i].values[c], out);
        }
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
}

static void write_csv(const struct asked *k, const struct curation_row *rows, size_t n, struct buf *out)
{
    for (int c = 0; c < CURATION_COLUMNS; c++)
        buf_printf(out, "%s%s", c ? "," : "", k->names->columns[c]);
    buf_puts(out, "\r\n");
    for (size_t i = 0; i < n; i++)
        for (int c = 0; c < CURATION_COLUMNS; c++) {
            csv_put_cell(out, rows[i].values[c]);
            buf_puts(out, c + 1 < CURATION_COLUMNS ? "," : "\r\n");
        }
}

static void answer(struct asked *k, struct buf *out, const char *mime)
{
    struct error err;
    if (buf_status(out, &err) == OK) {
        size_t len = out->len;
        http_header_add(k->res, "Cache-Control", "no-store");
        http_body_take(k->res, 200, mime, buf_take(out), len);
    } else {
        http_problem_from(k->res, &err);
    }
    buf_free(out);
}

static void send_all(void *ctx, const struct http_request *req, struct http_response *res, enum curation_kind kind)
{
    static const char *const rights[] = {"view", NULL};
    struct asked k;
    struct error err;
    struct curation_row *rows;
    const char *format;
    size_t n = 0;
    if (!begin(&k, ctx, req, res, kind, rights))
        return;
    enum status st = http_param_or(req, "format", "json", &format, &err);
    bool csv = st == OK && strcmp(format, "csv") == 0;
    if (st == OK && !csv && strcmp(format, "json") != 0)
        st = err_set(&err, ERR_INVALID, "format must be json or csv");
    if (st == OK)
        st = sticker_store_curation_list(k.s->store, kind, &k.arena, &rows, &n, &err);
    if (st == OK) {
        struct buf out;
        buf_init(&out, ANSWER_MAX);
        if (csv) {
            const char *disposition = arena_printf(req->arena, "attachment; filename=\"peel-%s.csv\"", k.names->list);
            http_header_add(res, "Content-Disposition", disposition ? disposition : "attachment");
            write_csv(&k, rows, n, &out);
        } else {
            write_json(&k, rows, n, &out);
        }
        answer(&k, &out, csv ? "text/csv; charset=utf-8; header=present" : "application/json");
    } else {
        http_problem_from(res, &err);
    }
    arena_free(&k.arena);
}

/* --- in --- */

/* What is left out: for all languages, the first place, one way. */
static const char *usual(const char *column)
{
    return strcmp(column, "language") == 0   ? ""
           : strcmp(column, "position") == 0 ? "1"
           : strcmp(column, "two_way") == 0  ? "0"
                                             : NULL;
}

static enum status read_list(const json_t *list, struct arena *a, const char **out, struct error *err)
{
    const json_t *item;
    size_t i;
    *out = "";
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        const char *text = json_string_value(item);
        if (!text || strpbrk(text, ",;|"))
            return err_set(err, ERR_INVALID, "This must be an array of strings without commas, semicolons and bars.");
        if (!(*out = arena_printf(a, "%s%s%s", *out, i ? ", " : "", text)))
            return err_no_memory(err, "synonyms");
    }
    return OK;
}

static enum status read_value(const char *column, const json_t *value, struct arena *a, const char **out,
                              struct error *err)
{
    bool number = strcmp(column, "position") == 0, truth = strcmp(column, "two_way") == 0;
    int64_t whole;
    *out = NULL;
    if (!value)
        *out = usual(column);
    else if (number && json_whole_number(value, &whole))
        *out = arena_printf(a, "%lld", (long long)whole);
    else if (truth && json_is_boolean(value))
        *out = json_is_true(value) ? "1" : "0";
    else if (strcmp(column, "synonyms") == 0 && json_is_array(value))
        return read_list(value, a, out, err);
    else if (!number && !truth && json_is_string(value) && strcmp(column, "synonyms") != 0)
        *out = json_string_value(value);
    if (*out)
        return OK;
    return err_set(err, ERR_INVALID, "%s",
                   !value   ? "This is needed."
                   : number ? "This must be a whole number."
                   : truth  ? "This must be true or false."
                            : "This must be a string, or for synonyms an array of strings.");
}

/* Normalises the row, and says which of its values is wrong. */
static enum status check(struct asked *k, size_t i, struct curation_row *row, struct error *err)
{
    enum status st = OK;
    for (int c = 0; c < CURATION_COLUMNS && st == OK; c++)
        if ((st = curation_check(k->names->columns[c], &row->values[c], &k->arena, err)) != OK)
            err_prefix(err, "%s[%zu].%s", k->names->list, i, k->names->columns[c]);
    if (st == OK && (st = curation_check_row(k->kind, row, &k->arena, err)) != OK)
        err_prefix(err, "%s[%zu]", k->names->list, i);
    return st;
}

static enum status read_object(struct asked *k, size_t i, const json_t *object, struct curation_row *row,
                               struct error *err)
{
    size_t known = 0;
    enum status st = OK;
    if (!json_is_object(object))
        return err_set(err, ERR_INVALID, "%s[%zu] must be an object", k->names->list, i);
    for (int c = 0; c < CURATION_COLUMNS && st == OK; c++) {
        const json_t *value = json_object_get(object, k->names->columns[c]);
        known += value != NULL;
        if ((st = read_value(k->names->columns[c], value, &k->arena, &row->values[c], err)) != OK)
            err_prefix(err, "%s[%zu].%s", k->names->list, i, k->names->columns[c]);
    }
    if (st == OK && known < json_object_size(object))
        return err_set(err, ERR_INVALID, "%s[%zu] may have %s, %s, %s and %s, and nothing else", k->names->list, i,
                       k->names->columns[0], k->names->columns[1], k->names->columns[2], k->names->columns[3]);
    return st == OK ? check(k, i, row, err) : st;
}

static enum status read_json(struct asked *k, json_t **root, struct curation_row **rows, size_t *n, struct error *err)
{
    enum status st = json_read_body(k->req->body, k->req->body_len, JSON_REJECT_DUPLICATES, root, err);
    const json_t *list = json_object_get(*root, k->names->list);
    if (st != OK)
        return st;
    if (!json_is_array(list) || json_object_size(*root) != 1)
        return err_set(err, ERR_INVALID, "the body must be {\"%s\":[...]}", k->names->list);
    *n = json_array_size(list);
    if (*n > ROWS_MAX)
        return err_set(err, ERR_INVALID, "there may be at most %d %s, found %zu", ROWS_MAX, k->names->list, *n);
    *rows = arena_array(&k->arena, *n + 1, sizeof **rows);
    if (!*rows)
        return err_no_memory(err, "%zu rows", *n);
    st = OK;
    for (size_t i = 0; i < *n && st == OK; i++)
        st = read_object(k, i, json_array_get(list, i), &(*rows)[i], err);
    return st;
}

/* Where the record of names has each column; CSV_MAX_FIELDS: nowhere. */
static enum status read_header(struct asked *k, struct csv *csv, size_t at[CURATION_COLUMNS], struct error *err)
{
    const char *fields[CSV_MAX_FIELDS];
    size_t n;
    enum status st = csv_next(csv, fields, &n, err);
    for (int c = 0; c < CURATION_COLUMNS && st == OK; c++) {
        for (at[c] = 0; at[c] < n && strcmp(fields[at[c]], k->names->columns[c]) != 0;)
            at[c]++;
        if (at[c] == n && !usual(k->names->columns[c]))
            return err_set(err, ERR_INVALID, "line 1: there is no column %s", k->names->columns[c]);
        at[c] = at[c] == n ? CSV_MAX_FIELDS : at[c];
    }
    return st;
}

static enum status read_csv(struct asked *k, struct curation_row **rows, size_t *n, struct error *err)
{
    struct csv csv;
    size_t at[CURATION_COLUMNS], n_fields = 1;
    const char *fields[CSV_MAX_FIELDS];
    enum status st = csv_open(k->req->body, k->req->body_len, &k->arena, &csv, err);
    *rows = arena_array(&k->arena, ROWS_MAX, sizeof **rows);
    if (st == OK && !*rows)
        st = err_no_memory(err, "rows");
    if (st == OK)
        st = read_header(k, &csv, at, err);
    for (*n = 0; st == OK && (st = csv_next(&csv, fields, &n_fields, err)) == OK && n_fields;) {
        if (*n == ROWS_MAX)
            return err_set(err, ERR_INVALID, "there may be at most %d %s", ROWS_MAX, k->names->list);
        struct curation_row *row = &(*rows)[*n];
        for (int c = 0; c < CURATION_COLUMNS; c++)
            row->values[c] = at[c] < n_fields          ? csv_read_cell(fields[at[c]])
                             : at[c] == CSV_MAX_FIELDS ? usual(k->names->columns[c])
                                                       : "";
        if ((st = check(k, *n, row, err)) != OK)
            return err_prefix(err, "line %zu", csv.record_line);
        ++*n;
    }
    return st;
}

static enum status read_replace(const struct http_request *req, bool *out, struct error *err)
{
    const char *text;
    enum status st = http_param_or(req, "replace", "false", &text, err);
    *out = st == OK && strcmp(text, "true") == 0;
    if (st == OK && !*out && strcmp(text, "false") != 0)
        st = err_set(err, ERR_INVALID, "replace must be true or false, found \"%.40s\"", text);
    return st;
}

static bool is_csv(const struct http_request *req)
{
    const char *type = http_header(req, "Content-Type");
    return type && strncasecmp(type, "text/csv", 8) == 0;
}

static void take_rows(void *ctx, const struct http_request *req, struct http_response *res, enum curation_kind kind)
{
    static const char *const adds[] = {"add", "change", NULL}, *const replaces[] = {"add", "change", "delete", NULL};
    struct asked k;
    struct error err;
    struct curation_row *rows = NULL;
    struct curation_counts counts;
    json_t *root = NULL;
    bool replace;
    size_t n = 0;
    if (read_replace(req, &replace, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    if (!begin(&k, ctx, req, res, kind, replace ? replaces : adds))
        return;
    enum status st = is_csv(req) ? read_csv(&k, &rows, &n, &err) : read_json(&k, &root, &rows, &n, &err);
    if (st == OK)
        st = sticker_store_curation_put(k.s->store, &k.who, kind, rows, n, replace, &counts, &err);
    if (st == OK) {
        struct buf out;
        curation_changed(k.s->curation);
        buf_init(&out, 1024);
        buf_printf(&out, "{\"added\":%zu,\"changed\":%zu,\"deleted\":%zu,\"same\":%zu}", counts.added, counts.changed,
                   counts.deleted, counts.same);
        answer(&k, &out, "application/json");
    } else {
        http_problem_from(res, &err);
    }
    json_decref(root);
    arena_free(&k.arena);
}

static void remove_one(void *ctx, const struct http_request *req, struct http_response *res, enum curation_kind kind)
{
    static const char *const rights[] = {"delete", NULL};
    struct asked k;
    struct error err;
    struct curation_row row = {{"", "", "", "0"}};
    if (!begin(&k, ctx, req, res, kind, rights))
        return;
    enum status st = OK;
    for (size_t c = 0; c < k.names->keys && st == OK; c++) {
        st = http_param_or(req, k.names->columns[c], "", &row.values[c], &err);
        if (st == OK && (st = curation_check(k.names->columns[c], &row.values[c], &k.arena, &err)) != OK)
            err_prefix(&err, "%s", k.names->columns[c]);
    }
    if (st == OK)
        st = sticker_store_curation_delete(k.s->store, &k.who, kind, &row, &err);
    if (st == OK) {
        curation_changed(k.s->curation);
        http_body_static(res, 204, "application/json", "", 0);
    } else {
        http_problem_from(res, &err);
    }
    arena_free(&k.arena);
}

/* --- the routes --- */

void handle_api_pins(void *ctx, const struct http_request *req, struct http_response *res)
{
    send_all(ctx, req, res, CURATION_PINS);
}

void handle_api_pins_put(void *ctx, const struct http_request *req, struct http_response *res)
{
    take_rows(ctx, req, res, CURATION_PINS);
}

void handle_api_pins_delete(void *ctx, const struct http_request *req, struct http_response *res)
{
    remove_one(ctx, req, res, CURATION_PINS);
}

void handle_api_synonyms(void *ctx, const struct http_request *req, struct http_response *res)
{
    send_all(ctx, req, res, CURATION_SYNONYMS);
}

void handle_api_synonyms_put(void *ctx, const struct http_request *req, struct http_response *res)
{
    take_rows(ctx, req, res, CURATION_SYNONYMS);
}

void handle_api_synonyms_delete(void *ctx, const struct http_request *req, struct http_response *res)
{
    remove_one(ctx, req, res, CURATION_SYNONYMS);
}
