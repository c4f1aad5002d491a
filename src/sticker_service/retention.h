/* retention.h: forgets what is old, in a thread that looks once an hour: searches that nobody voted on, whose votes
 * they were, events, addresses in the history, sessions, attempts to log in, idempotency keys. (The trash, whose
 * stickers have images, is emptied by trash.h.) Any number of StickerServices may do so at once. docs/PRIVACY.md tells
 * people. */
#ifndef PEEL_STICKER_SERVICE_RETENTION_H
#define PEEL_STICKER_SERVICE_RETENTION_H

#include "base/buf.h"
#include "base/status.h"
#include "sticker_store/sticker_privacy.h"

struct retention_worker;
/* keep_us[what]: how long; 0: for ever. The store outlives this. */
enum status retention_open(struct sticker_store *store, const int64_t keep_us[RETENTIONS],
                           struct retention_worker **out, struct error *err) MUST_CHECK;
void retention_close(struct retention_worker *r); /* NULL is fine */
/* Appends how much was forgotten since the start. */
void retention_metrics(const struct retention_worker *r, struct buf *out);

#endif
