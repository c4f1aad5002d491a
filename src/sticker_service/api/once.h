/* once.h: requests that may come again under one Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07). */
#ifndef PEEL_STICKER_SERVICE_API_ONCE_H
#define PEEL_STICKER_SERVICE_API_ONCE_H

#include "http/server.h"
#include "sticker_store/sticker_store.h"

/* A key is one sender's, as far as senders are told apart: somebody else's token with the same key is another key. The
 * database has hashes only, of keys, tokens and bodies alike. */
struct request_once {
    struct feedback_once once;
    char key[65], body[65];
};

/* The key of the request, or of its `part` (from 1; 0: the whole). *known: there is one. ERR_INVALID: it is wrong. */
enum status once_read(const struct http_request *req, size_t part, struct request_once *out, bool *known,
                      struct error *err) MUST_CHECK;

#endif
