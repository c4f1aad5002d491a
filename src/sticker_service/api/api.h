/* api.h: the JSON API, its images, health and metrics: a handler for each route, in the file of its subject
 * (api_search.c, api_feedback.c, ...). The contract is docs/openapi.json. Sees the core of StickerService, neither the
 * gallery nor the admin. */
#ifndef PEEL_STICKER_SERVICE_API_API_H
#define PEEL_STICKER_SERVICE_API_API_H

#include "http/server.h"

struct sticker;
struct sticker_service;

/* Every ctx is a struct sticker_service. */
void handle_api_search(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_suggest(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_sticker(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_sticker_put(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_sticker_patch(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_sticker_delete(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_sticker_bulk(void *ctx, const struct http_request *req, struct http_response *res);
/* For struct http_server_config: whether a picture may come. */
bool api_admit(void *ctx, const struct http_request *req, struct http_response *res);
#define API_PICTURE (34u << 20) /* bytes of a request with a picture, and what is said of it */
#define API_WORDS   (1u << 20)  /* of one without */
#define API_BULK    (8u << 20)

void handle_api_similar(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_random(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_trending(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_pack(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_packs(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_categories(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_feedback(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_events(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_analytics(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_export(void *ctx, const struct http_request *req, struct http_response *res);
void handle_api_mcp(void *ctx, const struct http_request *req, struct http_response *res);
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

/* --- for the files of this room --- */

/* Answers with the sticker that the request's path names, as it is now, and its ETag. */
void api_send_sticker(struct sticker_service *s, const struct http_request *req, struct http_response *res, int status,
                      const char *cache);
/* Quoted; another one after each change. */
#define API_ETAG_SIZE 24
void api_sticker_etag(const struct sticker *k, char out[API_ETAG_SIZE]);

#endif
