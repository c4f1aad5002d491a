/* peel undo [NUMBER]: lists the last imports, or takes one back. */
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/prompt.h"
#include "import/import.h"
#include "import/sticker_undo.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTED 20u
#define NAMED  1000u /* stickers that were left */

static enum status undo_list(const struct config *cfg, struct sticker_store *store, struct arena *a, struct error *err)
{
    struct import_record *imports;
    size_t n;
    enum status st = sticker_store_imports(store, LISTED, a, &imports, &n, err);
    if (st != OK)
        return st;
    json_t *list = config_bool(cfg, "json") ? json_array() : NULL;
    for (size_t i = 0; i < n; i++) {
        const struct import_record *r = &imports[i];
        char at[28];
        os_format_time(r->at_us, at);
        if (list)
            json_array_append_new(
                list, json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:b, s:b}", "import", (json_int_t)r->number, "at", at,
                                "by", r->username, "source", r->source, "added", (json_int_t)r->added, "changed",
                                (json_int_t)r->changed, "complete", r->ended_us != 0, "undone", r->undone_us != 0));
        else
            printf("%4lld  %.16s  %6lld added  %6lld changed  %s%s\n", (long long)r->number, at, (long long)r->added,
                   (long long)r->changed, r->source, r->undone_us ? " (undone)" : "");
    }
    if (list)
        return cmd_print_json(list, err);
    puts(n ? "`peel undo NUMBER` takes one of them back." : "Nothing was imported yet.");
    return OK;
}

struct left {
    json_t *names; /* NULL: they are printed */
    struct progress *progress;
    size_t n;
};

static void undo_left(void *ctx, const char *filename)
{
    struct left *left = ctx;
    if (left->n++ >= NAMED)
        return;
    if (left->names)
        json_array_append_new(left->names, json_string(filename));
    else
        fprintf(stderr, "left: %s: it was changed since\n", filename);
}

static void undo_progress(void *ctx, size_t done, size_t total)
{
    progress_show(((struct left *)ctx)->progress, (int64_t)done, (int64_t)total);
}

static bool undo_stopped(void *ctx)
{
    (void)ctx;
    return cmd_stopped();
}

static enum status undo_confirmed(const struct config *cfg, const struct import_record *r, struct error *err)
{
    char question[256];
    bool yes = config_bool(cfg, "yes");
    if (yes)
        return OK;
    snprintf(question, sizeof question,
             "Delete the %lld stickers that import %lld added, and change %lld back that it changed? [y/N] ",
             (long long)r->added, (long long)r->number, (long long)r->changed);
    enum status st = prompt_yes(question, &yes, err);
    return st == OK && !yes ? err_set(err, ERR_CANCELLED, "nothing was undone") : st;
}

static enum status undo_one(const struct config *cfg, struct sticker_store *store, const char *number, struct arena *a,
                            struct error *err)
{
    struct import_record import;
    struct admin_who who = *cmd_who();
    struct progress progress;
    struct left left = {.names = config_bool(cfg, "json") ? json_array() : NULL, .progress = &progress};
    struct sticker_undo undo = {.store = store,
                                .who = &who,
                                .stopped = undo_stopped,
                                .progress = undo_progress,
                                .left = undo_left,
                                .ctx = &left};
    char batch[37], *end;
    int fd = -1;
    os_uuid7(batch);
    who.batch = batch;
    long long n = strtoll(number, &end, 10);
    enum status st = *end || n < 1
                         ? err_set(err, ERR_INVALID, "NUMBER: expected that of an import, found \"%.40s\"", number)
                         : sticker_store_import_get(store, n, a, &import, err);
    if (st == OK)
        st = undo_confirmed(cfg, &import, err);
    if (st == OK)
        st = import_lock(config_string(cfg, "data"), &fd, err);
    if (st == OK) {
        cmd_stop_on_signals();
        progress_start(&progress, "Undoing", config_bool(cfg, "quiet"));
        st = sticker_undo_import(&undo, &import, err);
        st == OK ? progress_end(&progress) : progress_clear(&progress);
        close(fd);
    }
    if (st == OK && left.names)
        return cmd_print_json(json_pack("{s:I, s:I, s:I, s:o}", "removed", (json_int_t)undo.removed, "restored",
                                        (json_int_t)undo.restored, "left", (json_int_t)undo.n_left, "left_names",
                                        left.names),
                              err);
    json_decref(left.names);
    if (st == OK)
        printf("%zu deleted (they are in the trash), %zu changed back, %zu left as they were changed since\n",
               undo.removed, undo.restored, undo.n_left);
    return st;
}

int cmd_undo(const struct config *cfg)
{
    const char *const *args;
    struct sticker_store *store = NULL;
    struct arena a;
    struct error err;
    size_t n = config_args(cfg, &args);
    arena_init(&a, 4u << 20);
    enum status st = cmd_find_stickers(cfg, 1, &store, &err);
    if (st == OK)
        st = n ? undo_one(cfg, store, args[0], &a, &err) : undo_list(cfg, store, &a, &err);
    sticker_store_close(store);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
