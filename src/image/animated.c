/* Whether an image moves, from the marks that its format has for that; hostile bytes are walked, never decoded. */
#include "image/image.h"

#include <string.h>

/* Past blocks of a length byte and so many bytes each; `len` when they end nowhere. */
static size_t skip_blocks(const uint8_t *data, size_t len, size_t at)
{
    while (at < len && data[at])
        at += (size_t)data[at] + 1;
    return at < len ? at + 1 : len;
}

/* The size of the colour table that a byte of flags announces. */
static size_t table_size(uint8_t flags)
{
    return flags & 0x80 ? (size_t)3 << ((flags & 7) + 1) : 0;
}

/* A second frame: GIF89a, sections 17 to 27. */
static bool gif_moves(const uint8_t *data, size_t len)
{
    enum { HEAD = 13, FRAME = 10 };
    int frames = 0;
    for (size_t at = len > HEAD ? HEAD + table_size(data[10]) : len; at < len;) {
        if (data[at] == '!') { /* an extension: its label, then blocks */
            at = skip_blocks(data, len, at + 2);
        } else if (data[at] == ',' && len - at > FRAME) {
            if (++frames > 1)
                return true;
            at = skip_blocks(data, len, at + FRAME + table_size(data[at + 9]) + 1);
        } else {
            return false;
        }
    }
    return false;
}

/* The animation flag of an extended header, which comes first. */
static bool webp_moves(const uint8_t *data, size_t len)
{
    return len > 20 && memcmp(data + 12, "VP8X", 4) == 0 && data[20] & 0x02;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A chunk acTL that tells of several frames, before the pixels. */
static bool png_moves(const uint8_t *data, size_t len)
{
    enum { CHUNK = 12 }; /* length, name and checksum */
    for (size_t at = 8; at + CHUNK <= len && memcmp(data + at + 4, "IDAT", 4) != 0;) {
        size_t size = big_endian(data + at);
        if (size > len - at - CHUNK)
            return false;
        if (memcmp(data + at + 4, "acTL", 4) == 0)
            return size >= 4 && big_endian(data + at + 8) > 1;
        at += CHUNK + size;
    }
    return false;
}

bool image_is_animated(const void *data, size_t len)
{
    switch (image_sniff(data, len)) {
    case IMAGE_GIF:
        return gif_moves(data, len);
    case IMAGE_WEBP:
        return webp_moves(data, len);
    case IMAGE_PNG:
        return png_moves(data, len);
    default:
        return false;
    }
}
