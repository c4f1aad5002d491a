#include "import/sticker_undo.h"

#include "import/sticker_row.h"

#include <stdlib.h>
#include <string.h>

#define PART       100u
#define PART_ARENA (64u << 20) /* bytes: entries, and the states and terms of their stickers */

/* An import changes a sticker several times when it merges others into it: what one entry leaves, an earlier one may
 * find to be what it was before the import. */
struct kept {
    const char *filename;
    size_t order; /* as they were found */
    bool before;  /* it is what it was before this entry */
};

struct part {
    struct sticker_undo *undo;
    struct arena arena, names;
    struct kept *kept; /* [n_kept] of entries that could not be taken back */
    size_t n_kept, kept_cap;
    struct admin_change changes[PART];
    size_t n;
};

static enum status flush(struct part *p, struct error *err)
{
    struct sticker_undo *u = p->undo;
    enum status st = p->n ? sticker_store_change(u->store, u->who, p->changes, p->n, err) : OK;
    for (size_t i = 0; i < p->n && st == OK; i++)
        p->changes[i].op == CHANGE_DELETE ? u->removed++ : u->restored++;
    p->n = 0;
    return st;
}

static enum status keep(struct part *p, const char *filename, bool before, struct error *err)
{
    if (p->n_kept == p->kept_cap) {
        size_t cap = p->kept_cap ? 2 * p->kept_cap : PART;
        struct kept *more = realloc(p->kept, cap * sizeof *more);
        if (!more)
            return err_no_memory(err, "what is undone");
        p->kept = more;
        p->kept_cap = cap;
    }
    const char *name = arena_strdup(&p->names, filename);
    if (!name)
        return err_no_memory(err, "what is undone");
    p->kept[p->n_kept] = (struct kept){name, p->n_kept, before};
    p->n_kept++;
    return OK;
}

static int by_filename(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    int order = strcmp(x->filename, y->filename);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Each sticker that was left, once; not those that became what they were before by an undo that was broken off. */
static void report_left(struct part *p)
{
    struct sticker_undo *u = p->undo;
    if (p->n_kept)
        qsort(p->kept, p->n_kept, sizeof *p->kept, by_filename);
    for (size_t i = 0; i < p->n_kept; i++) {
        bool last = i + 1 == p->n_kept || strcmp(p->kept[i].filename, p->kept[i + 1].filename) != 0;
        if (!last || p->kept[i].before)
            continue;
        u->n_left++;
        if (u->left)
            u->left(u->ctx, p->kept[i].filename);
    }
}

/* The change that takes the entry back. *usable: the sticker is as the entry left it; *before: it is as before it. */
static enum status make_change(struct part *p, const struct history_entry *e, struct sticker *k, bool *usable,
                               bool *before, struct error *err)
{
    struct arena *a = &p->arena;
    bool added = strcmp(e->action, "add") == 0;
    const char *now = sticker_state(k, a), *is = added ? sticker_digest(k, a) : now;
    if (!now || !is)
        return err_no_memory(err, "what is undone");
    *usable = strcmp(is, e->after) == 0;
    *before = strcmp(now, e->before) == 0;
    if (!*usable)
        return OK;
    if (added)
        return sticker_delete_change(k, k->modified_us, a, &p->changes[p->n], err);
    enum status st = sticker_from_state(e->before, a, k, err);
    if (st == ERR_INVALID) { /* erased */
        *usable = false;
        return OK;
    }
    return st == OK ? sticker_row_change(k, false, now, k->modified_us, a, &p->changes[p->n], err) : st;
}

static enum status undo_entry(struct part *p, const struct history_entry *e, struct error *err)
{
    struct sticker_undo *u = p->undo;
    struct sticker *k = arena_array(&p->arena, 1, sizeof *k);
    bool usable = false, before = false;
    enum status st = k ? OK : err_no_memory(err, "what is undone");
    for (size_t i = 0; st == OK && i < p->n; i++)
        if (strcmp(p->changes[i].object, e->object) == 0) /* it was added and changed by the same import */
            st = flush(p, err);
    if (st != OK || strcmp(e->model, "stickers") != 0)
        return st;
    st = sticker_store_get(u->store, e->object, &p->arena, k, err);
    if (st == ERR_NOT_FOUND) /* gone already */
        return OK;
    if (st == OK)
        st = make_change(p, e, k, &usable, &before, err);
    p->n += st == OK && usable;
    return st != OK || usable ? st : keep(p, e->object, before, err);
}

enum status sticker_undo_import(struct sticker_undo *u, const struct import_record *import, struct error *err)
{
    struct part p = {.undo = u};
    struct history_entry *entries;
    int64_t row = INT64_MAX;
    size_t n = PART, done = 0;
    enum status st = OK;
    arena_init(&p.arena, PART_ARENA);
    arena_init(&p.names, SIZE_MAX); /* of an import, however large */
    while (st == OK && n == PART) {
        arena_reset(&p.arena);
        st = u->stopped && u->stopped(u->ctx)
                 ? err_set(err, ERR_CANCELLED, "stopped")
                 : sticker_store_history_batch(u->store, import->batch, row, PART, &p.arena, &entries, &n, err);
        for (size_t i = 0; st == OK && i < n; i++) {
            st = undo_entry(&p, &entries[i], err);
            row = entries[i].row;
        }
        if (st == OK)
            st = flush(&p, err);
        done += n;
        if (u->progress)
            u->progress(u->ctx, done, (size_t)(import->added + import->changed));
    }
    if (st == OK)
        report_left(&p);
    free(p.kept);
    arena_free(&p.names);
    arena_free(&p.arena);
    return st == OK ? sticker_store_import_undone(u->store, import->number, err) : st;
}
