/* encoder.h: from texts or images to vectors, whichever model does it. SearchService, the legs of the ranking and the
 * command line know encoders by this interface alone; CLIP (clip.h) is the first behind it.
 *
 *     encoder_open("models/openai--clip-vit-base-patch32", "auto", pool, &e, &err);
 *     float v[encoder_dim(e)];
 *     encoder_embed_text(e, ENCODER_QUERY, "cat in a park", 13, v, &err);
 *     encoder_close(e);
 *
 * A new kind of encoder is a file with its struct encoder_class and one line in encoder.c. The room sees image and
 * tokenize, and base. Thread-safe after opening. */
#ifndef PEEL_MODEL_ENCODER_H
#define PEEL_MODEL_ENCODER_H

#include "base/buf.h"
#include "base/legs.h"
#include "base/pool.h"
#include "base/status.h"
#include "image/image.h"
#include "tokenize/tokenizer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What of a document is encoded. A query is always a text. */
enum encoder_source { ENCODER_IMAGE, ENCODER_WORDS };
/* What a text is: some models want to be told, by words that they were trained to have before it. */
enum encoder_role { ENCODER_QUERY, ENCODER_DOCUMENT };
/* The longest text that every kind takes; some cut a longer one, others refuse it. */
#define ENCODER_MAX_BYTES TOKENIZER_MAX_BYTES

/* How a model reads a text. */
struct encoder_reading {
    const struct tokenizer *tokenizer;
    const char *prefix; /* words that are put before a text of this role; "" for none */
    size_t max_tokens;  /* of a text, with prefix, start and end tokens; the rest of a longer one is cut off */
};

struct encoder;
/* What a kind of model does. `out` arrays are L2-normalised float32. */
struct encoder_class {
    const char *name;               /* "clip" */
    const char *const *model_types; /* config.json's "model_type", ended by NULL */
    enum encoder_source source;
    enum leg_number leg; /* of the ranking, that it serves */
    /* `precision`: a name as --precision has it; `pool` is borrowed until close, NULL = one thread. Errors name file,
     * tensor, expected and found. */
    enum status (*open)(const char *dir, const char *precision, struct pool *pool, struct encoder **out,
                        struct error *err);
    void (*close)(struct encoder *e);
    enum status (*embed_text)(const struct encoder *e, enum encoder_role role, const char *text, size_t len,
                              float *out /* [dim] */, struct error *err);
    /* n texts to out [n, dim]. NULL where that is no faster than one after the other. */
    enum status (*embed_texts)(const struct encoder *e, enum encoder_role role, const char *const *texts,
                               const size_t *lens, size_t n, float *out, struct error *err);
    struct encoder_reading (*reading)(const struct encoder *e, enum encoder_role role); /* lives as long as e */
    /* images: [n], of any size, 3 or 4 channels; out: [n, dim]. NULL where source is not ENCODER_IMAGE. */
    enum status (*embed_images)(const struct encoder *e, const struct image *images, size_t n, float *out,
                                struct error *err);
    const char *(*precision)(const struct encoder *e); /* "int8", ...: static */
    size_t (*bytes)(const struct encoder *e);          /* memory of the weights */
    double (*trust)(const struct encoder *e, bool english_query);
    void (*info)(const struct encoder *e, struct buf *out);
};
/* The first member of every encoder's own struct. */
struct encoder {
    const struct encoder_class *class;
    size_t dim;
};

/* Opens the model of a folder in the Hugging Face layout, by the "model_type" of its config.json. ERR_UNSUPPORTED for
 * a type that no encoder is for, naming it and those that there are. */
enum status encoder_open(const char *dir, const char *precision, struct pool *pool, struct encoder **out,
                         struct error *err) MUST_CHECK;
void encoder_close(struct encoder *e); /* NULL is fine */
/* ERR_INVALID unless `precision` is "auto", "fp32", "bf16" or "int8". */
enum status encoder_check_precision(const char *precision, struct error *err) MUST_CHECK;

/* What encoder_open would open, by config.json alone; where that cannot be told, CLIP's beside the error. */
enum status encoder_class_of(const char *dir, const struct encoder_class **out, struct error *err) MUST_CHECK;

size_t encoder_dim(const struct encoder *e);
const char *encoder_precision(const struct encoder *e); /* what "auto" chose */
size_t encoder_bytes(const struct encoder *e);
/* How far its leg is relied on beside the others, 0 to 1, as its config.json says. */
double encoder_trust(const struct encoder *e, bool english_query);
/* Appends a JSON object: sizes, precision, why it was chosen, kernels, memory. */
void encoder_info(const struct encoder *e, struct buf *out);

/* out: [dim]. ERR_INVALID: not UTF-8. ERR_NOT_FOUND: there is nothing in the text that the model knows. */
enum status encoder_embed_text(const struct encoder *e, enum encoder_role role, const char *text, size_t len,
                               float *out, struct error *err) MUST_CHECK;
/* n texts to out [n, dim], over the pool, faster than one after the other where the model gains from it. Each vector is
 * the one that encoder_embed_text gives, bit for bit, whatever else is asked for. A failure is of the whole call and
 * names the text by its number, from 0; what is in `out` is undefined then. */
enum status encoder_embed_texts(const struct encoder *e, enum encoder_role role, const char *const *texts,
                                const size_t *lens, size_t n, float *out, struct error *err) MUST_CHECK;
/* How many tokens of a text the model reads, with what comes before and behind it; *cut: there were more. */
enum status encoder_count_tokens(const struct encoder *e, enum encoder_role role, const char *text, size_t len,
                                 size_t *n, bool *cut, struct error *err) MUST_CHECK;
/* out: [n, dim]. Only for a source of ENCODER_IMAGE. */
enum status encoder_embed_images(const struct encoder *e, const struct image *images, size_t n, float *out,
                                 struct error *err) MUST_CHECK;
/* The same of films: the vector of an animation is the mean of those of its frames, of length 1 again. out: [n, dim].
 */
enum status encoder_embed_films(const struct encoder *e, const struct image_film *films, size_t n, float *out,
                                struct error *err) MUST_CHECK;

#endif
