/* The frames of any bytes are within the bounds, or there is an error that says why; headers and decoders agree about
 * how many there are. */
#include "image/image_internal.h"

#include <stdlib.h>

#define MAX_PIXELS (1u << 16) /* larger ones, and more frames, only make the fuzzer slow */
#define MAX_FRAMES 40u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_frames f;
    struct error err = {.message = ""};
    struct image_motion motion = image_motion(data, size);
    enum image_kind kind = image_sniff(data, size);
    uint32_t w, h;
    bool more = true;
    if (kind == IMAGE_AVIF || kind == IMAGE_HEIC || kind == IMAGE_WEBM) /* of fuzz_image and fuzz_webm */
        return 0;
    if (image_probe(data, size, &kind, &w, &h, &err) != OK || (uint64_t)w * h > MAX_PIXELS ||
        motion.frames > MAX_FRAMES || image_is_drawing(kind))
        return 0;
    enum status st = image_frames_open(data, size, 0, &f, &err);
    while (st == OK && f.read <= MAX_FRAMES && (st = image_frames_next(&f, &more, &err)) == OK && more) {
        unsigned sum = 0;
        size_t n = (size_t)f.canvas.width * f.canvas.height * 4;
        for (size_t i = 0; i < n; i++)
            sum += f.canvas.pixels[i];
        if (f.canvas.width != w || f.canvas.height != h || sum > n * 255 || !f.duration_ms)
            abort();
    }
    if (st != OK && !*err.message)
        abort();
    image_frames_close(&f);
    return 0;
}
