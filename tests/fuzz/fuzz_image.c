/* Any bytes are an image within the bounds, or an error; what decodes can be measured, resized and encoded. */
#include "image/image.h"

#include <stdlib.h>

#define MAX_PIXELS (1u << 20) /* larger ones only make the fuzzer slow */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image im, small;
    struct error err;
    struct buf file;
    enum image_kind kind;
    uint32_t w, h;
    (void)image_is_animated(data, size);
    enum status probed = image_probe(data, size, &kind, &w, &h, &err);
    if (probed == OK && (uint64_t)w * h > MAX_PIXELS && kind != IMAGE_SVG)
        return 0;
    if (kind != IMAGE_SVG && image_is_drawing(kind)) /* fuzz_lottie has them drawn, in a worker */
        return 0;
    if (image_decode(data, size, 64, &im, &err) != OK) {
        if (im.pixels)
            abort();
        return 0;
    }
    if (probed != OK || im.kind != kind || (im.channels != 3 && im.channels != 4) || !im.width || !im.height)
        abort();
    if (kind != IMAGE_SVG && (im.width != w || im.height != h))
        abort();
    if (image_resize(&im, 1 + im.width / 3, 17, IMAGE_BICUBIC, &small, &err) == OK) {
        buf_init(&file, 1 << 20);
        if (image_encode(&small, IMAGE_JPEG + (enum image_kind)(size % 4), &file, &err) != OK)
            abort();
        buf_free(&file);
        image_free(&small);
    }
    image_flatten_white(&im);
    if (im.channels != 3)
        abort();
    image_free(&im);
    return 0;
}
