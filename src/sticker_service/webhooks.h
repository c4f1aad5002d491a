/* webhooks.h: tells other programs of changes, by signed HTTP requests as Standard Webhooks describes them
 * (https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md). docs/WEBHOOKS.md is for those
 * who receive them.
 *
 * A thread reads what the store has written down (sticker_webhooks.h) and POSTs it, at least once, to each webhook in
 * the order in which it happened. After a failure all that waits for that webhook waits longer and longer; after
 * WEBHOOK_ATTEMPTS failures in a row, which takes about a day, or the answer 410 (Gone), it is disabled. Several
 * StickerServices on a database take turns. */
#ifndef PEEL_STICKER_SERVICE_WEBHOOKS_H
#define PEEL_STICKER_SERVICE_WEBHOOKS_H

#include "base/buf.h"
#include "base/status.h"
#include "sticker_store/sticker_webhooks.h"
#include <stdint.h>

#define WEBHOOK_ATTEMPTS    19
#define WEBHOOK_SECRET_SIZE 52 /* "whsec_" and 32 bytes as base64, with the NUL */

/* "https://shop.example/hooks/peel": http or https, at most 2000 visible ASCII characters, without user and password or
 * a fragment. ERR_INVALID. */
enum status webhook_url_check(const char *url, struct error *err) MUST_CHECK;
void webhook_secret_new(char out[WEBHOOK_SECRET_SIZE]);

struct sticker_service;
struct webhooks;
/* The service is borrowed until close. */
enum status webhooks_open(struct sticker_service *s, struct webhooks **out, struct error *err) MUST_CHECK;
void webhooks_close(struct webhooks *w); /* waits for requests on their way; NULL is fine */
void webhooks_wake(struct webhooks *w);  /* something is to be sent at once */

void webhooks_metrics(struct webhooks *w, struct buf *out); /* Prometheus text, appended */

#endif
