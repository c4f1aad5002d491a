#include "image/image_internal.h"

#include <stdlib.h>
#include <string.h>

static uint32_t exif_number(const uint8_t *p, int bytes, bool little)
{
    uint32_t v = 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[little ? bytes - 1 - i : i];
    return v;
}

int image_exif_orientation(const uint8_t *tiff, size_t len)
{
    if (len < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
        return 1;
    bool little = tiff[0] == 'I';
    uint32_t ifd = exif_number(tiff + 4, 4, little);
    if (ifd > len - 2)
        return 1;
    uint32_t entries = exif_number(tiff + ifd, 2, little);
    for (uint32_t i = 0; i < entries; i++) {
        size_t at = (size_t)ifd + 2 + 12 * (size_t)i;
        if (at + 12 > len)
            break;
        if (exif_number(tiff + at, 2, little) == 0x0112 && exif_number(tiff + at + 2, 2, little) == 3) {
            uint32_t value = exif_number(tiff + at + 8, 2, little);
            return value >= 1 && value <= 8 ? (int)value : 1;
        }
    }
    return 1;
}

static int in_jpeg(const uint8_t *d, size_t len)
{
    for (size_t at = 2; at + 4 <= len && d[at] == 0xff;) {
        uint8_t marker = d[at + 1];
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        if (marker == 0xda || marker == 0xd9)
            break;
        size_t size = exif_number(d + at + 2, 2, false);
        if (size < 2 || at + 2 + size > len)
            break;
        if (marker == 0xe1 && size >= 8 && memcmp(d + at + 4, "Exif\0\0", 6) == 0)
            return image_exif_orientation(d + at + 10, size - 8);
        at += 2 + size;
    }
    return 1;
}

static int in_png(const uint8_t *d, size_t len)
{
    for (size_t at = 8; at + 12 <= len;) {
        size_t size = exif_number(d + at, 4, false);
        if (size > len - at - 12)
            break;
        if (memcmp(d + at + 4, "eXIf", 4) == 0)
            return image_exif_orientation(d + at + 8, size);
        at += 12 + size;
    }
    return 1;
}

static int in_webp(const uint8_t *d, size_t len)
{
    for (size_t at = 12; at + 8 <= len;) {
        size_t size = exif_number(d + at + 4, 4, true);
        if (size > len - at - 8)
            break;
        if (memcmp(d + at, "EXIF", 4) == 0) {
            size_t skip = size >= 6 && memcmp(d + at + 8, "Exif\0\0", 6) == 0 ? 6 : 0;
            return image_exif_orientation(d + at + 8 + skip, size - skip);
        }
        at += 8 + size + (size & 1);
    }
    return 1;
}

int image_orientation(const uint8_t *data, size_t len, enum image_kind kind)
{
    return kind == IMAGE_JPEG   ? in_jpeg(data, len)
           : kind == IMAGE_PNG  ? in_png(data, len)
           : kind == IMAGE_WEBP ? in_webp(data, len)
                                : 1;
}

enum status image_orient(struct image *im, int orientation, struct error *err)
{
    if (orientation < 2 || orientation > 8)
        return OK;
    bool turned = orientation > 4;
    uint32_t w = im->width, h = im->height, c = im->channels;
    struct image out = {.kind = im->kind};
    enum status st = image_allocate(&out, turned ? h : w, turned ? w : h, c, err);
    if (st != OK)
        return st;
    for (uint32_t y = 0; y < out.height; y++)
        for (uint32_t x = 0; x < out.width; x++) {
            uint32_t sx = turned ? y : x, sy = turned ? x : y; /* where the pixel comes from */
            if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
                sx = w - 1 - sx;
            if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
                sy = h - 1 - sy;
            memcpy(out.pixels + ((size_t)y * out.width + x) * c, im->pixels + ((size_t)sy * w + sx) * c, c);
        }
    free(im->pixels);
    *im = out;
    return OK;
}
