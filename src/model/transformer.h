/* transformer.h: the parts of a transformer's layers (Vaswani et al. 2017, arXiv:1706.03762): products over the pool,
 * attention, norms and working memory. How they make a layer is the model's: clip_layer.c normalises before, bert.c
 * after. */
#ifndef PEEL_MODEL_TRANSFORMER_H
#define PEEL_MODEL_TRANSFORMER_H

#include "base/pool.h"
#include "base/status.h"
#include "model/kernels/kernels.h"
#include <stdbool.h>
#include <stddef.h>

struct norm {
    const float *gain, *bias; /* [width] */
};

struct layer {
    struct norm attention_norm, mlp_norm; /* before or after them, as the model has it */
    struct matrix qkv;                    /* [3 * width, width]: queries, keys, values */
    struct matrix out;                    /* [width, width] */
    struct matrix up, down;
};

/* One transformer. `k` are the kernels of the weights' precision, `f` those of fp32, for attention. */
struct tower {
    const struct kernels *k, *f;
    size_t width, heads, mlp, n_layers;
    enum kernel_act act;
    float epsilon;
    struct layer *layers;
};

/* Working memory of one call: `sequences` of `rows` rows each. Sequences of several lengths are one of all their rows.
 */
struct scratch {
    void *block;
    float *x;    /* [sequences * rows, width]: what goes through the tower */
    float *h;    /* [sequences * rows, width] */
    float *wide; /* [sequences * rows, widest of 3 * width, mlp and extra] */
    float *kept; /* [sequences, width]: the result of tower_run */
    float *kept_wide;
    void *packed; /* rows_bytes for all rows and the widest depth */
    float *attention;
    size_t sequences, rows;
};
/* keys: of the longest sequence, with what is before it. extra: a depth of products beside the tower's. pool: what
 * attention_run will be given. */
enum status scratch_open(const struct tower *t, struct pool *pool, size_t sequences, size_t rows, size_t keys,
                         size_t extra, struct scratch *out, struct error *err) MUST_CHECK;
void scratch_close(struct scratch *s);

/* c = (or +=) act(x w^T + bias) for the panels first..last-1, over the pool; x is packed. */
struct product {
    const struct kernels *k;
    const struct matrix *w;
    const struct rows *x;
    enum kernel_act act;
    bool add;
    float *c;
    size_t ldc, first, last;
};
void product_run(struct pool *pool, struct product *p);
/* The same for all columns. x [m, ldx]; packed: room for the rows. */
void linear(const struct kernels *k, struct pool *pool, const struct matrix *w, const float *x, size_t ldx, size_t m,
            void *packed, enum kernel_act act, bool add, float *c, size_t ldc);

/* softmax(q k^T / sqrt(head)) v, for each head of each sequence. Filled in up to `causal`. */
struct attention {
    const struct tower *t;
    const float *q, *kv; /* queries [sequences * queries, ld]; queries, keys and values [sequences * rows, ld] */
    const float *past;   /* keys, values [2][width] of one row before all others, or NULL */
    size_t queries, rows, ld, first_query;
    bool causal; /* a row sees itself and those before it */
    float *out;  /* [sequences * queries, width]; not q or kv */
    float *memory;
    size_t share_floats; /* of memory for one share; 0: shares run one after the other */
};
/* One sequence is spread over the pool by its heads. */
void attention_run(struct attention *a, size_t sequences, struct pool *pool, struct scratch *s);

/* Row by row of x [m, width]; out may be x. */
void norm_rows(const struct tower *t, const struct norm *n, const float *x, size_t m, float *out);

#endif
