/* admin_edit_page.c: /admin/{table}/edit: the page of one row, and what its form sends. */
#include "base/json_out.h"
#include "base/os.h"
#include "sticker_service/admin/admin_edit.h"
#include "sticker_service/admin/admin_list.h"
#include "web/html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIELDS_MAX  512 /* in a form */
#define MAX_OPTIONS 256
#define EMPTY_ROWS  3    /* offered for more languages, of a sticker that there is one */
#define FEW         6    /* languages that are all shown */
#define MAX_WANTED  16   /* languages that somebody asks for */
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
    static const char *const pages[] = {"webhooks.view", "webhooks.change", "dashboard.view"}; /* that are no lists */
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
        options[out->n_options++] =
            (struct tpl_admin_field_options){.value = pages[i], .label = pages[i], .checked = holds(value, pages[i])};
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
        options[out->n_options++] =
            (struct tpl_admin_field_options){.value = "", .label = admin_say(MESSAGE_admin_unchanged)};
    if (f->kind == FIELD_CHECK) {
        options[out->n_options++] =
            (struct tpl_admin_field_options){.value = "1", .label = admin_say(MESSAGE_admin_choice_yes)};
        options[out->n_options++] =
            (struct tpl_admin_field_options){.value = "0", .label = admin_say(MESSAGE_admin_choice_no)};
    }
    for (enum rating r = RATING_G; f->kind == FIELD_RATING && r <= RATING_R; r++)
        options[out->n_options++] = (struct tpl_admin_field_options){.value = rating_name(r), .label = rating_name(r)};
    for (size_t k = 0; k < out->n_options; k++)
        options[k].checked = edit_same(options[k].value, e->values[i]);
    return OK;
}

/* Whether "de-AT, en;q=0.8" or "de,en" names the language, by its primary tag. */
static bool asks_for(const char *list, const char *language)
{
    size_t len = strcspn(language, "-");
    for (const char *at = list; at && *at;) {
        at += strspn(at, " ,");
        size_t n = strcspn(at, "-;, ");
        if (n == len && strncasecmp(at, language, n) == 0)
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

/* English, what the browser or the URL asks for, what was typed; all where there are few. */
static bool is_open(const struct admin_visit *v, const struct edit *e, const char *language)
{
    const char *asked = "";
    if (e->n_words <= FEW || edit_same(language, "en") || asks_for(http_header(v->req, "Accept-Language"), language))
        return true;
    for (size_t i = 0; i < e->n_typed; i++)
        if (edit_same(e->typed[i], language))
            return true;
    return http_param_or(v->req, "lang", "", &asked, NULL) == OK && asks_for(asked, language);
}

static enum status fill_words(const struct admin_visit *v, const struct edit *e, struct tpl_admin_field *out,
                              struct error *err)
{
    bool english = false;
    size_t empty = *e->id ? 1 : EMPTY_ROWS, n = 0;
    struct tpl_admin_field_words *rows = arena_array(v->req->arena, e->n_words + EMPTY_ROWS + 1, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "a form");
    for (size_t i = 0; i < e->n_words; i++)
        english = english || edit_same(e->words[i].language, "en");
    if (*e->id && !english)
        rows[n++] = (struct tpl_admin_field_words){.language = "en", .open = true};
    for (size_t i = 0; i < e->n_words; i++) {
        bool open = is_open(v, e, e->words[i].language);
        rows[n++] = (struct tpl_admin_field_words){
            .language = e->words[i].language, .title = e->words[i].title, .words = e->words[i].words, .open = open};
        out->folded += !open;
    }
    for (size_t i = 0; i < empty; i++)
        rows[n++] = (struct tpl_admin_field_words){.language = "", .open = true, .blank = true};
    for (size_t i = 0; i < n; i++)
        rows[i].place = (int64_t)i + 1;
    out->words = rows;
    out->n_words = n;
    out->row = e->id;
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
        if (c->kind == KIND_PICTURE && edit_same(e->table->name, "stickers"))
            out->picture = list_image(e->id, cells[i], PICTURE, a);
        else if (c->kind == KIND_PICTURE && *cells[i])
            out->picture = list_image(e->object, cells[i], PICTURE, a);
        bool compared =
            edit_same(e->table->name, "history") && (edit_same(c->name, "before") || edit_same(c->name, "after"));
        if (has_field(out, e->table, c->name) || c->flags & COLUMN_VIEW || compared)
            continue;
        struct tpl_admin_form_facts *fact = &facts[out->n_facts++];
        *fact = (struct tpl_admin_form_facts){.label = c->kind == KIND_PICTURE ? "SHA-256" : admin_say(c->label),
                                              .value = cells[i]};
        if (c->kind == KIND_YES)
            fact->value = edit_same(cells[i], "1") ? admin_say(MESSAGE_admin_yes) : admin_say(MESSAGE_admin_no);
        if (c->kind == KIND_TIME) {
            os_format_time(strtoll(cells[i], NULL, 10), when);
            fact->time = edit_same(cells[i], "0") ? NULL : arena_strndup(a, when, 19);
            fact->value =
                fact->time ? arena_printf(a, "%.10s %.5s UTC", when, when + 11) : admin_say(MESSAGE_admin_never);
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
                                          .label = admin_say(f->label),
                                          .kind = kinds[f->kind],
                                          .value = f->kind == FIELD_PASSWORD ? "" : e->values[i],
                                          .fixed = e->fixed[i],
                                          .required = f->flags & FIELD_REQUIRED,
                                          .help = admin_say(f->help),
                                          .problem = e->problems[i],
                                          .checked = edit_same(e->values[i], "1")};
        if (e->conflict && !edit_same(e->before[i], e->values[i]))
            out[i].theirs = *e->before[i] ? e->before[i] : admin_say(MESSAGE_admin_empty);
        if (f->kind == FIELD_CHOICES)
            st = fill_options(v, f, e->values[i], &out[i], err);
        if (f->kind == FIELD_RATING || edit_is_open(e, f))
            st = fill_choice(v, e, i, &out[i], err);
        if (f->kind == FIELD_WORDS)
            st = fill_words(v, e, &out[i], err);
    }
    return st;
}

/* The row after this one in the list that somebody came from; "" without one. */
static const char *next_row(const struct admin_visit *v, const struct edit *e)
{
    struct list_state s;
    struct error err;
    const char *next = "";
    if (!*e->id || list_state_kept(v, e->table, &s, &err) != OK)
        return "";
    s.columns[s.n_columns++] = e->table->object;
    struct list_ask ask = list_state_ask(&s, 1, false);
    return sticker_store_list_next(v->service->store, &ask, e->id, v->req->arena, &next, &err) == OK ? next : "";
}

static void show(const struct admin_visit *v, const struct edit *e, int status, const char *problem, const char *noted,
                 const char *key)
{
    struct error err;
    struct buf html;
    const struct admin_table *table = e->table;
    struct tpl_admin_field fields[ADMIN_MAX_FIELDS] = {0};
    bool view_only = table->rights == ADMIN_VIEW, sticker = edit_same(table->name, "stickers") && *e->id;
    const char *heading = *e->id ? e->object : admin_say(table->add);
    struct tpl_admin_form page = {.admin_layout = admin_layout(v, heading, table->name),
                                  .model = table->name,
                                  .heading = html_is(heading) ? heading : admin_say(table->title),
                                  .id = e->id,
                                  .seen = e->seen,
                                  .problem = problem,
                                  .noted = noted,
                                  .key = key,
                                  .list_query = admin_list_param(v),
                                  .back = admin_list_url(v, table),
                                  .can_delete = e->touchable && admin_may(v, table->name, ADMIN_DELETE),
                                  .has_document = sticker && admin_may(v, "documents", ADMIN_VIEW),
                                  .is_sticker = sticker,
                                  .fields = fields,
                                  .n_fields = view_only ? 0 : e->n};
    enum status st = *e->id ? fill_facts(v, e, &page, &err) : OK;
    if (st == OK && !view_only)
        st = edit_fields(v, e, fields, &err);
    for (size_t i = 0; i < page.n_fields; i++) {
        page.can_save |= !e->fixed[i];
        fields[i].id = *e->id ? e->id : NULL;
        if (fields[i].problem && !page.first_problem)
            page.first_problem = fields[i].name;
        if (sticker && edit_same(fields[i].name, "title"))
            page.name = fields[i].value;
    }
    if (st == OK && page.can_save)
        page.next = next_row(v, e);
    if (st == OK)
        st = edit_beside(v, e, &page, &err);
    if (st != OK) {
        admin_fail(v, &err);
        return;
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_form(&html, &page, admin_messages());
    admin_send(v->res, status, &html);
}

/* The row that the URL names. Stickers are not added here but uploaded: then the answer is given. */
static bool start(const struct admin_visit *v, const struct admin_table *table, struct edit *e)
{
    struct error err;
    const char *id;
    enum status st = http_param_or(v->req, "id", "", &id, &err);
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
    const char *done = "";
    if (http_param_or(req, "done", "", &done, NULL) != OK)
        done = "";
    if (*e.id || admin_needs(&v, table->name, ADMIN_ADD))
        show(&v, &e, 200, NULL, edit_same(done, "changed") ? admin_say(MESSAGE_admin_saved_next) : NULL, NULL);
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
    show(v, e, 409, admin_say(MESSAGE_admin_edit_conflict), NULL, NULL);
}

/* For lists, whose scripts edit a field in its place: {"problem":"","value":"Cat","seen":"1764400000000000"}. */
static void answer_inline(const struct admin_visit *v, const struct edit *e, int status, const char *problem)
{
    struct buf out;
    struct edit now;
    struct error err;
    const char *only = admin_param_text(v, "field"), *value = "";
    if (edit_row(v, e->table, e->id, &now, &err) != OK) {
        http_problem_from(v->res, &err);
        return;
    }
    for (size_t i = 0; i < now.n; i++)
        if (edit_same(now.table->fields[i].name, only))
            value = now.values[i];
    for (size_t i = 0; edit_same(only, "words") && i < now.n_words; i++)
        if (edit_same(now.words[i].language, "en"))
            value = now.words[i].words;
    for (size_t i = 0; i < e->n && !problem; i++)
        problem = e->problems[i];
    buf_init(&out, ADMIN_HTML_MAX);
    buf_puts(&out, "{\"problem\":");
    json_put_string(&out, problem ? problem : "");
    buf_puts(&out, ",\"value\":");
    json_put_string(&out, value);
    buf_puts(&out, ",\"seen\":");
    json_put_string(&out, now.seen);
    buf_putc(&out, '}');
    admin_headers(v->res);
    if (out.failed)
        http_problem_unfinished(v->res, &out, "an answer");
    else
        http_json(v->res, status, buf_str(&out), out.len);
    buf_free(&out);
}

/* To the next row, or back to the list. */
static void saved(const struct admin_visit *v, const struct edit *e, const struct form *form)
{
    const char *next = admin_field(form, "next");
    struct buf to;
    if (!edit_same(admin_field(form, "then"), "next") || !*next) {
        admin_to_list(v, e->table, *e->id ? "changed" : "added");
        return;
    }
    buf_init(&to, 64u << 10);
    buf_printf(&to, "/admin/%s/edit?done=changed&id=", e->table->name);
    html_url_part(&to, next);
    buf_puts(&to, "&list=");
    html_url_part(&to, admin_list_param(v));
    admin_headers(v->res);
    http_redirect(v->res, 303, to.failed ? "/admin/" : buf_str(&to));
    buf_free(&to);
}

/* What was sent and could not be kept. */
static void refuse(const struct admin_visit *v, struct edit *e, enum status st, const struct error *err, bool is_inline)
{
    if (is_inline && (st == ERR_CONFLICT || st == ERR_INVALID))
        answer_inline(v, e, st == ERR_CONFLICT ? 409 : 400, err->message);
    else if (st == ERR_CONFLICT)
        show_conflict(v, e);
    else if (st == ERR_INVALID)
        show(v, e, 400, err->message, NULL, NULL);
    else
        admin_fail(v, err);
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
    if (!e.n) {
        admin_message(&v, 400, MESSAGE_admin_invalid, admin_say(MESSAGE_admin_no_edit));
        return;
    }
    if (!e.touchable) {
        admin_message(&v, 403, MESSAGE_admin_denied, admin_say(MESSAGE_admin_denied_change));
        return;
    }
    bool is_inline = *e.id && *admin_param_text(&v, "field");
    if (*e.id && !(before = edit_json(&e, req->arena)))
        st = err_no_memory(&err, "the rows");
    if (st == OK)
        st = edit_read(&form, &e, req->arena, &err);
    if (st == OK && e.wrong) {
        if (is_inline)
            answer_inline(&v, &e, 400, NULL);
        else
            show(&v, &e, 400, admin_say(MESSAGE_admin_not_saved), NULL, NULL);
        return;
    }
    if (st == OK)
        st = edit_save(&v, &e, before, &key, &err);
    if (st != OK)
        refuse(&v, &e, st, &err, is_inline);
    else if (is_inline)
        answer_inline(&v, &e, 200, NULL);
    else if (key)
        show(&v, &e, 200, NULL, NULL, key);
    else
        saved(&v, &e, &form);
}
