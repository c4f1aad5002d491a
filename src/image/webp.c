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

/* --- all frames --- */

struct webp {
    WebPAnimDecoder *decoder;
    int shown_ms; /* until when the frames that were read are shown */
};

static enum status open_frames(const uint8_t *data, size_t len, struct image_frames *f, struct error *err)
{
    WebPData whole = {data, len};
    WebPAnimDecoderOptions options;
    WebPAnimInfo info;
    struct webp *w = f->state = calloc(1, sizeof *w);
    struct image head = {0};
    enum status st = w ? image_webp(data, len, true, &head, err) : err_no_memory(err, "WebP");
    if (st != OK)
        return st;
    WebPAnimDecoderOptionsInit(&options);
    options.color_mode = MODE_RGBA;
    w->decoder = WebPAnimDecoderNew(&whole, &options);
    if (!w->decoder || !WebPAnimDecoderGetInfo(w->decoder, &info))
        return err_set(err, ERR_CORRUPT, "WebP: broken animation");
    f->canvas.width = info.canvas_width;
    f->canvas.height = info.canvas_height;
    f->loops = info.loop_count;
    return OK;
}

static enum status next_frame(struct image_frames *f, bool *more, struct error *err)
{
    struct webp *w = f->state;
    int until_ms;
    *more = WebPAnimDecoderHasMoreFrames(w->decoder);
    if (!*more)
        return OK;
    if (!WebPAnimDecoderGetNext(w->decoder, &f->canvas.pixels, &until_ms))
        return err_set(err, ERR_CORRUPT, "WebP: frame %u cannot be decoded (truncated?)", f->read + 1);
    f->duration_ms = image_frame_ms(until_ms > w->shown_ms ? (uint64_t)(until_ms - w->shown_ms) : 0);
    w->shown_ms = until_ms;
    return OK;
}

static void close_frames(struct image_frames *f)
{
    struct webp *w = f->state;
    if (w)
        WebPAnimDecoderDelete(w->decoder);
    free(w);
}

const struct image_frames_class image_webp_frames = {open_frames, next_frame, close_frames, NULL};

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
