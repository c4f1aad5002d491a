#include "sticker_service/learn_gain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* --- the bias of ranks --- */

#define SHRUNK 100.0 /* impressions that the assumed bias counts as much as */

/* CTR(k) / CTR(1), drawn towards 1 / k^0.7, and never more than that of the rank before. */
static void estimate(const struct learn_rank ranks[LEARN_RANKS + 1], double rate, double looked[LEARN_RANKS + 1])
{
    double first = ((double)ranks[1].clicked + SHRUNK * rate) / ((double)ranks[1].seen + SHRUNK);
    for (int k = 2; k <= LEARN_RANKS; k++) {
        double here = ((double)ranks[k].clicked + SHRUNK * rate * looked[k]) / ((double)ranks[k].seen + SHRUNK);
        looked[k] = clamp(first > 0 ? here / first : looked[k], 0.01, looked[k - 1]);
    }
}

/* Clicks for everything that was looked at. */
static double rate_of(const struct learn_rank ranks[LEARN_RANKS + 1], const double looked[LEARN_RANKS + 1],
                      double *clicked)
{
    double seen = 0;
    *clicked = 0;
    for (int k = 1; k <= LEARN_RANKS; k++) {
        seen += (double)ranks[k].seen * looked[k];
        *clicked += (double)ranks[k].clicked;
    }
    return seen > 0 ? fmin(*clicked / seen, 1) : 0;
}

void learn_bias(const struct learn_rank ranks[LEARN_RANKS + 1], struct learn_bias *out)
{
    double clicked;
    out->looked[0] = 1;
    for (int k = 1; k <= LEARN_RANKS; k++)
        out->looked[k] = pow(k, -0.7);
    out->rate = rate_of(ranks, out->looked, &clicked);
    out->estimated = clicked >= LEARN_BIAS_CLICKS;
    if (!out->estimated)
        return;
    estimate(ranks, out->rate, out->looked);
    out->rate = rate_of(ranks, out->looked, &clicked);
}

/* --- votes --- */

double learn_up_share(int64_t ups, int64_t downs)
{
    return ups + downs >= LEARN_PRIOR_VOTES ? clamp((double)ups / (double)(ups + downs), 0.3, 0.7) : 0.5;
}

double learn_vote_gain(double p, double n, double up_share)
{
    double z2 = LEARN_Z * LEARN_Z, scale = 1 + z2 / n;
    double middle = (p + z2 / (2 * n)) / scale;
    double half = LEARN_Z / scale * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    double bound = p > up_share ? middle - half : middle + half;
    if ((p > up_share) != (bound > up_share))
        return 0;
    return clamp(2 * (bound - up_share), -1, 1);
}

static int by_network(const void *x, const void *y)
{
    const struct learn_ballot *a = x, *b = y;
    int order = (a->vouched > b->vouched) - (a->vouched < b->vouched);
    return order ? order : (a->network > b->network) - (a->network < b->network);
}

/* Counts networks, and holds what those weigh together whom nobody vouches for. The ballots are sorted by network. */
static size_t limit_networks(struct learn_ballot *ballots, size_t n)
{
    size_t networks = 0;
    for (size_t i = 0, end; i < n && !ballots[i].vouched; i = end) {
        double sum = 0;
        for (end = i; end < n && !ballots[end].vouched && ballots[end].network == ballots[i].network; end++)
            sum += ballots[end].weight;
        for (size_t k = i; k < end && sum > LEARN_NETWORK_VOTES; k++)
            ballots[k].weight *= LEARN_NETWORK_VOTES / sum;
        networks++;
    }
    return n && ballots[n - 1].vouched && networks < LEARN_NETWORKS ? LEARN_NETWORKS : networks;
}

static void tally_votes(struct learn_ballot *ballots, size_t n, double up_share, double half_life_us, int64_t now_us,
                        struct learn_tally *out)
{
    if (n)
        qsort(ballots, n, sizeof *ballots, by_network);
    out->networks = limit_networks(ballots, n);
    out->voters = n;
    for (size_t i = 0; i < n; i++) {
        double left = ballots[i].weight * exp2(-fmax(0, (double)(now_us - ballots[i].at_us)) / half_life_us);
        *(ballots[i].vote > 0 ? &out->ups : &out->downs) += left;
    }
    double all = out->ups + out->downs + LEARN_PRIOR;
    if (n >= LEARN_CROWD && out->networks >= LEARN_NETWORKS)
        out->votes = learn_vote_gain((out->ups + LEARN_PRIOR * up_share) / all, all, up_share);
}

/* --- clicks --- */

/* How many networks the bits stand for (linear counting: Whang et al., TODS 15, 1990); INFINITY: all of them are set,
 * or somebody is vouched for. */
static double count_networks(int64_t bits)
{
    int n = 0;
    if (bits & LEARN_VOUCHED)
        return INFINITY;
    for (; bits; bits &= bits - 1)
        n++;
    return -LEARN_NETWORK_BITS * log1p(-(double)n / LEARN_NETWORK_BITS);
}

static void tally_clicks(const struct learn_clicks *c, const struct learn_bias *bias, double half_life_us,
                         int64_t now_us, struct learn_tally *out)
{
    double left = exp2(-fmax(0, (double)(now_us - c->at_us)) / half_life_us);
    out->seen = left * c->seen;
    out->clicked = left * c->clicked;
    out->expected = bias->rate * out->seen;
    double networks = count_networks(c->networks), more = fabs(out->clicked - out->expected);
    double weight = fmin(1, LEARN_CLICK_NETWORK * networks / fmax(more, 1)), clicked = weight * out->clicked;
    double expected = weight * out->expected;
    if (c->seen + c->clicked >= LEARN_CROWD && networks >= LEARN_NETWORKS)
        out->clicks = clamp(log2((clicked + LEARN_CLICK_PRIOR) / (expected + LEARN_CLICK_PRIOR)), -1, 1);
}

static double click_share(const struct learn_tally *t)
{
    double few = fmax(0, 1 - (t->ups + t->downs) / LEARN_MANY_VOTES);
    return LEARN_CLICK_SHARE + (t->clicks < 0 ? (LEARN_PASSED_SHARE - LEARN_CLICK_SHARE) * few : 0);
}

void learn_tally(struct learn_ballot *ballots, size_t n, const struct learn_clicks *clicks,
                 const struct learn_bias *bias, double up_share, double half_life_us, int64_t now_us,
                 struct learn_tally *out)
{
    *out = (struct learn_tally){0};
    if (n)
        tally_votes(ballots, n, up_share, half_life_us, now_us, out);
    if (clicks)
        tally_clicks(clicks, bias, half_life_us, now_us, out);
    out->gain = LEARN_VOTE_SHARE * out->votes + click_share(out) * out->clicks;
    out->by_clicks = out->gain > 0 ? out->votes <= 0 : out->votes >= 0;
}

/* --- as text --- */

void learn_gain_write(const struct learn_gain *g, struct buf *out)
{
    buf_printf(out, "%s %.2f%s\n", g->sticker_id, g->gain, g->by_clicks ? " c" : "");
}

bool learn_gain_read(const char **text, struct learn_gain *out)
{
    const char *line = *text;
    size_t id = strcspn(line, " "), len = strcspn(line, "\n");
    if (!*line || id >= sizeof out->sticker_id || line[id] != ' ')
        return false;
    memcpy(out->sticker_id, line, id);
    out->sticker_id[id] = '\0';
    out->gain = clamp(strtod(line + id, NULL), -1, 1);
    out->by_clicks = len > 2 && line[len - 1] == 'c';
    *text = line + len + (line[len] == '\n');
    return true;
}
