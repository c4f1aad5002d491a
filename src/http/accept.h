/* accept.h: what a request's header fields say that it takes, and has already (RFC 9110). */
#ifndef PEEL_HTTP_ACCEPT_H
#define PEEL_HTTP_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>

/* How much an Accept or Accept-Encoding field (may be NULL) wants `what`, "image/webp" or "gzip", in thousandths: by
 * its most exact element that names it, of which "image/" + "*" and "*" are less exact. 0: not at all, or not named.
 * Sections 12.5.1 and 12.5.3. */
unsigned http_accepts(const char *field, const char *what);
/* The weight that "; q=0.8", the parameters of one element, give: 1000 without one, 0 for one that is none. */
unsigned http_weight(const char *parameters, size_t len);
/* Whether an If-None-Match field (may be NULL) names this ETag, by the weak comparison; section 13.1.2. */
bool http_etag_listed(const char *field, const char *etag);

#endif
