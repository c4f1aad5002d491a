/* How an image moves, by the headers of its frames; hostile bytes are walked, never decoded. */
#include "image/image_internal.h"

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

uint32_t image_frame_ms(uint64_t ms)
{
    return ms <= 10 ? 100 : ms < IMAGE_MAX_DURATION_MS ? (uint32_t)ms : IMAGE_MAX_DURATION_MS;
}

static void count_frame(struct image_motion *m, uint64_t ms)
{
    m->frames++;
    m->duration_ms += image_frame_ms(ms);
}

/* GIF89a, sections 17 to 27. A graphic control extension has the delay, in 1/100 s, of the frame that follows. */
static void gif_motion(const uint8_t *data, size_t len, struct image_motion *out)
{
    enum { HEAD = 13, FRAME = 10, CONTROL = 0xf9 };
    uint64_t delay_ms = 0;
    for (size_t at = len > HEAD ? HEAD + table_size(data[10]) : len; at < len;) {
        if (data[at] == '!') { /* an extension: its label, then blocks */
            if (len - at > 6 && data[at + 1] == CONTROL)
                delay_ms = 10u * (data[at + 4] | (unsigned)data[at + 5] << 8);
            at = skip_blocks(data, len, at + 2);
        } else if (data[at] == ',' && len - at > FRAME) {
            count_frame(out, delay_ms);
            delay_ms = 0;
            at = skip_blocks(data, len, at + FRAME + table_size(data[at + 9]) + 1);
        } else {
            return;
        }
    }
}

static uint32_t little_endian(const uint8_t *p, int bytes)
{
    uint32_t value = 0;
    for (int i = bytes; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

/* Chunks ANMF, where the extended header, which comes first, has the animation flag. */
static void webp_motion(const uint8_t *data, size_t len, struct image_motion *out)
{
    enum { FIRST = 12, HEAD = 8, DURATION = 12, FRAME = 16 };
    if (len <= 20 || memcmp(data + FIRST, "VP8X", 4) != 0 || !(data[20] & 0x02))
        return;
    for (size_t at = FIRST; at + HEAD <= len;) {
        size_t size = little_endian(data + at + 4, 4);
        if (memcmp(data + at, "ANMF", 4) == 0 && size >= FRAME && len - at - HEAD >= FRAME)
            count_frame(out, little_endian(data + at + HEAD + DURATION, 3));
        if (size > len - at - HEAD)
            return;
        at += HEAD + size + (size & 1);
    }
}

/* Chunks fcTL, if a chunk acTL before the pixels announces several frames. */
static void png_motion(const uint8_t *data, size_t len, struct image_motion *out)
{
    struct image_png_chunk c;
    bool announced = false;
    for (size_t at = IMAGE_PNG_SIGNATURE; image_png_chunk(data, len, &at, &c);) {
        if (memcmp(c.name, "acTL", 4) == 0)
            announced = c.len >= 8 && image_big_endian(c.data) > 1;
        else if (memcmp(c.name, "IDAT", 4) == 0 && !announced)
            return;
        else if (memcmp(c.name, "fcTL", 4) == 0 && c.len >= 26)
            count_frame(out, image_png_delay_ms(c.data));
    }
}

struct image_motion image_motion(const void *data, size_t len)
{
    struct image_motion found = {0};
    switch (image_sniff(data, len)) {
    case IMAGE_GIF:
        gif_motion(data, len, &found);
        break;
    case IMAGE_WEBP:
        webp_motion(data, len, &found);
        break;
    case IMAGE_PNG:
        png_motion(data, len, &found);
        break;
    case IMAGE_LOTTIE:
    case IMAGE_TGS:
    case IMAGE_DOTLOTTIE:
        found = image_lottie_motion(data, len);
        break;
    case IMAGE_WEBM:
        found = image_webm_motion(data, len);
        break;
    default:
        break;
    }
    return found.frames > 1 ? found : (struct image_motion){.frames = 1};
}

bool image_is_animated(const void *data, size_t len)
{
    return image_motion(data, len).frames > 1;
}
