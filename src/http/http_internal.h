/* http_internal.h: what the server's files share; nobody outside this room includes it. */
#ifndef PEEL_HTTP_INTERNAL_H
#define PEEL_HTTP_INTERNAL_H

#include "http/server.h"

#include <microhttpd.h>
#include <stdatomic.h>

#define HTTP_ARENA_MAX  (16u << 20) /* bytes one request's handler may take */
#define HTTP_MAX_PARAMS 64

/* --- response.c --- */
struct http_response {
    struct arena *arena;
    int status;
    struct MHD_Response *body; /* NULL until a body function was called */
    struct http_field {
        const char *name, *value;
        struct http_field *next;
    } * fields;
};
/* Hands the MHD response over, with all fields; never NULL (500 when nothing was answered). */
struct MHD_Response *http_response_finish(struct http_response *res);

/* --- request.c --- */
/* Splits and decodes the request target. ERR_INVALID says what is wrong with it. */
enum status http_parse_target(const char *target, struct arena *a, struct http_request *req,
                              struct error *err) MUST_CHECK;
enum http_method http_parse_method(const char *method); /* 0 for others; HEAD is GET */
/* The caller's id if sane, else a new one. */
const char *http_request_id(const char *given, struct arena *a);
const char *http_traceparent(const char *given, struct arena *a); /* NULL unless well-formed */

/* --- router.c --- */
enum http_match { HTTP_MATCH, HTTP_NO_PATH, HTTP_NO_METHOD };
/* Finds the route; on HTTP_NO_METHOD `allow` lists what the path takes ("GET, HEAD, POST"). */
enum http_match http_route_find(const struct http_route *routes, size_t n, unsigned method, const char *path,
                                struct arena *a, const struct http_route **route, const char **param,
                                const char **allow);

/* --- metrics.c --- */
struct http_metrics;
struct http_metrics *http_metrics_new(const struct http_route *routes, size_t n); /* NULL without memory */
void http_metrics_free(struct http_metrics *m);
/* `route` is an index into the table, n for requests that matched none. */
void http_metrics_count(struct http_metrics *m, size_t route, unsigned method, int status, int64_t us);
void http_metrics_write(const struct http_metrics *m, const char *prefix, struct buf *out);

#endif
