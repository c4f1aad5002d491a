/* POST /admin/history/undo: stickers become what they were before one entry, or before all entries that were made
 * together. Who changed a sticker since is not undone with it: such stickers are left as they are, and counted. The
 * undoing has entries of its own, which can be undone as well. */
#include "sticker_service/admin/admin_history.h"
#include "base/os.h"
#include "sticker_service/admin/admin_edit.h"

#include <jansson.h>
#include <stdio.h>

#define FIELDS_MAX 8
#define PART       100
#define PART_ARENA (16u << 20) /* bytes; a part holds its entries, its rows and what they become */

const char *history_summary(const char *before, const char *after, struct arena *a)
{
    const char *out = "", *name;
    json_t *was = json_loads(before, 0, NULL), *is = json_loads(after, 0, NULL), *value;
    json_object_foreach(was && is ? is : NULL, name, value)
    {
        if (out && !json_equal(json_object_get(was, name), value))
            out = arena_printf(a, "%s%s%s", out, *out ? ", " : "", name);
    }
    json_decref(was);
    json_decref(is);
    return out;
}

struct undo {
    const struct admin_visit *v;
    char batch[37];
    size_t undone, kept; /* stickers */
};

/* Columns of the history that undoing needs. */
static const char *const columns[] = {"model", "action", "object", "before", "after"};
enum { MODEL, ACTION, OBJECT, BEFORE, AFTER, N_COLUMNS };

/* *usable: the sticker is as the entry left it, so that the change can be taken back. */
static enum status undo_change(const struct admin_visit *v, const char *const *cells, struct admin_change *out,
                               bool *usable, struct error *err)
{
    const struct admin_table *table = admin_table_find("stickers");
    struct arena *a = v->req->arena;
    struct edit *e = arena_array(a, 1, sizeof *e);
    const char *key;
    *usable = false;
    if (!e)
        return err_no_memory(err, "what is undone");
    if (!edit_same(cells[MODEL], "stickers") || !edit_same(cells[ACTION], "change"))
        return OK;
    enum status st = edit_row(v, table, cells[OBJECT], e, err);
    if (st == ERR_NOT_FOUND)
        return OK;
    const char *now = st == OK ? edit_json(e, a) : NULL;
    if (st == OK && !now)
        return err_no_memory(err, "what is undone");
    if (st != OK || !edit_same(now, cells[AFTER]))
        return st;
    st = edit_from_json(cells[BEFORE], e, a, err);
    if (st == ERR_INVALID)
        return OK;
    if (st == OK)
        st = edit_change(v, e, now, &key, out, err);
    *usable = st == OK;
    return st;
}

static enum status undo_rows(struct undo *u, const struct admin_visit *v, const char *const *const *rows, size_t n,
                             struct error *err)
{
    struct admin_change *changes = arena_array(v->req->arena, n + 1, sizeof *changes);
    struct admin_who who = {.username = v->session.user.username, .address = v->address, .batch = u->batch};
    size_t used = 0;
    enum status st = changes ? OK : err_no_memory(err, "what is undone");
    for (size_t i = 0; i < n && st == OK; i++) {
        bool usable;
        st = undo_change(v, rows[i], &changes[used], &usable, err);
        used += usable;
    }
    if (st == OK && used)
        st = sticker_store_change(v->service->store, &who, changes, used, err);
    if (st == OK) {
        u->undone += used;
        u->kept += n - used;
    }
    return st;
}

static enum status undo_one(struct undo *u, const char *id, struct error *err)
{
    const char **cells;
    enum status st =
        sticker_store_list_row(u->v->service->store, "history", id, columns, N_COLUMNS, u->v->req->arena, &cells, err);
    return st == OK ? undo_rows(u, u->v, &(const char *const *){cells}, 1, err) : st;
}

/* Part after part, from the last entry to the first. */
static enum status undo_batch(struct undo *u, const char *batch, struct error *err)
{
    struct arena arena, cursor;
    struct http_request req = *u->v->req;
    struct admin_visit v = *u->v;
    struct admin_pair filter = {"batch", batch};
    struct list_ask ask = {.list = "history",
                           .columns = columns,
                           .n_columns = N_COLUMNS,
                           .sort = "at_us",
                           .descending = true,
                           .search = "",
                           .filters = &filter,
                           .n_filters = 1,
                           .cursor = "",
                           .limit = PART};
    enum status st = OK;
    bool more = true;
    arena_init(&arena, PART_ARENA);
    arena_init(&cursor, 64u << 10);
    req.arena = &arena;
    v.req = &req;
    while (st == OK && more) {
        struct list_page page;
        st = sticker_store_list_page(v.service->store, &ask, &arena, &page, err);
        const char *const **rows = st == OK ? arena_array(&arena, page.n + 1, sizeof *rows) : NULL;
        if (st == OK && !rows)
            st = err_no_memory(err, "what is undone");
        for (size_t i = 0; st == OK && i < page.n; i++)
            rows[i] = page.rows[i].cells;
        if (st == OK)
            st = undo_rows(u, &v, rows, page.n, err);
        more = st == OK && *page.next;
        arena_reset(&cursor);
        if (more && !(ask.cursor = arena_strdup(&cursor, page.next)))
            st = err_no_memory(err, "what is undone");
        arena_reset(&arena);
    }
    arena_free(&arena);
    arena_free(&cursor);
    return st;
}

void handle_admin_undo(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct undo u = {.v = &v};
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS_MAX, &form) ||
        !admin_needs(&v, "stickers", ADMIN_CHANGE))
        return;
    const char *batch = admin_field(&form, "batch"), *id = admin_field(&form, "id");
    os_uuid7(u.batch);
    enum status st = *batch ? undo_batch(&u, batch, &err) : undo_one(&u, id, &err);
    if (u.undone)
        outbox_wake(v.service->outbox);
    if (st != OK && u.undone && st != ERR_NO_MEMORY)
        st = err_prefix(&err, "%zu stickers were changed back before this", u.undone);
    if (st != OK) {
        admin_fail(&v, &err);
    } else if (!u.undone) {
        admin_message(&v, 409, MESSAGE_admin_nothing_undone,
                      u.kept ? admin_say(MESSAGE_admin_undo_changed) : admin_say(MESSAGE_admin_undo_nothing));
    } else {
        const char *more = arena_printf(req->arena, "undone&n=%zu&kept=%zu", u.undone, u.kept);
        admin_to_list(&v, admin_table_find("stickers"), more ? more : "undone");
    }
}
