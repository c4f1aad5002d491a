/* admin_edit_beside.c: what the page of one row has beside its form: a sticker's votes and history; of an entry of the
 * history, what it changed and whether that can be undone. */
#include "base/os.h"
#include "sticker_service/admin/admin_edit.h"
#include "sticker_service/admin/admin_history.h"

#include <jansson.h>
#include <stdlib.h>

#define ROWS            8
#define DIFFERENCES_MAX 400 /* fields and languages of one entry */

/* The first rows of another list, filtered by one value. */
static enum status list_some(const struct admin_visit *v, const char *list, const char *sort,
                             const struct admin_pair *filters, size_t n_filters, const char *const *columns,
                             size_t n_columns, struct list_page *out, struct error *err)
{
    struct list_ask ask = {.list = list,
                           .columns = columns,
                           .n_columns = n_columns,
                           .sort = sort,
                           .descending = true,
                           .search = "",
                           .filters = filters,
                           .n_filters = n_filters,
                           .cursor = "",
                           .limit = ROWS};
    return sticker_store_list_page(v->service->store, &ask, v->req->arena, out, err);
}

static enum status fill_votes(const struct admin_visit *v, const struct edit *e, struct tpl_admin_form *out,
                              struct error *err)
{
    static const char *const columns[] = {"query", "positives", "negatives"};
    struct admin_pair filter = {"sticker", e->id};
    struct arena *a = v->req->arena;
    struct list_page page;
    enum status st = list_some(v, "scores", "positives", &filter, 1, columns, 3, &page, err);
    if (st != OK)
        return st;
    struct tpl_admin_form_votes *rows = arena_array(a, page.n + 1, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "a form");
    for (size_t i = 0; i < page.n; i++)
        rows[i] = (struct tpl_admin_form_votes){.id = page.rows[i].id,
                                                .query = page.rows[i].cells[0],
                                                .up = admin_number(strtoll(page.rows[i].cells[1], NULL, 10), a),
                                                .down = admin_number(strtoll(page.rows[i].cells[2], NULL, 10), a)};
    out->votes = rows;
    out->n_votes = page.n;
    out->has_votes = true;
    return OK;
}

static enum status fill_history(const struct admin_visit *v, const struct edit *e, struct tpl_admin_form *out,
                                struct error *err)
{
    static const char *const columns[] = {"at_us", "username", "action", "before", "after"};
    const struct admin_pair filters[] = {{"object", e->id}, {"model", "stickers"}};
    struct arena *a = v->req->arena;
    struct list_page page;
    enum status st = list_some(v, "history", "at_us", filters, 2, columns, 5, &page, err);
    if (st != OK)
        return st;
    struct tpl_admin_form_entries *rows = arena_array(a, page.n + 1, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "a form");
    for (size_t i = 0; i < page.n; i++) {
        const char *const *c = page.rows[i].cells;
        char when[28];
        os_format_time(strtoll(c[0], NULL, 10), when);
        rows[i] = (struct tpl_admin_form_entries){.id = page.rows[i].id,
                                                  .time = arena_strndup(a, when, 19),
                                                  .when = arena_printf(a, "%.10s %.5s UTC", when, when + 11),
                                                  .who = c[1],
                                                  .action = c[2],
                                                  .what = history_summary(c[3], c[4], a)};
        if (!rows[i].time || !rows[i].when || !rows[i].what)
            return err_no_memory(err, "a form");
    }
    out->entries = rows;
    out->n_entries = page.n;
    out->has_entries = true;
    return OK;
}

/* Who may change stickers may undo their changes. */
static enum status fill_undo(const struct admin_visit *v, const struct edit *e, struct tpl_admin_form *out,
                             struct error *err)
{
    static const char *const columns[] = {"model", "action", "after", "batch"};
    struct list_page page;
    const char **cells;
    enum status st =
        sticker_store_list_row(v->service->store, "history", e->id, columns, 4, v->req->arena, &cells, err);
    if (st != OK || !edit_same(cells[0], "stickers") || !edit_same(cells[1], "change") ||
        strncmp(cells[2], "{\"title\"", 8) != 0 || !admin_may(v, "stickers", ADMIN_CHANGE))
        return st;
    out->undo = e->id;
    if (!*cells[3])
        return OK;
    struct admin_pair filter = {"batch", cells[3]};
    st = list_some(v, "history", "at_us", &filter, 1, columns, 1, &page, err);
    if (st == OK && page.total > 1) {
        out->undo_batch = cells[3];
        out->undo_count = page.total;
    }
    return st;
}

/* --- what an entry of the history changed --- */

struct differences {
    const struct admin_table *table; /* NULL: the entry is of none that there is today */
    struct arena *a;
    struct tpl_admin_form_differences *rows;
    size_t n;
};

static const struct admin_field *difference_field(const struct differences *d, const char *name)
{
    for (const struct admin_field *f = d->table ? d->table->fields : NULL; f && f->name; f++)
        if (edit_same(f->name, name))
            return f;
    return NULL;
}

/* "Title", or "Keywords (de)". */
static const char *difference_label(const struct differences *d, const struct admin_field *f, const char *name,
                                    const char *language)
{
    const char *label = f ? admin_say(f->label) : edit_same(name, "titles") ? admin_say(MESSAGE_admin_title) : name;
    return arena_printf(d->a, language ? "%s (%s)" : "%s", label, language);
}

static const char *difference_text(const struct differences *d, const struct admin_field *f, const json_t *value)
{
    if (f && f->kind == FIELD_CHECK && json_is_string(value))
        return admin_say(edit_same(json_string_value(value), "1") ? MESSAGE_admin_yes : MESSAGE_admin_no);
    if (json_is_integer(value))
        return arena_printf(d->a, "%lld", (long long)json_integer_value(value));
    return json_is_string(value) ? arena_strdup(d->a, json_string_value(value)) : "";
}

static bool add_difference(struct differences *d, const char *name, const char *language, const json_t *was,
                           const json_t *is)
{
    const struct admin_field *f = difference_field(d, name);
    struct tpl_admin_form_differences row = {difference_label(d, f, name, language), difference_text(d, f, was),
                                             difference_text(d, f, is)};
    if (!row.field || !row.before || !row.after)
        return false;
    if (!edit_same(row.before, row.after) && d->n < DIFFERENCES_MAX)
        d->rows[d->n++] = row;
    return true;
}

/* The members of two objects, either of which may be NULL: fields, or with a name the languages of that field. */
static bool add_differences(struct differences *d, const char *name, const json_t *was, const json_t *is)
{
    const char *key;
    const json_t *value;
    json_t *all = json_object();
    bool memory = all && (!is || json_object_update(all, (json_t *)(uintptr_t)is) == 0) &&
                  (!was || json_object_update_missing(all, (json_t *)(uintptr_t)was) == 0);
    json_object_foreach(all, key, value)
    {
        const json_t *old = json_object_get(was, key), *new = json_object_get(is, key);
        if (memory && !name && json_is_object(value))
            memory = add_differences(d, key, old, new);
        else if (memory)
            memory = add_difference(d, name ? name : key, name ? key : NULL, old, new);
    }
    json_decref(all);
    return memory;
}

static enum status fill_differences(const struct admin_visit *v, const struct edit *e, struct tpl_admin_form *out,
                                    struct error *err)
{
    static const char *const columns[] = {"model", "before", "after"};
    const char **cells;
    enum status st =
        sticker_store_list_row(v->service->store, "history", e->id, columns, 3, v->req->arena, &cells, err);
    if (st != OK)
        return st;
    struct differences d = {.table = admin_table_find(cells[0]), .a = v->req->arena};
    json_t *was = json_loads(cells[1], 0, NULL), *is = json_loads(cells[2], 0, NULL);
    bool memory = (d.rows = arena_array(d.a, DIFFERENCES_MAX, sizeof *d.rows)) != NULL;
    if (memory && (json_is_object(was) || json_is_object(is)))
        memory = add_differences(&d, NULL, was, is);
    else if (memory && (*cells[1] || *cells[2])) /* a text */
        d.rows[d.n++] = (struct tpl_admin_form_differences){cells[0], cells[1], cells[2]};
    json_decref(was);
    json_decref(is);
    out->differences = d.rows;
    out->n_differences = d.n;
    return memory ? OK : err_no_memory(err, "a form");
}

enum status edit_beside(const struct admin_visit *v, const struct edit *e, struct tpl_admin_form *out,
                        struct error *err)
{
    enum status st = OK;
    if (!*e->id)
        return OK;
    if (edit_same(e->table->name, "history")) {
        st = fill_differences(v, e, out, err);
        return st == OK ? fill_undo(v, e, out, err) : st;
    }
    if (!edit_same(e->table->name, "stickers"))
        return OK;
    if (admin_may(v, "scores", ADMIN_VIEW))
        st = fill_votes(v, e, out, err);
    if (st == OK && admin_may(v, "history", ADMIN_VIEW))
        st = fill_history(v, e, out, err);
    return st;
}
