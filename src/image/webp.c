#include "image/image_internal.h"

#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>

/* Decodes one frame at `data` into the canvas at (x, y). */
static enum status draw_frame(const uint8_t *data, size_t len, uint32_t x, uint32_t y, struct image *out,
                              struct error *err)
{
    WebPBitstreamFeatures f;
    if (WebPGetFeatures(data, len, &f) != VP8_STATUS_OK)
        return err_set(err, ERR_CORRUPT, "WebP: broken frame");
    if (x + (uint32_t)f.width > out->width || y + (uint32_t)f.height > out->height)
        return err_set(err, ERR_CORRUPT, "WebP: frame outside its canvas");
    size_t stride = (size_t)out->width * out->channels, start = (size_t)y * stride + (size_t)x * out->channels;
    uint8_t *to = out->pixels + start;
    size_t room = (size_t)out->width * out->height * out->channels - start;
    const uint8_t *done = out->channels == 4 ? WebPDecodeRGBAInto(data, len, to, room, (int)stride)
                                             : WebPDecodeRGBInto(data, len, to, room, (int)stride);
    return done ? OK : err_set(err, ERR_CORRUPT, "WebP: pixels cannot be decoded (truncated?)");
}

enum status image_webp(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err)
{
    WebPData whole = {data, len};
    WebPIterator it;
    WebPDemuxer *demux = WebPDemux(&whole);
    if (!demux)
        return err_set(err, ERR_CORRUPT, "WebP: broken or truncated container");
    uint32_t width = WebPDemuxGetI(demux, WEBP_FF_CANVAS_WIDTH), height = WebPDemuxGetI(demux, WEBP_FF_CANVAS_HEIGHT);
    enum status st = image_check_size(width, height, err);
    out->width = width;
    out->height = height;
    out->scratch = (uint64_t)width * height * 4; /* a lossless frame, before it is copied */
    if (st == OK && !probe) {
        if (!WebPDemuxGetFrame(demux, 1, &it)) {
            st = err_set(err, ERR_CORRUPT, "WebP: holds no frame");
        } else {
            bool partial = (uint32_t)it.width != width || (uint32_t)it.height != height;
            st = image_allocate(out, width, height, it.has_alpha || partial ? 4 : 3, err);
            if (st == OK)
                st = draw_frame(it.fragment.bytes, it.fragment.size, (uint32_t)it.x_offset, (uint32_t)it.y_offset, out,
                                err);
            WebPDemuxReleaseIterator(&it);
        }
    }
    WebPDemuxDelete(demux);
    return st;
}

enum status image_encode_webp(const struct image *im, float quality, struct buf *out, struct error *err)
{
    uint8_t *data = NULL;
    int stride = (int)(im->width * im->channels);
    if (im->width > WEBP_MAX_DIMENSION || im->height > WEBP_MAX_DIMENSION)
        return err_set(err, ERR_TOO_LARGE, "WebP: %u x %u pixels: at most %d a side", im->width, im->height,
                       WEBP_MAX_DIMENSION);
    size_t n = im->channels == 4 ? WebPEncodeRGBA(im->pixels, (int)im->width, (int)im->height, stride, quality, &data)
                                 : WebPEncodeRGB(im->pixels, (int)im->width, (int)im->height, stride, quality, &data);
    if (!n)
        return err_set(err, ERR_NO_MEMORY, "WebP: cannot encode");
    buf_append(out, data, n);
    WebPFree(data);
    return buf_status(out, err);
}
