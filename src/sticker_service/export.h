/* export.h: the whole feedback as CSV or NDJSON, in constant memory, ordered by (query, sticker).
 *
 * CSV is RFC 4180 (CRLF, a header line) and safe for spreadsheets: what one would run as a formula gets an apostrophe
 * in front, and so does what begins with one, so that no two texts export alike. NDJSON is exact.
 *
 *     feedback_export_open(store, EXPORT_CSV, 0, &x, &err);
 *     while ((n = feedback_export_read(x, chunk, sizeof chunk, &err)) > 0) write(...);
 */
#ifndef PEEL_STICKER_SERVICE_EXPORT_H
#define PEEL_STICKER_SERVICE_EXPORT_H

#include "base/buf.h"
#include "base/status.h"
#include "sticker_store/sticker_store.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum export_format { EXPORT_CSV, EXPORT_NDJSON };
enum status export_format_parse(const char *s, enum export_format *out, struct error *err) MUST_CHECK;
const char *export_mime(enum export_format f);      /* static */
const char *export_extension(enum export_format f); /* "csv", "ndjson" */

struct feedback_export;
/* Rows modified at or after since_us (0 = all). The store is borrowed until close. */
enum status feedback_export_open(struct sticker_store *store, enum export_format format, int64_t since_us,
                                 struct feedback_export **out, struct error *err) MUST_CHECK;
/* Fills up to cap bytes (cap > 0); 0 at the end, -1 with err set. */
ssize_t feedback_export_read(struct feedback_export *x, char *out, size_t cap, struct error *err) MUST_CHECK;
void feedback_export_close(struct feedback_export *x);

#endif
