/* fuse.c: several lists of results become one. */
#include "rank/leg.h"

#include "rank/fusion_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Legs that have something to say of every document, however little it has to do with the query. */
#define ALIKE (1u << LEG_sentence | 1u << LEG_vector)

struct fused {
    struct ranked item;
    double values[LEG_COUNT]; /* what each leg adds */
    unsigned found;           /* bits: by which legs */
};

void rank_cut_page(const struct rank_query *q, struct ranked *items, size_t n, struct ranking *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (items[i].score >= q->min_score && !(q->like && items[i].id == q->like->id))
            items[kept++] = items[i];
    out->total = (int64_t)kept;
    out->items = items + (q->offset < kept ? q->offset : kept);
    out->n = q->offset >= kept ? 0 : kept - q->offset < q->limit ? kept - q->offset : q->limit;
}

static enum fusion_kind kind_of(const struct rank_query *q, const struct leg_hits *hits)
{
    if (!hits[LEG_sentence].n)
        return FUSION_LETTERS;
    if (!q->text || !memchr(q->text, ' ', q->text_len))
        return FUSION_WORD;
    return q->language == LANGUAGE_en ? FUSION_ENGLISH : FUSION_PHRASE;
}

/* A leg's score as a number that can be added to those of others, mostly 0..1. hits: best first, not empty. */
static double value_of(enum leg_number leg, const struct leg_hits *hits, double score)
{
    double best = hits->items[0].score, worst = hits->items[hits->n - 1].score;
    switch (legs[leg]->scale) {
    case LEG_SCALE_OWN:
        return score;
    case LEG_SCALE_BEST:
        return best > 0 ? score / best : 0;
    case LEG_SCALE_RANGE:
        return best > worst ? (score - worst) / (best - worst) : 1;
    }
    return 0;
}

static int fused_by_id(const void *x, const void *y)
{
    const struct fused *a = x, *b = y;
    return (a->item.id > b->item.id) - (a->item.id < b->item.id);
}

static int by_fused_score(const void *x, const void *y)
{
    const struct fused *a = x, *b = y;
    if (a->item.score != b->item.score)
        return a->item.score < b->item.score ? 1 : -1;
    return fused_by_id(x, y);
}

/* Joins the entries of one document, which are neighbours. */
static size_t merge_documents(struct fused *all, size_t n)
{
    size_t merged = 0;
    for (size_t i = 0; i < n; i++) {
        struct fused *last = merged ? &all[merged - 1] : NULL;
        if (!last || last->item.id != all[i].item.id) {
            all[merged++] = all[i];
            continue;
        }
        last->found |= all[i].found;
        for (size_t leg = 0; leg < LEG_COUNT; leg++)
            last->values[leg] += all[i].values[leg];
        if (!last->item.filename)
            last->item.filename = all[i].item.filename;
    }
    return merged;
}

/* Sets its confidence. What is only alike, and not enough, is left out; what has the query's letters stays. Of what is
 * like a document nothing was learnt. */
static bool is_worth_showing(struct fused *f, const struct rank_query *q, const struct leg_hits *hits,
                             const struct fusion_fit *fit)
{
    if (!hits[LEG_sentence].n || q->like)
        return true;
    f->item.confidence = 1 / (1 + exp(-(fit->slope * fmin(f->item.score, FUSION_SURE) + fit->offset)));
    return f->found & ~ALIKE || f->item.confidence >= RANK_LEAST_CONFIDENCE;
}

enum status fuse(const struct rank_query *q, const struct leg_hits *hits, const double *weights, struct arena *a,
                 struct ranking *out, struct error *err)
{
    const struct fusion_fit *fit = &fusion_fits[kind_of(q, hits)];
    size_t n = 0, filled = 0;
    double least[LEG_COUNT] = {0}; /* what a leg adds to a document that it did not tell of */
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        n += hits[leg].n;
    struct fused *all = arena_array(a, n + 1, sizeof *all);
    struct ranked *items = arena_array(a, n + 1, sizeof *items);
    if (!all || !items)
        return err_no_memory(err, "%zu results", n);
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        for (size_t i = 0; i < hits[leg].n; i++) {
            struct fused *f = &all[filled++];
            *f = (struct fused){.item = hits[leg].items[i], .found = 1u << leg};
            f->values[leg] = weights[leg] * fit->weights[leg] * value_of(leg, &hits[leg], f->item.score);
            if (legs[leg]->ranks_all && i + 1 == hits[leg].n)
                least[leg] = f->values[leg];
        }
    qsort(all, n, sizeof *all, fused_by_id);
    n = merge_documents(all, n);
    for (size_t i = 0; i < n; i++) {
        all[i].item.score = 0;
        for (size_t leg = 0; leg < LEG_COUNT; leg++)
            all[i].item.score += all[i].found & 1u << leg ? all[i].values[leg] : least[leg];
    }
    qsort(all, n, sizeof *all, by_fused_score);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (is_worth_showing(&all[i], q, hits, fit))
            items[kept++] = all[i].item;
    rank_cut_page(q, items, kept, out);
    return OK;
}
