/* outbox.h: tells SearchService about stickers that were added, changed or deleted, whoever did it.
 *
 * A thread reads the outbox table and sends PUT and DELETE /api/documents/<filename>, several at
 * once, and POST <filename>/reindex after a PUT whose image is to be encoded anew. Several StickerServices on a
 * database take turns. An entry leaves the table only when SearchService has accepted it; all calls are idempotent. */
#ifndef PEEL_STICKER_SERVICE_OUTBOX_H
#define PEEL_STICKER_SERVICE_OUTBOX_H

#include "base/status.h"
#include "http/client.h"
#include "sticker_store/sticker_store.h"
#include <stdint.h>

/* A turn (sticker_store_outbox_turn), a call in it, and how much of it there is to begin calls in. */
#define OUTBOX_TURN_US    15000000ll
#define OUTBOX_CALL_MS    10000u
#define OUTBOX_SENDING_US (OUTBOX_TURN_US - OUTBOX_CALL_MS * 1000ll - 1000000)

struct outbox;
/* Looks whether the row of a sticker is of the image that the bucket has, and if not corrects it. From many threads. */
typedef enum status outbox_look(void *ctx, const char *filename, struct error *err);
/* store and client are borrowed until close. `parallel`: documents on their way at once. */
enum status outbox_open(struct sticker_store *store, struct http_client *client, unsigned poll_ms, unsigned parallel,
                        outbox_look *look, void *ctx, struct outbox **out, struct error *err) MUST_CHECK;
void outbox_close(struct outbox *o); /* waits for documents on their way */
void outbox_wake(struct outbox *o);  /* something was queued just now */

/* What went wrong last, "" if nothing did; copied. It may be over: it matters while documents are pending. */
void outbox_last_error(struct outbox *o, char *out, size_t cap);
uint64_t outbox_delivered(struct outbox *o);

#endif
