/* sticker_looks.h: what images of stickers look like (image_look), as bytes that mean nothing here, and which stickers
 * somebody said are no duplicates of each other. The rules of sticker_store.h hold here, too.
 *
 * A sticker is stored with its look; those of earlier releases, or restored from the trash, have none until
 * sticker_store_look_set. */
#ifndef PEEL_STICKER_STORE_STICKER_LOOKS_H
#define PEEL_STICKER_STORE_STICKER_LOOKS_H

#include "sticker_store/sticker_store.h"

struct look_row {
    const char *filename;
    int64_t duration_ms; /* of an animation */
    bool animated;       /* has more than one frame */
    const void *look;    /* [size] */
};
/* Looks of that size of up to `limit` stickers that come after *after (0 at first), which moves on. n is 0 at the end.
 */
enum status sticker_store_looks(struct sticker_store *s, size_t size, int64_t *after, size_t limit, struct arena *a,
                                struct look_row **out, size_t *n, struct error *err) MUST_CHECK;
/* In the same way, the names of stickers without a look of that size. */
enum status sticker_store_lookless(struct sticker_store *s, size_t size, int64_t *after, size_t limit, struct arena *a,
                                   const char ***filenames, size_t *n, struct error *err) MUST_CHECK;
/* What the image of this hash looks like; nothing where the sticker is gone, or has another one. */
enum status sticker_store_look_set(struct sticker_store *s, const char *filename, const char *sha256, const void *look,
                                   size_t size, struct error *err) MUST_CHECK;

/* Two stickers that look alike, and are not the same, by their names. */
struct look_pair {
    const char *first, *second; /* in the order of strcmp */
};
/* All that are remembered, in order. */
enum status sticker_store_not_duplicates(struct sticker_store *s, struct arena *a, struct look_pair **out, size_t *n,
                                         struct error *err) MUST_CHECK;
/* Remembers that no two of these are. Unknown names do not matter. ERR_INVALID: one is named twice. DURABLE. */
enum status sticker_store_not_duplicates_add(struct sticker_store *s, const char *const *filenames, size_t n,
                                             struct error *err) MUST_CHECK;

#endif
