/* GET /media/<filename>[?w=256][&format=png][&still=1][&v=<hash>]: the image of a sticker, or a rendition of it. As
 * WebP and GIF, a rendition of what moves does so too.
 *
 * Addresses that we hand out carry the content's hash as v, and may then be kept for ever; without it
 * (or with another) only briefly. RFC 9110 for ETag, If-None-Match, Range and If-Range. */
#include "base/log.h"
#include "http/accept.h"
#include "sticker_service/api/api.h"
#include "sticker_service/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION_MIN 16u /* hex digits of the hash that v must have to count */

static const unsigned widths[] = {64, 128, 256, 512, 1024};

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

/* What is asked of an image: the file itself, or a rendition of it. */
struct wish {
    unsigned width;     /* one that is made; 0: none was given */
    enum image_kind as; /* IMAGE_UNKNOWN: no format was given */
    bool original;      /* or that of the file, whatever it is */
    bool still;
};

/* One that is made; 0 for 0, and where none is that wide. */
static unsigned width_at_least(int64_t w)
{
    for (size_t i = 0; w > 0 && i < sizeof widths / sizeof *widths; i++)
        if (widths[i] >= w)
            return widths[i];
    return 0;
}

static enum status width_param(const struct http_request *req, unsigned *width, struct error *err)
{
    int64_t w;
    enum status status = http_param_int(req, "w", 1, IMAGE_WIDEST_THUMBNAIL, 0, &w, err);
    *width = status == OK ? width_at_least(w) : 0;
    return status;
}

/* In the order of preference among those that a client takes equally. */
static const struct format {
    const char *name;
    enum image_kind kind;
} formats[] = {
    {"webp", IMAGE_WEBP}, {"png", IMAGE_PNG}, {"jpeg", IMAGE_JPEG}, {"gif", IMAGE_GIF}, {"avif", IMAGE_AVIF}};
#define N_FORMATS (sizeof formats / sizeof *formats)

static enum status format_param(const struct http_request *req, struct wish *out, struct error *err)
{
    const char *name;
    out->as = IMAGE_UNKNOWN;
    enum status status = http_param_or(req, "format", NULL, &name, err);
    out->original = status == OK && name && strcmp(name, "original") == 0;
    if (status != OK || !name || out->original)
        return status;
    for (size_t i = 0; i < N_FORMATS; i++)
        if (strcmp(name, formats[i].name) == 0)
            out->as = formats[i].kind;
    if (out->as)
        return OK;
    return err_set(err, ERR_INVALID, "format must be webp, png, jpeg, gif, avif or original, found \"%.20s\"", name);
}

static enum status read_wish(const struct http_request *req, struct wish *out, struct error *err)
{
    enum status status = width_param(req, &out->width, err);
    if (status == OK)
        status = format_param(req, out, err);
    return status == OK ? bool_param(req, "still", false, &out->still, err) : status;
}

/* What a client that names no format gets: WebP, unless it says that it takes only something else. */
static enum image_kind negotiate(const char *accept)
{
    enum image_kind best = IMAGE_WEBP;
    unsigned most = 0;
    for (size_t i = 0; accept && *accept && i < N_FORMATS; i++) {
        unsigned weight = http_accepts(accept, image_mime(formats[i].kind));
        if (i == 0 && weight)
            break;
        if (weight > most) {
            most = weight;
            best = formats[i].kind;
        }
    }
    return best;
}

/* A wish that the file itself fulfils gets the file; but who names no format gets something that browsers show. */
static bool is_file_enough(const struct wish *wish, const struct sticker *sticker)
{
    bool still = wish->still && sticker->animated;
    bool wanted = wish->as ? strcmp(image_mime(wish->as), sticker->mime) == 0 : image_mime_is_shown(sticker->mime);
    return wish->original || (!wish->width && !still && wanted);
}

static bool is_version(const char *v, const char *sha256)
{
    size_t len = strlen(v);
    return len >= VERSION_MIN && strncmp(v, sha256, len) == 0;
}

struct media {
    struct sticker_service *service;
    const struct http_request *req;
    struct http_response *res;
    struct sticker sticker;
    char key[STICKER_FILENAME_MAX + 8];
    struct thumb thumb; /* the rendition that is sent; of width 0: the file itself */
    bool lasting;
    int fd;
    uint64_t size;
};

/* False when it has answered. */
static bool find_sticker(struct media *m, struct wish *wish)
{
    struct error err;
    const char *version;
    enum status status = read_wish(m->req, wish, &err);
    if (status == OK)
        status = http_param_or(m->req, "v", "", &version, &err);
    if (status != OK) {
        http_problem_from(m->res, &err);
        return false;
    }
    status = filename_check(m->req->path_param, &err);
    if (status == OK)
        status = sticker_store_get(m->service->store, m->req->path_param, m->req->arena, &m->sticker, &err);
    if (status == ERR_NOT_FOUND || status == ERR_INVALID)
        http_problem(m->res, 404, "Sticker not found.");
    else if (status != OK)
        http_problem_from(m->res, &err);
    if (status != OK)
        return false;
    m->lasting = is_version(version, m->sticker.sha256);
    snprintf(m->key, sizeof m->key, "media/%s", m->sticker.filename);
    return true;
}

static bool moves(enum image_kind as)
{
    return as == IMAGE_WEBP || as == IMAGE_GIF;
}

/* False when it has answered. Who named no format gets the file when there can be no rendition: better than none. So do
 * they when an animation has no turn in time. */
static bool open_rendition(struct media *m, const struct wish *wish)
{
    struct error err;
    struct thumb *thumb = &m->thumb;
    bool shown = image_mime_is_shown(m->sticker.mime);
    thumb->width = wish->width ? wish->width : !shown ? width_at_least(m->sticker.width) : 0;
    if (!thumb->width)
        thumb->width = IMAGE_WIDEST_THUMBNAIL;
    thumb->as = wish->as ? wish->as : negotiate(http_header(m->req, "Accept"));
    if (m->sticker.animated)
        thumb->motion = moves(thumb->as) && !wish->still ? THUMB_MOVING : THUMB_POSTER;
    if (!wish->as)
        http_vary(m->res, "Accept");
    enum status status =
        thumbs_get(m->service->thumbs, m->service->bucket, m->key, m->sticker.sha256, thumb, &m->fd, &m->size, &err);
    if (status == OK)
        return true;
    if (status == ERR_UNAVAILABLE && (wish->as || thumb->motion != THUMB_MOVING || !shown)) {
        http_problem_from(m->res, &err);
        return false;
    }
    if (status == ERR_TOO_LARGE || status == ERR_UNAVAILABLE) /* which is known of it, and was logged once */
        log_debug("no rendition of %s: %s", m->sticker.filename, err.message);
    else
        log_error("cannot make a rendition of %s: %s", m->sticker.filename, err.message);
    if (wish->as) {
        http_problem(m->res, 422, "There can be no %s of this image: %s.", image_mime(wish->as),
                     status == ERR_TOO_LARGE ? "it is too complex" : "it cannot be read");
        return false;
    }
    thumb->width = 0;
    m->lasting = false;
    return true;
}

/* False when it has answered. */
static bool open_file(struct media *m)
{
    struct error err;
    if (bucket_fd(m->service->bucket, m->key, &m->fd, &m->size, &err) == OK)
        return true;
    log_error("the image of %s is missing: %s", m->sticker.filename, err.message);
    if (err.code == ERR_NOT_FOUND) {
        http_problem(m->res, 404, "The sticker's image is missing.");
    } else { /* whatever the store's trouble is, it is not the client's */
        http_header_add(m->res, "Retry-After", "2");
        http_problem(m->res, 503, "The image store does not respond at the moment.");
    }
    return false;
}

/* Which rendition it is, as an item of RFC 9651: "webp;w=256", with ";still" where the sticker moves and this does not.
 */
static void tell_rendition(const struct media *m)
{
    char text[64];
    for (size_t i = 0; i < N_FORMATS; i++)
        if (formats[i].kind == m->thumb.as) {
            snprintf(text, sizeof text, "%s;w=%u%s", formats[i].name, m->thumb.width,
                     m->thumb.motion == THUMB_POSTER ? ";still" : "");
            http_header_add(m->res, "Rendition", text);
        }
}

static void send_media(const struct media *m)
{
    struct http_response *res = m->res;
    const struct thumb *thumb = &m->thumb;
    static const char *const marks[] = {[THUMB_STILL] = "", [THUMB_POSTER] = "p", [THUMB_MOVING] = "m"};
    const char *mime = thumb->width ? image_mime(thumb->as) : m->sticker.mime;
    char etag[96];
    if (!thumb->width)
        snprintf(etag, sizeof etag, "\"%.64s\"", m->sticker.sha256);
    else
        snprintf(etag, sizeof etag, "\"%.64s-%u%s%s%s\"", m->sticker.sha256, thumb->width, marks[thumb->motion],
                 thumb->as == IMAGE_WEBP ? "" : "-", thumb->as == IMAGE_WEBP ? "" : image_extension(thumb->as));
    if (thumb->width)
        tell_rendition(m);
    http_header_add(res, "ETag", etag);
    http_header_add(res, "Cache-Control", m->lasting ? "public, max-age=31536000, immutable" : "public, max-age=60");
    http_header_add(res, "Cross-Origin-Resource-Policy", "cross-origin"); /* images are there to be embedded */
    /* A drawing opened by itself must not run anything on our origin. */
    if (strcmp(mime, "image/svg+xml") == 0)
        http_header_add(res, "Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'");
    if (http_etag_listed(http_header(m->req, "If-None-Match"), etag)) {
        close(m->fd);
        http_body_static(res, 304, mime, "", 0);
        return;
    }
    send_file(m->req, res, mime, etag, m->fd, m->size);
}

void handle_api_media(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct media m = {.service = ctx, .req = req, .res = res, .fd = -1};
    struct wish wish;
    if (!find_sticker(&m, &wish))
        return;
    if (!is_file_enough(&wish, &m.sticker) && !open_rendition(&m, &wish))
        return;
    if (m.fd >= 0 || open_file(&m))
        send_media(&m);
}
