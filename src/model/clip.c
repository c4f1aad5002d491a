#include "model/clip.h"

#include "model/clip_internal.h"
#include "model/weights.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const precision_names[] = {"auto", "fp32", "bf16", "int8"};

const char *clip_precision_name(enum clip_precision p)
{
    return precision_names[p];
}

enum status clip_precision_parse(const char *s, enum clip_precision *out, struct error *err)
{
    for (enum clip_precision p = CLIP_AUTO; p <= CLIP_INT8; p++)
        if (strcmp(s, precision_names[p]) == 0) {
            *out = p;
            return OK;
        }
    return err_set(err, ERR_INVALID, "precision: expected auto, fp32, bf16 or int8, found %.40s", s);
}

void clip_close(struct clip *m)
{
    if (!m)
        return;
    weights_free(m->memory, m->bytes);
    tokenizer_close(m->tokenizer);
    free(m);
}

enum status clip_open(const char *dir, enum clip_precision precision, struct pool *pool, struct clip **out,
                      struct error *err)
{
    *out = NULL;
    struct clip *m = NULL;
    struct tokenizer *tokenizer = NULL;
    int32_t ids[2];
    size_t n = 0;
    enum status st = tokenizer_open(dir, &tokenizer, err);
    if (st != OK)
        return st;
    if (precision == CLIP_AUTO)
        st = clip_probe_open(dir, pool, tokenizer, &m, err);
    else
        st = clip_weights_open(dir, precision, ISA_BEST, pool, &m, err);
    if (st != OK) {
        tokenizer_close(tokenizer);
        return st;
    }
    m->tokenizer = tokenizer;
    if (precision != CLIP_AUTO)
        snprintf(m->why, sizeof m->why, "asked for");
    if (tokenizer_vocab_size(tokenizer) > m->config.vocab)
        st = err_set(err, ERR_INVALID, "%s: the tokenizer has %zu tokens, the model's vocab_size is %zu", dir,
                     tokenizer_vocab_size(tokenizer), m->config.vocab);
    if (st == OK)
        st = preprocess_open(dir, (uint32_t)m->config.image_size, &m->preprocess, err);
    if (st == OK)
        st = tokenizer_encode(tokenizer, "", 0, 2, ids, &n, err);
    if (st == OK)
        st = clip_set_start(m, ids[0], err);
    if (st != OK) {
        clip_close(m);
        return st;
    }
    *out = m;
    return OK;
}

size_t clip_dim(const struct clip *m)
{
    return m->config.dim;
}

double clip_hybrid_weight(const struct clip *m, bool english_query)
{
    return encoder_reliance_for(&m->config.reliance, english_query);
}

enum clip_precision clip_precision_of(const struct clip *m)
{
    return m->precision;
}

size_t clip_bytes(const struct clip *m)
{
    return m->bytes;
}

static json_t *tower_info(const struct tower *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:s}", "width", (json_int_t)t->width, "layers", (json_int_t)t->n_layers,
                     "heads", (json_int_t)t->heads, "mlp", (json_int_t)t->mlp, "activation",
                     t->act == ACT_GELU ? "gelu" : "quick_gelu");
}

void clip_info(const struct clip *m, struct buf *out)
{
    const struct clip_config *c = &m->config;
    json_t *text = tower_info(&m->text), *vision = tower_info(&m->vision), *probe = json_object();
    json_object_set_new(text, "context", json_integer((json_int_t)c->context));
    json_object_set_new(text, "vocabulary", json_integer((json_int_t)c->vocab));
    json_object_set_new(vision, "image_size", json_integer((json_int_t)c->image_size));
    json_object_set_new(vision, "patch_size", json_integer((json_int_t)c->patch_size));
    for (enum clip_precision p = CLIP_BF16; p <= CLIP_INT8; p++)
        if (m->probed[p])
            json_object_set_new(
                probe, clip_precision_name(p),
                json_pack("{s:f, s:f}", "text", (double)m->cosines[p].text, "image", (double)m->cosines[p].image));
    json_t *root = json_pack("{s:I, s:s, s:s, s:o, s:s, s:I, s:I, s:o, s:o}", "dim", (json_int_t)c->dim, "precision",
                             clip_precision_name(m->precision), "why", m->why, "probe_cosines", probe, "kernels",
                             m->text.k->name, "memory_bytes", (json_int_t)m->bytes, "file_bytes",
                             (json_int_t)m->file_bytes, "text", text, "vision", vision);
    char *json = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    buf_puts(out, json ? json : "{}");
    free(json);
    json_decref(root);
}

enum status clip_tokenize(const struct clip *m, const char *text, size_t len, int32_t **ids, size_t *n,
                          struct error *err)
{
    *ids = malloc(m->config.context * sizeof **ids);
    if (!*ids)
        return err_no_memory(err, "%zu tokens", m->config.context);
    enum status st = tokenizer_encode(m->tokenizer, text, len, m->config.context, *ids, n, err);
    if (st != OK) {
        free(*ids);
        *ids = NULL;
    }
    return st;
}

enum status clip_text_features(const struct clip *m, const char *text, size_t len, float *out, struct error *err)
{
    int32_t *ids;
    size_t n;
    enum status st = clip_tokenize(m, text, len, &ids, &n, err);
    if (st != OK)
        return st;
    st = clip_encode_ids(m, ids, n, out, err);
    free(ids);
    return st;
}

enum status clip_embed_text(const struct clip *m, const char *text, size_t len, float *out, struct error *err)
{
    enum status st = clip_text_features(m, text, len, out, err);
    return st == OK ? encoder_normalize(out, m->config.dim, err) : st;
}

#define GROUP 16u /* images encoded together: more is not faster and takes memory */

struct prepare {
    const struct clip *m;
    const struct image *images;
    float *pixels;
    size_t plane; /* floats of one image */
    enum status st[GROUP];
    struct error err[GROUP];
};

static void prepare_one(void *arg, size_t i)
{
    struct prepare *p = arg;
    p->st[i] = preprocess_image(&p->m->preprocess, &p->images[i], p->pixels + i * p->plane, &p->err[i]);
}

enum status clip_embed_images(const struct clip *m, const struct image *images, size_t n, float *out, struct error *err)
{
    size_t side = m->config.image_size, dim = m->config.dim;
    struct prepare p = {.m = m, .images = images, .plane = 3 * side * side};
    p.pixels = malloc((n < GROUP ? n : GROUP) * p.plane * sizeof *p.pixels);
    if (!p.pixels)
        return err_no_memory(err, "the pixels of %zu images", n);
    enum status st = OK;
    for (size_t done = 0; st == OK && done < n; done += GROUP) {
        size_t count = n - done < GROUP ? n - done : GROUP;
        p.images = images + done;
        pool_for(m->pool, count, prepare_one, &p);
        for (size_t i = 0; st == OK && i < count; i++)
            if (p.st[i] != OK)
                st = err_set(err, p.st[i], "image %zu: %s", done + i, p.err[i].message);
        if (st == OK)
            st = clip_encode_pixels(m, p.pixels, count, out + done * dim, err);
        for (size_t i = done; st == OK && i < done + count; i++)
            st = encoder_normalize(out + i * dim, dim, err);
    }
    free(p.pixels);
    return st;
}
