/* Duplicates at import: see import_alike.h, and looks.h for what looks alike. */
#include "import/import_alike.h"

#include "import/import_parts.h"
#include "import/looks.h"
#include "import/sticker_row.h"
#include "sticker_store/sticker_imports.h"

#include <stdlib.h>

#define GIVE_ARENA (32u << 20)
#define GIVE_TRIES 3

struct import_alike {
    struct sticker_store *store;
    struct looks *looks; /* NULL: nobody has asked; those of this import come behind */
    size_t stored;       /* how many of them were in the database */
};

enum status import_alike_open(struct sticker_store *store, struct import_alike **out, struct error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_no_memory(err, "the looks of stickers");
    (*out)->store = store;
    return OK;
}

void import_alike_close(struct import_alike *x)
{
    if (!x)
        return;
    looks_free(x->looks);
    free(x);
}

enum status import_alike_find(struct import_alike *x, const struct picture *p, bool ask, bool merge,
                              struct import_duplicate *out, struct error *err)
{
    const struct looks_one one = {.filename = p->filename,
                                  .look = p->look,
                                  .animated = p->motion.frames > 1,
                                  .duration_ms = (int64_t)p->motion.duration_ms};
    size_t place = 0;
    *out = (struct import_duplicate){0};
    if (!x->looks) {
        enum status st = looks_load(x->store, &x->looks, err);
        if (st != OK)
            return st;
        x->stored = looks_count(x->looks);
    }
    if (ask)
        out->like = looks_find(x->looks, &one, &place);
    out->here = out->like && place >= x->stored;
    out->merged = out->like && merge;
    return out->merged ? OK : looks_add(x->looks, &one, err);
}

static enum status give_once(const struct import_run *run, const char *like, const struct sticker *from,
                             struct arena *a, size_t *written, struct error *err)
{
    struct sticker s;
    struct admin_change change;
    bool changed = false;
    enum status st = sticker_store_get(run->store, like, a, &s, err);
    const char *before = st == OK ? sticker_state(&s, a) : NULL;
    if (st == OK)
        st = before ? sticker_merge_words(from, a, &s, &changed, err) : err_no_memory(err, "a sticker");
    *written = 1;
    if (st != OK || !changed)
        return st;
    st = sticker_row_change(&s, false, before, s.modified_us, a, &change, err);
    return st == OK ? sticker_store_import(run->store, run->who, run->source, &change, 1, written, err) : st;
}

enum status import_alike_give(const struct import_run *run, const char *like, const struct sticker *from,
                              struct error *err)
{
    struct arena a;
    size_t written = run->dry;
    enum status st = OK;
    arena_init(&a, GIVE_ARENA);
    for (int tries = 0; tries < GIVE_TRIES && st == OK && !written; tries++) {
        arena_reset(&a);
        st = give_once(run, like, from, &a, &written, err);
    }
    arena_free(&a);
    if (st == OK && !written)
        st =
            err_set(err, ERR_CONFLICT, "\"%s\", which it looks like, is being changed by others again and again", like);
    return st;
}

void import_list_alike(struct import_list *l, const struct import_item *item, const struct import_duplicate *found)
{
    const char *name = import_shown_name(l, item->path ? item->path : item->filename);
    if (l->n_duplicates == l->cap_duplicates) {
        size_t cap = l->cap_duplicates ? 2 * l->cap_duplicates : 64;
        struct import_duplicate *all = realloc(l->duplicates, cap * sizeof *all);
        if (!all)
            return;
        l->duplicates = all;
        l->cap_duplicates = cap;
    }
    struct import_duplicate *d = &l->duplicates[l->n_duplicates];
    *d = *found;
    d->name = arena_strdup(l->arena, name);
    d->like = arena_strdup(l->arena, found->like);
    l->n_duplicates += d->name && d->like;
}
