/* resize.h: the two passes of the resizer, one implementation per instruction set; private to src/image. */
#ifndef PEEL_IMAGE_RESIZE_H
#define PEEL_IMAGE_RESIZE_H

#include "image/image.h"
#include <stddef.h>
#include <stdint.h>

#define RESIZE_PRECISION 22 /* fractional bits of a weight; Pillow's 32 - 8 - 2 */
#define RESIZE_LOW_BITS  12 /* weight = high << RESIZE_LOW_BITS | low, so that 16-bit products can be used */

/* For each of n output positions: the first input position, how many, and their weights. All arrays of
 * weights are [n, per], zero past `count`; per is a multiple of 4. */
struct resize_taps {
    uint32_t n, *first, *count;
    size_t per;
    int32_t *weight;
    int16_t *high, *low;
};

/* Both give exactly the same bytes. */
struct resize_kernels {
    const char *name;
    /* in: [rows, stride] bytes, of which `available` may be read; out: [rows, t->n, channels] */
    void (*across)(const uint8_t *in, size_t available, size_t stride, uint32_t rows, uint32_t channels,
                   const struct resize_taps *t, uint8_t *out);
    /* in: [input rows, width] bytes, out: [t->n, width] bytes; `sum` is scratch of `width` */
    void (*down)(const uint8_t *in, size_t width, const struct resize_taps *t, int32_t *sum, uint8_t *out);
};
extern const struct resize_kernels resize_plain;
#if defined __x86_64__
extern const struct resize_kernels resize_avx2;
#endif
const struct resize_kernels *resize_best(void); /* what this processor runs */

/* image_resize_part by the given kernels. */
enum status resize_with(const struct resize_kernels *k, const struct image *in, uint32_t width, uint32_t height,
                        enum image_filter filter, uint32_t x, uint32_t y, uint32_t out_width, uint32_t out_height,
                        struct image *out, struct error *err) MUST_CHECK;

#endif
