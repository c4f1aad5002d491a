/* filename.h: what a sticker may be called. The name is its key everywhere: in both databases, in the bucket and in
 * URLs. */
#ifndef PEEL_BASE_FILENAME_H
#define PEEL_BASE_FILENAME_H

#include "base/status.h"

#define STICKER_FILENAME_MAX 255 /* bytes */

/* 1..255 bytes of valid UTF-8, no slash, no backslash, no control character, no leading dot. ERR_INVALID. */
enum status filename_check(const char *filename, struct error *err) MUST_CHECK;

#endif
