/* GET /media/<filename>[?w=256][&v=<hash>]: the image of a sticker, or a thumbnail of it.
 *
 * Addresses that we hand out carry the content's hash as v, and may then be kept for ever; without it
 * (or with another) only briefly. RFC 9110 for ETag, If-None-Match, Range and If-Range. */
#include "base/log.h"
#include "sticker_service/api/api.h"
#include "sticker_service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION_MIN 16u /* hex digits of the hash that v must have to count */

static const unsigned widths[] = {64, 128, 256, 512, 1024};

/* Does an If-None-Match list hold our tag? Weak comparison, so W/ in front does not matter. */
static bool list_has(const char *list, const char *etag)
{
    size_t len = strlen(etag);
    for (const char *s = list; *s;) {
        s += strspn(s, " \t,");
        if (*s == '*')
            return true;
        if (strncmp(s, "W/", 2) == 0)
            s += 2;
        if (strncmp(s, etag, len) == 0 && strchr(" \t,", s[len]))
            return true;
        s += strcspn(s, ",");
    }
    return false;
}

enum range { RANGE_WHOLE, RANGE_PART, RANGE_BEYOND };

/* Digits only, so that strtoull's signs and spaces never get in. */
static const char *read_number(const char *s, uint64_t *out)
{
    size_t n = strspn(s, "0123456789");
    if (n < 1 || n > 18)
        return NULL;
    *out = strtoull(s, NULL, 10);
    return s + n;
}

/* One range "bytes=a-b", "a-" or "-n"; several, or anything else, mean the whole (as RFC 9110 allows). */
static enum range read_range(const char *header, uint64_t size, uint64_t *first, uint64_t *len)
{
    if (!header || strncmp(header, "bytes=", 6) != 0)
        return RANGE_WHOLE;
    const char *s = header + 6;
    uint64_t a = 0, b = size - 1;
    if (*s == '-') {
        uint64_t tail;
        s = read_number(s + 1, &tail);
        if (!s || *s)
            return RANGE_WHOLE;
        if (!tail || !size)
            return RANGE_BEYOND;
        a = tail < size ? size - tail : 0;
    } else {
        s = read_number(s, &a);
        if (!s || *s != '-')
            return RANGE_WHOLE;
        if (s[1]) {
            s = read_number(s + 1, &b);
            if (!s || *s || b < a)
                return RANGE_WHOLE;
        }
        if (a >= size)
            return RANGE_BEYOND;
        if (b >= size)
            b = size - 1;
    }
    *first = a;
    *len = b - a + 1;
    return RANGE_PART;
}

static void send_file(const struct http_request *req, struct http_response *res, const char *mime, const char *etag,
                      int fd, uint64_t size)
{
    const char *if_range = http_header(req, "If-Range");
    const char *header = if_range && strcmp(if_range, etag) != 0 ? NULL : http_header(req, "Range");
    uint64_t first = 0, len = size;
    char content_range[96];
    http_header_add(res, "Accept-Ranges", "bytes");
    switch (read_range(header, size, &first, &len)) {
    case RANGE_WHOLE:
        http_body_fd(res, 200, mime, fd, 0, size);
        break;
    case RANGE_PART:
        snprintf(content_range, sizeof content_range, "bytes %llu-%llu/%llu", (unsigned long long)first,
                 (unsigned long long)(first + len - 1), (unsigned long long)size);
        http_header_add(res, "Content-Range", content_range);
        http_body_fd(res, 206, mime, fd, first, len);
        break;
    case RANGE_BEYOND:
        close(fd);
        snprintf(content_range, sizeof content_range, "bytes */%llu", (unsigned long long)size);
        http_header_add(res, "Content-Range", content_range);
        http_problem(res, 416, "The image has %llu bytes.", (unsigned long long)size);
        break;
    }
}

/* The `w` parameter rounded up to a width that is made, 0 when absent. */
static enum status width_param(const struct http_request *req, unsigned *width, struct error *err)
{
    int64_t w;
    *width = 0;
    enum status status = http_param_int(req, "w", 1, 1024, 0, &w, err);
    for (size_t i = 0; status == OK && w && !*width; i++)
        if (widths[i] >= w)
            *width = widths[i];
    return status;
}

static bool is_version(const char *v, const char *sha256)
{
    size_t len = strlen(v);
    return len >= VERSION_MIN && strncmp(v, sha256, len) == 0;
}

void handle_api_media(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct error err;
    unsigned width;
    const char *version;
    struct sticker sticker;
    enum status status = width_param(req, &width, &err);
    if (status == OK)
        status = param_or(req, "v", "", &version, &err);
    if (status != OK) {
        http_problem_from(res, &err);
        return;
    }
    status = filename_check(req->path_param, &err);
    if (status == OK)
        status = sticker_store_get(s->store, req->path_param, req->arena, &sticker, &err);
    if (status == ERR_NOT_FOUND || status == ERR_INVALID) {
        http_problem(res, 404, "Sticker not found.");
        return;
    }
    if (status != OK) {
        http_problem_from(res, &err);
        return;
    }

    char key[STICKER_FILENAME_MAX + 8], etag[96];
    const char *mime = width ? "image/webp" : sticker.mime;
    bool lasting = is_version(version, sticker.sha256);
    int fd = -1;
    uint64_t size = 0;
    snprintf(key, sizeof key, "media/%s", sticker.filename);
    if (width) {
        status = thumbs_get(s->thumbs, s->bucket, key, sticker.sha256, width, &fd, &size, &err);
        if (status == ERR_UNAVAILABLE) {
            http_problem_from(res, &err);
            return;
        }
        if (status != OK) {              /* the whole image is better than none */
            if (status == ERR_TOO_LARGE) /* which is known of it, and was logged once */
                log_debug("no thumbnail of %s: %s", sticker.filename, err.message);
            else
                log_error("cannot make a thumbnail of %s: %s", sticker.filename, err.message);
            mime = sticker.mime;
            width = 0;
            lasting = false;
        }
    }
    if (fd < 0 && bucket_fd(s->bucket, key, &fd, &size, &err) != OK) {
        log_error("the image of %s is missing: %s", sticker.filename, err.message);
        if (err.code == ERR_NOT_FOUND) {
            http_problem(res, 404, "The sticker's image is missing.");
        } else { /* whatever the store's trouble is, it is not the client's */
            http_header_add(res, "Retry-After", "2");
            http_problem(res, 503, "The image store does not respond at the moment.");
        }
        return;
    }
    if (width)
        snprintf(etag, sizeof etag, "\"%.64s-%u\"", sticker.sha256, width);
    else
        snprintf(etag, sizeof etag, "\"%.64s\"", sticker.sha256);

    http_header_add(res, "ETag", etag);
    http_header_add(res, "Cache-Control", lasting ? "public, max-age=31536000, immutable" : "public, max-age=60");
    /* A drawing opened by itself must not run anything on our origin. */
    if (strcmp(mime, "image/svg+xml") == 0)
        http_header_add(res, "Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'");
    const char *known = http_header(req, "If-None-Match");
    if (known && list_has(known, etag)) {
        close(fd);
        http_body_static(res, 304, mime, "", 0);
        return;
    }
    send_file(req, res, mime, etag, fd, size);
}
