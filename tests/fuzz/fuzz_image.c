/* Any bytes are an image within the bounds, or an error; what decodes can be measured, resized and encoded. AVIF and
 * HEIC are read by a worker, which libheif may take down with it, but nobody else. */
#include "in_worker.h"

#define MAX_PIXELS (1u << 20) /* larger ones only make the fuzzer slow */

#define READ_ONE_OF 8 /* of those that a worker has to read, which takes longer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image im, small;
    struct error err;
    struct buf file;
    enum image_kind kind = image_sniff(data, size);
    uint32_t w, h;
    if (kind == IMAGE_AVIF || kind == IMAGE_HEIC) {
        read_in_worker(data, size, sandbox_rendition, READ_ONE_OF);
        return 0;
    }
    if (kind == IMAGE_WEBM) /* fuzz_webm has them decoded, in a worker */
        return 0;
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
