/* multipart.h: bodies of type multipart/form-data (RFC 7578; RFC 2046, section 5.1), as forms with files are sent.
 *
 * The body is in memory as a whole, so what is found points into it and nothing of a file is copied. (libmicrohttpd's
 * post processor wants a connection and to be fed on the byte-moving thread, and takes a body that was cut off.)
 *
 *     struct multipart parts;
 *     if (multipart_parse(http_header(req, "Content-Type"), req->body, req->body_len, 64, req->arena, &parts, &err))
 *         ...
 */
#ifndef PEEL_HTTP_MULTIPART_H
#define PEEL_HTTP_MULTIPART_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

#define MULTIPART_MAX_HEAD 8192u /* bytes of one part's fields */

struct multipart_part {
    const char *name;     /* UTF-8 without control characters, from the arena */
    const char *filename; /* the same, as it was sent (not a safe path); NULL where the part is not a file */
    const char *data;     /* [len], in the body; any bytes */
    size_t len;
};
struct multipart {
    struct multipart_part *parts; /* in the order sent */
    size_t n;
};

/* Whether a Content-Type header (may be NULL) says that the body is such a form. */
bool multipart_is(const char *content_type) MUST_CHECK;
/* ERR_INVALID: not such a form, not well-formed, or cut off; ERR_TOO_LARGE past max_parts. */
enum status multipart_parse(const char *content_type, const char *body, size_t len, size_t max_parts, struct arena *a,
                            struct multipart *out, struct error *err) MUST_CHECK;

#endif
