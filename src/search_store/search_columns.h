/* search_columns.h: the columns of table documents that are members of struct document (see db/db_columns.h), but for
 * the keys, the times, and words_json, which takes most of a row and is not always read: these are parameters $1 to $4.
 */
#ifndef PEEL_SEARCH_STORE_SEARCH_COLUMNS_H
#define PEEL_SEARCH_STORE_SEARCH_COLUMNS_H

#include "db/db_columns.h"

#define DOCUMENT_COLUMNS(X)                                                                                            \
    X(5, title, TEXT, const char *)                                                                                    \
    X(6, image_sha256, TEXT, const char *)                                                                             \
    X(7, words_sha256, TEXT, const char *)                                                                             \
    X(8, pack, TEXT, const char *)                                                                                     \
    X(9, rating, INT, enum rating)                                                                                     \
    X(10, animated, INT, bool)                                                                                         \
    X(11, ocr_words, TEXT, const char *)

#define DOCUMENT_NAMES  DOCUMENT_COLUMNS(DB_COLUMN_NAME)
#define DOCUMENT_VALUES DOCUMENT_COLUMNS(DB_COLUMN_VALUE)
#define DOCUMENT_SET    DOCUMENT_COLUMNS(DB_COLUMN_SET)

/* What search_store_read_document reads of `documents d`, whole or without words_json. */
#define DOCUMENT_OF_D(place, column, kind, type) ", d." #column
#define DOCUMENT_KEYS                            "d.id, d.filename, d.created_us, d.modified_us, "
#define DOCUMENT_SELECT                          DOCUMENT_KEYS "d.words_json" DOCUMENT_COLUMNS(DOCUMENT_OF_D)
#define DOCUMENT_SELECT_BRIEF                    DOCUMENT_KEYS "''" DOCUMENT_COLUMNS(DOCUMENT_OF_D)
enum { DOCUMENT_WIDTH = 5 DOCUMENT_COLUMNS(DB_COLUMN_ONE) }; /* how many columns that is */

#endif
