/* gallery.h: the pages that people see: search, one sticker, the API's reference, the documentation; and their files.
 * The room sees the core of StickerService and the rooms below it, neither api nor admin.
 *
 * Handlers for StickerService's router; ctx is its struct sticker_service. Routes:
 *
 *     {HTTP_GET,  "/",                   handle_gallery,    0, 0,            "gallery"},
 *     {HTTP_GET,  "/sticker/{filename}", handle_gallery_sticker, 0, 0,            "gallery_sticker"},
 *     {HTTP_GET,  "/packs/",             handle_gallery_packs, 0, 0,              "gallery_packs"},
 *     {HTTP_GET,  "/packs/{pack...}",    handle_gallery_pack, 0, 0,               "gallery_packs"},
 *     {HTTP_POST, "/vote",               handle_gallery_vote,    0, GALLERY_VOTE, "gallery_vote"},
 *     {HTTP_GET,  "/oembed",             handle_gallery_oembed,  0, 0,            "oembed"},
 *     {HTTP_GET,  "/static/{file}",      handle_gallery_static,  HTTP_INLINE, 0,  "static"},
 *     {HTTP_GET,  "/peel-picker.js",     handle_gallery_script, HTTP_INLINE, 0,  "picker"},
 *     {HTTP_GET,  "/peel-client.js",     handle_gallery_script, HTTP_INLINE, 0,  "picker"},
 *     {HTTP_GET,  "/peel-parts.js",      handle_gallery_script, HTTP_INLINE, 0,  "picker"},
 *     {HTTP_GET,  "/peel-picker.json",   handle_picker_texts, HTTP_INLINE, 0,    "picker"},
 *     {HTTP_GET,  "/demo",               handle_demo,    0, 0,            "demo"},
 *     {HTTP_GET,  "/api/openapi.json",   handle_openapi, HTTP_INLINE, 0,  "openapi"},
 *     {HTTP_GET,  "/api/docs",           handle_docs,    0, 0,            "docs"},
 *     {HTTP_GET,  "/docs/",              handle_manual,  0, 0,            "manual"},
 *     {HTTP_GET,  "/docs/{page}",        handle_manual,  0, 0,            "manual"},
 *
 * Pages work without JavaScript; web/static/gallery.js makes them quicker to use. */
#ifndef PEEL_STICKER_SERVICE_GALLERY_GALLERY_H
#define PEEL_STICKER_SERVICE_GALLERY_GALLERY_H

#include "http/server.h"

#define GALLERY_VOTE 16384 /* bytes of a vote's form */

/* GET /?q=cat[&page=2][&pack=&animated=&rating=][&lang=de]: results, or examples when there is no q. With part=results
 * only that part of the page, for scripts; with typing=1 the search is not counted as usage. */
void handle_gallery(void *ctx, const struct http_request *req, struct http_response *res);
/* GET /sticker/<filename>[?q=cat]: one sticker, large. */
void handle_gallery_sticker(void *ctx, const struct http_request *req, struct http_response *res);
/* GET /packs/: all packs; GET /packs/<pack>[?cursor=]: one, with its stickers in their order. */
void handle_gallery_packs(void *ctx, const struct http_request *req, struct http_response *res);
void handle_gallery_pack(void *ctx, const struct http_request *req, struct http_response *res);
/* POST /vote with q, positive or negative (a filename), page or from=sticker: counts and redirects back. */
void handle_gallery_vote(void *ctx, const struct http_request *req, struct http_response *res);
/* GET /oembed?url=<a sticker's page>[&maxwidth=&maxheight=&format=json]: https://oembed.com, of type "photo". */
void handle_gallery_oembed(void *ctx, const struct http_request *req, struct http_response *res);
/* For struct http_server_config: what the server refuses, as a page for those who ask for HTML. */
bool gallery_refuse(void *ctx, const struct http_request *req, struct http_response *res, int status, unsigned retry_s);
void handle_gallery_static(void *ctx, const struct http_request *req, struct http_response *res);
/* A script that pages of others load, at an address that stays the same. */
void handle_gallery_script(void *ctx, const struct http_request *req, struct http_response *res);
/* GET /peel-picker.json[?lang=pt-BR]: what <peel-picker> says, in that language or in English. */
void handle_picker_texts(void *ctx, const struct http_request *req, struct http_response *res);
/* GET /demo: a chat with the picker. */
void handle_demo(void *ctx, const struct http_request *req, struct http_response *res);
void handle_openapi(void *ctx, const struct http_request *req, struct http_response *res);
void handle_docs(void *ctx, const struct http_request *req, struct http_response *res);
/* GET /docs/[<page>][?q=backup]: a page of the documentation, without a name its index; with q what a search finds. */
void handle_manual(void *ctx, const struct http_request *req, struct http_response *res);

#endif
