/* client.c: libcurl makes the connections, over TLS where the URL says so; the request is written and its answer read
 * (answer.h) here, which for a small one takes a tenth of the time that libcurl would need. */
#include "http/client.h"
#include "base/log.h"
#include "base/os.h"
#include "http/answer.h"
#include "http/client_address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX    4095
#define HEAD_MAX   (64u << 10)
#define HEAD_USUAL 512u

struct http_client {
    struct http_client_config cfg;
    char *base_url, *host, *authorization; /* the last NULL without a token */
    const char *prefix;                    /* of paths: what stands behind the host in base_url */
    pthread_mutex_t lock;                  /* guards all below */
    CURL **idle;                           /* [cfg.max_idle] handles, each with its kept-alive connection */
    unsigned n_idle;
    unsigned failures; /* in a row */
    bool trial;        /* one call is probing an open breaker */
    int64_t retry_us;  /* when the next trial may start */
};

static void client_curl_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum status http_client_open(const struct http_client_config *cfg, struct http_client **out, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, client_curl_once);
    *out = NULL;
    size_t scheme = strncmp(cfg->base_url, "http://", 7) == 0 ? 7 : strncmp(cfg->base_url, "https://", 8) == 0 ? 8 : 0;
    size_t host = scheme ? strcspn(cfg->base_url + scheme, "/") : 0;
    if (!host || strpbrk(cfg->base_url, "?#@ \t\r\n"))
        return err_set(err, ERR_INVALID, "URL of a service: expected http://host:port, found \"%.200s\"",
                       cfg->base_url);
    if (cfg->token && strpbrk(cfg->token, "\r\n"))
        return err_set(err, ERR_INVALID, "token: expected one line");
    struct http_client *c = calloc(1, sizeof *c);
    if (c) {
        c->cfg = *cfg;
        c->base_url = strdup(cfg->base_url);
        c->host = strndup(cfg->base_url + scheme, host);
        c->idle = calloc(cfg->max_idle ? cfg->max_idle : 1, sizeof(CURL *));
    }
    if (c && cfg->token) {
        size_t size = strlen(cfg->token) + sizeof "Bearer ";
        c->authorization = malloc(size);
        if (c->authorization)
            snprintf(c->authorization, size, "Bearer %s", cfg->token);
    }
    if (!c || !c->base_url || !c->host || !c->idle || (cfg->token && !c->authorization)) {
        if (c) {
            free(c->base_url);
            free(c->host);
            free(c->authorization);
            free(c->idle);
        }
        free(c);
        return err_no_memory(err, "the HTTP client");
    }
    c->cfg.base_url = c->base_url;
    for (size_t len = strlen(c->base_url); len && c->base_url[len - 1] == '/';)
        c->base_url[--len] = '\0';
    c->prefix = c->base_url + scheme + host;
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return OK;
}

void http_client_close(struct http_client *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < c->n_idle; i++)
        curl_easy_cleanup(c->idle[i]);
    pthread_mutex_destroy(&c->lock);
    free(c->idle);
    free(c->base_url);
    free(c->host);
    free(c->authorization);
    free(c);
}

/* --- circuit breaker; the lock is held --- */

static bool is_open(const struct http_client *c)
{
    return c->cfg.breaker_failures && c->failures >= c->cfg.breaker_failures;
}

static bool admit(struct http_client *c, bool *trial)
{
    *trial = false;
    if (!is_open(c))
        return true;
    if (c->trial || os_monotonic_us() < c->retry_us)
        return false;
    c->trial = *trial = true;
    return true;
}

static void breaker_settle(struct http_client *c, bool success, bool trial)
{
    bool was_open = is_open(c);
    if (trial)
        c->trial = false;
    if (success)
        c->failures = 0;
    else if (c->failures < UINT32_MAX)
        c->failures++;
    if (is_open(c) && !success && (trial || !was_open))
        c->retry_us = os_monotonic_us() + (int64_t)c->cfg.breaker_retry_ms * 1000;
    if (was_open != is_open(c))
        log_warn("%s: circuit breaker %s", c->base_url, was_open ? "closed: it answers again" : "opened");
}

enum http_breaker http_client_breaker(struct http_client *c)
{
    pthread_mutex_lock(&c->lock);
    enum http_breaker state = !is_open(c) ? HTTP_BREAKER_CLOSED : c->trial ? HTTP_BREAKER_TRIAL : HTTP_BREAKER_OPEN;
    pthread_mutex_unlock(&c->lock);
    return state;
}

/* --- connections --- */

/* An idle one, or NULL. What has become readable on it since its last answer is no answer to what comes now: most of
 * the time the peer has closed it. */
static CURL *client_take_idle(struct http_client *c)
{
    for (;;) {
        char byte;
        size_t n;
        pthread_mutex_lock(&c->lock);
        CURL *h = c->n_idle ? c->idle[--c->n_idle] : NULL;
        pthread_mutex_unlock(&c->lock);
        if (!h || curl_easy_recv(h, &byte, 1, &n) == CURLE_AGAIN)
            return h;
        curl_easy_cleanup(h);
    }
}

static void client_keep(struct http_client *c, CURL *h)
{
    pthread_mutex_lock(&c->lock);
    if (c->n_idle < c->cfg.max_idle) {
        c->idle[c->n_idle++] = h;
        h = NULL;
    }
    pthread_mutex_unlock(&c->lock);
    if (h)
        curl_easy_cleanup(h);
}

/* libcurl asks for a socket to an address that it has resolved and then connects to that one, so that a name cannot
 * stand for another address by then. `refused`: char[INET6_ADDRSTRLEN], the one that is not public. */
static curl_socket_t open_public(void *refused, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct address a;
    char *text = refused;
    (void)purpose;
    const void *bytes = to->family == AF_INET ? (const void *)&((const struct sockaddr_in *)&to->addr)->sin_addr
                                              : &((const struct sockaddr_in6 *)&to->addr)->sin6_addr;
    if ((to->family != AF_INET && to->family != AF_INET6) || !inet_ntop(to->family, bytes, text, INET6_ADDRSTRLEN) ||
        !address_parse(text, strlen(text), &a) || !address_is_public(&a))
        return CURL_SOCKET_BAD;
    *text = '\0';
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* A connection to the peer, over TLS if its URL says so. *out is NULL when that failed. */
static enum status client_connect(const struct http_client *c, const struct http_call *call, CURL **out,
                                  struct error *err)
{
    char reason[CURL_ERROR_SIZE] = "", refused[INET6_ADDRSTRLEN] = "";
    unsigned most_ms = c->cfg.connect_timeout_ms;
    CURL *h = *out = curl_easy_init();
    if (!h)
        return err_no_memory(err, "the HTTP client");
    curl_easy_setopt(h, CURLOPT_URL, c->base_url);
    curl_easy_setopt(h, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_NOPROXY, "*"); /* peers are reached directly */
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(most_ms && most_ms < call->timeout_ms ? most_ms : call->timeout_ms));
    if (c->cfg.public_only) {
        curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_public);
        curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, (void *)refused);
    }
    CURLcode rc = curl_easy_perform(h);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, NULL); /* these are on our stack */
    curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, NULL);
    if (rc == CURLE_OK)
        return OK;
    curl_easy_cleanup(h);
    *out = NULL;
    if (*refused)
        return err_set(err, ERR_DENIED, "%s is not an address of the public internet", refused);
    return err_set(err, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE, "%s",
                   reason[0] ? reason : curl_easy_strerror(rc));
}

/* --- calls --- */

static void put_field(struct buf *head, const char *name, const char *value)
{
    if (!value)
        return;
    assert(!strpbrk(value, "\r\n"));
    buf_puts(head, name);
    buf_puts(head, value);
    buf_puts(head, "\r\n");
}

static enum status write_head(const struct http_client *c, const struct http_call *call, struct buf *head,
                              struct error *err)
{
    buf_reserve(head, HEAD_USUAL);
    buf_puts(head, call->method);
    buf_puts(head, *c->prefix || *call->path == '/' ? " " : " /");
    buf_puts(head, c->prefix);
    buf_append(head, call->path, strcspn(call->path, "#"));
    put_field(head, " HTTP/1.1\r\nHost: ", c->host);
    put_field(head, "Authorization: ", c->authorization);
    put_field(head, "Content-Type: ", call->content_type);
    put_field(head, "X-Request-Id: ", call->request_id);
    put_field(head, "traceparent: ", call->traceparent);
    put_field(head, "tracestate: ", call->tracestate);
    for (const char *const *field = call->headers; field && *field; field++)
        put_field(head, "", *field);
    if (call->body || *call->method == 'P') /* POST, PUT, PATCH */
        buf_printf(head, "Content-Length: %zu\r\n", call->body ? call->body_len : 0);
    buf_puts(head, "\r\n");
    return buf_status(head, err);
}

/* What is still to be sent: of the head, and of the body. */
struct rest {
    const char *data;
    size_t len;
};

/* CURLE_AGAIN: the connection takes no more at the moment. */
static CURLcode send_rest(CURL *h, struct rest rest[2])
{
    for (int i = 0; i < 2; i++)
        while (rest[i].len) {
            size_t n = 0;
            CURLcode rc = curl_easy_send(h, rest[i].data, rest[i].len, &n);
            if (rc != CURLE_OK)
                return rc;
            rest[i].data += n;
            rest[i].len -= n;
        }
    return CURLE_OK;
}

/* Reads what there is of the answer. */
static enum status receive(CURL *h, struct http_answer *a, struct error *err)
{
    char piece[16384];
    enum status st = OK;
    while (st == OK && !a->done) {
        size_t n = 0;
        CURLcode rc = curl_easy_recv(h, piece, sizeof piece, &n);
        if (rc == CURLE_AGAIN)
            break;
        st = rc == CURLE_OK && n ? http_answer_take(a, piece, n, err) : http_answer_end(a, err);
    }
    return st;
}

/* Sends the request and reads the answer, which may come before all of the request is sent. */
static enum status exchange(CURL *h, const struct http_call *call, struct rest rest[2], int64_t deadline_us,
                            struct http_answer *a, struct error *err)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    enum status st = OK;
    curl_easy_getinfo(h, CURLINFO_ACTIVESOCKET, &fd);
    for (bool sending = true; st == OK && !a->done;) {
        if (sending) { /* a peer that takes no more has perhaps said why */
            sending = send_rest(h, rest) == CURLE_AGAIN;
            if (!sending && call->meanwhile)
                call->meanwhile(call->arg);
        }
        struct pollfd ready = {.fd = fd, .events = sending ? POLLIN | POLLOUT : POLLIN};
        int64_t left_us = deadline_us - os_monotonic_us();
        if (poll(&ready, 1, left_us > 0 ? (int)(left_us / 1000) + 1 : 0) == 0)
            st = err_set(err, ERR_TIMEOUT, "no answer in time");
        else
            st = receive(h, a, err);
    }
    a->keeps = a->keeps && !rest[0].len && !rest[1].len;
    return st;
}

static enum status transfer(struct http_client *c, const struct http_call *call, const struct buf *head,
                            struct buf *out, struct http_answer *a, struct error *err)
{
    int64_t deadline_us = os_monotonic_us() + (int64_t)call->timeout_ms * 1000;
    enum status st;
    bool kept;
    do {
        CURL *h = client_take_idle(c);
        struct rest rest[2] = {{buf_str(head), head->len}, {call->body, call->body ? call->body_len : 0}};
        http_answer_begin(a, strcmp(call->method, "HEAD") == 0, out);
        kept = h != NULL;
        st = kept ? OK : client_connect(c, call, &h, err);
        if (st == OK)
            st = exchange(h, call, rest, deadline_us, a, err);
        if (st == OK && a->keeps)
            client_keep(c, h);
        else
            curl_easy_cleanup(h);                         /* its connection has ended, or is in an unknown state */
    } while (st == ERR_UNAVAILABLE && kept && !a->begun); /* the peer closed it before it saw the request */
    if (st == ERR_TIMEOUT)
        return err_set(err, st, "%s%s: no answer within %u ms", c->base_url, call->path, call->timeout_ms);
    if (st != OK && err)
        err_prefix(err, "%s%s", c->base_url, call->path);
    return st;
}

/* The path, with its query, is as it is sent: there is no byte in it that ends it. */
static enum status check_path(const struct http_client *c, const char *path, struct error *err)
{
    size_t len = strlen(c->base_url) + strlen(path);
    if (len > URL_MAX)
        return err_set(err, ERR_INVALID, "URL of %zu bytes: at most %d are allowed", len, URL_MAX);
    for (const char *s = path; *s; s++)
        if ((unsigned char)*s <= ' ' || *s == 0x7f)
            return err_set(err, ERR_INVALID, "%s: \"%.200s\" has a character that is not escaped", c->base_url, path);
    return OK;
}

enum status http_client_call(struct http_client *c, const struct http_call *call, int *status, struct buf *out,
                             struct error *err)
{
    bool trial;
    struct buf head;
    struct http_answer answer = {0};
    enum status st = check_path(c, call->path, err);
    if (st != OK)
        return st;
    pthread_mutex_lock(&c->lock);
    bool admitted = admit(c, &trial);
    pthread_mutex_unlock(&c->lock);
    if (!admitted)
        return err_set(err, ERR_UNAVAILABLE, "%s: circuit breaker is open", c->base_url);
    buf_init(&head, HEAD_MAX);
    st = write_head(c, call, &head, err);
    if (st == OK)
        st = transfer(c, call, &head, out, &answer, err);
    *status = answer.status;
    buf_free(&head);
    pthread_mutex_lock(&c->lock);
    breaker_settle(c, st == OK ? *status < 500 : st == ERR_TOO_LARGE, trial);
    pthread_mutex_unlock(&c->lock);
    return st;
}

void http_escape(struct buf *out, const char *s, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t plain = 0; /* where the bytes begin that stay as they are */
    for (size_t i = 0; i < len; i++) {
        unsigned char b = (unsigned char)s[i];
        if ((b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || (b && strchr("-._~", b)))
            continue;
        char escaped[3] = {'%', digits[b >> 4], digits[b & 15]};
        buf_append(out, s + plain, i - plain);
        buf_append(out, escaped, 3);
        plain = i + 1;
    }
    buf_append(out, s + plain, len - plain);
}
