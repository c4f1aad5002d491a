/* bert_encoder.c: BERT's family behind encoder.h. */
#include "model/bert_internal.h"

#include "base/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const precisions[] = {[KERNEL_FP32] = "fp32", [KERNEL_BF16] = "bf16", [KERNEL_INT8] = "int8"};

const char *bert_precision_name(enum kernel_type type)
{
    return precisions[type];
}

/* What a text's tokens and the model must agree on. */
static enum status check_tokenizer(const struct bert *m, const struct tokenizer *tokenizer, struct error *err)
{
    const struct bert_config *c = &m->config;
    const struct tokenizer_info *info = tokenizer_info(tokenizer);
    if (info->vocab_size > c->vocab)
        return err_set(err, ERR_INVALID, "%s: the tokenizer has %zu tokens, the model's vocab_size is %zu", m->dir,
                       info->vocab_size, c->vocab);
    if (info->n_start + info->n_end >= c->max_tokens || (c->pooling == BERT_CLS && !info->n_start))
        return err_set(err, ERR_INVALID, "%s: the tokenizer puts %zu tokens before and %zu behind a text%s", m->dir,
                       info->n_start, info->n_end,
                       c->pooling == BERT_CLS ? ", and the model is pooled by its first" : "");
    return OK;
}

/* int8 is made after a look at what texts do in fp32. */
static enum status open_asked(const char *dir, const char *precision, struct pool *pool,
                              const struct tokenizer *tokenizer, struct bert **m, struct error *err)
{
    bool automatic = strcmp(precision, "auto") == 0, int8 = strcmp(precision, "int8") == 0;
    enum kernel_type type = strcmp(precision, "bf16") == 0 ? KERNEL_BF16 : KERNEL_FP32;
    enum status st = bert_weights_open(dir, type, ISA_BEST, pool, NULL, m, err);
    if (st == OK)
        st = check_tokenizer(*m, tokenizer, err);
    if (st == OK && (automatic || int8))
        st = bert_probe(m, dir, int8, pool, tokenizer, err);
    if (st == OK && !automatic)
        snprintf((*m)->why, sizeof(*m)->why, "asked for");
    return st;
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
