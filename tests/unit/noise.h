/* noise.h: the same pseudo-random pixels that tests/golden/resize.py makes. */
#ifndef PEEL_TESTS_NOISE_H
#define PEEL_TESTS_NOISE_H

#include "image/image.h"

#include <stdlib.h>

static inline struct image noise(uint32_t width, uint32_t height, uint32_t channels)
{
    struct image im = {.width = width, .height = height, .channels = channels};
    size_t n = (size_t)width * height * channels;
    uint32_t x = width * height;
    im.pixels = malloc(n);
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        im.pixels[i] = (uint8_t)(x >> 24);
    }
    return im;
}

#endif
