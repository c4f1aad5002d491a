/* sticker_columns.h: the columns of table stickers that are members of struct sticker (see db/db_columns.h), but for
 * the keys and times, which are parameters $1 to $4. */
#ifndef PEEL_STICKER_STORE_STICKER_COLUMNS_H
#define PEEL_STICKER_STORE_STICKER_COLUMNS_H

#include "db/db_columns.h"

/* What people say of it. */
#define STICKER_SAID(X)                                                                                                \
    X(5, title, TEXT, const char *)                                                                                    \
    X(6, pack, TEXT, const char *)                                                                                     \
    X(7, author, TEXT, const char *)                                                                                   \
    X(8, license, TEXT, const char *)                                                                                  \
    X(9, source, TEXT, const char *)                                                                                   \
    X(15, rating, INT, enum rating)                                                                                    \
    X(19, place, INT, int32_t)                                                                                         \
    X(20, ocr_words, TEXT, const char *)
/* What its image file is. */
#define STICKER_IMAGE(X)                                                                                               \
    X(10, sha256, TEXT, const char *)                                                                                  \
    X(11, mime, TEXT, const char *)                                                                                    \
    X(12, bytes, INT, int64_t)                                                                                         \
    X(13, width, INT, int32_t)                                                                                         \
    X(14, height, INT, int32_t)                                                                                        \
    X(17, frames, INT, int32_t)                                                                                        \
    X(18, duration_ms, INT, int32_t)
/* What its image file is, unless people say otherwise. */
#define STICKER_BOTH(X)                                                                                                \
    X(16, animated, INT, bool)                                                                                         \
    X(21, ocr_by, TEXT, const char *)
#define STICKER_COLUMNS(X) STICKER_SAID(X) STICKER_BOTH(X) STICKER_IMAGE(X)

#define STICKER_NAMES  STICKER_COLUMNS(DB_COLUMN_NAME)
#define STICKER_VALUES STICKER_COLUMNS(DB_COLUMN_VALUE)

enum { STICKER_WIDTH = 4 STICKER_COLUMNS(DB_COLUMN_ONE) }; /* how many there are with the keys and times */

#endif
