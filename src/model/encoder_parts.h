/* encoder_parts.h: what kinds of encoders share behind encoder.h. */
#ifndef PEEL_MODEL_ENCODER_PARTS_H
#define PEEL_MODEL_ENCODER_PARTS_H

#include "base/status.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct tokenizer;

/* How far hybrid search may rely on a model: "peel": {"hybrid_weight": 0..1, "language": "en"} in its config.json,
 * which is ours, not transformers'. A weight for its leg beside the others, 1 where nothing is said; `english`: it
 * knows no other language, as is said there or as its tokenizer tells (encoder_is_english). */
struct encoder_reliance {
    double weight;
    bool english;
};
/* root: the whole of config.json, which `file` names in messages. */
enum status encoder_reliance_parse(const char *file, const json_t *root, struct encoder_reliance *out,
                                   struct error *err) MUST_CHECK;
double encoder_reliance_for(const struct encoder_reliance *r, bool english_query);

/* Whether a tokenizer was made for English alone: it has whole words of that, and takes those of other languages apart
 * to the letter. */
bool encoder_is_english(const struct tokenizer *t);

/* v [n] to length 1; ERR_CORRUPT where that cannot be (all zeros, not finite). */
enum status encoder_normalize(float *v, size_t n, struct error *err) MUST_CHECK;

/* The bytes at the front of a text that a tokenizer takes: all, or TOKENIZER_MAX_BYTES at most, whole code points. */
size_t encoder_text_bytes(const char *text, size_t len);

/* config.json or another small JSON file of a model's folder, an object; the caller decrefs *out. ERR_NOT_FOUND:
 * it is not there. `path`: where its name is put, for messages. */
enum status encoder_read_json(const char *dir, const char *name, char *path, size_t cap, json_t **out,
                              struct error *err) MUST_CHECK;
/* A whole number of a JSON object, `standard` where it is missing or null. */
enum status encoder_json_size(const char *file, const json_t *root, const char *key, size_t least, size_t most,
                              size_t standard, size_t *out, struct error *err) MUST_CHECK;

#endif
