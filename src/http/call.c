/* One connection, and the request that it carries at the moment. A call goes through these states:
 *
 *     ASKING    the head is here; suspended while a worker asks whether the body may come (HTTP_ADMITS only)
 *     READING   the head is here, the body comes in pieces
 *     RUNNING   suspended in MHD while a worker runs the handler
 *     ANSWERED  the response is made; MHD is asked to send it on its own thread
 *
 * Requests that are wrong from their head alone (fields, path, method, declared length) are answered before their
 * body is read; MHD then closes the connection. The memory of a call belongs to its connection, whose end MHD always
 * tells; of the end of a request it does not (0.9.75 forgets some that it refused itself). */
#include "base/deadline.h"
#include "base/log.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/secret.h"
#include "http/cors.h"
#include "http/http_internal.h"
#include "http/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX       (64u << 10) /* more than a connection has memory for */
#define SPOOL_PATIENCE 10          /* times as long: such bodies are larger */
#define BRIEF_US       1000        /* an HTTP_BRIEF handler of less may run on MHD's thread */
#define MAX_DROPPED    (1u << 20)  /* bytes read of a body that is too large, so that its sender sees the 413 */

enum state { READING, ASKING, RUNNING, ANSWERED };

struct call {
    struct http_server *server;
    struct MHD_Connection *connection;
    enum state state;
    bool headed;   /* the calls of MHD that are about the head of this request are over */
    bool admitted; /* after ASKING */
    bool too_large;
    const struct http_route *route;
    const char *target, *method;
    struct buf body;
    struct http_spool spool; /* the body of an HTTP_SPOOL route instead */
    uint64_t promised;       /* bytes of memory for the body, out of those of all */
    size_t dropped;
    int64_t start_us, queued_us, waited_us, handler_us, parts_us[METRIC_PARTS];
    struct http_request req;
    struct http_response res;
};

struct http_conn {
    struct http_link link;
    char client[INET6_ADDRSTRLEN];
    bool busy; /* `call` is under way */
    struct call call;
    struct arena arena; /* of the call; its first block stays */
};

/* --- connections --- */

static void call_end(struct http_server *s, struct http_conn *conn)
{
    if (!conn->busy)
        return;
    conn->busy = false;
    if (conn->call.res.body) /* made, but the peer was gone before it could be sent */
        MHD_destroy_response(conn->call.res.body);
    buf_free(&conn->call.body);
    http_spool_free(&conn->call.spool);
    atomic_fetch_sub(&s->body_bytes, conn->call.promised);
    arena_reset(&conn->arena);
    atomic_store_explicit(&conn->link.head_since_us, os_monotonic_us(), memory_order_relaxed);
    atomic_fetch_sub(&s->in_flight, 1);
}

static struct http_conn *conn_open(struct http_server *s, struct MHD_Connection *connection)
{
    struct http_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    arena_init(&conn->arena, HTTP_ARENA_MAX);
    conn->link.fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    const struct sockaddr *peer = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    (void)http_address_text(peer, conn->client);
    http_link_add(s, &conn->link, peer);
    return conn;
}

static void conn_close(struct http_server *s, struct http_conn *conn)
{
    http_link_remove(s, &conn->link);
    call_end(s, conn);
    arena_free(&conn->arena);
    free(conn);
}

/* MHD tells the end of a connection before it closes the descriptor, so that fd is never another's. */
void http_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = conn_open(cls, connection);
    } else if (*context) {
        conn_close(cls, *context);
        *context = NULL;
    }
}

/* --- one call --- */

void *http_on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct http_server *s = cls;
    struct http_conn *conn = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (!conn)
        return NULL;
    call_end(s, conn); /* one whose end was not told */
    conn->busy = true;
    conn->call = (struct call){.server = s,
                               .connection = connection,
                               .start_us = os_monotonic_us(),
                               .target = arena_strdup(&conn->arena, target ? target : ""),
                               .req = {.arena = &conn->arena, .connection = connection, .client = conn->client},
                               .res = {.arena = &conn->arena}};
    atomic_fetch_add(&s->in_flight, 1);
    /* We parse the query ourselves, and MHD shall not: it keeps a record for each parameter, and when its memory for
     * them is full it answers nothing and never looks at the connection again. The line is MHD's to write to. */
    char *query = target ? strchr(target, '?') : NULL;
    if (query && query[1])
        query[1] = '\0';
    return conn;
}

void http_on_completed(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode why)
{
    (void)connection, (void)why;
    if (*context)
        call_end(cls, *context);
    *context = NULL;
}

/* What the calling thread logs belongs to this call, until log_as_nobody. */
static void log_as(const struct call *c)
{
    log_set_request_id(c->req.request_id);
    log_set_trace(c->req.traceparent);
}

static void log_as_nobody(void)
{
    log_set_request_id(NULL);
    log_set_trace(NULL);
}

static void log_call(const struct call *c, int64_t us)
{
    const char *path = c->req.path ? c->req.path : "?";
    unsigned slow_ms = c->server->options.slow_ms;
    log_as(c);
    if (slow_ms && us > (int64_t)slow_ms * 1000)
        log_warn("slow: %s %.200s %d route=%s %.1f ms: queue %.1f, handler %.1f, database %.1f, peer %.1f, model %.1f",
                 c->method, path, c->res.status, c->route ? c->route->name : "none", (double)us / 1000,
                 (double)c->waited_us / 1000, (double)c->handler_us / 1000, (double)c->parts_us[METRIC_DATABASE] / 1000,
                 (double)c->parts_us[METRIC_PEER] / 1000, (double)c->parts_us[METRIC_MODEL] / 1000);
    else
        log_debug("%s %s %d %.1f ms", c->method, path, c->res.status, (double)us / 1000);
    log_as_nobody();
}

static enum MHD_Result send_answer(struct call *c)
{
    struct http_server *s = c->server;
    if (atomic_load_explicit(&s->closing, memory_order_relaxed) || http_is_starved(s))
        http_header_add(&c->res, "Connection", "close");
    http_header_add(&c->res, "X-Request-Id", c->req.request_id);
    http_header_add(&c->res, "X-Content-Type-Options", "nosniff");
    struct MHD_Response *response = http_response_finish(&c->res);
    if (!response)
        return MHD_NO;
    int64_t us = os_monotonic_us() - c->start_us;
    size_t route = c->route ? (size_t)(c->route - s->routes) : s->n_routes;
    http_metrics_count(s->metrics, route, c->req.method, c->res.status, us);
    log_call(c, us);
    c->state = ANSWERED;
    enum MHD_Result sent = MHD_queue_response(c->connection, (unsigned)c->res.status, response);
    MHD_destroy_response(response);
    c->res.body = NULL;
    return sent;
}

static void run_handler(struct call *c)
{
    log_as(c);
    int64_t began_us = os_monotonic_us();
    metric_parts_clear();
    c->route->handler(c->server->ctx, &c->req, &c->res);
    metric_parts_get(c->parts_us);
    c->handler_us = os_monotonic_us() - began_us;
    if (c->route->flags & HTTP_BRIEF) {
        int64_t usual_us = atomic_load_explicit(&c->server->brief_us, memory_order_relaxed);
        atomic_store_explicit(&c->server->brief_us, usual_us + (c->handler_us - usual_us) / 8, memory_order_relaxed);
    }
    deadline_clear();
    log_as_nobody();
}

static void call_admit(struct call *c)
{
    log_as(c);
    c->admitted = c->server->admit(c->server->ctx, &c->req, &c->res);
    log_as_nobody();
}

/* Answers with a page for people if there is one, else with problem+json. */
static void call_refuse(struct call *c, int status, unsigned retry_s, const char *why)
{
    const struct http_server *s = c->server;
    if (!s->refuse || !c->req.path || !s->refuse(s->ctx, &c->req, &c->res, status, retry_s))
        http_problem(&c->res, status, "%s", why);
}

static void refuse_for_now(struct call *c, const char *why)
{
    atomic_fetch_add(&c->server->rejected, 1);
    http_header_add(&c->res, "Retry-After", "1");
    call_refuse(c, 503, 1, why);
}

static void call_work(void *arg)
{
    struct call *c = arg;
    struct MHD_Connection *connection = c->connection;
    enum http_lanes lane = http_lane_of(c->route);
    int64_t now_us = os_monotonic_us(), waited_us = now_us - c->queued_us;
    c->waited_us += waited_us;
    if (lane != HTTP_LANE_URGENT)
        metric_observe(&c->server->queue_times, waited_us);
    if (atomic_load_explicit(&c->server->hurried, memory_order_relaxed))
        refuse_for_now(c, "The service is stopping.");
    else if (shed_refuses(&c->server->lanes[lane].shed, now_us, waited_us))
        refuse_for_now(c, "Requests have to wait too long.");
    else if (c->state == ASKING)
        call_admit(c);
    else
        run_handler(c);
    MHD_resume_connection(connection); /* from here on the call belongs to MHD's thread again */
}

static const char *call_header(const struct call *c, const char *name)
{
    return MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result join_value(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    struct buf *list = cls;
    if (strcasecmp(name, "X-Forwarded-For") == 0)
        buf_printf(list, "%s%s", list->len ? "," : "", value ? value : "");
    return MHD_YES;
}

/* Whose request it is. A proxy may add a line of its own instead of lengthening the one that came: all are read. */
static void find_client(struct call *c)
{
    const struct trusted_proxies *proxies = &c->server->proxies;
    char address[INET6_ADDRSTRLEN];
    struct buf list;
    if (!trusted_proxies_has(proxies, c->req.client))
        return;
    c->req.over_tls = client_over_tls(call_header(c, "X-Forwarded-Proto"));
    buf_init(&list, HEAD_MAX);
    MHD_get_connection_values(c->connection, MHD_HEADER_KIND, join_value, &list);
    client_address(proxies, c->req.client, list.len && !list.failed ? buf_str(&list) : NULL, address);
    buf_free(&list);
    const char *kept = arena_strdup(c->req.arena, address);
    if (kept)
        c->req.client = kept;
}

/* Says in the answer what is left of a bucket of `quota` units that fills in `window_s`; true when it is refused. The
 * fields are those of draft-ietf-httpapi-ratelimit-headers-09. */
static bool tell_limit(struct call *c, const char *whose, unsigned quota, unsigned window_s,
                       const struct rate_limit_answer *got)
{
    char value[80];
    snprintf(value, sizeof value, "\"%s\";q=%u;w=%u", whose, quota, window_s);
    http_header_set(&c->res, "RateLimit-Policy", value);
    snprintf(value, sizeof value, "\"%s\";r=%u;t=%u", whose, got->remaining, got->reset_s);
    http_header_set(&c->res, "RateLimit", value);
    if (got->allowed)
        return false;
    atomic_fetch_add(&c->server->rate_limited, 1);
    snprintf(value, sizeof value, "%u", got->retry_s);
    http_header_add(&c->res, "Retry-After", value);
    snprintf(value, sizeof value, "Too many requests; try again in %u s.", got->retry_s);
    call_refuse(c, 429, got->retry_s, value);
    return true;
}

/* Takes a cost from the client's bucket, and of a request with a token from the token's too: as tokens are not looked
 * up here, one that was made up would otherwise be a full bucket. What is told is of the bucket that has less. True
 * when it is refused. */
static bool take_client_cost(struct call *c, unsigned cost)
{
    struct http_server *s = c->server;
    const char *token = call_header(c, "Authorization"), *whose = "client";
    struct rate_limit_answer got, by_token;
    rate_limit_take_client(s->limit, c->req.client, cost, c->start_us, &got);
    if (got.allowed && token) {
        rate_limit_take(s->limit, token, strlen(token), cost, c->start_us, &by_token);
        if (!by_token.allowed || by_token.remaining < got.remaining) {
            got = by_token;
            whose = "token";
        }
    }
    return tell_limit(c, whose, s->options.rate_burst,
                      (s->options.rate_burst + s->options.rate_limit - 1) / s->options.rate_limit, &got);
}

/* An app that has a limit of its own is not limited by the addresses that it speaks for. */
static bool take_cost(struct call *c, unsigned cost, bool again)
{
    struct http_server *s = c->server;
    struct http_app app = {.is = HTTP_APP_NONE};
    if (s->app && c->route && c->route->flags & HTTP_KEYED)
        s->app(s->ctx, &c->req, cost, again, &app);
    if (app.is == HTTP_APP_REFUSED) {
        http_header_add(&c->res, "WWW-Authenticate", "Bearer");
        call_refuse(c, 401, 0, app.why);
        return true;
    }
    if (app.is == HTTP_APP_LIMITED)
        return tell_limit(c, "app", app.per_minute, 60, &app.answer);
    return s->limit && take_client_cost(c, cost);
}

static bool refuse_by_rate(struct call *c)
{
    unsigned flags = c->route ? c->route->flags : 0;
    return !(flags & HTTP_UNLIMITED) && take_cost(c, flags & HTTP_COSTLY ? HTTP_COSTLY_WEIGHT : 1, false);
}

static struct call *call_of(const struct http_request *req)
{
    struct http_conn *conn =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    return &conn->call;
}

bool http_charge(const struct http_request *req, unsigned units)
{
    struct call *c = call_of(req);
    unsigned most = c->server->options.rate_burst / 2;
    return !units || !take_cost(c, units < most ? units : most, true);
}

/* The answer's place is the call's own, so that http_charge finds it, too. */
enum status http_ask(const struct http_request *req, const char *target, int *status, struct buf *out,
                     struct error *err)
{
    struct call *c = call_of(req);
    const struct http_server *s = c->server;
    const struct http_route *route;
    const char *allow;
    struct http_request inner = {.method = HTTP_GET,
                                 .body = "",
                                 .client = req->client,
                                 .over_tls = req->over_tls,
                                 .request_id = req->request_id,
                                 .traceparent = req->traceparent,
                                 .tracestate = req->tracestate,
                                 .arena = req->arena,
                                 .connection = req->connection,
                                 .within = true};
    enum status st = http_parse_target(target, req->arena, &inner, err);
    if (st != OK)
        return st;
    if (inner.encoded_slash)
        return err_set(err, ERR_INVALID, "path: an encoded slash is not allowed");
    if (http_route_find(s->routes, s->n_routes, HTTP_GET, inner.path, req->arena, &route, &inner.path_param, &allow) !=
        HTTP_MATCH)
        return err_set(err, ERR_NOT_FOUND, "Nothing is at %.200s.", inner.path);
    struct http_response outer = c->res;
    c->res = (struct http_response){.arena = req->arena, .into = out};
    route->handler(s->ctx, &inner, &c->res);
    *status = c->res.status;
    c->res = outer;
    return *status ? buf_status(out, err) : err_set(err, ERR_INTERNAL, "%.200s was not answered", inner.path);
}

void http_deadline(const struct http_request *req, unsigned ms, bool until_gone)
{
    struct call *c = call_of(req);
    int fd = MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    deadline_set(c->start_us + (int64_t)ms * 1000, until_gone ? fd : -1);
}

/* Requests that change something: from another site's page, or without the token. */
static bool refuse_change(struct call *c, bool shared)
{
    struct http_server *s = c->server;
    const char *token = call_header(c, "Authorization");
    static const char bearer[] = "Bearer ";
    if (c->req.method == HTTP_GET || !c->req.method)
        return false;
    if (!shared &&
        site_is_foreign(call_header(c, "Sec-Fetch-Site"), call_header(c, "Origin"), call_header(c, "Host"))) {
        call_refuse(c, 403, 0, "This request comes from a page of another site.");
        return true;
    }
    if (c->route->max_body && strncmp(c->req.path, "/api/", 5) == 0 &&
        (call_header(c, "Origin") || call_header(c, "Sec-Fetch-Site")) &&
        site_is_simple_type(call_header(c, "Content-Type"))) {
        http_problem(&c->res, 415, "A page must send this with Content-Type: application/json.");
        return true;
    }
    if (!s->options.token || (token && strncasecmp(token, bearer, sizeof bearer - 1) == 0 &&
                              secret_equal(token + sizeof bearer - 1, s->options.token)))
        return false;
    http_header_add(&c->res, "WWW-Authenticate", "Bearer");
    http_problem(&c->res, 401, token ? "The token is wrong." : "This needs a token: Authorization: Bearer TOKEN.");
    return true;
}

/* What can be refused from the head alone is; true when an answer is ready. */
static bool refuse_by_head(struct call *c, const char *method, const char *version)
{
    struct http_server *s = c->server;
    struct arena *a = c->req.arena;
    struct error err;
    const char *allow;
    char nothing[256];
    c->method = arena_strdup(a, method);
    c->req.request_id = http_request_id(call_header(c, "X-Request-Id"), a);
    bool continued;
    c->req.traceparent = http_traceparent(call_header(c, "traceparent"), a, &continued);
    if (continued)
        c->req.tracestate = http_tracestate(call_header(c, "tracestate"), a);
    c->req.method = http_parse_method(method);
    c->req.body = "";
    if (!c->target || !c->method || !c->req.request_id) {
        c->method = "?";
        c->req.request_id = "none";
        http_problem(&c->res, 503, "Out of memory.");
        return true;
    }
    enum status st = http_check_head(c->connection, version, &err);
    if (st != OK) {
        http_header_add(&c->res, "Connection", "close"); /* nobody knows where the next request would begin */
        http_problem(&c->res, st == ERR_UNSUPPORTED ? 501 : 400, "%s", err.message);
        return true;
    }
    if (!site_is_ours(call_header(c, "Host"), s->options.hosts, s->only_here)) {
        http_problem(&c->res, 421, "Host: \"%.200s\" is no name of this service; --hosts lists them.",
                     call_header(c, "Host"));
        return true;
    }
    find_client(c);
    if (http_parse_target(c->target, a, &c->req, &err) != OK) {
        http_problem_from(&c->res, &err);
        return true;
    }
    enum http_match match =
        http_route_find(s->routes, s->n_routes, c->req.method, c->req.path, a, &c->route, &c->req.path_param, &allow);
    bool shared = cors_answer(s->options.cors_origins, c->req.path, call_header(c, "Origin"), &c->res);
    if (refuse_by_rate(c))
        return true;
    if (c->req.encoded_slash && (match != HTTP_MATCH || !http_route_takes_slashes(c->route->pattern))) {
        http_problem(&c->res, 400, "path: an encoded slash is not allowed");
        return true;
    }
    switch (match) {
    case HTTP_NO_PATH:
        snprintf(nothing, sizeof nothing, "Nothing is at %.200s.", c->req.path);
        call_refuse(c, 404, 0, nothing);
        return true;
    case HTTP_NO_METHOD:
        if (shared && strcmp(method, "OPTIONS") == 0 && call_header(c, "Access-Control-Request-Method")) {
            cors_preflight(allow, &c->res);
            return true;
        }
        http_header_add(&c->res, "Allow", allow);
        http_problem(&c->res, 405, "Method %.20s is not allowed here; allowed: %s.", method, allow);
        return true;
    case HTTP_MATCH:
        break;
    }
    if (refuse_change(c, shared))
        return true;
    const char *length = call_header(c, "Content-Length");
    if (length && strtoull(length, NULL, 10) > c->route->max_body) {
        http_problem(&c->res, 413, "The body is too large: %.20s bytes, at most %zu are allowed.", length,
                     c->route->max_body);
        return true;
    }
    const char *coding = call_header(c, "Content-Encoding");
    if (coding && *coding && strcasecmp(coding, "identity") != 0) {
        http_header_add(&c->res, "Accept-Encoding", "identity");
        http_problem(&c->res, 415, "Content-Encoding: \"%.60s\" is not supported; send the body without it.", coding);
        return true;
    }
    buf_init(&c->body, c->route->max_body);
    return false;
}

/* Memory for the body that the head announces, of unknown length at most; false when an answer is ready. */
static bool promise_body(struct call *c)
{
    struct http_server *s = c->server;
    const char *length = call_header(c, "Content-Length");
    uint64_t bytes = length                                              ? strtoull(length, NULL, 10)
                     : call_header(c, MHD_HTTP_HEADER_TRANSFER_ENCODING) ? c->route->max_body
                                                                         : 0;
    if (bytes <= HTTP_BODY_FREE || c->route->flags & HTTP_SPOOL)
        return true;
    if (atomic_fetch_add(&s->body_bytes, bytes) + bytes > s->most_body_bytes) {
        atomic_fetch_sub(&s->body_bytes, bytes);
        refuse_for_now(c, "Too much is being sent at the moment.");
        return false;
    }
    c->promised = bytes;
    return true;
}

/* Takes a piece of the body; false cuts the connection. */
static bool take_piece(struct call *c, const char *data, size_t len)
{
    bool spools = c->route->flags & HTTP_SPOOL;
    if (spools && len > c->route->max_body - c->spool.len) {
        c->too_large = true;
    } else if (spools) {
        http_spool_write(&c->spool, c->server->options.spool, data, len);
    } else if (!c->too_large) {
        buf_append(&c->body, data, len);
        c->too_large = c->body.failed;
    }
    if (c->too_large)
        c->dropped += len;
    int64_t patience = (int64_t)c->server->options.timeout_s * HTTP_PATIENCE * (spools ? SPOOL_PATIENCE : 1) * 1000000;
    return c->dropped < MAX_DROPPED && os_monotonic_us() - c->start_us < patience;
}

/* Hands the call to a worker, which resumes the connection. */
static enum MHD_Result suspend(struct call *c, enum state state)
{
    c->state = state;
    c->queued_us = os_monotonic_us();
    MHD_suspend_connection(c->connection);
    if (pool_submit(c->server->lanes[http_lane_of(c->route)].workers, call_work, c) != OK) {
        refuse_for_now(c, "Too many requests are waiting.");
        MHD_resume_connection(c->connection);
    }
    return MHD_YES;
}

/* MHD calls again for the same head when a connection that was suspended at it goes on. */
static enum MHD_Result take_head(struct call *c, const char *method, const char *version)
{
    bool refused = c->state == ASKING ? !c->admitted : refuse_by_head(c, method, version);
    if (!refused && c->state != ASKING && c->route->flags & HTTP_ADMITS)
        return suspend(c, ASKING);
    c->headed = true;
    c->state = READING;
    return refused || !promise_body(c) ? send_answer(c) : MHD_YES;
}

/* On MHD's thread, and not on a worker's: handing a request over and back would take as long as a brief handler. */
static bool runs_here(const struct call *c)
{
    const struct http_server *s = c->server;
    return c->route->flags & HTTP_INLINE ||
           (c->route->flags & HTTP_BRIEF && atomic_load(&s->in_flight) == 1 && atomic_load(&s->brief_us) < BRIEF_US);
}

static enum MHD_Result dispatch(struct call *c)
{
    if (c->body.no_memory) {
        refuse_for_now(c, "There is no memory for the body at the moment.");
        return send_answer(c);
    }
    if (c->too_large) {
        http_problem(&c->res, 413, "The body is too large: at most %zu bytes are allowed.", c->route->max_body);
        return send_answer(c);
    }
    bool spools = c->route->flags & HTTP_SPOOL;
    c->req.body = spools ? http_spool_map(&c->spool) : buf_str(&c->body);
    c->req.body_len = spools ? c->spool.len : c->body.len;
    if (c->spool.failed) {
        http_problem(&c->res, c->spool.failed,
                     c->spool.failed == 507 ? "The disk of the server is full."
                                            : "The body cannot be kept at the moment.");
        return send_answer(c);
    }
    if (runs_here(c)) {
        run_handler(c);
        return send_answer(c);
    }
    return suspend(c, RUNNING);
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *size, void **context)
{
    (void)cls, (void)connection, (void)url;
    struct http_conn *conn = *context;
    if (!conn)
        return MHD_NO;
    struct call *c = &conn->call;
    if (!c->headed) {
        atomic_store_explicit(&conn->link.head_since_us, 0, memory_order_relaxed);
        return take_head(c, method, version);
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
