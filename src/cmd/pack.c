/* peel pack list | show PACK | rename PACK NAME | remove PACK | export PACK FILE */
#include "cmd/pack.h"

#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/prompt.h"
#include "cmd/verb.h"
#include "import/sticker_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST  100000u
#define BATCH 64u /* stickers in one transaction */

static const char *operand(const struct verb_call *call, size_t i)
{
    const char *const *args;
    return config_args(call->cfg, &args) > i ? args[i] : "";
}

static json_t *facts_json(const struct pack_row *p)
{
    const char *const texts[][2] = {
        {"author", p->about.author}, {"license", p->about.license}, {"source", p->about.source}};
    json_t *facts = json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:I}", "pack", p->about.name, "title",
                              pack_title(&p->about), "stickers", (json_int_t)p->stickers, "animated",
                              (json_int_t)p->animated, "rating", rating_name(p->rating_most), "votes_up",
                              (json_int_t)p->positives, "votes_down", (json_int_t)p->negatives);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i][1])
            json_object_set_new(facts, texts[i][0], json_string(texts[i][1]));
    return facts;
}

static enum status pack_list(const struct verb_call *call, struct error *err)
{
    struct pack_row *packs;
    size_t n;
    enum status st = sticker_store_packs(call->store, MOST, call->arena, &packs, &n, err);
    if (st == OK && config_bool(call->cfg, "json")) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, facts_json(&packs[i]));
        return cmd_print_json(list, err);
    }
    for (size_t i = 0; st == OK && i < n; i++)
        printf("%-32s %8lld stickers%s%s\n", *packs[i].about.name ? packs[i].about.name : "(no pack)",
               (long long)packs[i].stickers, *packs[i].about.title ? "  " : "", packs[i].about.title);
    if (st == OK && !n)
        puts("There are no stickers yet; `peel import --pack openmoji` downloads some.");
    return st;
}

/* --- show --- */

static json_t *strings_json(const char *const *list, size_t n)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_string(list[i]));
    return out;
}

static void print_line(const char *label, const char *const *list, size_t n)
{
    printf("%-10s", label);
    for (size_t i = 0; i < n; i++)
        printf("%s%s", i ? ", " : "", list[i]);
    puts(n ? n == PACK_CREDITS ? ", ..." : "" : "unknown");
}

static enum status pack_show(const struct verb_call *call, struct error *err)
{
    struct pack_row p;
    struct pack_credits by;
    enum status st = sticker_store_pack(call->store, operand(call, 1), call->arena, &p, &by, err);
    if (st != OK)
        return st;
    if (config_bool(call->cfg, "json")) {
        json_t *facts = facts_json(&p);
        json_object_set_new(facts, "cover", json_string(p.cover));
        json_object_set_new(facts, "authors", strings_json(by.authors, by.n_authors));
        json_object_set_new(facts, "licenses", strings_json(by.licenses, by.n_licenses));
        return cmd_print_json(facts, err);
    }
    printf("%-10s%s\n", "title", pack_title(&p.about));
    if (*p.about.author)
        printf("%-10s%s\n", "by", p.about.author);
    if (*p.about.license)
        printf("%-10s%s\n", "licence", p.about.license);
    if (*p.about.source)
        printf("%-10s%s\n", "source", p.about.source);
    printf("%-10s%lld, %lld of them animated\n", "stickers", (long long)p.stickers, (long long)p.animated);
    printf("%-10s%lld up, %lld down\n", "votes", (long long)p.positives, (long long)p.negatives);
    printf("%-10s%s at most\n%-10s%s\n", "rating", rating_name(p.rating_most), "cover", p.cover);
    print_line("authors", by.authors, by.n_authors);
    print_line("licences", by.licenses, by.n_licenses);
    return OK;
}

/* --- rename --- */

static enum status check_name(const char *name, struct error *err)
{
    size_t len = strlen(name), trimmed = len;
    const char *start = name;
    if (!utf8_valid(name, len) || utf8_has_control(name, len))
        return err_set(err, ERR_INVALID, "the new name must be text without control characters");
    utf8_trim(&start, &trimmed);
    if (!trimmed || trimmed != len || len > STICKER_LINE_MAX)
        return err_set(err, ERR_INVALID, "the new name must have 1 to %u bytes, and no spaces at its ends",
                       STICKER_LINE_MAX);
    return OK;
}

/* Up to BATCH stickers, in one transaction; *n of them. */
static enum status rename_batch(const struct verb_call *call, const char *pack, const char *name, struct arena *a,
                                size_t *n, struct error *err)
{
    struct sticker_filter filter = STICKER_FILTER_NONE;
    struct admin_change changes[BATCH];
    struct sticker *stickers = arena_array(a, BATCH, sizeof *stickers);
    const char **names;
    int64_t after = 0;
    filter.pack = pack;
    enum status st = stickers ? sticker_store_pack_page(call->store, &filter, &after, BATCH, a, &names, n, err)
                              : err_no_memory(err, "%u stickers", BATCH);
    for (size_t i = 0; st == OK && i < *n; i++) {
        st = sticker_store_get(call->store, names[i], a, &stickers[i], err);
        const char *before = st == OK ? sticker_state(&stickers[i], a) : NULL;
        if (st == OK && !before)
            st = err_no_memory(err, "a sticker");
        stickers[i].pack = name;
        if (st == OK)
            st = sticker_row_change(&stickers[i], false, before, stickers[i].modified_us, a, &changes[i], err);
    }
    return st == OK && *n ? sticker_store_change(call->store, cmd_who(), changes, *n, err) : st;
}

static enum status may_join(const struct verb_call *call, const char *name, struct error *err)
{
    struct pack_row p;
    struct pack_credits by;
    char question[256];
    bool yes = config_bool(call->cfg, "yes");
    enum status st = sticker_store_pack(call->store, name, call->arena, &p, &by, err);
    if (st != OK || yes)
        return st == ERR_NOT_FOUND ? OK : st;
    snprintf(question, sizeof question, "There is a pack \"%.100s\" with %lld stickers. Put these into it? [y/N] ",
             name, (long long)p.stickers);
    st = prompt_yes(question, &yes, err);
    return st == OK && !yes ? err_set(err, ERR_CANCELLED, "nothing was renamed") : st;
}

/* First, so that a rename that was stopped and is repeated finds what is said of the pack under its new name. */
static enum status rename_about(const struct verb_call *call, const struct pack_about *about, const char *name,
                                struct error *err)
{
    const struct admin_pair field = {"name", name};
    json_t *from = json_pack("{s:s}", "name", about->name), *to = json_pack("{s:s}", "name", name);
    char *before = from ? json_dumps(from, JSON_COMPACT) : NULL, *after = to ? json_dumps(to, JSON_COMPACT) : NULL;
    const struct admin_change change = {.op = CHANGE_UPDATE,
                                        .list = "packs",
                                        .id = about->name,
                                        .fields = &field,
                                        .n_fields = 1,
                                        .object = about->name,
                                        .before = before,
                                        .after = after};
    enum status st = before && after ? sticker_store_change(call->store, cmd_who(), &change, 1, err)
                                     : err_no_memory(err, "the history");
    free(before);
    free(after);
    json_decref(from);
    json_decref(to);
    return st;
}

static enum status pack_rename(const struct verb_call *call, struct error *err)
{
    struct pack_row p;
    struct pack_credits by;
    const char *pack = operand(call, 1), *name = operand(call, 2);
    size_t done = 0, n = BATCH;
    enum status st = check_name(name, err);
    if (st == OK && strcmp(pack, name) == 0)
        st = err_set(err, ERR_INVALID, "that is its name");
    if (st == OK)
        st = sticker_store_pack(call->store, pack, call->arena, &p, &by, err);
    if (st == OK)
        st = may_join(call, name, err);
    if (st == OK && p.modified_us)
        st = rename_about(call, &p.about, name, err);
    while (st == OK && n == BATCH) {
        struct arena a;
        arena_init(&a, 64u << 20);
        st = rename_batch(call, pack, name, &a, &n, err);
        arena_free(&a);
        done += st == OK ? n : 0;
    }
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:I}", "renamed", (json_int_t)done), err);
    if (st == OK)
        printf("Moved %zu sticker%s to the pack %s.\n", done, done == 1 ? "" : "s", name);
    return st;
}

/* --- remove, export --- */

static enum status pack_remove(const struct verb_call *call, struct error *err)
{
    struct pack_row p;
    struct pack_credits by;
    const char *pack = operand(call, 1);
    enum status st = sticker_store_pack(call->store, pack, call->arena, &p, &by, err);
    if (st == OK)
        fprintf(stderr, "The pack %s has %lld stickers, with %lld votes up and %lld down.\n", pack,
                (long long)p.stickers, (long long)p.positives, (long long)p.negatives);
    return st == OK ? delete_pack(call->cfg, call->store, pack, err) : st;
}

static enum status pack_to_file(const struct verb_call *call, struct error *err)
{
    return pack_export(call->cfg, call->store, operand(call, 1), operand(call, 2), err);
}

int cmd_pack(const struct config *cfg)
{
    static const struct verb verbs[] = {{"list", pack_list},
                                        {"show", pack_show},
                                        {"rename", pack_rename},
                                        {"remove", pack_remove},
                                        {"export", pack_to_file}};
    return cmd_verb(cfg, verbs);
}
