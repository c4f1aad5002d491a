/* peel delete NAME... | --pack NAME: deletes stickers as the admin pages do, with an entry in the history. */
#include "cmd/cmd.h"
#include "cmd/pack.h"
#include "cmd/progress.h"
#include "cmd/prompt.h"
#include "sticker_store/sticker_admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY (512u << 20)
#define PAGE   500u
#define BATCH  64u /* in one transaction */

struct deletion {
    const struct config *cfg;
    struct sticker_store *store;
    struct arena arena;
    const char **names; /* [n] in the arena */
    size_t n, cap;
    size_t done;
};

static enum status add_name(struct deletion *d, const char *name, struct error *err)
{
    if (d->n == d->cap) {
        size_t cap = d->cap ? 2 * d->cap : 256;
        const char **more = arena_array(&d->arena, cap, sizeof *more);
        if (!more)
            return err_no_memory(err, "the names of the stickers");
        if (d->n)
            memcpy(more, d->names, d->n * sizeof *more);
        d->names = more;
        d->cap = cap;
    }
    d->names[d->n] = arena_strdup(&d->arena, name);
    return d->names[d->n++] ? OK : err_no_memory(err, "the names of the stickers");
}

/* Named ones must be there, so that a typing error deletes nothing. */
static enum status find_named(struct deletion *d, struct error *err)
{
    const char *const *args;
    size_t n = config_args(d->cfg, &args);
    struct sticker *known = arena_array(&d->arena, n + 1, sizeof *known);
    enum status st = known ? OK : err_no_memory(err, "the names of the stickers");
    if (st == OK && n)
        st = sticker_store_get_many(d->store, args, n, &d->arena, known, err);
    for (size_t i = 0; st == OK && i < n; i++) {
        if (!known[i].filename)
            st = err_set(err, ERR_NOT_FOUND, "there is no sticker \"%.255s\"; nothing was deleted", args[i]);
        else
            st = add_name(d, args[i], err);
    }
    return st;
}

static enum status find_pack(struct deletion *d, const char *pack, struct error *err)
{
    struct sticker_filter filter = STICKER_FILTER_NONE;
    size_t before = d->n, n;
    int64_t after = 0;
    enum status st;
    filter.pack = pack;
    do {
        const char **names;
        st = sticker_store_pack_page(d->store, &filter, &after, PAGE, &d->arena, &names, &n, err);
        for (size_t i = 0; st == OK && i < n; i++)
            st = add_name(d, names[i], err);
    } while (st == OK && after);
    if (st == OK && d->n == before)
        st = err_set(err, ERR_NOT_FOUND, "no sticker belongs to the pack \"%.100s\"; `peel pack list` lists all packs",
                     pack);
    return st;
}

static enum status find_packs(struct deletion *d, struct error *err)
{
    const char *const *packs;
    size_t n = config_list(d->cfg, "pack", &packs);
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++)
        st = find_pack(d, packs[i], err);
    return st;
}

static int delete_by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* A sticker that was named twice, or by its pack too, is deleted once. */
static void drop_repeats(struct deletion *d)
{
    size_t n = 0;
    qsort(d->names, d->n, sizeof *d->names, delete_by_name);
    for (size_t i = 0; i < d->n; i++)
        if (i == 0 || strcmp(d->names[i], d->names[n - 1]) != 0)
            d->names[n++] = d->names[i];
    d->n = n;
}

/* The one place where the command deletes. */
static enum status delete_batch(struct deletion *d, struct error *err)
{
    struct admin_change changes[BATCH];
    size_t n = 0;
    for (; n < BATCH && d->done + n < d->n; n++) {
        const char *name = d->names[d->done + n];
        changes[n] = (struct admin_change){
            .op = CHANGE_DELETE, .list = "stickers", .id = name, .object = name, .before = "", .after = ""};
    }
    enum status st = sticker_store_change(d->store, cmd_who(), changes, n, err);
    d->done += st == OK ? n : 0;
    return st;
}

static enum status delete_all(struct deletion *d, struct error *err)
{
    struct progress bar;
    enum status st = OK;
    cmd_stop_on_signals();
    progress_start(&bar, "Deleting", config_bool(d->cfg, "quiet"));
    while (st == OK && d->done < d->n) {
        st = cmd_stopped() ? err_set(err, ERR_CANCELLED, "stopped after %zu of %zu stickers", d->done, d->n)
                           : delete_batch(d, err);
        progress_show(&bar, (int64_t)d->done, (int64_t)d->n);
    }
    st == OK ? progress_end(&bar) : progress_clear(&bar);
    return st;
}

static enum status delete_confirmed(struct deletion *d, struct error *err)
{
    char question[128];
    bool yes = config_bool(d->cfg, "yes");
    snprintf(question, sizeof question,
             "Delete %zu sticker%s? The trash of the admin pages keeps %s for a while. [y/N] ", d->n,
             d->n == 1 ? "" : "s", d->n == 1 ? "it" : "them");
    enum status st = yes ? OK : prompt_yes(question, &yes, err);
    if (st == OK && !yes)
        st = err_set(err, ERR_CANCELLED, "nothing was deleted");
    return st == OK ? delete_all(d, err) : st;
}

static enum status delete_found(struct deletion *d, struct error *err)
{
    drop_repeats(d);
    enum status st = delete_confirmed(d, err);
    if (st == OK && config_bool(d->cfg, "json"))
        st = cmd_print_json(json_pack("{s:I}", "deleted", (json_int_t)d->done), err);
    else if (st == OK)
        printf("Deleted %zu sticker%s.\n", d->done, d->done == 1 ? "" : "s");
    return st;
}

enum status delete_pack(const struct config *cfg, struct sticker_store *store, const char *pack, struct error *err)
{
    struct deletion d = {.cfg = cfg, .store = store};
    arena_init(&d.arena, MEMORY);
    enum status st = find_pack(&d, pack, err);
    if (st == OK)
        st = delete_found(&d, err);
    arena_free(&d.arena);
    return st;
}

int cmd_delete(const struct config *cfg)
{
    const char *const *items;
    struct deletion d = {.cfg = cfg};
    struct error err;
    if (!config_args(cfg, &items) && !config_list(cfg, "pack", &items))
        return cmd_usage("nothing to delete: name stickers, or a pack with --pack");
    arena_init(&d.arena, MEMORY);
    enum status st = cmd_find_stickers(cfg, 1, &d.store, &err);
    if (st == OK)
        st = find_named(&d, &err);
    if (st == OK)
        st = find_packs(&d, &err);
    if (st == OK)
        st = delete_found(&d, &err);
    sticker_store_close(d.store);
    arena_free(&d.arena);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
