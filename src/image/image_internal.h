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
/* Whether a drawing is well-formed and names nothing but its own parts; see svg_check.c. UNSUPPORTED or TOO_LARGE says
 * what it may not have, CORRUPT where it is broken. */
enum status image_svg_check(const uint8_t *data, size_t len, struct error *err) MUST_CHECK;

/* The encoders, beside that of WebP: append a whole file, or fail for want of memory or room. A JPEG is of 3 channels.
 */
enum status image_encode_jpeg(const struct image *im, int quality, struct buf *out, struct error *err) MUST_CHECK;
enum status image_encode_png(const struct image *im, struct buf *out, struct error *err) MUST_CHECK;
enum status image_encode_gif(const struct image *im, struct buf *out, struct error *err) MUST_CHECK;

/* The orientation (1..8) that an EXIF block (TIFF header first) or the container around it asks for; 1 if
 * none, broken or unknown. CIPA DC-008, tag 0x0112. */
int image_exif_orientation(const uint8_t *tiff, size_t len);
int image_orientation(const uint8_t *data, size_t len, enum image_kind kind);
enum status image_orient(struct image *im, int orientation, struct error *err) MUST_CHECK;

#endif
