/* libmicrohttpd moves the bytes; this file decides when a request is complete, who answers it, and how
 * both end. A call goes through these states:
 *
 *     READING   the head is here, the body comes in pieces
 *     RUNNING   suspended in MHD while a worker runs the handler
 *     ANSWERED  the response is made; MHD is asked to send it on its own thread
 *
 * Requests that are wrong from their head alone (path, method, declared length) are answered before
 * their body is read; MHD then closes the connection. */
#include "base/log.h"
#include "base/os.h"
#include "base/pool.h"
#include "http/http_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOW_US              1000000
#define BODY_DEADLINE_FACTOR 4 /* a whole body must arrive within so many idle time-outs */

struct http_server {
    struct MHD_Daemon *daemon;
    struct pool *workers;
    struct http_metrics *metrics;
    const struct http_route *routes;
    size_t n_routes;
    void *ctx;
    char *metrics_prefix;
    unsigned timeout_s;
    uint16_t port;
    int listen_fd;
    atomic_int in_flight;
    atomic_bool closing;
    _Atomic uint64_t rejected;
};

enum state { READING, RUNNING, ANSWERED };

struct call {
    struct http_server *server;
    struct MHD_Connection *connection;
    enum state state;
    bool headed; /* the first of MHD's calls for this request is over */
    bool too_large;
    const struct http_route *route;
    const char *target, *method;
    struct buf body;
    uint64_t discarded;
    int64_t start_us;
    struct http_request req;
    struct http_response res;
    struct arena arena;
    char client[INET6_ADDRSTRLEN];
};

/* --- one call --- */

static void *call_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *s = cls;
    struct call *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    arena_init(&c->arena, HTTP_ARENA_MAX);
    c->server = s;
    c->connection = connection;
    c->start_us = os_monotonic_us();
    c->target = arena_strdup(&c->arena, uri);
    c->res.arena = &c->arena;
    atomic_fetch_add(&s->in_flight, 1);
    return c;
}

static void call_end(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode why)
{
    (void)connection, (void)why;
    struct http_server *s = cls;
    struct call *c = *con_cls;
    if (!c)
        return;
    *con_cls = NULL;
    if (c->res.body) /* made, but the peer was gone before it could be sent */
        MHD_destroy_response(c->res.body);
    buf_free(&c->body);
    arena_free(&c->arena);
    free(c);
    atomic_fetch_sub(&s->in_flight, 1);
}

static enum MHD_Result send_answer(struct call *c)
{
    struct http_server *s = c->server;
    if (atomic_load_explicit(&s->closing, memory_order_relaxed))
        http_header_add(&c->res, "Connection", "close");
    http_header_add(&c->res, "X-Request-Id", c->req.request_id);
    http_header_add(&c->res, "X-Content-Type-Options", "nosniff");
    struct MHD_Response *response = http_response_finish(&c->res);
    if (!response)
        return MHD_NO;
    int64_t us = os_monotonic_us() - c->start_us;
    size_t route = c->route ? (size_t)(c->route - s->routes) : s->n_routes;
    http_metrics_count(s->metrics, route, c->req.method, c->res.status, us);
    log_set_request_id(c->req.request_id);
    log_write(us > SLOW_US ? LOG_WARN : LOG_DEBUG, "%s %s %d %.1f ms", c->method, c->req.path ? c->req.path : "?",
              c->res.status, (double)us / 1000);
    log_set_request_id(NULL);
    c->state = ANSWERED;
    enum MHD_Result sent = MHD_queue_response(c->connection, (unsigned)c->res.status, response);
    MHD_destroy_response(response);
    c->res.body = NULL;
    return sent;
}

static void run_handler(struct call *c)
{
    log_set_request_id(c->req.request_id);
    c->route->handler(c->server->ctx, &c->req, &c->res);
    log_set_request_id(NULL);
}

static void work(void *arg)
{
    struct call *c = arg;
    struct MHD_Connection *connection = c->connection;
    run_handler(c);
    MHD_resume_connection(connection); /* from here on the call belongs to MHD's thread again */
}

static void name_client(struct call *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr ||
        getnameinfo(info->client_addr, sizeof(struct sockaddr_storage), c->client, sizeof c->client, NULL, 0,
                    NI_NUMERICHOST) != 0)
        c->client[0] = '\0';
    c->req.client = c->client;
}

/* What can be refused from the head alone is; true when an answer is ready. */
static bool refuse_by_head(struct call *c, const char *method)
{
    struct http_server *s = c->server;
    struct error err;
    const char *allow;
    const char *id = MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, "X-Request-Id");
    c->method = arena_strdup(&c->arena, method);
    c->req.arena = &c->arena;
    c->req.connection = c->connection;
    c->req.request_id = http_request_id(id, &c->arena);
    c->req.traceparent =
        http_traceparent(MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, "traceparent"), &c->arena);
    c->req.method = http_parse_method(method);
    c->req.body = "";
    name_client(c);
    if (!c->target || !c->method || !c->req.request_id) {
        c->req.request_id = "none";
        http_problem(&c->res, 503, "Out of memory.");
        return true;
    }
    if (http_parse_target(c->target, &c->arena, &c->req, &err) != OK) {
        http_problem_from(&c->res, &err);
        return true;
    }
    switch (http_route_find(s->routes, s->n_routes, c->req.method, c->req.path, &c->arena, &c->route,
                            &c->req.path_param, &allow)) {
    case HTTP_NO_PATH:
        http_problem(&c->res, 404, "Nothing is at %.200s.", c->req.path);
        return true;
    case HTTP_NO_METHOD:
        http_header_add(&c->res, "Allow", allow);
        http_problem(&c->res, 405, "Method %.20s is not allowed here; allowed: %s.", method, allow);
        return true;
    case HTTP_MATCH:
        break;
    }
    const char *length = MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, "Content-Length");
    if (length && strtoull(length, NULL, 10) > c->route->max_body) {
        http_problem(&c->res, 413, "The body is too large: %.20s bytes, at most %zu are allowed.", length,
                     c->route->max_body);
        return true;
    }
    buf_init(&c->body, c->route->max_body);
    return false;
}

/* Takes a piece of the body; false cuts the connection. Past the limit, a little more is read and dropped,
 * so that a client that sends chunks gets to see the 413. */
static bool take_piece(struct call *c, const char *data, size_t len)
{
    if (!c->too_large) {
        buf_append(&c->body, data, len);
        c->too_large = c->body.failed;
    }
    if (c->too_large)
        c->discarded += len;
    int64_t deadline = (int64_t)c->server->timeout_s * BODY_DEADLINE_FACTOR * 1000000;
    return c->discarded < (1u << 20) && os_monotonic_us() - c->start_us < deadline;
}

static enum MHD_Result dispatch(struct call *c)
{
    struct http_server *s = c->server;
    if (c->too_large) {
        http_problem(&c->res, 413, "The body is too large: at most %zu bytes are allowed.", c->route->max_body);
        return send_answer(c);
    }
    c->req.body = buf_str(&c->body);
    c->req.body_len = c->body.len;
    if (c->route->flags & HTTP_INLINE) {
        run_handler(c);
        return send_answer(c);
    }
    c->state = RUNNING;
    MHD_suspend_connection(c->connection);
    if (pool_submit(s->workers, work, c) != OK) {
        atomic_fetch_add(&s->rejected, 1);
        http_header_add(&c->res, "Retry-After", "1");
        http_problem(&c->res, 503, "Too many requests are waiting.");
        MHD_resume_connection(c->connection);
    }
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *size, void **con_cls)
{
    (void)cls, (void)connection, (void)url, (void)version;
    struct call *c = *con_cls;
    if (!c)
        return MHD_NO;
    if (!c->headed) {
        c->headed = true;
        return refuse_by_head(c, method) ? send_answer(c) : MHD_YES;
    }
    if (c->state == ANSWERED) { /* what still arrives of a refused body */
        *size = 0;
        return MHD_YES;
    }
    if (*size) {
        bool goes_on = take_piece(c, data, *size);
        *size = 0;
        return goes_on ? MHD_YES : MHD_NO;
    }
    return c->state == RUNNING ? send_answer(c) : dispatch(c);
}

/* --- the server --- */

/* We decode the request target ourselves, once. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls, (void)connection;
    return strlen(s);
}

static void log_mhd(void *cls, const char *fmt, va_list args)
{
    (void)cls;
    char text[512];
    vsnprintf(text, sizeof text, fmt, args);
    size_t len = strlen(text);
    while (len && text[len - 1] == '\n')
        text[--len] = '\0';
    log_debug("http: %s", text);
}

enum status http_listen(const char *host, uint16_t port, int *fd, uint16_t *bound, struct error *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *ai = NULL;
    char service[8];
    int one = 1;
    enum status st = OK;
    snprintf(service, sizeof service, "%u", port);
    *fd = -1;
    if (getaddrinfo(host, service, &hints, &ai) != 0)
        return err_set(err, ERR_INVALID, "host: expected a numeric address, found \"%.80s\"", host);
    *fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(*fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(*fd, 1024) != 0)
        st = err_errno(err, "cannot listen on %s port %u", host, port);
    else if (bound)
        st = http_listen_port(*fd, bound, err);
    freeaddrinfo(ai);
    if (st != OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return st;
}

enum status http_listen_port(int fd, uint16_t *port, struct error *err)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } u;
    socklen_t len = sizeof u;
    if (getsockname(fd, &u.sa, &len) != 0)
        return err_errno(err, "descriptor %d is not a listening socket", fd);
    *port = ntohs(u.sa.sa_family == AF_INET6 ? u.in6.sin6_port : u.in.sin_port);
    return OK;
}

enum status http_server_open(const struct http_server_config *cfg, struct http_server **out, struct error *err)
{
    *out = NULL;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NO_MEMORY, "http server: out of memory");
    s->routes = cfg->routes;
    s->n_routes = cfg->n_routes;
    s->ctx = cfg->ctx;
    s->timeout_s = cfg->timeout_s;
    s->listen_fd = cfg->listen_fd;
    s->metrics = http_metrics_new(cfg->routes, cfg->n_routes);
    s->metrics_prefix = strdup(cfg->metrics_prefix);
    enum status st = s->metrics && s->metrics_prefix ? OK : err_set(err, ERR_NO_MEMORY, "http server: out of memory");
    if (st == OK)
        st = pool_open("http-worker", cfg->workers, cfg->max_queue, &s->workers, err);
    if (st == OK)
        st = cfg->listen_fd >= 0 ? http_listen_port(cfg->listen_fd, &s->port, err)
                                 : http_listen(cfg->host, cfg->port, &s->listen_fd, &s->port, err);
    if (st == OK) {
        struct MHD_OptionItem options[] = {
            {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_mhd, NULL}, /* first, so that it sees the others' complaints */
            {MHD_OPTION_LISTEN_SOCKET, s->listen_fd, NULL},
            {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)cfg->max_connections, NULL},
            {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)cfg->timeout_s, NULL},
            {MHD_OPTION_CONNECTION_MEMORY_LIMIT, 32 << 10, NULL},
            {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
            {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)call_begin, s},
            {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)call_end, s},
            {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
            {cfg->io_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)cfg->io_threads, NULL},
            {MHD_OPTION_END, 0, NULL},
        };
        s->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                                     NULL, NULL, on_request, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
        if (!s->daemon)
            st = err_set(err, ERR_IO, "cannot start the http server on port %u", s->port);
    }
    if (st != OK) {
        http_server_close(s, 0);
        return st;
    }
    *out = s;
    return OK;
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_close(struct http_server *s, unsigned deadline_ms)
{
    if (!s)
        return;
    atomic_store(&s->closing, true);
    if (s->daemon) {
        MHD_quiesce_daemon(s->daemon); /* accepts no more; the socket is ours again */
        for (unsigned waited = 0; atomic_load(&s->in_flight) > 0 && waited < deadline_ms; waited += 5)
            usleep(5000);
    }
    if (s->workers)
        pool_stop(s->workers); /* resumes what is still suspended */
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    pool_close(s->workers);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    http_metrics_free(s->metrics);
    free(s->metrics_prefix);
    free(s);
}

void http_server_metrics(struct http_server *s, struct buf *out)
{
    const char *p = s->metrics_prefix;
    http_metrics_write(s->metrics, p, out);
    buf_printf(out,
               "# HELP %s_http_requests_in_flight Requests being read, handled or answered.\n"
               "# TYPE %s_http_requests_in_flight gauge\n%s_http_requests_in_flight %d\n"
               "# HELP %s_http_queue_length Requests waiting for a worker.\n"
               "# TYPE %s_http_queue_length gauge\n%s_http_queue_length %zu\n"
               "# HELP %s_http_rejected_total Requests refused because the queue was full.\n"
               "# TYPE %s_http_rejected_total counter\n%s_http_rejected_total %llu\n",
               p, p, p, atomic_load(&s->in_flight), p, p, p, pool_queued(s->workers), p, p, p,
               (unsigned long long)atomic_load(&s->rejected));
}
