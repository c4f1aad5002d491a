/* peel replay: whether a ranking would lose, before it goes live. Exit status EXIT_WORSE: it would. */
#include "cmd/replay.h"

#include "cmd/cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const verdicts[] = {
    [REPLAY_UNDECIDED] = "undecided", [REPLAY_BETTER] = "better", [REPLAY_WORSE] = "worse"};

void replay_print(const struct replay *r)
{
    for (size_t side = 0; side < 2; side++)
        printf("%c: %s\n", (int)('A' + side), *r->rankings[side] ? r->rankings[side] : "(that of all searches)");
    printf("Replayed %" PRId64 " of %" PRId64
           " searches: the first ten changed in %.1f%%, %.1f%% of the stickers stayed.\n",
           r->replayed, r->known, 100 * r->changed, 100 * r->overlap);
    printf("| measure | queries | A (95%%) | B (95%%) | B - A (95%%) | B is |\n|---|--:|--:|--:|--:|---|\n");
    for (size_t i = 0; i < r->n_measures; i++) {
        const struct replay_measure *m = &r->measures[i];
        printf("| %s | %zu |", m->name, m->n);
        for (size_t side = 0; side < 2; side++)
            printf(" %.3f (%.3f-%.3f) |", m->sides[side].value, m->sides[side].low, m->sides[side].high);
        printf(" %+.3f (%+.3f..%+.3f) | %s |\n", m->gain.value, m->gain.low, m->gain.high,
               !m->judges            ? "not judged"
               : m->n < REPLAY_LEAST ? "of too few queries"
                                     : verdicts[m->verdict]);
    }
}

static json_t *interval_json(const struct interval *v)
{
    return json_pack("{s:f, s:f, s:f}", "value", v->value, "low", v->low, "high", v->high);
}

json_t *replay_json(const struct replay *r)
{
    json_t *measures = json_array();
    for (size_t i = 0; i < r->n_measures; i++) {
        const struct replay_measure *m = &r->measures[i];
        json_array_append_new(measures, json_pack("{s:s, s:I, s:o, s:o, s:o, s:s}", "measure", m->name, "queries",
                                                  (json_int_t)m->n, "a", interval_json(&m->sides[0]), "b",
                                                  interval_json(&m->sides[1]), "gain", interval_json(&m->gain),
                                                  "verdict", verdicts[m->verdict]));
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:o, s:s}", "a", r->rankings[0], "b", r->rankings[1], "searches",
                     (json_int_t)r->known, "replayed", (json_int_t)r->replayed, "changed", r->changed, "overlap",
                     r->overlap, "measures", measures, "verdict", verdicts[r->verdict]);
}

int cmd_replay(const struct config *cfg)
{
    struct error err;
    struct replay r = {.rankings = {config_string(cfg, "a"), config_string(cfg, "b")},
                       .judged = config_string(cfg, "judged")};
    if (strcmp(r.rankings[0], r.rankings[1]) == 0)
        return cmd_usage("both rankings are the same: describe another one with --b");
    cmd_stop_on_signals();
    enum status st = replay_run(cfg, &r, &err);
    if (st == OK && config_bool(cfg, "json"))
        st = cmd_print_json(replay_json(&r), &err);
    else if (st == OK)
        replay_print(&r);
    return st != OK ? cmd_failed(&err) : r.verdict == REPLAY_WORSE ? EXIT_WORSE : EXIT_OK;
}
