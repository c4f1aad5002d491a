/* Renditions: smaller copies of images, in a kind of file that is chosen. */
#include "image/image_internal.h"

#include <stdlib.h>
#include <string.h>

/* At most as wide as asked and 4 times that high; only drawings are enlarged. */
void image_thumbnail_size(uint32_t width, uint32_t height, bool drawing, uint32_t thumbnail_width, uint32_t *out_width,
                          uint32_t *out_height)
{
    double scale = (double)thumbnail_width / width, down = 4.0 * thumbnail_width / height;
    if (down < scale)
        scale = down;
    if (scale > 1 && !drawing)
        scale = 1;
    uint32_t w = (uint32_t)(width * scale + 0.5), h = (uint32_t)(height * scale + 0.5);
    *out_width = w ? w : 1;
    *out_height = h ? h : 1;
}

uint32_t image_thumbnail_side(uint32_t width, uint32_t height, uint32_t thumbnail_width)
{
    uint32_t w, h;
    image_thumbnail_size(width, height, true, thumbnail_width, &w, &h);
    return w > h ? w : h;
}

enum status image_rendition(const void *data, size_t len, uint32_t width, enum image_kind as, struct buf *out,
                            struct error *err)
{
    enum image_kind kind;
    uint32_t w, h;
    struct image full = {0}, small = {0};
    enum status st = image_probe(data, len, &kind, &w, &h, err);
    if (st == OK)
        st = image_decode(data, len, image_thumbnail_side(w, h, width), &full, err);
    if (st != OK)
        return st;
    image_thumbnail_size(full.width, full.height, false, width, &w, &h);
    bool same = w == full.width && h == full.height;
    if (!same)
        st = image_resize(&full, w, h, IMAGE_BICUBIC, &small, err);
    if (st == OK)
        st = image_encode(same ? &full : &small, as, out, err);
    image_free(&full);
    image_free(&small);
    return st;
}

enum status image_fit_square(const struct image *in, uint32_t side, struct image *out, struct error *err)
{
    uint32_t longer = in->width > in->height ? in->width : in->height;
    uint32_t width = (uint32_t)((uint64_t)in->width * side / longer),
             height = (uint32_t)((uint64_t)in->height * side / longer);
    struct image small = {0};
    width = width ? width : 1;
    height = height ? height : 1;
    *out = (struct image){.width = side, .height = side, .channels = 4, .pixels = calloc((size_t)side * side, 4)};
    if (!out->pixels)
        return err_no_memory(err, "an image");
    enum status st = image_resize(in, width, height, IMAGE_BICUBIC, &small, err);
    uint32_t left = (side - width) / 2, top = (side - height) / 2;
    for (uint32_t y = 0; st == OK && y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            const uint8_t *from = small.pixels + ((size_t)y * width + x) * small.channels;
            uint8_t *to = out->pixels + ((size_t)(y + top) * side + x + left) * 4;
            memcpy(to, from, 3);
            to[3] = small.channels == 4 ? from[3] : 255;
        }
    image_free(&small);
    return st;
}
