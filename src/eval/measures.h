/* measures.h: how good a ranked list is, by the usual measures of information retrieval, and how sure of it
 * one can be (the bootstrap). */
#ifndef PEEL_EVAL_MEASURES_H
#define PEEL_EVAL_MEASURES_H

#include "eval/judged.h"

#define MEASURES_DEPTH 100u /* results per query that are looked at */

enum measure {
    MEASURE_RECALL_1,  /* the first one is relevant */
    MEASURE_RECALL_10, /* relevant ones in the first ten, of those there could be (at most ten): BEIR's capped recall */
    MEASURE_HIT_10,    /* one of the first ten is relevant */
    MEASURE_MRR,       /* 1 / rank of the first relevant one, 0 beyond MEASURES_DEPTH */
    MEASURE_NDCG_10,   /* gain = grade, discount log2(rank + 1), as trec_eval's ndcg_cut_10 */
    MEASURE_NOTHING,   /* nothing was found at all */
    MEASURES
};
extern const char *const measure_names[MEASURES]; /* "recall@1", ... */

/* The results of one query, best first; each value is 0..1. */
void measures_of(const struct judged_query *q, const char *const *results, size_t n, double out[MEASURES]);

struct interval {
    double value, low, high; /* the estimate and its 95% confidence interval */
};
/* The mean of x[0], x[stride], ... of n queries, or, with a baseline of the same queries, the mean difference
 * x - base. Percentile bootstrap over queries (Efron and Tibshirani, 1993; Sakai, SIGIR 2006), 2,000 resamples
 * by a fixed seed: the same input gives the same interval. */
struct interval measures_interval(const double *x, const double *base, size_t n, size_t stride);

#endif
