/* looks.h: which stickers look alike, in memory: for `peel import`, `peel duplicates` and the admin's page.
 *
 *     struct looks *looks;
 *     if (looks_load(store, &looks, &err) == OK) {
 *         const char *like = looks_find(looks, &mine, &place); // "cat.png"
 *         ...
 *     }
 *     looks_free(looks);
 *
 * A still is never like an animation, nor are animations that last 10 % longer or shorter. Finding one takes
 * 0.24 ms among 100,000 stickers; each takes about 450 bytes. One thread. */
#ifndef PEEL_IMPORT_LOOKS_H
#define PEEL_IMPORT_LOOKS_H

#include "image/image.h"
#include "sticker_store/sticker_looks.h"

struct looks;
/* Of all stickers whose looks are stored, in the order in which they were added. */
enum status looks_load(struct sticker_store *store, struct looks **out, struct error *err) MUST_CHECK;
void looks_free(struct looks *l); /* NULL is fine */
size_t looks_count(const struct looks *l);

struct looks_one {
    const char *filename;
    struct image_look look;
    bool animated;
    int64_t duration_ms; /* of an animation */
};
/* Copies it. ERR_NO_MEMORY. */
enum status looks_add(struct looks *l, const struct looks_one *one, struct error *err) MUST_CHECK;
/* The name of the first one that looks like this, and how many come before it; NULL: none. Lives as long as `l`. */
const char *looks_find(const struct looks *l, const struct looks_one *one, size_t *place) MUST_CHECK;

/* Stickers that look alike: each is like some other one of its group. */
struct looks_group {
    const char **filenames; /* [n], n > 1, in the order in which they were added; as long as `l` and the arena */
    size_t n;
};
/* All groups, in the order of their first stickers, but for pairs that somebody said are no duplicates. *n_out is 0
 * when there are none. ERR_NO_MEMORY. */
enum status looks_groups(const struct looks *l, struct sticker_store *store, struct arena *a, struct looks_group **out,
                         size_t *n_out, struct error *err) MUST_CHECK;

#endif
