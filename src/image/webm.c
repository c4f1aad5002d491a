/* Video stickers: WebM with VP9, whose alpha is a second VP9 video beside the first, of which the brightness counts.
 * libvpx decodes both; it gets hostile files, and so only ever runs where it may crash, in a worker of sandbox.h, with
 * one thread. What it gives is held against the size that the container's head says. */
#include "image/image_internal.h"
#include "image/webm_read.h"

#include <stdlib.h>
#include <string.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>

#define PICTURES 8u  /* that VP9 keeps, as references and one being made */
#define BORDER   64u /* pixels around them */

struct webm {
    struct webm_reader reader;
    vpx_codec_ctx_t colour, alpha;
    bool has_alpha; /* alpha was begun, as some frame had one */
};

static enum status begin(vpx_codec_ctx_t *codec, struct error *err)
{
    const vpx_codec_dec_cfg_t one_thread = {.threads = 1};
    return vpx_codec_dec_init(codec, vpx_codec_vp9_dx(), &one_thread, 0) == VPX_CODEC_OK ? OK
                                                                                         : err_no_memory(err, "VP9");
}

static enum status open_frames(const uint8_t *data, size_t len, struct image_frames *f, struct error *err)
{
    struct webm *v = f->state = calloc(1, sizeof *v);
    if (!v)
        return err_no_memory(err, "WebM");
    enum status st = webm_open(data, len, &v->reader, err);
    if (st == OK)
        st = begin(&v->colour, err);
    return st == OK ? image_allocate(&f->canvas, v->reader.width, v->reader.height, 4, err) : st;
}

/* --- one frame --- */

static enum status check_picture(const struct image_frames *f, const vpx_image_t *p, struct error *err)
{
    if (p->d_w != f->canvas.width || p->d_h != f->canvas.height)
        return err_set(err, ERR_CORRUPT, "WebM: frame %u has %u x %u pixels, where the head says %u x %u", f->read + 1,
                       p->d_w, p->d_h, f->canvas.width, f->canvas.height);
    if (p->fmt & VPX_IMG_FMT_HIGHBITDEPTH || !(p->fmt & VPX_IMG_FMT_PLANAR) || p->cs == VPX_CS_SRGB)
        return err_set(err, ERR_UNSUPPORTED, "WebM with VP9 of more than 8 bits or in RGB: convert it");
    return OK;
}

/* *out: until the next one of this codec; NULL: there is nothing new to see. */
static enum status decode(const struct image_frames *f, vpx_codec_ctx_t *codec, const uint8_t *data, size_t len,
                          const vpx_image_t **out, struct error *err)
{
    vpx_codec_stream_info_t head = {.sz = sizeof head};
    vpx_codec_iter_t all = NULL;
    *out = NULL;
    if (vpx_codec_peek_stream_info(vpx_codec_vp9_dx(), data, (unsigned)len, &head) == VPX_CODEC_OK && head.is_kf &&
        (head.w != f->canvas.width || head.h != f->canvas.height)) /* before it takes memory for that many */
        return err_set(err, ERR_CORRUPT, "WebM: frame %u has %u x %u pixels, where the head says %u x %u", f->read + 1,
                       head.w, head.h, f->canvas.width, f->canvas.height);
    vpx_codec_err_t failed = vpx_codec_decode(codec, data, (unsigned)len, NULL, 0);
    if (failed)
        return err_set(err, failed == VPX_CODEC_MEM_ERROR ? ERR_NO_MEMORY : ERR_CORRUPT,
                       "WebM: frame %u cannot be decoded: %s", f->read + 1, vpx_codec_err_to_string(failed));
    for (const vpx_image_t *p; (p = vpx_codec_get_frame(codec, &all));)
        *out = p;
    return *out ? check_picture(f, *out, err) : OK;
}

/* --- colours --- */

/* How brightness and colour differences become red, green and blue: ITU-R BT.601, or BT.709 and what is near it. In
 * 1/65536. */
struct matrix {
    int least, scale; /* of brightness */
    int v_red, u_green, v_green, u_blue;
};

static const struct matrix *matrix_of(const vpx_image_t *p)
{
    static const struct matrix tv_601 = {16, 76309, 104597, 25675, 53279, 132201},
                               tv_709 = {16, 76309, 117489, 13975, 34925, 138438},
                               full_601 = {0, 65536, 91881, 22554, 46802, 116130},
                               full_709 = {0, 65536, 103206, 12276, 30679, 121609};
    bool old = p->cs == VPX_CS_UNKNOWN || p->cs == VPX_CS_BT_601 || p->cs == VPX_CS_SMPTE_170;
    if (p->range == VPX_CR_FULL_RANGE)
        return old ? &full_601 : &full_709;
    return old ? &tv_601 : &tv_709;
}

static uint8_t as_byte(int value)
{
    int rounded = value >> 16;
    return (uint8_t)((unsigned)rounded <= 255 ? rounded : rounded < 0 ? 0 : 255);
}

struct row {
    const uint8_t *bright, *u, *v;
    const uint8_t *alpha; /* NULL: opaque */
    uint8_t *to;          /* RGBA */
};

/* Two pixels, or one, have the same colour difference. What cannot be seen becomes black. By value, so that they stay
 * in registers: what is written could otherwise be they. */
static void draw_row(const struct row r, const struct matrix m, uint32_t width, unsigned chroma_shift)
{
    for (uint32_t x = 0; x < width;) {
        int u = r.u[x >> chroma_shift] - 128, v = r.v[x >> chroma_shift] - 128, half = 32768 - m.least * m.scale;
        int red = v * m.v_red + half, green = half - u * m.u_green - v * m.v_green, blue = u * m.u_blue + half;
        for (uint32_t end = ((x >> chroma_shift) + 1) << chroma_shift; x < end && x < width; x++) {
            uint8_t pixel[4] = {0, 0, 0, r.alpha ? r.alpha[x] : 255};
            if (pixel[3]) {
                int grey = r.bright[x] * m.scale;
                pixel[0] = as_byte(grey + red);
                pixel[1] = as_byte(grey + green);
                pixel[2] = as_byte(grey + blue);
            }
            memcpy(r.to + (size_t)x * 4, pixel, 4);
        }
    }
}

static const uint8_t *row_of(const vpx_image_t *p, int plane, uint32_t y)
{
    return p->planes[plane] + (ptrdiff_t)y * p->stride[plane];
}

/* alpha: NULL where the frame is opaque. */
static void draw(struct image *canvas, const vpx_image_t *p, const vpx_image_t *alpha)
{
    const struct matrix *m = matrix_of(p);
    for (uint32_t y = 0; y < canvas->height; y++) {
        uint32_t half = y >> p->y_chroma_shift;
        draw_row((struct row){row_of(p, VPX_PLANE_Y, y), row_of(p, VPX_PLANE_U, half), row_of(p, VPX_PLANE_V, half),
                              alpha ? row_of(alpha, VPX_PLANE_Y, y) : NULL,
                              canvas->pixels + (size_t)y * canvas->width * 4},
                 *m, canvas->width, p->x_chroma_shift);
    }
}

static enum status next_frame(struct image_frames *f, bool *more, struct error *err)
{
    struct webm *v = f->state;
    struct webm_frame frame;
    const vpx_image_t *colour, *alpha = NULL;
    enum status st = webm_next(&v->reader, &frame, more, err);
    if (st != OK || !*more)
        return st;
    f->duration_ms = (uint32_t)frame.lasts_ms;
    st = decode(f, &v->colour, frame.colour, frame.colour_len, &colour, err);
    if (st == OK && frame.alpha && !v->has_alpha) {
        st = begin(&v->alpha, err);
        v->has_alpha = st == OK;
    }
    if (st == OK && frame.alpha)
        st = decode(f, &v->alpha, frame.alpha, frame.alpha_len, &alpha, err);
    if (st == OK && colour && (alpha || !frame.alpha)) /* else what was there stays */
        draw(&f->canvas, colour, alpha);
    return st;
}

static void close_frames(struct image_frames *f)
{
    struct webm *v = f->state;
    if (v) { /* libvpx knows by itself what was not begun */
        vpx_codec_destroy(&v->colour);
        vpx_codec_destroy(&v->alpha);
    }
    free(v);
    image_free(&f->canvas);
}

const struct image_frames_class image_webm_frames = {open_frames, next_frame, close_frames, NULL};

struct image_motion image_webm_motion(const uint8_t *data, size_t len)
{
    struct webm_reader r;
    if (webm_open(data, len, &r, NULL) != OK)
        return (struct image_motion){0};
    return (struct image_motion){r.frames, r.duration_ms};
}

enum status image_webm(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err)
{
    struct webm_reader r;
    if (!probe)
        return image_first_frame(data, len, 0, out, err);
    enum status st = webm_open(data, len, &r, err);
    out->width = r.width;
    out->height = r.height;
    out->scratch = (uint64_t)(r.width + 2 * BORDER) * (r.height + 2 * BORDER) * 3 / 2 * PICTURES * 2;
    return st;
}
