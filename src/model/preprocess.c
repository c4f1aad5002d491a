#include "model/preprocess.h"
#include "base/buf.h"
#include "base/os.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE (1u << 20)

static const double clip_mean[3] = {0.48145466, 0.4578275, 0.40821073};
static const double clip_std[3] = {0.26862954, 0.26130258, 0.27577711};

static enum status get_side(const json_t *v, const char *name, uint32_t *out, struct error *err)
{
    json_int_t n = json_integer_value(v);
    if (!json_is_integer(v) || n < 1 || n > PREPROCESS_MAX_SIDE)
        return err_set(err, ERR_INVALID, "%s: expected a whole number from 1 to %d", name, PREPROCESS_MAX_SIDE);
    *out = (uint32_t)n;
    return OK;
}

static bool get_bool(const json_t *root, const char *name, bool fallback)
{
    const json_t *v = json_object_get(root, name);
    return json_is_boolean(v) ? json_is_true(v) : fallback;
}

/* 224, {"shortest_edge": 224} or {"height": 224, "width": 224}. */
static enum status preprocess_size(const json_t *root, struct preprocess *p, struct error *err)
{
    const json_t *size = json_object_get(root, "size");
    if (!size)
        return OK;
    if (json_is_integer(size))
        return get_side(size, "size", &p->shortest, err);
    if (json_object_get(size, "shortest_edge"))
        return get_side(json_object_get(size, "shortest_edge"), "size.shortest_edge", &p->shortest, err);
    p->shortest = 0;
    enum status st = get_side(json_object_get(size, "height"), "size.height", &p->resize_height, err);
    return st == OK ? get_side(json_object_get(size, "width"), "size.width", &p->resize_width, err) : st;
}

static enum status get_crop(const json_t *root, struct preprocess *p, struct error *err)
{
    const json_t *crop = json_object_get(root, "crop_size");
    if (!crop)
        return OK;
    if (json_is_object(crop)) {
        enum status st = get_side(json_object_get(crop, "height"), "crop_size.height", &p->height, err);
        return st == OK ? get_side(json_object_get(crop, "width"), "crop_size.width", &p->width, err) : st;
    }
    enum status st = get_side(crop, "crop_size", &p->width, err);
    p->height = p->width;
    return st;
}

static enum status get_three(const json_t *root, const char *name, double out[3], struct error *err)
{
    const json_t *list = json_object_get(root, name);
    if (!list)
        return OK;
    for (size_t c = 0; c < 3; c++) {
        const json_t *v = json_array_get(list, c);
        out[c] = json_number_value(v);
        if (json_array_size(list) != 3 || !json_is_number(v) || !isfinite(out[c]) || fabs(out[c]) > 1e6)
            return err_set(err, ERR_INVALID, "%s: expected three numbers", name);
    }
    return OK;
}

/* Rescale and normalise are one table, computed in the precision that the original uses. */
static enum status fill_lut(const json_t *root, struct preprocess *p, struct error *err)
{
    double mean[3], std[3], factor = 1 / 255.0;
    memcpy(mean, clip_mean, sizeof mean);
    memcpy(std, clip_std, sizeof std);
    enum status st = get_three(root, "image_mean", mean, err);
    if (st == OK)
        st = get_three(root, "image_std", std, err);
    if (st != OK)
        return st;
    const json_t *f = json_object_get(root, "rescale_factor");
    if (json_is_number(f))
        factor = json_number_value(f);
    bool rescale = get_bool(root, "do_rescale", true), normalize = get_bool(root, "do_normalize", true);
    for (size_t c = 0; c < 3; c++) {
        if (normalize && !(std[c] > 0))
            return err_set(err, ERR_INVALID, "image_std: expected positive numbers");
        for (size_t b = 0; b < 256; b++) {
            float v = rescale ? (float)((double)b * factor) : (float)b;
            p->lut[c][b] = normalize ? (v - (float)mean[c]) / (float)std[c] : v;
        }
    }
    return OK;
}

static enum status parse(const json_t *root, uint32_t side, struct preprocess *p, struct error *err)
{
    *p = (struct preprocess){.width = side, .height = side, .shortest = side, .filter = IMAGE_BICUBIC};
    p->resize = get_bool(root, "do_resize", true);
    p->crop = get_bool(root, "do_center_crop", true);
    enum status st = preprocess_size(root, p, err);
    if (st == OK)
        st = get_crop(root, p, err);
    if (st == OK)
        st = fill_lut(root, p, err);
    const json_t *filter = json_object_get(root, "resample");
    if (st == OK && filter) {
        json_int_t n = json_integer_value(filter);
        if (!json_is_integer(filter) || n < 1 || n > 3)
            return err_set(err, ERR_UNSUPPORTED, "resample: expected 1 (lanczos), 2 (bilinear) or 3 (bicubic)");
        p->filter = (enum image_filter)n;
    }
    if (st == OK && !p->crop && (p->shortest || !p->resize))
        return err_set(err, ERR_UNSUPPORTED, "without do_center_crop, size must give height and width");
    if (st == OK && !p->crop) {
        p->width = p->resize_width;
        p->height = p->resize_height;
    }
    if (st == OK && (p->width != side || p->height != side))
        return err_set(err, ERR_INVALID, "images become %u x %u pixels, the model expects %u x %u", p->width, p->height,
                       side, side);
    return st;
}

enum status preprocess_parse(const char *json, size_t len, uint32_t side, struct preprocess *out, struct error *err)
{
    json_error_t je;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(err, ERR_INVALID, "expected a JSON object (line %d: %s)", je.line, je.text);
    }
    enum status st = parse(root, side, out, err);
    json_decref(root);
    return st;
}

enum status preprocess_open(const char *dir, uint32_t side, struct preprocess *out, struct error *err)
{
    char path[4096];
    struct buf text;
    struct error local;
    err = err ? err : &local;
    int n = snprintf(path, sizeof path, "%s/preprocessor_config.json", dir);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ERR_INVALID, "model folder's name is too long");
    buf_init(&text, MAX_FILE);
    enum status st = os_read_file(path, &text, err);
    if (st == ERR_NOT_FOUND)
        st = preprocess_parse("{}", 2, side, out, err);
    else if (st == OK)
        st = preprocess_parse(buf_str(&text), text.len, side, out, err);
    buf_free(&text);
    return st == OK ? OK : err_prefix(err, "%s", path);
}

/* The size that the whole image is resized to. */
static void resized(const struct preprocess *p, const struct image *im, uint32_t *width, uint32_t *height)
{
    *width = im->width;
    *height = im->height;
    if (!p->resize)
        return;
    if (!p->shortest) {
        *width = p->resize_width;
        *height = p->resize_height;
        return;
    }
    bool tall = im->width <= im->height;
    uint32_t small = tall ? im->width : im->height, large = tall ? im->height : im->width;
    uint64_t longer = (uint64_t)p->shortest * large / small; /* int() of the original: rounded down */
    *width = tall ? p->shortest : (uint32_t)(longer < UINT32_MAX ? longer : UINT32_MAX);
    *height = tall ? (uint32_t)(longer < UINT32_MAX ? longer : UINT32_MAX) : p->shortest;
}

/* Where a crop of `want` begins on a side of `have`, half a pixel rounded to even, and, if the side is too short, how
 * much goes before it: as torchvision's center_crop, which OpenAI's code and CLIPImageProcessorFast use. */
static void center(uint32_t have, uint32_t want, uint32_t *from, uint32_t *count, uint32_t *pad)
{
    uint32_t half = have > want ? (have - want) / 2 : 0;
    *from = half + (have > want && (have - want) % 2 && half % 2);
    *count = have > want ? want : have;
    *pad = have < want ? (want - have) / 2 : 0;
}

enum status preprocess_image(const struct preprocess *p, const struct image *image, float *out, struct error *err)
{
    struct image flat = *image, part = {0};
    uint32_t width, height, x, y, w, h, pad_x, pad_y;
    flat.pixels = NULL;
    resized(p, image, &width, &height);
    center(width, p->width, &x, &w, &pad_x);
    center(height, p->height, &y, &h, &pad_y);
    const struct image *in = image;
    if (image->channels == 4) {
        size_t n = (size_t)image->width * image->height * 4;
        flat.pixels = malloc(n);
        if (!flat.pixels)
            return err_no_memory(err, "preprocess");
        memcpy(flat.pixels, image->pixels, n);
        image_flatten_white(&flat);
        in = &flat;
    }
    enum status st = image_resize_part(in, width, height, p->filter, x, y, w, h, &part, err);
    size_t plane = (size_t)p->width * p->height;
    for (size_t c = 0; st == OK && c < 3; c++) {
        const float *lut = p->lut[c];
        float *to = out + c * plane;
        if (pad_x || pad_y || w < p->width || h < p->height)
            for (size_t i = 0; i < plane; i++)
                to[i] = lut[0];
        for (uint32_t row = 0; row < h; row++) {
            const uint8_t *from = part.pixels + (size_t)row * w * 3 + c;
            float *line = to + (size_t)(row + pad_y) * p->width + pad_x;
            for (uint32_t col = 0; col < w; col++)
                line[col] = lut[from[3 * (size_t)col]];
        }
    }
    image_free(&part);
    free(flat.pixels);
    return st;
}
