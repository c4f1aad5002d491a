/* charset.h: text files as spreadsheets and editors write them, as UTF-8. */
#ifndef PEEL_BASE_CHARSET_H
#define PEEL_BASE_CHARSET_H

#include "base/arena.h"
#include "base/status.h"
#include <stddef.h>

/* UTF-16 if it begins with a byte order mark, else UTF-8 if it is valid, else Windows-1252. *out: in the arena or
 * `bytes` itself, *out_len bytes of UTF-8 without a mark and without NUL. ERR_INVALID names the line of what is none of
 * them. */
enum status charset_to_utf8(const char *bytes, size_t len, struct arena *a, const char **out, size_t *out_len,
                            struct error *err) MUST_CHECK;

#endif
