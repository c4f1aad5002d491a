/* /admin/{table}/delete and action: deleting, restoring, reindexing, changing and exporting the selected rows of a
 * list, or all that match its filter. What changes anything asks first and leaves a history entry for each row.
 *
 * Rows are done in parts of at most PART, each with memory of its own and in one transaction: a part happens to all of
 * its rows or to none. So selected rows (at most MAX_IDS) are done together; of all that match, the parts before one
 * that fails stay done, and the answer says how many. Entries of one action have the same `batch`, by which they are
 * undone. */
#include "base/os.h"
#include "sticker_service/admin/admin_edit.h"
#include "sticker_service/admin/admin_export.h"
#include "sticker_service/admin/admin_list.h"
#include "sticker_service/trash.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIELDS_MAX 512 /* in a form */
#define MAX_IDS    100
#define PART       100         /* their words, before and after, fit PART_ARENA */
#define PART_ARENA (16u << 20) /* bytes */
#define SHOWN      24          /* rows that are named before an action on all that match */
#define IMAGE      64u         /* pixels wide */

enum action { ACTION_DELETE, ACTION_REINDEX, ACTION_EDIT, ACTION_RESTORE, ACTION_CSV, ACTION_JSON, ACTION_COUNT };

static const struct {
    const char *name, *done;
    enum message heading, label;
    enum admin_right right;
} actions[ACTION_COUNT] = {
    [ACTION_DELETE] = {"delete", "deleted", MESSAGE_admin_bulk_delete_heading, MESSAGE_admin_bulk_delete, ADMIN_DELETE},
    [ACTION_REINDEX] = {"reindex", "reindexed", MESSAGE_admin_bulk_reindex_heading, MESSAGE_admin_bulk_reindex,
                        ADMIN_CHANGE},
    [ACTION_EDIT] = {"edit", "changed", MESSAGE_admin_bulk_edit_heading, MESSAGE_admin_save, ADMIN_CHANGE},
    [ACTION_RESTORE] = {"restore", "restored", MESSAGE_admin_bulk_restore_heading, MESSAGE_admin_bulk_restore,
                        ADMIN_CHANGE},
    [ACTION_CSV] = {"csv", NULL, ADMIN_SILENT, ADMIN_SILENT, ADMIN_VIEW},
    [ACTION_JSON] = {"json", NULL, ADMIN_SILENT, ADMIN_SILENT, ADMIN_VIEW},
};

/* One request: what shall be done to which rows. */
struct bulk {
    const struct admin_visit *v;
    const struct admin_table *table;
    enum action action;
    const char **ids; /* [n] */
    size_t n;
    bool all;          /* all that match the list's filter */
    struct edit *rows; /* [n] of a part */
    struct edit wish;  /* of ACTION_EDIT: what is empty stays as it is */
    const char *how;   /* ... and what happens with its words: "add", "remove", "replace" */
    char batch[37];
};

/* Loads each row as its form would. */
static enum status bulk_load(struct bulk *b, struct error *err)
{
    b->rows = arena_array(b->v->req->arena, b->n + 1, sizeof *b->rows);
    enum status st = b->rows ? OK : err_no_memory(err, "what was selected");
    for (size_t i = 0; i < b->n && st == OK; i++) {
        st = edit_row(b->v, b->table, b->ids[i], &b->rows[i], err);
        if (st == OK && !b->rows[i].touchable)
            st = err_set(err, ERR_DENIED, "%s", admin_say(MESSAGE_admin_denied_this));
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

static bool in_trash(const struct bulk *b)
{
    return strcmp(b->table->name, "trash") == 0;
}

static bool trashes(const struct bulk *b)
{
    return b->action == ACTION_DELETE && strcmp(b->table->name, "stickers") == 0;
}

/* What a person should know before. */
static const char *say_about(const struct bulk *b)
{
    struct arena *a = b->v->req->arena;
    int64_t days = b->v->service->cfg->trash_days;
    if (trashes(b) && days)
        return admin_say_number(a, MESSAGE_admin_bulk_trashed, days);
    if (trashes(b))
        return admin_say(MESSAGE_admin_bulk_no_trash);
    if (b->action == ACTION_DELETE)
        return admin_say(MESSAGE_admin_bulk_final);
    return NULL;
}

static enum status fill_chosen(const struct bulk *b, struct tpl_admin_confirm *page, struct error *err)
{
    struct arena *a = b->v->req->arena;
    size_t n = b->all && b->n > SHOWN ? SHOWN : b->n;
    bool stickers = strcmp(b->table->name, "stickers") == 0;
    struct tpl_admin_confirm_rows *rows = arena_array(a, n + 1, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "the rows");
    for (size_t i = 0; i < n; i++) {
        const char *name = b->ids[i];
        if (!b->all && *b->rows[i].object)
            name = b->rows[i].object;
        rows[i] = (struct tpl_admin_confirm_rows){
            .id = b->ids[i], .name = name, .image = stickers ? list_image(b->ids[i], "", IMAGE, a) : NULL};
    }
    page->rows = rows;
    page->n_rows = n;
    if (n < b->n)
        page->rest = admin_say_number(a, MESSAGE_admin_bulk_more, (int64_t)(b->n - n));
    return OK;
}

/* "1 vote", "2 scored queries" */
static const char *say_what(const struct list_goes *g, struct arena *a)
{
    size_t n = strlen(g->what);
    if (g->count != 1)
        return g->what;
    return strcmp(g->what + n - 3, "ies") == 0 ? arena_printf(a, "%.*sy", (int)n - 3, g->what)
                                               : arena_strndup(a, g->what, n - 1);
}

static enum status fill_goes(const struct bulk *b, struct tpl_admin_confirm *page, struct error *err)
{
    struct arena *a = b->v->req->arena;
    struct list_goes goes[4];
    struct tpl_admin_confirm_goes *lines = arena_array(a, 4, sizeof *lines);
    enum status st = lines ? OK : err_no_memory(err, "the rows");
    page->goes = lines;
    if (st == OK && b->action == ACTION_DELETE && !b->all)
        st = sticker_store_list_goes(b->v->service->store, b->table->name, b->ids, b->n, goes, &page->n_goes, err);
    for (size_t i = 0; st == OK && i < page->n_goes; i++)
        lines[i] =
            (struct tpl_admin_confirm_goes){.what = say_what(&goes[i], a), .count = admin_number(goes[i].count, a)};
    return st;
}

static void bulk_ask(const struct bulk *b, const char *problem)
{
    struct arena *a = b->v->req->arena;
    struct error err;
    struct buf html;
    const char *from = "";
    const char *which =
        b->n == 1 && !b->all && *b->rows[0].object ? b->rows[0].object : admin_count(b->table, (int64_t)b->n, a);
    const char *heading = admin_say_text(a, actions[b->action].heading, "what", which);
    enum message label = trashes(b) && b->v->service->cfg->trash_days ? MESSAGE_admin_bulk_trash
                         : in_trash(b) && b->action == ACTION_DELETE  ? MESSAGE_admin_bulk_purge
                                                                      : actions[b->action].label;
    struct tpl_admin_confirm page = {.admin_layout = admin_layout(b->v, heading, b->table->name),
                                     .model = b->table->name,
                                     .list_query = admin_list_param(b->v),
                                     .heading = heading,
                                     .problem = problem,
                                     .about = say_about(b),
                                     .action = actions[b->action].name,
                                     .label = admin_say(label),
                                     .danger = b->action == ACTION_DELETE,
                                     .all = b->all,
                                     .count = (int64_t)b->n};
    enum status st = http_param_or(b->v->req, "from", "", &from, &err);
    const struct admin_table *back = admin_table_find(from);
    page.from = back ? back->name : NULL;
    page.back = admin_list_url(b->v, back ? back : b->table);
    if (st == OK)
        st = fill_chosen(b, &page, &err);
    if (st == OK)
        st = fill_goes(b, &page, &err);
    if (st == OK && b->action == ACTION_EDIT)
        st = fill_fields(b, &page, &err);
    if (st != OK) {
        admin_fail(b->v, &err);
        return;
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_confirm(&html, &page, admin_messages());
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

static enum status too_many_words(const struct bulk *b, const char *object, const char *language, struct error *err)
{
    const struct message_arg args[] = {{.name = "sticker", .text = object}, {.name = "language", .text = language}};
    const char *text = messages_text(b->v->req->arena, admin_messages(), MESSAGE_admin_bulk_words, args, 2);
    return text ? err_set(err, ERR_INVALID, "%s", text) : err_no_memory(err, "what was selected");
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
                st = too_many_words(b, e->object, e->words[k].language, err);
    }
    return st;
}

/* Out of the trash: the sticker as it was, with its terms. */
static enum status make_restore(const struct bulk *b, const char *id, struct admin_change *out, struct error *err)
{
    struct arena *a = b->v->req->arena;
    struct sticker *s = arena_array(a, 1, sizeof *s);
    struct sticker_terms *terms = arena_array(a, 1, sizeof *terms);
    enum status st = s && terms ? OK : err_no_memory(err, "what was selected");
    if (st == OK)
        st = sticker_store_trash_get(b->v->service->store, id, a, s, err);
    if (st == OK)
        st = text_sticker_terms(s->title, s->filename, s->ocr_words, s->words, s->n_words, a, terms, err);
    *out = (struct admin_change){.op = CHANGE_RESTORE,
                                 .list = "trash",
                                 .id = id,
                                 .sticker = s,
                                 .terms = terms,
                                 .object = id,
                                 .before = "",
                                 .after = ""};
    return st;
}

static enum status make_change(const struct bulk *b, size_t i, struct admin_change *out, struct error *err)
{
    struct arena *a = b->v->req->arena;
    if (b->action == ACTION_RESTORE)
        return make_restore(b, b->ids[i], out, err);
    struct edit *e = &b->rows[i];
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

/* What is restored keeps its image, which an upload of the same name would overwrite first, or emptying the trash
 * delete: not meanwhile. */
static enum status bulk_write(const struct bulk *b, const struct admin_who *who, const struct admin_change *changes,
                              size_t n, struct error *err)
{
    struct sticker_service *s = b->v->service;
    bool turn = b->action == ACTION_RESTORE;
    if (turn && !take_turn(&s->uploads, PICTURE_TURN_S))
        return err_set(err, ERR_UNAVAILABLE, "too many uploads at once");
    enum status st = sticker_store_change(s->store, who, changes, n, err);
    if (turn)
        sem_post(&s->uploads);
    return st;
}

/* The rows of `b`, all or none. *changed: what is as it was wished already needs no entry, and counts not. */
static enum status bulk_do_part(struct bulk *b, size_t *changed, struct error *err)
{
    struct admin_change *changes = arena_array(b->v->req->arena, b->n, sizeof *changes);
    struct admin_who who = {
        .username = b->v->session.user.username, .address = b->v->address, .batch = *b->batch ? b->batch : NULL};
    size_t n = 0;
    enum status st = changes ? OK : err_no_memory(err, "what was selected");
    if (st == OK && b->action != ACTION_RESTORE)
        st = bulk_load(b, err);
    for (size_t i = 0; i < b->n && st == OK; i++) {
        st = make_change(b, i, &changes[n], err);
        if (st == OK && (b->action != ACTION_EDIT || strcmp(changes[n].before, changes[n].after) != 0))
            n++;
    }
    if (st == OK && n)
        st = bulk_write(b, &who, changes, n, err);
    *changed = st == OK ? n : 0;
    return st;
}

/* Part after part, each with memory of its own, which the next one uses again. */
static enum status bulk_do_all(const struct bulk *b, size_t *done, struct error *err)
{
    struct arena arena;
    struct http_request req = *b->v->req;
    struct admin_visit v = *b->v;
    enum status st = OK;
    *done = 0;
    arena_init(&arena, PART_ARENA);
    req.arena = &arena;
    v.req = &req;
    for (size_t at = 0; at < b->n && st == OK; at += PART) {
        struct bulk part = *b;
        size_t changed = 0;
        part.v = &v;
        part.ids = b->ids + at;
        part.n = b->n - at < PART ? b->n - at : PART;
        st = bulk_do_part(&part, &changed, err);
        *done += changed;
        arena_reset(&arena);
    }
    arena_free(&arena);
    if (*done)
        edit_written(b->v, b->table);
    if (*done && in_trash(b))
        outbox_wake(b->v->service->outbox);
    if (*done && b->action == ACTION_DELETE && (in_trash(b) || !b->v->service->cfg->trash_days))
        trash_wake(b->v->service->trash);
    if (st != OK && *done && st != ERR_NO_MEMORY)
        return err_prefix(err, "%zu of %zu were done before this", *done, b->n);
    return st;
}

/* --- the requests --- */

/* The ids of all rows that match the list's filter, at most LIST_MATCHES. */
static enum status read_matching(struct bulk *b, struct error *err)
{
    struct arena *a = b->v->req->arena;
    struct list_state s;
    struct list_page page;
    enum status st = list_state_kept(b->v, b->table, &s, err);
    if (st != OK)
        return st;
    s.cursor = "", s.backwards = false;
    s.columns[s.n_columns++] = b->table->object;
    struct list_ask ask = list_state_ask(&s, LIST_MATCHES + 1, true);
    st = sticker_store_list_page(b->v->service->store, &ask, a, &page, err);
    if (st == OK && page.n > LIST_MATCHES)
        return err_set(err, ERR_TOO_LARGE, "%s", admin_say_number(a, MESSAGE_admin_bulk_matching, LIST_MATCHES));
    if (st == OK && !(b->ids = arena_array(a, page.n + 1, sizeof *b->ids)))
        return err_no_memory(err, "the rows");
    for (size_t i = 0; st == OK && i < page.n; i++)
        b->ids[b->n++] = page.rows[i].id;
    return st;
}

static enum status read_ids(const struct form *form, struct bulk *b, struct error *err)
{
    b->all = *admin_field(form, "all");
    if (b->all)
        return read_matching(b, err);
    b->ids = arena_array(b->v->req->arena, form->count + 1, sizeof *b->ids);
    if (!b->ids)
        return err_no_memory(err, "the rows");
    for (size_t i = 0; i < form->count; i++) {
        bool seen = strcmp(form->fields[i].name, "id") != 0;
        for (size_t k = 0; k < b->n && !seen; k++)
            seen = strcmp(b->ids[k], form->fields[i].value) == 0;
        if (seen)
            continue;
        if (b->n == MAX_IDS)
            return err_set(err, ERR_TOO_LARGE, "%s",
                           admin_say_number(b->v->req->arena, MESSAGE_admin_bulk_most, MAX_IDS));
        b->ids[b->n++] = form->fields[i].value;
    }
    return OK;
}

static bool possible(const struct admin_table *table, enum action action)
{
    if (action == ACTION_RESTORE)
        return strcmp(table->name, "trash") == 0;
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
        *problem = admin_say(MESSAGE_admin_bulk_wrong);
    else if (!wishes)
        *problem = admin_say(MESSAGE_admin_bulk_nothing);
    return st;
}

void handle_admin_delete_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    const char *id;
    struct bulk b = {.v = &v, .action = ACTION_DELETE, .ids = &id, .n = 1};
    if (!admin_visit(ctx, req, res, &v) || !(b.table = admin_wanted(&v, false)) ||
        !admin_needs(&v, b.table->name, ADMIN_DELETE))
        return;
    enum status st = http_param(req, "id", &id, &err);
    if (st == OK)
        st = bulk_load(&b, &err);
    if (st == OK)
        bulk_ask(&b, NULL);
    else
        admin_fail(&v, &err);
}

/* Back to the list that it began in, which says how many. */
static void bulk_done(const struct bulk *b, size_t done)
{
    const char *from = "", *word = actions[b->action].done;
    bool undoable = b->action == ACTION_EDIT && done;
    if (trashes(b) && b->v->service->cfg->trash_days)
        word = "trashed";
    else if (in_trash(b) && b->action == ACTION_DELETE)
        word = "purged";
    const struct admin_table *back =
        http_param_or(b->v->req, "from", "", &from, NULL) == OK ? admin_table_find(from) : NULL;
    const char *more =
        arena_printf(b->v->req->arena, "%s&n=%zu%s%s", word, done, undoable ? "&batch=" : "", undoable ? b->batch : "");
    admin_to_list(b->v, back ? back : b->table, more ? more : word);
}

/* What an action needs: the rows as they are, and the wish. */
static enum status bulk_prepare(struct bulk *b, const struct form *form, const char **problem, struct error *err)
{
    enum status st = b->all ? OK : bulk_load(b, err);
    if (st == OK && b->action == ACTION_EDIT)
        st = read_wish(form, b, problem, err);
    size_t expected = strtoul(admin_field(form, "count"), NULL, 10);
    if (st == OK && b->all && *admin_field(form, "confirmed") && expected != b->n)
        *problem = admin_say(MESSAGE_admin_bulk_changed);
    return st;
}

static void bulk_export(struct bulk *b)
{
    struct error err;
    const char *format = actions[b->action].name;
    if (b->all) {
        const char *to = arena_printf(b->v->req->arena, "/admin/%s/export?%s%sformat=%s", b->table->name,
                                      admin_list_param(b->v), *admin_list_param(b->v) ? "&" : "", format);
        admin_headers(b->v->res);
        http_redirect(b->v->res, 303, to ? to : "/admin/");
        return;
    }
    const char **ids = arena_array(b->v->req->arena, b->n, sizeof *ids);
    if (!ids) {
        (void)err_no_memory(&err, "the rows");
        admin_fail(b->v, &err);
        return;
    }
    memcpy(ids, b->ids, b->n * sizeof *ids);
    admin_export_selected(b->v, b->table, ids, b->n, format);
}

void handle_admin_action(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct bulk b = {.v = &v};
    const char *problem = NULL;
    size_t done = 0;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS_MAX, &form) || !(b.table = admin_wanted(&v, false)))
        return;
    while (b.action < ACTION_COUNT && strcmp(actions[b.action].name, admin_field(&form, "action")) != 0)
        b.action++;
    if (b.action == ACTION_COUNT || !possible(b.table, b.action)) {
        admin_message(&v, 400, MESSAGE_admin_invalid, admin_say(MESSAGE_admin_no_action));
        return;
    }
    if (!admin_needs(&v, b.table->name, actions[b.action].right))
        return;
    bool confirmed = strcmp(admin_field(&form, "confirmed"), "yes") == 0;
    enum status st = read_ids(&form, &b, &err);
    if (st == OK && !b.n) {
        const char *from = "";
        const struct admin_table *back =
            http_param_or(req, "from", "", &from, &err) == OK ? admin_table_find(from) : NULL;
        admin_to_list(&v, back ? back : b.table, "nothing");
        return;
    }
    if (st == OK && (b.action == ACTION_CSV || b.action == ACTION_JSON)) {
        bulk_export(&b);
        return;
    }
    if (st == OK)
        st = bulk_prepare(&b, &form, &problem, &err);
    if (st == OK && (!confirmed || problem)) {
        bulk_ask(&b, confirmed ? problem : NULL);
        return;
    }
    bool tried = st == OK;
    if (tried)
        os_uuid7(b.batch);
    if (tried)
        st = bulk_do_all(&b, &done, &err);
    if (st == OK)
        bulk_done(&b, done);
    else if (tried && st == ERR_INVALID && b.action == ACTION_EDIT)
        bulk_ask(&b, err.message);
    else
        admin_fail(&v, &err);
}
