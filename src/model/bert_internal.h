/* bert_internal.h: the parts of a loaded model; seen by bert*.c, their tests and bench/sentence.c.
 *
 *     bert_config.c   config.json and what sentence-transformers puts beside it
 *     bert_weights.c  safetensors -> struct bert, packed for one precision
 *     bert.c          token ids -> vectors
 *     bert_texts.c    texts -> vectors, in groups
 *     bert_probe.c    which precision keeps this checkpoint's vectors
 *     bert_encoder.c  encoder.h */
#ifndef PEEL_MODEL_BERT_INTERNAL_H
#define PEEL_MODEL_BERT_INTERNAL_H

#include "model/bert.h"
#include "model/encoder_parts.h"
#include "model/safetensors.h"
#include "model/transformer.h"
#include "tokenize/tokenizer.h"

#include <limits.h>

#define BERT_MAX_PREFIX 512 /* bytes, NUL included */
#define BERT_MAX_FOLDER 64

enum bert_kind { BERT_BERT, BERT_XLM_ROBERTA, BERT_DISTILBERT };
enum bert_pooling { BERT_MEAN, BERT_CLS };

struct bert_config {
    enum bert_kind kind;
    size_t width, layers, heads, mlp, vocab; /* heads divides width */
    size_t positions, first_position;        /* rows of the table; the first token's */
    size_t types;                            /* rows of the table of token types; 0: there is none */
    float epsilon;
    enum bert_pooling pooling;
    size_t dense; /* numbers that the linear layer gives; 0: there is none */
    bool dense_bias, dense_tanh;
    char dense_folder[BERT_MAX_FOLDER];
    size_t max_tokens;               /* of a text, start and end included */
    char prefix[2][BERT_MAX_PREFIX]; /* by enum encoder_role */
    struct encoder_reliance reliance;
};
enum status bert_config_load(const char *dir, struct bert_config *out, struct error *err) MUST_CHECK;

struct bert {
    struct encoder base;
    struct bert_config config;
    char dir[PATH_MAX]; /* for messages */
    enum kernel_type precision;
    struct pool *pool;
    void *memory, *dense_memory;
    size_t bytes, dense_bytes;
    struct tower tower;
    struct safetensors *file;                /* stays open for: */
    const struct tensor *tokens, *positions; /* [vocab, width], [positions, width] */
    const float *type_row;                   /* [types, width], of which the first counts, or NULL */
    struct norm norm;                        /* of what goes in */
    struct matrix dense;                     /* [config.dense, width], fp32 */
    struct tokenizer *tokenizer;             /* NULL where only ids are encoded */
    float *peaks;                            /* NULL, or to be raised by what is encoded: by one thread only */
    char why[160];                           /* the precision was chosen */
};

/* What goes into the products of a layer: the queries', keys' and values', out, up, down. */
enum bert_product { BERT_QKV, BERT_OUT, BERT_UP, BERT_DOWN };
/* Of all layers' peaks, which are the largest magnitude of each channel that went into each product: how many floats,
 * and where those of a product are. */
size_t bert_peaks_count(const struct bert_config *c);
size_t bert_peaks_at(const struct bert_config *c, size_t layer, enum bert_product p);

/* Without a tokenizer. peaks: NULL, or those that texts reached in fp32, by which int8 loses much less. Missing or
 * misshapen tensors are named with expected and found shape. */
enum status bert_weights_open(const char *dir, enum kernel_type precision, enum kernel_isa most, struct pool *pool,
                              const float *peaks, struct bert **out, struct error *err) MUST_CHECK;
void bert_close(struct bert *m); /* NULL is fine */

/* Ids of n texts, one text behind the other: 1..max_tokens each, as lens [n] says, each below vocab. out: [n,
 * base.dim], of length 1. Texts share the products with the weights and nothing else: a vector does not depend on its
 * neighbours. states: NULL, or [layers + 1, all ids, width]: what goes into the first layer and what comes out of each.
 */
enum status bert_encode_group(const struct bert *m, const int32_t *ids, const size_t *lens, size_t n, float *states,
                              float *out, struct error *err) MUST_CHECK;
/* The same for the n ids of one text. */
enum status bert_encode_ids(const struct bert *m, const int32_t *ids, size_t n, float *states, float *out,
                            struct error *err) MUST_CHECK;
/* n texts by `tokenizer`, each with the prefix for `role` before it, in groups over the pool; one text on the calling
 * thread. A failure names the text where there are several. */
enum status bert_encode_texts(const struct bert *m, const struct tokenizer *tokenizer, enum encoder_role role,
                              const char *const *texts, const size_t *lens, size_t n, float *out,
                              struct error *err) MUST_CHECK;

/* Opens another precision in the place of *m, which is of fp32 and *m's folder: int8, or the fastest that keeps its
 * vectors, and says in `why` what was found. After a failure *m is what there is, or NULL. */
enum status bert_probe(struct bert **m, const char *dir, bool int8, struct pool *pool,
                       const struct tokenizer *tokenizer, struct error *err) MUST_CHECK;
const char *bert_precision_name(enum kernel_type type); /* "int8" */

#endif
