/* find_read.h: what SearchService answers to a search, in either of its formats (docs/SEARCH_SERVICE.md). */
#ifndef PEEL_STICKER_SERVICE_FIND_READ_H
#define PEEL_STICKER_SERVICE_FIND_READ_H

#include "base/arena.h"
#include "base/status.h"
#include "sticker_service/find_pins.h"

struct find_read {
    struct find_hit *hits;
    size_t n;
    int64_t total;                                     /* -1: it did not say */
    const char *language, *ranking, *corrected, *legs; /* as it told them; NULL. legs: JSON */
};
/* Reads body[len], of which at most `limit` results are expected, into the arena. A body that is JSON, as older
 * SearchServices answer, begins with a brace. ERR_CORRUPT. */
enum status find_read(const char *body, size_t len, size_t limit, struct arena *a, struct find_read *out,
                      struct error *err) MUST_CHECK;

#endif
