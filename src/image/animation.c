/* Renditions that move: copies of animations, smaller as WebP or GIF, or as WebP in a square.
 *
 * A frame that is shown for less than STEP_MS goes into the one before it; and where there would still be more pixels
 * than MAX_PIXELS in all frames, so do frames that are shown for longer, evenly. The whole lasts as long as before. */
#include "image/image_internal.h"

#include <stdlib.h>
#include <string.h>
#include <webp/encode.h>
#include <webp/mux.h>

#define STEP_MS    25u
#define QUALITY    75u
#define MAX_PIXELS (24u << 20)

/* --- writers --- */

struct writer {
    enum image_kind kind;
    uint32_t quality; /* of WebP */
    uint32_t at_ms;   /* where the next frame begins */
    WebPAnimEncoder *webp;
    WebPConfig config;
    struct image_gif_writer *gif;
};

static enum status begin_webp(struct writer *w, uint32_t width, uint32_t height, uint32_t loops)
{
    WebPAnimEncoderOptions options;
    if (!WebPAnimEncoderOptionsInit(&options) || !WebPConfigInit(&w->config))
        return ERR_INTERNAL;
    options.anim_params.loop_count = (int)(loops < 65535 ? loops : 0);
    w->config.quality = (float)w->quality;
    w->config.method = 2;          /* beyond it, stickers take twice the time for a twentieth less */
    w->config.alpha_filtering = 0; /* which makes flat stickers larger, and slower */
    w->webp = WebPAnimEncoderNew((int)width, (int)height, &options);
    return w->webp ? OK : ERR_NO_MEMORY;
}

static enum status begin(struct writer *w, uint32_t width, uint32_t height, uint32_t loops, struct buf *out,
                         struct error *err)
{
    enum status st = w->kind == IMAGE_GIF ? image_gif_begin(width, height, loops, out, &w->gif, err)
                                          : begin_webp(w, width, height, loops);
    return st == OK || w->kind == IMAGE_GIF ? st : err_set(err, st, "WebP: cannot encode");
}

static bool add_to_webp(struct writer *w, const struct image *im)
{
    WebPPicture picture;
    if (!WebPPictureInit(&picture))
        return false;
    picture.use_argb = 1;
    picture.width = (int)im->width;
    picture.height = (int)im->height;
    bool added = WebPPictureImportRGBA(&picture, im->pixels, (int)im->width * 4) &&
                 WebPAnimEncoderAdd(w->webp, &picture, (int)w->at_ms, &w->config);
    WebPPictureFree(&picture);
    return added;
}

static enum status add(struct writer *w, const struct image *im, uint32_t ms, struct error *err)
{
    enum status st = OK;
    if (w->kind == IMAGE_GIF) /* in 1/100 s, so that what is rounded does not add up */
        st = image_gif_add(w->gif, im, (w->at_ms + ms + 5) / 10 - (w->at_ms + 5) / 10, err);
    else if (!add_to_webp(w, im))
        st = err_set(err, ERR_NO_MEMORY, "WebP: cannot encode");
    w->at_ms += ms;
    return st;
}

static enum status finish_webp(struct writer *w, struct buf *out, struct error *err)
{
    WebPData file;
    WebPDataInit(&file);
    bool whole = WebPAnimEncoderAdd(w->webp, NULL, (int)w->at_ms, NULL) && WebPAnimEncoderAssemble(w->webp, &file);
    if (whole)
        buf_append(out, file.bytes, file.size);
    WebPDataClear(&file);
    return whole ? buf_status(out, err) : err_set(err, ERR_NO_MEMORY, "WebP: cannot encode");
}

/* --- from frames to frames --- */

struct copy {
    struct image_frames from;
    struct writer to;
    uint32_t width, height; /* of frames, before they are turned */
    bool square;            /* they are fitted into */
    int orientation;
    uint64_t step_ms, longest_ms;
    struct image waiting; /* the frame that is written when it is known how long it is shown */
    uint64_t waits_ms;
};

/* A frame's size and how long it is shown at least, of an animation that lasts so long. */
static void measure(struct copy *c, uint32_t width, uint64_t duration_ms, uint32_t least_ms)
{
    const struct image *canvas = &c->from.canvas;
    if (c->square)
        c->width = c->height = width;
    else if (c->orientation > 4)
        image_thumbnail_size(canvas->height, canvas->width, false, width, &c->height, &c->width);
    else
        image_thumbnail_size(canvas->width, canvas->height, false, width, &c->width, &c->height);
    c->step_ms = duration_ms * c->width * c->height / MAX_PIXELS;
    if (c->step_ms < least_ms)
        c->step_ms = least_ms;
}

static enum status write_waiting(struct copy *c, struct error *err)
{
    enum status st = OK;
    if (c->waiting.pixels)
        st = add(&c->to, &c->waiting, (uint32_t)c->waits_ms, err);
    image_free(&c->waiting);
    c->waits_ms = 0;
    return st;
}

static enum status take_frame(struct copy *c, struct error *err)
{
    enum status st = write_waiting(c, err);
    if (st == OK)
        st = c->square ? image_fit_square(&c->from.canvas, c->width, &c->waiting, err)
                       : image_resize(&c->from.canvas, c->width, c->height, IMAGE_BICUBIC, &c->waiting, err);
    return st == OK ? image_orient(&c->waiting, c->orientation, err) : st;
}

static enum status copy_frames(struct copy *c, struct error *err)
{
    bool more = true;
    uint64_t whole_ms = 0;
    enum status st = OK;
    while (whole_ms < c->longest_ms && (st = image_frames_next(&c->from, &more, err)) == OK && more) {
        if (!c->waiting.pixels || c->waits_ms >= c->step_ms)
            st = take_frame(c, err);
        if (st != OK)
            return st;
        uint64_t left_ms = c->longest_ms - whole_ms, ms = c->from.duration_ms < left_ms ? c->from.duration_ms : left_ms;
        c->waits_ms += ms;
        whole_ms += c->from.duration_ms;
        if (whole_ms > IMAGE_MAX_DURATION_MS)
            return err_set(err, ERR_TOO_LARGE, "animation of more than %u s", IMAGE_MAX_DURATION_MS / 1000);
    }
    return st == OK ? write_waiting(c, err) : st;
}

/* A drawing is drawn in the size that it shall have. */
static enum status open_frames(const void *data, size_t len, uint32_t width, struct image_frames *f, struct error *err)
{
    enum image_kind kind;
    uint32_t w, h;
    enum status st = image_probe(data, len, &kind, &w, &h, err);
    *f = (struct image_frames){0};
    return st == OK ? image_frames_open(data, len, image_thumbnail_side(w, h, width), f, err) : st;
}

static enum status copy_animation(struct copy *c, const void *data, size_t len, uint32_t width, uint32_t least_ms,
                                  struct buf *out, struct error *err)
{
    uint64_t duration_ms = image_motion(data, len).duration_ms;
    enum status st = open_frames(data, len, width, &c->from, err);
    if (st == OK) {
        c->orientation = image_orientation(data, len, c->from.canvas.kind);
        measure(c, width, duration_ms < c->longest_ms ? duration_ms : c->longest_ms, least_ms);
        bool turned = c->orientation > 4;
        st = begin(&c->to, turned ? c->height : c->width, turned ? c->width : c->height, c->from.loops, out, err);
    }
    if (st == OK)
        st = copy_frames(c, err);
    if (st == OK)
        st = c->to.kind == IMAGE_GIF ? image_gif_finish(c->to.gif, err) : finish_webp(&c->to, out, err);
    image_gif_free(c->to.gif);
    WebPAnimEncoderDelete(c->to.webp);
    image_free(&c->waiting);
    image_frames_close(&c->from);
    return st;
}

enum status image_animation(const void *data, size_t len, uint32_t width, enum image_kind as, struct buf *out,
                            struct error *err)
{
    struct copy c = {.to = {.kind = as, .quality = QUALITY}, .longest_ms = IMAGE_MAX_DURATION_MS + 1};
    if (!image_is_animated(data, len) || (as != IMAGE_WEBP && as != IMAGE_GIF))
        return image_rendition(data, len, width, as, out, err);
    return copy_animation(&c, data, len, width, STEP_MS, out, err);
}

enum status image_square_animation(const void *data, size_t len, const struct image_square *as, struct buf *out,
                                   struct error *err)
{
    struct copy c = {.to = {.kind = IMAGE_WEBP, .quality = as->quality}, .square = true, .longest_ms = as->longest_ms};
    if (!image_is_animated(data, len))
        return err_set(err, ERR_UNSUPPORTED, "not an animation");
    return copy_animation(&c, data, len, as->side, as->step_ms, out, err);
}
