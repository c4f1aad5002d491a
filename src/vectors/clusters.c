#include "vectors/clusters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ITERATIONS  10u
#define GROUP_ROWS  256u /* of the sample, for each group, are enough to find the groups */
#define NEAR_GROUPS 8u   /* are looked at for a vector's list */

struct trainer {
    const struct scan_kernels *kernels;
    size_t dim, stride;
    const struct clusters_sample *sample;
    const struct vectors_stop *stop;
    int8_t *queries; /* [SCAN_MAX_QUERIES][stride] */
    int32_t *dots;   /* [SCAN_MAX_QUERIES][centres] */
    float *sums;     /* [centres][dim] of the members' vectors */
    uint32_t *count; /* [centres] members */
    uint32_t *rows;  /* [sample->n] numbers of the sample's vectors */
    uint32_t *place; /* [sample->n] the centre of each of `rows` */
};

/* Some centres, beside each other. */
struct centres {
    int8_t *codes;
    float *scale;
    int32_t *sum;
    size_t n;
};

static struct centres centres_from(const struct clusters *c, size_t stride, size_t at, size_t n)
{
    return (struct centres){c->codes + at * stride, c->scale + at, c->sum + at, n};
}

static uint32_t best_of(const int32_t *dots, const float *scale, size_t n)
{
    uint32_t best = 0;
    float most = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        float score = (float)dots[i] * scale[i];
        if (score > most) {
            most = score;
            best = (uint32_t)i;
        }
    }
    return best;
}

/* place[n]: the nearest centre of each row. */
static void assign(struct trainer *t, const struct centres *c, const uint32_t *rows, size_t n, uint32_t *place)
{
    for (size_t i = 0; i < n; i += SCAN_MAX_QUERIES) {
        size_t batch = n - i < SCAN_MAX_QUERIES ? n - i : SCAN_MAX_QUERIES;
        for (size_t q = 0; q < batch; q++)
            memcpy(t->queries + q * t->stride, t->sample->codes[rows[i + q]], t->stride);
        t->kernels->dot_i8(c->codes, c->sum, c->n, t->stride, t->queries, batch, t->dots);
        for (size_t q = 0; q < batch; q++)
            place[i + q] = best_of(t->dots + q * c->n, c->scale, c->n);
    }
}

static void set_centre(const struct trainer *t, const struct centres *c, size_t at, const float *vector)
{
    struct coded coded = scan_quantize(vector, t->dim, t->stride, c->codes + at * t->stride);
    c->scale[at] = coded.scale;
    c->sum[at] = coded.sum;
}

static void add_row(const struct trainer *t, uint32_t row, float *sum)
{
    const int8_t *codes = t->sample->codes[row];
    for (size_t d = 0; d < t->dim; d++)
        sum[d] += (float)codes[d] * t->sample->scale[row];
}

/* The centres become the means of their members, of length 1. One without members begins anew at some row. */
static void move_centres(struct trainer *t, const struct centres *c, const uint32_t *rows, size_t n,
                         const uint32_t *place)
{
    memset(t->sums, 0, c->n * t->dim * sizeof *t->sums);
    memset(t->count, 0, c->n * sizeof *t->count);
    for (size_t i = 0; i < n; i++) {
        add_row(t, rows[i], t->sums + place[i] * t->dim);
        t->count[place[i]]++;
    }
    for (size_t k = 0; k < c->n; k++) {
        float *sum = t->sums + k * t->dim;
        if (!t->count[k])
            add_row(t, rows[k * 2654435761u % n], sum);
        float norm = sqrtf(t->kernels->dot_f32(sum, sum, t->dim));
        for (size_t d = 0; d < t->dim; d++)
            sum[d] /= norm > 0 ? norm : 1;
        set_centre(t, c, k, sum);
    }
}

/* c->n <= n centres of n rows. */
static void kmeans(struct trainer *t, const struct centres *c, const uint32_t *rows, size_t n, uint32_t *place)
{
    for (size_t k = 0; k < c->n; k++) {
        uint32_t row = rows[k * n / c->n];
        memcpy(c->codes + k * t->stride, t->sample->codes[row], t->stride);
        c->scale[k] = t->sample->scale[row];
        c->sum[k] = 0;
        for (size_t d = 0; d < t->dim; d++)
            c->sum[k] += c->codes[k * t->stride + d];
    }
    for (unsigned i = 0; i < ITERATIONS && c->n > 1 && !vectors_stopped(t->stop); i++) {
        assign(t, c, rows, n, place);
        move_centres(t, c, rows, n, place);
    }
}

/* Orders t->rows by their place, one of n; count[n + 1] receives where each place begins. */
static enum status sort_by_place(struct trainer *t, size_t n, uint32_t *begin)
{
    uint32_t *sorted = malloc(t->sample->n * sizeof *sorted), *next = malloc((n + 1) * sizeof *next);
    if (!sorted || !next) {
        free(sorted);
        free(next);
        return ERR_NO_MEMORY;
    }
    memset(begin, 0, (n + 1) * sizeof *begin);
    for (size_t i = 0; i < t->sample->n; i++)
        begin[t->place[i] + 1]++;
    for (size_t k = 0; k < n; k++)
        begin[k + 1] += begin[k];
    memcpy(next, begin, (n + 1) * sizeof *next);
    for (size_t i = 0; i < t->sample->n; i++)
        sorted[next[t->place[i]]++] = t->rows[i];
    free(next);
    free(t->rows);
    t->rows = sorted;
    return OK;
}

static enum status train_groups(struct trainer *t, struct clusters *c, uint32_t *begin)
{
    size_t n = t->sample->n, some = GROUP_ROWS * (size_t)c->groups;
    struct centres groups = centres_from(c, t->stride, 0, c->groups);
    for (size_t i = 0; i < n; i++)
        t->rows[i] = (uint32_t)i;
    kmeans(t, &groups, t->rows, some < n ? some : n, t->place);
    assign(t, &groups, t->rows, n, t->place);
    return sort_by_place(t, c->groups, begin);
}

/* c->lists is the number wanted, and then that of those made: at most c->groups more. */
static void train_lists(struct trainer *t, struct clusters *c, const uint32_t *begin)
{
    size_t wanted = c->lists;
    c->lists = 0;
    for (uint32_t g = 0; g < c->groups; g++) {
        size_t n = begin[g + 1] - begin[g], k = (wanted * n + t->sample->n / 2) / t->sample->n;
        c->first[g] = c->lists;
        k = k ? k : n > 0;
        struct centres lists = centres_from(c, t->stride, c->groups + c->lists, k);
        kmeans(t, &lists, t->rows + begin[g], n, t->place);
        c->lists += (uint32_t)k;
    }
    c->first[c->groups] = c->lists;
}

static bool clusters_room(struct clusters *c, size_t stride)
{
    size_t n = c->lists + 2 * (size_t)c->groups;
    c->codes = aligned_alloc(SCAN_ALIGN, n * stride);
    c->scale = malloc(n * sizeof *c->scale);
    c->sum = malloc(n * sizeof *c->sum);
    c->first = calloc(c->groups + 1, sizeof *c->first);
    return c->codes && c->scale && c->sum && c->first;
}

static bool trainer_room(struct trainer *t, size_t centres)
{
    size_t n = t->sample->n;
    t->queries = malloc(SCAN_MAX_QUERIES * t->stride);
    t->dots = malloc(SCAN_MAX_QUERIES * centres * sizeof *t->dots);
    t->sums = malloc(centres * t->dim * sizeof *t->sums);
    t->count = malloc(centres * sizeof *t->count);
    t->rows = malloc(n * sizeof *t->rows);
    t->place = calloc(n, sizeof *t->place);
    return t->queries && t->dots && t->sums && t->count && t->rows && t->place;
}

enum status clusters_train(const struct scan_kernels *kernels, size_t dim, size_t stride,
                           const struct clusters_sample *sample, size_t lists, const struct vectors_stop *stop,
                           struct clusters *out, struct error *err)
{
    struct trainer t = {.kernels = kernels, .dim = dim, .stride = stride, .sample = sample, .stop = stop};
    lists = lists < 1                                          ? 1
            : lists > CLUSTERS_MAX_LISTS - CLUSTERS_MAX_GROUPS ? CLUSTERS_MAX_LISTS - CLUSTERS_MAX_GROUPS
                                                               : lists;
    lists = lists < sample->n ? lists : sample->n;
    *out = (struct clusters){.lists = (uint32_t)lists, .groups = (uint32_t)ceil(sqrt((double)lists))};
    uint32_t *begin = malloc((out->groups + 1) * sizeof *begin);
    enum status st = OK;
    /* a group of all rows would have all the lists */
    if (!sample->n)
        st = err_set(err, ERR_INVALID, "clusters of no vectors");
    else if (!begin || !clusters_room(out, stride) || !trainer_room(&t, lists + 1) ||
             train_groups(&t, out, begin) != OK)
        st = err_no_memory(err, "%zu lists of vectors", lists);
    if (st == OK)
        train_lists(&t, out, begin);
    if (st == OK && vectors_stopped(stop))
        st = err_set(err, ERR_CANCELLED, "stopped");
    free(begin);
    free(t.queries);
    free(t.dots);
    free(t.sums);
    free(t.count);
    free(t.rows);
    free(t.place);
    if (st != OK)
        clusters_free(out);
    return st;
}

void clusters_free(struct clusters *c)
{
    free(c->codes);
    free(c->scale);
    free(c->sum);
    free(c->first);
    *c = (struct clusters){0};
}

uint32_t clusters_list(const struct clusters *c, const struct scan_kernels *kernels, size_t stride, const int8_t *codes,
                       int32_t *dots)
{
    uint32_t best = 0;
    float most = -INFINITY;
    kernels->dot_i8(c->codes, c->sum, c->groups, stride, codes, 1, dots);
    int32_t *of_lists = dots + c->groups;
    for (size_t i = 0; i < NEAR_GROUPS && i < c->groups; i++) {
        uint32_t g = best_of(dots, c->scale, c->groups);
        size_t from = c->groups + c->first[g], n = c->first[g + 1] - c->first[g];
        dots[g] = INT32_MIN;
        if (!n)
            continue;
        kernels->dot_i8(c->codes + from * stride, c->sum + from, n, stride, codes, 1, of_lists);
        uint32_t k = best_of(of_lists, c->scale + from, n);
        float score = (float)of_lists[k] * c->scale[from + k];
        if (score > most) {
            most = score;
            best = c->first[g] + k;
        }
    }
    return best;
}

static int nearer(const void *a, const void *b)
{
    const struct clusters_rank *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return x->list < y->list ? -1 : x->list > y->list;
}

/* Brings the n nearest to the front, in any order (Hoare, "Algorithm 65: Find", CACM 1961). */
static void nearest_to_front(struct clusters_rank *ranks, size_t all, size_t n)
{
    for (size_t from = 0, to = all; to - from > 1 && n > from && n < to;) {
        struct clusters_rank pivot = ranks[from + (to - from - 1) / 2];
        size_t i = from, j = to - 1;
        for (;;) {
            while (nearer(&ranks[i], &pivot) < 0)
                i++;
            while (nearer(&ranks[j], &pivot) > 0)
                j--;
            if (i >= j)
                break;
            struct clusters_rank r = ranks[i];
            ranks[i++] = ranks[j];
            ranks[j--] = r;
        }
        if (n <= j + 1)
            to = j + 1;
        else
            from = j + 1;
    }
}

void clusters_nearest(const struct clusters *c, const struct scan_kernels *kernels, size_t stride, const int8_t *query,
                      size_t n, int32_t *dots, struct clusters_rank *ranks)
{
    kernels->dot_i8(c->codes + c->groups * stride, c->sum + c->groups, c->lists, stride, query, 1, dots);
    for (uint32_t i = 0; i < c->lists; i++)
        ranks[i] = (struct clusters_rank){(float)dots[i] * c->scale[c->groups + i], i};
    nearest_to_front(ranks, c->lists, n);
    qsort(ranks, n < c->lists ? n : c->lists, sizeof *ranks, nearer);
}
