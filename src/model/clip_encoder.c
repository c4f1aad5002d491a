/* clip_encoder.c: CLIP behind encoder.h: texts and images meet in one space, so that a phrase finds pictures. */
#include "model/clip_internal.h"

#include <stdlib.h>

struct clip_behind {
    struct encoder base;
    struct clip *clip;
};

const struct clip *clip_of_encoder(const struct encoder *e)
{
    return e->class == &clip_encoder ? ((const struct clip_behind *)e)->clip : NULL;
}

static void encoder_clip_close(struct encoder *e)
{
    struct clip_behind *b = (struct clip_behind *)e;
    clip_close(b->clip);
    free(b);
}

static enum status encoder_clip_open(const char *dir, const char *precision, struct pool *pool, struct encoder **out,
                                     struct error *err)
{
    enum clip_precision p;
    enum status st = clip_precision_parse(precision, &p, err);
    struct clip_behind *b = st == OK ? calloc(1, sizeof *b) : NULL;
    if (st == OK && !b)
        st = err_no_memory(err, "the model %s", dir);
    if (st == OK)
        st = clip_open(dir, p, pool, &b->clip, err);
    if (st != OK) {
        free(b);
        return st;
    }
    b->base = (struct encoder){&clip_encoder, clip_dim(b->clip)};
    *out = &b->base;
    return OK;
}

static enum status encoder_clip_text(const struct encoder *e, enum encoder_role role, const char *text, size_t len,
                                     float *out, struct error *err)
{
    (void)role;
    return clip_embed_text(clip_of_encoder(e), text, len, out, err);
}

static struct encoder_reading encoder_clip_reading(const struct encoder *e, enum encoder_role role)
{
    (void)role;
    const struct clip *m = ((const struct clip_behind *)e)->clip;
    return (struct encoder_reading){m->tokenizer, "", m->config.context};
}

static enum status encoder_clip_images(const struct encoder *e, const struct image *images, size_t n, float *out,
                                       struct error *err)
{
    return clip_embed_images(clip_of_encoder(e), images, n, out, err);
}

static const char *encoder_clip_precision(const struct encoder *e)
{
    return clip_precision_name(clip_precision_of(clip_of_encoder(e)));
}

static size_t encoder_clip_bytes(const struct encoder *e)
{
    return clip_bytes(clip_of_encoder(e));
}

static double encoder_clip_trust(const struct encoder *e, bool english_query)
{
    return clip_hybrid_weight(clip_of_encoder(e), english_query);
}

static void encoder_clip_info(const struct encoder *e, struct buf *out)
{
    clip_info(clip_of_encoder(e), out);
}

static const char *const types[] = {"clip", NULL};

const struct encoder_class clip_encoder = {
    .name = "clip",
    .model_types = types,
    .source = ENCODER_IMAGE,
    .leg = LEG_vector,
    .open = encoder_clip_open,
    .close = encoder_clip_close,
    .embed_text = encoder_clip_text,
    .reading = encoder_clip_reading,
    .embed_images = encoder_clip_images,
    .precision = encoder_clip_precision,
    .bytes = encoder_clip_bytes,
    .trust = encoder_clip_trust,
    .info = encoder_clip_info,
};
