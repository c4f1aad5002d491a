/* The frames of animations: what their decoders have in common, and which frame stands for the whole. */
#include "image/image_internal.h"

#include <stdlib.h>
#include <string.h>

#define DIFFERS      24 /* of 255 in some channel: a difference that is seen */
#define SHOWN_PIXELS 50 /* one in so many differs from the corner where a frame shows something */

static const struct image_frames_class *class_of(enum image_kind kind)
{
    switch (kind) {
    case IMAGE_GIF:
        return &image_gif_frames;
    case IMAGE_WEBP:
        return &image_webp_frames;
    case IMAGE_PNG:
        return &image_png_frames;
    case IMAGE_LOTTIE:
    case IMAGE_TGS:
    case IMAGE_DOTLOTTIE:
        return &image_lottie_frames;
    case IMAGE_WEBM:
        return &image_webm_frames;
    default:
        return NULL;
    }
}

enum status image_frames_open(const void *data, size_t len, uint32_t side, struct image_frames *out, struct error *err)
{
    *out = (struct image_frames){.class = class_of(image_sniff(data, len)), .side = side};
    if (len > IMAGE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "image of %zu bytes: at most %u are allowed", len, IMAGE_MAX_BYTES);
    if (!out->class)
        return err_set(err, ERR_UNSUPPORTED, "not an animation");
    out->canvas.channels = 4;
    out->canvas.kind = image_sniff(data, len);
    enum status st = out->class->open(data, len, out, err);
    return st == OK ? image_check_size(out->canvas.width, out->canvas.height, err) : st;
}

static enum status read_frame(struct image_frames *f, bool skip, bool *more, struct error *err)
{
    uint64_t pixels = (uint64_t)f->canvas.width * f->canvas.height;
    enum status st = (skip && f->class->skip ? f->class->skip : f->class->next)(f, more, err);
    if (st != OK || !*more)
        return st;
    if (++f->read > IMAGE_MAX_FRAMES || f->read * pixels > IMAGE_MAX_MOVING_PIXELS)
        return err_set(err, ERR_TOO_LARGE,
                       "animation of more than %u frames of %u x %u pixels: at most %u frames and %u pixels in all are "
                       "allowed",
                       f->read - 1, f->canvas.width, f->canvas.height, IMAGE_MAX_FRAMES, IMAGE_MAX_MOVING_PIXELS);
    return OK;
}

enum status image_frames_next(struct image_frames *f, bool *more, struct error *err)
{
    return read_frame(f, false, more, err);
}

enum status image_frames_skip(struct image_frames *f, bool *more, struct error *err)
{
    return read_frame(f, true, more, err);
}

void image_frames_close(struct image_frames *f)
{
    if (f->class)
        f->class->close(f);
    *f = (struct image_frames){0};
}

enum status image_first_frame(const void *data, size_t len, uint32_t side, struct image *out, struct error *err)
{
    struct image_frames f;
    bool more;
    enum status st = image_frames_open(data, len, side, &f, err);
    if (st == OK)
        st = image_frames_next(&f, &more, err);
    if (st == OK) {
        *out = f.canvas;
        f.canvas.pixels = NULL;
    }
    image_frames_close(&f);
    return st;
}

enum status image_check_frames(const void *data, size_t len, struct image_motion *out, struct error *err)
{
    struct image_frames f;
    bool more = true;
    *out = (struct image_motion){0};
    enum status st = image_frames_open(data, len, 0, &f, err);
    while (st == OK && (st = image_frames_next(&f, &more, err)) == OK && more) {
        out->frames++;
        out->duration_ms += f.duration_ms;
    }
    if (st == OK && out->duration_ms > IMAGE_MAX_DURATION_MS)
        st = err_set(err, ERR_TOO_LARGE, "animation of %llu s: at most %u are allowed",
                     (unsigned long long)out->duration_ms / 1000, IMAGE_MAX_DURATION_MS / 1000);
    image_frames_close(&f);
    return st;
}

/* --- the poster --- */

static int seen(const uint8_t *pixel, uint32_t channels, uint32_t channel)
{
    int alpha = channels == 4 ? pixel[3] : 255;
    return channel == 3 ? alpha : pixel[channel] * alpha / 255;
}

/* How many pixels must be other than that of the corner, where a frame shows something. */
static uint64_t pixels_enough(const struct image *im)
{
    return ((uint64_t)im->width * im->height + SHOWN_PIXELS - 1) / SHOWN_PIXELS;
}

/* How many pixels are. */
static uint64_t pixels_shown(const struct image *im)
{
    uint64_t shown = 0, n = (uint64_t)im->width * im->height;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *pixel = im->pixels + i * im->channels;
        bool differs = false;
        for (uint32_t c = 0; c < 4 && !differs; c++)
            differs = abs(seen(pixel, im->channels, c) - seen(im->pixels, im->channels, c)) > DIFFERS;
        shown += differs;
    }
    return shown;
}

static bool take_copy(const struct image *of, struct image *to)
{
    size_t bytes = (size_t)of->width * of->height * of->channels;
    uint8_t *copy = malloc(bytes);
    if (!copy)
        return false;
    memcpy(copy, of->pixels, bytes);
    free(to->pixels);
    *to = *of;
    to->pixels = copy;
    return true;
}

void image_poster(const void *data, size_t len, struct image *first)
{
    struct image_frames f;
    bool more = true;
    uint64_t enough = pixels_enough(first), most = pixels_shown(first);
    if (most >= enough)
        return;
    enum status st =
        image_frames_open(data, len, first->width > first->height ? first->width : first->height, &f, NULL);
    while (most < enough && st == OK && (st = image_frames_next(&f, &more, NULL)) == OK && more) {
        uint64_t shown = pixels_shown(&f.canvas);
        if (shown <= most)
            continue;
        if (!take_copy(&f.canvas, first))
            break;
        most = shown;
    }
    image_frames_close(&f);
}

/* --- films --- */

struct film {
    struct image_frames from;
    uint32_t in_all;
    uint64_t most; /* pixels that were shown in the frame that comes first */
    bool shows;    /* that they are enough */
    struct image kept[IMAGE_FILM_FRAMES];
    uint32_t n;
};

/* The canvas becomes frame i, which all before it are there for. */
static enum status keep_frame(struct film *film, uint32_t i, struct error *err)
{
    if (!take_copy(&film->from.canvas, &film->kept[i]))
        return err_no_memory(err, "a frame");
    film->n = i + 1;
    return OK;
}

/* Frames are looked at until one shows something, and then in the middle and at the end. */
static enum status look_at_frame(struct film *film, struct error *err)
{
    uint64_t shown = pixels_shown(&film->from.canvas);
    bool enough = shown >= pixels_enough(&film->from.canvas);
    if (film->shows)
        return enough ? keep_frame(film, film->n, err) : OK;
    if (film->n && shown <= film->most)
        return OK;
    film->most = shown;
    film->shows = enough;
    return keep_frame(film, 0, err);
}

static enum status read_film(struct film *film, struct error *err)
{
    struct image_frames *f = &film->from;
    bool more = true;
    enum status st = OK;
    while (st == OK && more) {
        bool wanted = !film->shows || f->read == film->in_all / 2 || f->read + 1 == film->in_all;
        st = wanted ? image_frames_next(f, &more, err) : image_frames_skip(f, &more, err);
        if (st != OK || !more)
            break;
        if (wanted && (st = look_at_frame(film, err)) != OK)
            return st;
    }
    return film->n ? OK : st == OK ? err_set(err, ERR_CORRUPT, "an animation without frames") : st;
}

static enum status join_frames(struct film *film, int orientation, struct image_film *out, struct error *err)
{
    enum status st = OK;
    for (uint32_t i = 0; i < film->n && st == OK; i++)
        st = image_orient(&film->kept[i], orientation, err);
    if (st != OK)
        return st;
    const struct image *first = &film->kept[0];
    size_t bytes = (size_t)first->width * first->height * first->channels;
    uint8_t *pixels = malloc(film->n * bytes);
    if (!pixels)
        return err_no_memory(err, "%u frames", film->n);
    for (uint32_t i = 0; i < film->n; i++)
        memcpy(pixels + i * bytes, film->kept[i].pixels, bytes);
    *out = (struct image_film){*first, film->n};
    out->strip.pixels = pixels;
    out->strip.height *= film->n;
    return OK;
}

static bool fits_into_film(const void *data, size_t len, uint32_t svg_side)
{
    enum image_kind kind;
    uint32_t width, height;
    if (image_probe(data, len, &kind, &width, &height, NULL) != OK)
        return false;
    uint64_t pixels = image_is_drawing(kind) ? (uint64_t)svg_side * svg_side : (uint64_t)width * height;
    return pixels <= IMAGE_FILM_PIXELS;
}

enum status image_film(const void *data, size_t len, uint32_t svg_side, struct image_film *out, struct error *err)
{
    struct image_motion motion = image_motion(data, len);
    *out = (struct image_film){0};
    if (motion.frames < 2 || !fits_into_film(data, len, svg_side)) {
        out->frames = 1;
        return image_decode(data, len, svg_side, &out->strip, err);
    }
    struct film film = {.in_all = motion.frames};
    enum status st = image_frames_open(data, len, svg_side, &film.from, err);
    if (st == OK)
        st = read_film(&film, err);
    if (st == OK)
        st = join_frames(&film, image_orientation(data, len, film.from.canvas.kind), out, err);
    image_frames_close(&film.from);
    for (uint32_t i = 0; i < IMAGE_FILM_FRAMES; i++)
        image_free(&film.kept[i]);
    return st;
}

struct image image_film_frame(const struct image_film *film, uint32_t i)
{
    struct image frame = film->strip;
    frame.height /= film->frames;
    frame.pixels += (size_t)i * frame.height * frame.width * frame.channels;
    return frame;
}

/* --- drawing --- */

static void draw_pixel(uint8_t *to, const uint8_t *from)
{
    unsigned over = from[3], under = to[3] * (255 - over) / 255, alpha = over + under;
    if (over == 255) {
        memcpy(to, from, 4);
    } else if (over) {
        for (int c = 0; c < 3; c++)
            to[c] = (uint8_t)((from[c] * over + to[c] * under + alpha / 2) / alpha);
        to[3] = (uint8_t)alpha;
    }
}

void image_draw_over(struct image *canvas, const struct image *top, uint32_t x, uint32_t y, bool replace)
{
    for (uint32_t row = 0; row < top->height; row++) {
        uint8_t *to = canvas->pixels + ((size_t)(y + row) * canvas->width + x) * 4;
        const uint8_t *from = top->pixels + (size_t)row * top->width * 4;
        if (replace)
            memcpy(to, from, (size_t)top->width * 4);
        for (uint32_t i = 0; i < top->width && !replace; i++)
            draw_pixel(to + (size_t)i * 4, from + (size_t)i * 4);
    }
}

void image_clear_part(struct image *canvas, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
    for (uint32_t row = y; row < y + height; row++)
        memset(canvas->pixels + ((size_t)row * canvas->width + x) * 4, 0, (size_t)width * 4);
}
