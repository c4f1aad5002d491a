/* cookie.h: reading Cookie headers and writing Set-Cookie (RFC 6265). */
#ifndef PEEL_WEB_COOKIE_H
#define PEEL_WEB_COOKIE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* The value of cookie `name` in a Cookie header (may be NULL), without surrounding quotes; the first if
 * there are several. ERR_NOT_FOUND if there is none. */
enum status cookie_get(const char *header, const char *name, struct arena *a, const char **value,
                       struct error *err) MUST_CHECK;

/* Always HttpOnly and SameSite=Lax: our scripts read no cookies. */
struct cookie {
    const char *name, *value; /* visible ASCII without space " , ; \ (asserted: they are ours) */
    const char *path;         /* "/admin/" */
    int64_t max_age_s;        /* 0: until the browser closes; < 0: delete now */
    bool secure;              /* the page came over TLS */
};
void cookie_write(struct buf *out, const struct cookie *c); /* the value of a Set-Cookie header */

#endif
