/* webm_read.h: the frames of a WebM file, as it stores them; private to this room.
 *
 *     struct webm_reader r;
 *     struct webm_frame f;
 *     bool more;
 *     for (st = webm_open(data, len, &r, &err); st == OK && (st = webm_next(&r, &f, &more, &err)) == OK && more;)
 *         ... f.colour
 */
#ifndef PEEL_IMAGE_WEBM_READ_H
#define PEEL_IMAGE_WEBM_READ_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame's VP9 data, within the file; alpha is NULL where the frame is opaque. */
struct webm_frame {
    const uint8_t *colour, *alpha;
    size_t colour_len, alpha_len;
    uint64_t at_ms, lasts_ms; /* lasts_ms: 1 at least */
};

struct webm_reader {
    uint32_t width, height; /* pixels */
    uint32_t frames;        /* in the whole file: 1 at least */
    uint64_t duration_ms;   /* of all frames */
    /* the rest is of webm_read.c */
    const uint8_t *data; /* [len], borrowed */
    size_t len, first, at;
    uint64_t track, cluster;            /* its number; where the cluster begins, in ticks */
    double tick_ms, frame_ms, whole_ms; /* the latter two are 0 where the file does not say */
    uint64_t gap_ms;                    /* between the last two frames */
    struct webm_frame ahead;            /* the one after that which was read last */
    bool has_ahead;
};

/* Reads the head and walks over all frames, so that those are whole that webm_next gives. Errors: UNSUPPORTED for what
 * has no VP9 video, CORRUPT, TOO_LARGE. There is nothing to close. */
enum status webm_open(const uint8_t *data, size_t len, struct webm_reader *out, struct error *err) MUST_CHECK;
/* The next frame; *more is false at the end. */
enum status webm_next(struct webm_reader *r, struct webm_frame *out, bool *more, struct error *err) MUST_CHECK;

#endif
