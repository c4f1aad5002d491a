/* compat.h: routes that answer as the services do whose clients people have: Tenor v2, GIPHY v1 and KLIPY v1, with
 * their parameters, members, paging and errors (docs/COMPATIBLE.md). They are a translation of the same searches, and
 * what unchanged clients tell of views, clicks and shares becomes events. Sees the core of StickerService. */
#ifndef PEEL_STICKER_SERVICE_COMPAT_COMPAT_H
#define PEEL_STICKER_SERVICE_COMPAT_COMPAT_H

#include "http/server.h"

#define COMPAT_BODY (1u << 20) /* of events, and of what KLIPY's clients send */

/* Every ctx is a struct sticker_service. */
void handle_tenor_search(void *ctx, const struct http_request *req, struct http_response *res);
void handle_tenor_featured(void *ctx, const struct http_request *req, struct http_response *res);
void handle_tenor_posts(void *ctx, const struct http_request *req, struct http_response *res);
void handle_tenor_categories(void *ctx, const struct http_request *req, struct http_response *res);
void handle_tenor_autocomplete(void *ctx, const struct http_request *req, struct http_response *res);
void handle_tenor_trending_terms(void *ctx, const struct http_request *req, struct http_response *res);
void handle_tenor_registershare(void *ctx, const struct http_request *req, struct http_response *res);

void handle_giphy_search(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_translate(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_trending(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_random(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_related(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_gif(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_gifs(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_categories(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_category(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_tags(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_related_tags(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_trending_searches(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_channels(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_emoji(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_variations(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_randomid(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_pingback(void *ctx, const struct http_request *req, struct http_response *res);
void handle_giphy_pingback_simple(void *ctx, const struct http_request *req, struct http_response *res);

void handle_klipy(void *ctx, const struct http_request *req, struct http_response *res);

/* What the server refuses, in the form of the service that the path is of; false: of none. See http/server.h. */
bool compat_refuse(const struct http_request *req, struct http_response *res, int status);

#endif
