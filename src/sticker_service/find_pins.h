/* find_pins.h: the results of a search as staff arranged them: pinned stickers at their places, hidden ones left out.
 */
#ifndef PEEL_STICKER_SERVICE_FIND_PINS_H
#define PEEL_STICKER_SERVICE_FIND_PINS_H

#include "sticker_service/curation.h"
#include "sticker_store/sticker_events.h"
#include <stdint.h>

struct find_hit {
    const char *filename;
    double score, confidence;
    bool pinned;
    enum team team;
};

/* Results that were searched from the first one on, and what the pins make of them. */
struct find_arranged {
    struct find_hit *hits; /* [n], the page; in the arena, as `rest` */
    size_t n;
    int64_t total;
    size_t removed, pinned; /* of the results; into them */
    bool short_of;          /* the page goes on behind the results that were searched */
};
/* hits: [n], the first of `total` results; pins: [n_pins], each of another sticker, by position, hidden ones last.
 * Pages fit together: a page is a part of one list, whatever its size. Where there are fewer results than a pin's
 * position it stands at the end. */
enum status find_arrange(const struct find_hit *hits, size_t n, int64_t total, const struct pin *pins, size_t n_pins,
                         size_t offset, size_t limit, struct arena *a, struct find_arranged *out,
                         struct error *err) MUST_CHECK;
/* Leaves out what has a pin; for results behind those that were arranged. */
void find_leave_out(struct find_hit *hits, size_t *n, const struct pin *pins, size_t n_pins);

#endif
