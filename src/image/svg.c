/* librsvg loads from memory without a base URL, so that no file or network reference is followed, and it
 * bounds nesting and repeated use. What a few bytes could make very large or very slow is refused before it
 * sees them: pictures inside the drawing, entities, and filters whose cost grows with a number in the file. */
#include "image/image_internal.h"

#include <cairo.h>
#include <librsvg/rsvg.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#define MAX_BYTES    (4u << 20)
#define MAX_ELEMENTS 50000u

static const char *const refused[] = {"image", "feImage", "feTurbulence", "feMorphology", "feConvolveMatrix"};

/* In an encoding that is not ASCII's superset, what is looked for here could hide. */
static bool is_known_encoding(const char *s, size_t len)
{
    static const char *const known[] = {"utf-8", "us-ascii", "iso-8859-1"};
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

static size_t name_length(const char *s, const char *end)
{
    size_t n = 0;
    while (s + n < end && s[n] && !strchr(" \t\r\n/>", s[n]))
        n++;
    return n;
}

static enum status lint(const char *s, size_t len, struct error *err)
{
    const char *end = s + len;
    size_t elements = 0;
    if (len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
        s += 3;
    if (memchr(s, '\0', (size_t)(end - s)) || !is_known_encoding(s, (size_t)(end - s)))
        return err_set(err, ERR_UNSUPPORTED, "SVG: expected UTF-8, US-ASCII or ISO-8859-1");
    if (memmem(s, (size_t)(end - s), "<!ENTITY", 8))
        return err_set(err, ERR_UNSUPPORTED, "SVG: declares entities");
    while ((s = memchr(s, '<', (size_t)(end - s)))) {
        s++;
        if (end - s >= 3 && memcmp(s, "!--", 3) == 0) {
            s = memmem(s + 3, (size_t)(end - s) - 3, "-->", 3);
            if (!s)
                break; /* librsvg says what is wrong */
            continue;
        }
        size_t n = name_length(s, end);
        const char *colon = memchr(s, ':', n), *name = colon ? colon + 1 : s;
        n -= (size_t)(name - s);
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
            if (n == strlen(refused[i]) && memcmp(name, refused[i], n) == 0)
                return err_set(err, ERR_UNSUPPORTED, "SVG: has a <%s>, which is not drawn here", refused[i]);
        if (++elements > MAX_ELEMENTS)
            return err_set(err, ERR_TOO_LARGE, "SVG: more than %u elements", MAX_ELEMENTS);
    }
    return OK;
}

/* The natural size in pixels: width and height, else the view box, else a square. */
static void natural_size(RsvgHandle *svg, double *width, double *height)
{
    RsvgLength w, h;
    RsvgRectangle box;
    gboolean has_w, has_h, has_box;
    if (rsvg_handle_get_intrinsic_size_in_pixels(svg, width, height))
        return;
    rsvg_handle_get_intrinsic_dimensions(svg, &has_w, &w, &has_h, &h, &has_box, &box);
    *width = has_box ? box.width : 100;
    *height = has_box ? box.height : 100;
}

/* Cairo's native-endian premultiplied ARGB to straight RGBA. */
static void unpremultiply(const uint8_t *from, int stride, struct image *out)
{
    for (uint32_t y = 0; y < out->height; y++) {
        uint8_t *to = out->pixels + (size_t)y * out->width * 4;
        for (uint32_t x = 0; x < out->width; x++, to += 4) {
            uint32_t p;
            memcpy(&p, from + (size_t)y * (size_t)stride + (size_t)x * 4, 4);
            uint32_t alpha = p >> 24;
            for (unsigned c = 0; c < 3 && alpha; c++) {
                uint32_t v = ((p >> (16 - 8 * c) & 255) * 255 + alpha / 2) / alpha;
                to[c] = (uint8_t)(v > 255 ? 255 : v);
            }
            to[3] = (uint8_t)alpha;
        }
    }
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
        st = err_set(err, ERR_CORRUPT, "SVG: %s", why ? why->message : "cannot be drawn");
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
    enum status st = lint((const char *)data, len, err);
    if (st != OK)
        return st;
    RsvgHandle *svg = rsvg_handle_new_from_data(data, len, &why);
    if (!svg) {
        st = err_set(err, ERR_CORRUPT, "SVG: %s", why ? why->message : "cannot be read");
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
