/* Renditions: smaller copies of images, in a kind of file that is chosen. */
#include "image/image_internal.h"

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
