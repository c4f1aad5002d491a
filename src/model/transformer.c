#include "model/transformer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_BLOCK  56  /* queries attended to at a time: bounds the scores in memory */
#define PANELS_A_JOB 4   /* a share of a product for one thread */
#define WORTH_A_POOL 3e6 /* products below so many multiplications are not worth waking a thread for */

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* --- matrix products over the pool --- */

static void product_share(void *arg, size_t i)
{
    const struct product *p = arg;
    size_t from = p->first + i * PANELS_A_JOB, to = from + PANELS_A_JOB < p->last ? from + PANELS_A_JOB : p->last;
    matmul(p->k, p->w, p->x, from, to, p->act, p->add, p->c, p->ldc);
}

void product_run(struct pool *pool, struct product *p)
{
    double work = (double)p->x->m * (double)p->w->k * (double)((p->last - p->first) * p->k->nr);
    if (work < WORTH_A_POOL)
        pool = NULL;
    pool_for(pool, (p->last - p->first + PANELS_A_JOB - 1) / PANELS_A_JOB, product_share, p);
}

void linear(const struct kernels *k, struct pool *pool, const struct matrix *w, const float *x, size_t ldx, size_t m,
            void *packed, enum kernel_act act, bool add, float *c, size_t ldc)
{
    struct rows rows;
    rows_pack(k, x, ldx, m, w->k, w->shrink, packed, &rows);
    product_run(pool, &(struct product){k, w, &rows, act, add, c, ldc, 0, matrix_panels(k, w)});
}

/* --- attention --- */

/* One head of one sequence is one share. Scores and sums are fp32 products whose "weights" are the keys and values,
 * packed on the spot. */
static size_t attention_floats(const struct tower *t, size_t keys)
{
    const struct kernels *f = t->f;
    size_t head = t->width / t->heads, block = QUERY_BLOCK;
    size_t floats = round_up(keys, f->nr) * head + keys * round_up(head, f->nr) + block * round_up(keys, f->nr);
    size_t packed = rows_bytes(f, block, keys > head ? keys : head) / sizeof(float);
    return round_up(floats, KERNEL_ALIGN / sizeof(float)) + packed;
}

/* Rows `from` of a head's keys or values: the past row first, where there is one. */
static const float *kv_row(const struct attention *a, size_t sequence, size_t i, size_t column)
{
    size_t width = a->t->width;
    if (a->past) {
        if (i == 0)
            return a->past + column - width;
        i--;
    }
    return a->kv + (sequence * a->rows + i) * a->ld + column;
}

static void attend(void *arg, size_t share)
{
    const struct attention *a = arg;
    const struct kernels *f = a->t->f;
    size_t width = a->t->width, head = width / a->t->heads, keys = a->rows + (a->past ? 1 : 0);
    size_t sequence = share / a->t->heads, column = share % a->t->heads * head;
    size_t ld_scores = round_up(keys, f->nr), ld_values = round_up(head, f->nr);
    float *k_panels = a->memory + share * a->share_floats, *v_panels = k_panels + ld_scores * head;
    float *scores = v_panels + keys * ld_values;
    void *packed = k_panels + round_up(ld_scores * head + keys * ld_values + QUERY_BLOCK * ld_scores,
                                       KERNEL_ALIGN / sizeof(float));

    memset(k_panels, 0, (ld_scores * head + keys * ld_values) * sizeof(float));
    for (size_t i = 0; i < keys; i++) {
        const float *k = kv_row(a, sequence, i, width + column), *v = kv_row(a, sequence, i, 2 * width + column);
        float *to = k_panels + i / f->nr * f->nr * head + i % f->nr;
        for (size_t d = 0; d < head; d++)
            to[d * f->nr] = k[d];
        for (size_t d = 0; d < head; d += f->nr)
            memcpy(v_panels + d * keys + i * f->nr, v + d, (head - d < f->nr ? head - d : f->nr) * sizeof(float));
    }
    struct matrix k = {.n = keys, .k = head, .units = head, .panels = (uint32_t *)k_panels};
    struct matrix v = {.n = head, .k = keys, .units = keys, .panels = (uint32_t *)v_panels};
    float scale = 1 / sqrtf((float)head);
    for (size_t q = 0; q < a->queries; q += QUERY_BLOCK) {
        size_t n = a->queries - q < QUERY_BLOCK ? a->queries - q : QUERY_BLOCK;
        size_t row = sequence * a->queries + q;
        struct rows rows;
        rows_pack(f, a->q + row * a->ld + column, a->ld, n, head, NULL, packed, &rows);
        matmul(f, &k, &rows, 0, matrix_panels(f, &k), ACT_NONE, false, scores, ld_scores);
        for (size_t i = 0; i < n; i++) {
            float *s = scores + i * ld_scores;
            size_t seen = a->causal ? keys - a->rows + a->first_query + q + i + 1 : keys;
            f->softmax(s, seen, scale);
            memset(s + seen, 0, (keys - seen) * sizeof *s);
        }
        rows_pack(f, scores, ld_scores, n, keys, NULL, packed, &rows);
        matmul(f, &v, &rows, 0, matrix_panels(f, &v), ACT_NONE, false, a->out + row * width + column, width);
    }
}

void attention_run(struct attention *a, size_t sequences, struct pool *pool, struct scratch *s)
{
    a->memory = s->attention;
    /* A call without a pool does its shares one by one, in the same memory. */
    bool spread = pool && sequences == 1;
    a->share_floats = spread ? attention_floats(a->t, a->rows + (a->past ? 1 : 0)) : 0;
    pool_for(spread && a->rows > 16 ? pool : NULL, sequences * a->t->heads, attend, a);
}

void norm_rows(const struct tower *t, const struct norm *n, const float *x, size_t m, float *out)
{
    for (size_t i = 0; i < m; i++)
        t->k->layer_norm(x + i * t->width, t->width, n->gain, n->bias, t->epsilon, out + i * t->width);
}

/* --- scratch --- */

enum status scratch_open(const struct tower *t, struct pool *pool, size_t sequences, size_t rows, size_t keys,
                         size_t extra, struct scratch *out, struct error *err)
{
    size_t m = sequences * rows, width = t->width, wide = 3 * width;
    wide = t->mlp > wide ? t->mlp : wide;
    size_t depth = t->mlp > width ? t->mlp : width;
    depth = extra > depth ? extra : depth;
    size_t shares = pool && sequences == 1 ? t->heads : 1;
    size_t floats[] = {m * width,
                       m * width,
                       m * (extra > wide ? extra : wide),
                       sequences * width,
                       sequences * wide,
                       rows_bytes(t->k, m, depth) / sizeof(float),
                       shares * attention_floats(t, keys)};
    size_t total = 0;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        total += floats[i] = round_up(floats[i], KERNEL_ALIGN / sizeof(float));
    *out = (struct scratch){.sequences = sequences, .rows = rows};
    float *p = aligned_alloc(KERNEL_ALIGN, total * sizeof(float));
    if (!p)
        return err_no_memory(err, "encoding %zu rows: %zu MiB needed", m, total >> 18);
    out->block = p;
    float *at[sizeof floats / sizeof *floats];
    for (size_t i = 0; i < sizeof floats / sizeof *floats; p += floats[i++])
        at[i] = p;
    out->x = at[0];
    out->h = at[1];
    out->wide = at[2];
    out->kept = at[3];
    out->kept_wide = at[4];
    out->packed = at[5];
    out->attention = at[6];
    return OK;
}

void scratch_close(struct scratch *s)
{
    free(s->block);
    s->block = NULL;
}
