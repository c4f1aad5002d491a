/* fuse.c: several lists of results become one. */
#include "rank/leg.h"

#include "base/select.h"
#include "rank/fusion_weights.h"
#include "rank/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Legs that have something to say of every document, however little it has to do with the query. */
#define ALIKE (1u << LEG_sentence | 1u << LEG_vector)

struct fused {
    struct ranked item;
    unsigned found; /* bits: by which legs */
};

/* Documents that legs found, each once: a table of hashes, open addressing (Knuth, TAOCP 3, 6.4). */
struct documents {
    struct fused *items; /* [n] */
    size_t n, mask;
    uint32_t *table; /* [mask + 1] index + 1 in `items`; 0: free */
};

void rank_cut_page(const struct rank_query *q, struct ranked *items, size_t n, struct ranking *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (items[i].score >= q->min_score && !(q->like && items[i].id == q->like->id))
            items[kept++] = items[i];
    size_t from = q->offset < kept ? q->offset : kept;
    out->total = (int64_t)kept;
    out->items = kept ? items + from : NULL;
    out->n = kept - from < q->limit ? kept - from : q->limit;
}

static enum fusion_kind kind_of(const struct rank_query *q, const struct leg_hits *hits)
{
    if (!hits[LEG_sentence].n)
        return FUSION_LETTERS;
    if (!q->text || !memchr(q->text, ' ', q->text_len))
        return FUSION_WORD;
    return q->language == LANGUAGE_en ? FUSION_ENGLISH : FUSION_PHRASE;
}

/* What the scores of a leg lie between. */
struct range {
    double best, worst;
};

static struct range range_of(const struct leg_hits *hits)
{
    struct range r = {-INFINITY, INFINITY};
    for (size_t i = 0; i < hits->n; i++) {
        double score = hits->items[i].score;
        r.best = score > r.best ? score : r.best;
        r.worst = score < r.worst ? score : r.worst;
    }
    return r;
}

/* A leg's score as a number that can be added to those of others, mostly 0..1. */
static double value_of(enum leg_number leg, struct range r, double score)
{
    switch (legs[leg]->scale) {
    case LEG_SCALE_OWN:
        return score;
    case LEG_SCALE_BEST:
        return r.best > 0 ? score / r.best : 0;
    case LEG_SCALE_RANGE:
        return r.best > r.worst ? (score - r.worst) / (r.best - r.worst) : 1;
    }
    return 0;
}

static int best_first(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return (a->id > b->id) - (a->id < b->id);
}

static bool documents_init(struct documents *d, size_t most, struct arena *a)
{
    d->mask = 15;
    while (d->mask < 2 * most)
        d->mask = 2 * d->mask + 1;
    d->items = arena_room(a, most + 1, sizeof *d->items);
    d->table = arena_array(a, d->mask + 1, sizeof *d->table);
    if (!d->items || !d->table)
        return false;
    memset(d->table, 0, (d->mask + 1) * sizeof *d->table);
    return true;
}

/* The document, added with a score of 0 where it was not there. */
static struct fused *documents_get(struct documents *d, const struct ranked *r)
{
    size_t at = ((uint64_t)r->id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & d->mask;
    for (; d->table[at]; at = (at + 1) & d->mask)
        if (d->items[d->table[at] - 1].item.id == r->id)
            return &d->items[d->table[at] - 1];
    struct fused *f = &d->items[d->n++];
    *f = (struct fused){.item = *r};
    f->item.score = 0;
    d->table[at] = (uint32_t)d->n;
    return f;
}

/* Adds what a leg says of the documents that it found. Returns what it says of the others: where it ranks all, at most
 * what it says of its last one. */
static double add_leg(struct documents *d, enum leg_number leg, const struct leg_hits *hits, double weight)
{
    struct range r = range_of(hits);
    for (size_t i = 0; i < hits->n; i++) {
        struct fused *f = documents_get(d, &hits->items[i]);
        f->item.score += weight * value_of(leg, r, hits->items[i].score);
        f->found |= 1u << leg;
        if (!f->item.filename)
            f->item.filename = hits->items[i].filename;
    }
    return legs[leg]->ranks_all && hits->n ? weight * value_of(leg, r, r.worst) : 0;
}

/* Brings the first `most` to the front, in order. */
static enum status sort_best(struct ranked *items, size_t n, size_t most, struct arena *a, struct error *err)
{
    double *scores = arena_room(a, n + 1, sizeof *scores);
    size_t best = 0;
    if (!scores)
        return err_no_memory(err, "%zu results", n);
    for (size_t i = 0; i < n; i++)
        scores[i] = items[i].score;
    double least = most < n ? select_greatest(scores, n, most) : -INFINITY;
    for (size_t i = 0; i < n; i++)
        if (items[i].score >= least) {
            struct ranked swap = items[best];
            items[best++] = items[i];
            items[i] = swap;
        }
    qsort(items, best, sizeof *items, best_first);
    return OK;
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

static double weight_of(enum leg_number leg, const struct leg_hits *hits, const struct fusion_fit *fit)
{
    return hits[leg].expanded ? fmax(fit->weights[leg], FUSION_SYNONYMS) : fit->weights[leg];
}

/* Tells the trace what was fused, those too that is_worth_showing left out. */
static enum status trace_fused(struct rank_trace *t, enum fusion_kind kind, const struct leg_hits *hits,
                               const double *weights, const double *others, const struct rank_priors *priors,
                               struct documents *d, struct arena *a, struct error *err)
{
    static const char *const kinds[FUSION_KINDS] = {
        [FUSION_WORD] = "word", [FUSION_ENGLISH] = "english", [FUSION_PHRASE] = "phrase", [FUSION_LETTERS] = "letters"};
    t->kind = kinds[kind];
    t->items = arena_array(a, d->n + 1, sizeof *t->items);
    if (!t->items)
        return err_no_memory(err, "%zu results", d->n);
    for (t->n_items = 0; t->n_items < d->n; t->n_items++) {
        const struct fused *f = &d->items[t->n_items];
        t->items[t->n_items] =
            (struct rank_trace_item){.id = f->item.id, .score = f->item.score, .confidence = f->item.confidence};
        rank_prior_find(priors, f->item.id, &t->items[t->n_items].gain);
        for (size_t leg = 0; leg < LEG_COUNT; leg++)
            t->items[t->n_items].adds[leg] = f->found & 1u << leg ? 0 : others[leg];
    }
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++) {
        struct range r = range_of(&hits[leg]);
        t->legs[leg].weight = weights[leg] * weight_of(leg, hits, &fusion_fits[kind]);
        for (size_t i = 0; i < hits[leg].n; i++)
            t->items[documents_get(d, &hits[leg].items[i]) - d->items].adds[leg] +=
                t->legs[leg].weight * value_of(leg, r, hits[leg].items[i].score);
    }
    return OK;
}

static double best_of(const struct documents *d)
{
    double best = 0;
    for (size_t i = 0; i < d->n; i++)
        best = fmax(best, d->items[i].item.score);
    return best;
}

void rank_reorder(const struct rank_priors *priors, struct ranked *items, size_t n)
{
    double sure = n ? FUSION_SURE * items[0].score : 0;
    for (size_t i = 0; i < n; i++)
        items[i].score = rank_prior_apply(priors, items[i].id, items[i].score, sure);
    for (size_t i = 1; i < n; i++) { /* few move, and equal ones keep their order */
        struct ranked item = items[i];
        size_t k = i;
        for (; k > 0 && items[k - 1].score < item.score; k--)
            items[k] = items[k - 1];
        items[k] = item;
    }
}

enum status fuse(const struct rank_query *q, const struct leg_hits *hits, const double *weights,
                 const struct rank_priors *priors, struct arena *a, struct ranking *out, struct error *err)
{
    enum fusion_kind kind = kind_of(q, hits);
    const struct fusion_fit *fit = &fusion_fits[kind];
    struct documents d = {0};
    size_t n = 0, kept = 0;
    double others[LEG_COUNT];
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        n += hits[leg].n;
    struct ranked *items = arena_room(a, n + 1, sizeof *items);
    if (!items || !documents_init(&d, n, a))
        return err_no_memory(err, "%zu results", n);
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        others[leg] = add_leg(&d, leg, &hits[leg], weights[leg] * weight_of(leg, hits, fit));
    for (size_t i = 0; i < d.n; i++) {
        for (size_t leg = 0; leg < LEG_COUNT; leg++)
            d.items[i].item.score += d.items[i].found & 1u << leg ? 0 : others[leg];
    }
    double sure = !priors ? 0 : kind == FUSION_LETTERS ? FUSION_SURE * best_of(&d) : FUSION_SURE;
    for (size_t i = 0; i < d.n; i++) {
        struct ranked *item = &d.items[i].item;
        bool worth = is_worth_showing(&d.items[i], q, hits, fit);
        if (priors)
            item->score = rank_prior_apply(priors, item->id, item->score, sure);
        if (worth)
            items[kept++] = *item;
    }
    enum status st = sort_best(items, kept, q->offset + q->limit + 1, a, err); /* 1: the document of `like` */
    rank_cut_page(q, items, kept, out);
    if (st == OK && q->trace)
        st = trace_fused(q->trace, kind, hits, weights, others, priors, &d, a, err);
    return st;
}
