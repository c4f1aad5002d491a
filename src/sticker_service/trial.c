#include "sticker_service/trial.h"

#include <math.h>
#include <string.h>

uint64_t trial_random(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* --- team draft --- */

struct side {
    const struct find_hit *hits;
    size_t n, next;
    enum team team;
};

static bool chosen(const struct find_hit *out, size_t n, const char *filename)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(out[i].filename, filename) == 0)
            return true;
    return false;
}

/* The side's best that is not in out yet; false: there is none. */
static bool choose(struct side *s, struct find_hit *out, size_t *n)
{
    while (s->next < s->n && chosen(out, *n, s->hits[s->next].filename))
        s->next++;
    if (s->next == s->n)
        return false;
    out[*n] = s->hits[s->next++];
    out[(*n)++].team = s->team;
    return true;
}

size_t trial_draft(const struct find_hit *a, size_t n_a, const struct find_hit *b, size_t n_b, size_t most,
                   uint64_t seed, bool mirrored, struct find_hit *out)
{
    struct side sides[] = {{a, n_a, 0, TEAM_A}, {b, n_b, 0, TEAM_B}};
    size_t n = 0;
    while (n < most && n < n_a && n < n_b && strcmp(a[n].filename, b[n].filename) == 0) {
        out[n] = a[n];
        out[n++].team = TEAM_NONE;
    }
    sides[0].next = sides[1].next = n;
    for (bool more = true; more && n < most;) {
        size_t first = (trial_random(&seed) >> 63) ^ (size_t)mirrored;
        more = choose(&sides[first], out, &n);
        if (n < most)
            more |= choose(&sides[!first], out, &n);
    }
    return n;
}

/* --- Thompson sampling --- */

#define STEPS 400

/* The chance of one is the integral of its density times the others' distributions, here at the middles of STEPS equal
 * steps. */
void trial_chances(const struct trial_evidence *evidence, size_t n, double *out)
{
    double below[TRIAL_MOST] = {0}, density[TRIAL_MOST], scale[TRIAL_MOST], sum = 0;
    for (size_t i = 0; i < n; i++) {
        double u = evidence[i].used, d = evidence[i].ignored;
        scale[i] = lgamma(u + d + 2) - lgamma(u + 1) - lgamma(d + 1);
        out[i] = 0;
    }
    for (size_t step = 0; step < STEPS; step++) {
        double x = ((double)step + 0.5) / STEPS, all = 1;
        for (size_t i = 0; i < n; i++) {
            density[i] = exp(scale[i] + evidence[i].used * log(x) + evidence[i].ignored * log1p(-x)) / STEPS;
            below[i] += density[i] / 2;
            all *= below[i];
        }
        for (size_t i = 0; i < n; i++) {
            out[i] += below[i] > 0 ? density[i] * (all / below[i]) : 0;
            below[i] += density[i] / 2;
        }
    }
    for (size_t i = 0; i < n; i++)
        sum += out[i];
    for (size_t i = 0; i < n; i++)
        out[i] = sum > 0 ? out[i] / sum : 1.0 / (double)n;
}

size_t trial_choose(const double *chances, size_t n, uint64_t random)
{
    double at = (double)(random >> 11) * 0x1p-53;
    for (size_t i = 0; i + 1 < n; i++)
        if ((at -= chances[i]) < 0)
            return i;
    return n - 1;
}

/* --- what came of it --- */

#define Z95   1.959963984540054
#define LEVEL 0.05

double trial_sign_test(int64_t heads, int64_t n)
{
    int64_t few = heads < n - heads ? heads : n - heads;
    double sum = 0;
    if (2 * few >= n)
        return 1;
    for (int64_t k = few; k >= 0; k--) { /* from the greatest term on */
        double term = exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) -
                          (double)n * 0.6931471805599453);
        sum += term;
        if (term < sum * 1e-17)
            break;
    }
    return fmin(1, 2 * sum);
}

/* Wilson's interval (JASA 22, 1927). */
static void wilson(double won, double n, double *low, double *high)
{
    double p = n > 0 ? won / n : 0.5, z2 = Z95 * Z95;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    *low = n > 0 ? fmax(0, middle - half) : 0;
    *high = n > 0 ? fmin(1, middle + half) : 1;
}

static void judge_preferences(const struct experiment_counts *c, struct trial_result *out)
{
    out->n = c->won[0] + c->won[1];
    out->value = out->n ? (double)c->won[1] / (double)out->n : 0.5;
    wilson((double)c->won[1], (double)out->n, &out->low, &out->high);
    out->p = trial_sign_test(c->won[0], out->n);
    out->balance_p = 1;
}

/* The difference of two shares with Newcombe's interval (Statistics in Medicine 17, 1998, method 10), and the test of
 * two proportions. */
static void judge_arms(const struct experiment_counts *c, struct trial_result *out)
{
    double n[2] = {(double)c->people[0], (double)c->people[1]}, won[2] = {(double)c->won[0], (double)c->won[1]};
    double share[2], low[2], high[2], all = n[0] + n[1];
    *out = (struct trial_result){.n = c->people[0] + c->people[1], .low = -1, .high = 1, .p = 1, .balance_p = 1};
    if (all > 0) /* half of the people get each: chi-square with one degree of freedom */
        out->balance_p = erfc(fabs(n[0] - n[1]) / sqrt(2 * all));
    if (n[0] <= 0 || n[1] <= 0)
        return;
    for (int i = 0; i < 2; i++) {
        share[i] = won[i] / n[i];
        wilson(won[i], n[i], &low[i], &high[i]);
    }
    out->value = share[1] - share[0];
    out->low = out->value - sqrt(pow(share[1] - low[1], 2) + pow(high[0] - share[0], 2));
    out->high = out->value + sqrt(pow(high[1] - share[1], 2) + pow(share[0] - low[0], 2));
    double pooled = (won[0] + won[1]) / all, error = sqrt(pooled * (1 - pooled) * (1 / n[0] + 1 / n[1]));
    out->p = error > 0 ? erfc(fabs(out->value) / error / sqrt(2)) : 1;
}

void trial_judge(enum experiment_kind kind, const struct experiment_counts *counts, struct trial_result *out)
{
    *out = (struct trial_result){0};
    if (kind == EXPERIMENT_AB)
        judge_arms(counts, out);
    else
        judge_preferences(counts, out);
    double alike = kind == EXPERIMENT_AB ? 0 : 0.5;
    out->better = out->p >= LEVEL || out->balance_p < TRIAL_BALANCE ? TEAM_NONE : out->value > alike ? TEAM_B : TEAM_A;
}
