/* sandbox.h: images of strangers, decoded in processes that may fail.
 *
 * Each function here does in a worker process what its namesake in image/image.h does here. A worker is this program
 * again, started when first needed. It gets bytes and sends back bytes, and may do nothing else: confine.h says how it
 * is held. There are two kinds. Quick workers do nearly everything. An image that needs more time or memory than they
 * have goes to the one heavy worker; and what that cannot do either is too complex, which is remembered, so that it is
 * refused at once when it comes again. A worker that dies fails only its image. Workers that read text are a sandbox of
 * their own, because Tesseract takes memory and time to load.
 *
 * The room sees base and image. Every program that links it can be its own worker: see worker.c.
 *
 *     struct sandbox_image file = {.data = bytes, .len = len, .sha256 = hash, .wait_ms = 5000};
 *     if (sandbox_rendition(sandbox, &file, 256, IMAGE_WEBP, &webp, &err) != OK) ...
 */
#ifndef PEEL_SANDBOX_SANDBOX_H
#define PEEL_SANDBOX_SANDBOX_H

#include "base/buf.h"
#include "base/status.h"
#include "image/image.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much memory, in MiB, and processor time an image gets, and how much of the memory for its pixels. */
#define SANDBOX_QUICK_MIB        96u
#define SANDBOX_QUICK_PIXELS_MIB 32u
#define SANDBOX_QUICK_MS         500u
#define SANDBOX_HEAVY_MIB        448u
#define SANDBOX_HEAVY_PIXELS_MIB 320u
#define SANDBOX_HEAVY_MS         6000u
#define SANDBOX_MAX_QUICK        16u

struct sandbox;

/* How many workers make use of this machine: one for each processor, 8 at most, as each job has a file in memory. */
unsigned sandbox_workers_of_machine(void);
/* `quick`: how many quick workers, 1 to SANDBOX_MAX_QUICK. Starts none of them yet. */
enum status sandbox_open(unsigned quick, struct sandbox **out, struct error *err) MUST_CHECK;
/* Another one, whose workers read text in these languages (image/ocr.h) and do nothing else; there is no heavy worker.
 * Starts one of them, which needs some 100 ms. INVALID: no such list; UNAVAILABLE also when Tesseract or the data of a
 * language is not installed, which the message says. */
#define SANDBOX_OCR_MIB        256u
#define SANDBOX_OCR_PIXELS_MIB 128u
#define SANDBOX_OCR_MS         6000u
enum status sandbox_open_ocr(unsigned workers, const char *languages, struct sandbox **out,
                             struct error *err) MUST_CHECK;
/* For when a service stops: who waits for a worker is refused at once (UNAVAILABLE), and who has one is after so many
 * milliseconds more. Calls that come later are refused. Any thread; NULL is fine. */
void sandbox_stop(struct sandbox *s, unsigned ms);
/* Ends the workers. Nobody may be waiting for one. NULL is fine. */
void sandbox_close(struct sandbox *s);

struct sandbox_image {
    const void *data; /* borrowed, as is sha256 */
    size_t len;
    const char *sha256; /* of the data, in hex: what is remembered of it; NULL: nothing is */
    unsigned wait_ms;   /* how long to wait for a worker that is free */
};

/* Errors of all of them: those of the function in image.h; TOO_LARGE when decoding takes more memory or
 * processor time than the heavy worker has; UNAVAILABLE when no worker was free in time, none can be started, or the
 * machine is too busy: try again later. */
struct sandbox_verdict {
    enum image_kind kind;
    uint32_t width, height; /* of an SVG as image_probe has them */
    struct image_motion motion;
    struct image_look look;
};
/* motion: how many frames there are by the headers, and no duration; no look. */
enum status sandbox_probe(struct sandbox *s, const struct sandbox_image *file, struct sandbox_verdict *out,
                          struct error *err) MUST_CHECK;
enum status sandbox_decode(struct sandbox *s, const struct sandbox_image *file, uint32_t svg_side, struct image *out,
                           struct error *err) MUST_CHECK;
enum status sandbox_rendition(struct sandbox *s, const struct sandbox_image *file, uint32_t width, enum image_kind as,
                              struct buf *out, struct error *err) MUST_CHECK;

/* These get four times the processor time of a quick worker, and that of the heavy one. */
enum status sandbox_film(struct sandbox *s, const struct sandbox_image *file, uint32_t svg_side, struct image_film *out,
                         struct error *err) MUST_CHECK;
enum status sandbox_animation(struct sandbox *s, const struct sandbox_image *file, uint32_t width, enum image_kind as,
                              struct buf *out, struct error *err) MUST_CHECK;
/* WebP. */
enum status sandbox_square_animation(struct sandbox *s, const struct sandbox_image *file, const struct image_square *as,
                                     struct buf *out, struct error *err) MUST_CHECK;

/* Appends the words that the image (of an animation the poster) shows, "good, morning". Of sandbox_open_ocr only. */
enum status sandbox_words(struct sandbox *s, const struct sandbox_image *file, struct buf *out,
                          struct error *err) MUST_CHECK;

/* Decodes it, all frames, as proof that it can be; an SVG at the size of its widest thumbnail. It gets half of the
 * time, so that what passes once will pass again. */
enum status sandbox_check(struct sandbox *s, const struct sandbox_image *file, struct sandbox_verdict *out,
                          struct error *err) MUST_CHECK;

struct sandbox_stats {
    uint64_t images;  /* that workers were given */
    uint64_t heavy;   /* those of them that went to the heavy worker */
    uint64_t killed;  /* workers that died at work, or were killed for their time */
    uint64_t known;   /* images refused because they had been too complex before */
    uint64_t refused; /* calls for which no worker was free in time */
};
struct sandbox_stats sandbox_stats(struct sandbox *s);

#endif
