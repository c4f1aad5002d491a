#include "image/image_internal.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

struct source {
    const uint8_t *data;
    size_t len, at;
    char message[128];
};

static void png_on_read(png_structp png, png_bytep out, size_t n)
{
    struct source *s = png_get_io_ptr(png);
    if (n > s->len - s->at)
        png_error(png, "the file is damaged or incomplete");
    memcpy(out, s->data + s->at, n);
    s->at += n;
}

static void png_on_error(png_structp png, png_const_charp message)
{
    struct source *s = png_get_error_ptr(png);
    snprintf(s->message, sizeof s->message, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

enum status image_png(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err)
{
    struct source s = {.data = data, .len = len};
    png_infop info = NULL;
    uint8_t **volatile rows = NULL;
    volatile enum status st = OK;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, png_on_error, on_warning);
    if (png)
        info = png_create_info_struct(png);
    if (!png || !info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return err_no_memory(err, "PNG");
    }
    if (setjmp(png_jmpbuf(png))) {
        st = err_set(err, ERR_CORRUPT, "PNG: %s", s.message);
        goto out;
    }
    png_set_user_limits(png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_chunk_cache_max(png, 128);
    png_set_read_fn(png, &s, png_on_read);
    /* libpng's own answer to a side that is too long is "Invalid IHDR data"; ours names the numbers. */
    if (len >= 24) {
        const uint8_t *p = data + 16;
        uint64_t w = (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
        uint64_t h = (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 | (uint64_t)p[6] << 8 | p[7];
        st = image_check_size(w, h, err);
        if (st != OK)
            goto out;
    }
    png_read_info(png, info);
    out->width = png_get_image_width(png, info);
    out->height = png_get_image_height(png, info);
    if (probe)
        goto out;
    png_set_expand(png);   /* palette to RGB, gray to 8 bit, tRNS to alpha */
    png_set_strip_16(png); /* the upper byte, as Pillow takes it */
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    uint32_t channels = png_get_channels(png, info);
    st = image_allocate(out, out->width, out->height, channels, err);
    if (st != OK)
        goto out;
    if (channels < 3 || channels > 4 || png_get_rowbytes(png, info) != (size_t)out->width * channels) {
        st = err_set(err, ERR_UNSUPPORTED, "PNG: unusual pixel format");
        goto out;
    }
    rows = malloc(out->height * sizeof *rows);
    if (!rows) {
        st = err_no_memory(err, "PNG");
        goto out;
    }
    for (uint32_t y = 0; y < out->height; y++)
        rows[y] = out->pixels + (size_t)y * out->width * channels;
    png_read_image(png, rows);
    png_read_end(png, NULL);
out:
    free(rows);
    png_destroy_read_struct(&png, &info, NULL);
    return st;
}
