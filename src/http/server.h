/* server.h: an HTTP/1.1 server on libmicrohttpd. The room has the server, the client (client.h) and downloads, and
 * knows nothing of stickers; it is the only one that sees libmicrohttpd, and sees base only.
 *
 * Two kinds of threads: a few that move bytes (epoll) and a bounded pool that runs handlers, so a
 * handler may block on a database or a peer and no connection waits for another's. A full queue is
 * answered 503 with Retry-After. Routes marked HTTP_ASIDE have a pool of their own, so that what they wait for can hang
 * without the others. Routes marked HTTP_INLINE run on the byte-moving thread: only for handlers that never block.
 * Requests that change something are refused when they come from another site's page (site.h). Of routes marked
 * HTTP_ADMITS the server's `admit` decides whether a request's body is read at all: what takes large bodies from few
 * people asks who they are first.
 *
 *     static void hello(void *ctx, const struct http_request *req, struct http_response *res)
 *     {
 *         http_json(res, 200, "{\"hello\":\"world\"}", 17);
 *     }
 *     static const struct http_route routes[] = {{HTTP_GET, "/hello/", hello, HTTP_INLINE, 0, ""}};
 *     http_server_open(&(struct http_server_config){.http = {.host = "127.0.0.1", ...}, .routes = routes, ...}, &s,
 * &err);
 */
#ifndef PEEL_HTTP_SERVER_H
#define PEEL_HTTP_SERVER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "http/rate_limit.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum http_method { HTTP_GET = 1, HTTP_POST = 2, HTTP_PUT = 4, HTTP_DELETE = 8, HTTP_PATCH = 16 };
/* HTTP_UNLIMITED: the rate limit does not count it; HTTP_COSTLY: counts as HTTP_COSTLY_WEIGHT requests there.
 * HTTP_ASIDE: may wait long for something that other requests do not need, such as a store of images; has as many
 * workers of its own, and a queue of its own.
 * HTTP_SPOOL: its body is kept in a file of http_options.spool while it arrives, and counts nothing of the memory for
 * bodies; 507 when the disk is full.
 * HTTP_BRIEF: run as with HTTP_INLINE while no other request is under way and handlers of such routes have taken less
 * than a millisecond lately: for what computes and waits for nobody.
 * HTTP_KEYED: for apps, which may have keys (http_server_config.app).
 * HTTP_URGENT: for those who run the service; has a thread of its own, so it waits for no other request and is not
 * refused when too many wait, and the management listener has it too. */
enum http_flags {
    HTTP_INLINE = 1,
    HTTP_ADMITS = 2,
    HTTP_UNLIMITED = 4,
    HTTP_COSTLY = 8,
    HTTP_URGENT = 16,
    HTTP_ASIDE = 32,
    HTTP_KEYED = 64,
    HTTP_SPOOL = 128,
    HTTP_BRIEF = 256
};
#define HTTP_COSTLY_WEIGHT 10

/* A decoded name/value pair; values may hold any bytes (also NUL): always use the length. */
struct http_pair {
    const char *name;
    const char *value;
    size_t value_len;
};

struct http_request {
    enum http_method method;        /* HEAD arrives as GET; the body is dropped on the way out */
    const char *path;               /* decoded once, valid UTF-8, no NUL, no "." or ".." segment */
    bool encoded_slash;             /* "%2F" was in it: only routes whose parameter takes several segments see that */
    const char *raw_query;          /* undecoded, "" if none */
    const struct http_pair *params; /* query string, in order; decoded: + and %XX */
    size_t n_params;
    const char *path_param; /* what {name} in the route matched, NULL if none */
    const char *body;       /* at most the route's max_body; "" if none */
    size_t body_len;
    const char *client;      /* numeric address: the peer's, or what trusted proxies say (client_address.h) */
    bool over_tls;           /* a trusted proxy says that the client came over https */
    const char *request_id;  /* caller's X-Request-Id if 1..64 of [A-Za-z0-9._-], else new */
    const char *traceparent; /* W3C, to be passed on: the caller's trace or a new one, with a span of this hop */
    const char *tracestate;  /* of that trace, NULL if none */
    struct arena *arena;     /* lives until the response is sent */
    void *connection;        /* for http_header only */
    bool within;             /* another handler asks (http_ask): of the fields only Host is its own */
};

struct http_response; /* made by the server, filled by the handler */

typedef void (*http_handler)(void *ctx, const struct http_request *req, struct http_response *res);

/* Request bodies of more than HTTP_BODY_FREE bytes may take so many together, or two of the largest that a route takes
 * if that is more. A request that does not fit is answered 503 with Retry-After before its body is read. */
#define HTTP_BODIES_BYTES (128u << 20)
#define HTTP_BODY_FREE    (64u << 10)

struct http_route {
    unsigned methods;    /* or of enum http_method; HEAD comes with GET */
    const char *pattern; /* "/api/search/": matches with and without the final slash; one {param}
                            segment allowed ("/media/{filename}"), matching one non-empty segment;
                            one with dots ("/v1/models/{id...}") takes several, and encoded slashes */
    http_handler handler;
    unsigned flags;
    size_t max_body;  /* bytes; 0 = no body accepted (413 names the limit) */
    const char *name; /* label in metrics, e.g. "search"; static */
};

/* What whoever runs a service chooses. Strings are borrowed for the server's life. */
struct http_options {
    const char *host;                /* numeric address, "0.0.0.0", "::"; ignored with listen_fd >= 0 */
    uint16_t port;                   /* 0 = any free port */
    int listen_fd;                   /* an already listening socket to use instead, or -1 */
    unsigned io_threads;             /* move bytes, 1.. */
    unsigned workers;                /* run handlers, 1..256; as many again run those with HTTP_ASIDE */
    size_t max_queue;                /* waiting requests before 503, of each kind */
    unsigned max_connections;        /* when all are in use, the longest idle one makes room for another */
    unsigned client_connections;     /* of one address (IPv6: /64) that is no trusted proxy; 0: any number */
    unsigned shed_ms;                /* of waiting, see http/shed.h; 0: nobody is refused for it */
    unsigned slow_ms;                /* requests that take longer are logged as warnings; 0: none are */
    unsigned timeout_s;              /* idle or slow-sender time-out per connection */
    const char *trusted_proxies;     /* whose X-Forwarded-* are believed, "10.0.0.0/8,::1"; NULL: nobody's */
    const char *cors_origins;        /* see http/cors.h; NULL: none */
    const char *hosts;               /* names it is asked by, see http/site.h; NULL: any */
    const char *token;               /* what changes something needs "Authorization: Bearer" and this; NULL: nothing */
    const char *spool;               /* a folder for bodies of HTTP_SPOOL routes; NULL: /tmp */
    uint16_t management_port;        /* on `host`: a listener for HTTP_URGENT routes alone; 0: none */
    unsigned rate_limit, rate_burst; /* requests a second and at once of a client, and of a token; rate 0: any. */
    /* For http_server_serve: */
    int stop_fd;                             /* a descriptor that becomes readable when it is time to stop */
    unsigned drain_ms;                       /* after stop_fd: how long it says "not ready", but still serves */
    unsigned finish_ms;                      /* after that: how long requests in flight may take to finish */
    void (*ready)(void *arg, uint16_t port); /* called once, when requests are accepted; may be NULL */
    void *ready_arg;
};

/* What is known of the app that a request is of. */
struct http_app {
    enum { HTTP_APP_NONE, HTTP_APP_REFUSED, HTTP_APP_LIMITED } is;
    const char *why;                 /* REFUSED: 401, and why; static */
    unsigned per_minute;             /* LIMITED: by its own bucket, and not by the client's */
    struct rate_limit_answer answer; /* what is left there */
};

struct http_server_config {
    struct http_options http;
    const struct http_route *routes; /* borrowed for the server's life; first match wins */
    size_t n_routes;
    void *ctx; /* handed to every handler, and to: */
    /* Asked on a worker, for routes with HTTP_ADMITS, when a request has its head and no body yet; false when it has
     * answered, and then the body is not read. */
    bool (*admit)(void *ctx, const struct http_request *req, struct http_response *res);
    /* May answer in its own way what the server itself refuses: from another site's page (403), nothing there (404),
     * no app's key (401), asked too often (429, `retry_s`), too busy (503). False when it has not. Runs where the
     * refusal happens, also on the threads that move bytes: it must not block. NULL: problem+json. */
    bool (*refuse)(void *ctx, const struct http_request *req, struct http_response *res, int status, unsigned retry_s);
    /* Which app a request for an HTTP_KEYED route is of, and takes `cost` units of its rate limit; `again`: it has
     * been asked of this request before. Runs on the threads
     * that move bytes: it must not block. NULL: nobody's. */
    void (*app)(void *ctx, const struct http_request *req, unsigned cost, bool again, struct http_app *out);
    const char *metrics_prefix; /* "peel_sticker" -> peel_sticker_http_requests_total{...} */
};

/* A socket that listens on a numeric address; port 0 takes any free one. `bound` (may be NULL) gets the port. */
enum status http_listen(const char *host, uint16_t port, int *fd, uint16_t *bound, struct error *err) MUST_CHECK;
enum status http_listen_port(int fd, uint16_t *port, struct error *err) MUST_CHECK;

struct http_server;
/* Takes the listening socket over, whichever way it came. */
enum status http_server_open(const struct http_server_config *cfg, struct http_server **out,
                             struct error *err) MUST_CHECK;
uint16_t http_server_port(const struct http_server *s);
/* Says that it is ready, waits for stop_fd, drains, and returns when it is time to close. */
enum status http_server_serve(struct http_server *s, struct error *err) MUST_CHECK;
/* The first step of stopping: serves on, but answers end their connections (Connection: close), and whoever is asked
 * whether this process should get requests says no. Any thread. */
void http_server_drain(struct http_server *s);
bool http_server_draining(const struct http_server *s);
/* How many requests are being read, handled or answered. */
unsigned http_server_in_flight(const struct http_server *s);
/* Stops accepting, lets requests in flight finish for at most deadline_ms, then closes. A connection that reached the
 * socket is answered; idle ones are closed. A socket that came as listen_fd goes on listening for its giver. */
void http_server_close(struct http_server *s, unsigned deadline_ms);
void http_server_metrics(struct http_server *s, struct buf *out); /* Prometheus text, appended */
/* How long the successful requests of the routes of that name took since the start; NULL: there is no such route. */
struct metric_times;
const struct metric_times *http_server_times(const struct http_server *s, const char *route);

/* --- asking the request --- */
const char *http_header(const struct http_request *req, const char *name); /* NULL if absent */
/* The single value of a query parameter: ERR_NOT_FOUND (and NULL) if absent, ERR_INVALID (message names the
 * parameter) if given twice, not UTF-8, or holding NUL. *value is NUL-terminated, lives in the arena. */
enum status http_param(const struct http_request *req, const char *name, const char **value,
                       struct error *err) MUST_CHECK;
/* The same, but `fallback`, which may be NULL, if absent. */
enum status http_param_or(const struct http_request *req, const char *name, const char *fallback, const char **value,
                          struct error *err) MUST_CHECK;
/* Whole number in [least, most]; `fallback` when absent. Message: "limit must be a whole number from 1 to 100". */
enum status http_param_int(const struct http_request *req, const char *name, int64_t least, int64_t most,
                           int64_t fallback, int64_t *value, struct error *err) MUST_CHECK;

/* Sets the deadline of the handler's work (base/deadline.h) to ms after the request came. With until_gone the work also
 * ends when the sender closes the connection, or only its sending side. */
void http_deadline(const struct http_request *req, unsigned ms, bool until_gone);
/* Takes more units of the client's and the token's rate limit, for a request that turns out to cost more than one: at
 * most half of what may come at once, so that whoever waits gets through. False when they have not so many left, and
 * then it has answered 429. */
bool http_charge(const struct http_request *req, unsigned units) MUST_CHECK;

/* Runs, within the handler of a request, that of GET `target`, "/api/search/?query=cat", as if the same client asked
 * for it: any answer is OK, with its body in out. It is not counted again, by limits or metrics. ERR_INVALID,
 * ERR_NOT_FOUND: there can be, or is, no such route; ERR_TOO_LARGE. */
enum status http_ask(const struct http_request *req, const char *target, int *status, struct buf *out,
                     struct error *err) MUST_CHECK;

/* --- answering (call exactly one of the body functions) --- */
void http_header_add(struct http_response *res, const char *name,
                     const char *value); /* copied; CR/LF refused by assert */
/* As http_header_add, in the place of one of that name. */
void http_header_set(struct http_response *res, const char *name, const char *value);
/* Says that the answer depends on these request fields, "Accept, Cookie", too: one Vary, as some caches read one only.
 */
void http_vary(struct http_response *res, const char *fields);
void http_body_copy(struct http_response *res, int status, const char *type, const void *data, size_t len);
void http_body_take(struct http_response *res, int status, const char *type, char *data,
                    size_t len); /* frees data later */
void http_body_static(struct http_response *res, int status, const char *type, const void *data,
                      size_t len); /* never freed */
/* A file region; takes fd over. */
void http_body_fd(struct http_response *res, int status, const char *type, int fd, uint64_t offset, uint64_t len);
/* A stream of unknown length in constant memory: next() fills up to cap bytes and returns how many,
 * 0 at the end, -1 to cut the connection; done(state) is always called once. */
void http_body_stream(struct http_response *res, int status, const char *type,
                      ssize_t (*next)(void *state, char *out, size_t cap), void (*done)(void *state), void *state);
void http_json(struct http_response *res, int status, const char *json, size_t len); /* copies */
/* RFC 9457 problem+json with `message` repeating `detail`. */
void http_problem(struct http_response *res, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A status of ours as the matching HTTP answer (INVALID 400, NOT_FOUND 404, CONFLICT 409, TOO_LARGE 413,
 * DENIED 403, UNAVAILABLE, NO_MEMORY, IO and CORRUPT 503 + Retry-After, TIMEOUT 504, else 500 with a neutral text,
 * details logged). */
void http_problem_from(struct http_response *res, const struct error *err);
/* The answer that was being written failed, for want of memory (503) or because it is too large (500). `what` is for
 * the log, "a page". */
void http_problem_unfinished(struct http_response *res, const struct buf *answer, const char *what);
void http_redirect(struct http_response *res, int status, const char *location);

#endif
