/* peel forget QUERY... | --voter ID | --user NAME: erases what a person asks to have erased. */
#include "cmd/cmd.h"
#include "cmd/prompt.h"
#include "sticker_service/curation.h"
#include "sticker_service/receipts.h"
#include "sticker_store/sticker_privacy.h"

#include <stdio.h>

#define MEMORY (16u << 20)

struct forgetting {
    const struct config *cfg;
    struct sticker_store *store;
    struct arena arena;
    const char *const *queries;
    size_t n;
    const char *voter, *user;
    bool dry;
    struct forgotten total;
};

static void add(struct forgotten *to, const struct forgotten *more)
{
    to->searches += more->searches;
    to->scores += more->scores;
    to->votes += more->votes;
    to->pins += more->pins;
    to->events += more->events;
    to->history += more->history;
}

static enum status forget_query(struct forgetting *f, const char *query, struct error *err)
{
    struct forgotten done;
    const char *pin = query;
    if (curation_check("query", &pin, &f->arena, NULL) != OK)
        pin = query; /* no pin can have it */
    enum status st = sticker_store_forget_search(f->store, cmd_who(), query, pin, f->dry, &done, err);
    if (st == OK)
        add(&f->total, &done);
    return st;
}

static enum status forget_others(struct forgetting *f, struct error *err)
{
    struct forgotten done = {0};
    enum status st = OK;
    if (f->voter) {
        struct receipts *keys = NULL;
        st = receipts_open(f->store, &keys, err);
        const char *hashes[2] = {NULL, NULL};
        for (int vouched = 0; vouched < 2 && st == OK; vouched++)
            if (!(hashes[vouched] = receipts_person(keys, f->voter, vouched, &f->arena)))
                st = err_no_memory(err, "the voter's id");
        if (st == OK)
            st = sticker_store_forget_voter(f->store, cmd_who(), hashes, 2, f->dry, &done, err);
        receipts_close(keys);
        add(&f->total, &done);
    }
    if (st == OK && f->user) {
        st = sticker_store_forget_user(f->store, cmd_who(), f->user, f->dry, &done, err);
        add(&f->total, &done);
    }
    return st;
}

static enum status forget_confirmed(struct forgetting *f, struct error *err)
{
    bool yes = f->dry || config_bool(f->cfg, "yes");
    enum status st = yes ? OK : prompt_yes("Erase it? This cannot be undone. [y/N] ", &yes, err);
    if (st == OK && !yes)
        st = err_set(err, ERR_CANCELLED, "nothing was erased");
    for (size_t i = 0; i < f->n && st == OK; i++)
        st = forget_query(f, f->queries[i], err);
    return st == OK ? forget_others(f, err) : st;
}

static enum status print_forgotten(const struct forgetting *f, struct error *err)
{
    const struct forgotten *n = &f->total;
    if (config_bool(f->cfg, "json"))
        return cmd_print_json(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:b}", "searches", (json_int_t)n->searches,
                                        "scores", (json_int_t)n->scores, "votes", (json_int_t)n->votes, "pins",
                                        (json_int_t)n->pins, "events", (json_int_t)n->events, "history",
                                        (json_int_t)n->history, "dry_run", f->dry),
                              err);
    printf(
        "%s: searches %lld, scores %lld, votes of known voters %lld, pins %lld, events %lld, history entries %lld.\n",
        f->dry ? "Would erase" : "Erased", (long long)n->searches, (long long)n->scores, (long long)n->votes,
        (long long)n->pins, (long long)n->events, (long long)n->history);
    return OK;
}

int cmd_forget(const struct config *cfg)
{
    struct error err;
    struct forgetting f = {.cfg = cfg,
                           .voter = config_is_set(cfg, "voter") ? config_string(cfg, "voter") : NULL,
                           .user = config_is_set(cfg, "user") ? config_string(cfg, "user") : NULL,
                           .dry = config_bool(cfg, "dry-run")};
    f.n = config_args(cfg, &f.queries);
    if (!f.n && !f.voter && !f.user)
        return cmd_usage("nothing to forget: name searches, a voter with --voter or a user with --user");
    arena_init(&f.arena, MEMORY);
    enum status st = cmd_find_stickers(cfg, 1, &f.store, &err);
    if (st == OK)
        st = forget_confirmed(&f, &err);
    if (st == OK)
        st = print_forgotten(&f, &err);
    sticker_store_close(f.store);
    arena_free(&f.arena);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
