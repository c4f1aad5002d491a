/* admin_history.h: what entries of the history say. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_ADMIN_HISTORY_H
#define PEEL_STICKER_SERVICE_ADMIN_ADMIN_HISTORY_H

#include "base/arena.h"

/* "title, words": the members of two JSON objects that differ; "" where there is nothing to compare. NULL without
 * memory. */
const char *history_summary(const char *before, const char *after, struct arena *a);

#endif
