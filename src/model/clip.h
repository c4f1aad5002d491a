/* clip.h: a CLIP dual encoder (Radford et al. 2021, arXiv:2103.00020) loaded from a folder of the
 * Hugging Face layout. Sizes come from config.json; nothing is specific to ViT-B/32.
 *
 *     clip_open("models/openai--clip-vit-base-patch32", CLIP_AUTO, pool, &clip, &err);
 *     clip_embed_text(clip, "cat in a park", 13, vec, &err);   // vec: [clip_dim(clip)], L2-normalised
 */
#ifndef PEEL_MODEL_CLIP_H
#define PEEL_MODEL_CLIP_H

#include "base/buf.h"
#include "base/pool.h"
#include "base/status.h"
#include "image/image.h"
#include "model/encoder.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clip;
enum clip_precision { CLIP_AUTO, CLIP_FP32, CLIP_BF16, CLIP_INT8 };
const char *clip_precision_name(enum clip_precision p); /* "auto", "fp32", ... */
enum status clip_precision_parse(const char *s, enum clip_precision *out, struct error *err) MUST_CHECK;

/* `pool` is borrowed for the life of the model; NULL = one thread. Missing or misshapen tensors are
 * named with expected and found shape. */
enum status clip_open(const char *dir, enum clip_precision precision, struct pool *pool, struct clip **out,
                      struct error *err) MUST_CHECK;
void clip_close(struct clip *m);
size_t clip_dim(const struct clip *m);
/* How much its leg of hybrid search should weigh, 0 to 1, as its config.json says (encoder_parts.h). */
double clip_hybrid_weight(const struct clip *m, bool english_query);
enum clip_precision clip_precision_of(const struct clip *m); /* what AUTO chose */
size_t clip_bytes(const struct clip *m);                     /* memory of the packed weights */
/* JSON object: sizes, precision, why it was chosen, probe cosines, kernels ("avx512_vnni"), memory. */
void clip_info(const struct clip *m, struct buf *out);

/* Thread-safe; each call brings its own scratch memory, bounded by the model's sizes.
 * ids out: malloc'ed [n], start and end tokens included, at most the context length; caller frees. */
enum status clip_tokenize(const struct clip *m, const char *text, size_t len, int32_t **ids, size_t *n,
                          struct error *err) MUST_CHECK;
enum status clip_embed_text(const struct clip *m, const char *text, size_t len, float *out /* [dim] */,
                            struct error *err) MUST_CHECK;
/* n images, any sizes, 3 or 4 channels (alpha over white); out: [n, dim]. */
enum status clip_embed_images(const struct clip *m, const struct image *images, size_t n, float *out,
                              struct error *err) MUST_CHECK;
/* Before normalisation, for `peel model verify`. */
enum status clip_text_features(const struct clip *m, const char *text, size_t len, float *out,
                               struct error *err) MUST_CHECK;

/* --- behind encoder.h --- (clip_encoder.c) */
extern const struct encoder_class clip_encoder;
/* The CLIP behind an encoder, which keeps it; NULL for another kind. */
const struct clip *clip_of_encoder(const struct encoder *e);

#endif
