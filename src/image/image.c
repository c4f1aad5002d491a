#include "image/image_internal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *image_mime(enum image_kind kind)
{
    static const char *const mime[] = {"application/octet-stream",
                                       "image/jpeg",
                                       "image/png",
                                       "image/webp",
                                       "image/gif",
                                       "image/svg+xml",
                                       "video/lottie+json",
                                       "application/x-tgsticker",
                                       "application/zip+dotlottie",
                                       "image/avif",
                                       "image/heic",
                                       "video/webm"};
    return mime[kind];
}

const char *image_extension(enum image_kind kind)
{
    static const char *const extension[] = {"bin",  "jpg", "png",    "webp", "gif",  "svg",
                                            "json", "tgs", "lottie", "avif", "heic", "webm"};
    return extension[kind];
}

/* Where a declaration ends, "<!DOCTYPE svg [ ... ]>" as well; NULL: nowhere. */
static const char *declaration_end(const char *s, size_t len)
{
    const char *end = memchr(s, '>', len), *subset = memchr(s, '[', len);
    if (!end || !subset || subset > end)
        return end;
    const char *closed = memmem(subset, len - (size_t)(subset - s), "]>", 2);
    return closed ? closed + 1 : NULL;
}

/* "svg" or "prefix:svg", after "<". */
static bool is_svg_element(const char *s, size_t len)
{
    size_t name = 0;
    while (name < len && !strchr(" \t\r\n>/:<", s[name]))
        name++;
    if (name < len && s[name] == ':') {
        s += name + 1;
        len -= name + 1;
        name = 3;
    }
    return name == 3 && len > 3 && memcmp(s, "svg", 3) == 0 && s[3] && strchr(" \t\r\n>/", s[3]);
}

/* An SVG begins, after white space, a BOM, declarations and comments, with an <svg> element. */
static bool looks_like_svg(const char *s, size_t len)
{
    size_t i = len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (i < len) {
        if (strchr(" \t\r\n", s[i]) && s[i]) {
            i++;
            continue;
        }
        if (s[i] == '<' && is_svg_element(s + i + 1, len - i - 1))
            return true;
        const char *end = NULL;
        if (len - i >= 4 && memcmp(s + i, "<!--", 4) == 0)
            end = memmem(s + i + 4, len - i - 4, "-->", 3);
        else if (len - i >= 2 && memcmp(s + i, "<?", 2) == 0)
            end = memchr(s + i, '>', len - i);
        else if (len - i >= 2 && memcmp(s + i, "<!", 2) == 0)
            end = declaration_end(s + i, len - i);
        if (!end)
            return false;
        i = (size_t)(end - s) + (*end == '-' ? 3 : 1);
    }
    return false;
}

bool image_is_drawing(enum image_kind kind)
{
    return kind == IMAGE_SVG || kind == IMAGE_LOTTIE || kind == IMAGE_TGS || kind == IMAGE_DOTLOTTIE;
}

static enum image_kind kind_of(const char *mime)
{
    enum image_kind kind = IMAGE_JPEG;
    while (kind < IMAGE_KINDS && strcmp(mime, image_mime(kind)) != 0)
        kind++;
    return kind < IMAGE_KINDS ? kind : IMAGE_UNKNOWN;
}

bool image_mime_is_drawing(const char *mime)
{
    return image_is_drawing(kind_of(mime));
}

bool image_mime_is_shown(const char *mime)
{
    enum image_kind kind = kind_of(mime);
    return kind == IMAGE_SVG || (!image_is_drawing(kind) && kind != IMAGE_HEIC && kind != IMAGE_WEBM);
}

/* An object that has what a Lottie must have. */
static bool looks_like_lottie(const char *s, size_t len)
{
    static const char *const members[] = {"\"layers\"", "\"op\"", "\"fr\""};
    size_t at = len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < len && s[at] && strchr(" \t\r\n", s[at]))
        at++;
    bool found = at < len && s[at] == '{';
    for (size_t i = 0; found && i < sizeof members / sizeof *members; i++)
        found = memmem(s, len, members[i], strlen(members[i]));
    return found;
}

/* What is almost an image, and how it becomes one. */
static enum status not_an_image(const char *data, size_t len, struct error *err)
{
    if (len >= 3 && memcmp(data, "\x1f\x8b\x08", 3) == 0)
        return err_set(err, ERR_UNSUPPORTED, "compressed with gzip, as .svgz is: decompress it first");
    if (len >= 4 && (memcmp(data, "\xff\xfe<", 4) == 0 || memcmp(data, "\xfe\xff\0<", 4) == 0))
        return err_set(err, ERR_UNSUPPORTED, "XML in UTF-16: save it as UTF-8");
    return err_set(err, ERR_UNSUPPORTED, "not a JPEG, PNG, WebP, GIF, SVG, Lottie, AVIF, HEIC or WebM image");
}

enum image_kind image_sniff(const void *data, size_t len)
{
    const char *d = data;
    if (len >= 3 && memcmp(d, "\xff\xd8\xff", 3) == 0)
        return IMAGE_JPEG;
    if (len >= 8 && memcmp(d, "\x89PNG\r\n\x1a\n", 8) == 0)
        return IMAGE_PNG;
    if (len >= 12 && memcmp(d, "RIFF", 4) == 0 && memcmp(d + 8, "WEBP", 4) == 0)
        return IMAGE_WEBP;
    if (len >= 6 && (memcmp(d, "GIF87a", 6) == 0 || memcmp(d, "GIF89a", 6) == 0))
        return IMAGE_GIF;
    if (image_is_webm(data, len))
        return IMAGE_WEBM;
    enum image_kind heif = image_heif_kind(data, len);
    if (heif)
        return heif;
    if (looks_like_svg(d, len < 65536 ? len : 65536))
        return IMAGE_SVG;
    if (len >= 3 && memcmp(d, "\x1f\x8b\x08", 3) == 0 && image_gzip_is_json(data, len < 4096 ? len : 4096))
        return IMAGE_TGS;
    if (len >= 4 && memcmp(d, "PK\3\4", 4) == 0 && memmem(d, len, "manifest.json", 13))
        return IMAGE_DOTLOTTIE;
    if (looks_like_lottie(d, len < (2u << 20) ? len : 2u << 20))
        return IMAGE_LOTTIE;
    return IMAGE_UNKNOWN;
}

uint8_t image_straight(unsigned value, unsigned alpha)
{
    unsigned straight = (value * 255 + alpha / 2) / alpha;
    return (uint8_t)(straight < 255 ? straight : 255);
}

/* Most pixels are empty or opaque: only edges are divided. */
void image_from_argb(uint32_t p, uint8_t to[4])
{
    uint32_t alpha = p >> 24, opaque = htobe32(p << 8 | alpha);
    if (alpha == 0 || alpha == 255) {
        memcpy(to, &opaque, 4);
        return;
    }
    for (unsigned c = 0; c < 3; c++)
        to[c] = image_straight(p >> (16 - 8 * c) & 255, alpha);
    to[3] = (uint8_t)alpha;
}

void image_free(struct image *im)
{
    free(im->pixels);
    *im = (struct image){0};
}

enum status image_check_size(uint64_t width, uint64_t height, struct error *err)
{
    if (width < 1 || height < 1)
        return err_set(err, ERR_CORRUPT, "image of %llu x %llu pixels", (unsigned long long)width,
                       (unsigned long long)height);
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE || width * height > IMAGE_MAX_PIXELS)
        return err_set(err, ERR_TOO_LARGE, "image of %llu x %llu pixels: at most %u a side and %u in all are allowed",
                       (unsigned long long)width, (unsigned long long)height, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS);
    return OK;
}

enum status image_allocate(struct image *im, uint64_t width, uint64_t height, uint32_t channels, struct error *err)
{
    enum status st = image_check_size(width, height, err);
    if (st != OK)
        return st;
    im->pixels = calloc((size_t)(width * height), channels);
    if (!im->pixels)
        return err_no_memory(err, "an image of %llu x %llu pixels", (unsigned long long)width,
                             (unsigned long long)height);
    im->width = (uint32_t)width;
    im->height = (uint32_t)height;
    im->channels = channels;
    return OK;
}

static enum status read_image(const void *data, size_t len, bool probe, uint32_t svg_side, struct image *out,
                              struct error *err)
{
    *out = (struct image){0};
    if (len > IMAGE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "image of %zu bytes: at most %u are allowed", len, IMAGE_MAX_BYTES);
    enum status st;
    enum image_kind kind = image_sniff(data, len);
    switch (kind) {
    case IMAGE_JPEG:
        st = image_jpeg(data, len, probe, out, err);
        break;
    case IMAGE_PNG:
        st = image_png(data, len, probe, out, err);
        break;
    case IMAGE_WEBP:
        st = image_webp(data, len, probe, out, err);
        break;
    case IMAGE_GIF:
        st = image_gif(data, len, probe, out, err);
        break;
    case IMAGE_SVG:
        st = image_svg(data, len, probe, svg_side, out, err);
        break;
    case IMAGE_LOTTIE:
    case IMAGE_TGS:
    case IMAGE_DOTLOTTIE:
        st = image_lottie(data, len, probe, svg_side, out, err);
        break;
    case IMAGE_AVIF:
    case IMAGE_HEIC:
        st = image_heif(data, len, probe, out, err);
        break;
    case IMAGE_WEBM:
        st = image_webm(data, len, probe, out, err);
        break;
    default:
        return not_an_image(data, len, err);
    }
    if (st == OK)
        st = image_check_size(out->width, out->height, err);
    int orientation = st == OK ? image_orientation(data, len, kind) : 1;
    if (st == OK && probe && orientation > 4) {
        uint32_t width = out->width;
        out->width = out->height;
        out->height = width;
    } else if (st == OK && !probe) {
        if (image_is_animated(data, len))
            image_poster(data, len, out);
        st = image_orient(out, orientation, err);
    }
    if (st != OK)
        image_free(out);
    out->kind = kind;
    return st;
}

enum status image_decode(const void *data, size_t len, uint32_t svg_side, struct image *out, struct error *err)
{
    return read_image(data, len, false, svg_side, out, err);
}

enum status image_probe(const void *data, size_t len, enum image_kind *kind, uint32_t *width, uint32_t *height,
                        struct error *err)
{
    struct image im;
    enum status st = read_image(data, len, true, 512, &im, err);
    *kind = im.kind;
    *width = im.width;
    *height = im.height;
    return st;
}

enum status image_memory(const void *data, size_t len, uint32_t svg_side, bool film, uint64_t *bytes, struct error *err)
{
    struct image im = {0};
    if (image_sniff(data, len) == IMAGE_SVG) { /* what is drawn, and cairo's surface */
        *bytes = (uint64_t)svg_side * svg_side * 8;
        return OK;
    }
    enum status st = read_image(data, len, true, svg_side, &im, err);
    if (image_is_drawing(im.kind)) { /* a canvas, rlottie's layers, and what it makes of the text */
        *bytes = st == OK ? (uint64_t)svg_side * svg_side * (film ? 32 : 16) + (8u << 20) : 0;
        return st;
    }
    uint64_t pixels = (uint64_t)im.width * im.height * (im.kind == IMAGE_JPEG ? 3 : 4);
    bool turned = st == OK && image_orientation(data, len, im.kind) > 1; /* into a second copy */
    bool moves = st == OK && image_is_animated(data, len);               /* a canvas, what was before, and a frame */
    unsigned kept = film && moves && pixels <= 4u * IMAGE_FILM_PIXELS ? 2 * IMAGE_FILM_FRAMES : 0; /* and joined */
    *bytes = st == OK ? im.scratch + pixels * (1u + turned + 3u * moves + kept) : 0;
    return st;
}

void image_flatten_white(struct image *im)
{
    if (im->channels != 4)
        return;
    size_t n = (size_t)im->width * im->height;
    uint8_t *p = im->pixels;
    for (size_t i = 0; i < n; i++) {
        unsigned alpha = p[4 * i + 3];
        for (size_t c = 0; c < 3; c++) {
            unsigned mixed = p[4 * i + c] * alpha + 255 * (255 - alpha) + 128;
            p[3 * i + c] = (uint8_t)((mixed + (mixed >> 8)) >> 8);
        }
    }
    im->channels = 3;
}
