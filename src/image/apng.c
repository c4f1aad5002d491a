/* The frames of an animated PNG (PNG, third edition, W3C 2025, section 11.3.6). Each is made a PNG of its own, with the
 * chunks that came before the pixels, and decoded as such. */
#include "image/image_internal.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define HEAD_MAX (1u << 20) /* bytes of chunks before the pixels */

enum { CONTROL = 26, IHDR = 13, DISPOSE_NONE = 0, DISPOSE_CLEAR = 1, DISPOSE_UNDO = 2, BLEND_SOURCE = 0 };

struct apng {
    const uint8_t *data;
    size_t len, at;
    struct buf head, file;        /* chunks between IHDR and the pixels; the frame as a file */
    const uint8_t *ihdr;          /* [13] */
    const uint8_t *control;       /* [26]: of the frame that comes; NULL: none was found yet */
    struct image before;          /* the canvas as it was before the last frame, where that is to be undone */
    int disposal;                 /* of the last frame, */
    uint32_t x, y, width, height; /* which was drawn here */
};

uint32_t image_big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

bool image_png_chunk(const uint8_t *data, size_t len, size_t *at, struct image_png_chunk *out)
{
    enum { AROUND = 12 }; /* length, name and checksum */
    if (*at > len || len - *at < AROUND || image_big_endian(data + *at) > len - *at - AROUND)
        return false;
    *out = (struct image_png_chunk){data + *at, data + *at + 4, data + *at + 8, image_big_endian(data + *at)};
    *at += AROUND + out->len;
    return true;
}

/* A fraction of a second, whose denominator 0 stands for 100. */
uint64_t image_png_delay_ms(const uint8_t *fctl)
{
    unsigned above = (unsigned)fctl[20] << 8 | fctl[21], below = (unsigned)fctl[22] << 8 | fctl[23];
    return 1000u * above / (below ? below : 100);
}

static bool is_chunk(const struct image_png_chunk *c, const char *name)
{
    return memcmp(c->name, name, 4) == 0;
}

/* Appends a chunk with its checksum; the data in two parts. */
static void put_chunk(struct buf *out, const char *name, const void *data, size_t len)
{
    uint8_t number[4];
    uLong sum = crc32(crc32(0, (const Bytef *)name, 4), data, (uInt)len);
    for (int i = 0; i < 4; i++)
        number[i] = (uint8_t)(len >> (24 - 8 * i));
    buf_append(out, number, 4);
    buf_append(out, name, 4);
    buf_append(out, data, len);
    for (int i = 0; i < 4; i++)
        number[i] = (uint8_t)(sum >> (24 - 8 * i));
    buf_append(out, number, 4);
}

static enum status cut_off(struct error *err)
{
    return err_set(err, ERR_CORRUPT, "APNG: the file is damaged or incomplete");
}

/* Up to the first fcTL; pixels before it are a picture for programs that do not know animations. */
static enum status open_frames(const uint8_t *data, size_t len, struct image_frames *f, struct error *err)
{
    struct image_png_chunk c;
    bool pixels = false;
    struct apng *p = f->state = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(err, "APNG");
    p->data = data;
    p->len = len;
    p->at = IMAGE_PNG_SIGNATURE;
    buf_init(&p->head, HEAD_MAX);
    buf_init(&p->file, IMAGE_MAX_BYTES + HEAD_MAX);
    if (!image_png_chunk(data, len, &p->at, &c) || !is_chunk(&c, "IHDR") || c.len != IHDR)
        return cut_off(err);
    p->ihdr = c.data;
    while (!p->control) {
        if (!image_png_chunk(data, len, &p->at, &c))
            return cut_off(err);
        if (is_chunk(&c, "fcTL") && c.len == CONTROL) {
            p->control = c.data;
        } else if (is_chunk(&c, "acTL") && c.len == 8) {
            f->loops = image_big_endian(c.data + 4);
        } else if (is_chunk(&c, "IDAT")) {
            pixels = true;
        } else if (!pixels) {
            buf_append(&p->head, c.whole, c.len + 12);
        }
    }
    /* what stands between fcTL and the pixels */
    for (size_t at = p->at; !pixels && image_png_chunk(data, len, &at, &c) && !is_chunk(&c, "IDAT"); p->at = at)
        buf_append(&p->head, c.whole, c.len + 12);
    enum status st = buf_status(&p->head, err);
    return st == OK ? image_allocate(&f->canvas, image_big_endian(p->ihdr), image_big_endian(p->ihdr + 4), 4, err) : st;
}

/* Gathers the frame's pixels as a PNG, and the control of the one after it. */
static enum status gather_frame(struct apng *p, uint32_t width, uint32_t height, struct error *err)
{
    uint8_t ihdr[IHDR];
    struct image_png_chunk c;
    bool any = false;
    memcpy(ihdr, p->ihdr, IHDR);
    for (int i = 0; i < 4; i++) {
        ihdr[i] = (uint8_t)(width >> (24 - 8 * i));
        ihdr[4 + i] = (uint8_t)(height >> (24 - 8 * i));
    }
    buf_reset(&p->file);
    buf_append(&p->file, p->data, IMAGE_PNG_SIGNATURE);
    put_chunk(&p->file, "IHDR", ihdr, IHDR);
    buf_append(&p->file, buf_str(&p->head), p->head.len);
    for (p->control = NULL; !p->control;) {
        if (!image_png_chunk(p->data, p->len, &p->at, &c))
            return cut_off(err);
        if (is_chunk(&c, "fcTL") && c.len == CONTROL)
            p->control = c.data;
        else if (is_chunk(&c, "IEND"))
            break;
        else if (is_chunk(&c, "IDAT"))
            put_chunk(&p->file, "IDAT", c.data, c.len);
        else if (is_chunk(&c, "fdAT") && c.len > 4)
            put_chunk(&p->file, "IDAT", c.data + 4, c.len - 4); /* after a sequence number */
        else
            continue;
        any = any || !p->control;
    }
    put_chunk(&p->file, "IEND", "", 0);
    return any ? buf_status(&p->file, err) : err_set(err, ERR_CORRUPT, "APNG: a frame without pixels");
}

/* Does with the last frame what it asked for, and keeps what the next one will have undone. */
static enum status dispose(struct apng *p, struct image_frames *f, int next, struct error *err)
{
    size_t bytes = (size_t)f->canvas.width * f->canvas.height * 4;
    if (f->read && p->disposal == DISPOSE_UNDO && p->before.pixels)
        memcpy(f->canvas.pixels, p->before.pixels, bytes);
    else if (f->read && p->disposal != DISPOSE_NONE)
        image_clear_part(&f->canvas, p->x, p->y, p->width, p->height);
    p->disposal = next;
    if (next != DISPOSE_UNDO)
        return OK;
    enum status st = p->before.pixels ? OK : image_allocate(&p->before, f->canvas.width, f->canvas.height, 4, err);
    if (st == OK)
        memcpy(p->before.pixels, f->canvas.pixels, bytes);
    return st;
}

/* A frame without transparency, of 3 channels, as one of 4. */
static enum status with_alpha(struct image *im, struct error *err)
{
    if (im->channels == 4)
        return OK;
    struct image out = {0};
    enum status st = image_allocate(&out, im->width, im->height, 4, err);
    for (size_t i = 0, n = (size_t)im->width * im->height; st == OK && i < n; i++) {
        memcpy(out.pixels + i * 4, im->pixels + i * 3, 3);
        out.pixels[i * 4 + 3] = 255;
    }
    image_free(im);
    *im = out;
    return st;
}

static enum status next_frame(struct image_frames *f, bool *more, struct error *err)
{
    struct apng *p = f->state;
    struct image im = {0};
    const uint8_t *control = p->control;
    *more = control;
    if (!control)
        return OK;
    uint32_t width = image_big_endian(control + 4), height = image_big_endian(control + 8);
    uint32_t x = image_big_endian(control + 12), y = image_big_endian(control + 16);
    if (!width || !height || x > f->canvas.width || y > f->canvas.height || width > f->canvas.width - x ||
        height > f->canvas.height - y)
        return err_set(err, ERR_CORRUPT, "APNG: frame of %u x %u pixels outside its canvas", width, height);
    enum status st = dispose(p, f, control[24], err);
    if (st == OK)
        st = gather_frame(p, width, height, err);
    if (st == OK)
        st = image_png((const uint8_t *)buf_str(&p->file), p->file.len, false, &im, err);
    if (st == OK)
        st = with_alpha(&im, err);
    if (st == OK) {
        image_draw_over(&f->canvas, &im, x, y, control[25] == BLEND_SOURCE);
        p->x = x;
        p->y = y;
        p->width = width;
        p->height = height;
        f->duration_ms = image_frame_ms(image_png_delay_ms(control));
    }
    image_free(&im);
    return st;
}

static void close_frames(struct image_frames *f)
{
    struct apng *p = f->state;
    if (p) {
        buf_free(&p->head);
        buf_free(&p->file);
        image_free(&p->before);
    }
    free(p);
    image_free(&f->canvas);
}

const struct image_frames_class image_png_frames = {open_frames, next_frame, close_frames, NULL};
