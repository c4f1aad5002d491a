/* Any bytes are a WebM whose frames are within the file and the bounds, or there is an error that says why; walked
 * twice, they are the same. What passes is decoded by a worker, which libvpx may take down with it, but nobody else. */
#include "image/webm_read.h"
#include "sandbox/sandbox.h"

#include <stdlib.h>

#define DECODE_ONE_OF 16 /* as that takes much longer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(const uint8_t *data, size_t size, const uint8_t *part, size_t len)
{
    if (part && (part < data || len > size || part > data + size - len))
        abort();
}

static void walk_frames(const uint8_t *data, size_t size, struct webm_reader *r)
{
    struct webm_frame f;
    bool more = true;
    uint32_t frames = 0;
    uint64_t ms = 0;
    for (; webm_next(r, &f, &more, NULL) == OK && more; frames++, ms += f.lasts_ms) {
        check_part(data, size, f.colour, f.colour_len);
        check_part(data, size, f.alpha, f.alpha_len);
        if (!f.colour || !f.lasts_ms || f.lasts_ms > IMAGE_MAX_DURATION_MS + 1)
            abort();
    }
    if (more || frames != r->frames || ms != r->duration_ms || !frames || frames > IMAGE_MAX_FRAMES)
        abort();
}

static void decode_in_worker(const uint8_t *data, size_t size)
{
    static struct sandbox *sandbox;
    static unsigned seen;
    struct error err = {.message = ""};
    struct sandbox_image file = {.data = data, .len = size, .wait_ms = 20000};
    struct buf webp;
    if (!sandbox && sandbox_open(1, &sandbox, &err) != OK)
        abort();
    if (seen++ % DECODE_ONE_OF)
        return;
    buf_init(&webp, 1u << 20);
    enum status st = sandbox_animation(sandbox, &file, 64, IMAGE_WEBP, &webp, &err);
    if ((st == OK) != (webp.len > 0) || (st != OK && !*err.message) || st == ERR_INTERNAL || st == ERR_UNAVAILABLE)
        abort();
    buf_free(&webp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct webm_reader r;
    struct error err = {.message = ""};
    enum status st = webm_open(data, size, &r, &err);
    if (st != OK) {
        if (!*err.message)
            abort();
        return 0;
    }
    if (!r.width || !r.height || r.width > IMAGE_MAX_SIDE || r.height > IMAGE_MAX_SIDE)
        abort();
    walk_frames(data, size, &r);
    if (image_sniff(data, size) == IMAGE_WEBM)
        decode_in_worker(data, size);
    return 0;
}
