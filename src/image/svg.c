/* librsvg loads from memory without a base URL, so that no file or network reference is followed, and it
 * bounds nesting and repeated use. svg_check.c refuses what it should not see at all. A drawing that passes may still
 * take long or much memory: only a process that may be killed should draw those of strangers (src/sandbox). */
#include "image/image_internal.h"

#include <cairo.h>
#include <librsvg/rsvg.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#define MAX_BYTES (4u << 20)

/* Others would need modules of iconv, which are files. */
static bool is_known_encoding(const char *s, size_t len)
{
    static const char *const known[] = {"utf-8", "us-ascii", "iso-8859-1"};
    size_t mark = len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    s += mark;
    len -= mark;
    const char *end = len > 5 && memcmp(s, "<?xml", 5) == 0 ? memmem(s, len, "?>", 2) : NULL;
    const char *at = end ? memmem(s, (size_t)(end - s), "encoding", 8) : NULL;
    if (!at)
        return true;
    at += 8 + strspn(at + 8, " \t\r\n=\"'"); /* stops at "?>" at the latest */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncasecmp(at, known[i], strlen(known[i])) == 0 && strchr("\"'", at[strlen(known[i])]))
            return true;
    return false;
}

/* The natural size in pixels: width and height, else the view box, else what browsers take (CSS 2.2, section 10.3.2).
 */
static void natural_size(RsvgHandle *svg, double *width, double *height)
{
    RsvgLength w, h;
    RsvgRectangle box;
    gboolean has_w, has_h, has_box;
    if (rsvg_handle_get_intrinsic_size_in_pixels(svg, width, height))
        return;
    rsvg_handle_get_intrinsic_dimensions(svg, &has_w, &w, &has_h, &h, &has_box, &box);
    *width = has_box ? box.width : 300;
    *height = has_box ? box.height : 150;
}

/* Into out, which is all zeros. Most pixels of a sticker are empty. */
static void unpremultiply(const uint8_t *from, int stride, struct image *out)
{
    for (uint32_t y = 0; y < out->height; y++) {
        const uint8_t *row = from + (size_t)y * (size_t)stride;
        uint8_t *to = out->pixels + (size_t)y * out->width * 4;
        for (size_t x = 0; x < out->width; x++) {
            uint32_t p;
            memcpy(&p, row + 4 * x, 4);
            if (p >> 24)
                image_from_argb(p, to + 4 * x);
        }
    }
}

/* What librsvg says, of which only the first line is a sentence; it names the status of cairo by its last words. */
static enum status refused(const GError *why, const char *otherwise, struct error *err)
{
    const char *says = why ? why->message : otherwise;
    bool memory = strstr(says, "NoMemory") || strcasestr(says, "out of memory");
    return err_set(err, memory ? ERR_NO_MEMORY : ERR_CORRUPT, "SVG: %.*s", (int)strcspn(says, "\n"), says);
}

static enum status render(RsvgHandle *svg, struct image *out, struct error *err)
{
    enum status st = OK;
    GError *why = NULL;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, (int)out->width, (int)out->height);
    cairo_t *cairo = cairo_create(surface);
    RsvgRectangle whole = {0, 0, out->width, out->height};
    if (cairo_status(cairo) != CAIRO_STATUS_SUCCESS)
        st = err_set(err, ERR_NO_MEMORY, "SVG: %s", cairo_status_to_string(cairo_status(cairo)));
    else if (!rsvg_handle_render_document(svg, cairo, &whole, &why))
        st = refused(why, "cannot be drawn", err);
    cairo_surface_flush(surface);
    if (st == OK)
        unpremultiply(cairo_image_surface_get_data(surface), cairo_image_surface_get_stride(surface), out);
    g_clear_error(&why);
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    return st;
}

enum status image_svg(const uint8_t *data, size_t len, bool probe, uint32_t side, struct image *out, struct error *err)
{
    GError *why = NULL;
    double width, height;
    if (len > MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "SVG of %zu bytes: at most %u are allowed", len, MAX_BYTES);
    if (!is_known_encoding((const char *)data, len))
        return err_set(err, ERR_UNSUPPORTED, "SVG: expected UTF-8, US-ASCII or ISO-8859-1");
    enum status st = image_svg_check(data, len, err);
    if (st != OK)
        return st;
    RsvgHandle *svg = rsvg_handle_new_from_data(data, len, &why);
    if (!svg) {
        st = refused(why, "cannot be read", err);
        g_clear_error(&why);
        return st;
    }
    rsvg_handle_set_dpi(svg, 96);
    natural_size(svg, &width, &height);
    if (!(width > 0 && height > 0 && isfinite(width) && isfinite(height))) {
        st = err_set(err, ERR_CORRUPT, "SVG: size of %g x %g", width, height);
    } else {
        double scale = side / fmax(width, height);
        uint64_t w = (uint64_t)fmax(1, round(width * scale)), h = (uint64_t)fmax(1, round(height * scale));
        if (probe) {
            out->width = (uint32_t)w;
            out->height = (uint32_t)h;
        } else {
            st = image_allocate(out, w, h, 4, err);
            if (st == OK)
                st = render(svg, out, err);
        }
    }
    g_object_unref(svg);
    return st;
}
