/* How many rows a search must read, from what is known of where the nearest ones lie: from rows that were searched for
 * when the lists were made (vectors_sort.c), and from a few searches of late, since texts lie elsewhere than the images
 * that they describe. The larger number counts.
 *
 * A search of late is looked at by vectors_exact_tend: its exact answer says how good the approximate one was, and how
 * far a better one would have looked. */
#include "vectors/vectors_exact_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_US    10000000 /* one search at most in this time, */
#define FIRST_US    500000   /* or in this one, while there are not enough samples */
#define EFFORT      100      /* and in so many times of what the last one took, or a fifth of that */
#define ENOUGH      50.0     /* samples, before they have a say */
#define WEIGHT_MOST 400.0    /* then old ones count half */
#define DEEPEST     1000u
#define MARGIN      0.2 /* of what may be missed: aimed for more than is asked, as samples differ */

const uint32_t vectors_depths[DEPTHS] = {10, 50, 200, DEEPEST};

size_t depth_for(size_t k)
{
    size_t d = 0;
    while (d < DEPTHS && k > vectors_depths[d])
        d++;
    return d;
}

enum status reach_learn(const struct vectors_exact *ix, const struct lists *l, const float *query, const uint32_t *list,
                        size_t n, struct reach *to)
{
    const struct clusters *c = &l->clusters;
    int8_t *codes = malloc(ix->stride);
    int32_t *dots = malloc(c->lists * sizeof *dots);
    struct clusters_rank *nearest = malloc(c->lists * sizeof *nearest);
    uint64_t *read = malloc(c->lists * sizeof *read); /* rows, up to the end of this list */
    enum status st = codes && dots && nearest && read ? OK : ERR_NO_MEMORY;
    if (st == OK) {
        uint64_t sum = 0;
        (void)scan_quantize(query, ix->base.dim, ix->stride, codes);
        clusters_nearest(c, ix->kernels, ix->stride, codes, c->lists, dots, nearest);
        for (uint32_t i = 0; i < c->lists; i++) {
            uint32_t k = nearest[i].list;
            read[k] = sum += l->start[k + 1] - l->start[k];
        }
        for (size_t d = 0; d < DEPTHS; d++)
            for (size_t i = 0; i < n && i < vectors_depths[d]; i++) {
                size_t b = (size_t)(4 * log2((double)read[list[i]] + 1));
                to->hits[d][b < REACH_BUCKETS ? b : REACH_BUCKETS - 1]++;
            }
    }
    free(read);
    free(nearest);
    free(dots);
    free(codes);
    return st;
}

/* The number of rows that had the share `recall` of the hits; 0: nothing is known. */
static uint64_t rows_for(const uint32_t hits[REACH_BUCKETS], double recall)
{
    double all = 0, sum = 0, wanted = 1 - (1 - recall) * (1 - MARGIN);
    size_t b = 0;
    for (size_t i = 0; i < REACH_BUCKETS; i++)
        all += hits[i];
    if (all <= 0)
        return 0;
    while (b + 1 < REACH_BUCKETS && (sum += hits[b]) < wanted * all)
        b++;
    return (uint64_t)ceil(exp2((double)(b + 1) / 4) - 1); /* all of the bucket */
}

static void set_reach(struct vectors_exact *ix, const struct lists *l)
{
    for (size_t d = 0; d < DEPTHS; d++) {
        uint64_t trained = rows_for(l->reach.hits[d], ix->tuning.recall);
        uint64_t late = ix->samples.weight >= ENOUGH ? rows_for(ix->samples.reach.hits[d], ix->tuning.recall) : 0;
        bool all = !l->start || ix->tuning.recall >= 1 || !trained;
        atomic_store(&ix->reach[d], all ? 0 : trained > late ? trained : late);
    }
}

void reach_update(struct vectors_exact *ix, const struct table *t)
{
    pthread_mutex_lock(&ix->samples.lock);
    set_reach(ix, &t->lists);
    pthread_mutex_unlock(&ix->samples.lock);
}

void samples_forget(struct vectors_exact *ix)
{
    pthread_mutex_lock(&ix->samples.lock);
    ix->samples.weight = 0;
    memset(&ix->samples.reach, 0, sizeof ix->samples.reach);
    memset(ix->samples.found, 0, sizeof ix->samples.found);
    pthread_mutex_unlock(&ix->samples.lock);
}

void sample_offer(struct vectors_exact *ix, const float *query)
{
    struct live *s = &ix->samples;
    if (!atomic_load_explicit(&ix->reach[0], memory_order_relaxed) ||
        atomic_load_explicit(&s->waiting, memory_order_relaxed) ||
        os_monotonic_us() < atomic_load_explicit(&s->next_us, memory_order_relaxed) ||
        pthread_mutex_trylock(&s->lock) != 0)
        return;
    if (!atomic_load(&s->waiting)) {
        memcpy(s->query, query, ix->base.dim * sizeof *query);
        atomic_store(&s->waiting, true);
    }
    pthread_mutex_unlock(&s->lock);
}

/* The share of the exact answer's first k that the search for as many has now. */
static enum status share_found(struct vectors_exact *ix, const float *query, const struct vectors_hit *exact, size_t k,
                               double *share)
{
    struct vectors_hit *hits = malloc(k * sizeof *hits);
    size_t n = 0, found = 0;
    enum status st = hits ? vectors_exact_near(ix, NULL, query, k, NULL, hits, &n, NULL) : ERR_NO_MEMORY;
    for (size_t i = 0; st == OK && i < k; i++)
        for (size_t j = 0; j < n; j++)
            found += exact[i].id == hits[j].id;
    free(hits);
    *share = (double)found / (double)k;
    return st;
}

/* The list of a row; UINT32_MAX: none. */
static uint32_t list_of(const struct lists *l, uint64_t row)
{
    size_t low = 0, high = l->clusters.lists;
    if (row >= lists_rows(l))
        return UINT32_MAX;
    while (low + 1 < high) { /* start[low] <= row < start[high] */
        size_t middle = (low + high) / 2;
        if (l->start[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return (uint32_t)low;
}

/* list[n]: of the hits, as far as they lie in one; *known how many do. ERR_CONFLICT: the table is no longer the
 * index's. */
static enum status lists_of_hits(struct vectors_exact *ix, const struct table *t, const struct vectors_hit *hits,
                                 size_t n, uint32_t *list, size_t *known)
{
    *known = 0;
    pthread_mutex_lock(&ix->write_lock);
    enum status st = ix->table == t ? OK : ERR_CONFLICT;
    for (size_t i = 0; i < n && st == OK; i++) {
        uint64_t row;
        uint32_t at = id_map_get(&ix->ids, hits[i].id, &row) ? list_of(&t->lists, row) : UINT32_MAX;
        if (at != UINT32_MAX)
            list[(*known)++] = at;
    }
    pthread_mutex_unlock(&ix->write_lock);
    return st;
}

static void halve(struct live *s)
{
    s->weight /= 2;
    for (size_t d = 0; d < DEPTHS; d++) {
        s->found[d] /= 2;
        for (size_t b = 0; b < REACH_BUCKETS; b++)
            s->reach.hits[d][b] /= 2;
    }
}

/* The old samples count less and less. */
static enum status add_sample(struct vectors_exact *ix, const struct table *t, const float *query, const uint32_t *list,
                              size_t known, const double share[DEPTHS])
{
    struct live *s = &ix->samples;
    pthread_mutex_lock(&s->lock);
    if (s->weight >= WEIGHT_MOST)
        halve(s);
    enum status st = reach_learn(ix, &t->lists, query, list, known, &s->reach);
    if (st == OK) {
        s->weight++;
        s->samples++;
        for (size_t d = 0; d < DEPTHS; d++)
            s->found[d] += share[d];
        set_reach(ix, &t->lists);
    }
    pthread_mutex_unlock(&s->lock);
    return st;
}

static enum status look_at(struct vectors_exact *ix, const struct table *t, const float *query)
{
    struct vectors_hit *exact = malloc(DEEPEST * sizeof *exact);
    uint32_t *list = malloc(DEEPEST * sizeof *list);
    double share[DEPTHS] = {0};
    size_t n = 0, known = 0;
    enum status st = exact && list ? OK : ERR_NO_MEMORY;
    if (st == OK)
        st = vectors_exact_search(ix, NULL, query, 1, DEEPEST, VECTORS_INT8, NULL, exact, &n, NULL);
    for (size_t d = 0; d < DEPTHS && st == OK; d++)
        st = n < vectors_depths[d] ? ERR_NOT_FOUND : share_found(ix, query, exact, vectors_depths[d], &share[d]);
    if (st == OK)
        st = lists_of_hits(ix, t, exact, n, list, &known);
    if (st == OK)
        st = add_sample(ix, t, query, list, known, share);
    free(list);
    free(exact);
    return st;
}

void vectors_exact_tend(struct vectors_exact *ix)
{
    struct live *s = &ix->samples;
    if (!atomic_load(&s->waiting))
        return;
    int64_t began = os_monotonic_us();
    struct table *t = table_acquire(ix);
    float *query = malloc(ix->base.dim * sizeof *query);
    if (query && t->lists.start) {
        pthread_mutex_lock(&s->lock);
        memcpy(query, s->query, ix->base.dim * sizeof *query);
        pthread_mutex_unlock(&s->lock);
        (void)look_at(ix, t, query); /* without memory, or in the middle of a change: the next one will do */
    }
    free(query);
    table_release(t);
    pthread_mutex_lock(&s->lock);
    bool enough = s->weight >= ENOUGH;
    pthread_mutex_unlock(&s->lock);
    int64_t now = os_monotonic_us(), pause = (enough ? EFFORT : EFFORT / 5) * (now - began);
    int64_t least = enough ? EVERY_US : FIRST_US;
    atomic_store(&s->next_us, now + (pause > least ? pause : least));
    atomic_store(&s->waiting, false);
}

void vectors_exact_accuracy(const struct vectors_exact *ix, struct vectors_accuracy *out)
{
    struct vectors_exact *open = (struct vectors_exact *)(uintptr_t)ix;
    struct live *s = &open->samples;
    struct table *t = table_acquire(open);
    *out = (struct vectors_accuracy){.recall_10 = 1, .recall_200 = 1};
    if (atomic_load(&open->reach[0]))
        out->lists = t->lists.clusters.lists;
    table_release(t);
    pthread_mutex_lock(&s->lock);
    out->samples = s->samples;
    if (s->weight > 0) {
        out->recall_10 = s->found[0] / s->weight;
        out->recall_200 = s->found[2] / s->weight;
    }
    pthread_mutex_unlock(&s->lock);
}
