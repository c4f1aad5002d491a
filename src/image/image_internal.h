/* image_internal.h: the decoders, for image.c only. Each gets whole bytes that image_sniff recognised
 * and fills width, height, channels and pixels; bounds are checked by image_allocate before memory is taken. */
#ifndef PEEL_IMAGE_INTERNAL_H
#define PEEL_IMAGE_INTERNAL_H

#include "image/image.h"

/* Checks the sides and takes width * height * channels bytes, zeroed. */
enum status image_allocate(struct image *im, uint64_t width, uint64_t height, uint32_t channels,
                           struct error *err) MUST_CHECK;
enum status image_check_size(uint64_t width, uint64_t height, struct error *err) MUST_CHECK;

/* With `probe` only the size is filled. */
enum status image_jpeg(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err) MUST_CHECK;
enum status image_png(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err) MUST_CHECK;
enum status image_webp(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err) MUST_CHECK;
enum status image_gif(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err) MUST_CHECK;
enum status image_svg(const uint8_t *data, size_t len, bool probe, uint32_t side, struct image *out,
                      struct error *err) MUST_CHECK;
enum status image_lottie(const uint8_t *data, size_t len, bool probe, uint32_t side, struct image *out,
                         struct error *err) MUST_CHECK;
/* AVIF and HEIC, and which of them a file says that it is; IMAGE_UNKNOWN: neither. */
enum status image_heif(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err) MUST_CHECK;
enum image_kind image_heif_kind(const uint8_t *data, size_t len);
enum status image_webm(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err) MUST_CHECK;
bool image_is_webm(const uint8_t *data, size_t len);
/* Whether a gzip file begins as JSON. */
bool image_gzip_is_json(const uint8_t *data, size_t len);
struct image_motion image_lottie_motion(const uint8_t *data, size_t len);
struct image_motion image_webm_motion(const uint8_t *data, size_t len);
/* Whether a drawing is well-formed and names nothing but its own parts; see svg_check.c. UNSUPPORTED or TOO_LARGE says
 * what it may not have, CORRUPT where it is broken. */
enum status image_svg_check(const uint8_t *data, size_t len, struct error *err) MUST_CHECK;

/* --- animations --- */

/* The frames of an animation, one after another, each as the whole picture that is shown. */
struct image_frames {
    struct image canvas; /* RGBA; of the last frame that was read. Pixels may belong to the decoder: close frees them */
    uint32_t side;       /* of a drawing: its longer one, in pixels; 0: small, as a proof */
    uint32_t duration_ms; /* of that frame */
    uint32_t loops;       /* how often the whole is shown; 0: for ever */
    uint32_t read;        /* how many frames were */
    const struct image_frames_class *class;
    void *state;
};
struct image_frames_class {
    /* Fills canvas' sides and state. */
    enum status (*open)(const uint8_t *data, size_t len, struct image_frames *f, struct error *err);
    /* Reads the next one into the canvas; *more is false at the end. */
    enum status (*next)(struct image_frames *f, bool *more, struct error *err);
    void (*close)(struct image_frames *f); /* also what is half open */
    /* Like next, but nobody will look at the canvas; NULL: as next. */
    enum status (*skip)(struct image_frames *f, bool *more, struct error *err);
};
extern const struct image_frames_class image_gif_frames, image_webp_frames, image_png_frames, image_lottie_frames,
    image_webm_frames;

/* data: borrowed until close. UNSUPPORTED for what does not move. image_frames_next refuses, as TOO_LARGE, what exceeds
 * the limits in image.h. Close also what could not be opened. */
enum status image_frames_open(const void *data, size_t len, uint32_t side, struct image_frames *out,
                              struct error *err) MUST_CHECK;
enum status image_frames_next(struct image_frames *f, bool *more, struct error *err) MUST_CHECK;
/* Reads the next frame without its pixels, where that is less work. */
enum status image_frames_skip(struct image_frames *f, bool *more, struct error *err) MUST_CHECK;
void image_frames_close(struct image_frames *f);
/* The first of them alone, RGBA. */
enum status image_first_frame(const void *data, size_t len, uint32_t side, struct image *out,
                              struct error *err) MUST_CHECK;
/* As browsers show it: what lasts at most 10 ms lasts 100; never more than IMAGE_MAX_DURATION_MS. */
uint32_t image_frame_ms(uint64_t ms);

/* What stands for an animation whose first frame is `first`: the first frame in which at least a fiftieth of the pixels
 * differs from the corner's, else the one in which most do. `first` becomes that one. Frames that cannot be decoded end
 * the search. */
void image_poster(const void *data, size_t len, struct image *first);

/* Draws `top` over the canvas at (x, y), within which it lies; both RGBA. `replace`: the canvas gets its alpha, too. */
void image_draw_over(struct image *canvas, const struct image *top, uint32_t x, uint32_t y, bool replace);
void image_clear_part(struct image *canvas, uint32_t x, uint32_t y, uint32_t width, uint32_t height);

/* A PNG's chunks, whose checksums are not looked at. */
#define IMAGE_PNG_SIGNATURE 8u
struct image_png_chunk {
    const uint8_t *whole, *name, *data; /* with its length; its 4 letters; [len] */
    size_t len;
};
/* The chunk at *at, and moves on; false at the end of those that are whole. */
bool image_png_chunk(const uint8_t *data, size_t len, size_t *at, struct image_png_chunk *out);
uint64_t image_png_delay_ms(const uint8_t *fctl); /* [26] */
/* A colour that was multiplied by alpha, 1..255, as it was; and a pixel of such colours, native-endian ARGB as Cairo
 * and rlottie draw it, as RGBA. */
uint8_t image_straight(unsigned value, unsigned alpha);
void image_from_argb(uint32_t p, uint8_t to[4]);
uint32_t image_big_endian(const uint8_t *p); /* [4] */

/* The encoders, beside that of WebP: append a whole file, or fail for want of memory or room. A JPEG is of 3 channels.
 */
enum status image_encode_jpeg(const struct image *im, int quality, struct buf *out, struct error *err) MUST_CHECK;
enum status image_encode_png(const struct image *im, struct buf *out, struct error *err) MUST_CHECK;
enum status image_encode_avif(const struct image *im, struct buf *out, struct error *err) MUST_CHECK;
enum status image_encode_gif(const struct image *im, struct buf *out, struct error *err) MUST_CHECK;
/* A GIF of several frames, each of the same size and with colours of its own. loops: 0 for ever. `out`: borrowed until
 * the end; image_gif_finish writes it. Free also what was not begun or finished. */
struct image_gif_writer;
enum status image_gif_begin(uint32_t width, uint32_t height, uint32_t loops, struct buf *out,
                            struct image_gif_writer **w, struct error *err) MUST_CHECK;
enum status image_gif_add(struct image_gif_writer *w, const struct image *im, uint32_t hundredths,
                          struct error *err) MUST_CHECK;
enum status image_gif_finish(struct image_gif_writer *w, struct error *err) MUST_CHECK;
void image_gif_free(struct image_gif_writer *w);

/* The orientation (1..8) that an EXIF block (TIFF header first) or the container around it asks for; 1 if
 * none, broken or unknown. CIPA DC-008, tag 0x0112. */
int image_exif_orientation(const uint8_t *tiff, size_t len);
int image_orientation(const uint8_t *data, size_t len, enum image_kind kind);
enum status image_orient(struct image *im, int orientation, struct error *err) MUST_CHECK;

#endif
