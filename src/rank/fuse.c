/* fuse.c: several ranked lists become one. */
#include "rank/leg.h"

#include <stdlib.h>

#define FUSION_K 60.0

struct fused {
    struct ranked item;
    unsigned ranks[LEG_COUNT]; /* from 1; 0: not among that leg's results */
};

double fuse_score(double weight, size_t rank)
{
    return weight / (FUSION_K + (double)rank);
}

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

static int fused_by_id(const void *x, const void *y)
{
    const struct fused *a = x, *b = y;
    return (a->item.id > b->item.id) - (a->item.id < b->item.id);
}

/* No two documents share the ranks of all legs. */
static int by_fused_score(const void *x, const void *y)
{
    const struct fused *a = x, *b = y;
    if (a->item.score != b->item.score)
        return a->item.score < b->item.score ? 1 : -1;
    for (size_t leg = 0; leg < LEG_COUNT; leg++) {
        unsigned ra = a->ranks[leg] - 1u, rb = b->ranks[leg] - 1u; /* 0, absent, becomes the largest */
        if (ra != rb)
            return ra > rb ? 1 : -1;
    }
    return 0;
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
        for (size_t leg = 0; leg < LEG_COUNT; leg++)
            last->ranks[leg] += all[i].ranks[leg];
        if (!last->item.filename)
            last->item.filename = all[i].item.filename;
    }
    return merged;
}

enum status fuse(const struct rank_query *q, const struct leg_hits *hits, const double *weights, struct arena *a,
                 struct ranking *out, struct error *err)
{
    size_t n = 0, filled = 0;
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        n += hits[leg].n;
    struct fused *all = arena_array(a, n + 1, sizeof *all);
    struct ranked *items = arena_array(a, n + 1, sizeof *items);
    if (!all || !items)
        return err_no_memory(err, "%zu results", n);
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        for (size_t i = 0; i < hits[leg].n; i++) {
            all[filled] = (struct fused){.item = hits[leg].items[i]};
            all[filled++].ranks[leg] = (unsigned)i + 1;
        }
    qsort(all, n, sizeof *all, fused_by_id);
    n = merge_documents(all, n);
    for (size_t i = 0; i < n; i++) {
        all[i].item.score = 0;
        for (size_t leg = 0; leg < LEG_COUNT; leg++)
            if (all[i].ranks[leg])
                all[i].item.score += fuse_score(weights[leg], all[i].ranks[leg]);
    }
    qsort(all, n, sizeof *all, by_fused_score);
    for (size_t i = 0; i < n; i++)
        items[i] = all[i].item;
    rank_cut_page(q, items, n, out);
    return OK;
}
