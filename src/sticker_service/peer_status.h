/* peer_status.h: what SearchService says of itself, for pages that must not wait for it.
 *
 * A thread asks, at most once a second and only while somebody looks. Who looks gets what was heard last; only when
 * nobody had looked for a while is the answer waited for, and so shortly that a peer that hangs costs a page nothing
 * that a person would notice. */
#ifndef PEEL_STICKER_SERVICE_PEER_STATUS_H
#define PEEL_STICKER_SERVICE_PEER_STATUS_H

#include "base/status.h"
#include "http/client.h"

#include <jansson.h>

enum peer_state { PEER_ASKED /* no answer yet */, PEER_HEARD, PEER_AWAY };

struct peer_status;
/* `client` asks; it is not asked while the breaker of `searches` says that the peer is away. Both outlive this. */
enum status peer_status_open(struct http_client *client, struct http_client *searches, struct peer_status **out,
                             struct error *err) MUST_CHECK;
void peer_status_close(struct peer_status *p);

/* PEER_HEARD: *answer is /api/status, which the caller drops by json_decref; otherwise it is NULL. */
enum peer_state peer_status_get(struct peer_status *p, json_t **answer);

#endif
