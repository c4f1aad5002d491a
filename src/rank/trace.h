/* trace.h: what a ranking saw on its way to its results, for who wants to explain them. An ordinary search has none.
 *
 *     struct rank_trace trace = {0};
 *     query.trace = &trace;
 *     algorithm->rank(&sources, &query, &arena, &ranking, &err);
 *
 * All memory is in the arena of that call. */
#ifndef PEEL_RANK_TRACE_H
#define PEEL_RANK_TRACE_H

#include "rank/leg.h"

struct rank_trace_leg {
    bool took_part;
    double trust;         /* how far it is relied on; read by hybrid alone */
    double weight;        /* what its values were multiplied by in the fused score: all weights together */
    const char *failed;   /* why it did not answer, or NULL */
    struct leg_hits hits; /* what it found; in hybrid in any order, at most RANK_DEPTH and what others found */
};
struct rank_trace_item {
    int64_t id;
    double score, confidence;
    double gain;            /* what votes taught of it, which is in the score; 0: nothing */
    double adds[LEG_COUNT]; /* the parts of the score */
};
struct rank_trace {
    struct rank_trace_leg legs[LEG_COUNT];
    const char *kind;              /* of query, by which the learnt weights were chosen; NULL: nothing was fused */
    struct rank_trace_item *items; /* [n_items] of what was fused, in any order: results and what was left out */
    size_t n_items;
};

#endif
