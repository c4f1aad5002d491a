/* apidocs.h: an OpenAPI 3.1 document as a page for people.
 *
 * Shows what ours use: tags, operations, parameters, examples of bodies and answers, local $refs. */
#ifndef PEEL_WEB_APIDOCS_H
#define PEEL_WEB_APIDOCS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

/* Appends the whole page; `server` ("http://localhost:8000") is what the curl examples call. Memory from
 * `a` while it works. ERR_INVALID where the document is not JSON. */
enum status apidocs_page(const char *json, size_t len, const char *server, struct arena *a, struct buf *out,
                         struct error *err) MUST_CHECK;

#endif
