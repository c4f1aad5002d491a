/* client.h: an HTTP client for one peer, on libcurl: pooled keep-alive connections, deadlines and a
 * circuit breaker (opens after `breaker_failures` failures in a row; one trial after
 * `breaker_retry_ms`; a success closes it). Thread-safe. Failure = transport error or status >= 500. */
#ifndef PEEL_HTTP_CLIENT_H
#define PEEL_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>

struct http_client;
struct http_client_config {
    const char *base_url; /* "http://127.0.0.1:8118", copied */
    const char *token;    /* sent as "Authorization: Bearer"; copied; NULL: none */
    unsigned connect_timeout_ms;
    unsigned max_idle;         /* pooled handles kept */
    unsigned breaker_failures; /* 0 = no breaker */
    unsigned breaker_retry_ms;
    bool public_only; /* connects to addresses of the public internet alone (client_address.h): ERR_DENIED */
};
enum http_breaker { HTTP_BREAKER_CLOSED, HTTP_BREAKER_OPEN, HTTP_BREAKER_TRIAL };

enum status http_client_open(const struct http_client_config *cfg, struct http_client **out,
                             struct error *err) MUST_CHECK;
void http_client_close(struct http_client *c);
enum http_breaker http_client_breaker(struct http_client *c);

struct http_call {
    const char *method;       /* "GET", ... */
    const char *path;         /* with query string, already escaped */
    const char *content_type; /* NULL without a body */
    const void *body;
    size_t body_len;
    const char *request_id;       /* sent as X-Request-Id; NULL for none */
    const char *traceparent;      /* passed on; NULL for none */
    const char *tracestate;       /* likewise */
    unsigned timeout_ms;          /* total deadline */
    const char *const *headers;   /* more of them, "Name: value", ended by NULL; NULL for none */
    void (*meanwhile)(void *arg); /* called when the request is sent, before its answer is waited for; NULL for none */
    void *arg;
};
/* Any HTTP answer is OK with *status set and the body in out (bounded by out->max: ERR_TOO_LARGE, with *status set
 * too). Redirects are not followed. ERR_UNAVAILABLE: refused, cut off, or the breaker is open; ERR_TIMEOUT: past the
 * deadline. */
enum status http_client_call(struct http_client *c, const struct http_call *call, int *status, struct buf *out,
                             struct error *err) MUST_CHECK;

/* Appends s percent-encoded for use inside a path segment or a query value. */
void http_escape(struct buf *out, const char *s, size_t len);

#endif
