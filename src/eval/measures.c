#include "eval/measures.h"

#include "eval/snips.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define CUT       10u
#define RESAMPLES 2000u

const char *const measure_names[MEASURES] = {"recall@1", "recall@10", "hit@10", "MRR", "nDCG@10", "nothing found"};

static int falling(const void *x, const void *y)
{
    int a = *(const int *)x, b = *(const int *)y;
    return (a < b) - (a > b);
}

static double discounted(const int *grades, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += grades[i] / log2((double)i + 2);
    return sum;
}

/* The best that the first ten could be. */
static double ideal(const struct judged_query *q)
{
    int best[CUT + 1];
    size_t kept = 0;
    for (size_t i = 0; i < q->n; i++) { /* an insertion into the sorted best ten */
        best[kept] = q->relevant[i].grade;
        qsort(best, kept + 1, sizeof *best, falling);
        kept += kept < CUT;
    }
    return discounted(best, kept);
}

void measures_of(const struct judged_query *q, const char *const *results, size_t n, double out[MEASURES])
{
    int grades[CUT] = {0};
    size_t first = 0, found = 0;
    for (size_t i = 0; i < n && i < MEASURES_DEPTH; i++) {
        int grade = judged_grade(q, results[i]);
        if (i < CUT)
            grades[i] = grade;
        found += i < CUT && grade > 0;
        first = !first && grade > 0 ? i + 1 : first;
    }
    out[MEASURE_RECALL_1] = first == 1;
    out[MEASURE_RECALL_10] = (double)found / (double)(q->n < CUT ? q->n : CUT);
    out[MEASURE_HIT_10] = found > 0;
    out[MEASURE_MRR] = first ? 1.0 / (double)first : 0;
    out[MEASURE_NDCG_10] = discounted(grades, CUT) / ideal(q);
    out[MEASURE_NOTHING] = n == 0;
}

/* Vigna's splitmix64: enough to choose queries by. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int rising(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* An estimate of the queries that are chosen, which may be chosen several times; `queries` NULL: of all, once. */
typedef double estimate(const void *of, const size_t *queries, size_t n);

static struct interval bootstrap(estimate *value, const void *of, size_t n)
{
    double values[RESAMPLES];
    uint64_t state = 1;
    size_t *queries = n ? malloc(n * sizeof *queries) : NULL;
    if (n == 0)
        return (struct interval){0};
    double whole = value(of, NULL, n);
    if (!queries) /* nothing is known of how sure it is */
        return (struct interval){whole, -(double)INFINITY, (double)INFINITY};
    for (size_t r = 0; r < RESAMPLES; r++) {
        for (size_t k = 0; k < n; k++)
            queries[k] = (size_t)(next_random(&state) % n);
        values[r] = value(of, queries, n);
    }
    free(queries);
    qsort(values, RESAMPLES, sizeof *values, rising);
    return (struct interval){whole, values[RESAMPLES / 40], values[RESAMPLES - 1 - RESAMPLES / 40]};
}

struct means {
    const double *x, *base;
    size_t stride;
};

static double mean(const void *of, const size_t *queries, size_t n)
{
    const struct means *m = of;
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        size_t i = (queries ? queries[k] : k) * m->stride;
        sum += m->x[i] - (m->base ? m->base[i] : 0);
    }
    return sum / (double)n;
}

struct interval measures_interval(const double *x, const double *base, size_t n, size_t stride)
{
    return bootstrap(mean, &(struct means){x, base, stride}, n);
}

struct shares {
    const struct snips *x, *base;
};

static double share(const struct snips *x, const size_t *queries, size_t n)
{
    double chosen = 0, seen = 0;
    for (size_t k = 0; k < n; k++) {
        size_t i = queries ? queries[k] : k;
        chosen += x[i].chosen;
        seen += x[i].seen;
    }
    return seen > 0 ? chosen / seen : 0;
}

static double more_chosen(const void *of, const size_t *queries, size_t n)
{
    const struct shares *s = of;
    return share(s->x, queries, n) - (s->base ? share(s->base, queries, n) : 0);
}

struct interval snips_interval(const struct snips *x, const struct snips *base, size_t n)
{
    return bootstrap(more_chosen, &(struct shares){x, base}, n);
}
