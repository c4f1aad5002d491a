#include "sticker_service/packed.h"

#include "http/accept.h"
#include "web/compress.h"

#define PACKED_MIN 1024 /* bytes: less is not worth it */

static const struct coding {
    const char *name;
    enum status (*compress)(const char *data, size_t len, struct buf *out, struct error *err);
} codings[] = {{"zstd", compress_zstd}, {"gzip", compress_gzip}}; /* the first of those that a client wants equally */

static const struct coding *choose_coding(const char *accept)
{
    const struct coding *best = NULL;
    unsigned most = 0;
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        unsigned weight = http_accepts(accept, codings[i].name);
        if (weight > most) {
            most = weight;
            best = &codings[i];
        }
    }
    return best;
}

static void pack(const struct http_request *req, struct http_response *res, struct buf *body)
{
    struct buf packed;
    struct error err;
    const struct coding *coding = choose_coding(http_header(req, "Accept-Encoding"));
    if (!coding)
        return;
    buf_init(&packed, body->max);
    if (coding->compress(body->data, body->len, &packed, &err) != OK) { /* then it goes as it is */
        buf_free(&packed);
        return;
    }
    http_header_add(res, "Content-Encoding", coding->name);
    buf_free(body);
    *body = packed;
}

void send_packed(const struct http_request *req, struct http_response *res, int status, const char *type,
                 struct buf *body, const char *what)
{
    if (body->failed) {
        http_problem_unfinished(res, body, what);
        buf_free(body);
        return;
    }
    http_vary(res, "Accept-Encoding");
    if (body->len >= PACKED_MIN)
        pack(req, res, body);
    size_t len = body->len;
    http_body_take(res, status, type, buf_take(body), len);
}
