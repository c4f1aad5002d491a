/* config.json and safetensors -> struct clip, packed for one precision. */
#include "model/clip_internal.h"

#include "model/safetensors.h"
#include "model/weights.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* int8 has one scale for a row of activations, so that one large channel leaves few steps for the others. What
 * a norm multiplies channel j by can be divided by s[j] and the weights that read it multiplied by s[j]: exactly
 * the same product. s = sqrt(largest activation / largest weight) makes both sides equally hard to quantise
 * (SmoothQuant, arXiv:2211.10438); a normalised channel reaches about 3 * gain + bias. The scales are malloc'ed;
 * NULL where there is nothing to do. */
static float *smooth(struct weights *l, const char *const *names, size_t parts, size_t rows, size_t width,
                     struct norm *norm)
{
    if (l->k->type != KERNEL_INT8)
        return NULL;
    float *s = weights_column_peaks(l, names, parts, rows, width);
    float *gain = (float *)norm->gain, *bias = (float *)norm->bias; /* ours, in l->base */
    for (size_t j = 0; s && l->status == OK && j < width; j++) {
        float activation = 3 * fabsf(gain[j]) + fabsf(bias[j]);
        bool usual = activation > 1e-6f && activation < 1e6f && s[j] > 1e-6f && s[j] < 1e6f;
        s[j] = usual ? sqrtf(activation / s[j]) : 1;
        gain[j] /= s[j];
        bias[j] /= s[j];
    }
    return s;
}

static void load_layer(struct weights *l, const char *prefix, size_t i, const struct tower *t, struct layer *out)
{
    char names[6][WEIGHTS_NAME];
    static const char *const suffixes[6] = {"self_attn.q_proj",   "self_attn.k_proj", "self_attn.v_proj",
                                            "self_attn.out_proj", "mlp.fc1",          "mlp.fc2"};
    char norm_name[WEIGHTS_NAME];
    for (size_t j = 0; j < 6; j++)
        snprintf(names[j], sizeof names[j], "%s.encoder.layers.%zu.%s", prefix, i, suffixes[j]);

    const char *const qkv[3] = {names[0], names[1], names[2]}, *const up[1] = {names[4]};
    snprintf(norm_name, sizeof norm_name, "%s.encoder.layers.%zu.layer_norm1", prefix, i);
    weights_norm(l, norm_name, t->width, &out->attention_norm);
    float *columns = smooth(l, qkv, 3, t->width, t->width, &out->attention_norm);
    weights_matrix(l, qkv, 3, (const size_t[4]){t->width, t->width}, true, columns, &out->qkv);
    free(columns);
    weights_linear(l, names[3], t->width, t->width, true, &out->out);

    snprintf(norm_name, sizeof norm_name, "%s.encoder.layers.%zu.layer_norm2", prefix, i);
    weights_norm(l, norm_name, t->width, &out->mlp_norm);
    columns = smooth(l, up, 1, t->mlp, t->width, &out->mlp_norm);
    weights_matrix(l, up, 1, (const size_t[4]){t->mlp, t->width}, true, columns, &out->up);
    free(columns);
    weights_linear(l, names[5], t->width, t->mlp, true, &out->down);
}

static void load_tower(struct weights *l, const char *prefix, struct tower *t)
{
    struct layer unused; /* in the first pass there is no memory for layers yet */
    t->layers = weights_take(l, t->n_layers * sizeof *t->layers);
    for (size_t i = 0; i < t->n_layers && l->status == OK; i++)
        load_layer(l, prefix, i, t, t->layers ? &t->layers[i] : &unused);
}

static uint16_t bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static void load_tokens(struct weights *l, struct clip *m, size_t vocab, size_t width)
{
    const struct tensor *t = weights_want(l, "text_model.embeddings.token_embedding.weight", vocab, width, 0, 0);
    if (!t)
        return;
    bool whole = m->precision == CLIP_FP32;
    void *to = m->tokens = weights_take(l, vocab * width * (whole ? sizeof(float) : sizeof(uint16_t)));
    if (to && whole) {
        tensor_read(t, 0, vocab * width, to);
    } else if (to) {
        float some[256];
        for (size_t i = 0; i < vocab * width; i += 256) {
            size_t n = vocab * width - i < 256 ? vocab * width - i : 256;
            tensor_read(t, i, n, some);
            for (size_t j = 0; j < n; j++)
                ((uint16_t *)to)[i + j] = bf16(some[j]);
        }
    }
    tensor_release(t);
}

static void load_all(struct weights *l, void *model)
{
    struct clip *m = model;
    const struct clip_config *c = &m->config;
    size_t width = c->text.width;
    load_tower(l, "text_model", &m->text);
    load_tokens(l, m, c->vocab, width);
    m->positions = weights_floats(l, "text_model.embeddings.position_embedding.weight", c->context, width);
    weights_norm(l, "text_model.final_layer_norm", width, &m->text_norm);
    weights_linear(l, "text_projection", c->dim, width, false, &m->text_project);
    m->start_kv = weights_take(l, m->text.n_layers * 2 * width * sizeof(float));

    width = c->vision.width;
    size_t grid = clip_config_grid(c) * clip_config_grid(c);
    load_tower(l, "vision_model", &m->vision);
    const char *patches = "vision_model.embeddings.patch_embedding";
    weights_matrix(l, &patches, 1, (const size_t[4]){width, 3, c->patch_size, c->patch_size}, false, NULL, &m->patches);
    const float *class_row = weights_floats(l, "vision_model.embeddings.class_embedding", width, 0);
    const float *positions = weights_floats(l, "vision_model.embeddings.position_embedding.weight", grid + 1, width);
    if (class_row && positions) {
        for (size_t i = 0; i < width; i++)
            ((float *)class_row)[i] += positions[i];
        m->class_row = class_row;
        m->grid = positions + width;
    }
    weights_norm(l, "vision_model.pre_layrnorm", width, &m->vision_norm_in);
    weights_norm(l, "vision_model.post_layernorm", width, &m->vision_norm);
    weights_linear(l, "visual_projection", c->dim, width, false, &m->vision_project);
}

static struct tower make_tower(const struct clip_tower_config *c, const struct kernels *k, const struct kernels *f)
{
    return (struct tower){.k = k,
                          .f = f,
                          .width = c->width,
                          .heads = c->heads,
                          .mlp = c->mlp,
                          .n_layers = c->layers,
                          .act = c->act == CLIP_GELU ? ACT_GELU : ACT_QUICK_GELU,
                          .epsilon = c->epsilon};
}

enum status clip_weights_open(const char *dir, enum clip_precision precision, enum kernel_isa most, struct pool *pool,
                              struct clip **out, struct error *err)
{
    *out = NULL;
    struct clip *m = calloc(1, sizeof *m);
    if (!m)
        return err_no_memory(err, "%s", dir);
    enum kernel_type type = precision == CLIP_INT8 ? KERNEL_INT8 : precision == CLIP_BF16 ? KERNEL_BF16 : KERNEL_FP32;
    const struct kernels *k = kernels_get(type, most), *f = kernels_get(KERNEL_FP32, most);
    struct safetensors *file = NULL;
    struct weights l = {.dir = dir, .k = k, .pool = pool, .err = err};
    m->precision = precision;
    m->pool = pool;
    m->start_id = -1;
    enum status st = clip_config_load(dir, &m->config, err);
    if (st == OK)
        st = safetensors_open(dir, &file, err);
    if (st != OK)
        goto out;
    l.file = file;
    m->file_bytes = safetensors_file_bytes(file);
    m->text = make_tower(&m->config.text, k, f);
    m->vision = make_tower(&m->config.vision, k, f);
    st = weights_load(&l, load_all, m, &m->memory, &m->bytes);
out:
    safetensors_close(file);
    if (st != OK) {
        clip_close(m);
        return st;
    }
    *out = m;
    return OK;
}
