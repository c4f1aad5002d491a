#include "rank/prior.h"

#include <math.h>

static const struct rank_prior *find(const struct rank_prior_list *list, int64_t id)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->n && list->items[low].id == id ? &list->items[low] : NULL;
}

const struct rank_prior *rank_prior_find(const struct rank_priors *p, int64_t id, double *gain)
{
    *gain = 0;
    for (size_t i = 0; p && i < RANK_PRIOR_LISTS; i++) {
        const struct rank_prior *found = find(&p->lists[i], id);
        if (found) {
            *gain = p->lists[i].share * (double)found->gain;
            return found;
        }
    }
    return NULL;
}

double rank_prior_apply(const struct rank_priors *p, int64_t id, double score, double sure)
{
    double gain;
    const struct rank_prior *prior = rank_prior_find(p, id, &gain);
    if (!prior || (prior->by_clicks && score >= sure))
        return score;
    double changed = score + p->weight * gain * fabs(score);
    return prior->by_clicks ? fmin(changed, sure) : changed;
}
