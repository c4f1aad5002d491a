#include "web/compress.h"

#include <stdint.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#define LEVEL      5 /* beyond it pages take twice the time for a hundredth less */
#define ZSTD_LEVEL 3
#define GZIP_BITS  15 + 16 /* the largest window, and gzip's head instead of zlib's */

enum status compress_gzip(const char *data, size_t len, struct buf *out, struct error *err)
{
    z_stream z = {0};
    if (len > UINT32_MAX || deflateInit2(&z, LEVEL, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return err_no_memory(err, "compressing %zu bytes", len);
    uLong bound = deflateBound(&z, (uLong)len);
    unsigned char *packed = malloc(bound);
    int done = Z_MEM_ERROR;
    if (packed) {
        z.next_in = (const Bytef *)data;
        z.avail_in = (uInt)len;
        z.next_out = packed;
        z.avail_out = (uInt)bound;
        done = deflate(&z, Z_FINISH);
    }
    if (done == Z_STREAM_END)
        buf_append(out, packed, (size_t)z.total_out);
    deflateEnd(&z);
    free(packed);
    return done == Z_STREAM_END ? buf_status(out, err) : err_no_memory(err, "compressing %zu bytes", len);
}

enum status compress_zstd(const char *data, size_t len, struct buf *out, struct error *err)
{
    size_t bound = ZSTD_compressBound(len);
    char *packed = ZSTD_isError(bound) ? NULL : malloc(bound);
    size_t n = packed ? ZSTD_compress(packed, bound, data, len, ZSTD_LEVEL) : 0;
    bool done = packed && !ZSTD_isError(n);
    if (done)
        buf_append(out, packed, n);
    free(packed);
    return done ? buf_status(out, err) : err_no_memory(err, "compressing %zu bytes", len);
}
