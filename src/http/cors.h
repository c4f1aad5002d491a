/* cors.h: pages of which other origins may read answers of the API, images and the picker in a browser (Fetch Standard,
 * "CORS protocol").
 *
 * Never with cookies (no Access-Control-Allow-Credentials): such a page speaks for itself, with a token of its own, and
 * not for whoever happens to be logged in. */
#ifndef PEEL_HTTP_CORS_H
#define PEEL_HTTP_CORS_H

#include "base/status.h"
#include "http/server.h"

/* "https://a.example,https://b.example:8443", "*" for any, "" for none. ERR_INVALID names the one that is wrong. */
enum status cors_check(const char *origins, struct error *err) MUST_CHECK;

/* Is it one origin, as browsers write it: scheme, host in small letters, and a port that is not the scheme's? */
bool cors_is_origin(const char *text);

/* Adds what the answer to a request from `origin` (NULL: it names none) must say; true when the origin may read it. */
bool cors_answer(const char *origins, const char *path, const char *origin, struct http_response *res);
/* Answers a preflight of an origin that may; `methods` is what the path takes. */
void cors_preflight(const char *methods, struct http_response *res);

#endif
