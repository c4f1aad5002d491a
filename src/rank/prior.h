/* prior.h: what votes and clicks taught about the documents of a query, as gains from -1 to 1. A score becomes
 * score * (1 + weight * gain). Who computes them is StickerService (sticker_service/learn_gain.h). */
#ifndef PEEL_RANK_PRIOR_H
#define PEEL_RANK_PRIOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rank_prior {
    int64_t id; /* of the document */
    float gain;
    bool by_clicks; /* no vote says so */
};
/* Lists of which the first that has a document counts: of the query itself, of queries alike, of all queries; each with
 * the share of its gains that counts, and sorted by id. */
#define RANK_PRIOR_LISTS 3
#define RANK_PRIOR_ALIKE 0.5
#define RANK_PRIOR_ALL   0.2
struct rank_prior_list {
    const struct rank_prior *items; /* [n] */
    size_t n;
    double share;
};
struct rank_priors {
    double weight;
    int64_t version; /* of all gains, for the ranking's name */
    struct rank_prior_list lists[RANK_PRIOR_LISTS];
};

/* NULL: nothing was learnt; *gain is then 0. */
const struct rank_prior *rank_prior_find(const struct rank_priors *p, int64_t id, double *gain);
/* The score with its gain. Clicks alone neither lift a score above `sure`, from which on it is what was asked for to
 * the letter, nor change one that is. */
double rank_prior_apply(const struct rank_priors *p, int64_t id, double score, double sure);

#endif
