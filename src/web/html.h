/* html.h: writing HTML so that text from outside stays text. What compiled templates call.
 * The room has what pages need: escaping, forms, cookies, sessions and the embedded static files. It knows neither
 * pages nor services; it sees base only.
 *
 * Strings may be NULL (nothing is written) and are expected to be UTF-8; they go into element text
 * and quoted attribute values only, which the template compiler sees to. */
#ifndef PEEL_WEB_HTML_H
#define PEEL_WEB_HTML_H

#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

/* & < > " ' become character references; control characters that HTML forbids become U+FFFD. */
void html_text(struct buf *out, const char *s);
/* A whole URL in an attribute: relative, http, https or mailto, escaped; anything else (javascript:,
 * data:, control characters, a leading space) becomes "#". */
void html_url(struct buf *out, const char *url);
/* One segment or query value inside a URL: everything but RFC 3986's unreserved characters as %XX. */
void html_url_part(struct buf *out, const char *s);
void html_int(struct buf *out, int64_t n);
void html_number(struct buf *out, double x); /* at most 6 significant digits; nan and inf as "–" */
/* As it is. Only for HTML that we made ourselves. */
void html_unescaped(struct buf *out, const char *html);
#define html_literal(out, literal) buf_append(out, literal, sizeof(literal) - 1)

bool html_is(const char *s);                       /* not NULL and not empty */
bool html_equal(const char *a, const char *b);     /* NULL is the empty string */
bool html_url_is_safe(const char *url) MUST_CHECK; /* what html_url lets pass */

/* Headers for every page: scripts, styles and images from ourselves only, no framing, no inline code. */
#define HTML_TYPE "text/html; charset=utf-8"
#define HTML_CSP                                                                                                       \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "              \
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

#endif
