/* sticker_webhooks.h: webhooks, and what is to be delivered to them (docs/WEBHOOKS.md). sticker_store.h's rules hold
 * here too.
 *
 * An event is written in the transaction of the change that it tells of, once for each enabled webhook that wants it,
 * so that no crash comes between the two. A webhook gets its deliveries in the order of their `seq`: after one that
 * failed, all wait until `due_us`. Those of the last STORE_DELIVERIES_US are kept, delivered or not. */
#ifndef PEEL_STICKER_STORE_STICKER_WEBHOOKS_H
#define PEEL_STICKER_STORE_STICKER_WEBHOOKS_H

#include "sticker_store/sticker_admin.h"

enum webhook_event {
    WEBHOOK_STICKER_CREATED,
    WEBHOOK_STICKER_CHANGED,
    WEBHOOK_STICKER_REMOVED,
    WEBHOOK_STICKER_RESTORED,
    WEBHOOK_VOTES_HELD,
    WEBHOOK_TEST,
    WEBHOOK_EVENTS
};
extern const char *const webhook_events[WEBHOOK_EVENTS]; /* "sticker.created" and so on */

#define STORE_WEBHOOKS      100                /* at most */
#define STORE_DELIVERIES_US (7 * STORE_DAY_US) /* that deliveries are kept */
#define WEBHOOK_MAX_WAIT_US                                                                                            \
    (86400 * 1000000ll) /* of a retry: what is due later was put off when the clock was ahead                          \
                         */

struct webhook {
    int64_t id; /* from 1 */
    const char *url;
    const char *events;   /* "sticker.created,sticker.removed"; "": all */
    const char *secret;   /* as the caller keeps it */
    const char *disabled; /* why it is off; "": it is enabled */
    int64_t failures;     /* in a row */
    int64_t due_us;       /* not before */
    int64_t created_us;
    int64_t waiting; /* deliveries */
};
struct webhook_delivery {
    int64_t seq;
    const char *id; /* of the message, the same in each attempt and for each webhook: a UUID */
    const char *event;
    const char *object;   /* the filename, or the query whose votes are held */
    const char *data;     /* what is told of it, as JSON; "": what there is to tell when it is sent */
    int64_t at_us;        /* when it happened */
    int64_t attempts;     /* so far */
    int64_t status;       /* of the last answer; 0: there was none */
    const char *error;    /* of the last attempt, "" for none */
    int64_t delivered_us; /* 0: not yet */
};

/* Whether each of "a,b" is the name of an event other than the test; "" is fine. ERR_INVALID names the one that is not.
 */
enum status webhook_events_check(const char *events, struct error *err) MUST_CHECK;

/* What changes a webhook has a history entry, and is DURABLE. w: url, events, secret; *id: its number. ERR_CONFLICT:
 * one of this URL exists; ERR_TOO_LARGE: STORE_WEBHOOKS exist. */
enum status sticker_store_webhook_add(struct sticker_store *s, const struct admin_who *who, const struct webhook *w,
                                      int64_t *id, struct error *err) MUST_CHECK;
/* With its deliveries. ERR_NOT_FOUND, as the others. */
enum status sticker_store_webhook_remove(struct sticker_store *s, const struct admin_who *who, int64_t id,
                                         struct error *err) MUST_CHECK;
/* why: "" enables it, and what waits is sent at once; else it is off, and nothing is written down for it. */
enum status sticker_store_webhook_disable(struct sticker_store *s, const struct admin_who *who, int64_t id,
                                          const char *why, struct error *err) MUST_CHECK;
/* All, or the one of this id if that is not 0, in the order of their ids. */
enum status sticker_store_webhook_list(struct sticker_store *s, int64_t id, struct arena *a, struct webhook **out,
                                       size_t *n, struct error *err) MUST_CHECK;
/* Queues a test for this webhook alone, to be sent at once; ERR_INVALID: it is disabled. *seq: of the delivery. */
enum status sticker_store_webhook_test(struct sticker_store *s, int64_t id, int64_t *seq, struct error *err) MUST_CHECK;
/* Sends a delivery again, delivered or not, as soon as possible. ERR_NOT_FOUND. */
enum status sticker_store_webhook_resend(struct sticker_store *s, int64_t seq, struct error *err) MUST_CHECK;
/* The last deliveries of a webhook, the newest first. */
enum status sticker_store_webhook_deliveries(struct sticker_store *s, int64_t id, size_t limit, struct arena *a,
                                             struct webhook_delivery **out, size_t *n, struct error *err) MUST_CHECK;

/* --- for whoever delivers, whose turn it is (sticker_store_outbox_turn) --- */

/* Enabled webhooks that are due and have something waiting. */
enum status sticker_store_webhook_due(struct sticker_store *s, int64_t now_us, struct arena *a, struct webhook **out,
                                      size_t *n, struct error *err) MUST_CHECK;
/* What waits for a webhook, the oldest first. */
enum status sticker_store_webhook_next(struct sticker_store *s, int64_t id, size_t limit, struct arena *a,
                                       struct webhook_delivery **out, size_t *n, struct error *err) MUST_CHECK;
/* Notes an attempt. err->code OK: it was delivered. Else the webhook is due again at due_us, or is disabled where
 * `disabled` is not "". */
enum status sticker_store_webhook_tried(struct sticker_store *s, int64_t id, int64_t seq, int64_t status,
                                        const struct error *tried, int64_t due_us, const char *disabled,
                                        struct error *err) MUST_CHECK;
struct webhook_counts {
    int64_t enabled, disabled, waiting; /* waiting: deliveries of enabled ones */
};
enum status sticker_store_webhook_count(struct sticker_store *s, struct webhook_counts *out,
                                        struct error *err) MUST_CHECK;

#endif
