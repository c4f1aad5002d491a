#include "image/image_internal.h"

#include <png.h>
#include <stdlib.h>

#define LEVEL 6 /* of zlib: beyond it, stickers take twice the time for a hundredth less */

static void png_on_write(png_structp png, png_bytep data, size_t n)
{
    struct buf *out = png_get_io_ptr(png);
    buf_append(out, data, n);
    if (out->failed)
        png_longjmp(png, 1);
}

static void png_on_flush(png_structp png)
{
    (void)png;
}

static void png_on_encode_error(png_structp png, png_const_charp message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void png_on_encode_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

enum status image_encode_png(const struct image *im, struct buf *out, struct error *err)
{
    volatile enum status st = OK;
    png_infop info = NULL;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, png_on_encode_error, png_on_encode_warning);
    if (png)
        info = png_create_info_struct(png);
    if (!png || !info) {
        png_destroy_write_struct(&png, NULL);
        return err_no_memory(err, "PNG");
    }
    if (setjmp(png_jmpbuf(png))) {
        st = buf_status(out, err);
        if (st == OK)
            st = err_no_memory(err, "PNG");
        goto out;
    }
    png_set_write_fn(png, out, png_on_write, png_on_flush);
    png_set_compression_level(png, LEVEL);
    png_set_IHDR(png, info, im->width, im->height, 8, im->channels == 4 ? PNG_COLOR_TYPE_RGBA : PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < im->height; y++)
        png_write_row(png, im->pixels + (size_t)y * im->width * im->channels);
    png_write_end(png, NULL);
    st = buf_status(out, err);
out:
    png_destroy_write_struct(&png, &info);
    return st;
}
