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
    tensor_read_row(table, i, out);
    if (weights_finite(out, width))
        return OK;
    return err_set(err, ERR_CORRUPT, "%s: tensor %s: row %zu: expected finite numbers, found NaN or infinity", m->dir,
                   table->name, i);
}

/* Of one text: x [n, width]; row: [width], for use. */
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

/* Each of the n texts attends to itself. Queries, keys and values are in s->wide; the result is in s->h. */
static void attend_texts(const struct tower *t, const size_t *lens, size_t n, struct scratch *s)
{
    size_t ld = 3 * t->width;
    const float *qkv = s->wide;
    float *out = s->h;
    for (size_t i = 0; i < n; qkv += lens[i] * ld, out += lens[i] * t->width, i++) {
        struct attention a = {.t = t, .q = qkv, .kv = qkv, .queries = lens[i], .rows = lens[i], .ld = ld, .out = out};
        attention_run(&a, 1, NULL, s);
    }
}

/* Raises the peaks of the channels that go into a product: x [rows, depth]. */
static void note_peaks(const struct bert *m, size_t layer, enum bert_product p, const float *x, size_t rows,
                       size_t depth)
{
    float *peaks = m->peaks ? m->peaks + bert_peaks_at(&m->config, layer, p) : NULL;
    for (size_t i = 0; peaks && i < rows; i++)
        for (size_t j = 0; j < depth; j++)
            peaks[j] = fmaxf(peaks[j], fabsf(x[i * depth + j]));
}

/* s->x in and out: the rows of n texts, one text behind the other. */
static void run_layer(const struct bert *m, size_t layer, const size_t *lens, size_t n, struct scratch *s)
{
    const struct tower *t = &m->tower;
    const struct layer *l = &t->layers[layer];
    size_t width = t->width, rows = s->rows;
    note_peaks(m, layer, BERT_QKV, s->x, rows, width);
    linear(t->k, NULL, &l->qkv, s->x, width, rows, s->packed, ACT_NONE, false, s->wide, 3 * width);
    attend_texts(t, lens, n, s);
    note_peaks(m, layer, BERT_OUT, s->h, rows, width);
    linear(t->k, NULL, &l->out, s->h, width, rows, s->packed, ACT_NONE, true, s->x, width);
    norm_rows(t, &l->attention_norm, s->x, rows, s->x);
    note_peaks(m, layer, BERT_UP, s->x, rows, width);
    linear(t->k, NULL, &l->up, s->x, width, rows, s->packed, t->act, false, s->wide, t->mlp);
    note_peaks(m, layer, BERT_DOWN, s->wide, rows, t->mlp);
    linear(t->k, NULL, &l->down, s->wide, t->mlp, rows, s->packed, ACT_NONE, true, s->x, width);
    norm_rows(t, &l->mlp_norm, s->x, rows, s->x);
}

/* x: [n, width] of one text; out: [width]. */
static void pool_tokens(const struct bert *m, const float *x, size_t n, float *out)
{
    size_t width = m->tower.width;
    n = m->config.pooling == BERT_CLS ? 1 : n;
    memset(out, 0, width * sizeof *out);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            out[j] += x[i * width + j];
    for (size_t j = 0; j < width; j++)
        out[j] /= (float)n;
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

static enum status check_ids(const struct bert *m, const int32_t *ids, const size_t *lens, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; ids += lens[i], i++) {
        if (lens[i] < 1 || lens[i] > m->config.max_tokens)
            return err_set(err, ERR_INVALID, "text of %zu tokens: expected 1 to %zu", lens[i], m->config.max_tokens);
        for (size_t j = 0; j < lens[i]; j++)
            if (ids[j] < 0 || (size_t)ids[j] >= m->config.vocab)
                return err_set(err, ERR_INVALID, "token %d at %zu: expected 0 to %zu", ids[j], j, m->config.vocab - 1);
    }
    return OK;
}

/* On the calling thread alone: a text takes a millisecond, and texts come from many threads at once. */
static enum status run_group(const struct bert *m, const int32_t *ids, const size_t *lens, size_t n, float *states,
                             struct scratch *s, float *out, struct error *err)
{
    const struct tower *t = &m->tower;
    size_t plane = s->rows * t->width, dim = m->base.dim;
    float *x = s->x;
    enum status st = OK;
    for (size_t i = 0; st == OK && i < n; ids += lens[i], x += lens[i] * t->width, i++)
        st = embed_tokens(m, ids, lens[i], x, s->h, err);
    if (st != OK)
        return st;
    if (states)
        memcpy(states, s->x, plane * sizeof *states);
    for (size_t i = 0; i < t->n_layers; i++) {
        run_layer(m, i, lens, n, s);
        if (states)
            memcpy(states + (i + 1) * plane, s->x, plane * sizeof *states);
    }
    x = s->x;
    for (size_t i = 0; st == OK && i < n; x += lens[i] * t->width, i++) {
        pool_tokens(m, x, lens[i], s->h);
        if (m->config.dense)
            st = apply_dense(m, s->h, out + i * dim, err);
        else
            memcpy(out + i * dim, s->h, dim * sizeof *out);
        if (st == OK)
            st = encoder_normalize(out + i * dim, dim, err);
    }
    return st;
}

enum status bert_encode_group(const struct bert *m, const int32_t *ids, const size_t *lens, size_t n, float *states,
                              float *out, struct error *err)
{
    struct scratch s;
    size_t rows = 0, longest = 0;
    enum status st = check_ids(m, ids, lens, n, err);
    for (size_t i = 0; i < n; i++) {
        rows += lens[i];
        longest = lens[i] > longest ? lens[i] : longest;
    }
    if (st == OK)
        st = scratch_open(&m->tower, NULL, 1, rows, longest, 0, &s, err);
    if (st != OK)
        return st;
    st = run_group(m, ids, lens, n, states, &s, out, err);
    scratch_close(&s);
    return st;
}

enum status bert_encode_ids(const struct bert *m, const int32_t *ids, size_t n, float *states, float *out,
                            struct error *err)
{
    return bert_encode_group(m, ids, &n, 1, states, out, err);
}
