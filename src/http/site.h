/* site.h: pages of other sites, which may make a browser send requests here that their people did not ask for.
 *
 * A request that changes something and comes from such a page is refused (cross-site request forgery; the checks are
 * those of OWASP's cheat sheet, "Fetch Metadata" and "Verifying Origin"). So is one under a host name that is not ours:
 * a page may have its own name resolved to this machine, and then it is "same-origin" (DNS rebinding). Programs send
 * none of these fields and notice nothing. */
#ifndef PEEL_HTTP_SITE_H
#define PEEL_HTTP_SITE_H

#include "base/status.h"
#include <stdbool.h>

/* Whether a request came from a page of another origin, by its headers (each may be NULL): Sec-Fetch-Site where the
 * browser sends it, else Origin, which must name the host that was asked. */
bool site_is_foreign(const char *sec_fetch_site, const char *origin, const char *host);

/* Whether a form on any page may send a body of this type without asking first (Fetch Standard, "CORS-safelisted
 * request-header"): NULL, as a body without a type may be one. */
bool site_is_simple_type(const char *content_type);

/* Names that a service goes by, "stickers.example.com,peel.internal"; "" for any. ERR_INVALID names the one that is
 * wrong. */
enum status site_check_hosts(const char *hosts, struct error *err) MUST_CHECK;
/* Whether a Host header names this service: a numeric address, localhost, a name without a dot (nobody can have that in
 * the DNS), or one of `hosts`. With none in that list any name does, unless the service is only asked from this
 * machine. NULL is fine: browsers always send one. */
bool site_is_ours(const char *host, const char *hosts, bool only_here);

#endif
