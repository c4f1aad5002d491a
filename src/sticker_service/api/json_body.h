/* json_body.h: a request's body as JSON (RFC 8259), read so that an error can name the member in which it is. */
#ifndef PEEL_STICKER_SERVICE_API_JSON_BODY_H
#define PEEL_STICKER_SERVICE_API_JSON_BODY_H

#include "http/server.h"

#include <jansson.h>

/* Reads the body; the caller calls json_decref. Members may not come twice. Numbers are
 * reals: see json_whole_number. ERR_INVALID: it is not JSON. Bytes that are
 * not UTF-8 are read as a NUL, which json_check_string finds, and make *utf8 false. */
enum status json_body(const struct http_request *req, json_t **root, bool *utf8, struct error *err) MUST_CHECK;
/* ERR_INVALID unless the value, which is called `name` in the message, is a string of UTF-8 without NUL. */
enum status json_check_string(const json_t *value, const char *name, struct error *err) MUST_CHECK;

#endif
