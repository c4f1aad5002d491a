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
    struct buf *into;          /* where the body goes instead, of http_ask; or NULL */
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
const struct metric_times *http_metrics_times(const struct http_metrics *m, const char *route);
void http_metrics_write(const struct http_metrics *m, const char *prefix, struct buf *out);

/* --- call.c: one connection, and the request that it carries at the moment --- */
/* MHD's callbacks; `cls` is the server. */
void http_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode what);
void *http_on_target(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *size, void **context);
void http_on_completed(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode why);

/* --- conns.c: who may have a connection, and which are ended --- */
struct http_link { /* a connection in the server's list */
    struct http_link *prev, *next;
    int fd;
    uint64_t key;                  /* of its client */
    bool ended;                    /* by us: MHD will close it */
    _Atomic int64_t head_since_us; /* since when a head is waited for; 0: it is complete */
    int64_t window_us;             /* of the watch on how fast an answer is read: its beginning, */
    uint64_t taken;                /* and the bytes that the client had taken by then */
};
enum {
    HTTP_REFUSED_CLIENT,    /* its address has as many as it may */
    HTTP_REFUSED_FULL,      /* there are as many as there may be, all in use */
    HTTP_ENDED_IDLE,        /* it waited for a request the longest, and somebody else needed one */
    HTTP_ENDED_SLOW_HEAD,   /* its request does not come */
    HTTP_ENDED_SLOW_READER, /* it does not take its answer */
    HTTP_ENDED
};
struct http_refused {
    uint64_t requests, conns[HTTP_ENDED];
};
enum MHD_Result http_on_accept(void *cls, const struct sockaddr *address, socklen_t len); /* MHD's; cls: the server */
bool http_address_text(const struct sockaddr *address, char out[INET6_ADDRSTRLEN]);       /* "" and false: none */
void http_link_add(struct http_server *s, struct http_link *link, const struct sockaddr *peer);
void http_link_remove(struct http_server *s, struct http_link *link);
struct worker;
void http_watch(struct worker *w, void *server); /* a worker's work: ends the slow, and logs what was refused */
void http_conns_metrics(struct http_server *s, struct buf *out);
/* Ends the connections that have waited for a request since `before_us`, after any that has come already; false when
 * there are no connections any more. */
bool http_end_idle(struct http_server *s, int64_t before_us);

/* --- spool.c: a body in a file --- */
struct http_spool {
    int fd;
    bool begun;
    int failed; /* the status of the answer: 507 without room on the disk, 503; or 0 */
    size_t len;
    void *map;
};
/* `folder`: NULL is /tmp. What fails is kept in `failed`. */
void http_spool_write(struct http_spool *s, const char *folder, const char *data, size_t len);
const char *http_spool_map(struct http_spool *s); /* [len]; "" for an empty one, or when it fails */
void http_spool_free(struct http_spool *s);

/* --- server.c --- */
/* Workers with a queue of their own, so that what is slow or hangs keeps only its own kind waiting. */
enum http_lanes { HTTP_LANE_COMMON, HTTP_LANE_ASIDE, HTTP_LANE_URGENT, HTTP_LANES };
struct http_lane {
    struct pool *workers; /* NULL: no route needs it */
    struct shed shed;
};
enum http_lanes http_lane_of(const struct http_route *route);

/* Connections could not be accepted a moment ago: those that are not needed should end. */
bool http_is_starved(const struct http_server *s);

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_lane lanes[HTTP_LANES];
    struct http_server *management; /* NULL: there is none; */
    struct http_route *management_routes;
    struct http_metrics *metrics;
    const struct http_route *routes;
    size_t n_routes;
    void *ctx;
    bool (*admit)(void *ctx, const struct http_request *req, struct http_response *res);
    void (*app)(void *ctx, const struct http_request *req, unsigned cost, bool again, struct http_app *out);
    bool (*refuse)(void *ctx, const struct http_request *req, struct http_response *res, int status, unsigned retry_s);
    char *metrics_prefix;
    struct trusted_proxies proxies;
    struct http_options options; /* whose cors_origins and hosts are not NULL */
    bool only_here;              /* listens on this machine's own address, with no proxy in front */
    struct rate_limit *limit;    /* NULL: none */
    uint16_t port;
    int listen_fd;
    atomic_int in_flight;
    uint64_t most_body_bytes;    /* of all large bodies together, see HTTP_BODIES_BYTES */
    _Atomic uint64_t body_bytes; /* that are promised to requests under way */
    bool own_socket;             /* nobody else listens on it */
    atomic_bool closing;         /* answers end their connection */
    atomic_bool hurried;         /* the deadline of closing is over: what is queued is refused */
    _Atomic uint64_t rejected, rate_limited;
    struct metric_times queue_times;
    _Atomic int64_t brief_us; /* what handlers of HTTP_BRIEF routes take, the moving mean */
    _Atomic int64_t
        starved_us; /* when a connection could not be accepted for want of descriptors or memory, the last */
    _Atomic uint64_t not_accepted;
    struct worker *watcher;
    pthread_mutex_t lock; /* guards `conns` */
    struct http_link *conns;
    _Atomic uint64_t conns_ended[HTTP_ENDED];
};

#endif
