/* filter.h: ratings, and which stickers a search may answer with; the same words in both services, both databases and
 * the API. */
#ifndef PEEL_BASE_FILTER_H
#define PEEL_BASE_FILTER_H

#include "base/status.h"
#include <stdbool.h>

/* For whom a sticker is fit, as GIPHY and the MPA name it; a database keeps the number, so append only. */
enum rating { RATING_G, RATING_PG, RATING_PG_13, RATING_R };
const char *rating_name(enum rating r); /* "g", "pg", "pg-13", "r"; never NULL */
bool rating_parse(const char *name, enum rating *out);

struct sticker_filter {
    const char *pack;        /* only this pack; NULL or "": any */
    enum rating rating_most; /* this rating and those before it; RATING_R: any */
    enum { ANIMATED_ANY, ANIMATED_YES, ANIMATED_NO } animated;
};
/* Say so where a filter is made: one that is zeroed lets only stickers rated g through. */
#define STICKER_FILTER_NONE ((struct sticker_filter){.rating_most = RATING_R})

/* Sets what one parameter of a search says: "pack", "rating" or "animated". ERR_INVALID names it and its values.
 * `value` is borrowed. */
#define STICKER_FILTER_PARAMS                                                                                          \
    {                                                                                                                  \
        "pack", "rating", "animated"                                                                                   \
    }
#define STICKER_FILTER_PACK_MAX 1000 /* bytes */
enum status sticker_filter_set(struct sticker_filter *f, const char *name, const char *value,
                               struct error *err) MUST_CHECK;

/* Does it let everything through? NULL does. */
bool sticker_filter_is_none(const struct sticker_filter *f);
bool sticker_filter_passes(const struct sticker_filter *f, const char *pack, enum rating rating, bool animated);

#endif
