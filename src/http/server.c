/* libmicrohttpd moves the bytes; this file starts and stops it, together with the workers and a watcher of the
 * connections (conns.c). What happens to a request is in call.c. */
#include "base/log.h"
#include "base/metric.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/worker.h"
#include "http/cors.h"
#include "http/http_internal.h"
#include "http/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define URGENT_QUEUE    64     /* requests */
#define HANDSHAKE_US    20000  /* handshakes that had begun end within this, or their clients see them fail */
#define IDLE_US         500000 /* a connection idle for less may be about to send a request, whose answer ends it */
#define ACCEPT_PAUSE_US 50000
#define STARVED_US      2000000 /* after the last failure to accept */

/* We decode the request target ourselves, once. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *s)
{
    (void)cls, (void)connection;
    return strlen(s);
}

/* Without descriptors or memory MHD would try to accept again at once, thousands of times a second, or, in a thread
 * that has connections, no more before one of these ends. So this waits a moment on MHD's thread; and for a while
 * answers end their connection, and http_watch ends idle ones. */
static void accept_failed(struct http_server *s, const char *text)
{
    static _Atomic int64_t told_us;
    int64_t now_us = os_monotonic_us(), before_us = atomic_load(&told_us);
    atomic_store(&s->starved_us, now_us);
    atomic_fetch_add(&s->not_accepted, 1);
    if (now_us - before_us > 1000000 && atomic_compare_exchange_strong(&told_us, &before_us, now_us))
        log_warn("http: %s", text);
    usleep(ACCEPT_PAUSE_US);
}

bool http_is_starved(const struct http_server *s)
{
    int64_t since_us = atomic_load_explicit(&s->starved_us, memory_order_relaxed);
    return since_us && os_monotonic_us() - since_us < STARVED_US;
}

static void log_mhd(void *cls, const char *fmt, va_list args)
{
    char text[512];
    vsnprintf(text, sizeof text, fmt, args);
    size_t len = strlen(text);
    while (len && text[len - 1] == '\n')
        text[--len] = '\0';
    if (strstr(text, "accepting connection"))
        accept_failed(cls, text);
    else
        log_debug("http: %s", text);
}

/* --- listening --- */

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

/* Closing a listening socket resets the connections that wait in it to be accepted, perhaps with a request each. So
 * no new handshake is begun first: such a client asks again a second later, and finds the port closed or another server
 * there. */
static void refuse_handshakes(int fd)
{
    struct sock_filter drop_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the TCP header's flags */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, ~0u),
    };
    struct sock_fprog program = {.len = sizeof drop_syn / sizeof *drop_syn, .filter = drop_syn};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        log_debug("http: the socket takes no filter: %s", strerror(errno));
}

static bool anyone_waits(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    return poll(&waiting, 1, 0) > 0;
}

/* --- workers --- */

enum http_lanes http_lane_of(const struct http_route *route)
{
    return route->flags & HTTP_URGENT  ? HTTP_LANE_URGENT
           : route->flags & HTTP_ASIDE ? HTTP_LANE_ASIDE
                                       : HTTP_LANE_COMMON;
}

static enum status open_lanes(struct http_server *s, struct error *err)
{
    static const char *const names[] = {"http-worker", "http-aside", "http-urgent"};
    const struct http_options *o = &s->options;
    enum status st = OK;
    for (size_t i = 0; i < s->n_routes && st == OK; i++) {
        enum http_lanes which = http_lane_of(&s->routes[i]);
        struct http_lane *lane = &s->lanes[which];
        if (lane->workers)
            continue;
        if (which == HTTP_LANE_URGENT) {
            st = pool_open(names[which], 1, URGENT_QUEUE, &lane->workers, err);
        } else {
            lane->shed.target_us = (int64_t)o->shed_ms * 1000;
            st = pool_open(names[which], o->workers, o->max_queue, &lane->workers, err);
        }
    }
    return st;
}

static size_t waiting_for_workers(struct http_server *s)
{
    size_t n = 0;
    for (int i = 0; i < HTTP_LANES; i++)
        n += i != HTTP_LANE_URGENT && s->lanes[i].workers ? pool_queued(s->lanes[i].workers) : 0;
    return n;
}

/* --- the server --- */

static struct MHD_Daemon *start_daemon(struct http_server *s)
{
    const struct http_options *o = &s->options;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_mhd, s}, /* first, so that it sees the others' complaints */
        {MHD_OPTION_LISTEN_SOCKET, s->listen_fd, NULL},
        /* ours is less: what we end takes a moment to be gone, and threads share MHD's evenly */
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)(2 * o->max_connections + 64 * o->io_threads), NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)o->timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, 32 << 10, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)http_on_connection, s},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_on_target, s},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_on_completed, s},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escapes, NULL},
        {o->io_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)o->io_threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
                            http_on_accept, s, http_on_request, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

/* A listener for those who run the service, which others cannot keep busy. */
static enum status open_management(struct http_server *s, const struct http_server_config *cfg, struct error *err)
{
    struct http_route *routes = calloc(cfg->n_routes, sizeof *routes);
    struct http_server_config own = {.http = {.host = cfg->http.host,
                                              .port = cfg->http.management_port,
                                              .listen_fd = -1,
                                              .io_threads = 1,
                                              .workers = 1,
                                              .max_queue = URGENT_QUEUE,
                                              .max_connections = cfg->http.max_connections,
                                              .timeout_s = cfg->http.timeout_s},
                                     .ctx = cfg->ctx,
                                     .metrics_prefix = cfg->metrics_prefix};
    if (!routes)
        return err_no_memory(err, "the management listener");
    for (size_t i = 0; i < cfg->n_routes; i++)
        if (cfg->routes[i].flags & HTTP_URGENT)
            routes[own.n_routes++] = cfg->routes[i];
    own.routes = s->management_routes = routes;
    enum status st = http_server_open(&own, &s->management, err);
    if (st == OK)
        log_info("management: listening on %s port %u", own.http.host, own.http.port);
    return st;
}

enum status http_server_open(const struct http_server_config *cfg, struct http_server **out, struct error *err)
{
    *out = NULL;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "the HTTP server");
    pthread_mutex_init(&s->lock, NULL);
    s->routes = cfg->routes;
    s->n_routes = cfg->n_routes;
    s->most_body_bytes = HTTP_BODIES_BYTES;
    for (size_t i = 0; i < s->n_routes; i++)
        if (!(s->routes[i].flags & HTTP_SPOOL) && s->most_body_bytes / 2 < s->routes[i].max_body)
            s->most_body_bytes = 2 * (uint64_t)s->routes[i].max_body;
    s->ctx = cfg->ctx;
    s->admit = cfg->admit;
    s->app = cfg->app;
    s->refuse = cfg->refuse;
    s->options = cfg->http;
    const struct http_options *o = &s->options;
    s->options.cors_origins = o->cors_origins ? o->cors_origins : "";
    s->options.hosts = o->hosts ? o->hosts : "";
    s->listen_fd = o->listen_fd;
    s->own_socket = o->listen_fd < 0;
    s->metrics = http_metrics_new(cfg->routes, cfg->n_routes);
    s->metrics_prefix = strdup(cfg->metrics_prefix);
    enum status st = s->metrics && s->metrics_prefix ? OK : err_no_memory(err, "the HTTP server");
    if (st == OK)
        st = trusted_proxies_parse(o->trusted_proxies ? o->trusted_proxies : "", &s->proxies, err);
    if (st == OK)
        st = cors_check(o->cors_origins, err);
    if (st == OK)
        st = site_check_hosts(o->hosts, err);
    s->only_here = s->proxies.n == 0 && o->host && (strncmp(o->host, "127.", 4) == 0 || strcmp(o->host, "::1") == 0);
    if (st == OK && o->rate_limit && o->rate_burst < HTTP_COSTLY_WEIGHT)
        st = err_set(err, ERR_INVALID, "rate-burst: expected at least %d, found %u", HTTP_COSTLY_WEIGHT, o->rate_burst);
    if (st == OK && o->rate_limit)
        st = rate_limit_open(o->rate_limit, o->rate_burst, &s->limit, err);
    if (st == OK)
        st = open_lanes(s, err);
    if (st == OK)
        st = o->listen_fd >= 0 ? http_listen_port(o->listen_fd, &s->port, err)
                               : http_listen(o->host, o->port, &s->listen_fd, &s->port, err);
    if (st == OK)
        st = worker_open("http-watch", http_watch, s, &s->watcher, err);
    if (st == OK && !(s->daemon = start_daemon(s)))
        st = err_set(err, ERR_IO, "cannot start the http server on port %u", s->port);
    if (st == OK && o->management_port)
        st = open_management(s, cfg, err);
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

void http_server_drain(struct http_server *s)
{
    atomic_store(&s->closing, true);
}

enum status http_server_serve(struct http_server *s, struct error *err)
{
    const struct http_options *o = &s->options;
    log_info("listening on %s port %u", o->host, s->port);
    if (o->ready)
        o->ready(o->ready_arg, s->port);
    struct pollfd stop = {.fd = o->stop_fd, .events = POLLIN};
    int n;
    while ((n = poll(&stop, 1, -1)) < 0 && errno == EINTR)
        continue;
    enum status st = n < 0 ? err_errno(err, "cannot wait for the signal to stop") : OK;
    log_info("stopping");
    http_server_drain(s);
    usleep(o->drain_ms * 1000);
    return st;
}

bool http_server_draining(const struct http_server *s)
{
    return atomic_load(&s->closing);
}

unsigned http_server_in_flight(const struct http_server *s)
{
    return (unsigned)atomic_load(&s->in_flight);
}

/* Accepts what has reached the socket, and then nothing more. */
static void stop_listening(struct http_server *s, int64_t deadline_us)
{
    if (s->own_socket && os_monotonic_us() < deadline_us) {
        refuse_handshakes(s->listen_fd);
        do
            usleep(HANDSHAKE_US);
        while (anyone_waits(s->listen_fd) && os_monotonic_us() < deadline_us);
    }
    MHD_quiesce_daemon(s->daemon);
    /* It is closed when the daemon has ended, whose thread may still take it out of its epoll set. A socket that others
     * listen on too stays as it is. */
    if (s->own_socket)
        shutdown(s->listen_fd, SHUT_RDWR);
}

void http_server_close(struct http_server *s, unsigned deadline_ms)
{
    if (!s)
        return;
    http_server_close(s->management, 0);
    free(s->management_routes);
    int64_t deadline_us = os_monotonic_us() + (int64_t)deadline_ms * 1000;
    http_server_drain(s);
    if (s->daemon) {
        stop_listening(s, deadline_us);
        while (http_end_idle(s, os_monotonic_us() - IDLE_US) && os_monotonic_us() < deadline_us)
            usleep(2000);
    }
    atomic_store(&s->hurried, true);
    for (int i = 0; i < HTTP_LANES; i++)
        if (s->lanes[i].workers)
            pool_stop(s->lanes[i].workers); /* resumes what is still suspended */
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    worker_close(s->watcher);
    for (int i = 0; i < HTTP_LANES; i++)
        pool_close(s->lanes[i].workers);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    pthread_mutex_destroy(&s->lock);
    http_metrics_free(s->metrics);
    rate_limit_close(s->limit);
    free(s->metrics_prefix);
    free(s);
}

void http_server_metrics(struct http_server *s, struct buf *out)
{
    char name[128];
    const char *p = s->metrics_prefix;
    http_metrics_write(s->metrics, p, out);
    snprintf(name, sizeof name, "%s_http_requests_in_flight", p);
    metric_one(out, name, "gauge", "Requests being read, handled or answered.", atomic_load(&s->in_flight));
    http_conns_metrics(s, out);
    snprintf(name, sizeof name, "%s_http_queue_length", p);
    metric_one(out, name, "gauge", "Requests waiting for a worker.", (double)waiting_for_workers(s));
    snprintf(name, sizeof name, "%s_http_queue_duration_seconds", p);
    metric_family(out, name, "histogram", "Time that requests waited for a worker.");
    metric_histogram(out, name, "", &s->queue_times);
    snprintf(name, sizeof name, "%s_http_rejected_total", p);
    metric_one(out, name, "counter", "Requests refused because too many were waiting, or for too long.",
               (double)atomic_load(&s->rejected));
    snprintf(name, sizeof name, "%s_http_accept_failures_total", p);
    metric_one(out, name, "counter", "Times that no connection could be accepted for want of descriptors or memory.",
               (double)atomic_load(&s->not_accepted));
    snprintf(name, sizeof name, "%s_http_rate_limited_total", p);
    metric_one(out, name, "counter", "Requests refused because their client or token asked too often.",
               (double)atomic_load(&s->rate_limited));
}

const struct metric_times *http_server_times(const struct http_server *s, const char *route)
{
    return http_metrics_times(s->metrics, route);
}
