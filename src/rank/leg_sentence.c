/* leg_sentence.c: by what title and words mean as a whole: the nearest to the query among the vectors that a model of
 * texts has for the documents' words. */
#include "rank/leg.h"

static double sentence_trust(const struct rank_sources *s, const struct rank_query *q)
{
    return leg_model_trust(&s->models[LEG_sentence], q);
}

static enum status sentence_hits(const struct rank_sources *s, const struct rank_query *q, size_t limit, size_t offset,
                                 struct arena *a, struct leg_hits *out, struct error *err)
{
    return leg_model_hits(s, LEG_sentence, q, limit, offset, a, out, err);
}

const struct leg leg_sentence = {
    .name = "sentence",
    .trust = sentence_trust,
    .hits = sentence_hits,
};
