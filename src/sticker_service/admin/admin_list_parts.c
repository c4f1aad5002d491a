/* admin_list_parts.c: what a list's page has beside its rows: filters with counts, the choice of columns, saved views,
 * and what was done before. */
#include "sticker_service/admin/admin_list.h"
#include "web/html.h"

#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS   256
#define VIEW_NAME_MAX 80

/* --- filters --- */

static const char *option_label(const struct list_facet *facets, size_t n, const char *value, const char *label,
                                bool counted, struct arena *a)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(facets[i].value, value) == 0)
            return arena_printf(a, "%s (%s)", label, admin_number(facets[i].count, a));
    return counted ? arena_printf(a, "%s (0)", label) : label;
}

/* The choices that the table names, with what the database counted of each. */
static enum status fill_choices(const struct admin_filter *f, const struct list_facet *facets, size_t n,
                                const char *value, struct arena *a, struct tpl_admin_list_filters *out,
                                struct error *err)
{
    struct tpl_admin_list_filters_options *options = arena_array(a, MAX_OPTIONS, sizeof *options);
    out->options = options;
    for (const struct admin_choice *c = f->choices; options && c->value; c++) {
        const char *label = c->label == ADMIN_SILENT ? c->value : admin_say(c->label);
        options[out->n_options++] =
            (struct tpl_admin_list_filters_options){.value = c->value,
                                                    .label = option_label(facets, n, c->value, label, n, a),
                                                    .selected = html_equal(c->value, value)};
    }
    return options ? OK : err_no_memory(err, "a list");
}

/* The values that rows have: a choice where they were counted, else what may be typed. */
static enum status fill_values(const struct admin_visit *v, const struct list_state *s, const struct admin_filter *f,
                               const struct list_facet *facets, size_t n_facets, struct tpl_admin_list_filters *out,
                               struct error *err)
{
    struct arena *a = v->req->arena;
    struct tpl_admin_list_filters_options *options = arena_array(a, MAX_OPTIONS, sizeof *options);
    const char **values;
    size_t n;
    bool selected = !*out->value;
    out->options = options;
    if (!options)
        return err_no_memory(err, "a list");
    for (size_t i = 0; i < n_facets; i++) {
        bool this_one = html_equal(facets[i].value, out->value);
        options[out->n_options++] = (struct tpl_admin_list_filters_options){
            .value = facets[i].value,
            .label = option_label(facets, n_facets, facets[i].value, facets[i].value, true, a),
            .selected = this_one};
        selected = selected || this_one;
    }
    if (n_facets) {
        out->kind = "choice";
        if (!selected)
            options[out->n_options++] = (struct tpl_admin_list_filters_options){
                .value = out->value, .label = option_label(NULL, 0, out->value, out->value, true, a), .selected = true};
        return OK;
    }
    enum status st = s->table->remote
                         ? documents_models(v->service, a, &values, &n, err)
                         : sticker_store_list_values(v->service->store, s->table->name, f->name, a, &values, &n, err);
    for (size_t k = 0; st == OK && k < n; k++)
        options[out->n_options++] = (struct tpl_admin_list_filters_options){.value = values[k], .label = values[k]};
    return st;
}

enum status list_fill_filters(const struct admin_visit *v, const struct list_state *s, struct tpl_admin_list *out,
                              struct error *err)
{
    struct arena *a = v->req->arena;
    struct list_ask ask = list_state_ask(s, 1, false);
    struct tpl_admin_list_filters *filters = arena_array(a, ADMIN_MAX_FILTERS, sizeof *filters);
    enum status st = filters ? OK : err_no_memory(err, "a list");
    out->filters = filters;
    for (size_t i = 0; st == OK && s->table->filters[i].name; i++) {
        const struct admin_filter *f = &s->table->filters[i];
        struct tpl_admin_list_filters *to = &filters[out->n_filters++];
        struct list_facet *facets = NULL;
        size_t n = 0;
        *to = (struct tpl_admin_list_filters){.name = f->name,
                                              .label = admin_say(f->label),
                                              .value = s->values[i],
                                              .kind = f->kind == FILTER_DATE     ? "date"
                                                      : f->kind == FILTER_CHOICE ? "choice"
                                                                                 : "values"};
        if (!s->table->remote)
            st = sticker_store_list_facet(v->service->store, &ask, f->name, a, &facets, &n, err);
        if (st == OK && f->kind == FILTER_CHOICE)
            st = fill_choices(f, facets, n, s->values[i], a, to, err);
        else if (st == OK && f->kind == FILTER_VALUES)
            st = fill_values(v, s, f, facets, n, to, err);
    }
    out->filtered = *s->search || s->n_filters;
    return st;
}

/* --- columns --- */

enum status list_fill_columns(const struct list_state *s, struct arena *a, struct tpl_admin_list *out,
                              struct error *err)
{
    struct tpl_admin_list_choices *choices = arena_array(a, ADMIN_MAX_COLUMNS, sizeof *choices);
    struct tpl_admin_list_kept *kept = arena_array(a, ADMIN_MAX_FILTERS + 4, sizeof *kept);
    if (!choices || !kept)
        return err_no_memory(err, "a list");
    for (size_t i = 0; s->table->columns[i].name; i++)
        choices[out->n_choices++] = (struct tpl_admin_list_choices){
            .name = s->table->columns[i].name, .label = admin_say(s->table->columns[i].label), .shown = s->shown[i]};
    kept[out->n_kept++] = (struct tpl_admin_list_kept){.name = "q", .value = s->search};
    for (size_t i = 0; s->table->filters[i].name; i++)
        if (*s->values[i])
            kept[out->n_kept++] =
                (struct tpl_admin_list_kept){.name = s->table->filters[i].name, .value = s->values[i]};
    const char *columns = "";
    for (size_t i = 0; s->chosen && columns && s->table->columns[i].name; i++)
        if (s->shown[i])
            columns = arena_printf(a, "%s%s%s", columns, *columns ? "," : "", s->table->columns[i].name);
    out->cols = columns;
    out->choices = choices;
    out->kept = kept;
    return columns ? OK : err_no_memory(err, "a list");
}

/* --- views --- */

enum status list_fill_views(const struct admin_visit *v, const struct list_state *s, struct tpl_admin_list *out,
                            struct error *err)
{
    struct arena *a = v->req->arena;
    struct list_state first = *s;
    struct saved_view *views;
    size_t n;
    first.cursor = "", first.backwards = false;
    const char *now = list_state_query(&first, a);
    enum status st = sticker_store_views(v->service->store, v->session.user.id, s->table->name, a, &views, &n, err);
    struct tpl_admin_list_views *rows = arena_array(a, n + 1, sizeof *rows);
    if (st != OK)
        return st;
    if (!rows || !now)
        return err_no_memory(err, "a list");
    for (size_t i = 0; i < n; i++)
        rows[i] =
            (struct tpl_admin_list_views){.id = views[i].id,
                                          .name = views[i].name,
                                          .link = arena_printf(a, "/admin/%s/?%s", s->table->name, views[i].query),
                                          .current = strcmp(views[i].query, now) == 0};
    out->views = rows;
    out->n_views = n;
    out->view_query = now;
    return OK;
}

void handle_admin_view(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    const struct admin_table *table;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, 8, &form) || !(table = admin_wanted(&v, true)) ||
        !admin_needs(&v, table->name, ADMIN_VIEW))
        return;
    const char *name = admin_field(&form, "name"), *gone = admin_field(&form, "delete");
    const char *done = *gone ? "view_deleted" : "view_saved";
    enum status st;
    if (*gone)
        st = sticker_store_view_delete(v.service->store, v.session.user.id, gone, &err);
    else if (!*name || strlen(name) > VIEW_NAME_MAX)
        st =
            err_set(&err, ERR_INVALID, "%s", admin_say_number(req->arena, MESSAGE_admin_view_name_long, VIEW_NAME_MAX));
    else
        st =
            sticker_store_view_save(v.service->store, v.session.user.id, table->name, name, admin_list_param(&v), &err);
    if (st == OK)
        admin_to_list(&v, table, done);
    else
        admin_fail(&v, &err);
}

/* --- what was done --- */

static const struct {
    const char *done;
    enum message said, many; /* "Saved.", "{what} saved." */
} notes[] = {{"added", MESSAGE_admin_done_added, MESSAGE_admin_done_added_many},
             {"uploaded", MESSAGE_admin_done_uploaded, MESSAGE_admin_done_uploaded_many},
             {"changed", MESSAGE_admin_done_changed, MESSAGE_admin_done_changed_many},
             {"deleted", MESSAGE_admin_done_deleted, MESSAGE_admin_done_deleted_many},
             {"trashed", MESSAGE_admin_done_trashed, MESSAGE_admin_done_trashed_many},
             {"purged", MESSAGE_admin_done_purged, MESSAGE_admin_done_purged_many},
             {"restored", MESSAGE_admin_done_restored, MESSAGE_admin_done_restored_many},
             {"undone", MESSAGE_admin_done_undone, MESSAGE_admin_done_undone_many},
             {"reindexed", MESSAGE_admin_done_reindexed, MESSAGE_admin_done_reindexed_many},
             {"view_saved", MESSAGE_admin_done_view_saved, ADMIN_SILENT},
             {"view_deleted", MESSAGE_admin_done_view_deleted, ADMIN_SILENT}};

enum status list_fill_noted(const struct admin_visit *v, const struct list_state *s, struct tpl_admin_list *out,
                            struct error *err)
{
    struct arena *a = v->req->arena;
    const char *done = "", *batch = "";
    int64_t n = 0;
    enum status st = http_param_or(v->req, "done", "", &done, err);
    if (st == OK)
        st = http_param_or(v->req, "batch", "", &batch, err);
    if (st == OK)
        st = http_param_int(v->req, "n", 0, INT64_MAX / 2, 0, &n, err);
    if (st != OK)
        return st;
    if (strcmp(done, "nothing") == 0)
        out->problem = admin_say(MESSAGE_admin_none_selected);
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (strcmp(notes[i].done, done) == 0) {
            out->noted = admin_say(notes[i].said);
            if (n > 1 && notes[i].many != ADMIN_SILENT)
                out->noted = admin_say_text(a, notes[i].many, "what", admin_count(s->table, n, a));
        }
    int64_t kept = strtoll(admin_param_text(v, "kept"), NULL, 10);
    if (strcmp(done, "undone") == 0 && kept > 0)
        out->noted = arena_printf(a, "%s %s", out->noted, admin_say_number(a, MESSAGE_admin_done_kept, kept));
    if (out->noted && strlen(batch) == 36 && strcmp(done, "changed") == 0 && admin_may(v, "stickers", ADMIN_CHANGE))
        out->undo = batch;
    return OK;
}
