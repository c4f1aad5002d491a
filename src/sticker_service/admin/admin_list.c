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
    enum status st = param_or(req, f->name, "", &s->values[i], err);
    if (st != OK || !*s->values[i])
        return st;
    const char *value = s->values[i];
    if (f->kind == FILTER_DATE) {
        int64_t us;
        if ((st = os_parse_time(value, &us, err)) != OK)
            return err_prefix(err, "%s", f->label);
        if (!(value = arena_printf(req->arena, "%lld", (long long)us)))
            return err_no_memory(err, "a list");
    }
    s->filters[s->n_filters++] = (struct admin_pair){f->name, value};
    return OK;
}

enum status list_state_read(const struct admin_visit *v, const struct admin_table *table, struct list_state *s,
                            struct error *err)
{
    const struct http_request *req = v->req;
    const char *order = "", *back = "";
    *s = (struct list_state){.table = table};
    enum status st = param_or(req, "q", "", &s->search, err);
    if (st == OK)
        st = param_or(req, "sort", table->sort, &s->sort, err);
    if (st == OK)
        st = param_or(req, "order", strcmp(s->sort, table->sort) == 0 ? "down" : "up", &order, err);
    if (st == OK)
        st = param_or(req, "at", "", &s->cursor, err);
    if (st == OK)
        st = param_or(req, "back", "", &back, err);
    for (size_t i = 0; st == OK && table->filters[i].name; i++)
        st = read_filter(s, i, req, err);
    if (st == OK && strlen(s->search) > 1000)
        st = err_set(err, ERR_INVALID, "The search is too long.");
    if (st == OK)
        st = list_read_words(s, req->arena, err);
    if (st != OK)
        return st;
    bool sorts = false;
    for (const struct admin_column *c = table->columns; c->name; c++)
        sorts = sorts || (strcmp(c->name, s->sort) == 0 && c->flags & COLUMN_SORTS);
    if (!sorts)
        return err_set(err, ERR_INVALID, "This list does not sort by \"%.40s\".", s->sort);
    s->descending = strcmp(order, "down") == 0;
    s->backwards = *back;
    return OK;
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

/* "/admin/queries/export?q=cat&sort=usage&order=down..."; NULL without memory. */
static const char *state_url(const struct list_state *s, struct arena *a, const char *page, const char *sort,
                             bool descending, const char *cursor, bool backwards)
{
    struct buf out;
    buf_init(&out, 64u << 10);
    buf_printf(&out, "/admin/%s/%s?sort=%s&order=%s", s->table->name, page, sort, descending ? "down" : "up");
    put_pair(&out, "q", s->search);
    for (size_t i = 0; s->table->filters[i].name; i++)
        put_pair(&out, s->table->filters[i].name, s->values[i]);
    put_pair(&out, "at", cursor);
    put_pair(&out, "back", backwards ? "1" : "");
    const char *url = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return url;
}

/* --- the page --- */

static struct tpl_admin_list_rows_cells make_cell(const struct admin_column *c, const char *id, const char *value,
                                                  struct arena *a)
{
    struct tpl_admin_list_rows_cells cell = {.text_shown = value, .numeric = c->kind == KIND_NUMBER};
    if (c->kind == KIND_YES)
        cell.text_shown = strcmp(value, "1") == 0 ? "yes" : "no";
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
        cell.text_shown = us ? arena_printf(a, "%.10s %.5s", when, when + 11) : "never";
    }
    if (c->kind == KIND_PICTURE) {
        struct buf url;
        buf_init(&url, 4096);
        media_url(&url, id, value, PICTURE);
        cell.image = arena_strdup(a, buf_str(&url));
        cell.text_shown = "";
        buf_free(&url);
    }
    return cell;
}

static enum status fill_rows(const struct list_state *s, const struct list_page *page, struct arena *a,
                             struct tpl_admin_list *out, struct error *err)
{
    struct tpl_admin_list_rows *rows = arena_array(a, page->n + 1, sizeof *rows);
    struct tpl_admin_list_columns *columns = arena_array(a, ADMIN_MAX_COLUMNS, sizeof *columns);
    if (!rows || !columns)
        return err_no_memory(err, "a list");
    const struct admin_column *shown[ADMIN_MAX_COLUMNS];
    size_t n = 0;
    for (const struct admin_column *c = s->table->columns; c->name; c++) {
        if (!(c->flags & COLUMN_LISTED))
            continue;
        bool current = strcmp(c->name, s->sort) == 0;
        shown[n] = c;
        columns[n++] = (struct tpl_admin_list_columns){
            .label = c->label,
            .numeric = c->kind == KIND_NUMBER,
            .sorted = !current        ? NULL
                      : s->descending ? "descending"
                                      : "ascending",
            .order_by =
                c->flags & COLUMN_SORTS ? state_url(s, a, "", c->name, current && !s->descending, "", false) : NULL};
    }
    for (size_t i = 0; i < page->n; i++) {
        struct tpl_admin_list_rows_cells *cells = arena_array(a, n, sizeof *cells);
        if (!cells)
            return err_no_memory(err, "a list");
        rows[i].id = page->rows[i].id;
        for (size_t k = 0; k < n; k++) {
            cells[k] = make_cell(shown[k], page->rows[i].id, page->rows[i].cells[k], a);
            if (!html_is(rows[i].name) && shown[k]->kind != KIND_PICTURE) {
                cells[k].link = true;
                rows[i].name = *page->rows[i].cells[k] ? cells[k].text_shown : "(without a name)";
                cells[k].text_shown = rows[i].name;
            }
        }
        rows[i].cells = cells;
        rows[i].n_cells = n;
    }
    out->columns = columns, out->n_columns = n;
    out->rows = rows, out->n_rows = page->n;
    return OK;
}

enum status list_state_page(struct sticker_service *s, const struct admin_table *table, const struct list_ask *ask,
                            struct arena *a, struct list_page *out, struct error *err)
{
    return table->remote ? documents_list_page(s, ask, a, out, err)
                         : sticker_store_list_page(s->store, ask, a, out, err);
}

static enum status fill_filter(const struct admin_visit *v, const struct list_state *s, size_t i,
                               struct tpl_admin_list_filters *out, struct error *err)
{
    struct arena *a = v->req->arena;
    const struct admin_filter *f = &s->table->filters[i];
    *out = (struct tpl_admin_list_filters){.name = f->name,
                                           .label = f->label,
                                           .value = s->values[i],
                                           .kind = f->kind == FILTER_DATE     ? "date"
                                                   : f->kind == FILTER_CHOICE ? "choice"
                                                                              : "values"};
    struct tpl_admin_list_filters_options *options = arena_array(a, 256, sizeof *options);
    if (!options)
        return err_no_memory(err, "a list");
    out->options = options;
    for (const char *c = f->choices; c && *c;) {
        size_t name = strcspn(c, "="), all = strcspn(c, "|");
        const char *value = arena_strndup(a, c, name);
        options[out->n_options++] =
            (struct tpl_admin_list_filters_options){.value = value,
                                                    .label = arena_strndup(a, c + name + 1, all - name - 1),
                                                    .selected = html_equal(value, s->values[i])};
        c += all + (c[all] == '|');
    }
    if (f->kind != FILTER_VALUES)
        return OK;
    const char **values;
    size_t n;
    enum status st = s->table->remote
                         ? documents_models(v->service, a, &values, &n, err)
                         : sticker_store_list_values(v->service->store, s->table->name, f->name, a, &values, &n, err);
    for (size_t k = 0; st == OK && k < n; k++)
        options[out->n_options++] = (struct tpl_admin_list_filters_options){.value = values[k], .label = values[k]};
    return st;
}

/* "About 100,000 stickers." */
static const char *say_total(const struct list_page *page, const struct admin_table *table, struct arena *a)
{
    if (page->cut)
        return arena_printf(a, "More than %d match: only so many were looked at. Add a word.", LIST_MATCHES);
    if (page->unfinished)
        return "Not all were looked at yet: “Look further” goes on.";
    if (page->total < 0)
        return "";
    return arena_printf(a, "%s%lld in %s.", page->about ? "About " : "", (long long)page->total, table->title);
}

static const char *say_done(const char *done)
{
    static const char *const said[][2] = {{"added", "Added."},
                                          {"uploaded", "Uploaded."},
                                          {"changed", "Saved."},
                                          {"deleted", "Deleted."},
                                          {"reindexed", "Sent to the index again."}};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (strcmp(said[i][0], done) == 0)
            return said[i][1];
    return NULL;
}

static enum status fill_list(const struct admin_visit *v, const struct list_state *s, struct tpl_admin_list *out,
                             struct error *err)
{
    struct arena *a = v->req->arena;
    struct list_page page;
    struct list_ask ask = list_state_ask(s, PAGE_ROWS, false);
    const char *done = "";
    struct tpl_admin_list_filters *filters = arena_array(a, ADMIN_MAX_FILTERS, sizeof *filters);
    enum status st = filters ? OK : err_no_memory(err, "a list");
    if (st == OK)
        st = param_or(v->req, "done", "", &done, err);
    if (st == OK)
        st = list_state_page(v->service, s->table, &ask, a, &page, err);
    if (st == OK)
        st = fill_rows(s, &page, a, out, err);
    for (size_t i = 0; st == OK && s->table->filters[i].name; i++)
        st = fill_filter(v, s, i, &filters[out->n_filters++], err);
    if (st != OK)
        return st;
    out->filters = filters;
    out->total = say_total(&page, s->table, a);
    out->noted = say_done(done);
    out->unfinished = page.unfinished;
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
    struct tpl_admin_list page = {.admin_layout = admin_layout(&v, table->title, table->name),
                                  .model = table->name,
                                  .add_url = add_url(&v, table),
                                  .add_label = table->upload ? "Upload images"
                                                             : arena_printf(req->arena, "Add a %s", table->one),
                                  .can_delete = admin_may(&v, table->name, ADMIN_DELETE),
                                  .can_edit = admin_table_edits_many(table) && admin_may(&v, table->name, ADMIN_CHANGE),
                                  .acts_on = table->remote ? "stickers" : table->name,
                                  .can_export = !table->remote,
                                  .can_reindex = (table->reindexes || table->remote) &&
                                                 admin_may(&v, table->remote ? "stickers" : table->name, ADMIN_CHANGE),
                                  .search_label = table->search};
    enum status st = list_state_read(&v, table, &s, &err);
    for (const struct admin_column *c = table->columns; c->name; c++)
        if (c->flags & COLUMN_LISTED)
            s.columns[s.n_columns++] = c->name;
    if (st == OK)
        st = fill_list(&v, &s, &page, &err);
    if (st != OK) {
        list_state_fail(&v, table, &err);
        return;
    }
    page.search = s.search;
    page.sort = s.sort;
    page.order = s.descending ? "down" : "up";
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_list(&html, &page);
    admin_send(res, 200, &html);
}
