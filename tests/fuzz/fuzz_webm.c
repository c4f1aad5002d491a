/* Any bytes are a WebM whose frames are within the file and the bounds, or there is an error that says why; walked
 * twice, they are the same. What passes is decoded by a worker, which libvpx may take down with it, but nobody else. */
#include "image/webm_read.h"
#include "in_worker.h"

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
        read_in_worker(data, size, sandbox_animation, DECODE_ONE_OF);
    return 0;
}
