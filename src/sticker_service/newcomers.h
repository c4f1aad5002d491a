/* newcomers.h: the stickers that are new and of which little is known, with what people did with them so far: what
 * searches try (trial.h). In memory, brought up to date by a thread of its own from the log of events. Thread-safe. */
#ifndef PEEL_STICKER_SERVICE_NEWCOMERS_H
#define PEEL_STICKER_SERVICE_NEWCOMERS_H

#include "sticker_service/trial.h"
#include "sticker_store/sticker_store.h"

#define NEWCOMER_DAYS     30   /* for which a sticker is new, */
#define NEWCOMER_EVIDENCE 100  /* unless it was seen so often */
#define NEWCOMERS_MAX     5000 /* the newest */

struct newcomers;
enum status newcomers_open(struct sticker_store *store, struct newcomers **out, struct error *err) MUST_CHECK;
void newcomers_close(struct newcomers *n); /* NULL is fine */

/* Whether there are any: none, where more than half of all stickers are new, because then they compete with each other
 * anyway. */
bool newcomers_any(const struct newcomers *n);
/* Whether the sticker of this id is one, and what is known of it. */
bool newcomers_find(struct newcomers *n, const char *id, struct trial_evidence *out);

#endif
