/* json_out.h: writing JSON text into a buffer, without building a tree first. */
#ifndef PEEL_BASE_JSON_OUT_H
#define PEEL_BASE_JSON_OUT_H

#include "base/buf.h"

/* Appends valid UTF-8 `s` as a quoted JSON string. '<' and U+2028/9 are escaped too, so that the text
 * may stand inside a <script>. */
void json_put_string(struct buf *out, const char *s);
/* The same, but nothing is escaped that JSON does not ask for: for what is stored. */
void json_put_plain(struct buf *out, const char *s);
/* Appends a score: shortest decimal that reads back as the same float; 0 for NaN and infinities. */
void json_put_score(struct buf *out, double score);
/* Appends a number with two decimals, such as a confidence; 0 for NaN and infinities. */
void json_put_hundredths(struct buf *out, double x);

#endif
