/* clip_config.h: the sizes of a CLIP model, from its config.json (Hugging Face CLIPModel).
 * What a file leaves out has the default of transformers' CLIPConfig (ViT-B/32). */
#ifndef PEEL_MODEL_CLIP_CONFIG_H
#define PEEL_MODEL_CLIP_CONFIG_H

#include "base/status.h"
#include "model/encoder_parts.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum clip_act { CLIP_QUICK_GELU, CLIP_GELU };

/* One transformer. */
struct clip_tower_config {
    size_t width, layers, heads, mlp; /* heads divides width */
    enum clip_act act;
    float epsilon;
};

struct clip_config {
    struct clip_tower_config text, vision;
    size_t dim; /* of the shared space */
    size_t vocab, context;
    /* The token whose row is the text's vector: the first `end_id`; or, where the config carries the
     * old value 2, the first token of the highest id. */
    int32_t end_id;
    size_t image_size, patch_size;
    struct encoder_reliance reliance;
};
#define CLIP_END_HIGHEST 2

/* Every number is bounded: see the table in clip_config.c. */
enum status clip_config_parse(const char *name, const char *json, size_t len, struct clip_config *out,
                              struct error *err) MUST_CHECK;
enum status clip_config_load(const char *dir, struct clip_config *out, struct error *err) MUST_CHECK;

static inline size_t clip_config_grid(const struct clip_config *c) /* patches per side */
{
    return c->image_size / c->patch_size;
}

static inline size_t clip_config_image_tokens(const struct clip_config *c) /* patches and the class token */
{
    return clip_config_grid(c) * clip_config_grid(c) + 1;
}

#endif
