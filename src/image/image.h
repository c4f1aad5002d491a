/* image.h: bytes of JPEG, PNG, WebP, GIF, SVG, Lottie, AVIF, HEIC or WebM -> 8-bit RGBA or RGB pixels, and back
 * to the first four and AVIF.
 * All input is hostile: the kind is read from the content, sizes are bounded before memory is taken.
 * The room decodes, resizes and encodes images; it is the only one that sees image libraries, and sees base only. */
#ifndef PEEL_IMAGE_IMAGE_H
#define PEEL_IMAGE_IMAGE_H

#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

enum image_kind {
    IMAGE_UNKNOWN,
    IMAGE_JPEG,
    IMAGE_PNG,
    IMAGE_WEBP,
    IMAGE_GIF,
    IMAGE_SVG,
    IMAGE_LOTTIE,    /* JSON */
    IMAGE_TGS,       /* the same, compressed: Telegram's */
    IMAGE_DOTLOTTIE, /* the same, in a zip */
    IMAGE_AVIF,
    IMAGE_HEIC,
    IMAGE_WEBM, /* VP9: a video, which is an animation here */
    IMAGE_KINDS
};
const char *image_mime(enum image_kind kind);      /* "image/jpeg" ...; static */
const char *image_extension(enum image_kind kind); /* "jpg" ...; static */
enum image_kind image_sniff(const void *data, size_t len);
bool image_is_drawing(enum image_kind kind); /* SVG, Lottie: drawn in any size */
bool image_mime_is_drawing(const char *mime);
bool image_mime_is_shown(const char *mime); /* by browsers, as an image */

#define IMAGE_MAX_SIDE   16384
#define IMAGE_MAX_PIXELS (64u << 20)
#define IMAGE_MAX_BYTES  (32u << 20)

/* pixels: [height][width][channels] bytes, row-major, no padding; malloc'ed, owned. */
struct image {
    uint8_t *pixels;
    uint32_t width, height, channels; /* channels 3 (RGB) or 4 (RGBA, straight alpha) */
    enum image_kind kind;
    uint64_t scratch; /* bytes that the decoder takes beside the pixels, as far as headers tell; of image_memory only */
};
void image_free(struct image *im);

/* Decodes the image (of an animation the poster: see image_poster), applies EXIF orientation, converts CMYK, gray,
 * palette and 16 bit to 8-bit RGB(A). A drawing has its longer side at `svg_side` px (no external references are
 * followed). Errors: UNSUPPORTED (kind), CORRUPT (names why), TOO_LARGE. */
enum status image_decode(const void *data, size_t len, uint32_t svg_side, struct image *out,
                         struct error *err) MUST_CHECK;
/* Only header work: kind and size, without decoding the pixels. An SVG has its longer side at 512 px; a Lottie says. */
enum status image_probe(const void *data, size_t len, enum image_kind *kind, uint32_t *width, uint32_t *height,
                        struct error *err) MUST_CHECK;

/* How many bytes image_decode, or with `film` image_film, takes at most beside the file's own, by its headers; what the
 * parts of an SVG take when they are drawn is not in it. Errors as image_probe. */
enum status image_memory(const void *data, size_t len, uint32_t svg_side, bool film, uint64_t *bytes,
                         struct error *err) MUST_CHECK;

/* Loads what libraries would load from files when they first need it. For a process that gives up opening files. */
void image_prepare(void);

/* How an image moves: a still has one frame and no duration. */
struct image_motion {
    uint32_t frames;
    uint64_t duration_ms; /* of all frames, once */
};
#define IMAGE_MAX_FRAMES        4096u
#define IMAGE_MAX_MOVING_PIXELS (512u << 20) /* of all frames */
#define IMAGE_MAX_DURATION_MS   600000u
/* By the headers of a GIF, WebP, PNG, Lottie or WebM alone; nothing is decoded, and what is cut off is not counted. An
 * SVG is never said to move. A frame of at most 10 ms counts as 100 ms, as browsers show it. */
struct image_motion image_motion(const void *data, size_t len);
bool image_is_animated(const void *data, size_t len); /* more than one frame */
/* Decodes all frames, as proof that they can be. Errors as image_decode; TOO_LARGE also for more than the limits above.
 */
enum status image_check_frames(const void *data, size_t len, struct image_motion *out, struct error *err) MUST_CHECK;

/* What an animation looks like, for whoever has to describe it: its first frame that shows something, the one in the
 * middle and the last, of which those that show nothing are left out. Of a still it is the image, as it is of frames of
 * more than IMAGE_FILM_PIXELS each. */
#define IMAGE_FILM_FRAMES 3u
#define IMAGE_FILM_PIXELS (4u << 20)
struct image_film {
    struct image strip; /* the frames one below another, all of the same height */
    uint32_t frames;    /* 1 to IMAGE_FILM_FRAMES */
};
/* Decodes them. Frames that cannot be decoded end the film. Errors as image_decode. */
enum status image_film(const void *data, size_t len, uint32_t svg_side, struct image_film *out,
                       struct error *err) MUST_CHECK;
/* Frame i, from 0; its pixels are the strip's. */
struct image image_film_frame(const struct image_film *film, uint32_t i);
/* What an image looks like: see look.c. Means of cells, row by row, of the image stretched to a square. */
#define IMAGE_LOOK_LUMA   16u /* cells to a side */
#define IMAGE_LOOK_CHROMA 4u
#define IMAGE_LOOK_ALPHA  8u
struct image_look {
    uint8_t aspect;                                  /* 128 of a square, 64 more where it is twice as wide as high */
    uint8_t luma[IMAGE_LOOK_LUMA * IMAGE_LOOK_LUMA]; /* on white, as are cb and cr */
    uint8_t cb[IMAGE_LOOK_CHROMA * IMAGE_LOOK_CHROMA], cr[IMAGE_LOOK_CHROMA * IMAGE_LOOK_CHROMA];
    uint8_t alpha[IMAGE_LOOK_ALPHA * IMAGE_LOOK_ALPHA];
};
enum status image_look(const struct image *im, struct image_look *out, struct error *err) MUST_CHECK;
/* Whether they are of the same picture. One without transparent parts may be another on white; one of a single colour
 * is like no other. */
bool image_looks_alike(const struct image_look *a, const struct image_look *b);
/* By which candidates are found: keys of looks that are alike differ by at most IMAGE_LOOK_KEY_DIFFERS in each byte. */
#define IMAGE_LOOK_KEY         8u
#define IMAGE_LOOK_KEY_DIFFERS 8
void image_look_key(const struct image_look *l, uint8_t out[IMAGE_LOOK_KEY]);

/* RGBA composited over white, in place, leaving 3 channels. */
void image_flatten_white(struct image *im);

enum image_filter { IMAGE_BILINEAR = 2, IMAGE_BICUBIC = 3, IMAGE_LANCZOS = 1 }; /* Pillow's numbers */
/* Bit-equal to Pillow's Image.resize on 8-bit RGB / RGBA (RGBA premultiplied as Pillow does). */
enum status image_resize(const struct image *in, uint32_t width, uint32_t height, enum image_filter filter,
                         struct image *out, struct error *err) MUST_CHECK;
/* The pixels (x, y) .. (x + out_width, y + out_height) of what image_resize would give; only they are computed. */
enum status image_resize_part(const struct image *in, uint32_t width, uint32_t height, enum image_filter filter,
                              uint32_t x, uint32_t y, uint32_t out_width, uint32_t out_height, struct image *out,
                              struct error *err) MUST_CHECK;
/* The image (of an animation the poster) as another file, at most `width` pixels wide and 4 * width high, never
 * enlarged unless it is a drawing (SVG). Errors as image_decode, and UNSUPPORTED for a kind that is not written. */
enum status image_rendition(const void *data, size_t len, uint32_t width, enum image_kind kind, struct buf *out,
                            struct error *err) MUST_CHECK;
/* The same, but as WebP and GIF an animation moves; it has fewer frames than the image where they would be too many. */
enum status image_animation(const void *data, size_t len, uint32_t width, enum image_kind kind, struct buf *out,
                            struct error *err) MUST_CHECK;
/* How an animation becomes a square WebP, as messengers want them. */
struct image_square {
    uint32_t side, quality; /* pixels; 0 to 100, as libwebp counts */
    uint32_t step_ms;       /* a frame that is shown for less goes into the one before it */
    uint32_t longest_ms;    /* where the animation is cut off */
};
/* Enlarged or made smaller, in the middle of nothing. UNSUPPORTED for what does not move. */
enum status image_square_animation(const void *data, size_t len, const struct image_square *as, struct buf *out,
                                   struct error *err) MUST_CHECK;
/* The same of an image: RGBA pixels, [side][side]. */
enum status image_fit_square(const struct image *in, uint32_t side, struct image *out, struct error *err) MUST_CHECK;
#define IMAGE_WIDEST_THUMBNAIL 1024u
/* How large that makes an image, of which `width` and `height` are not 0. */
void image_thumbnail_size(uint32_t width, uint32_t height, bool drawing, uint32_t thumbnail_width, uint32_t *out_width,
                          uint32_t *out_height);
/* The longer side, in pixels, at which a drawing of these proportions is drawn for a thumbnail. */
uint32_t image_thumbnail_side(uint32_t width, uint32_t height, uint32_t thumbnail_width);
bool image_can_encode(enum image_kind kind);
/* Appends a file of this kind; a JPEG has the image on white, which `im` is from then on. */
enum status image_encode(struct image *im, enum image_kind kind, struct buf *out, struct error *err) MUST_CHECK;
enum status image_encode_webp(const struct image *im, float quality, struct buf *out, struct error *err) MUST_CHECK;

#endif
