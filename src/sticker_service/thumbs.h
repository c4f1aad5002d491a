/* thumbs.h: thumbnails and other renditions of stickers, made when first asked for and kept in a folder of bounded
 * size. The folder may be emptied at any time and shared by several processes. */
#ifndef PEEL_STICKER_SERVICE_THUMBS_H
#define PEEL_STICKER_SERVICE_THUMBS_H

#include "base/status.h"
#include "bucket/bucket.h"
#include "image/image.h"
#include <stdint.h>

struct thumbs;
struct sandbox;
/* max_waiting: thumbnails that may be under way, and callers that may wait for those of others, so that not every
 * thread of the service does. `sandbox` (borrowed) draws them. */
enum status thumbs_open(const char *dir, uint64_t max_bytes, unsigned max_waiting, struct sandbox *sandbox,
                        struct thumbs **out, struct error *err) MUST_CHECK;
void thumbs_close(struct thumbs *t);

struct thumb {
    unsigned width;     /* in pixels, at most; and 4 times that high. Never enlarged unless it is a drawing (SVG) */
    enum image_kind as; /* the file's kind */
    enum { THUMB_STILL, THUMB_POSTER, THUMB_MOVING } motion; /* of a still; of an animation one picture, or it all */
};
/* An open descriptor (the caller closes it) of that rendition of the image `key` in the bucket. `sha256`: of the image,
 * names the rendition. Simultaneous calls for the same one make it once. Errors as sandbox_rendition; a picture that
 * was too complex is refused at once when it is asked for again. */
enum status thumbs_get(struct thumbs *t, struct bucket *bucket, const char *key, const char *sha256,
                       const struct thumb *wanted, int *fd, uint64_t *size, struct error *err) MUST_CHECK;

struct thumbs_stats {
    uint64_t hits, misses; /* there, or to be made first */
    uint64_t bytes;
};
struct thumbs_stats thumbs_stats(struct thumbs *t);

#endif
