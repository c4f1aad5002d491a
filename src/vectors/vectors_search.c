/* The int8 scan bounds every row's true score from both sides:
 *     |q.v - q'.v'| <= |q - q'| |v'| + |q| |v - v'|       (q', v': what the codes stand for)
 * Rows whose upper bound reaches the k-th best lower bound are scored again in fp32, so that the answer is the exact
 * one, whatever the quantisation lost.
 *
 * A search of the nearest lists alone is not exact anyway. There the bound is four standard deviations of such an
 * error, which is shorter by the root of the dimension, as the parts of a vector are rounded independently. */
#include "vectors/vectors_exact_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK      256u /* rows whose dots are computed together */
#define DEVIATIONS 4.0f
#define SHARE_ROWS 1024u /* are looked at to estimate how many pass a filter */
#define SPARSE     0.125 /* up to this share of them, rows that pass are scored one by one */

struct candidate {
    float upper;
    uint64_t row;
};

/* What one task has found for one query. */
struct found {
    float *lowers; /* min-heap [k] of the best lower bounds */
    size_t n_lowers;
    struct candidate *candidates; /* [cap] */
    size_t n, cap;
};

struct range {
    uint64_t from, to; /* rows */
};

struct search {
    struct vectors_exact *ix;
    struct table *table;
    uint64_t count;
    struct range *ranges; /* [n_ranges] to be read */
    size_t n_ranges;
    uint64_t rows; /* in them */
    float slack;   /* how much of an error's bound counts */
    bool sparse;   /* few rows pass */
    size_t n, k;
    enum vectors_scan scan;
    const struct label_test *passing; /* or NULL */
    const float *queries;             /* [n, dim] */
    int8_t *codes;                    /* [n, stride] */
    float *scale, *residual, *norm;   /* [n] of the queries */
    struct found *found;              /* [tasks, n] */
    size_t tasks;
    atomic_bool out_of_memory;
};

static void heap_push(float *heap, size_t *n, size_t k, float value)
{
    size_t i;
    if (*n < k) {
        for (i = (*n)++; i && heap[(i - 1) / 2] > value; i = (i - 1) / 2)
            heap[i] = heap[(i - 1) / 2];
    } else {
        if (value <= heap[0])
            return;
        for (i = 0;;) {
            size_t child = 2 * i + 1;
            if (child >= *n)
                break;
            child += child + 1 < *n && heap[child + 1] < heap[child];
            if (heap[child] >= value)
                break;
            heap[i] = heap[child];
            i = child;
        }
    }
    heap[i] = value;
}

static float kth_best(const struct found *f, size_t k)
{
    return f->n_lowers < k ? -INFINITY : f->lowers[0];
}

/* Drops candidates that the risen threshold excludes; grows only if that frees too little. */
static bool make_room(struct found *f, size_t k)
{
    float least = kth_best(f, k);
    size_t kept = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->candidates[i].upper >= least)
            f->candidates[kept++] = f->candidates[i];
    f->n = kept;
    if (kept < f->cap / 2)
        return true;
    size_t cap = f->cap ? 2 * f->cap : 4 * k + 64;
    struct candidate *more = realloc(f->candidates, cap * sizeof *more);
    if (!more)
        return false;
    f->candidates = more;
    f->cap = cap;
    return true;
}

static void scan_block(struct search *s, struct found *found, const struct segment *seg, size_t first, size_t rows)
{
    const struct vectors_exact *ix = s->ix;
    int32_t dots[SCAN_MAX_QUERIES * BLOCK];
    float score[BLOCK], error[BLOCK];
    const float *scale = seg->scale + first, *residual = seg->residual + first, *code_norm = seg->code_norm + first;
    for (size_t q0 = 0; q0 < s->n; q0 += SCAN_MAX_QUERIES) {
        size_t nq = s->n - q0 < SCAN_MAX_QUERIES ? s->n - q0 : SCAN_MAX_QUERIES;
        if (s->scan == VECTORS_INT8)
            ix->kernels->dot_i8(seg->codes + first * ix->stride, seg->sum + first, rows, ix->stride,
                                s->codes + q0 * ix->stride, nq, dots);
        for (size_t q = q0; q < q0 + nq; q++) {
            struct found *f = &found[q];
            if (s->scan == VECTORS_INT8) {
                const int32_t *dot = dots + (q - q0) * rows;
                float qs = s->scale[q], qr = s->residual[q], qn = s->norm[q];
                for (size_t r = 0; r < rows; r++) {
                    score[r] = (float)dot[r] * (qs * scale[r]);
                    /* the last term covers the rounding of the arithmetic here and of the fp32 dot */
                    error[r] = s->slack * (qr * code_norm[r] + qn * residual[r]) + 1e-5f;
                }
            } else {
                for (size_t r = 0; r < rows; r++) {
                    score[r] = ix->kernels->dot_f32(s->queries + q * ix->base.dim,
                                                    seg->vectors + (first + r) * ix->base.dim, ix->base.dim);
                    error[r] = 0;
                }
            }
            float least = kth_best(f, s->k);
            for (size_t r = 0; r < rows; r++) {
                if (!(score[r] + error[r] >= least))
                    continue;
                if (atomic_load_explicit(&seg->died[first + r], memory_order_acquire) <= s->count)
                    continue;
                if (s->passing && !label_passes(s->passing, seg->id[first + r]))
                    continue;
                if (f->n == f->cap && !make_room(f, s->k)) {
                    atomic_store(&s->out_of_memory, true);
                    return;
                }
                f->candidates[f->n++] = (struct candidate){score[r] + error[r], seg->base + first + r};
                heap_push(f->lowers, &f->n_lowers, s->k, score[r] - error[r]);
                least = kth_best(f, s->k);
            }
        }
    }
}

static void scan_rows(struct search *s, struct found *found, uint64_t from, uint64_t to)
{
    while (from < to && !atomic_load_explicit(&s->out_of_memory, memory_order_relaxed)) {
        const struct segment *seg = table_segment(s->table, from);
        uint64_t end = seg->base + seg->rows < to ? seg->base + seg->rows : to;
        size_t rows = end - from < BLOCK ? (size_t)(end - from) : BLOCK, first = (size_t)(from - seg->base);
        if (!s->sparse)
            scan_block(s, found, seg, first, rows);
        for (size_t r = 0; s->sparse && r < rows; r++)
            if (label_passes(s->passing, seg->id[first + r]))
                scan_block(s, found, seg, first + r, 1);
        from += rows;
    }
}

/* One task: its share of the rows of all ranges. */
static void scan_share(void *arg, size_t task)
{
    struct search *s = arg;
    uint64_t from = s->rows * task / s->tasks, to = s->rows * (task + 1) / s->tasks, at = 0;
    for (size_t i = 0; i < s->n_ranges && at < to; i++) {
        const struct range *r = &s->ranges[i];
        uint64_t end = at + (r->to - r->from);
        if (end > from)
            scan_rows(s, s->found + task * s->n, r->from + (from > at ? from - at : 0),
                      end > to ? r->from + (to - at) : r->to);
        at = end;
    }
}

static int hits_by_score(const void *a, const void *b)
{
    const struct vectors_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Joins the tasks' candidates of one query, scores them in fp32 and keeps the best k. */
static enum status rerank(struct search *s, size_t q, struct vectors_hit *hits, size_t *count)
{
    float *lowers = s->found[q].lowers; /* task 0's heap becomes everybody's */
    size_t n_lowers = s->found[q].n_lowers, total = s->found[q].n, n = 0, dim = s->ix->base.dim;
    float buffer[VECTORS_MAX_DIM];
    for (size_t t = 1; t < s->tasks; t++) {
        const struct found *f = &s->found[t * s->n + q];
        for (size_t i = 0; i < f->n_lowers; i++)
            heap_push(lowers, &n_lowers, s->k, f->lowers[i]);
        total += f->n;
    }
    float least = n_lowers < s->k ? -INFINITY : lowers[0];
    struct vectors_hit *all = malloc((total + 1) * sizeof *all);
    if (!all)
        return ERR_NO_MEMORY;
    for (size_t t = 0; t < s->tasks; t++) {
        const struct found *f = &s->found[t * s->n + q];
        for (size_t i = 0; i < f->n; i++) {
            if (f->candidates[i].upper < least)
                continue;
            const struct segment *seg = table_segment(s->table, f->candidates[i].row);
            size_t r = (size_t)(f->candidates[i].row - seg->base);
            float score = f->candidates[i].upper;
            if (s->scan == VECTORS_INT8)
                score = s->ix->kernels->dot_f32(s->queries + q * dim, table_vector(s->table, seg, r, dim, buffer), dim);
            all[n++] = (struct vectors_hit){seg->id[r], score == score ? score : -1};
        }
    }
    qsort(all, n, sizeof *all, hits_by_score);
    *count = n < s->k ? n : s->k;
    memcpy(hits, all, *count * sizeof *hits);
    free(all);
    return OK;
}

/* --- what is read --- */

static enum status read_all(struct search *s, struct error *err)
{
    s->ranges = malloc(sizeof *s->ranges);
    if (!s->ranges)
        return err_no_memory(err, "vectors");
    s->ranges[0] = (struct range){0, s->count};
    s->n_ranges = 1;
    s->rows = s->count;
    s->slack = 1;
    return OK;
}

/* What share of the rows passes the filter, about. */
static double passing_share(const struct search *s)
{
    uint64_t n = s->count < SHARE_ROWS ? s->count : SHARE_ROWS, passed = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t row = s->count * i / n;
        const struct segment *seg = table_segment(s->table, row);
        passed += label_passes(s->passing, seg->id[row - seg->base]);
    }
    return n ? (double)passed / (double)n : 1;
}

/* Of how many rows the nearest k are among, if those lists are read that are nearest; 0: nobody knows. */
static uint64_t rows_to_see(const struct search *s)
{
    const struct lists *l = &s->table->lists;
    size_t depth = l->start ? depth_for(s->k) : DEPTHS;
    uint64_t rows = depth < DEPTHS ? atomic_load_explicit(&s->ix->reach[depth], memory_order_relaxed) : 0;
    return rows && rows < 2 * s->k ? 2 * s->k : rows; /* some of them may be dead */
}

static uint64_t rows_passing(const struct search *s, struct range r)
{
    uint64_t n = 0;
    for (uint64_t row = r.from; s->passing && row < r.to; row++) {
        const struct segment *seg = table_segment(s->table, row);
        n += label_passes(s->passing, seg->id[row - seg->base]);
    }
    return s->passing ? n : r.to - r.from;
}

static void add_range(struct search *s, struct range r)
{
    s->ranges[s->n_ranges++] = r;
    s->rows += r.to - r.from;
}

/* Of `ranks`, the nearest n lists, as many as have `wanted` rows that pass. */
static uint64_t add_lists(struct search *s, const struct clusters_rank *ranks, size_t n, uint64_t wanted)
{
    const struct lists *l = &s->table->lists;
    uint64_t seen = 0;
    s->n_ranges = s->rows = 0;
    for (size_t i = 0; i < n && seen < wanted; i++) {
        struct range r = {l->start[ranks[i].list], l->start[ranks[i].list + 1]};
        seen += rows_passing(s, r);
        add_range(s, r);
    }
    return seen;
}

/* The nearest lists, nearest first, as these raise the threshold early; then the rows in none. */
static enum status read_lists(struct search *s, uint64_t wanted, struct error *err)
{
    const struct lists *l = &s->table->lists;
    const struct clusters *c = &l->clusters;
    int32_t *dots = malloc(c->lists * sizeof *dots);
    struct clusters_rank *ranks = malloc(c->lists * sizeof *ranks);
    s->ranges = malloc((c->lists + 1) * sizeof *s->ranges);
    enum status st = dots && ranks && s->ranges ? OK : err_no_memory(err, "vectors");
    if (st == OK) {
        /* Sorting a few is quicker; of lists of usual size they are enough. */
        size_t some = (size_t)(4 * wanted * c->lists / (lists_rows(l) + 1)) + 16, n = s->passing ? c->lists : some;
        uint64_t seen;
        do {
            n = n < c->lists ? n : c->lists;
            clusters_nearest(c, s->ix->kernels, s->ix->stride, s->codes, n, dots, ranks);
            seen = add_lists(s, ranks, n, wanted);
            s->sparse = s->passing && (double)seen <= SPARSE * (double)s->rows;
        } while (seen < wanted && n < c->lists && (n = c->lists));
        add_range(s, (struct range){lists_rows(l), s->count});
        s->slack = fminf(1, DEVIATIONS / sqrtf((float)s->ix->base.dim));
    }
    free(ranks);
    free(dots);
    return st;
}

/* Where half of all rows or more would have to be read, all are: the answer is exact, and hardly later. */
static enum status choose_rows(struct search *s, bool exact, struct error *err)
{
    double share = s->passing && s->scan == VECTORS_INT8 ? passing_share(s) : 1;
    uint64_t wanted = exact ? 0 : rows_to_see(s);
    enum status st = OK;
    if (wanted && 2 * (double)wanted < share * (double)s->count)
        st = read_lists(s, wanted, err);
    if (st != OK || (s->n_ranges && 2 * s->rows < s->count))
        return st;
    free(s->ranges);
    s->sparse = share <= SPARSE;
    return read_all(s, err);
}

/* --- searching --- */

static enum status code_queries(struct search *s, struct error *err)
{
    const struct vectors_exact *ix = s->ix;
    s->codes = malloc(s->n * ix->stride);
    s->scale = malloc(3 * s->n * sizeof *s->scale);
    if (!s->codes || !s->scale)
        return err_no_memory(err, "vectors");
    s->residual = s->scale + s->n;
    s->norm = s->residual + s->n;
    for (size_t q = 0; q < s->n; q++) {
        const float *query = s->queries + q * ix->base.dim;
        struct coded c = scan_quantize(query, ix->base.dim, ix->stride, s->codes + q * ix->stride);
        s->scale[q] = c.scale;
        s->residual[q] = c.residual;
        s->norm[q] = sqrtf(ix->kernels->dot_f32(query, query, ix->base.dim)) * 1.00001f;
    }
    return OK;
}

static enum status scan_all(struct search *s, struct pool *pool, struct vectors_hit *hits, size_t *counts,
                            struct error *err)
{
    s->tasks = s->rows / SEGMENT_ROWS + 1; /* a few thousand rows are not worth waking a thread */
    if (s->tasks > pool_width(pool))
        s->tasks = pool_width(pool);
    s->found = calloc(s->tasks * s->n, sizeof *s->found);
    if (!s->found)
        return err_no_memory(err, "vectors");
    for (size_t i = 0; i < s->tasks * s->n; i++)
        if (!(s->found[i].lowers = malloc(s->k * sizeof(float))) || !make_room(&s->found[i], s->k))
            atomic_store(&s->out_of_memory, true);
    pool_for(s->tasks > 1 ? pool : NULL, s->tasks, scan_share, s);
    for (size_t q = 0; q < s->n && !atomic_load(&s->out_of_memory); q++)
        if (rerank(s, q, hits + q * s->k, &counts[q]) != OK)
            atomic_store(&s->out_of_memory, true);
    return atomic_load(&s->out_of_memory) ? err_no_memory(err, "vectors") : OK;
}

static enum status search(struct search *s, bool exact, struct pool *pool, struct vectors_hit *hits, size_t *counts,
                          struct error *err)
{
    if (s->k < 1 || s->k > VECTORS_MAX_K || s->n < 1 || s->n > VECTORS_MAX_K)
        return err_set(err, ERR_INVALID, "vectors: %zu queries for %zu results: expected 1 to %d of each", s->n, s->k,
                       VECTORS_MAX_K);
    s->table = table_acquire(s->ix);
    s->count = atomic_load_explicit(&s->table->count, memory_order_acquire);
    enum status st = code_queries(s, err);
    if (st == OK)
        st = choose_rows(s, exact, err);
    if (st == OK)
        st = scan_all(s, pool, hits, counts, err);
    for (size_t i = 0; s->found && i < s->tasks * s->n; i++) {
        free(s->found[i].lowers);
        free(s->found[i].candidates);
    }
    free(s->found);
    free(s->ranges);
    free(s->scale);
    free(s->codes);
    table_release(s->table);
    return st;
}

enum status vectors_exact_search(struct vectors_exact *ix, struct pool *pool, const float *queries, size_t n, size_t k,
                                 enum vectors_scan scan, const struct label_test *passing, struct vectors_hit *hits,
                                 size_t *counts, struct error *err)
{
    struct search s = {.ix = ix, .n = n, .k = k, .scan = scan, .passing = passing, .queries = queries};
    return search(&s, true, pool, hits, counts, err);
}

enum status vectors_exact_near(struct vectors_exact *ix, struct pool *pool, const float *query, size_t k,
                               const struct label_test *passing, struct vectors_hit *hits, size_t *count,
                               struct error *err)
{
    struct search s = {.ix = ix, .n = 1, .k = k, .passing = passing, .queries = query};
    return search(&s, false, pool, hits, count, err);
}
