/* frames.h: what goes over the socket between a service and a worker; private to this room. A worker first sends one
 * byte, when it is ready and confined. Then, again and again: a request and its `len` bytes of an image one way, an
 * answer and its `len` bytes the other. Both ends are the same program, so that structs go as they are; but the worker
 * may have been taken over by an image, and nothing that it says is believed. */
#ifndef PEEL_SANDBOX_FRAMES_H
#define PEEL_SANDBOX_FRAMES_H

#include "image/image.h"
#include <stdint.h>

#define SANDBOX_WORKER "peel image-worker" /* argv[0] */
extern const char sandbox_worker_name[];   /* the same; of worker.c, so that who starts workers is linked with it */
#define SANDBOX_SOCKET 3                   /* the worker's descriptor */

enum sandbox_op {
    SANDBOX_PROBE,
    SANDBOX_CHECK,
    SANDBOX_DECODE,
    SANDBOX_FILM,
    SANDBOX_RENDITION,
    SANDBOX_ANIMATION,
    SANDBOX_SQUARE,
    SANDBOX_WORDS,
    SANDBOX_OPS
};

struct sandbox_request {
    uint32_t op, side;   /* enum sandbox_op; svg_side, or the rendition's width */
    uint32_t as;         /* enum image_kind of a rendition or animation */
    uint32_t cpu_ms;     /* processor time; the worker is killed when it is over */
    uint32_t pixels_mib; /* by its headers, decoding must not take more */
    struct image_square square;
    uint64_t len; /* bytes that follow */
};

struct sandbox_answer {
    uint32_t status;                  /* enum status */
    uint32_t needs_more;              /* TOO_LARGE because of pixels_mib */
    uint32_t kind, frames;            /* enum image_kind; of a probe, check or film */
    uint32_t width, height, channels; /* of each frame */
    char why[256];
    uint32_t duration_ms; /* of a check, as is: */
    struct image_look look;
    uint64_t len; /* bytes that follow: pixels, a rendition, or words */
};

#endif
