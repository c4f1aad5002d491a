/* An image as a file again. */
#include "image/image_internal.h"

#define WEBP_QUALITY 80.0f
#define JPEG_QUALITY 85

static enum status encode_jpeg(const struct image *im, struct buf *out, struct error *err)
{
    return image_encode_jpeg(im, JPEG_QUALITY, out, err);
}

static enum status encode_webp(const struct image *im, struct buf *out, struct error *err)
{
    return image_encode_webp(im, WEBP_QUALITY, out, err);
}

static enum status (*const encoders[])(const struct image *im, struct buf *out, struct error *err) = {
    [IMAGE_JPEG] = encode_jpeg,     [IMAGE_PNG] = image_encode_png,   [IMAGE_WEBP] = encode_webp,
    [IMAGE_GIF] = image_encode_gif, [IMAGE_AVIF] = image_encode_avif,
};

bool image_can_encode(enum image_kind kind)
{
    return (size_t)kind < sizeof encoders / sizeof *encoders && encoders[kind];
}

enum status image_encode(struct image *im, enum image_kind kind, struct buf *out, struct error *err)
{
    if (!image_can_encode(kind))
        return err_set(err, ERR_UNSUPPORTED, "images cannot be written as %s", image_mime(kind));
    if (kind == IMAGE_JPEG)
        image_flatten_white(im);
    return encoders[kind](im, out, err);
}
