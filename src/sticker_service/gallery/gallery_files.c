/* Static files, and the reference of the API. */
#include "sticker_service/gallery/gallery.h"

#include "http/accept.h"
#include "sticker_service/gallery/gallery_parts.h"
#include "web/apidocs.h"
#include "web/assets.h"

static void send_asset(const struct http_request *req, struct http_response *res, const struct asset *a,
                       const char *cache_control)
{
    http_header_add(res, "Cache-Control", cache_control);
    http_header_add(res, "ETag", a->etag);
    if (a->gzip)
        http_vary(res, "Accept-Encoding");
    if (http_etag_listed(http_header(req, "If-None-Match"), a->etag)) {
        http_body_static(res, 304, a->type, "", 0);
    } else if (a->gzip && http_accepts(http_header(req, "Accept-Encoding"), "gzip")) {
        http_header_add(res, "Content-Encoding", "gzip");
        http_body_static(res, 200, a->type, a->gzip, a->gzip_len);
    } else {
        http_body_static(res, 200, a->type, a->data, a->len);
    }
}

void handle_gallery_static(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    const struct asset *a = asset_by_file(req->path_param);
    if (a)
        send_asset(req, res, a, ASSET_CACHE_CONTROL);
    else
        http_problem(res, 404, "No such file.");
}

void handle_gallery_script(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    const struct asset *a = asset_by_name(req->path + 1);
    if (a)
        send_asset(req, res, a, "no-cache");
    else
        http_problem(res, 404, "No such file."); /* with a slash at its end */
}

void handle_openapi(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    http_header_set(res, "Access-Control-Allow-Origin", "*"); /* also for origins that are not listed */
    send_asset(req, res, asset_by_name("openapi.json"), "no-cache");
}

void handle_docs(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    struct error err;
    struct buf html;
    struct gallery_visit v;
    gallery_visit(&v, req, res);
    buf_init(&html, GALLERY_HTML_MAX);
    const struct asset *a = asset_by_name("openapi.json");
    const char *host = http_header(req, "Host");
    const char *server =
        arena_printf(req->arena, "%s://%s", req->over_tls ? "https" : "http", host ? host : "localhost:8000");
    enum status status = server ? apidocs_page((const char *)a->data, a->len, server, req->arena, &html, &err)
                                : err_no_memory(&err, "a page");
    if (status == OK)
        gallery_send(&v, 200, &html);
    else
        gallery_send_error(&v, &err, "");
    buf_free(&html);
}
