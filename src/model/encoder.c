#include "model/encoder.h"

#include "base/os.h"
#include "model/bert.h"
#include "model/clip.h"
#include "model/encoder_parts.h"
#include "model/library.h"
#include "model/static_table.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct encoder_class *const classes[] = {&clip_encoder, &static_table_encoder, &bert_encoder};
#define N_CLASSES (sizeof classes / sizeof *classes)

static bool encodes_type(const struct encoder_class *class, const char *type)
{
    for (size_t i = 0; class->model_types[i]; i++)
        if (strcmp(class->model_types[i], type) == 0)
            return true;
    return false;
}

static enum status class_of_type(const char *file, const char *type, const struct encoder_class **out,
                                 struct error *err)
{
    struct buf known;
    for (size_t i = 0; i < N_CLASSES; i++)
        if (encodes_type(classes[i], type)) {
            *out = classes[i];
            return OK;
        }
    buf_init(&known, 256);
    for (size_t i = 0; i < N_CLASSES; i++)
        for (size_t k = 0; classes[i]->model_types[k]; k++)
            buf_printf(&known, "%s%s", i + k ? ", " : "", classes[i]->model_types[k]);
    err_set(err, ERR_UNSUPPORTED, "%s: model_type: expected %s, found %.40s", file, buf_str(&known), type);
    buf_free(&known);
    return ERR_UNSUPPORTED;
}

enum status encoder_class_of(const char *dir, const struct encoder_class **out, struct error *err)
{
    char path[PATH_MAX];
    struct buf text;
    json_error_t where;
    *out = &clip_encoder; /* the default of checkpoints that do not say */
    if ((size_t)snprintf(path, sizeof path, "%s/" LIBRARY_CONFIG, dir) >= sizeof path)
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    buf_init(&text, LIBRARY_CONFIG_BYTES);
    enum status st = os_read_file(path, &text, err);
    json_t *root = st == OK ? json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, &where) : NULL;
    if (st == OK && !root)
        st = err_set(err, ERR_INVALID, "%s: not JSON: %s (line %d)", path, where.text, where.line);
    const json_t *type = json_object_get(root, "model_type");
    if (st == OK && type)
        st = class_of_type(path, json_is_string(type) ? json_string_value(type) : "something else", out, err);
    json_decref(root);
    buf_free(&text);
    return st;
}

enum status encoder_open(const char *dir, const char *precision, struct pool *pool, struct encoder **out,
                         struct error *err)
{
    const struct encoder_class *class;
    *out = NULL;
    enum status st = encoder_class_of(dir, &class, err);
    return st == OK ? class->open(dir, precision, pool, out, err) : st;
}

void encoder_close(struct encoder *e)
{
    if (e)
        e->class->close(e);
}

enum status encoder_check_precision(const char *precision, struct error *err)
{
    enum clip_precision unused;
    return clip_precision_parse(precision, &unused, err);
}

size_t encoder_dim(const struct encoder *e)
{
    return e->dim;
}

const char *encoder_precision(const struct encoder *e)
{
    return e->class->precision(e);
}

size_t encoder_bytes(const struct encoder *e)
{
    return e->class->bytes(e);
}

double encoder_trust(const struct encoder *e, bool english_query)
{
    return e->class->trust(e, english_query);
}

void encoder_info(const struct encoder *e, struct buf *out)
{
    e->class->info(e, out);
}

enum status encoder_embed_text(const struct encoder *e, enum encoder_role role, const char *text, size_t len,
                               float *out, struct error *err)
{
    return e->class->embed_text(e, role, text, len, out, err);
}

enum status encoder_embed_texts(const struct encoder *e, enum encoder_role role, const char *const *texts,
                                const size_t *lens, size_t n, float *out, struct error *err)
{
    struct error own;
    if (e->class->embed_texts)
        return e->class->embed_texts(e, role, texts, lens, n, out, err);
    for (size_t i = 0; i < n; i++) {
        enum status st = encoder_embed_text(e, role, texts[i], lens[i], out + i * e->dim, &own);
        if (st != OK)
            return err_set(err, st, "text %zu: %s", i, own.message);
    }
    return OK;
}

enum status encoder_count_tokens(const struct encoder *e, enum encoder_role role, const char *text, size_t len,
                                 size_t *n, bool *cut, struct error *err)
{
    const struct encoder_reading r = e->class->reading(e, role);
    size_t before = strlen(r.prefix), whole = before + len;
    char *read = malloc(whole + 1);
    int32_t *ids = malloc((r.max_tokens + 1) * sizeof *ids); /* one more, to see whether any was cut off */
    size_t bytes = 0;
    enum status st = read && ids ? OK : err_no_memory(err, "a text of %zu bytes", len);
    if (st == OK) {
        memcpy(read, r.prefix, before);
        memcpy(read + before, text, len);
        bytes = encoder_text_bytes(read, whole);
        st = tokenizer_encode(r.tokenizer, read, bytes, r.max_tokens + 1, ids, n, err);
    }
    if (st == OK) {
        *cut = bytes < whole || *n > r.max_tokens;
        *n = *n > r.max_tokens ? r.max_tokens : *n;
    }
    free(read);
    free(ids);
    return st;
}

enum status encoder_embed_images(const struct encoder *e, const struct image *images, size_t n, float *out,
                                 struct error *err)
{
    if (!e->class->embed_images)
        return err_set(err, ERR_UNSUPPORTED, "a model of type %s encodes no images", e->class->name);
    return e->class->embed_images(e, images, n, out, err);
}

/* vectors: [n, dim]. That of a still stays as it is, bit for bit. */
static enum status encoder_mean(const float *vectors, size_t n, size_t dim, float *out, struct error *err)
{
    memcpy(out, vectors, dim * sizeof *out);
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < dim; k++)
            out[k] += vectors[i * dim + k];
    return n > 1 ? encoder_normalize(out, dim, err) : OK;
}

enum status encoder_embed_films(const struct encoder *e, const struct image_film *films, size_t n, float *out,
                                struct error *err)
{
    size_t frames = 0, dim = encoder_dim(e), at = 0;
    for (size_t i = 0; i < n; i++)
        frames += films[i].frames;
    struct image *images = calloc(frames ? frames : 1, sizeof *images);
    float *vectors = malloc((frames ? frames : 1) * dim * sizeof *vectors);
    enum status st = images && vectors ? OK : err_no_memory(err, "the vectors of %zu images", frames);
    for (size_t i = 0; st == OK && i < n; i++)
        for (uint32_t k = 0; k < films[i].frames; k++)
            images[at++] = image_film_frame(&films[i], k);
    if (st == OK)
        st = encoder_embed_images(e, images, frames, vectors, err);
    const float *next = vectors;
    for (size_t i = 0; st == OK && i < n; next += films[i++].frames * dim)
        st = encoder_mean(next, films[i].frames, dim, out + i * dim, err);
    free(vectors);
    free(images);
    return st;
}
