/* clip_internal.h: the parts of a loaded model; seen by clip*.c, their tests and bench/model.c.
 *
 *     clip_weights.c  config.json and safetensors -> struct clip, packed for one precision
 *     clip_layer.c    the layers of both towers (transformer.h has their parts)
 *     clip_text.c     token ids -> features
 *     clip_vision.c   pixels -> features
 *     clip_probe.c    which precision keeps this checkpoint's vectors
 *     clip.c          clip.h: strings and pictures in, normalised vectors out */
#ifndef PEEL_MODEL_CLIP_INTERNAL_H
#define PEEL_MODEL_CLIP_INTERNAL_H

#include "base/pool.h"
#include "model/clip.h"
#include "model/clip_config.h"
#include "model/kernels/kernels.h"
#include "model/preprocess.h"
#include "model/transformer.h"
#include "tokenize/tokenizer.h"
#include <stdbool.h>

/* Vectors of one probe: how near a precision comes to fp32, as the least cosine. */
struct probe_cosines {
    float text, image;
};

struct clip {
    struct clip_config config;
    enum clip_precision precision;
    struct pool *pool;
    void *memory; /* all that follows points into it */
    size_t bytes;
    uint64_t file_bytes;

    struct tower text;
    void *tokens;           /* [vocab, width]: float32 for fp32, else bfloat16 */
    const float *positions; /* [context, width] */
    struct norm text_norm;  /* final */
    struct matrix text_project;
    int32_t start_id; /* whose keys and values are in start_kv; -1: none */
    float *start_kv;  /* [layers][keys, values][width] */

    struct tower vision;
    struct matrix patches;  /* [width, 3 * patch * patch] */
    const float *class_row; /* [width], its position added */
    const float *grid;      /* [patches, width]: positions */
    struct norm vision_norm_in, vision_norm;
    struct matrix vision_project;

    struct tokenizer *tokenizer; /* NULL where only ids and pixels are encoded */
    struct preprocess preprocess;
    char why[256];              /* the precision was chosen */
    bool probed[CLIP_INT8 + 1]; /* by precision */
    struct probe_cosines cosines[CLIP_INT8 + 1];
};

enum status clip_weights_open(const char *dir, enum clip_precision precision, enum kernel_isa most, struct pool *pool,
                              struct clip **out, struct error *err) MUST_CHECK;
/* Keeps the keys and values of the token that every text starts with. */
enum status clip_set_start(struct clip *m, int32_t id, struct error *err) MUST_CHECK;

/* Features [dim] before normalisation. ids: 1..context of them, each below vocab; what follows the end token
 * (or, with the old meaning, the first token of the highest id) has no influence and is not computed. */
enum status clip_encode_ids(const struct clip *m, const int32_t *ids, size_t n, float *out,
                            struct error *err) MUST_CHECK;
enum status clip_encode_pixels(const struct clip *m, const float *pixels, size_t n, float *out,
                               struct error *err) MUST_CHECK;

/* Loads `dir` in the fastest precision that keeps its vectors near those of fp32, as the probe found it. */
enum status clip_probe_open(const char *dir, struct pool *pool, const struct tokenizer *tokenizer, struct clip **out,
                            struct error *err) MUST_CHECK;

/* --- clip_layer.c --- */

struct run {
    struct pool *pool;
    bool causal;       /* a row sees itself and those before it */
    const float *past; /* [layers][keys, values][width] of one row before all others, or NULL */
    float *capture;    /* the same of row 0 of the first sequence is written there, or NULL */
    size_t keep;       /* the row of each sequence whose output is wanted */
};
/* s->x in, s->kept out: rows `keep` after the last layer. s->x is overwritten. */
void tower_run(const struct tower *t, const struct run *run, struct scratch *s);

#endif
