/* db_filter.h: struct sticker_filter in SQL, for every table of stickers or documents, in either dialect.
 *
 *     "SELECT count(*) FROM stickers d WHERE " DB_PASSES("$1", "$2", "$3"), DB_ARGS(DB_FILTER(f)) */
#ifndef PEEL_DB_DB_FILTER_H
#define PEEL_DB_DB_FILTER_H

#include "base/filter.h"
#include "db/db.h"

/* Whether the row `d` passes; the names of the parameters that DB_FILTER fills, in its order. */
#define DB_PASSES(most, pack, unwanted)                                                                                \
    "d.rating <= " most " AND (" pack " = '' OR d.pack = " pack ") AND d.animated <> " unwanted
#define DB_FILTER(f) DB_INT((f)->rating_most), DB_TEXT((f)->pack ? (f)->pack : ""), DB_INT(DB_UNWANTED((f)->animated))
/* What `animated` must not be: 0 or 1, or -1, which it never is. */
#define DB_UNWANTED(animated) ((animated) == ANIMATED_YES ? 0 : (animated) == ANIMATED_NO ? 1 : -1)

#endif
