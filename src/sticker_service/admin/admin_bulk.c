/* /admin/{table}/delete and action: deleting, indexing again, changing and exporting the selected rows. What changes
 * anything asks first, happens to all of them or to none, and leaves a history entry for each. */
#include "sticker_service/admin/admin_edit.h"
#include "sticker_service/admin/admin_export.h"
#include "text/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIELDS_MAX 512 /* in a form */
#define MAX_IDS    100 /* their words, before and after, fit a request's memory */

enum action { ACTION_DELETE, ACTION_REINDEX, ACTION_EDIT, ACTION_CSV, ACTION_JSON, ACTION_COUNT };

static const struct {
    const char *name, *heading, *label, *done;
    enum admin_right right;
} actions[ACTION_COUNT] = {
    [ACTION_DELETE] = {"delete", "Delete %zu in %s?", "Delete", "deleted", ADMIN_DELETE},
    [ACTION_REINDEX] = {"reindex", "Index %zu in %s again?", "Index again", "reindexed", ADMIN_CHANGE},
    [ACTION_EDIT] = {"edit", "Change %zu in %s", "Change", "changed", ADMIN_CHANGE},
    [ACTION_CSV] = {"csv", NULL, NULL, NULL, ADMIN_VIEW},
    [ACTION_JSON] = {"json", NULL, NULL, NULL, ADMIN_VIEW},
};

/* One request: what shall be done to which rows. */
struct bulk {
    const struct admin_visit *v;
    const struct admin_table *table;
    enum action action;
    const char *ids[MAX_IDS];
    struct edit *rows; /* [n] */
    size_t n;
    struct edit wish; /* of ACTION_EDIT: what is empty stays as it is */
    const char *how;  /* ... and what happens with its words: "add", "remove", "replace" */
};

/* Loads each row as its form would. */
static enum status bulk_load(struct bulk *b, struct error *err)
{
    b->rows = arena_array(b->v->req->arena, b->n, sizeof *b->rows);
    enum status st = b->rows ? OK : err_no_memory(err, "what was selected");
    for (size_t i = 0; i < b->n && st == OK; i++) {
        st = edit_row(b->v, b->table, b->ids[i], &b->rows[i], err);
        if (st == OK && !b->rows[i].touchable)
            st = err_set(err, ERR_DENIED, "Only a superuser may do this.");
    }
    return st;
}

/* --- asking --- */

/* The fields that can be set for many. */
static enum status fill_fields(const struct bulk *b, struct tpl_admin_confirm *out, struct error *err)
{
    struct tpl_admin_field all[ADMIN_MAX_FIELDS] = {0};
    struct tpl_admin_field *shown = arena_array(b->v->req->arena, ADMIN_MAX_FIELDS, sizeof *shown);
    enum status st = shown ? edit_fields(b->v, &b->wish, all, err) : err_no_memory(err, "what was selected");
    out->fields = shown;
    for (size_t i = 0; st == OK && i < b->wish.n; i++)
        if (b->table->fields[i].flags & FIELD_MANY)
            shown[out->n_fields++] = all[i];
    out->added = strcmp(b->how, "add") == 0;
    out->removed = strcmp(b->how, "remove") == 0;
    out->replaced = strcmp(b->how, "replace") == 0;
    return st;
}

static void bulk_ask(const struct bulk *b, const char *problem)
{
    struct arena *a = b->v->req->arena;
    struct error err;
    struct buf html;
    struct list_goes goes[4];
    struct tpl_admin_confirm_goes lines[4];
    const char *heading = arena_printf(a, actions[b->action].heading, b->n, b->table->title);
    struct tpl_admin_confirm page = {.admin_layout = admin_layout(b->v, heading, b->table->name),
                                     .model = b->table->name,
                                     .heading = heading,
                                     .problem = problem,
                                     .action = actions[b->action].name,
                                     .label = actions[b->action].label,
                                     .goes = lines};
    struct tpl_admin_confirm_rows *rows = arena_array(a, b->n, sizeof *rows);
    enum status st = rows ? OK : err_no_memory(&err, "the rows");
    if (st == OK && b->action == ACTION_DELETE)
        st = sticker_store_list_goes(b->v->service->store, b->table->name, b->ids, b->n, goes, &page.n_goes, &err);
    if (st == OK && b->action == ACTION_EDIT)
        st = fill_fields(b, &page, &err);
    if (st != OK) {
        admin_fail(b->v, &err);
        return;
    }
    for (size_t i = 0; i < b->n; i++)
        rows[i] = (struct tpl_admin_confirm_rows){.id = b->ids[i],
                                                  .name = *b->rows[i].object ? b->rows[i].object : b->ids[i]};
    page.rows = rows;
    page.n_rows = b->n;
    for (size_t i = 0; i < page.n_goes; i++)
        lines[i] = (struct tpl_admin_confirm_goes){.what = goes[i].what, .count = goes[i].count};
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_confirm(&html, &page);
    admin_send(b->v->res, problem ? 400 : 200, &html);
}

/* --- doing --- */

/* "cat, dog" without "dog"; capital letters do not matter. NULL without memory. */
static const char *words_without(const char *words, const char *gone, struct arena *a)
{
    const char *out = "";
    for (size_t len; *words && out; words += len + strspn(words + len, ", ")) {
        bool goes = false;
        len = strcspn(words, ",");
        for (const char *g = gone; *g && !goes; g += strcspn(g, ","), g += strspn(g, ", "))
            goes = strcspn(g, ",") == len && strncasecmp(g, words, len) == 0;
        if (!goes)
            out = arena_printf(a, "%s%s%.*s", out, *out ? ", " : "", (int)len, words);
    }
    return out;
}

/* A language's words, as they shall be; a language without any and without a title falls away. */
static enum status change_words(const struct bulk *b, struct edit *e, const struct sticker_words *wish,
                                struct error *err)
{
    struct arena *a = b->v->req->arena;
    size_t k = 0;
    while (k < e->n_words && strcmp(e->words[k].language, wish->language) != 0)
        k++;
    if (k == e->n_words)
        e->words[e->n_words++] = (struct sticker_words){wish->language, "", NULL};
    struct sticker_words *w = &e->words[k];
    if (strcmp(b->how, "remove") == 0)
        w->words = words_without(w->words, wish->words, a);
    else if (strcmp(b->how, "replace") == 0 || !*w->words)
        w->words = wish->words;
    else if ((w->words = arena_printf(a, "%s, %s", w->words, wish->words)))
        w->words = text_normalize_words(w->words, a); /* without repeats */
    if (!w->words)
        return err_no_memory(err, "what was selected");
    if (!*w->words && !(w->title && *w->title))
        e->words[k] = e->words[--e->n_words];
    return OK;
}

/* Sets a row as was wished; `words` is the number of its words' field. */
static enum status change_row(const struct bulk *b, struct edit *e, struct error *err)
{
    struct sticker_words *words = arena_array(b->v->req->arena, e->n_words + b->wish.n_words + 1, sizeof *words);
    enum status st = words ? OK : err_no_memory(err, "what was selected");
    if (st == OK && e->n_words)
        memcpy(words, e->words, e->n_words * sizeof *words);
    e->words = words;
    for (size_t i = 0; i < e->n && st == OK; i++) {
        const struct admin_field *f = &b->table->fields[i];
        if (f->kind != FIELD_WORDS && f->flags & FIELD_MANY && *b->wish.values[i])
            e->values[i] = b->wish.values[i];
        for (size_t k = 0; f->kind == FIELD_WORDS && k < b->wish.n_words && st == OK; k++)
            st = change_words(b, e, &b->wish.words[k], err);
        for (size_t k = 0; f->kind == FIELD_WORDS && k < e->n_words && st == OK; k++)
            if (strlen(e->words[k].words) > f->max)
                st = err_set(err, ERR_INVALID, "%s would have too many words in \"%s\".", e->object,
                             e->words[k].language);
    }
    return st;
}

static enum status make_change(const struct bulk *b, struct edit *e, struct admin_change *out, struct error *err)
{
    struct arena *a = b->v->req->arena;
    const char *before = b->action == ACTION_REINDEX ? "" : edit_json(e, a), *key;
    if (!before)
        return err_no_memory(err, "what was selected");
    if (b->action == ACTION_EDIT) {
        enum status st = change_row(b, e, err);
        return st == OK ? edit_change(b->v, e, before, &key, out, err) : st;
    }
    *out = (struct admin_change){.op = b->action == ACTION_DELETE ? CHANGE_DELETE : CHANGE_REINDEX,
                                 .list = b->table->name,
                                 .id = e->id,
                                 .object = e->object,
                                 .before = before,
                                 .after = ""};
    return OK;
}

static enum status bulk_do_all(const struct bulk *b, struct error *err)
{
    struct admin_change *changes = arena_array(b->v->req->arena, b->n, sizeof *changes);
    struct admin_who who = {b->v->session.user.username, b->v->address};
    size_t n = 0;
    enum status st = changes ? OK : err_no_memory(err, "what was selected");
    for (size_t i = 0; i < b->n && st == OK; i++) {
        st = make_change(b, &b->rows[i], &changes[n], err);
        if (st == OK && (b->action != ACTION_EDIT || strcmp(changes[n].before, changes[n].after) != 0))
            n++; /* what is as it was wished already needs no entry */
    }
    if (st == OK && n)
        st = sticker_store_change(b->v->service->store, &who, changes, n, err);
    if (st == OK && b->table->reindexes)
        outbox_wake(b->v->service->outbox);
    return st;
}

/* --- the requests --- */

static enum status read_ids(const struct form *form, struct bulk *b, struct error *err)
{
    for (size_t i = 0; i < form->count; i++) {
        bool seen = strcmp(form->fields[i].name, "id") != 0;
        for (size_t k = 0; k < b->n && !seen; k++)
            seen = strcmp(b->ids[k], form->fields[i].value) == 0;
        if (seen)
            continue;
        if (b->n == MAX_IDS)
            return err_set(err, ERR_TOO_LARGE, "At most %d at once.", MAX_IDS);
        b->ids[b->n++] = form->fields[i].value;
    }
    return b->n ? OK : err_set(err, ERR_INVALID, "Nothing was selected.");
}

static bool possible(const struct admin_table *table, enum action action)
{
    return action == ACTION_REINDEX ? table->reindexes : action != ACTION_EDIT || admin_table_edits_many(table);
}

/* What was wished; *problem: why it cannot be done. */
static enum status read_wish(const struct form *form, struct bulk *b, const char **problem, struct error *err)
{
    enum status st = edit_row(b->v, b->table, "", &b->wish, err);
    for (size_t i = 0; i < b->wish.n; i++)
        b->wish.fixed[i] = !(b->table->fields[i].flags & FIELD_MANY);
    b->how = admin_field(form, "how");
    if (strcmp(b->how, "remove") != 0 && strcmp(b->how, "replace") != 0)
        b->how = "add";
    if (st == OK)
        st = edit_read(form, &b->wish, b->v->req->arena, err);
    size_t wishes = b->wish.n_words;
    for (size_t i = 0; st == OK && i < b->wish.n; i++)
        wishes += b->table->fields[i].flags & FIELD_MANY && *b->wish.values[i];
    if (b->wish.wrong)
        *problem = "Nothing was changed: something needs another look.";
    else if (!wishes)
        *problem = "Nothing was changed: nothing was typed.";
    return st;
}

void handle_admin_delete_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    struct bulk b = {.v = &v, .action = ACTION_DELETE, .n = 1};
    if (!admin_visit(ctx, req, res, &v) || !(b.table = admin_wanted(&v, false)) ||
        !admin_needs(&v, b.table->name, ADMIN_DELETE))
        return;
    enum status st = http_param(req, "id", &b.ids[0], &err);
    if (st == OK)
        st = bulk_load(&b, &err);
    if (st == OK)
        bulk_ask(&b, NULL);
    else
        admin_fail(&v, &err);
}

void handle_admin_action(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct bulk b = {.v = &v};
    const char *problem = NULL;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS_MAX, &form) || !(b.table = admin_wanted(&v, false)))
        return;
    while (b.action < ACTION_COUNT && strcmp(actions[b.action].name, admin_field(&form, "action")) != 0)
        b.action++;
    if (b.action == ACTION_COUNT || !possible(b.table, b.action)) {
        admin_message(&v, 400, "That did not work", "There is no such action.");
        return;
    }
    if (!admin_needs(&v, b.table->name, actions[b.action].right))
        return;
    bool confirmed = strcmp(admin_field(&form, "confirmed"), "yes") == 0;
    enum status st = read_ids(&form, &b, &err);
    if (st == OK && (b.action == ACTION_CSV || b.action == ACTION_JSON)) {
        const char **ids = arena_array(req->arena, b.n, sizeof *ids);
        if (ids) {
            memcpy(ids, b.ids, b.n * sizeof *ids);
            admin_export_selected(&v, b.table, ids, b.n, actions[b.action].name);
            return;
        }
        st = err_no_memory(&err, "the rows");
    }
    if (st == OK)
        st = bulk_load(&b, &err);
    if (st == OK && b.action == ACTION_EDIT)
        st = read_wish(&form, &b, &problem, &err);
    if (st == OK && (!confirmed || problem)) {
        bulk_ask(&b, confirmed ? problem : NULL);
        return;
    }
    bool tried = st == OK;
    if (tried)
        st = bulk_do_all(&b, &err);
    if (st == OK)
        admin_to_list(&v, b.table, actions[b.action].done);
    else if (tried && st == ERR_INVALID && b.action == ACTION_EDIT)
        bulk_ask(&b, err.message);
    else
        admin_fail(&v, &err);
}
