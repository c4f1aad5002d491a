/* Loading goes over the tensors twice with the same code: first to check that each is there in the right
 * shape and to add up the memory, then to fill it. The whole packed model is one block of memory (with huge
 * pages where the system has them: the weights are streamed once per text), and the file is closed after. */
#include "model/clip_internal.h"

#include "model/safetensors.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_PARTS 3
#define NAME_SIZE 160

struct loader {
    struct clip *m;
    struct safetensors *file;
    const char *dir;
    const struct kernels *k;
    unsigned char *base; /* NULL in the first pass */
    size_t used;
    struct error *err;
    enum status status; /* the first failure; later calls do nothing */
};

static void *take(struct loader *l, size_t bytes)
{
    void *p = l->base ? l->base + l->used : NULL;
    l->used += (bytes + KERNEL_ALIGN - 1) / KERNEL_ALIGN * KERNEL_ALIGN;
    return p;
}

static void show_shape(const uint64_t *dims, unsigned n, char *out, size_t cap)
{
    size_t at = (size_t)snprintf(out, cap, "[");
    for (unsigned i = 0; i < n && at < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%" PRIu64, i ? ", " : "", dims[i]);
    if (at < cap)
        snprintf(out + at, cap - at, "]");
}

/* The tensor of that name and shape, or NULL and l->status set. Dimensions are given up to the first 0. */
static const struct tensor *want(struct loader *l, const char *name, size_t a, size_t b, size_t c, size_t d)
{
    if (l->status != OK)
        return NULL;
    const uint64_t dims[4] = {a, b, c, d};
    unsigned n = 0;
    while (n < 4 && dims[n])
        n++;
    const struct tensor *t = safetensors_find(l->file, name);
    if (t && tensor_is_float(t) && t->n_dims == n && memcmp(t->dims, dims, n * sizeof *dims) == 0)
        return t;
    char expected[100], found[200] = "nothing";
    show_shape(dims, n, expected, sizeof expected);
    if (t)
        show_shape(t->dims, t->n_dims, found, sizeof found);
    l->status = err_set(l->err, ERR_INVALID, "%s: tensor %s: expected F32, F16 or BF16 of %s, found %s%s", l->dir, name,
                        expected, t && !tensor_is_float(t) ? "another type of " : "", found);
    return NULL;
}

static const float *load_floats(struct loader *l, const char *name, size_t a, size_t b)
{
    const struct tensor *t = want(l, name, a, b, 0, 0);
    if (!t)
        return NULL;
    float *to = take(l, tensor_count(t) * sizeof(float));
    if (to)
        tensor_read(t, 0, tensor_count(t), to);
    return to;
}

static void load_norm(struct loader *l, const char *name, size_t width, struct norm *out)
{
    char full[NAME_SIZE];
    snprintf(full, sizeof full, "%s.weight", name);
    out->gain = load_floats(l, full, width, 0);
    snprintf(full, sizeof full, "%s.bias", name);
    out->bias = load_floats(l, full, width, 0);
}

/* --- matrices --- */

/* A matrix made of `parts` tensors of equal height, one below the other. */
struct packing {
    const struct kernels *k;
    struct matrix *w;
    const struct tensor *weight[MAX_PARTS], *bias[MAX_PARTS]; /* bias[0] NULL: none */
    const float *columns; /* [k]: each weight is multiplied by its column's, or NULL */
    size_t part_rows;
    size_t shares;
    float *buffers; /* [shares][nr * k + nr] */
};

static void pack_share(void *arg, size_t share)
{
    const struct packing *p = arg;
    size_t nr = p->k->nr, panels = matrix_panels(p->k, p->w);
    float *rows = p->buffers + share * (nr * p->w->k + nr), *bias = rows + nr * p->w->k;
    for (size_t i = share; i < panels; i += p->shares) {
        for (size_t j = 0; j < nr && i * nr + j < p->w->n; j++) {
            size_t part = (i * nr + j) / p->part_rows, row = (i * nr + j) % p->part_rows;
            tensor_read(p->weight[part], row * p->w->k, p->w->k, rows + j * p->w->k);
            for (size_t c = 0; p->columns && c < p->w->k; c++)
                rows[j * p->w->k + c] *= p->columns[c];
            if (p->bias[0])
                tensor_read(p->bias[part], row, 1, bias + j);
        }
        matrix_pack_panel(p->k, p->w, i, rows, p->bias[0] ? bias : NULL);
    }
}

static void load_matrix(struct loader *l, const char *const *names, size_t parts, const size_t dims[4], bool bias,
                        const float *columns, struct matrix *out)
{
    size_t depth = dims[1];
    for (size_t i = 2; i < 4 && dims[i]; i++)
        depth *= dims[i];
    struct packing p = {
        .k = l->k, .w = out, .columns = columns, .part_rows = dims[0], .shares = pool_threads(l->m->pool) + 1};
    for (size_t i = 0; i < parts; i++) {
        char full[NAME_SIZE];
        snprintf(full, sizeof full, "%s.weight", names[i]);
        p.weight[i] = want(l, full, dims[0], dims[1], dims[2], dims[3]);
        snprintf(full, sizeof full, "%s.bias", names[i]);
        p.bias[i] = bias ? want(l, full, dims[0], 0, 0, 0) : NULL;
    }
    void *memory = take(l, matrix_bytes(l->k, parts * dims[0], depth));
    if (l->status != OK || !memory)
        return;
    p.buffers = malloc(p.shares * (l->k->nr * depth + l->k->nr) * sizeof(float));
    if (!p.buffers) {
        l->status = err_no_memory(l->err, "%s: packing %s", l->dir, names[0]);
        return;
    }
    matrix_place(l->k, parts * dims[0], depth, memory, out);
    pool_for(l->m->pool, p.shares, pack_share, &p);
    free(p.buffers);
    for (size_t i = 0; i < parts; i++)
        tensor_release(p.weight[i]);
}

static void load_linear(struct loader *l, const char *name, size_t n, size_t depth, bool bias, struct matrix *out)
{
    load_matrix(l, &name, 1, (const size_t[4]){n, depth}, bias, NULL, out);
}

/* --- towers --- */

/* int8 has one scale for a row of activations, so that one large channel leaves few steps for the others. What
 * a norm multiplies channel j by can be divided by s[j] and the weights that read it multiplied by s[j]: exactly
 * the same product. s = sqrt(largest activation / largest weight) makes both sides equally hard to quantise
 * (SmoothQuant, arXiv:2211.10438); a normalised channel reaches about 3 * gain + bias. The scales are malloc'ed;
 * NULL where there is nothing to do. */
static float *smooth(struct loader *l, const char *const *names, size_t parts, size_t rows, size_t width,
                     struct norm *norm)
{
    if (l->k->type != KERNEL_INT8 || !l->base || l->status != OK)
        return NULL;
    float *s = calloc(width, sizeof *s), *row = malloc(width * sizeof *row);
    if (!s || !row)
        l->status = err_no_memory(l->err, "%s: packing %s", l->dir, names[0]);
    for (size_t i = 0; l->status == OK && i < parts; i++) {
        char full[NAME_SIZE];
        snprintf(full, sizeof full, "%s.weight", names[i]);
        const struct tensor *t = want(l, full, rows, width, 0, 0);
        for (size_t r = 0; t && r < rows; r++) {
            tensor_read(t, r * width, width, row);
            for (size_t j = 0; j < width; j++)
                s[j] = fabsf(row[j]) > s[j] ? fabsf(row[j]) : s[j];
        }
    }
    float *gain = (float *)norm->gain, *bias = (float *)norm->bias; /* ours, in l->base */
    for (size_t j = 0; l->status == OK && j < width; j++) {
        float activation = 3 * fabsf(gain[j]) + fabsf(bias[j]);
        bool usual = activation > 1e-6f && activation < 1e6f && s[j] > 1e-6f && s[j] < 1e6f;
        s[j] = usual ? sqrtf(activation / s[j]) : 1;
        gain[j] /= s[j];
        bias[j] /= s[j];
    }
    free(row);
    return s;
}

static void load_layer(struct loader *l, const char *prefix, size_t i, const struct tower *t, struct layer *out)
{
    char names[6][NAME_SIZE];
    static const char *const suffixes[6] = {"self_attn.q_proj",   "self_attn.k_proj", "self_attn.v_proj",
                                            "self_attn.out_proj", "mlp.fc1",          "mlp.fc2"};
    char norm_name[NAME_SIZE];
    for (size_t j = 0; j < 6; j++)
        snprintf(names[j], sizeof names[j], "%s.encoder.layers.%zu.%s", prefix, i, suffixes[j]);

    const char *const qkv[3] = {names[0], names[1], names[2]}, *const up[1] = {names[4]};
    snprintf(norm_name, sizeof norm_name, "%s.encoder.layers.%zu.layer_norm1", prefix, i);
    load_norm(l, norm_name, t->width, &out->before_attention);
    float *columns = smooth(l, qkv, 3, t->width, t->width, &out->before_attention);
    load_matrix(l, qkv, 3, (const size_t[4]){t->width, t->width}, true, columns, &out->qkv);
    free(columns);
    load_linear(l, names[3], t->width, t->width, true, &out->out);

    snprintf(norm_name, sizeof norm_name, "%s.encoder.layers.%zu.layer_norm2", prefix, i);
    load_norm(l, norm_name, t->width, &out->before_mlp);
    columns = smooth(l, up, 1, t->mlp, t->width, &out->before_mlp);
    load_matrix(l, up, 1, (const size_t[4]){t->mlp, t->width}, true, columns, &out->up);
    free(columns);
    load_linear(l, names[5], t->width, t->mlp, true, &out->down);
}

static void load_tower(struct loader *l, const char *prefix, struct tower *t)
{
    struct layer unused; /* in the first pass there is no memory for layers yet */
    t->layers = take(l, t->n_layers * sizeof *t->layers);
    for (size_t i = 0; i < t->n_layers && l->status == OK; i++)
        load_layer(l, prefix, i, t, t->layers ? &t->layers[i] : &unused);
}

static uint16_t bf16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static void load_tokens(struct loader *l, size_t vocab, size_t width)
{
    const struct tensor *t = want(l, "text_model.embeddings.token_embedding.weight", vocab, width, 0, 0);
    if (!t)
        return;
    bool whole = l->m->precision == CLIP_FP32;
    void *to = l->m->tokens = take(l, vocab * width * (whole ? sizeof(float) : sizeof(uint16_t)));
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

static void load_all(struct loader *l)
{
    struct clip *m = l->m;
    const struct clip_config *c = &m->config;
    size_t width = c->text.width;
    load_tower(l, "text_model", &m->text);
    load_tokens(l, c->vocab, width);
    m->positions = load_floats(l, "text_model.embeddings.position_embedding.weight", c->context, width);
    load_norm(l, "text_model.final_layer_norm", width, &m->text_norm);
    load_linear(l, "text_projection", c->dim, width, false, &m->text_project);
    m->start_kv = take(l, m->text.n_layers * 2 * width * sizeof(float));

    width = c->vision.width;
    size_t grid = clip_config_grid(c) * clip_config_grid(c);
    load_tower(l, "vision_model", &m->vision);
    const char *patches = "vision_model.embeddings.patch_embedding";
    load_matrix(l, &patches, 1, (const size_t[4]){width, 3, c->patch_size, c->patch_size}, false, NULL, &m->patches);
    const float *class_row = load_floats(l, "vision_model.embeddings.class_embedding", width, 0);
    const float *positions = load_floats(l, "vision_model.embeddings.position_embedding.weight", grid + 1, width);
    if (class_row && positions) {
        for (size_t i = 0; i < width; i++)
            ((float *)class_row)[i] += positions[i];
        m->class_row = class_row;
        m->grid = positions + width;
    }
    load_norm(l, "vision_model.pre_layrnorm", width, &m->vision_norm_in);
    load_norm(l, "vision_model.post_layernorm", width, &m->vision_norm);
    load_linear(l, "visual_projection", c->dim, width, false, &m->vision_project);
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
    struct loader l = {.m = m, .dir = dir, .k = k, .err = err};
    m->precision = precision;
    m->pool = pool;
    m->start_id = -1;
    enum status st = clip_config_load(dir, &m->config, err);
    if (st == OK)
        st = safetensors_open(dir, &l.file, err);
    if (st != OK)
        goto out;
    m->file_bytes = safetensors_file_bytes(l.file);
    m->text = make_tower(&m->config.text, k, f);
    m->vision = make_tower(&m->config.vision, k, f);
    load_all(&l);
    st = l.status;
    if (st != OK)
        goto out;
    void *memory = mmap(NULL, l.used, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        st = err_no_memory(err, "%zu MiB of weights of %s", l.used >> 20, dir);
        goto out;
    }
    (void)madvise(memory, l.used, MADV_HUGEPAGE);
    m->memory = l.base = memory;
    m->bytes = l.used;
    l.used = 0;
    load_all(&l);
    st = l.status;
out:
    safetensors_close(l.file);
    if (st != OK) {
        clip_close(m);
        return st;
    }
    *out = m;
    return OK;
}
