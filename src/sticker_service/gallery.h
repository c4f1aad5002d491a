/* gallery.h: the pages that people see: search, one sticker, the API's reference; and their files.
 *
 * Handlers for StickerService's router; ctx is its struct sticker_service. Routes:
 *
 *     {HTTP_GET,  "/",                   gallery_page,    0, 0,            "gallery"},
 *     {HTTP_GET,  "/sticker/{filename}", gallery_sticker, 0, 0,            "gallery_sticker"},
 *     {HTTP_POST, "/vote",               gallery_vote,    0, GALLERY_VOTE, "gallery_vote"},
 *     {HTTP_GET,  "/static/{file}",      gallery_static,  HTTP_INLINE, 0,  "static"},
 *     {HTTP_GET,  "/api/openapi.json",   gallery_openapi, HTTP_INLINE, 0,  "openapi"},
 *     {HTTP_GET,  "/api/docs",           gallery_docs,    0, 0,            "docs"},
 *
 * Pages work without JavaScript; web/static/gallery.js makes them quicker to use. */
#ifndef PEEL_STICKER_SERVICE_GALLERY_H
#define PEEL_STICKER_SERVICE_GALLERY_H

#include "http/server.h"

#define GALLERY_VOTE 16384 /* bytes of a vote's form */

/* GET /?q=cat[&page=2]: results, or examples when there is no q. With part=results only that part of the
 * page, for scripts; with typing=1 the search is not counted as usage. */
void gallery_page(void *ctx, const struct http_request *req, struct http_response *res);
/* GET /sticker/<filename>[?q=cat]: one sticker, large. */
void gallery_sticker(void *ctx, const struct http_request *req, struct http_response *res);
/* POST /vote with q, positive or negative (a filename), page or from=sticker: counts and redirects back. */
void gallery_vote(void *ctx, const struct http_request *req, struct http_response *res);
void gallery_static(void *ctx, const struct http_request *req, struct http_response *res);
void gallery_openapi(void *ctx, const struct http_request *req, struct http_response *res);
void gallery_docs(void *ctx, const struct http_request *req, struct http_response *res);

#endif
