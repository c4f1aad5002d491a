/* api.h: the JSON API, its images, health and metrics: a handler for each route, in the file of its subject
 * (api_search.c, api_feedback.c, ...). The contract is docs/openapi.json. Sees the core of StickerService, neither the
 * gallery nor the admin. */
#ifndef PEEL_STICKER_SERVICE_API_API_H
#define PEEL_STICKER_SERVICE_API_API_H

#include "http/server.h"

/* Every ctx is a struct sticker_service. */
void handle_api_search(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_suggest(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_sticker(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_similar(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_random(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_trending(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_packs(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_categories(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_feedback(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_events(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_analytics(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_export(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_counter(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_pins(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_pins_put(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_pins_delete(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_synonyms(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_synonyms_put(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_synonyms_delete(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_media(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_healthz(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_readyz(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_metrics(void *ctx, const struct http_request *req, struct http_response *res);

#endif
