#include "model/bert.h"

#include "model/bert_internal.h"
#include "model/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Row `i` of a table that stays in the file: out [width]. Other weights were looked at when they were packed. */
static enum status read_row(const struct bert *m, const struct tensor *table, size_t i, float *out, struct error *err)
{
    size_t width = m->tower.width;
    tensor_read(table, i * width, width, out);
    if (weights_finite(out, width))
        return OK;
    return err_set(err, ERR_CORRUPT, "%s: tensor %s: row %zu: expected finite numbers, found NaN or infinity", m->dir,
                   table->name, i);
}

/* x: [n, width]; row: [width], for use. */
static enum status embed_tokens(const struct bert *m, const int32_t *ids, size_t n, float *x, float *row,
                                struct error *err)
{
    size_t width = m->tower.width;
    for (size_t i = 0; i < n; i++) {
        float *to = x + i * width;
        enum status st = read_row(m, m->tokens, (size_t)ids[i], to, err);
        if (st == OK)
            st = read_row(m, m->positions, m->config.first_position + i, row, err);
        if (st != OK)
            return st;
        for (size_t j = 0; j < width; j++)
            to[j] += row[j] + (m->type_row ? m->type_row[j] : 0);
    }
    norm_rows(&m->tower, &m->norm, x, n, x);
    return OK;
}

/* s->x in and out. */
static void run_layer(const struct tower *t, const struct layer *l, struct pool *pool, struct scratch *s)
{
    size_t width = t->width, n = s->rows;
    struct attention a = {.t = t, .q = s->wide, .kv = s->wide, .queries = n, .rows = n, .ld = 3 * width};
    linear(t->k, pool, &l->qkv, s->x, width, n, s->packed, ACT_NONE, false, s->wide, 3 * width);
    attention_run(&a, pool, s);
    linear(t->k, pool, &l->out, s->h, width, n, s->packed, ACT_NONE, true, s->x, width);
    norm_rows(t, &l->attention_norm, s->x, n, s->x);
    linear(t->k, pool, &l->up, s->x, width, n, s->packed, t->act, false, s->wide, t->mlp);
    linear(t->k, pool, &l->down, s->wide, t->mlp, n, s->packed, ACT_NONE, true, s->x, width);
    norm_rows(t, &l->mlp_norm, s->x, n, s->x);
}

/* Into s->h: [width]. */
static void pool_tokens(const struct bert *m, const struct scratch *s)
{
    size_t width = m->tower.width, n = m->config.pooling == BERT_CLS ? 1 : s->rows;
    memset(s->h, 0, width * sizeof *s->h);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            s->h[j] += s->x[i * width + j];
    for (size_t j = 0; j < width; j++)
        s->h[j] /= (float)n;
}

/* What was pooled, [width], through the linear layer: out [dim]. */
static enum status apply_dense(const struct bert *m, const float *pooled, float *out, struct error *err)
{
    const struct kernels *f = m->tower.f;
    size_t width = m->tower.width, bytes = rows_bytes(f, 1, width);
    void *packed = aligned_alloc(KERNEL_ALIGN, (bytes + KERNEL_ALIGN - 1) / KERNEL_ALIGN * KERNEL_ALIGN);
    if (!packed)
        return err_no_memory(err, "a vector");
    linear(f, NULL, &m->dense, pooled, width, 1, packed, ACT_NONE, false, out, m->base.dim);
    for (size_t j = 0; j < m->base.dim && m->config.dense_tanh; j++)
        out[j] = tanhf(out[j]);
    free(packed);
    return OK;
}

enum status bert_encode_ids(const struct bert *m, const int32_t *ids, size_t n, float *states, float *out,
                            struct error *err)
{
    const struct tower *t = &m->tower;
    size_t most = m->config.max_tokens, dim = m->base.dim, plane = n * t->width;
    if (n < 1 || n > most)
        return err_set(err, ERR_INVALID, "text of %zu tokens: expected 1 to %zu", n, most);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= m->config.vocab)
            return err_set(err, ERR_INVALID, "token %d at %zu: expected 0 to %zu", ids[i], i, m->config.vocab - 1);
    struct scratch s;
    enum status st = scratch_open(t, 1, n, 0, 0, &s, err);
    if (st != OK)
        return st;
    st = embed_tokens(m, ids, n, s.x, s.h, err);
    if (st != OK) {
        scratch_close(&s);
        return st;
    }
    if (states)
        memcpy(states, s.x, plane * sizeof *states);
    /* On the calling thread alone: a text takes a millisecond, and texts come from many threads at once. */
    for (size_t i = 0; i < t->n_layers; i++) {
        run_layer(t, &t->layers[i], NULL, &s);
        if (states)
            memcpy(states + (i + 1) * plane, s.x, plane * sizeof *states);
    }
    pool_tokens(m, &s);
    if (m->config.dense)
        st = apply_dense(m, s.h, out, err);
    else
        memcpy(out, s.h, dim * sizeof *out);
    scratch_close(&s);
    return st == OK ? encoder_normalize(out, dim, err) : st;
}

enum status bert_encode_text(const struct bert *m, const struct tokenizer *tokenizer, const char *text, size_t len,
                             float *out, struct error *err)
{
    size_t n = 0, most = m->config.max_tokens;
    int32_t *ids = malloc(most * sizeof *ids);
    enum status st = ids ? OK : err_no_memory(err, "%zu tokens", most);
    if (st == OK)
        st = tokenizer_encode(tokenizer, text, encoder_text_bytes(text, len), most, ids, &n, err);
    if (st == OK)
        st = bert_encode_ids(m, ids, n, NULL, out, err);
    free(ids);
    return st;
}
