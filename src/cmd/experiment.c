/* peel experiment start|status|stop|list: compares two rankings on live searches (docs/EXPERIMENTS.md). */
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/runtime.h"
#include "cmd/verb.h"
#include "http/client.h"
#include "sticker_service/experiments.h"
#include "sticker_service/trial.h"

#include <stdio.h>
#include <string.h>

#define LISTED 1000

static const char *say_ranking(const char *ranking)
{
    return *ranking ? ranking : "(that of all searches)";
}

static const char *say_better(enum team better)
{
    return better == TEAM_A ? "A is better" : better == TEAM_B ? "B is better" : "undecided";
}

static json_t *counts_json(const struct experiment *e)
{
    const struct experiment_counts *c = &e->counts;
    struct trial_result r;
    trial_judge(e->kind, c, &r);
    json_t *out = json_pack("{s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:s?}", "searches", (json_int_t)c->searches, "won_a",
                            (json_int_t)c->won[0], "won_b", (json_int_t)c->won[1], "value", r.value, "low", r.low,
                            "high", r.high, "p", r.p, "better",
                            r.better == TEAM_A   ? "a"
                            : r.better == TEAM_B ? "b"
                                                 : NULL);
    if (e->kind == EXPERIMENT_INTERLEAVE)
        json_object_set_new(out, "tied", json_integer(c->tied));
    else
        json_object_update_new(out, json_pack("{s:I, s:I, s:f}", "people_a", (json_int_t)c->people[0], "people_b",
                                              (json_int_t)c->people[1], "balance_p", r.balance_p));
    return out;
}

static json_t *experiment_json(const struct experiment *e)
{
    char started[28], stopped[28];
    os_format_time(e->started_us, started);
    os_format_time(e->stopped_us, stopped);
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s?, s:o}", "name", e->name, "method", experiment_kinds[e->kind],
                     "a", e->rankings[0], "b", e->rankings[1], "share", (json_int_t)e->share, "started", started,
                     "stopped", e->stopped_us ? stopped : NULL, "result", counts_json(e));
}

static void print_counts(const struct experiment *e)
{
    const struct experiment_counts *c = &e->counts;
    struct trial_result r;
    trial_judge(e->kind, c, &r);
    printf("Searches with events: %lld\n", (long long)c->searches);
    if (e->kind == EXPERIMENT_INTERLEAVE)
        printf("People who preferred A: %lld, B: %lld, both alike: %lld\n"
               "Of those who preferred one, %.1f%% preferred B (95%% confidence: %.1f to %.1f%%)",
               (long long)c->won[0], (long long)c->won[1], (long long)c->tied, 100 * r.value, 100 * r.low,
               100 * r.high);
    else
        printf("People who used a sticker: %lld of %lld with A, %lld of %lld with B\n"
               "Difference: %+.1f percentage points for B (95%% confidence: %+.1f to %+.1f)",
               (long long)c->won[0], (long long)c->people[0], (long long)c->won[1], (long long)c->people[1],
               100 * r.value, 100 * r.low, 100 * r.high);
    printf(", p = %.3g: %s.\n", r.p, say_better(r.better));
    if (r.balance_p < TRIAL_BALANCE)
        printf("Do not trust this: A and B should have about as many people each (p = %.2g).\n", r.balance_p);
}

static void print_experiment(const struct experiment *e)
{
    char time[28];
    os_format_time(e->started_us, time);
    printf("%s: %s, %lld%% of people, started %.16s", e->name, experiment_kinds[e->kind], (long long)e->share, time);
    os_format_time(e->stopped_us, time);
    e->stopped_us ? printf(", stopped %.16s\n", time) : printf(", running\n");
    printf("A: %s\nB: %s\n", say_ranking(e->rankings[0]), say_ranking(e->rankings[1]));
    print_counts(e);
}

static enum status check(const struct verb_call *call, const struct experiment *e, struct error *err)
{
    struct http_client *search = NULL;
    struct http_client_config client = {.connect_timeout_ms = 2000, .max_idle = 1};
    (void)runtime_search_url(call->cfg, call->arena, &client.base_url);
    enum status st = http_client_open(&client, &search, err);
    if (st == OK)
        st = experiments_check(search, e, err);
    http_client_close(search);
    return st;
}

static enum status experiment_start(const struct verb_call *call, struct error *err)
{
    const struct experiment e = {.name = call->operand,
                                 .kind = strcmp(config_string(call->cfg, "method"), "ab") == 0 ? EXPERIMENT_AB
                                                                                               : EXPERIMENT_INTERLEAVE,
                                 .rankings = {config_string(call->cfg, "a"), config_string(call->cfg, "b")},
                                 .share = config_int(call->cfg, "share")};
    enum status st = check(call, &e, err);
    if (st == OK)
        st = sticker_store_experiment_start(call->store, cmd_who(), &e, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:s, s:s}", "name", e.name, "done", "started"), err);
    if (st == OK)
        printf("Started \"%s\". `peel experiment status` shows the result so far.\n", e.name);
    return st;
}

/* The experiment that is named, or else the running or last one. */
static enum status find(const struct verb_call *call, const struct experiment **out, struct error *err)
{
    struct experiment *list;
    size_t n;
    const char *name = *call->operand ? call->operand : NULL;
    enum status st = sticker_store_experiments(call->store, name, 1, call->arena, &list, &n, err);
    *out = list;
    if (st == OK && !n)
        return name ? err_set(err, ERR_NOT_FOUND, "there is no experiment \"%s\"", name)
                    : err_set(err, ERR_NOT_FOUND, "there has been no experiment yet");
    return st;
}

static enum status experiment_status(const struct verb_call *call, struct error *err)
{
    const struct experiment *e;
    enum status st = find(call, &e, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(experiment_json(e), err);
    if (st == OK)
        print_experiment(e);
    return st;
}

static enum status experiment_stop(const struct verb_call *call, struct error *err)
{
    enum status st = sticker_store_experiment_stop(call->store, cmd_who(), *call->operand ? call->operand : NULL, err);
    return st == OK ? experiment_status(call, err) : st;
}

static enum status experiment_list(const struct verb_call *call, struct error *err)
{
    struct experiment *list;
    size_t n;
    enum status st = sticker_store_experiments(call->store, NULL, LISTED, call->arena, &list, &n, err);
    if (st != OK)
        return st;
    json_t *json = json_array();
    for (size_t i = 0; i < n; i++) {
        if (config_bool(call->cfg, "json"))
            json_array_append_new(json, experiment_json(&list[i]));
        else
            printf("%s", i ? "\n" : ""), print_experiment(&list[i]);
    }
    if (config_bool(call->cfg, "json"))
        return cmd_print_json(json, err);
    json_decref(json);
    if (!n)
        printf("There has been no experiment yet.\n");
    return OK;
}

int cmd_experiment(const struct config *cfg)
{
    static const struct verb verbs[] = {{"start", experiment_start},
                                        {"status", experiment_status},
                                        {"stop", experiment_stop},
                                        {"list", experiment_list}};
    return cmd_verb(cfg, verbs);
}
