/* GET /admin/{table}/: any list. */
#include "sticker_service/admin/admin_list.h"
#include "base/os.h"
#include "text/text.h"
#include "web/html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 50
#define PICTURE   64u /* pixels wide */
#define MAX_TAGS  6

static enum status list_read_words(struct list_state *s, struct arena *a, struct error *err)
{
    struct text_terms terms;
    enum status st = text_analyze(s->search, strlen(s->search), LIST_MAX_WORDS, a, &terms, err);
    for (size_t i = 0; st == OK && i < terms.count && s->n_words < LIST_MAX_WORDS; i++)
        s->words[s->n_words++] = terms.items[i].folded;
    return st;
}

/* The database has microseconds, people type days. */
static enum status read_filter(struct list_state *s, size_t i, const struct http_request *req, struct error *err)
{
    const struct admin_filter *f = &s->table->filters[i];
    enum status st = http_param_or(req, f->name, "", &s->values[i], err);
    if (st != OK || !*s->values[i])
        return st;
    const char *value = s->values[i];
    if (f->kind == FILTER_DATE) {
        int64_t us;
        if ((st = os_parse_time(value, &us, err)) != OK)
            return err_prefix(err, "%s", admin_say(f->label));
        if (!(value = arena_printf(req->arena, "%lld", (long long)us)))
            return err_no_memory(err, "a list");
    }
    s->filters[s->n_filters++] = (struct admin_pair){f->name, value};
    return OK;
}

static bool names(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; *at; at += strspn(at, ",")) {
        size_t n = strcspn(at, ",");
        if (n == len && memcmp(at, name, n) == 0)
            return true;
        at += n;
    }
    return false;
}

/* "cols=filename,title", or the form's columns=1&c_filename=1&c_title=1. Without either, or any that exists: those that
 * the table lists. */
static enum status read_columns(struct list_state *s, const struct http_request *req, struct error *err)
{
    const char *list = "", *form = "";
    enum status st = http_param_or(req, "cols", "", &list, err);
    if (st == OK)
        st = http_param_or(req, "columns", "", &form, err);
    for (size_t i = 0; st == OK && s->table->columns[i].name; i++) {
        const char *wanted = "", *name = arena_printf(req->arena, "c_%s", s->table->columns[i].name);
        if (!name)
            return err_no_memory(err, "a list");
        if (*form)
            st = http_param_or(req, name, "", &wanted, err);
        s->shown[i] = *wanted || names(list, s->table->columns[i].name);
        s->chosen = s->chosen || s->shown[i];
    }
    for (size_t i = 0; !s->chosen && s->table->columns[i].name; i++)
        s->shown[i] = s->table->columns[i].flags & COLUMN_LISTED;
    return st;
}

enum status list_state_read(const struct admin_visit *v, const struct admin_table *table, struct list_state *s,
                            struct error *err)
{
    const struct http_request *req = v->req;
    const char *order = "", *back = "";
    *s = (struct list_state){.table = table};
    enum status st = http_param_or(req, "q", "", &s->search, err);
    if (st == OK)
        st = http_param_or(req, "sort", table->sort, &s->sort, err);
    if (st == OK)
        st = http_param_or(req, "order", strcmp(s->sort, table->sort) == 0 ? "down" : "up", &order, err);
    if (st == OK)
        st = http_param_or(req, "at", "", &s->cursor, err);
    if (st == OK)
        st = http_param_or(req, "back", "", &back, err);
    for (size_t i = 0; st == OK && table->filters[i].name; i++)
        st = read_filter(s, i, req, err);
    if (st == OK && strlen(s->search) > 1000)
        st = err_set(err, ERR_INVALID, "%s", admin_say(MESSAGE_admin_search_too_long));
    if (st == OK)
        st = list_read_words(s, req->arena, err);
    if (st != OK)
        return st;
    st = read_columns(s, req, err);
    if (st != OK)
        return st;
    bool sorts = false;
    for (const struct admin_column *c = table->columns; c->name; c++)
        sorts = sorts || (strcmp(c->name, s->sort) == 0 && c->flags & COLUMN_SORTS);
    if (!sorts)
        return err_set(err, ERR_INVALID, "This list cannot be sorted by \"%.40s\".", s->sort);
    s->descending = strcmp(order, "down") == 0;
    s->backwards = *back;
    return OK;
}

enum status list_state_kept(const struct admin_visit *v, const struct admin_table *table, struct list_state *out,
                            struct error *err)
{
    const char *list = admin_list_param(v);
    struct arena *a = v->req->arena;
    struct form form;
    struct http_request req = *v->req;
    struct admin_visit visit = *v;
    enum status st = form_parse(list, strlen(list), 2 * ADMIN_MAX_COLUMNS + ADMIN_MAX_FILTERS, a, &form, err);
    struct http_pair *pairs = st == OK ? arena_array(a, form.count + 1, sizeof *pairs) : NULL;
    if (st != OK)
        return st;
    if (!pairs)
        return err_no_memory(err, "a list");
    for (size_t i = 0; i < form.count; i++)
        pairs[i] = (struct http_pair){form.fields[i].name, form.fields[i].value, strlen(form.fields[i].value)};
    req.params = pairs;
    req.n_params = form.count;
    visit.req = &req;
    return list_state_read(&visit, table, out, err);
}

struct list_ask list_state_ask(const struct list_state *s, size_t limit, bool thorough)
{
    return (struct list_ask){.list = s->table->name,
                             .columns = s->columns,
                             .n_columns = s->n_columns,
                             .sort = s->sort,
                             .descending = s->descending,
                             .search = s->search,
                             .words = s->words,
                             .n_words = s->n_words,
                             .filters = s->filters,
                             .n_filters = s->n_filters,
                             .cursor = s->cursor,
                             .backwards = s->backwards,
                             .limit = limit,
                             .thorough = thorough};
}

/* --- URLs --- */

static void put_pair(struct buf *out, const char *name, const char *value)
{
    if (!*value)
        return;
    buf_printf(out, "&%s=", name);
    html_url_part(out, value);
}

static void put_columns(struct buf *out, const struct list_state *s)
{
    const char *comma = "&cols=";
    for (size_t i = 0; s->chosen && s->table->columns[i].name; i++)
        if (s->shown[i]) {
            buf_printf(out, "%s%s", comma, s->table->columns[i].name);
            comma = "%2C";
        }
}

static const char *query_string(const struct list_state *s, struct arena *a, const char *sort, bool descending,
                                const char *cursor, bool backwards)
{
    struct buf out;
    buf_init(&out, 64u << 10);
    buf_printf(&out, "sort=%s&order=%s", sort, descending ? "down" : "up");
    put_pair(&out, "q", s->search);
    for (size_t i = 0; s->table->filters[i].name; i++)
        put_pair(&out, s->table->filters[i].name, s->values[i]);
    put_columns(&out, s);
    put_pair(&out, "at", cursor);
    put_pair(&out, "back", backwards ? "1" : "");
    const char *query = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return query;
}

/* "/admin/queries/export?q=cat&sort=usage&order=down..."; NULL without memory. */
static const char *state_url(const struct list_state *s, struct arena *a, const char *page, const char *sort,
                             bool descending, const char *cursor, bool backwards)
{
    const char *query = query_string(s, a, sort, descending, cursor, backwards);
    return query ? arena_printf(a, "/admin/%s/%s?%s", s->table->name, page, query) : NULL;
}

const char *list_state_query(const struct list_state *s, struct arena *a)
{
    bool begins = !*s->search && !s->n_filters && !s->chosen && !*s->cursor && s->descending &&
                  strcmp(s->sort, s->table->sort) == 0;
    return begins ? "" : query_string(s, a, s->sort, s->descending, s->cursor, s->backwards);
}

/* --- the page --- */

const char *list_image(const char *filename, const char *sha256, unsigned width, struct arena *a)
{
    struct buf url;
    if (filename_check(filename, NULL) != OK)
        return "";
    buf_init(&url, 4096);
    media_url(&url, filename, sha256, width, width != 0);
    const char *out = url.failed ? NULL : arena_strdup(a, buf_str(&url));
    buf_free(&url);
    return out;
}

static struct tpl_admin_list_rows_cells make_cell(const struct admin_column *c, const char *value, struct arena *a)
{
    struct tpl_admin_list_rows_cells cell = {
        .text_shown = value, .label = admin_say(c->label), .numeric = c->kind == KIND_NUMBER};
    if (c->kind == KIND_YES)
        cell.text_shown = strcmp(value, "1") == 0 ? admin_say(MESSAGE_admin_yes) : admin_say(MESSAGE_admin_no);
    if (c->kind == KIND_NUMBER && *value)
        cell.text_shown = admin_number(strtoll(value, NULL, 10), a);
    if (c->kind == KIND_TAGS) {
        size_t n = *value != 0;
        for (const char *at = value; *at; at++)
            n += *at == ' ';
        if (n > MAX_TAGS)
            cell.text_shown = arena_printf(a, "%zu", n);
    }
    if (c->kind == KIND_TIME) {
        char when[28];
        int64_t us = strtoll(value, NULL, 10);
        os_format_time(us, when);
        cell.time = us ? arena_strndup(a, when, 19) : NULL;
        cell.text_shown = us ? arena_printf(a, "%.10s %.5s UTC", when, when + 11) : admin_say(MESSAGE_admin_never);
    }
    return cell;
}

/* The image of a row: on the trash's list from the trash, as the gallery no longer serves it. */
static const char *row_image(const struct list_state *s, const struct list_row *row, const char *sha256,
                             struct arena *a)
{
    const char *filename = row->id;
    for (size_t i = 0; s->table->picture && i < s->n_columns; i++)
        if (strcmp(s->columns[i], s->table->picture) == 0)
            filename = row->cells[i];
    if (!*sha256 || !*filename)
        return NULL;
    if (strcmp(s->table->name, "trash") != 0)
        return list_image(filename, sha256, PICTURE, a);
    struct buf url;
    buf_init(&url, 4096);
    buf_puts(&url, "/admin/trash/image?id=");
    html_url_part(&url, filename);
    const char *out = url.failed ? NULL : arena_strdup(a, buf_str(&url));
    buf_free(&url);
    return out;
}

/* The row's cells as shown; the first that is no picture leads to it. */
static enum status fill_row(const struct list_state *s, const struct list_row *row, bool can_change, struct arena *a,
                            struct tpl_admin_list_rows *out, struct error *err)
{
    struct tpl_admin_list_rows_cells *cells = arena_array(a, ADMIN_MAX_COLUMNS, sizeof *cells);
    if (!cells)
        return err_no_memory(err, "a list");
    *out = (struct tpl_admin_list_rows){.id = row->id, .cells = cells};
    for (size_t i = 0, k = 0; s->table->columns[i].name; i++) {
        const struct admin_column *c = &s->table->columns[i];
        if (!s->shown[i])
            continue;
        struct tpl_admin_list_rows_cells *cell = &cells[out->n_cells++];
        *cell = make_cell(c, row->cells[k], a);
        if (!cell->text_shown)
            return err_no_memory(err, "a list");
        if (c->kind == KIND_PICTURE) {
            cell->picture = true;
            cell->image = row_image(s, row, row->cells[k], a);
        } else if (!html_is(out->name)) {
            cell->link = s->table->fields[0].name || s->table->remote || !(s->table->rights & ADMIN_DELETE);
            out->name = *row->cells[k] ? cell->text_shown : admin_say(MESSAGE_admin_no_name);
            cell->text_shown = out->name;
        }
        if (can_change && c->flags & COLUMN_INLINE && !cell->link)
            cell->field = strcmp(c->name, "words_en") == 0 ? "words" : c->name;
        k++;
    }
    out->seen = can_change ? row->cells[s->n_columns - 1] : NULL;
    return OK;
}

static enum status fill_rows(const struct list_state *s, const struct list_page *page, bool can_change, struct arena *a,
                             struct tpl_admin_list *out, struct error *err)
{
    struct tpl_admin_list_rows *rows = arena_array(a, page->n + 1, sizeof *rows);
    struct tpl_admin_list_columns *columns = arena_array(a, ADMIN_MAX_COLUMNS, sizeof *columns);
    enum status st = rows && columns ? OK : err_no_memory(err, "a list");
    size_t n = 0;
    for (size_t i = 0; st == OK && s->table->columns[i].name; i++) {
        const struct admin_column *c = &s->table->columns[i];
        if (!s->shown[i])
            continue;
        bool current = strcmp(c->name, s->sort) == 0;
        columns[n++] = (struct tpl_admin_list_columns){
            .label = admin_say(c->label),
            .numeric = c->kind == KIND_NUMBER,
            .sorted = !current        ? NULL
                      : s->descending ? "descending"
                                      : "ascending",
            .order_by =
                c->flags & COLUMN_SORTS ? state_url(s, a, "", c->name, current && !s->descending, "", false) : NULL};
    }
    for (size_t i = 0; i < page->n && st == OK; i++)
        st = fill_row(s, &page->rows[i], can_change, a, &rows[i], err);
    out->columns = columns, out->n_columns = n;
    out->rows = rows, out->n_rows = page->n;
    return st;
}

/* The columns to ask for: those shown, in the table's order, then what names the image, and the row's time of change
 * where it can be edited in place. */
static void ask_columns(struct list_state *s, bool can_change)
{
    for (size_t i = 0; s->table->columns[i].name; i++)
        if (s->shown[i])
            s->columns[s->n_columns++] = s->table->columns[i].name;
    if (s->table->picture)
        s->columns[s->n_columns++] = s->table->picture;
    if (can_change)
        s->columns[s->n_columns++] = "modified_us";
}

enum status list_state_page(struct sticker_service *s, const struct admin_table *table, const struct list_ask *ask,
                            struct arena *a, struct list_page *out, struct error *err)
{
    return table->remote ? documents_list_page(s, ask, a, out, err)
                         : sticker_store_list_page(s->store, ask, a, out, err);
}

/* "About 100,000 stickers" */
static const char *say_total(const struct list_page *page, const struct admin_table *table, struct arena *a)
{
    if (page->cut)
        return admin_say_text(a, MESSAGE_admin_total_cut, "what", admin_count(table, LIST_MATCHES, a));
    if (page->unfinished)
        return admin_say(MESSAGE_admin_total_unfinished);
    if (page->total < 0)
        return "";
    const char *count = admin_count(table, page->total, a);
    return page->about ? admin_say_text(a, MESSAGE_admin_total_about, "what", count) : count;
}

static enum status fill_list(const struct admin_visit *v, struct list_state *s, bool can_change,
                             struct tpl_admin_list *out, struct error *err)
{
    struct arena *a = v->req->arena;
    struct list_page page;
    ask_columns(s, can_change);
    struct list_ask ask = list_state_ask(s, PAGE_ROWS, false);
    enum status st = list_state_page(v->service, s->table, &ask, a, &page, err);
    if (st == OK)
        st = fill_rows(s, &page, can_change, a, out, err);
    if (st == OK)
        st = list_fill_filters(v, s, out, err);
    if (st == OK)
        st = list_fill_columns(s, a, out, err);
    if (st == OK)
        st = list_fill_views(v, s, out, err);
    if (st == OK)
        st = list_fill_noted(v, s, out, err);
    if (st != OK)
        return st;
    out->total = say_total(&page, s->table, a);
    out->unfinished = page.unfinished;
    if (!s->table->remote && !page.about && !page.cut && page.total > (int64_t)page.n && page.total <= LIST_MATCHES)
        out->all_matching = admin_count(s->table, page.total, a);
    if (*page.next)
        out->next = state_url(s, a, "", s->sort, s->descending, page.next, false);
    if (*page.previous)
        out->previous = state_url(s, a, "", s->sort, s->descending, page.previous, true);
    out->json = state_url(s, a, "export", s->sort, s->descending, "", false);
    return OK;
}

void list_state_fail(const struct admin_visit *v, const struct admin_table *table, const struct error *err)
{
    if (table->remote)
        documents_fail(v, err);
    else
        admin_fail(v, err);
}

/* Where rows are added; NULL for those who may not. */
static const char *add_url(const struct admin_visit *v, const struct admin_table *table)
{
    if (!admin_may(v, table->name, ADMIN_ADD))
        return NULL;
    return table->upload ? table->upload : arena_printf(v->req->arena, "/admin/%s/edit", table->name);
}

void handle_admin_list(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct list_state s;
    struct error err;
    struct buf html;
    const struct admin_table *table;
    if (!admin_visit(ctx, req, res, &v) || !(table = admin_wanted(&v, true)) ||
        !admin_needs(&v, table->name, ADMIN_VIEW))
        return;
    bool can_change = admin_may(&v, table->name, ADMIN_CHANGE), trash = strcmp(table->name, "trash") == 0;
    struct tpl_admin_list page = {.admin_layout = admin_layout(&v, admin_say(table->title), table->name),
                                  .model = table->name,
                                  .add_url = add_url(&v, table),
                                  .add_label = admin_say(table->add),
                                  .can_delete = admin_may(&v, table->name, ADMIN_DELETE),
                                  .can_edit = admin_table_edits_many(table) && can_change,
                                  .acts_on = table->remote ? "stickers" : table->name,
                                  .from = table->remote ? table->name : NULL,
                                  .can_export = !table->remote,
                                  .can_restore = trash && can_change,
                                  .is_trash = trash,
                                  .trash_days = v.service->cfg->trash_days,
                                  .can_reindex = (table->reindexes || table->remote) &&
                                                 admin_may(&v, table->remote ? "stickers" : table->name, ADMIN_CHANGE),
                                  .search_label = admin_say(table->search)};
    enum status st = list_state_read(&v, table, &s, &err);
    if (st == OK)
        st = fill_list(&v, &s, can_change && table->upload, &page, &err);
    if (st != OK) {
        list_state_fail(&v, table, &err);
        return;
    }
    page.search = s.search;
    page.sort = s.sort;
    page.order = s.descending ? "down" : "up";
    page.list_query = list_state_query(&s, req->arena);
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_list(&html, &page, admin_messages());
    admin_send(res, 200, &html);
}
