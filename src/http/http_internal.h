/* http_internal.h: what the server's files share; nobody outside this room includes it. */
#ifndef PEEL_HTTP_INTERNAL_H
#define PEEL_HTTP_INTERNAL_H

#include "base/metric.h"
#include "http/client_address.h"
#include "http/rate_limit.h"
#include "http/server.h"
#include "http/shed.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define HTTP_ARENA_MAX  (16u << 20) /* bytes one request's handler may take */
#define HTTP_MAX_PARAMS 64
/* A whole head, and then a whole body, must arrive within so many idle time-outs: the time-out alone would let a
 * client that sends a byte now and then keep a connection for good. */
#define HTTP_PATIENCE 4

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
/* Hands the MHD response over, with all fields; NULL only without memory (500 when nothing was answered). */
struct MHD_Response *http_response_finish(struct http_response *res);

/* --- request.c --- */
/* Splits and decodes the request target. ERR_INVALID says what is wrong with it. */
enum status http_parse_target(const char *target, struct arena *a, struct http_request *req,
                              struct error *err) MUST_CHECK;
enum http_method http_parse_method(const char *method); /* 0 for others; HEAD is GET */
/* The caller's id if sane, else a new one. */
const char *http_request_id(const char *given, struct arena *a);
#define HTTP_TRACESTATE_MAX 512
/* This hop's: of the trace that goes on when `given` is well-formed, else of a new one. */
const char *http_traceparent(const char *given, struct arena *a, bool *continued);
const char *http_tracestate(const char *given, struct arena *a); /* NULL unless it is printable and short enough */

/* --- head.c --- */
/* ERR_INVALID when the fields contradict each other or the standard, ERR_UNSUPPORTED for an unknown coding. */
enum status http_check_head(struct MHD_Connection *connection, const char *version, struct error *err) MUST_CHECK;

/* --- router.c --- */
enum http_match { HTTP_MATCH, HTTP_NO_PATH, HTTP_NO_METHOD };
/* Finds the route; on HTTP_NO_METHOD `allow` lists what the path takes ("GET, HEAD, POST"). */
enum http_match http_route_find(const struct http_route *routes, size_t n, unsigned method, const char *path,
                                struct arena *a, const struct http_route **route, const char **param,
                                const char **allow);

bool http_route_takes_slashes(const char *pattern); /* "/{name...}" */

/* --- metrics.c --- */
struct http_metrics;
struct http_metrics *http_metrics_new(const struct http_route *routes, size_t n); /* NULL without memory */
void http_metrics_free(struct http_metrics *m);
/* `route` is an index into the table, n for requests that matched none. */
void http_metrics_count(struct http_metrics *m, size_t route, unsigned method, int status, int64_t us);
void http_metrics_write(const struct http_metrics *m, const char *prefix, struct buf *out);

/* --- call.c: one connection, and the request that it carries at the moment --- */
struct http_conn;
/* MHD's callbacks; `cls` is the server. */
void http_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode what);
void *http_on_target(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *size, void **context);
void http_on_completed(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode why);
/* Cuts the connections whose head began before `before_us` and is not complete yet. */
void http_cut_slow_heads(struct http_server *s, int64_t before_us);
/* Ends the connections that have waited for a request since `before_us`, after any that has come already; false when
 * there are no connections any more. */
bool http_end_idle(struct http_server *s, int64_t before_us);

/* --- server.c --- */
struct http_server {
    struct MHD_Daemon *daemon;
    struct pool *workers;
    struct http_metrics *metrics;
    const struct http_route *routes;
    size_t n_routes;
    void *ctx;
    bool (*admit)(void *ctx, const struct http_request *req, struct http_response *res);
    char *metrics_prefix;
    struct trusted_proxies proxies;
    struct http_options options; /* whose cors_origins is not NULL */
    struct rate_limit *limit;    /* NULL: none */
    uint16_t port;
    int listen_fd;
    atomic_int in_flight;
    bool own_socket;     /* nobody else listens on it */
    atomic_bool closing; /* answers end their connection */
    atomic_bool hurried; /* the deadline of closing is over: what is queued is refused */
    _Atomic uint64_t rejected, rate_limited;
    struct metric_times queue_times;
    struct shed shed;
    struct worker *watcher;
    pthread_mutex_t lock; /* guards `conns` */
    struct http_conn *conns;
};

#endif
