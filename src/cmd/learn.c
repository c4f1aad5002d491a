/* peel learn status|freeze|unfreeze|reset|rebuild, peel learn explain QUERY STICKER */
#include "sticker_service/learn.h"
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/prompt.h"
#include "cmd/verb.h"

#include <stdio.h>
#include <string.h>

static enum status status_json(const int64_t numbers[LEARN_NUMBERS], const struct learn_counts *n, double up_share,
                               const struct learn_bias *bias, struct error *err)
{
    return cmd_print_json(json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:b, s:f}", "frozen",
                                    (int)numbers[LEARN_FROZEN], "ballots", (json_int_t)n->ballots, "voters",
                                    (json_int_t)n->voters, "up_votes", (json_int_t)numbers[LEARN_UPS], "down_votes",
                                    (json_int_t)numbers[LEARN_DOWNS], "queries", (json_int_t)n->queries, "due",
                                    (json_int_t)n->due, "epoch", (json_int_t)numbers[LEARN_EPOCH], "version",
                                    (json_int_t)n->version, "held_bursts", (json_int_t)n->held, "watermark",
                                    (json_int_t)numbers[LEARN_WATERMARK], "up_share", up_share, "rank_bias_estimated",
                                    bias->estimated, "click_rate", bias->rate),
                          err);
}

static enum status learn_status(const struct verb_call *call, struct error *err)
{
    int64_t numbers[LEARN_NUMBERS];
    struct learn_rank ranks[LEARN_RANKS + 1];
    struct learn_counts n;
    struct learn_bias bias;
    enum status st = sticker_store_learn_numbers(call->store, numbers, err);
    if (st == OK)
        st = sticker_store_learn_count(call->store, &n, err);
    if (st == OK)
        st = sticker_store_learn_ranks(call->store, ranks, err);
    if (st != OK)
        return st;
    learn_bias(ranks, &bias);
    double up_share = learn_up_share(numbers[LEARN_UPS], numbers[LEARN_DOWNS]);
    if (config_bool(call->cfg, "json"))
        return status_json(numbers, &n, up_share, &bias, err);
    printf("Learning is %s.\n", numbers[LEARN_FROZEN] ? "frozen" : "on");
    printf("Votes: %lld of %lld voters; %lld up, %lld down; share of up-votes expected: %.2f\n", (long long)n.ballots,
           (long long)n.voters, (long long)numbers[LEARN_UPS], (long long)numbers[LEARN_DOWNS], up_share);
    printf("Clicks: %.1f%% of what is looked at; how much each rank is looked at is %s\n", 100 * bias.rate,
           bias.estimated ? "estimated" : "assumed (1/rank^0.7)");
    printf("Queries with gains: %lld, to be computed: %lld, version %lld\n", (long long)n.queries, (long long)n.due,
           (long long)n.version);
    printf("Held bursts: %lld\n", (long long)n.held);
    return OK;
}

static enum status set_frozen(const struct verb_call *call, bool frozen, struct error *err)
{
    bool changed;
    enum status st = sticker_store_learn_freeze(call->store, cmd_who(), frozen, &changed, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:b, s:b}", "frozen", frozen, "changed", changed), err);
    if (st == OK)
        printf("Learning %s%s.\n", changed ? "is " : "was already ", frozen ? "frozen" : "on");
    return st;
}

static enum status learn_freeze(const struct verb_call *call, struct error *err)
{
    return set_frozen(call, true, err);
}

static enum status learn_unfreeze(const struct verb_call *call, struct error *err)
{
    return set_frozen(call, false, err);
}

static enum status learn_reset(const struct verb_call *call, struct error *err)
{
    bool yes = config_bool(call->cfg, "yes");
    enum status st = yes ? OK : prompt_yes("Forget everything that votes and clicks taught? [y/N] ", &yes, err);
    if (st == OK && !yes)
        return err_set(err, ERR_CANCELLED, "nothing was forgotten");
    if (st == OK)
        st = sticker_store_learn_reset(call->store, cmd_who(), false, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:b}", "reset", 1), err);
    if (st == OK)
        printf("Peel learns from now on only.\n");
    return st;
}

static enum status learn_rebuild(const struct verb_call *call, struct error *err)
{
    int64_t scores = 0, older = 0;
    char question[128];
    enum status st = sticker_store_learn_older(call->store, &older, err);
    bool yes = !older || config_bool(call->cfg, "yes");
    snprintf(question, sizeof question, "%lld votes are older than the log. Forget what they taught? [y/N] ",
             (long long)older);
    if (st == OK && !yes)
        st = prompt_yes(question, &yes, err);
    if (st == OK && !yes)
        return err_set(err, ERR_CANCELLED, "nothing was forgotten");
    if (st == OK)
        st = sticker_store_learn_reset(call->store, cmd_who(), true, err);
    if (st == OK)
        st = sticker_store_learn_rescore(call->store, cmd_who(), &scores, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:b, s:I}", "rebuilding", 1, "scores_corrected", (json_int_t)scores), err);
    if (st == OK)
        printf("StickerService learns again from all events that are kept. Scores that were corrected: %lld.\n",
               (long long)scores);
    return st;
}

/* --- explaining --- */

static json_t *tally_json(const struct learn_tally *t)
{
    return json_pack("{s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f}", "ups", t->ups, "downs", t->downs, "voters",
                     (json_int_t)t->voters, "networks", (json_int_t)t->networks, "seen", t->seen, "clicked", t->clicked,
                     "expected_clicks", t->expected, "vote_gain", t->votes, "click_gain", t->clicks, "gain", t->gain);
}

static void print_tally(const struct learn_tally *t)
{
    printf("  votes: %.2f up, %.2f down of %zu voters in %zu networks -> %+.3f%s\n", t->ups, t->downs, t->voters,
           t->networks, t->votes,
           t->voters && (t->voters < LEARN_CROWD || t->networks < LEARN_NETWORKS) ? " (no crowd yet)" : "");
    printf("  clicks: %.1f, expected %.1f of %.1f looks -> %+.3f\n", t->clicked, t->expected, t->seen, t->clicks);
    printf("  together: %.1f * %+.3f + %.1f * %+.3f = %+.3f\n", LEARN_VOTE_SHARE, t->votes, 1 - LEARN_VOTE_SHARE,
           t->clicks, t->gain);
}

static void print_explained(const struct learn_explained *x, const char *sticker)
{
    printf("\"%s\" and %s\nFor this query:\n", x->query, sticker);
    print_tally(&x->own);
    printf("For all queries:\n  votes: %.2f up, %.2f down of %zu voters in %zu networks -> %+.3f\n", x->overall.ups,
           x->overall.downs, x->overall.voters, x->overall.networks, x->overall.votes);
    printf("Gain: %+.3f, from %s%s\n", x->gain,
           strcmp(x->from, "query") == 0   ? "this query"
           : strcmp(x->from, "alike") == 0 ? "queries that say the same"
           : strcmp(x->from, "all") == 0   ? "all queries"
                                           : "nothing that is enough",
           x->frozen ? " (learning is frozen)" : "");
}

static enum status learn_explain(const struct verb_call *call, struct error *err)
{
    const char *const *args;
    struct learner *learner = NULL;
    struct learn_explained x;
    struct sticker sticker;
    config_args(call->cfg, &args);
    const struct learn_settings settings = {config_number(call->cfg, "votes-half-life-days")};
    enum status st = sticker_store_get(call->store, args[2], call->arena, &sticker, err);
    if (st == OK)
        st = learner_open(call->store, &settings, &learner, err);
    if (st == OK)
        st = learner_explain(learner, args[1], sticker.id, call->arena, &x, err);
    if (st == OK && config_bool(call->cfg, "json"))
        st = cmd_print_json(json_pack("{s:s, s:s, s:o, s:o, s:f, s:f, s:s, s:b, s:I}", "query", x.query, "sticker",
                                      args[2], "own", tally_json(&x.own), "overall", tally_json(&x.overall), "up_share",
                                      x.up_share, "gain", x.gain, "from", x.from, "frozen", x.frozen, "version",
                                      (json_int_t)x.version),
                            err);
    else if (st == OK)
        print_explained(&x, args[2]);
    learner_close(learner);
    return st;
}

int cmd_learn(const struct config *cfg)
{
    static const struct verb verbs[] = {{"status", learn_status},     {"freeze", learn_freeze},
                                        {"unfreeze", learn_unfreeze}, {"reset", learn_reset},
                                        {"rebuild", learn_rebuild},   {"explain", learn_explain}};
    return cmd_verb(cfg, verbs);
}
