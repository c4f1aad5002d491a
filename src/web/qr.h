/* qr.h: QR codes as an SVG path, by libqrencode. */
#ifndef PEEL_WEB_QR_H
#define PEEL_WEB_QR_H

#include "base/arena.h"
#include "base/status.h"
#include <stdint.h>

/* *path: what stands in <path d="...">, in the arena: dark modules of 1 x 1 in a square of *size, with the quiet zone
 * of 4 modules that ISO/IEC 18004 asks for. ERR_TOO_LARGE: the text is longer than a code can hold. */
enum status qr_path(const char *text, struct arena *a, const char **path, int64_t *size, struct error *err) MUST_CHECK;

#endif
