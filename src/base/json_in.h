/* json_in.h: reading members of parsed JSON that may be absent, or of another kind. */
#ifndef PEEL_BASE_JSON_IN_H
#define PEEL_BASE_JSON_IN_H

#include "base/status.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Reads a text that somebody sent as the body of a request. `flags`: as json_loadb has them. ERR_INVALID says where it
 * is not JSON; ERR_NO_MEMORY. The caller decrefs *out, which is NULL after an error. */
enum status json_read_body(const char *text, size_t len, size_t flags, json_t **out, struct error *err) MUST_CHECK;

/* The member as a string that lives as long as `object`; "" when it is none, or `object` no object. */
const char *json_member_text(const json_t *object, const char *name);
/* A whole number, however it is written: 3, 3.0 and 3e0 are one number (RFC 8259, section 6). False when it is none, or
 * has no place in *out. NULL is fine. */
bool json_whole_number(const json_t *value, int64_t *out);
/* The member as a whole number; 0 when it is none. */
int64_t json_member_int(const json_t *object, const char *name);

#endif
