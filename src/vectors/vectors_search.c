/* Exact search. The int8 scan bounds every row's true score from both sides:
 *     |q.v - q'.v'| <= |q - q'| |v'| + |q| |v - v'|       (q', v': what the codes stand for)
 * Rows whose upper bound reaches the k-th best lower bound are scored again in fp32, so that the answer
 * is the exact one, whatever the quantisation lost. */
#include "vectors/vectors_exact_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 256u /* rows whose dots are computed together */

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

struct search {
    struct vectors_exact *ix;
    struct table *table;
    uint64_t count;
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
                    error[r] = qr * code_norm[r] + qn * residual[r] + 1e-5f;
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

/* One task: a contiguous range of rows. */
static void scan_range(void *arg, size_t task)
{
    struct search *s = arg;
    uint64_t from = s->count * task / s->tasks, to = s->count * (task + 1) / s->tasks;
    while (from < to && !atomic_load_explicit(&s->out_of_memory, memory_order_relaxed)) {
        const struct segment *seg = table_segment(s->table, from);
        uint64_t end = seg->base + seg->rows < to ? seg->base + seg->rows : to;
        size_t rows = end - from < BLOCK ? (size_t)(end - from) : BLOCK;
        scan_block(s, s->found + task * s->n, seg, (size_t)(from - seg->base), rows);
        from += rows;
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
    size_t n_lowers = s->found[q].n_lowers, total = s->found[q].n, n = 0;
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
            const float *vector = seg->vectors + r * s->ix->base.dim;
            float score = s->scan == VECTORS_FP32
                              ? f->candidates[i].upper
                              : s->ix->kernels->dot_f32(s->queries + q * s->ix->base.dim, vector, s->ix->base.dim);
            all[n++] = (struct vectors_hit){seg->id[r], score == score ? score : -1};
        }
    }
    qsort(all, n, sizeof *all, hits_by_score);
    *count = n < s->k ? n : s->k;
    memcpy(hits, all, *count * sizeof *hits);
    free(all);
    return OK;
}

enum status vectors_exact_search(struct vectors_exact *ix, struct pool *pool, const float *queries, size_t n, size_t k,
                                 enum vectors_scan scan, const struct label_test *passing, struct vectors_hit *hits,
                                 size_t *counts, struct error *err)
{
    if (k < 1 || k > VECTORS_MAX_K || n < 1 || n > VECTORS_MAX_K)
        return err_set(err, ERR_INVALID, "vectors: %zu queries for %zu results: expected 1 to %d of each", n, k,
                       VECTORS_MAX_K);
    struct search s = {.ix = ix, .n = n, .k = k, .scan = scan, .passing = passing, .queries = queries};
    s.table = table_acquire(ix);
    s.count = atomic_load_explicit(&s.table->count, memory_order_acquire);
    s.tasks = s.count / SEGMENT_ROWS + 1; /* a few thousand rows are not worth waking a thread */
    if (s.tasks > pool_threads(pool))
        s.tasks = pool_threads(pool);
    enum status st = OK;
    s.codes = malloc(n * ix->stride);
    s.scale = malloc(3 * n * sizeof *s.scale);
    s.found = calloc(s.tasks * n, sizeof *s.found);
    if (!s.codes || !s.scale || !s.found) {
        st = err_no_memory(err, "vectors");
        goto out;
    }
    s.residual = s.scale + n;
    s.norm = s.residual + n;
    for (size_t q = 0; q < n; q++) {
        struct coded c = scan_quantize(queries + q * ix->base.dim, ix->base.dim, ix->stride, s.codes + q * ix->stride);
        s.scale[q] = c.scale;
        s.residual[q] = c.residual;
        s.norm[q] = sqrtf(ix->kernels->dot_f32(queries + q * ix->base.dim, queries + q * ix->base.dim, ix->base.dim)) *
                    1.00001f;
    }
    for (size_t i = 0; i < s.tasks * n; i++)
        if (!(s.found[i].lowers = malloc(k * sizeof(float))) || !make_room(&s.found[i], k))
            atomic_store(&s.out_of_memory, true);
    pool_for(s.tasks > 1 ? pool : NULL, s.tasks, scan_range, &s);
    for (size_t q = 0; q < n && !atomic_load(&s.out_of_memory); q++)
        if (rerank(&s, q, hits + q * k, &counts[q]) != OK)
            atomic_store(&s.out_of_memory, true);
    if (atomic_load(&s.out_of_memory))
        st = err_no_memory(err, "vectors");
out:
    for (size_t i = 0; s.found && i < s.tasks * n; i++) {
        free(s.found[i].lowers);
        free(s.found[i].candidates);
    }
    free(s.found);
    free(s.scale);
    free(s.codes);
    table_release(s.table);
    return st;
}
