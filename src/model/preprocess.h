/* preprocess.h: from an image to the pixel tensor of a CLIP vision tower, as preprocessor_config.json says
 * (the processing of Hugging Face's CLIPImageProcessor): RGB over white, resize, centre crop, rescale,
 * normalise.
 *
 *     preprocess_open(dir, &p, &err);                  // the file may be absent: CLIP's usual values
 *     preprocess_image(&p, &image, pixels, &err);      // pixels: [3][p.height][p.width]
 */
#ifndef PEEL_MODEL_PREPROCESS_H
#define PEEL_MODEL_PREPROCESS_H

#include "base/status.h"
#include "image/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREPROCESS_MAX_SIDE 2048

struct preprocess {
    uint32_t width, height; /* of the result */
    bool resize, crop;
    uint32_t shortest; /* resize the shorter side to this; 0: to resize_width x resize_height */
    uint32_t resize_width, resize_height;
    enum image_filter filter;
    float lut[3][256]; /* [channel][byte]: rescaled and normalised */
};

/* `side`: the vision tower's image_size, used for what the file does not say; the result must be
 * side x side or ERR_INVALID says so. */
enum status preprocess_open(const char *dir, uint32_t side, struct preprocess *out, struct error *err) MUST_CHECK;
enum status preprocess_parse(const char *json, size_t len, uint32_t side, struct preprocess *out,
                             struct error *err) MUST_CHECK;

/* out: [3][height][width]. Any size and 3 or 4 channels in. Thread-safe. */
enum status preprocess_image(const struct preprocess *p, const struct image *image, float *out,
                             struct error *err) MUST_CHECK;

#endif
