/* bert_encoder.c: BERT's family behind encoder.h.
 *
 * Which precision keeps this checkpoint's vectors is tried, as for CLIP (clip_probe.c): a fixed set of texts is encoded
 * in fp32, then in the faster precisions, fastest first; the first whose vectors all stay within a cosine of 0.995 is
 * taken. It is tried at every start, since a few short texts take no longer than packing the weights does. One
 * precision is in memory at a time. */
#include "model/bert_internal.h"

#include "base/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_COSINE 0.995f

static const char *const precisions[] = {[KERNEL_FP32] = "fp32", [KERNEL_BF16] = "bf16", [KERNEL_INT8] = "int8"};

/* Short and long, of several scripts; a tokenizer that knows a script not at all gives unknown tokens for it. */
static const char *const probe_texts[] = {
    "a cat",
    "happy birthday!",
    "I am so tired of mondays",
    "two hands making a heart",
    "404 not found",
    "Let's go get a beer after work, shall we? The last one was years ago.",
    "ein müder Hund im Regen",
    "estoy muy feliz por ti",
    "с днём рождения",
    "お誕生日おめでとう",
    "मुझे नींद आ रही है",
    "ok",
};
#define PROBE_TEXTS (sizeof probe_texts / sizeof *probe_texts)

/* out: [PROBE_TEXTS, dim] */
static enum status encode_probe(const struct bert *m, const struct tokenizer *tokenizer, float *out, struct error *err)
{
    size_t lens[PROBE_TEXTS];
    for (size_t i = 0; i < PROBE_TEXTS; i++)
        lens[i] = strlen(probe_texts[i]);
    return bert_encode_texts(m, tokenizer, ENCODER_QUERY, probe_texts, lens, PROBE_TEXTS, out, err);
}

static float least_cosine(const float *a, const float *b, size_t dim)
{
    float least = 1;
    for (size_t i = 0; i < PROBE_TEXTS; i++) {
        float dot = 0;
        for (size_t j = 0; j < dim; j++)
            dot += a[i * dim + j] * b[i * dim + j];
        least = dot < least ? dot : least;
    }
    return least;
}

/* Opens the fastest precision that gives nearly the same in the place of *m, which is of fp32. */
static enum status choose_precision(const char *dir, struct pool *pool, const struct tokenizer *tokenizer,
                                    struct bert **m, struct error *err)
{
    size_t dim = (*m)->base.dim, at = 0;
    char why[sizeof(*m)->why] = "this CPU has no faster instructions than fp32's";
    bool good = true;
    float *reference = malloc(2 * PROBE_TEXTS * dim * sizeof *reference);
    enum status st = reference ? encode_probe(*m, tokenizer, reference, err) : err_no_memory(err, "probing %s", dir);
    for (int p = KERNEL_INT8; st == OK && p > KERNEL_FP32; p--) {
        float *other = reference + PROBE_TEXTS * dim, cosine = -1;
        if (!kernels_faster((enum kernel_type)p))
            continue;
        bert_close(*m);
        st = bert_weights_open(dir, (enum kernel_type)p, ISA_BEST, pool, m, err);
        if (st == OK && encode_probe(*m, tokenizer, other, NULL) == OK)
            cosine = least_cosine(reference, other, dim);
        good = cosine >= LEAST_COSINE;
        at += (size_t)snprintf(why + at, sizeof why - at, "%s%s: cosine to fp32 %.4f", at ? "; " : "", precisions[p],
                               (double)cosine);
        if (good)
            break;
    }
    if (st == OK && !good) {
        bert_close(*m);
        st = bert_weights_open(dir, KERNEL_FP32, ISA_BEST, pool, m, err);
    }
    if (st == OK)
        memcpy((*m)->why, why, sizeof why);
    free(reference);
    return st;
}

/* --- encoder.h --- */

static enum status open_asked(const char *dir, const char *precision, struct pool *pool,
                              const struct tokenizer *tokenizer, struct bert **m, struct error *err)
{
    int asked = KERNEL_FP32;
    bool automatic = strcmp(precision, "auto") == 0;
    for (int p = KERNEL_FP32; p <= KERNEL_INT8; p++)
        asked = strcmp(precision, precisions[p]) == 0 ? p : asked;
    enum status st = bert_weights_open(dir, (enum kernel_type)asked, ISA_BEST, pool, m, err);
    if (st != OK)
        return st;
    snprintf((*m)->why, sizeof(*m)->why, "asked for");
    const struct bert_config *c = &(*m)->config;
    const struct tokenizer_info *info = tokenizer_info(tokenizer);
    if (info->vocab_size > c->vocab)
        return err_set(err, ERR_INVALID, "%s: the tokenizer has %zu tokens, the model's vocab_size is %zu", dir,
                       info->vocab_size, c->vocab);
    if (info->n_start + info->n_end >= c->max_tokens || (c->pooling == BERT_CLS && !info->n_start))
        return err_set(err, ERR_INVALID, "%s: the tokenizer puts %zu tokens before and %zu behind a text%s", dir,
                       info->n_start, info->n_end,
                       c->pooling == BERT_CLS ? ", and the model is pooled by its first" : "");
    return automatic ? choose_precision(dir, pool, tokenizer, m, err) : OK;
}

static void encoder_bert_close(struct encoder *e)
{
    bert_close((struct bert *)e);
}

static enum status encoder_bert_open(const char *dir, const char *precision, struct pool *pool, struct encoder **out,
                                     struct error *err)
{
    struct bert *m = NULL;
    struct tokenizer *tokenizer = NULL;
    enum status st = encoder_check_precision(precision, err);
    if (st == OK)
        st = tokenizer_open(dir, &tokenizer, err);
    if (st == OK)
        st = open_asked(dir, precision, pool, tokenizer, &m, err);
    if (st != OK) {
        bert_close(m);
        tokenizer_close(tokenizer);
        return st;
    }
    m->tokenizer = tokenizer;
    m->config.reliance.english = m->config.reliance.english || encoder_is_english(tokenizer);
    log_info("model: precision %s, kernels %s (%s)", precisions[m->precision], m->tower.k->name, m->why);
    *out = &m->base;
    return OK;
}

static enum status encoder_bert_texts(const struct encoder *e, enum encoder_role role, const char *const *texts,
                                      const size_t *lens, size_t n, float *out, struct error *err)
{
    const struct bert *m = (const struct bert *)e;
    return bert_encode_texts(m, m->tokenizer, role, texts, lens, n, out, err);
}

static enum status encoder_bert_text(const struct encoder *e, enum encoder_role role, const char *text, size_t len,
                                     float *out, struct error *err)
{
    return encoder_bert_texts(e, role, &text, &len, 1, out, err);
}

static struct encoder_reading encoder_bert_reading(const struct encoder *e, enum encoder_role role)
{
    const struct bert *m = (const struct bert *)e;
    return (struct encoder_reading){m->tokenizer, m->config.prefix[role], m->config.max_tokens};
}

static const char *encoder_bert_precision(const struct encoder *e)
{
    return precisions[((const struct bert *)e)->precision];
}

static size_t encoder_bert_bytes(const struct encoder *e)
{
    const struct bert *m = (const struct bert *)e;
    return m->bytes + m->dense_bytes;
}

static double encoder_bert_trust(const struct encoder *e, bool english_query)
{
    return encoder_reliance_for(&((const struct bert *)e)->config.reliance, english_query);
}

static void encoder_bert_info(const struct encoder *e, struct buf *out)
{
    const struct bert *m = (const struct bert *)e;
    const struct bert_config *c = &m->config;
    json_t *text =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "width", (json_int_t)c->width, "layers", (json_int_t)c->layers,
                  "heads", (json_int_t)c->heads, "mlp", (json_int_t)c->mlp, "vocabulary", (json_int_t)c->vocab,
                  "max_tokens", (json_int_t)c->max_tokens, "pooling", c->pooling == BERT_CLS ? "cls" : "mean");
    json_t *root = json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:o}", "dim", (json_int_t)e->dim,
                             "precision", precisions[m->precision], "why", m->why, "kernels", m->tower.k->name,
                             "memory_bytes", (json_int_t)encoder_bert_bytes(e), "mapped_bytes",
                             (json_int_t)(m->tokens->bytes + m->positions->bytes), "file_bytes",
                             (json_int_t)safetensors_file_bytes(m->file), "query_prefix", c->prefix[ENCODER_QUERY],
                             "document_prefix", c->prefix[ENCODER_DOCUMENT], "text", text);
    char *json = root ? json_dumps(root, JSON_COMPACT) : NULL;
    buf_puts(out, json ? json : "{}");
    free(json);
    json_decref(root);
}

static const char *const types[] = {"bert", "xlm-roberta", "distilbert", NULL};

const struct encoder_class bert_encoder = {
    .name = "bert",
    .model_types = types,
    .source = ENCODER_WORDS,
    .leg = LEG_sentence,
    .open = encoder_bert_open,
    .close = encoder_bert_close,
    .embed_text = encoder_bert_text,
    .embed_texts = encoder_bert_texts,
    .reading = encoder_bert_reading,
    .precision = encoder_bert_precision,
    .bytes = encoder_bert_bytes,
    .trust = encoder_bert_trust,
    .info = encoder_bert_info,
};
