/* download.h: one file from a URL to disk, resumable and checked; for `peel model pull` and packs.
 *
 * Bytes go to "<path>.part" and are renamed to `path` only when size and checksum are right. A part that
 * is there already is continued with a Range request. Transient failures (cut connections, 5xx, 429) are
 * retried with growing pauses. The token goes to the first host only, never to where it redirects. */
#ifndef PEEL_HTTP_DOWNLOAD_H
#define PEEL_HTTP_DOWNLOAD_H

#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

#define HTTP_SIZE_UNKNOWN UINT64_MAX

struct http_download {
    const char *url;
    const char *path;
    const char *token;    /* bearer token, NULL for none */
    uint64_t size;        /* expected bytes, or HTTP_SIZE_UNKNOWN */
    const char *sha256;   /* expected, hex; NULL: unknown */
    const char *git_sha1; /* expected git blob id, hex; NULL: unknown */
    const char *sha512;   /* expected, base64 as npm writes it; NULL: unknown */
    /* Told the bytes there are, at most ten times a second; false stops (ERR_CANCELLED, part kept). */
    bool (*progress)(void *ctx, uint64_t done, uint64_t total);
    void *ctx;
};

/* ERR_NOT_FOUND (404), ERR_DENIED (401, 403), ERR_CORRUPT (wrong checksum; the part is removed),
 * ERR_UNAVAILABLE (no answer after the retries; the part is kept). */
enum status http_download(const struct http_download *d, struct error *err) MUST_CHECK;

/* A small document into memory, redirects followed; errors as above, ERR_TOO_LARGE past out->max. */
enum status http_fetch(const char *url, const char *token, struct buf *out, struct error *err) MUST_CHECK;

#endif
