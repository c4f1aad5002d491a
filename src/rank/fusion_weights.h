/* fusion_weights.h: how much each leg counts in hybrid, and what a fused score says about being right. Learnt on judged
 * queries by eval/fit.py, which writes the table below; docs/EVALUATION.md tells how. */
#ifndef PEEL_RANK_FUSION_WEIGHTS_H
#define PEEL_RANK_FUSION_WEIGHTS_H

#include "base/legs.h"

/* Queries are of kinds, since letters are mostly right about one word and often wrong about several. */
enum fusion_kind {
    FUSION_WORD,
    FUSION_ENGLISH, /* a phrase in English, */
    FUSION_PHRASE,  /* and in another language */
    FUSION_LETTERS, /* any where the leg of sentences has nothing to say; nothing is known of its confidence */
    FUSION_KINDS
};

/* The least that the lexical leg weighs where it also searched by synonyms: somebody decided that they fit, which no
 * model knows. Not learnt. */
#define FUSION_SYNONYMS 0.6

#define FUSION_SURE 0.9 /* a higher score says no more: it is of what was asked for to the letter */

struct fusion_fit {
    double weights[LEG_COUNT];
    double slope, offset; /* confidence = 1 / (1 + exp(-(slope * score + offset))) (Platt, 1999) */
};

static const struct fusion_fit fusion_fits[FUSION_KINDS] = {
    [FUSION_WORD] = {.weights = {[LEG_lexical] = 0.025, [LEG_vector] = 0.025, [LEG_words] = 0.4, [LEG_sentence] = 1},
                     .slope = 5.955,
                     .offset = -4.209},
    [FUSION_ENGLISH] = {.weights = {[LEG_lexical] = 0.05, [LEG_vector] = 0.05, [LEG_words] = 0.15, [LEG_sentence] = 1},
                        .slope = 3.754,
                        .offset = -2.216},
    [FUSION_PHRASE] = {.weights = {[LEG_lexical] = 0.3, [LEG_vector] = 0.3, [LEG_words] = 0, [LEG_sentence] = 1},
                       .slope = 7.495,
                       .offset = -5.257},
    [FUSION_LETTERS] =
        {.weights = {[LEG_lexical] = 0.025, [LEG_vector] = 0.025, [LEG_words] = 0.025, [LEG_sentence] = 0},
         .slope = 0.000,
         .offset = 0.000},
};

#endif
