/* snips.h: what people would have chosen if another ranking had shown them stickers, estimated from what they chose of
 * those that were shown: self-normalised inverse propensity scoring (Swaminathan and Joachims, NIPS 2015). Each sticker
 * that was seen at a rank counts 1 / propensity if the ranking has it at that rank, and nothing otherwise. */
#ifndef PEEL_EVAL_SNIPS_H
#define PEEL_EVAL_SNIPS_H

#include "eval/measures.h"

/* Of one query: sums over what was seen where the ranking has it. */
struct snips {
    double chosen, seen;
};
/* The share that was chosen of what was seen; with `base`, of the same queries, how much more than that of `base`.
 * Bootstrap over queries, as measures_interval. Zeros where nothing was seen. */
struct interval snips_interval(const struct snips *x, const struct snips *base, size_t n);

#endif
