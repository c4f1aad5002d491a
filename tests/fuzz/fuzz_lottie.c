/* Any bytes are a Lottie within the bounds, or there is an error that says why. What passes is drawn by a worker, which
 * rlottie may take down with it, but nobody else. */
#include "sandbox/sandbox.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sandbox *sandbox;
    static unsigned drawn;
    struct error err = {.message = ""};
    enum image_kind kind = image_sniff(data, size);
    uint32_t w, h;
    if (!sandbox && sandbox_open(1, &sandbox, &err) != OK)
        abort();
    if (kind != IMAGE_LOTTIE && kind != IMAGE_TGS && kind != IMAGE_DOTLOTTIE)
        return 0;
    enum status st = image_probe(data, size, &kind, &w, &h, &err);
    if (st != OK && !*err.message)
        abort();
    struct image_motion motion = image_motion(data, size);
    if (motion.frames < 1 || motion.frames > IMAGE_MAX_FRAMES || (st == OK && (!w || !h || w > IMAGE_MAX_SIDE)))
        abort();
    if (st != OK || drawn++ % 16) /* which takes much longer */
        return 0;
    struct sandbox_image file = {.data = data, .len = size, .wait_ms = 20000};
    struct buf webp;
    buf_init(&webp, 1u << 20);
    st = sandbox_rendition(sandbox, &file, 32, IMAGE_WEBP, &webp, &err);
    if (st != OK && st != ERR_CORRUPT && st != ERR_TOO_LARGE)
        abort();
    buf_free(&webp);
    return 0;
}
