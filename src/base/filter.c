#include "base/filter.h"

#include <string.h>

static const char *const names[] = {[RATING_G] = "g", [RATING_PG] = "pg", [RATING_PG_13] = "pg-13", [RATING_R] = "r"};

const char *rating_name(enum rating r)
{
    return (unsigned)r < sizeof names / sizeof *names ? names[r] : names[RATING_R];
}

bool rating_parse(const char *name, enum rating *out)
{
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum rating)i;
            return true;
        }
    return false;
}

enum status sticker_filter_set(struct sticker_filter *f, const char *name, const char *value, struct error *err)
{
    if (strcmp(name, "pack") == 0) {
        f->pack = value;
        return strlen(value) <= STICKER_FILTER_PACK_MAX
                   ? OK
                   : err_set(err, ERR_INVALID, "pack must have at most %d bytes, found %zu", STICKER_FILTER_PACK_MAX,
                             strlen(value));
    }
    if (strcmp(name, "rating") == 0)
        return rating_parse(value, &f->rating_most)
                   ? OK
                   : err_set(err, ERR_INVALID, "rating must be g, pg, pg-13 or r, found \"%.40s\"", value);
    f->animated = strcmp(value, "true") == 0 ? ANIMATED_YES : strcmp(value, "false") == 0 ? ANIMATED_NO : ANIMATED_ANY;
    return f->animated != ANIMATED_ANY
               ? OK
               : err_set(err, ERR_INVALID, "animated must be true or false, found \"%.40s\"", value);
}

bool sticker_filter_is_none(const struct sticker_filter *f)
{
    return !f || ((!f->pack || !*f->pack) && f->rating_most == RATING_R && f->animated == ANIMATED_ANY);
}

bool sticker_filter_passes(const struct sticker_filter *f, const char *pack, enum rating rating, bool animated)
{
    return (!f->pack || !*f->pack || strcmp(f->pack, pack) == 0) && rating <= f->rating_most &&
           (f->animated == ANIMATED_ANY || animated == (f->animated == ANIMATED_YES));
}
