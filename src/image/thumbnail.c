/* Thumbnails: small WebP copies of images. */
#include "image/image_internal.h"

#define QUALITY 80.0f

/* The size to draw at: at most `width` wide and 4 * width high. */
static void fit_thumbnail(uint32_t w, uint32_t h, uint32_t width, bool enlarge, uint32_t *out_w, uint32_t *out_h)
{
    double scale = (double)width / w, down = 4.0 * width / h;
    if (down < scale)
        scale = down;
    if (scale > 1 && !enlarge)
        scale = 1;
    *out_w = (uint32_t)(w * scale + 0.5);
    *out_h = (uint32_t)(h * scale + 0.5);
    *out_w = *out_w ? *out_w : 1;
    *out_h = *out_h ? *out_h : 1;
}

uint32_t image_thumbnail_side(uint32_t width, uint32_t height, uint32_t thumbnail_width)
{
    uint32_t w, h;
    fit_thumbnail(width, height, thumbnail_width, true, &w, &h);
    return w > h ? w : h;
}

enum status image_thumbnail(const void *data, size_t len, uint32_t width, struct buf *webp, struct error *err)
{
    enum image_kind kind;
    uint32_t w, h;
    struct image full = {0}, small = {0};
    enum status st = image_probe(data, len, &kind, &w, &h, err);
    if (st == OK)
        st = image_decode(data, len, image_thumbnail_side(w, h, width), &full, err);
    if (st != OK)
        return st;
    fit_thumbnail(full.width, full.height, width, false, &w, &h);
    bool same = w == full.width && h == full.height;
    if (!same)
        st = image_resize(&full, w, h, IMAGE_BICUBIC, &small, err);
    if (st == OK)
        st = image_encode_webp(same ? &full : &small, QUALITY, webp, err);
    image_free(&full);
    image_free(&small);
    return st;
}
