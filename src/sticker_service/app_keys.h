/* app_keys.h: which app a request is of. Keys are made by `peel key create`; the database has only their hashes, and
 * this their copies in memory, which are at most APP_KEYS_EVERY_MS old. A key tells apps apart, counts and limits them;
 * it is no secret that protects anything, as it stands in every copy of an app. */
#ifndef PEEL_STICKER_SERVICE_APP_KEYS_H
#define PEEL_STICKER_SERVICE_APP_KEYS_H

#include "http/server.h"
#include "sticker_store/sticker_store.h"

#define APP_KEYS_EVERY_MS 1000u

struct app_keys;
/* required: requests without a key that is known are refused. */
enum status app_keys_open(struct sticker_store *store, bool required, struct app_keys **out,
                          struct error *err) MUST_CHECK;
/* Writes the counts down. NULL is fine. */
void app_keys_close(struct app_keys *k);

/* For http_server_config.app. The key is in X-Api-Key, "Authorization: Bearer", or where the APIs that we are like have
 * it: in the parameter api_key, under /tenor/ in key, under /klipy/api/v1/ in the path. What assistants use (/mcp)
 * always needs one. */
void app_keys_ask(struct app_keys *k, const struct http_request *req, unsigned cost, bool again, struct http_app *out);

void app_keys_metrics(struct app_keys *k, struct buf *out); /* Prometheus text, appended */

#endif
