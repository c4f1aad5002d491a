#include "http/client.h"
#include "base/log.h"
#include "base/os.h"
#include "http/client_address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http_client {
    struct http_client_config cfg;
    char *base_url, *authorization; /* the latter NULL without a token */
    pthread_mutex_t lock;           /* guards all below */
    CURL **idle;                    /* [cfg.max_idle] handles, each with its kept-alive connection */
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
    if (strncmp(cfg->base_url, "http://", 7) != 0 && strncmp(cfg->base_url, "https://", 8) != 0)
        return err_set(err, ERR_INVALID, "URL of a service: expected http://host:port, found \"%.200s\"",
                       cfg->base_url);
    struct http_client *c = calloc(1, sizeof *c);
    if (c) {
        c->cfg = *cfg;
        c->base_url = strdup(cfg->base_url);
        c->idle = calloc(cfg->max_idle ? cfg->max_idle : 1, sizeof(CURL *));
    }
    if (c && cfg->token) {
        size_t size = strlen(cfg->token) + sizeof "Bearer ";
        c->authorization = malloc(size);
        if (c->authorization)
            snprintf(c->authorization, size, "Bearer %s", cfg->token);
    }
    if (!c || !c->base_url || !c->idle || (cfg->token && !c->authorization)) {
        if (c) {
            free(c->base_url);
            free(c->authorization);
            free(c->idle);
        }
        free(c);
        return err_no_memory(err, "the HTTP client");
    }
    c->cfg.base_url = c->base_url;
    for (size_t len = strlen(c->base_url); len && c->base_url[len - 1] == '/';)
        c->base_url[--len] = '\0';
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

/* --- calls --- */

static size_t client_on_data(char *data, size_t one, size_t n, void *arg)
{
    (void)one;
    struct buf *out = arg;
    buf_append(out, data, n);
    return out->failed ? 0 : n;
}

static CURL *client_take_handle(struct http_client *c)
{
    pthread_mutex_lock(&c->lock);
    CURL *h = c->n_idle ? c->idle[--c->n_idle] : NULL;
    pthread_mutex_unlock(&c->lock);
    return h ? h : curl_easy_init();
}

static void client_give_handle(struct http_client *c, CURL *h)
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

static struct curl_slist *client_make_headers(const struct http_client *c, const struct http_call *call)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* no 100-continue round trip */
    char line[600];
    const char *const fields[][2] = {{"Authorization", c->authorization},
                                     {"Content-Type", call->content_type},
                                     {"X-Request-Id", call->request_id},
                                     {"traceparent", call->traceparent},
                                     {"tracestate", call->tracestate}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!fields[i][1])
            continue;
        snprintf(line, sizeof line, "%s: %s", fields[i][0], fields[i][1]);
        struct curl_slist *longer = curl_slist_append(list, line);
        list = longer ? longer : list;
    }
    for (const char *const *header = call->headers; header && *header; header++) {
        struct curl_slist *longer = curl_slist_append(list, *header);
        list = longer ? longer : list;
    }
    return list;
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

static enum status transfer(struct http_client *c, CURL *h, const struct http_call *call, const char *url, int *status,
                            struct buf *out, struct error *err)
{
    char reason[CURL_ERROR_SIZE] = "", refused[INET6_ADDRSTRLEN] = "";
    struct curl_slist *headers = client_make_headers(c, call);
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, call->method);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_NOPROXY, "*"); /* peers are reached directly */
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)c->cfg.connect_timeout_ms);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, client_on_data);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, out);
    if (call->body) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, call->body);
    }
    if (c->cfg.public_only) {
        curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_public);
        curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, (void *)refused);
    }
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L); /* no body follows, whatever its length is said to be */
    CURLcode rc = curl_easy_perform(h);
    long code = 0;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_reset(h); /* forgets what is on our stack; the connection stays */
    curl_slist_free_all(headers);
    *status = (int)code;
    if (out->no_memory)
        return err_no_memory(err, "the answer of %s", url);
    if (out->failed)
        return err_set(err, ERR_TOO_LARGE, "%s: answer of more than %zu bytes", url, out->max);
    if (*refused && rc != CURLE_OK)
        return err_set(err, ERR_DENIED, "%s: %s is not an address of the public internet", url, refused);
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_TIMEOUT, "%s: no answer within %u ms", url, call->timeout_ms);
    if (rc != CURLE_OK || code < 100)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", url, reason[0] ? reason : curl_easy_strerror(rc));
    return OK;
}

enum status http_client_call(struct http_client *c, const struct http_call *call, int *status, struct buf *out,
                             struct error *err)
{
    bool trial;
    char url[4096];
    int n = snprintf(url, sizeof url, "%s%s", c->base_url, call->path);
    if (n < 0 || (size_t)n >= sizeof url)
        return err_set(err, ERR_INVALID, "URL of %d bytes: at most %zu are allowed", n, sizeof url - 1);
    pthread_mutex_lock(&c->lock);
    bool admitted = admit(c, &trial);
    pthread_mutex_unlock(&c->lock);
    if (!admitted)
        return err_set(err, ERR_UNAVAILABLE, "%s: circuit breaker is open", c->base_url);
    CURL *h = client_take_handle(c);
    enum status st = ERR_NO_MEMORY;
    if (h) {
        st = transfer(c, h, call, url, status, out, err);
        if (st == OK)
            client_give_handle(c, h);
        else
            curl_easy_cleanup(h); /* its connection is in an unknown state */
    } else {
        (void)err_set(err, st, "http client: out of memory");
    }
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
