/* in_worker.h: for targets whose inputs a library reads that may crash: a worker of the sandbox reads them, and only
 * one of several, as that takes longer than what else is done with them. */
#ifndef FUZZ_IN_WORKER_H
#define FUZZ_IN_WORKER_H

#include "sandbox/sandbox.h"
#include <stdlib.h>

typedef enum status made_in_worker(struct sandbox *s, const struct sandbox_image *file, uint32_t width,
                                   enum image_kind as, struct buf *out, struct error *err);

/* sandbox_rendition or sandbox_animation gives a file, or an error that says why and is the input's. */
static inline void read_in_worker(const uint8_t *data, size_t size, made_in_worker *make, unsigned one_of)
{
    static struct sandbox *sandbox;
    static unsigned seen;
    struct error err = {.message = ""};
    struct sandbox_image file = {.data = data, .len = size, .wait_ms = 20000};
    struct buf webp;
    if (!sandbox && sandbox_open(1, &sandbox, &err) != OK)
        abort();
    if (seen++ % one_of)
        return;
    buf_init(&webp, 1u << 20);
    enum status st = make(sandbox, &file, 32, IMAGE_WEBP, &webp, &err);
    if ((st == OK) != (webp.len > 0) || (st != OK && !*err.message) || st == ERR_INTERNAL || st == ERR_UNAVAILABLE)
        abort();
    buf_free(&webp);
}

#endif
