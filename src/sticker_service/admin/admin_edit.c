/* /admin/{table}/edit: adding and changing a row, with its history. (Stickers are added by admin_upload.c; what is done
 * to many is in admin_bulk.c.) */
#include "sticker_service/admin/admin_edit.h"
#include "base/json_out.h"
#include "base/os.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "sticker_service/auth.h"
#include "text/text.h"
#include "web/html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX  512 /* in a form */
#define MAX_OPTIONS 256
#define EMPTY_ROWS  3 /* offered for more languages */
#define MAX_JSON    (1u << 20)
#define PICTURE     256u /* pixels wide */

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* The list's column for a field; NULL where it has none (a password, a sticker's words). */
static const char *column_of(const struct admin_field *f)
{
    if (f->kind == FIELD_PASSWORD || f->kind == FIELD_WORDS)
        return NULL;
    return same(f->name, "groups") ? "group_ids" : f->name;
}

/* --- as it is --- */

static enum status load_row(const struct admin_visit *v, struct edit *e, struct error *err)
{
    struct arena *a = v->req->arena;
    const char *columns[ADMIN_MAX_FIELDS + 2], **cells;
    size_t n = 0, at = 2;
    columns[n++] = e->model->object;
    columns[n++] = same(e->model->name, "history") ? "at_us" : "modified_us";
    for (size_t i = 0; i < e->n; i++)
        if (column_of(&e->model->fields[i]))
            columns[n++] = column_of(&e->model->fields[i]);
    enum status st = sticker_store_list_row(v->service->store, e->model->name, e->id, columns, n, a, &cells, err);
    if (st != OK)
        return st;
    e->object = cells[0];
    e->seen = cells[1];
    for (size_t i = 0; i < e->n; i++)
        e->before[i] = e->values[i] = column_of(&e->model->fields[i]) ? cells[at++] : "";
    if (!same(e->model->name, "stickers"))
        return OK;
    st = sticker_store_get(v->service->store, e->id, a, &e->sticker, err);
    e->n_words = st == OK ? e->sticker.n_words : 0;
    e->words = arena_array(a, e->n_words + 1, sizeof *e->words);
    if (!e->words)
        return err_no_memory(err, "a form");
    for (size_t i = 0; i < e->n_words; i++)
        e->words[i] = e->sticker.words[i];
    return st;
}

/* Others than superusers look after plain users only, and give no rights: else they could give themselves all. */
static bool may_touch(const struct admin_visit *v, const struct edit *e)
{
    if (v->session.user.is_superuser)
        return true;
    if (same(e->model->name, "groups"))
        return false;
    if (!same(e->model->name, "users") || !*e->id)
        return true;
    for (size_t i = 0; i < e->n; i++)
        if (e->model->fields[i].flags & FIELD_SUPERUSER_ONLY && *e->before[i] && !same(e->before[i], "0"))
            return false;
    return true;
}

enum status edit_row(const struct admin_visit *v, const struct admin_table *m, const char *id, struct edit *e,
                     struct error *err)
{
    *e = (struct edit){.model = m, .id = id, .object = "", .seen = "0"};
    while (m->fields[e->n].name)
        e->n++;
    for (size_t i = 0; i < e->n; i++)
        e->before[i] = e->values[i] = same(m->fields[i].name, "is_active") ? "1" : "";
    enum status st = *id ? load_row(v, e, err) : OK;
    e->touchable = may_touch(v, e);
    return st;
}

enum status edit_start(const struct admin_visit *v, const struct admin_table *m, const char *id, struct edit *e,
                       struct error *err)
{
    enum status st = edit_row(v, m, id, e, err);
    enum admin_right right = *e->id ? ADMIN_CHANGE : ADMIN_ADD;
    bool may = e->touchable && admin_may(v, m->name, right);
    for (size_t i = 0; i < e->n; i++)
        e->fixed[i] = !may || (*e->id && m->fields[i].flags & FIELD_ADD_ONLY) ||
                      (m->fields[i].flags & FIELD_SUPERUSER_ONLY && !v->session.user.is_superuser);
    return st;
}

/* --- as somebody wants it --- */

static void wrong(struct edit *e, size_t i, const char *problem)
{
    e->wrong = true;
    e->problems[i] = problem;
}

/* The value of the k-th field of that name; NULL past the last. */
static const char *nth(const struct form *form, const char *name, size_t k)
{
    for (size_t i = 0; i < form->count; i++)
        if (same(form->fields[i].name, name) && k-- == 0)
            return form->fields[i].value;
    return NULL;
}

/* Rows of a language and its words; what is empty in both falls away. */
static enum status read_words(const struct form *form, struct edit *e, size_t field, struct arena *a, struct error *err)
{
    const char *language, *typed;
    struct sticker_words *words = arena_array(a, form->count + 1, sizeof *words);
    e->words = words;
    e->n_words = 0;
    if (!words)
        return err_no_memory(err, "a form");
    for (size_t i = 0; (language = nth(form, "language", i)) && (typed = nth(form, "words", i)); i++) {
        const char *normal = text_normalize_words(typed, a);
        if (!normal)
            return err_no_memory(err, "a form");
        if (!*language && !*normal)
            continue;
        struct sticker_words *w = &words[e->n_words++];
        *w = (struct sticker_words){language, normal, NULL};
        for (size_t k = 0; k < e->sticker.n_words; k++) /* titles are not edited here */
            if (same(e->sticker.words[k].language, language))
                w->title = e->sticker.words[k].title;
        if (!*language)
            wrong(e, field, "These words have no language, such as en.");
        else if (strspn(language, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") !=
                     strlen(language) ||
                 strlen(language) > 35)
            wrong(e, field, "A language is a tag such as en or pt-BR.");
        else if (strlen(normal) > e->model->fields[field].max)
            wrong(e, field, "These are too many words for one language.");
    }
    return OK;
}

/* All values of a field, with spaces between. */
static const char *joined(const struct form *form, const char *name, struct arena *a)
{
    const char *out = "";
    for (size_t i = 0; i < form->count && out; i++)
        if (same(form->fields[i].name, name) && !strchr(form->fields[i].value, ' '))
            out = arena_printf(a, "%s%s%s", out, *out ? " " : "", form->fields[i].value);
    return out;
}

/* Whether the field is a choice in which nothing may be chosen: then a row stays as it is, and a new one is as its
 * picture. */
static bool is_open(const struct edit *e, const struct admin_field *f)
{
    return !*e->id && f->flags & FIELD_MANY && (f->kind == FIELD_CHECK || f->kind == FIELD_RATING);
}

static void check_value(struct edit *e, size_t i)
{
    const struct admin_field *f = &e->model->fields[i];
    const char *value = e->values[i];
    size_t len = strlen(value);
    enum rating rating;
    if (f->flags & FIELD_REQUIRED && !len)
        wrong(e, i, "This is needed.");
    else if (f->kind == FIELD_LINE && len > f->max)
        wrong(e, i, "This is too long.");
    else if (f->kind == FIELD_LINE && utf8_has_control(value, len))
        wrong(e, i, "This must be one line without control characters.");
    else if (f->kind == FIELD_LINE && same(f->name, "query") && utf8_count(value, len) > 255)
        wrong(e, i, "At most 255 characters.");
    else if (f->kind == FIELD_NUMBER && (len == 0 || len > 15 || strspn(value, "0123456789") != len))
        wrong(e, i, "This must be a whole number.");
    else if (f->kind == FIELD_RATING && len && !rating_parse(value, &rating))
        wrong(e, i, "This must be g, pg, pg-13 or r.");
    else if (f->kind == FIELD_CHECK && len && !same(value, "0") && !same(value, "1"))
        wrong(e, i, "This must be 0 or 1.");
    else if (f->kind == FIELD_PASSWORD && !len && !*e->id)
        wrong(e, i, "A new user needs one.");
    else if (f->kind == FIELD_PASSWORD && len && (len < SECRET_LEAST_PASSWORD || len > SECRET_MOST_PASSWORD))
        wrong(e, i, "At least 8 characters.");
}

enum status edit_read(const struct form *form, struct edit *e, struct arena *a, struct error *err)
{
    e->seen = admin_field(form, "seen");
    for (size_t i = 0; i < e->n; i++) {
        const struct admin_field *f = &e->model->fields[i];
        if (e->fixed[i])
            continue;
        if (f->kind == FIELD_WORDS) {
            enum status st = read_words(form, e, i, a, err);
            if (st != OK)
                return st;
            continue;
        }
        e->values[i] = f->kind == FIELD_CHOICES                   ? joined(form, f->name, a)
                       : f->kind == FIELD_CHECK && !is_open(e, f) ? (*admin_field(form, f->name) ? "1" : "0")
                                                                  : admin_field(form, f->name);
        if (f->kind == FIELD_RATING && !*e->values[i])
            e->values[i] = e->before[i]; /* the form does not speak of it */
        if (!e->values[i])
            return err_no_memory(err, "a form");
        if (f->kind == FIELD_LINE && same(f->name, "query")) { /* as searches are stored */
            size_t len = strlen(e->values[i]);
            utf8_trim(&e->values[i], &len);
            if (!(e->values[i] = arena_strndup(a, e->values[i], len)))
                return err_no_memory(err, "a form");
        }
        check_value(e, i);
    }
    return OK;
}

const char *edit_json(const struct edit *e, struct arena *a)
{
    struct buf out;
    buf_init(&out, MAX_JSON);
    for (size_t i = 0; i < e->n; i++) {
        const struct admin_field *f = &e->model->fields[i];
        buf_printf(&out, "%s\"%s\":", i ? "," : "{", f->name);
        if (f->kind == FIELD_WORDS) {
            for (size_t k = 0; k < e->n_words; k++) {
                buf_puts(&out, k ? "," : "{");
                json_put_string(&out, e->words[k].language);
                buf_putc(&out, ':');
                json_put_string(&out, e->words[k].words);
            }
            buf_puts(&out, e->n_words ? "}" : "{}");
        } else {
            json_put_string(&out, f->kind != FIELD_PASSWORD ? e->values[i] : *e->values[i] ? "changed" : "");
        }
    }
    buf_puts(&out, "}");
    const char *text = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return text;
}

/* The sticker as its form has it, and where the form left it open, the form as the sticker is. */
static void fill_sticker(struct edit *e)
{
    struct sticker *k = &e->sticker;
    const struct {
        const char *field, **member;
    } texts[] = {{"title", &k->title},
                 {"pack", &k->pack},
                 {"author", &k->author},
                 {"license", &k->license},
                 {"source", &k->source}};
    for (size_t i = 0; i < e->n; i++)
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            if (same(e->model->fields[i].name, texts[t].field))
                *texts[t].member = e->values[i];
    for (size_t i = 0; i < e->n; i++)
        if (same(e->model->fields[i].name, "rating")) {
            (void)rating_parse(e->values[i], &k->rating); /* "": as it is */
            e->values[i] = rating_name(k->rating);
        } else if (same(e->model->fields[i].name, "animated")) {
            k->animated = *e->values[i] ? same(e->values[i], "1") : k->animated;
            e->values[i] = k->animated ? "1" : "0";
        }
    k->words = e->words;
    k->n_words = e->n_words;
}

enum status edit_change(const struct admin_visit *v, struct edit *e, const char *before, const char **key,
                        struct admin_change *out, struct error *err)
{
    struct arena *a = v->req->arena;
    struct admin_pair *fields = arena_array(a, ADMIN_MAX_FIELDS + 1, sizeof *fields);
    struct sticker_terms *terms = arena_array(a, 1, sizeof *terms);
    char hash[SECRET_HASH_SIZE], token[41], token_hash[65];
    size_t n = 0;
    enum status st = fields && terms ? OK : err_no_memory(err, "a form");
    for (size_t i = 0; i < e->n && st == OK; i++) {
        const struct admin_field *f = &e->model->fields[i];
        if (f->kind == FIELD_PASSWORD && *e->values[i]) {
            st = secret_hash_password(e->values[i], hash, err);
            fields[n++] = (struct admin_pair){"password_hash", arena_strdup(a, hash)};
        } else if (f->kind != FIELD_PASSWORD && f->kind != FIELD_WORDS) {
            fields[n++] = (struct admin_pair){f->name, e->values[i]};
        }
        if (i == 0 || same(f->name, e->model->object))
            e->object = same(e->model->name, "stickers") ? e->sticker.filename : e->values[i];
    }
    if (st == OK && same(e->model->name, "tokens")) {
        auth_token_new(token);
        auth_token_hash(token, token_hash);
        fields[n++] = (struct admin_pair){"hash_hex", arena_strdup(a, token_hash)};
        *key = arena_strdup(a, token);
    }
    if (st == OK && same(e->model->name, "stickers")) {
        fill_sticker(e);
        st = text_sticker_terms(e->sticker.title, e->sticker.filename, e->words, e->n_words, a, terms, err);
        if (st == ERR_TOO_LARGE || st == ERR_INVALID)
            st = err_set(err, ERR_INVALID, "These are too many words.");
    }
    const char *after = edit_json(e, a);
    if (st != OK)
        return st;
    *out = (struct admin_change){.op = *e->id ? CHANGE_UPDATE : CHANGE_ADD,
                                 .list = e->model->name,
                                 .id = *e->id ? e->id : NULL,
                                 .seen_us = strtoll(e->seen, NULL, 10),
                                 .sticker = &e->sticker,
                                 .terms = terms,
                                 .fields = fields,
                                 .n_fields = n,
                                 .object = e->object,
                                 .before = before,
                                 .after = after};
    bool complete = after;
    for (size_t i = 0; i < n; i++)
        complete = complete && fields[i].value;
    return complete ? OK : err_no_memory(err, "a form");
}

enum status edit_save(const struct admin_visit *v, struct edit *e, const char *before, const char **key,
                      struct error *err)
{
    struct admin_who who = {v->session.user.username, v->address};
    struct admin_change change;
    enum status st = edit_change(v, e, before, key, &change, err);
    if (st == OK)
        st = sticker_store_change(v->service->store, &who, &change, 1, err);
    if (st == OK && e->model->reindexes)
        outbox_wake(v->service->outbox);
    return st;
}

/* --- the page --- */

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
    if (same(f->name, "groups")) {
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
            if (!(admin_tables[m].rights & 1u << r) || same(admin_tables[m].name, "groups"))
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
    const struct admin_field *f = &e->model->fields[i];
    struct tpl_admin_field_options *options = arena_array(v->req->arena, RATING_R + 2, sizeof *options);
    if (!options)
        return err_no_memory(err, "a form");
    out->kind = "choice";
    out->options = options;
    if (is_open(e, f))
        options[out->n_options++] = (struct tpl_admin_field_options){.value = "", .label = "(as it is)"};
    if (f->kind == FIELD_CHECK) {
        options[out->n_options++] = (struct tpl_admin_field_options){.value = "1", .label = "Yes"};
        options[out->n_options++] = (struct tpl_admin_field_options){.value = "0", .label = "No"};
    }
    for (enum rating r = RATING_G; f->kind == FIELD_RATING && r <= RATING_R; r++)
        options[out->n_options++] = (struct tpl_admin_field_options){.value = rating_name(r), .label = rating_name(r)};
    for (size_t k = 0; k < out->n_options; k++)
        options[k].checked = same(options[k].value, e->values[i]);
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

static bool has_field(const struct tpl_admin_form *page, const struct admin_table *m, const char *name)
{
    for (size_t i = 0; i < page->n_fields; i++)
        if (same(m->fields[i].name, name))
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
    for (const struct admin_column *c = e->model->columns; c->name; c++)
        columns[n++] = c->name;
    if (!facts)
        return err_no_memory(err, "a form");
    enum status st = sticker_store_list_row(v->service->store, e->model->name, e->id, columns, n, a, &cells, err);
    for (size_t i = 0; st == OK && i < n; i++) {
        const struct admin_column *c = &e->model->columns[i];
        char when[28];
        if (c->kind == KIND_PICTURE) {
            struct buf url;
            buf_init(&url, 4096);
            media_url(&url, e->id, cells[i], PICTURE);
            out->picture = arena_strdup(a, buf_str(&url));
            buf_free(&url);
        }
        if (has_field(out, e->model, c->name))
            continue;
        struct tpl_admin_form_facts *fact = &facts[out->n_facts++];
        *fact =
            (struct tpl_admin_form_facts){.label = c->kind == KIND_PICTURE ? "SHA-256" : c->label, .value = cells[i]};
        if (c->kind == KIND_YES)
            fact->value = same(cells[i], "1") ? "yes" : "no";
        if (c->kind == KIND_TIME && !same(cells[i], "0")) {
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
        const struct admin_field *f = &e->model->fields[i];
        out[i] = (struct tpl_admin_field){.name = f->name,
                                          .label = f->label,
                                          .kind = kinds[f->kind],
                                          .value = f->kind == FIELD_PASSWORD ? "" : e->values[i],
                                          .fixed = e->fixed[i],
                                          .required = f->flags & FIELD_REQUIRED,
                                          .help = f->help,
                                          .problem = e->problems[i],
                                          .checked = same(e->values[i], "1")};
        if (e->conflict && !same(e->before[i], e->values[i]))
            out[i].theirs = *e->before[i] ? e->before[i] : "(empty)";
        if (f->kind == FIELD_CHOICES)
            st = fill_options(v, f, e->values[i], &out[i], err);
        if (f->kind == FIELD_RATING || is_open(e, f))
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
    const struct admin_table *m = e->model;
    struct tpl_admin_field fields[ADMIN_MAX_FIELDS] = {0};
    bool view_only = m->rights == ADMIN_VIEW;
    const char *heading = *e->id ? e->object : arena_printf(v->req->arena, "Add a %s", m->one);
    struct tpl_admin_form page = {.admin_layout = admin_layout(v, heading, m->name),
                                  .model = m->name,
                                  .heading = html_is(heading) ? heading : m->title,
                                  .id = e->id,
                                  .seen = e->seen,
                                  .problem = problem,
                                  .noted = noted,
                                  .can_delete = e->touchable && admin_may(v, m->name, ADMIN_DELETE),
                                  .has_document =
                                      same(m->name, "stickers") && *e->id && admin_may(v, "documents", ADMIN_VIEW),
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
static bool start(const struct admin_visit *v, const struct admin_table *m, struct edit *e)
{
    struct error err;
    const char *id;
    enum status st = param_or(v->req, "id", "", &id, &err);
    if (st == OK)
        st = edit_start(v, m, id, e, &err);
    if (st != OK) {
        admin_fail(v, &err);
        return false;
    }
    if (!*id && m->upload) {
        admin_headers(v->res);
        http_redirect(v->res, 303, m->upload);
        return false;
    }
    return true;
}

void handle_admin_edit_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct edit e;
    const struct admin_table *m;
    if (!admin_visit(ctx, req, res, &v) || !(m = admin_wanted(&v, false)) || !admin_needs(&v, m->name, ADMIN_VIEW) ||
        !start(&v, m, &e))
        return;
    if (*e.id || admin_needs(&v, m->name, ADMIN_ADD))
        show(&v, &e, 200, NULL, NULL);
}

/* What they wrote stays, what it became meanwhile stands beside it, and saving again overwrites. */
static void show_conflict(const struct admin_visit *v, struct edit *e)
{
    struct edit now;
    if (!start(v, e->model, &now))
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
    const struct admin_table *m;
    const char *key = NULL, *before = "";
    enum status st = OK;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS_MAX, &form) || !(m = admin_wanted(&v, false)) ||
        !start(&v, m, &e))
        return;
    if (!admin_needs(&v, m->name, *e.id ? ADMIN_CHANGE : ADMIN_ADD))
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
        admin_to_list(&v, m, *e.id ? "changed" : "added");
    } else if (st == ERR_CONFLICT) {
        show_conflict(&v, &e);
    } else if (st == ERR_INVALID) {
        show(&v, &e, 400, err.message, NULL);
    } else {
        admin_fail(&v, &err);
    }
}
