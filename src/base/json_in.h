/* json_in.h: reading members of parsed JSON that may be absent, or of another kind. */
#ifndef PEEL_BASE_JSON_IN_H
#define PEEL_BASE_JSON_IN_H

#include <jansson.h>
#include <stdint.h>

/* The member as a string that lives as long as `object`; "" when it is none, or `object` no object. */
const char *json_member_text(const json_t *object, const char *name);
/* The member as a whole number; 0 when it is none. */
int64_t json_member_int(const json_t *object, const char *name);

#endif
