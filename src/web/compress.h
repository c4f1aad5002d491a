/* compress.h: gzip (RFC 1952) and zstd (RFC 8878) of what is made for one answer; static files are compressed by the
 * build (assets.h). */
#ifndef PEEL_WEB_COMPRESS_H
#define PEEL_WEB_COMPRESS_H

#include "base/buf.h"

/* Both append the bytes, compressed fast rather than small. */
enum status compress_gzip(const char *data, size_t len, struct buf *out, struct error *err) MUST_CHECK;
enum status compress_zstd(const char *data, size_t len, struct buf *out, struct error *err) MUST_CHECK;

#endif
