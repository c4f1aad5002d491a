/* admin_edit_page.c: /admin/{table}/edit: the page of one row, and what its form sends. */
#include "base/os.h"
#include "sticker_service/admin/admin_edit.h"
#include "web/html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX  512 /* in a form */
#define MAX_OPTIONS 256
#define EMPTY_ROWS  3    /* offered for more languages */
#define PICTURE     256u /* pixels wide */

static bool holds(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
            return true;
    return false;
}

static enum status fill_options(const struct admin_visit *v, const struct admin_field *f, const char *value,
                                struct tpl_admin_field *out, struct error *err)
{
    static const char *const rights[] = {"view", "add", "change", "delete"};
    struct arena *a = v->req->arena;
    struct tpl_admin_field_options *options = arena_array(a, MAX_OPTIONS, sizeof *options);
    if (!options)
        return err_no_memory(err, "a form");
    out->options = options;
    if (edit_same(f->name, "groups")) {
        const char *columns[] = {"name"};
        struct list_page page;
        struct list_ask ask = {.list = "groups",
                               .columns = columns,
                               .n_columns = 1,
                               .sort = "name",
                               .search = "",
                               .cursor = "",
                               .limit = MAX_OPTIONS};
        enum status st = sticker_store_list_page(v->service->store, &ask, a, &page, err);
        for (size_t i = 0; st == OK && i < page.n; i++)
            options[out->n_options++] = (struct tpl_admin_field_options){
                .value = page.rows[i].id, .label = page.rows[i].cells[0], .checked = holds(value, page.rows[i].id)};
        return st;
    }
    for (size_t m = 0; m < admin_table_count; m++)
        for (size_t r = 0; r < 4; r++) {
            if (!(admin_tables[m].rights & 1u << r) || edit_same(admin_tables[m].name, "groups"))
                continue;
            const char *name = arena_printf(a, "%s.%s", admin_tables[m].name, rights[r]);
            if (!name)
                return err_no_memory(err, "a form");
            options[out->n_options++] =
                (struct tpl_admin_field_options){.value = name, .label = name, .checked = holds(value, name)};
        }
    options[out->n_options++] = (struct tpl_admin_field_options){
        .value = "dashboard.view", .label = "dashboard.view", .checked = holds(value, "dashboard.view")};
    return OK;
}

/* The values that a choice has; those of a rating are its names. */
static enum status fill_choice(const struct admin_visit *v, const struct edit *e, size_t i, struct tpl_admin_field *out,
                               struct error *err)
{
    const struct admin_field *f = &e->table->fields[i];
    struct tpl_admin_field_options *options = arena_array(v->req->arena, RATING_R + 2, sizeof *options);
    if (!options)
        return err_no_memory(err, "a form");
    out->kind = "choice";
    out->options = options;
    if (edit_is_open(e, f))
        options[out->n_options++] = (struct tpl_admin_field_options){.value = "", .label = "(as it is)"};
    if (f->kind == FIELD_CHECK) {
        options[out->n_options++] = (struct tpl_admin_field_options){.value = "1", .label = "Yes"};
        options[out->n_options++] = (struct tpl_admin_field_options){.value = "0", .label = "No"};
    }
    for (enum rating r = RATING_G; f->kind == FIELD_RATING && r <= RATING_R; r++)
        options[out->n_options++] = (struct tpl_admin_field_options){.value = rating_name(r), .label = rating_name(r)};
    for (size_t k = 0; k < out->n_options; k++)
        options[k].checked = edit_same(options[k].value, e->values[i]);
    return OK;
}

static enum status fill_words(const struct admin_visit *v, const struct edit *e, struct tpl_admin_field *out,
                              struct error *err)
{
    struct tpl_admin_field_words *rows = arena_array(v->req->arena, e->n_words + EMPTY_ROWS, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "a form");
    for (size_t i = 0; i < e->n_words + EMPTY_ROWS; i++) {
        rows[i].place = (int64_t)i + 1;
        if (i < e->n_words)
            rows[i].language = e->words[i].language, rows[i].words = e->words[i].words;
    }
    out->words = rows;
    out->n_words = e->n_words + EMPTY_ROWS;
    return OK;
}

static bool has_field(const struct tpl_admin_form *page, const struct admin_table *table, const char *name)
{
    for (size_t i = 0; i < page->n_fields; i++)
        if (edit_same(table->fields[i].name, name))
            return true;
    return false;
}

/* What the form does not show, and the picture. */
static enum status fill_facts(const struct admin_visit *v, const struct edit *e, struct tpl_admin_form *out,
                              struct error *err)
{
    struct arena *a = v->req->arena;
    const char *columns[ADMIN_MAX_COLUMNS], **cells;
    size_t n = 0;
    struct tpl_admin_form_facts *facts = arena_array(a, ADMIN_MAX_COLUMNS, sizeof *facts);
    for (const struct admin_column *c = e->table->columns; c->name; c++)
        columns[n++] = c->name;
    if (!facts)
        return err_no_memory(err, "a form");
    enum status st = sticker_store_list_row(v->service->store, e->table->name, e->id, columns, n, a, &cells, err);
    for (size_t i = 0; st == OK && i < n; i++) {
        const struct admin_column *c = &e->table->columns[i];
        char when[28];
        if (c->kind == KIND_PICTURE) {
            struct buf url;
            buf_init(&url, 4096);
            media_url(&url, e->id, cells[i], PICTURE);
            out->picture = arena_strdup(a, buf_str(&url));
            buf_free(&url);
        }
        if (has_field(out, e->table, c->name))
            continue;
        struct tpl_admin_form_facts *fact = &facts[out->n_facts++];
        *fact =
            (struct tpl_admin_form_facts){.label = c->kind == KIND_PICTURE ? "SHA-256" : c->label, .value = cells[i]};
        if (c->kind == KIND_YES)
            fact->value = edit_same(cells[i], "1") ? "yes" : "no";
        if (c->kind == KIND_TIME && !edit_same(cells[i], "0")) {
            os_format_time(strtoll(cells[i], NULL, 10), when);
            fact->value = arena_strdup(a, when);
        }
    }
    out->facts = facts;
    return st;
}

enum status edit_fields(const struct admin_visit *v, const struct edit *e, struct tpl_admin_field *out,
                        struct error *err)
{
    static const char *const kinds[] = {
        [FIELD_LINE] = "line",       [FIELD_NUMBER] = "number", [FIELD_CHECK] = "check",  [FIELD_PASSWORD] = "password",
        [FIELD_CHOICES] = "choices", [FIELD_WORDS] = "words",   [FIELD_RATING] = "choice"};
    enum status st = OK;
    for (size_t i = 0; i < e->n && st == OK; i++) {
        const struct admin_field *f = &e->table->fields[i];
        out[i] = (struct tpl_admin_field){.name = f->name,
                                          .label = f->label,
                                          .kind = kinds[f->kind],
                                          .value = f->kind == FIELD_PASSWORD ? "" : e->values[i],
                                          .fixed = e->fixed[i],
                                          .required = f->flags & FIELD_REQUIRED,
                                          .help = f->help,
                                          .problem = e->problems[i],
                                          .checked = edit_same(e->values[i], "1")};
        if (e->conflict && !edit_same(e->before[i], e->values[i]))
            out[i].theirs = *e->before[i] ? e->before[i] : "(empty)";
        if (f->kind == FIELD_CHOICES)
            st = fill_options(v, f, e->values[i], &out[i], err);
        if (f->kind == FIELD_RATING || edit_is_open(e, f))
            st = fill_choice(v, e, i, &out[i], err);
        if (f->kind == FIELD_WORDS)
            st = fill_words(v, e, &out[i], err);
    }
    return st;
}

static void show(const struct admin_visit *v, const struct edit *e, int status, const char *problem, const char *noted)
{
    struct error err;
    struct buf html;
    const struct admin_table *table = e->table;
    struct tpl_admin_field fields[ADMIN_MAX_FIELDS] = {0};
    bool view_only = table->rights == ADMIN_VIEW;
    const char *heading = *e->id ? e->object : arena_printf(v->req->arena, "Add a %s", table->one);
    struct tpl_admin_form page = {.admin_layout = admin_layout(v, heading, table->name),
                                  .model = table->name,
                                  .heading = html_is(heading) ? heading : table->title,
                                  .id = e->id,
                                  .seen = e->seen,
                                  .problem = problem,
                                  .noted = noted,
                                  .can_delete = e->touchable && admin_may(v, table->name, ADMIN_DELETE),
                                  .has_document = edit_same(table->name, "stickers") && *e->id &&
                                                  admin_may(v, "documents", ADMIN_VIEW),
                                  .fields = fields,
                                  .n_fields = view_only ? 0 : e->n};
    enum status st = *e->id ? fill_facts(v, e, &page, &err) : OK;
    if (st == OK && !view_only)
        st = edit_fields(v, e, fields, &err);
    for (size_t i = 0; i < page.n_fields; i++)
        page.can_save |= !e->fixed[i];
    if (st != OK) {
        admin_fail(v, &err);
        return;
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_form(&html, &page);
    admin_send(v->res, status, &html);
}

/* The row that the URL names. Stickers are not added here but uploaded: then the answer is given. */
static bool start(const struct admin_visit *v, const struct admin_table *table, struct edit *e)
{
    struct error err;
    const char *id;
    enum status st = param_or(v->req, "id", "", &id, &err);
    if (st == OK)
        st = edit_start(v, table, id, e, &err);
    if (st != OK) {
        admin_fail(v, &err);
        return false;
    }
    if (!*id && table->upload) {
        admin_headers(v->res);
        http_redirect(v->res, 303, table->upload);
        return false;
    }
    return true;
}

void handle_admin_edit_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct edit e;
    const struct admin_table *table;
    if (!admin_visit(ctx, req, res, &v) || !(table = admin_wanted(&v, false)) ||
        !admin_needs(&v, table->name, ADMIN_VIEW) || !start(&v, table, &e))
        return;
    if (*e.id || admin_needs(&v, table->name, ADMIN_ADD))
        show(&v, &e, 200, NULL, NULL);
}

/* What they wrote stays, what it became meanwhile stands beside it, and saving again overwrites. */
static void show_conflict(const struct admin_visit *v, struct edit *e)
{
    struct edit now;
    if (!start(v, e->table, &now))
        return;
    memcpy(e->before, now.before, sizeof e->before);
    e->seen = now.seen;
    e->conflict = true;
    show(v, e, 409, "Somebody has changed it meanwhile. Look at both, and save again if yours shall stay.", NULL);
}

void handle_admin_edit(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct edit e;
    struct form form;
    struct error err;
    const struct admin_table *table;
    const char *key = NULL, *before = "";
    enum status st = OK;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS_MAX, &form) || !(table = admin_wanted(&v, false)) ||
        !start(&v, table, &e))
        return;
    if (!admin_needs(&v, table->name, *e.id ? ADMIN_CHANGE : ADMIN_ADD))
        return;
    if (!e.touchable) {
        admin_message(&v, 403, "Not allowed", "Only a superuser may change this.");
        return;
    }
    if (*e.id && !(before = edit_json(&e, req->arena)))
        st = err_no_memory(&err, "the rows");
    if (st == OK)
        st = edit_read(&form, &e, req->arena, &err);
    if (st == OK && e.wrong) {
        show(&v, &e, 400, "Not saved: something needs another look.", NULL);
        return;
    }
    if (st == OK)
        st = edit_save(&v, &e, before, &key, &err);
    if (st == OK && key) {
        const char *said = arena_printf(req->arena, "The token, shown this once: %s", key);
        show(&v, &e, 200, NULL, said);
    } else if (st == OK) {
        admin_to_list(&v, table, *e.id ? "changed" : "added");
    } else if (st == ERR_CONFLICT) {
        show_conflict(&v, &e);
    } else if (st == ERR_INVALID) {
        show(&v, &e, 400, err.message, NULL);
    } else {
        admin_fail(&v, &err);
    }
}
