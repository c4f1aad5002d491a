/* fusion_weights.h: how much each leg counts in hybrid. Learnt on the split `dev` of eval/starter.csv by eval/fit.py, which
 * writes the numbers below; docs/EVALUATION.md tells how. */
#ifndef PEEL_RANK_FUSION_WEIGHTS_H
#define PEEL_RANK_FUSION_WEIGHTS_H

#include "base/legs.h"

/* Queries are of kinds, since letters are right about a word and wrong about a sentence. */
enum fusion_kind { FUSION_WORD, FUSION_PHRASE, FUSION_KINDS };

static const double fusion_weights[FUSION_KINDS][LEG_COUNT] = {
    [FUSION_WORD] = {[LEG_lexical] = 0.2, [LEG_vector] = 0.2, [LEG_words] = 0.3, [LEG_sentence] = 1},
    [FUSION_PHRASE] = {[LEG_lexical] = 0.05, [LEG_vector] = 0.05, [LEG_words] = 0.1, [LEG_sentence] = 1},
};

#endif
