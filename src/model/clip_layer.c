/* A pre-norm transformer layer: x += out(attention(norm(x))); x += down(act(up(norm(x)))).
 * In the last layer only one row of a sequence is wanted: all rows give keys and values, the rest is
 * computed for that row alone. */
#include "model/clip_internal.h"

#include <string.h>

static void mlp(const struct tower *t, const struct layer *l, struct pool *pool, struct scratch *s, float *x, float *h,
                float *wide, size_t m)
{
    norm_rows(t, &l->mlp_norm, x, m, h);
    linear(t->k, pool, &l->up, h, t->width, m, s->packed, t->act, false, wide, t->mlp);
    linear(t->k, pool, &l->down, wide, t->mlp, m, s->packed, ACT_NONE, true, x, t->width);
}

void tower_run(const struct tower *t, const struct run *run, struct scratch *s)
{
    size_t width = t->width, ld = 3 * width, m = s->sequences * s->rows;
    for (size_t i = 0; i < t->n_layers; i++) {
        const struct layer *l = &t->layers[i];
        bool last = i + 1 == t->n_layers;
        struct attention a = {.t = t,
                              .kv = s->wide,
                              .q = s->wide,
                              .past = run->past ? run->past + i * 2 * width : NULL,
                              .queries = s->rows,
                              .rows = s->rows,
                              .ld = ld,
                              .causal = run->causal,
                              .out = s->h};
        norm_rows(t, &l->attention_norm, s->x, m, s->h);
        struct rows rows;
        rows_pack(t->k, s->h, width, m, width, NULL, s->packed, &rows);
        size_t panels = matrix_panels(t->k, &l->qkv);
        /* Keys and values of all rows; queries of all but in the last layer. */
        size_t first = last ? width / t->k->nr : 0;
        product_run(run->pool, &(struct product){t->k, &l->qkv, &rows, ACT_NONE, false, s->wide, ld, first, panels});
        if (run->capture)
            memcpy(run->capture + i * 2 * width, s->wide + width, 2 * width * sizeof(float));
        if (last) {
            for (size_t q = 0; q < s->sequences; q++) {
                memcpy(s->kept + q * width, s->x + (q * s->rows + run->keep) * width, width * sizeof(float));
                memmove(s->h + q * width, s->h + (q * s->rows + run->keep) * width, width * sizeof(float));
            }
            rows_pack(t->k, s->h, width, s->sequences, width, NULL, s->packed, &rows);
            product_run(run->pool, &(struct product){t->k, &l->qkv, &rows, ACT_NONE, false, s->kept_wide, ld, 0,
                                                     (width + t->k->nr - 1) / t->k->nr});
            a.q = s->kept_wide;
            a.queries = 1;
            a.first_query = run->keep;
        }
        attention_run(&a, s->sequences, run->pool, s);

        float *x = last ? s->kept : s->x, *wide = last ? s->kept_wide : s->wide;
        size_t left = last ? s->sequences : m;
        linear(t->k, run->pool, &l->out, s->h, width, left, s->packed, ACT_NONE, true, x, width);
        mlp(t, l, run->pool, s, x, s->h, wide, left);
    }
}
