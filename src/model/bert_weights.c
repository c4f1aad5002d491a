/* config.json and safetensors -> struct bert, packed for one precision. */
#include "model/bert_internal.h"

#include "model/weights.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the architectures call the same things. */
struct bert_names {
    const char *prefix, *layer;
    const char *query, *key, *value, *out, *attention_norm, *up, *down, *mlp_norm;
};
static const struct bert_names bert_names = {
    "bert.",
    "encoder.layer",
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
};
static const struct bert_names distilbert_names = {
    "distilbert.",       "transformer.layer", "attention.q_lin", "attention.k_lin", "attention.v_lin",
    "attention.out_lin", "sa_layer_norm",     "ffn.lin1",        "ffn.lin2",        "output_layer_norm",
};

static const struct bert_names *names_of(const struct bert *m)
{
    return m->config.kind == BERT_DISTILBERT ? &distilbert_names : &bert_names;
}

/* Checkpoints of a whole model have the encoder's name before its tensors, those of the encoder alone have not. */
static const char *prefix_of(const struct bert *m)
{
    const char *prefix = m->config.kind == BERT_XLM_ROBERTA ? "roberta." : names_of(m)->prefix;
    char name[WEIGHTS_NAME];
    snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", prefix);
    return safetensors_find(m->file, name) ? prefix : "";
}

size_t bert_peaks_count(const struct bert_config *c)
{
    return c->layers * (3 * c->width + c->mlp);
}

size_t bert_peaks_at(const struct bert_config *c, size_t layer, enum bert_product p)
{
    return layer * (3 * c->width + c->mlp) + (size_t)p * c->width;
}

/* What is loaded: the model, and the peaks of its activations or NULL. */
struct loading {
    struct bert *m;
    const float *peaks;
};

/* A matrix of `parts` tensors [rows, width]. int8 has one scale for a row of activations, so that a channel far larger
 * than the others leaves few steps for them, and models of this family have such channels. A channel of the row can be
 * divided by s and the weights that meet it multiplied by s: the same product. s = activation^a / weight^(1 - a), of
 * the largest of each, makes both sides about equally hard to quantise (SmoothQuant, arXiv:2211.10438). The largest
 * activations are those of the texts of a probe; a = 0.55 is where all-MiniLM-L6-v2 loses least on other texts. */
#define SMOOTHING 0.55f

static void load_matrix(struct weights *l, const char *const *names, size_t parts, size_t rows, size_t width,
                        const float *peaks, struct matrix *out)
{
    bool smooth = l->k->type == KERNEL_INT8 && peaks;
    float *shrink = smooth ? weights_take(l, width * sizeof *shrink) : NULL;
    float *s = smooth ? weights_column_peaks(l, names, parts, rows, width) : NULL;
    for (size_t j = 0; s && j < width; j++) {
        bool usual = peaks[j] > 1e-6f && peaks[j] < 1e6f && s[j] > 1e-6f && s[j] < 1e6f;
        s[j] = usual ? powf(peaks[j], SMOOTHING) / powf(s[j], 1 - SMOOTHING) : 1;
        shrink[j] = 1 / s[j];
    }
    weights_matrix(l, names, parts, (const size_t[4]){rows, width}, true, s, out);
    out->shrink = s ? shrink : NULL;
    free(s);
}

static void load_layer(struct weights *l, const struct loading *loading, size_t i, struct layer *out)
{
    const struct bert *m = loading->m;
    const struct bert_names *n = names_of(m);
    const char *const parts[] = {n->query, n->key, n->value, n->out, n->attention_norm, n->up, n->down, n->mlp_norm};
    char names[8][WEIGHTS_NAME];
    size_t width = m->tower.width, mlp = m->tower.mlp;
    for (size_t k = 0; k < 8; k++)
        snprintf(names[k], sizeof names[k], "%s%s.%zu.%s", prefix_of(m), n->layer, i, parts[k]);
    const char *const qkv[3] = {names[0], names[1], names[2]};
    const char *const attention_out[1] = {names[3]}, *const up[1] = {names[5]}, *const down[1] = {names[6]};
    const float *peaks[4] = {NULL};
    for (enum bert_product p = BERT_QKV; loading->peaks && p <= BERT_DOWN; p++)
        peaks[p] = loading->peaks + bert_peaks_at(&m->config, i, p);
    load_matrix(l, qkv, 3, width, width, peaks[BERT_QKV], &out->qkv);
    load_matrix(l, attention_out, 1, width, width, peaks[BERT_OUT], &out->out);
    weights_norm(l, names[4], width, &out->attention_norm);
    load_matrix(l, up, 1, mlp, width, peaks[BERT_UP], &out->up);
    load_matrix(l, down, 1, width, mlp, peaks[BERT_DOWN], &out->down);
    weights_norm(l, names[7], width, &out->mlp_norm);
}

static const struct tensor *find_table(struct weights *l, const struct bert *m, const char *part, size_t rows)
{
    char name[WEIGHTS_NAME];
    snprintf(name, sizeof name, "%sembeddings.%s_embeddings.weight", prefix_of(m), part);
    return weights_want(l, name, rows, m->tower.width, 0, 0);
}

static void load_bert(struct weights *l, void *what)
{
    const struct loading *loading = what;
    struct bert *m = loading->m;
    struct layer unused; /* in the first pass there is no memory for layers yet */
    char name[WEIGHTS_NAME];
    size_t width = m->tower.width;
    m->tokens = find_table(l, m, "word", m->config.vocab);
    m->positions = find_table(l, m, "position", m->config.positions);
    if (m->config.types) {
        snprintf(name, sizeof name, "%sembeddings.token_type_embeddings.weight", prefix_of(m));
        m->type_row = weights_floats(l, name, m->config.types, width);
    }
    snprintf(name, sizeof name, "%sembeddings.LayerNorm", prefix_of(m));
    weights_norm(l, name, width, &m->norm);
    m->tower.layers = weights_take(l, m->tower.n_layers * sizeof *m->tower.layers);
    for (size_t i = 0; i < m->tower.n_layers && l->status == OK; i++)
        load_layer(l, loading, i, m->tower.layers ? &m->tower.layers[i] : &unused);
}

static void load_dense(struct weights *l, void *model)
{
    struct bert *m = model;
    weights_linear(l, "linear", m->config.dense, m->tower.width, m->config.dense_bias, &m->dense);
}

static enum status open_dense(struct bert *m, const char *dir, struct error *err)
{
    char folder[PATH_MAX];
    struct safetensors *file;
    if ((size_t)snprintf(folder, sizeof folder, "%s/%s", dir, m->config.dense_folder) >= sizeof folder)
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    enum status st = safetensors_open(folder, &file, err);
    if (st != OK)
        return st;
    struct weights l = {.dir = folder, .file = file, .k = m->tower.f, .pool = m->pool, .err = err};
    st = weights_load(&l, load_dense, m, &m->dense_memory, &m->dense_bytes);
    safetensors_close(file);
    return st;
}

void bert_close(struct bert *m)
{
    if (!m)
        return;
    tokenizer_close(m->tokenizer);
    weights_free(m->memory, m->bytes);
    weights_free(m->dense_memory, m->dense_bytes);
    safetensors_close(m->file);
    free(m);
}

enum status bert_weights_open(const char *dir, enum kernel_type precision, enum kernel_isa most, struct pool *pool,
                              const float *peaks, struct bert **out, struct error *err)
{
    *out = NULL;
    struct bert *m = calloc(1, sizeof *m);
    if (!m)
        return err_no_memory(err, "the model %s", dir);
    struct bert_config *c = &m->config;
    m->precision = precision;
    m->pool = pool;
    enum status st = OK;
    if ((size_t)snprintf(m->dir, sizeof m->dir, "%s", dir) >= sizeof m->dir)
        st = err_set(err, ERR_INVALID, "%s: path too long", dir);
    if (st == OK)
        st = bert_config_load(dir, c, err);
    if (st == OK)
        st = safetensors_open(dir, &m->file, err);
    if (st == OK) {
        m->base = (struct encoder){&bert_encoder, c->dense ? c->dense : c->width};
        m->tower = (struct tower){.k = kernels_get(precision, most),
                                  .f = kernels_get(KERNEL_FP32, most),
                                  .width = c->width,
                                  .heads = c->heads,
                                  .mlp = c->mlp,
                                  .n_layers = c->layers,
                                  .act = ACT_GELU,
                                  .epsilon = c->epsilon};
        struct weights l = {.dir = dir, .file = m->file, .k = m->tower.k, .pool = pool, .err = err};
        struct loading loading = {m, peaks};
        st = weights_load(&l, load_bert, &loading, &m->memory, &m->bytes);
    }
    if (st == OK && c->dense)
        st = open_dense(m, dir, err);
    if (st != OK) {
        bert_close(m);
        return st;
    }
    *out = m;
    return OK;
}
