/* trial.h: the arithmetic of trying something on searches: a list of two rankings, a place for a new sticker, and what
 * the outcome of an experiment says. Nothing here depends on anything but its arguments; docs/EXPERIMENTS.md explains
 * what it is for. */
#ifndef PEEL_STICKER_SERVICE_TRIAL_H
#define PEEL_STICKER_SERVICE_TRIAL_H

#include "sticker_service/find_pins.h"
#include "sticker_store/sticker_experiments.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next of a sequence of random numbers that *seed begins (SplitMix64: Steele, Lea and Flood, OOPSLA 2014). */
uint64_t trial_random(uint64_t *seed);

/* Makes one list of the rankings a and b by team draft (Radlinski, Kurup and Joachims, CIKM 2008): round by round a
 * coin decides which team is first to choose its best sticker that nobody has chosen yet. What both begin with alike is
 * nobody's choice (Chapelle et al., TOIS 30(1), 2012). `mirrored` turns every coin over, so that two lists, one of them
 * mirrored, are fair to both rankings whatever the seed is.
 * At most `most` hits go into out, each with its team. A list is the beginning of a longer one. Returns how many. */
size_t trial_draft(const struct find_hit *a, size_t n_a, const struct find_hit *b, size_t n_b, size_t most,
                   uint64_t seed, bool mirrored, struct find_hit *out);

/* What is known of a sticker: how often people used it, and how often they saw it and did not. */
struct trial_evidence {
    double used, ignored;
};
/* How probable it is that Thompson sampling (Biometrika 25, 1933) chooses each of them: that a draw from its
 * Beta(used + 1, ignored + 1) is greater than those of the others. out: [n], of sum 1; n >= 1. */
#define TRIAL_MOST 64 /* of them at most */
void trial_chances(const struct trial_evidence *evidence, size_t n, double *out);
/* The index that a random number chooses. */
size_t trial_choose(const double *chances, size_t n, uint64_t random);

/* What an experiment says. Interleaving: `value` is the share of those who preferred B among those who preferred one;
 * 0.5 means that the rankings are alike. A/B: how much more often people used a sticker with B than with A, from -1 to
 * 1; 0 means alike. */
#define TRIAL_BALANCE 0.001
struct trial_result {
    int64_t n;               /* people that decide: who preferred one, or all */
    double value, low, high; /* with its 95% confidence interval */
    double p;                /* probability of at least so great a difference between rankings that are alike */
    double balance_p; /* A/B: the same of the numbers of people; below TRIAL_BALANCE something is wrong with them */
    enum team better; /* TEAM_NONE: p >= 0.05 */
};
void trial_judge(enum experiment_kind kind, const struct experiment_counts *counts, struct trial_result *out);
/* The two-sided sign test: of n fair coins, `heads` or as far from the middle. */
double trial_sign_test(int64_t heads, int64_t n);

#endif
