/* GET /admin/{table}/export, and the selected rows of a list: as a file. */
#include "sticker_service/admin/admin_export.h"
#include "base/csv.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/os.h"
#include "sticker_service/admin/admin_list.h"
#include "sticker_service/audit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT_ROWS  1000
#define EXPORT_BYTES (64u << 20)

struct download {
    struct sticker_service *service;
    struct arena kept, arena; /* what the request's state needs; a page */
    struct list_state state;
    const char *const *ids; /* [n_ids] the selected rows; NULL: the whole list */
    size_t n_ids;
    int64_t *numbers; /* [n_numbers] the rows that matched when the export began; NULL: the list has no filter */
    size_t n_numbers, at;
    struct buf text;
    size_t sent;
    bool json, began, ended;
};

static void put_value(struct download *d, const struct admin_column *c, const char *value)
{
    char when[28];
    if (c->kind == KIND_TIME) {
        int64_t us = strtoll(value, NULL, 10);
        os_format_time(us, when);
        value = us ? when : "";
    }
    if (!d->json)
        csv_put_cell(&d->text, value);
    else if (c->kind == KIND_NUMBER)
        buf_puts(&d->text, value);
    else if (c->kind == KIND_YES)
        buf_puts(&d->text, strcmp(value, "1") == 0 ? "true" : "false");
    else
        json_put_string(&d->text, value);
}

/* Times are written for people, so their names have no "_us". */
static int export_name_length(const struct admin_column *c)
{
    return (int)strlen(c->name) - (c->kind == KIND_TIME ? 3 : 0);
}

static void export_put_row(struct download *d, const char *const *cells)
{
    if (d->json)
        buf_puts(&d->text, d->began ? ",\n{" : "\n{");
    d->began = true;
    for (size_t i = 0; i < d->state.n_columns; i++) {
        const struct admin_column *c = &d->state.table->columns[i];
        buf_puts(&d->text, i ? "," : "");
        if (d->json)
            buf_printf(&d->text, "\"%.*s\":", export_name_length(c), c->name);
        put_value(d, c, cells[i]);
    }
    buf_puts(&d->text, d->json ? "}" : "\r\n");
}

static enum status export_next_page(struct download *d, struct error *err)
{
    struct list_page page;
    struct list_ask ask = list_state_ask(&d->state, EXPORT_ROWS, true);
    if (d->numbers) {
        size_t left = d->n_numbers - d->at;
        ask.numbers = d->numbers + d->at;
        ask.n_numbers = left < EXPORT_ROWS ? left : EXPORT_ROWS;
        d->at += ask.n_numbers;
    }
    arena_reset(&d->arena);
    enum status st = list_state_page(d->service, d->state.table, &ask, &d->arena, &page, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < page.n; i++)
        export_put_row(d, page.rows[i].cells);
    d->ended = d->numbers ? d->at == d->n_numbers : !*page.next;
    if (d->numbers)
        return OK;
    arena_reset(&d->kept);
    d->state.cursor = arena_strdup(&d->kept, page.next);
    return d->state.cursor ? OK : err_no_memory(err, "an export");
}

/* The selected rows at once; one that was deleted meanwhile is left out. */
static enum status next_selected(struct download *d, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < d->n_ids && (st == OK || st == ERR_NOT_FOUND); i++) {
        const char **cells;
        arena_reset(&d->arena);
        st = sticker_store_list_row(d->service->store, d->state.table->name, d->ids[i], d->state.columns,
                                    d->state.n_columns, &d->arena, &cells, err);
        if (st == OK)
            export_put_row(d, cells);
    }
    d->ended = true;
    return st == ERR_NOT_FOUND ? OK : st;
}

/* Which rows match is asked once: it takes longer than what a page of them takes, however few there are on it. What is
 * SearchService's has no numbers. */
static enum status find_matching(struct download *d, struct error *err)
{
    if (d->ids || d->state.table->remote || (!*d->state.search && !d->state.n_filters))
        return OK;
    struct list_ask ask = list_state_ask(&d->state, EXPORT_ROWS, true);
    enum status st = sticker_store_list_numbers(d->service->store, &ask, &d->numbers, &d->n_numbers, err);
    d->ended = st == OK && !d->n_numbers;
    return st;
}

static enum status next_part(struct download *d, struct error *err)
{
    enum status st = d->ended ? OK : d->ids ? next_selected(d, err) : export_next_page(d, err);
    if (d->ended && d->json)
        buf_puts(&d->text, "\n]\n");
    return st == OK ? buf_status(&d->text, err) : st;
}

static ssize_t download_next(void *state, char *out, size_t cap)
{
    struct download *d = state;
    struct error err;
    if (d->sent == d->text.len) {
        d->sent = 0;
        if (d->text.len)
            buf_reset(&d->text);
        while (!d->ended && !d->text.len) /* a page may be empty and have a next one */
            if (next_part(d, &err) != OK) {
                log_error("an export was cut off: %s", err.message);
                return -1;
            }
    }
    size_t n = d->text.len - d->sent < cap ? d->text.len - d->sent : cap;
    if (n)
        memcpy(out, d->text.data + d->sent, n);
    d->sent += n;
    return (ssize_t)n;
}

static void download_done(void *state)
{
    struct download *d = state;
    arena_free(&d->kept);
    arena_free(&d->arena);
    buf_free(&d->text);
    free(d->numbers);
    free(d);
}

/* The history says who exports what before the first byte is sent. */
static enum status export_note(const struct admin_visit *v, const struct list_state *s, size_t n_ids,
                               const char *format, struct error *err)
{
    struct buf out;
    buf_init(&out, 64u << 10);
    buf_puts(&out, "{");
    if (n_ids)
        buf_printf(&out, "\"selected\":\"%zu\",", n_ids);
    for (size_t i = 0; i < s->n_filters; i++) {
        json_put_string(&out, s->filters[i].name);
        buf_putc(&out, ':');
        json_put_string(&out, s->filters[i].value);
        buf_putc(&out, ',');
    }
    buf_puts(&out, "\"search\":");
    json_put_string(&out, s->search ? s->search : "");
    buf_puts(&out, "}");
    enum status st = buf_status(&out, err);
    if (st == OK)
        st = audit_note(v->service->store, v->session.user.username, v->address, CHANGE_EXPORT, s->table->name, format,
                        buf_str(&out), err);
    buf_free(&out);
    return st;
}

/* The request's memory lives until the answer is sent, so what `s` and `ids` point to does. */
static void export_send(const struct admin_visit *v, const struct list_state *s, const char *const *ids, size_t n_ids,
                        const char *format)
{
    bool json = strcmp(format, "json") == 0;
    struct download *d = calloc(1, sizeof *d);
    struct error err;
    if (!d || (!json && strcmp(format, "csv") != 0)) {
        (void)(d ? err_set(&err, ERR_INVALID, "%s", admin_say(MESSAGE_admin_export_format))
                 : err_no_memory(&err, "an export"));
        free(d);
        admin_fail(v, &err);
        return;
    }
    *d = (struct download){.service = v->service, .state = *s, .ids = ids, .n_ids = n_ids, .json = json};
    d->state.cursor = "";
    d->state.backwards = false;
    arena_init(&d->kept, 64u << 10);
    arena_init(&d->arena, EXPORT_BYTES);
    buf_init(&d->text, EXPORT_BYTES);
    buf_puts(&d->text, json ? "[" : "");
    const struct admin_column *columns = s->table->columns;
    for (const struct admin_column *c = columns; c->name; c++) {
        d->state.columns[d->state.n_columns++] = c->name;
        if (!json)
            buf_printf(&d->text, "%s%.*s", c == columns ? "" : ",", export_name_length(c), c->name);
    }
    buf_puts(&d->text, json ? "" : "\r\n");
    if (find_matching(d, &err) != OK || next_part(d, &err) != OK ||
        export_note(v, s, n_ids, format, &err) != OK) { /* while it can still be said */
        download_done(d);
        list_state_fail(v, s->table, &err);
        return;
    }
    log_info("\"%s\" exports the %s from %s", v->session.user.username, s->table->name, v->address);
    char disposition[96];
    snprintf(disposition, sizeof disposition, "attachment; filename=\"peel-%s.%s\"", s->table->name, format);
    admin_headers(v->res);
    http_header_add(v->res, "Content-Disposition", disposition);
    http_body_stream(v->res, 200, json ? "application/json" : "text/csv; charset=utf-8", download_next, download_done,
                     d);
}

void admin_export_selected(const struct admin_visit *v, const struct admin_table *table, const char *const *ids,
                           size_t n, const char *format)
{
    export_send(v, &(struct list_state){.table = table}, ids, n, format);
}

void handle_admin_export(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    const char *format;
    const struct admin_table *table;
    struct list_state s;
    if (!admin_visit(ctx, req, res, &v) || !(table = admin_wanted(&v, true)) ||
        !admin_needs(&v, table->name, ADMIN_VIEW))
        return;
    enum status st = list_state_read(&v, table, &s, &err);
    if (st == OK)
        st = http_param_or(req, "format", "csv", &format, &err);
    if (st == OK)
        export_send(&v, &s, NULL, 0, format);
    else
        admin_fail(&v, &err);
}
