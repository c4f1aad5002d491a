/* Any bytes are a Lottie within the bounds, or there is an error that says why. What passes is drawn by a worker, which
 * rlottie may take down with it, but nobody else. */
#include "in_worker.h"

#define DRAW_ONE_OF 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {.message = ""};
    enum image_kind kind = image_sniff(data, size);
    uint32_t w, h;
    if (kind != IMAGE_LOTTIE && kind != IMAGE_TGS && kind != IMAGE_DOTLOTTIE)
        return 0;
    enum status st = image_probe(data, size, &kind, &w, &h, &err);
    if (st != OK && !*err.message)
        abort();
    struct image_motion motion = image_motion(data, size);
    if (motion.frames < 1 || motion.frames > IMAGE_MAX_FRAMES || (st == OK && (!w || !h || w > IMAGE_MAX_SIDE)))
        abort();
    if (st == OK)
        read_in_worker(data, size, sandbox_rendition, DRAW_ONE_OF);
    return 0;
}
