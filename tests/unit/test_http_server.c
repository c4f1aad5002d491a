/* The HTTP server on raw sockets: what it routes, what it refuses and how, and how it ends. */
#include "http_peer.h"

#include "base/buf.h"
#include "base/os.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

struct gate {
    atomic_int inside;
    atomic_bool open;
};

static void echo(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    http_header_add(res, "X-Path", req->path_param ? req->path_param : "none");
    http_body_copy(res, 200, "application/octet-stream", req->body, req->body_len);
}

static void params(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    int64_t n = 0;
    const char *name;
    struct error err;
    enum status st = http_param(req, "name", &name, &err);
    if (st == OK || st == ERR_NOT_FOUND)
        st = http_param_int(req, "n", 1, 9, 5, &n, &err);
    if (st != OK) {
        http_problem_from(res, &err);
        return;
    }
    char text[128];
    int len = snprintf(text, sizeof text, "[%s] %d of %zu", name ? name : "", (int)n, req->n_params);
    http_body_copy(res, 200, "text/plain", text, (size_t)len);
}

/* Stays until the gate opens. */
static void wait_inside(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)req;
    struct gate *g = ctx;
    atomic_fetch_add(&g->inside, 1);
    for (int i = 0; i < 10000 && !atomic_load(&g->open); i++)
        usleep(1000);
    http_json(res, 200, "{\"waited\":true}", 15);
}

/* Tells the thread that it runs on; ?slow takes a while. */
static void tell_thread(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    char name[16];
    if (strcmp(req->raw_query, "slow") == 0)
        usleep(20000);
    pthread_getname_np(pthread_self(), name, sizeof name);
    http_body_copy(res, 200, "text/plain", name, strlen(name));
}

static ssize_t breaks_off(void *state, char *out, size_t cap)
{
    int *calls = state;
    if ((*calls)++ > 0)
        return -1;
    assert_true(cap >= 4);
    memcpy(out, "half", 4);
    return 4;
}

static void broken_stream(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    int *calls = arena_alloc(req->arena, sizeof *calls);
    assert_non_null(calls);
    *calls = 0;
    http_body_stream(res, 200, "text/plain", breaks_off, NULL, calls);
}

/* Lets nobody in but those who say the word. */
static bool admit(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    const char *word = http_header(req, "X-Word");
    assert_int_equal(req->body_len, 0);
    if (word && strcmp(word, "please") == 0)
        return true;
    http_problem(res, 403, "Say the word.");
    return false;
}

static const struct http_route routes[] = {
    {HTTP_POST | HTTP_PUT, "/echo/", echo, 0, 100, "echo"},
    {HTTP_GET | HTTP_POST, "/asks/", echo, HTTP_ADMITS, 1u << 20, "asks"},
    {HTTP_GET, "/things/{name}", echo, HTTP_INLINE, 0, "thing"},
    {HTTP_GET, "/owned/{name...}/", echo, HTTP_INLINE, 0, "owned"},
    {HTTP_POST, "/large/", echo, 0, 60u << 20, "large"},
    {HTTP_DELETE, "/things/", echo, HTTP_INLINE, 0, "things"},
    {HTTP_GET, "/params/", params, HTTP_INLINE, 0, "params"},
    {HTTP_GET, "/wait/", wait_inside, 0, 0, "wait"},
    {HTTP_GET, "/aside/", wait_inside, HTTP_ASIDE, 0, "aside"},
    {HTTP_GET, "/broken/", broken_stream, 0, 0, "broken"},
    {HTTP_GET, "/brief/", tell_thread, HTTP_BRIEF, 0, "brief"},
};

static struct http_server *open_with(struct gate *g, unsigned workers, size_t max_queue, unsigned timeout_s)
{
    return peer_open((struct http_server_config){.routes = routes,
                                                 .n_routes = sizeof routes / sizeof *routes,
                                                 .ctx = g,
                                                 .admit = admit,
                                                 .http.workers = workers,
                                                 .http.max_queue = max_queue,
                                                 .http.timeout_s = timeout_s});
}

static int setup(void **state)
{
    *state = open_with(NULL, 2, 8, 10);
    return 0;
}

static int teardown(void **state)
{
    http_server_close(*state, 1000);
    return 0;
}

struct exchange {
    const char *request;
    const char *status;   /* the answer begins with "HTTP/1.1 " and this */
    const char *holds[3]; /* and holds these */
    size_t len;           /* of the request, when it holds NUL */
};
#define BYTES(s)  .request = s, .len = sizeof(s) - 1
#define TEN(x)    x x x x x x x x x x
#define LONG_NAME TEN(TEN("abc")) /* longer than any in the DNS */
#define HOST      "Host: x\r\n"
#define LAST      "Host: x\r\nConnection: close\r\n"

static void check(struct http_server *s, const struct exchange *e)
{
    char answer[8192], first[32];
    int fd = peer_connect(s);
    peer_send(fd, e->request, e->len ? e->len : strlen(e->request));
    bool ended = peer_read(fd, answer, sizeof answer, 5000);
    close(fd);
    snprintf(first, sizeof first, "HTTP/1.1 %s", e->status);
    if (!ended || strncmp(answer, first, strlen(first)) != 0)
        fail_msg("%.300s\nwas answered%s, not %s:\n%s", e->request, ended ? "" : " and kept open", e->status, answer);
    for (size_t i = 0; i < 3 && e->holds[i]; i++)
        if (!strstr(answer, e->holds[i]))
            fail_msg("%.300s\nanswer lacks \"%s\":\n%s", e->request, e->holds[i], answer);
}

/* A head that is not let in is answered although its body never comes; one that is, is read and answered as ever. */
static void asked_before_the_body(void **state)
{
    static const struct exchange table[] = {
        {"POST /asks HTTP/1.1\r\n" HOST "Content-Length: 900000\r\n\r\n", "403", {"Say the word."}, 0},
        {"POST /asks HTTP/1.1\r\n" HOST "Content-Length: 900000\r\nExpect: 100-continue\r\n\r\n", "403", {NULL}, 0},
        {"POST /asks HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nhe", "403", {NULL}, 0},
        {"POST /asks HTTP/1.1\r\n" HOST "X-Word: please\r\nContent-Length: 1048577\r\n\r\n", "413", {NULL}, 0},
        {"GET /asks HTTP/1.1\r\n" LAST "\r\n", "403", {NULL}, 0},
        {"GET /asks HTTP/1.1\r\n" LAST "X-Word: please\r\n\r\n", "200", {"Content-Length: 0"}, 0},
        {"POST /asks HTTP/1.1\r\n" LAST "X-Word: please\r\nContent-Length: 5\r\n\r\nhello",
         "200",
         {"\r\n\r\nhello"},
         0},
        {"POST /asks HTTP/1.1\r\n" LAST "X-Word: please\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
         "100",
         {"200 OK", "\r\n\r\nhello"},
         0},
        {"POST /asks HTTP/1.1\r\n" LAST
         "X-Word: please\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
         "200",
         {"\r\n\r\nhello"},
         0},
        {"POST /asks HTTP/1.1\r\n" HOST "X-Word: please\r\nContent-Length: 2\r\n\r\nhePOST /asks HTTP/1.1\r\n" HOST
         "Content-Length: 2\r\n\r\n",
         "200",
         {"\r\n\r\nheHTTP/1.1 403"},
         0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check(*state, &table[i]);
}

static void served(void **state)
{
    static const struct exchange table[] = {
        {"GET /things/a%20b HTTP/1.1\r\n" LAST "\r\n", "200", {"X-Path: a b"}, 0},
        {"GET /things/a/ HTTP/1.1\r\n" LAST "\r\n", "200", {"X-Path: a\r\n"}, 0},
        {"HEAD /things/a HTTP/1.1\r\n" LAST "\r\n", "200", {"X-Path: a\r\n", "Content-Length: 0"}, 0},
        {"GET /owned/a/b/c HTTP/1.1\r\n" LAST "\r\n", "200", {"X-Path: a/b/c\r\n"}, 0},
        {"GET /owned/a%2Fb/ HTTP/1.1\r\n" LAST "\r\n", "200", {"X-Path: a/b\r\n"}, 0},
        {"GET http://other/things/a HTTP/1.1\r\n" LAST "\r\n", "200", {"X-Path: a\r\n"}, 0},
        {"GET /things/a HTTP/1.0\r\n\r\n", "200", {"X-Path: a\r\n"}, 0},
        {"POST /echo HTTP/1.1\r\n" LAST "Content-Length: 5\r\n\r\nhello", "200", {"\r\n\r\nhello"}, 0},
        {"POST /echo HTTP/1.1\r\n" LAST "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
         "200",
         {"\r\n\r\nhello"},
         0},
        {"PUT /echo/ HTTP/1.1\r\n" LAST "Content-Length: 0\r\n\r\n", "200", {"Content-Length: 0"}, 0},
        {"GET /params/?name=%C3%A9+%26&n=3 HTTP/1.1\r\n" LAST "\r\n", "200", {"[\xc3\xa9 &] 3 of 2"}, 0},
        {"GET /params?&&n=&x HTTP/1.1\r\n" LAST "\r\n", "400", {"n must be a whole number from 1 to 9"}, 0},
        {"GET /params HTTP/1.1\r\n" LAST "X-Request-Id: mine-1\r\n\r\n", "200", {"X-Request-Id: mine-1\r\n"}, 0},
        {"GET /params HTTP/1.1\r\n" LAST "X-Request-Id: no good\r\n\r\n", "200", {"X-Request-Id: "}, 0},
        {"GET /params HTTP/1.1\r\n" HOST "\r\nGET /things/next HTTP/1.1\r\n" LAST "\r\n", /* pipelined */
         "200",
         {"[] 5 of 0", "X-Path: next"},
         0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check(*state, &table[i]);
}

static void refused(void **state)
{
    static const char problem[] = "application/problem+json";
    static const struct exchange table[] = {
        {"GET /nothing HTTP/1.1\r\n" LAST "\r\n", "404", {problem, "Nothing is at /nothing."}, 0},
        {"GET /things/ HTTP/1.1\r\n" LAST "\r\n", "405", {problem, "Allow: DELETE\r\n"}, 0},
        {"DELETE /things/a HTTP/1.1\r\n" LAST "\r\n", "405", {problem, "Allow: GET, HEAD\r\n"}, 0},
        {"BREW /things/a HTTP/1.1\r\n" LAST "\r\n", "405", {"Method BREW is not allowed"}, 0},
        {"GET /things/.. HTTP/1.1\r\n" LAST "\r\n", "400", {problem}, 0},
        {"GET /things/%2e%2e HTTP/1.1\r\n" LAST "\r\n", "400", {problem}, 0},
        {"GET /things/a%2Fb HTTP/1.1\r\n" LAST "\r\n", "400", {problem, "an encoded slash is not allowed"}, 0},
        {"GET /nothing%2F HTTP/1.1\r\n" LAST "\r\n", "400", {problem, "an encoded slash is not allowed"}, 0},
        {"POST /owned/a%2Fb HTTP/1.1\r\n" LAST "\r\n", "400", {problem, "an encoded slash is not allowed"}, 0},
        {"GET /things/a/b HTTP/1.1\r\n" LAST "\r\n", "404", {problem}, 0},
        {"GET /owned/ HTTP/1.1\r\n" LAST "\r\n", "404", {problem}, 0},
        {"GET /owned/a%2F..%2Fb HTTP/1.1\r\n" LAST "\r\n", "400", {problem, "\\\"..\\\" is not allowed"}, 0},
        {"GET /owned/a%2F. HTTP/1.1\r\n" LAST "\r\n", "400", {problem, "is not allowed"}, 0},
        {"GET /things/%00 HTTP/1.1\r\n" LAST "\r\n", "400", {problem}, 0},
        {"GET /things/%ff HTTP/1.1\r\n" LAST "\r\n", "400", {problem}, 0},
        {"GET /things/%zz HTTP/1.1\r\n" LAST "\r\n", "400", {problem}, 0},
        {"GET /params?name=%ff HTTP/1.1\r\n" LAST "\r\n", "400", {"name"}, 0},
        {"GET /params?name=%00 HTTP/1.1\r\n" LAST "\r\n", "400", {"name"}, 0},
        {"GET /params?name=%4 HTTP/1.1\r\n" LAST "\r\n", "400", {"name: broken percent escape"}, 0},
        {"GET /params?name=1&name=2 HTTP/1.1\r\n" LAST "\r\n", "400", {"name"}, 0},
        {"GET /params?n=10 HTTP/1.1\r\n" LAST "\r\n", "400", {"n must be a whole number from 1 to 9"}, 0},
        {"GET /params?n=1e0 HTTP/1.1\r\n" LAST "\r\n", "400", {"n must be a whole number from 1 to 9"}, 0},
        {"GET /params?n=99999999999999999999 HTTP/1.1\r\n" LAST "\r\n", "400", {"n must be"}, 0},
        /* heads that a proxy may read otherwise than we do: refused, and the connection ends without being asked to */
        {"GET /params HTTP/1.1\r\n\r\n", "400", {"Host"}, 0},
        {"GET /params HTTP/1.1\r\n" HOST HOST "\r\n", "400", {"Host"}, 0},
        {"GET /params HTTP/1.1\r\n" HOST "Bad\x01: x\r\n\r\n", "400", {problem, "is not a name"}, 0},
        {"GET /params HTTP/1.1\r\n" HOST "A: \x01\r\n\r\n", "400", {problem, "control characters"}, 0},
        {.status = "400",
         .holds = {problem, "header A", "NUL"},
         BYTES("GET /params HTTP/1.1\r\n" HOST "A: b\0c\r\nD: e\r\n\r\n")},
        {.status = "400",
         .holds = {problem, "header D", "NUL"},
         BYTES("GET /params HTTP/1.1\r\n" HOST "A: b\0\0c\r\nD: e\r\n\r\n")},
        {.status = "400", .holds = {problem, "NUL"}, BYTES("GET /params HTTP/1.1\r\n" HOST "A: b\0\r\nD: e\r\n\r\n")},
        {.status = "400",
         .holds = {problem, "header A", "NUL"},
         BYTES("GET /params HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n")},
        {.status = "400", .holds = {problem, "NUL"}, BYTES("GET /params HTTP/1.1\r\n" HOST "A: b\0\0c\r\n\r\n")},
        {"GET /params HTTP/1.1\r\n" HOST "A: b\nC: d\r\n\r\n", "400", {problem, "header A", "CRLF"}, 0},
        {"GET /params HTTP/1.1\r\nHo: x\r\n st\r\n\r\n", "400", {problem, "one line"}, 0},
        {"GET /params HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", "400", {problem, "one line"}, 0},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Enc: chunked\r\n oding\r\n\r\n0\r\n\r\n", "400", {problem}, 0},
        {"GET /params HTTP/1.1\r\n" LAST "A:\r\nB: \t b \r\nC:c\r\n\r\n", "200", {NULL}, 0},
        {"POST /echo HTTP/1.1\r\n" LAST "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
         "415",
         {problem, "gzip", "Accept-Encoding: identity"},
         0},
        {"POST /echo HTTP/1.1\r\n" LAST "Content-Encoding: identity, br\r\nContent-Length: 2\r\n\r\nhi",
         "415",
         {problem, "br"},
         0},
        {"POST /echo HTTP/1.1\r\n" LAST "Content-Encoding: Identity\r\nContent-Length: 2\r\n\r\nhi", "200", {NULL}, 0},
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
         "400",
         {"Content-Length must be given once"},
         0},
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400",
         {"Transfer-Encoding: not allowed with Content-Length"},
         0},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n", "501", {"only chunked"}, 0},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
         "501",
         {"only chunked"},
         0},
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n", "400", {NULL}, 0},
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n\r\n", "400", {NULL}, 0},
        {"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n", "413", {"101 bytes, at most 100"}, 0},
        {"POST /echo HTTP/1.1\r\n" LAST "Content-Length: 99999999999999999999\r\n\r\n", "413", {NULL}, 0},
        {"GET /params HTTP/1.1\r\n" LAST "Content-Length: 1\r\n\r\nx", "413", {"at most 0 are allowed"}, 0},
        {"POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400", {NULL}, 0},
        {BYTES("GET /pa\0rams HTTP/1.1\r\n" LAST "\r\n"), .status = "40"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check(*state, &table[i]);
}

static void too_many_of_something(void **state)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, "GET /params?");
    for (int i = 0; i < 65; i++)
        buf_puts(&b, "a&");
    buf_puts(&b, " HTTP/1.1\r\n" LAST "\r\n");
    check(*state, &(struct exchange){buf_str(&b), "400", {"query string"}, 0});
    buf_reset(&b);
    buf_puts(&b, "GET /params?");
    for (int i = 0; i < 7000; i++)
        buf_puts(&b, "a&"); /* more records than MHD has memory for, were it to make them */
    buf_puts(&b, " HTTP/1.1\r\n" LAST "\r\n");
    check(*state, &(struct exchange){buf_str(&b), "400", {"query string"}, 0});
    buf_reset(&b);
    buf_puts(&b, "GET /params HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 4000; i++)
        buf_puts(&b, "Field: value\r\n");
    buf_puts(&b, "\r\n");
    check(*state, &(struct exchange){buf_str(&b), "431", {NULL}, 0});
    buf_reset(&b);
    buf_puts(&b, "POST /echo HTTP/1.1\r\n" LAST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; i++)
        buf_puts(&b, "a\r\n0123456789\r\n");
    buf_puts(&b, "0\r\n\r\n");
    check(*state, &(struct exchange){buf_str(&b), "413", {"at most 100 bytes are allowed"}, 0});
    buf_free(&b);
}

/* What a page of another site makes a browser send, and what its own name resolved to this machine. */
static void pages_of_others_change_nothing(void **state)
{
    static const struct exchange exchanges[] = {
        {.request = "POST /echo HTTP/1.1\r\n" LAST "Sec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n\r\n",
         .status = "403",
         .holds = {"page of another site"}},
        {.request = "POST /echo HTTP/1.1\r\n" LAST "Sec-Fetch-Site: same-site\r\nContent-Length: 0\r\n\r\n",
         .status = "403"},
        {.request = "POST /echo HTTP/1.1\r\n" LAST "Origin: https://x.example\r\nContent-Length: 0\r\n\r\n",
         .status = "403"},
        {.request = "POST /echo HTTP/1.1\r\n" LAST "Origin: null\r\nContent-Length: 0\r\n\r\n", .status = "403"},
        {.request = "DELETE /things HTTP/1.1\r\n" LAST "Origin: https://x.example\r\n\r\n", .status = "403"},
        {.request = "POST /echo HTTP/1.1\r\n" LAST "Origin: http://x\r\nContent-Length: 0\r\n\r\n", .status = "200"},
        {.request = "POST /echo HTTP/1.1\r\n" LAST "Sec-Fetch-Site: none\r\nContent-Length: 0\r\n\r\n",
         .status = "200"},
        {.request = "GET /params HTTP/1.1\r\n" LAST "Sec-Fetch-Site: cross-site\r\n\r\n", .status = "200"},
        {.request = "GET /params HTTP/1.1\r\nHost: rebind.example\r\nConnection: close\r\n\r\n",
         .status = "421",
         .holds = {"\\\"rebind.example\\\" is no name of this service"}},
        {.request = "GET /params HTTP/1.1\r\nHost: 192.0.2.1.example:80\r\nConnection: close\r\n\r\n", .status = "421"},
        {.request = "GET /params HTTP/1.1\r\nHost: " LONG_NAME "\r\nConnection: close\r\n\r\n", .status = "421"},
        {.request = "GET /params HTTP/1.1\r\nHost: 192.0.2.1:80\r\nConnection: close\r\n\r\n", .status = "200"},
        {.request = "GET /params HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", .status = "200"},
        {.request = "GET /params HTTP/1.1\r\nHost: a.LOCALHOST.:80\r\nConnection: close\r\n\r\n", .status = "200"},
    };
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++)
        check(*state, &exchanges[i]);
}

static void changes_need_the_token(void **state)
{
    (void)state;
    static const struct exchange exchanges[] = {
        {.request = "GET /params HTTP/1.1\r\n" LAST "\r\n", .status = "200"},
        {.request = "DELETE /things HTTP/1.1\r\n" LAST "\r\n",
         .status = "401",
         .holds = {"WWW-Authenticate: Bearer", "needs a token"}},
        {.request = "DELETE /things HTTP/1.1\r\n" LAST "Authorization: Bearer sesam2\r\n\r\n",
         .status = "401",
         .holds = {"wrong"}},
        {.request = "DELETE /things HTTP/1.1\r\n" LAST "Authorization: sesame\r\n\r\n", .status = "401"},
        {.request = "DELETE /things HTTP/1.1\r\n" LAST "Authorization: Bearer sesame\r\n\r\n", .status = "200"},
        {.request = "DELETE /things HTTP/1.1\r\nHost: stickers.example:8000\r\nConnection: close\r\n"
                    "Authorization: bearer sesame\r\n\r\n",
         .status = "200"},
    };
    struct http_server *s = peer_open((struct http_server_config){.routes = routes,
                                                                  .n_routes = sizeof routes / sizeof *routes,
                                                                  .http.hosts = "a.example, Stickers.example",
                                                                  .http.token = "sesame"});
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++)
        check(s, &exchanges[i]);
    http_server_close(s, 1000);
}

/* True when the server still answers on the connection. */
static bool answers(int fd)
{
    static const char request[] = "GET /things/a HTTP/1.1\r\n" HOST "\r\n";
    char answer[1024];
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1))
        return false;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 5000) > 0 && recv(fd, answer, sizeof answer, 0) > 0;
}

static size_t ended_for(struct http_server *s, const char *reason)
{
    struct buf metrics;
    char wanted[128];
    buf_init(&metrics, 1u << 20);
    http_server_metrics(s, &metrics);
    snprintf(wanted, sizeof wanted, "test_http_connections_ended_total{reason=\"%s\"} ", reason);
    const char *at = strstr(buf_str(&metrics), wanted);
    assert_non_null(at);
    size_t n = strtoul(at + strlen(wanted), NULL, 10);
    buf_free(&metrics);
    return n;
}

/* 32 connections at most: those that do nothing make room, the longest idle one first. */
static void idle_connections_make_room(void **state)
{
    struct http_server *s = *state;
    int fd[80];
    for (size_t i = 0; i < 80; i++) {
        fd[i] = peer_connect(s);
        if (i % 8 == 7)
            assert_true(answers(fd[i])); /* so that they were accepted in this order */
    }
    assert_true(answers(fd[79]));
    assert_false(answers(fd[0]));
    assert_true(ended_for(s, "idle") >= 40);
    assert_int_equal(ended_for(s, "full"), 0);
    for (size_t i = 0; i < 80; i++)
        close(fd[i]);
}

static void one_client_has_only_so_many(void **state)
{
    (void)state;
    struct http_server *s = peer_open((struct http_server_config){
        .routes = routes, .n_routes = sizeof routes / sizeof *routes, .http.client_connections = 5});
    int fd[8];
    size_t n = 0;
    for (size_t i = 0; i < 8; i++) {
        fd[i] = peer_connect(s);
        n += answers(fd[i]);
    }
    assert_int_equal(n, 5);
    assert_int_equal(ended_for(s, "client_has_enough"), 3);
    close(fd[0]);
    usleep(200000);
    int again = peer_connect(s);
    assert_true(answers(again));
    close(again);
    for (size_t i = 1; i < 8; i++)
        close(fd[i]);
    http_server_close(s, 1000);
    s = peer_open((struct http_server_config){.routes = routes,
                                              .n_routes = sizeof routes / sizeof *routes,
                                              .http.client_connections = 5,
                                              .http.trusted_proxies = "127.0.0.0/8"});
    for (size_t i = 0; i < 8; i++) {
        fd[i] = peer_connect(s);
        assert_true(answers(fd[i])); /* a proxy speaks for many */
    }
    for (size_t i = 0; i < 8; i++)
        close(fd[i]);
    http_server_close(s, 1000);
}

static void large(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx, (void)req;
    static char data[16u << 20];
    http_body_static(res, 200, "text/plain", data, sizeof data);
}

/* A client that takes a little now and then is cut, one that takes its time but takes enough is not. */
static void slow_readers_are_cut(void **state)
{
    (void)state;
    static const struct http_route large_routes[] = {{HTTP_GET, "/large/", large, 0, 0, "large"}};
    static const char request[] = "GET /large HTTP/1.1\r\n" HOST "\r\n";
    struct http_server *s =
        peer_open((struct http_server_config){.routes = large_routes, .n_routes = 1, .http.timeout_s = 4});
    int slow = peer_connect(s), steady = peer_connect(s), small = 1;
    char piece[4096];
    setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    peer_send(slow, request, sizeof request - 1);
    peer_send(steady, request, sizeof request - 1);
    for (int i = 0; i < 150 && ended_for(s, "slow_reader") == 0; i++) {
        (void)!recv(slow, piece, 90, MSG_DONTWAIT);
        for (int k = 0; k < 16; k++)
            (void)!recv(steady, piece, sizeof piece, MSG_DONTWAIT);
        usleep(100000);
    }
    assert_int_equal(ended_for(s, "slow_reader"), 1);
    ssize_t n = recv(steady, piece, sizeof piece, MSG_DONTWAIT);
    assert_true(n > 0 || (n < 0 && errno == EAGAIN));
    close(slow);
    close(steady);
    http_server_close(s, 1000);
}

static void broken_streams_are_cut(void **state)
{
    char answer[4096];
    int fd = peer_connect(*state);
    static const char request[] = "GET /broken HTTP/1.1\r\n" HOST "\r\n";
    peer_send(fd, request, sizeof request - 1);
    assert_true(peer_read(fd, answer, sizeof answer, 5000));
    assert_non_null(strstr(answer, "half"));
    assert_null(strstr(answer, "\r\n0\r\n\r\n")); /* so that nobody takes it for whole */
    close(fd);
}

/* A head and a body that come byte by byte, each in time, but for too long as a whole. */
static void drips_are_cut(void **state)
{
    (void)state;
    static const char *const starts[] = {"GET /params HTTP/1.1\r\nX: ",
                                         "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 90\r\n\r\n"};
    struct http_server *s = open_with(NULL, 1, 8, 1);
    int fd[2];
    bool cut[2] = {false};
    for (int i = 0; i < 2; i++) {
        fd[i] = peer_connect(s);
        peer_send(fd[i], starts[i], strlen(starts[i]));
    }
    int64_t began = os_monotonic_us();
    while (!(cut[0] && cut[1]) && os_monotonic_us() - began < 30000000) {
        usleep(250000);
        for (int i = 0; i < 2; i++) {
            struct pollfd p = {.fd = fd[i], .events = POLLIN};
            char rest[512];
            if (!cut[i] && (send(fd[i], "x", 1, MSG_NOSIGNAL) != 1 ||
                            (poll(&p, 1, 0) > 0 && recv(fd[i], rest, sizeof rest, 0) <= 0)))
                cut[i] = true;
        }
    }
    assert_true(cut[0] && cut[1]);
    for (int i = 0; i < 2; i++)
        close(fd[i]);
    http_server_close(s, 1000);
}

static void wait_for(atomic_int *n, int least)
{
    for (int i = 0; i < 10000 && atomic_load(n) < least; i++)
        usleep(1000);
    assert_true(atomic_load(n) >= least);
}

static const char waits[] = "GET /wait HTTP/1.1\r\n" HOST "\r\n";

/* One worker, one place in the queue: the third is told to come again, and the metrics count it. */
static void a_full_queue_is_said(void **state)
{
    (void)state;
    struct gate g = {0};
    struct http_server *s = open_with(&g, 1, 1, 10);
    char answer[4096];
    int fd[8];
    for (int i = 0; i < 8; i++) {
        fd[i] = peer_connect(s);
        peer_send(fd[i], waits, sizeof waits - 1);
        if (i == 0)
            wait_for(&g.inside, 1);
    }
    int refusals = 0;
    for (int i = 1; i < 8; i++) {
        peer_read(fd[i], answer, sizeof answer, 300);
        if (answer[0]) {
            assert_non_null(strstr(answer, "HTTP/1.1 503"));
            assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
            refusals++;
        }
    }
    assert_int_equal(refusals, 6);
    struct buf metrics;
    buf_init(&metrics, 1 << 20);
    http_server_metrics(s, &metrics);
    assert_non_null(strstr(buf_str(&metrics), "test_http_rejected_total 6"));
    assert_non_null(strstr(buf_str(&metrics), "test_http_requests_in_flight 2"));
    buf_free(&metrics);
    atomic_store(&g.open, true);
    for (int i = 0; i < 8; i++)
        close(fd[i]);
    http_server_close(s, 1000);
}

/* All workers for what may hang do so, and their queue is full: other requests do not notice. */
static void what_hangs_keeps_its_own_workers(void **state)
{
    (void)state;
    struct gate g = {0};
    struct http_server *s = open_with(&g, 1, 1, 10);
    int fd[4];
    char answer[4096];
    for (int i = 0; i < 4; i++) {
        static const char aside[] = "GET /aside HTTP/1.1\r\n" HOST "\r\n";
        fd[i] = peer_connect(s);
        peer_send(fd[i], aside, sizeof aside - 1);
        if (i == 0)
            wait_for(&g.inside, 1);
    }
    check(s, &(struct exchange){"POST /echo HTTP/1.1\r\n" LAST "Content-Length: 2\r\n\r\nhi", "200", {"hi"}, 0});
    peer_read(fd[3], answer, sizeof answer, 300);
    assert_non_null(strstr(answer, "HTTP/1.1 503"));
    atomic_store(&g.open, true);
    for (int i = 0; i < 4; i++)
        close(fd[i]);
    http_server_close(s, 1000);
}

static bool runs_on_a_worker(struct http_server *s, const char *request)
{
    char answer[4096];
    int fd = peer_connect(s);
    peer_send(fd, request, strlen(request));
    assert_true(peer_read(fd, answer, sizeof answer, 5000));
    close(fd);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    return strstr(answer, "http-worker") != NULL;
}

/* Brief ones run where they arrive, unless another request is under way, or they were not brief lately. */
static void brief_ones_are_not_handed_over(void **state)
{
    (void)state;
    struct gate g = {0};
    struct http_server *s = open_with(&g, 2, 8, 10);
    const char *brief = "GET /brief HTTP/1.1\r\n" LAST "\r\n", *slow = "GET /brief?slow HTTP/1.1\r\n" LAST "\r\n";
    int on_workers = 0;
    for (int i = 0; i < 20; i++)
        on_workers += runs_on_a_worker(s, brief);
    assert_true(on_workers < 20);
    (void)runs_on_a_worker(s, slow);
    assert_true(runs_on_a_worker(s, brief));
    on_workers = 0;
    for (int i = 0; i < 40; i++)
        on_workers += runs_on_a_worker(s, brief);
    assert_true(on_workers < 40); /* they are brief again */
    int fd = peer_connect(s);
    peer_send(fd, waits, sizeof waits - 1);
    wait_for(&g.inside, 1);
    assert_true(runs_on_a_worker(s, brief));
    atomic_store(&g.open, true);
    close(fd);
    http_server_close(s, 1000);
}

/* Sends the head of a request with a large body; what comes back is that it may go on, or a refusal. */
static int ask_for_memory(struct http_server *s, const char *length, char *answer, size_t cap)
{
    char head[160];
    int fd = peer_connect(s);
    snprintf(head, sizeof head, "POST /large HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n%s\r\n\r\n", length);
    peer_send(fd, head, strlen(head));
    for (int i = 0; i < 100; i++) {
        peer_read(fd, answer, cap, 100);
        if (*answer)
            break;
    }
    return fd;
}

/* Bodies of 60 MiB, of which no byte is sent: the third has to wait until one of the others is gone. */
static void large_bodies_share_their_memory(void **state)
{
    (void)state;
    static const char *const lengths[] = {"Content-Length: 62914560", "Transfer-Encoding: chunked"};
    struct http_server *s = open_with(NULL, 2, 8, 10);
    char answer[4096];
    int fd[2], more;
    for (size_t i = 0; i < 2; i++) {
        fd[i] = ask_for_memory(s, lengths[i], answer, sizeof answer);
        assert_non_null(strstr(answer, "HTTP/1.1 100"));
    }
    for (size_t i = 0; i < 2; i++) {
        more = ask_for_memory(s, lengths[i], answer, sizeof answer);
        assert_non_null(strstr(answer, "HTTP/1.1 503"));
        assert_non_null(strstr(answer, "Retry-After: 1\r\n"));
        close(more);
    }
    more = ask_for_memory(s, "Content-Length: 60000", answer, sizeof answer); /* small ones always may */
    assert_non_null(strstr(answer, "HTTP/1.1 100"));
    close(more);
    close(fd[0]);
    for (int i = 0; i < 100; i++) {
        more = ask_for_memory(s, lengths[0], answer, sizeof answer);
        close(more);
        if (strstr(answer, "HTTP/1.1 100"))
            break;
        usleep(50000);
    }
    assert_non_null(strstr(answer, "HTTP/1.1 100"));
    close(fd[1]);
    http_server_close(s, 1000);
}

static void *close_patiently(void *s)
{
    http_server_close(s, 10000);
    return NULL;
}

/* What was accepted before the end is answered, and the answer says that it is the last. */
static void closing_lets_requests_finish(void **state)
{
    (void)state;
    struct gate g = {0};
    struct http_server *s = open_with(&g, 1, 4, 10);
    char answer[4096];
    int fd[2];
    for (int i = 0; i < 2; i++) {
        fd[i] = peer_connect(s);
        peer_send(fd[i], waits, sizeof waits - 1);
    }
    wait_for(&g.inside, 1);
    usleep(50000);
    pthread_t closer;
    assert_int_equal(pthread_create(&closer, NULL, close_patiently, s), 0);
    usleep(50000);
    atomic_store(&g.open, true);
    for (int i = 0; i < 2; i++) {
        assert_true(peer_read(fd[i], answer, sizeof answer, 10000));
        assert_non_null(strstr(answer, "HTTP/1.1 200"));
        assert_non_null(strstr(answer, "Connection: close\r\n"));
        assert_non_null(strstr(answer, "{\"waited\":true}"));
        close(fd[i]);
    }
    pthread_join(closer, NULL);
}

static const char asks[] = "GET /params HTTP/1.1\r\n" HOST "\r\n";

/* While it drains, newcomers and old connections are answered, each for the last time; then those that are idle end at
 * once, also one that was never used, and the port is closed. */
static void draining_serves_on(void **state)
{
    (void)state;
    struct gate g = {0};
    struct http_server *s = open_with(&g, 1, 4, 10);
    char answer[4096];
    int old = peer_connect(s), idle = peer_connect(s), used = peer_connect(s);
    peer_send(used, asks, sizeof asks - 1);
    peer_read(used, answer, sizeof answer, 300);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_null(strstr(answer, "Connection: close"));
    assert_false(http_server_draining(s));
    http_server_drain(s);
    assert_true(http_server_draining(s));
    int fresh = peer_connect(s), both[2] = {old, fresh};
    for (int i = 0; i < 2; i++) {
        peer_send(both[i], asks, sizeof asks - 1);
        assert_true(peer_read(both[i], answer, sizeof answer, 10000));
        assert_non_null(strstr(answer, "HTTP/1.1 200"));
        assert_non_null(strstr(answer, "Connection: close\r\n"));
    }
    pthread_t closer;
    int64_t began = os_monotonic_us();
    assert_int_equal(pthread_create(&closer, NULL, close_patiently, s), 0);
    assert_true(peer_read(idle, answer, sizeof answer, 10000));
    assert_true(peer_read(used, answer, sizeof answer, 10000));
    pthread_join(closer, NULL);
    assert_true(os_monotonic_us() - began < 5000000);
    close(old), close(idle), close(used), close(fresh);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {T(asked_before_the_body),
                                       T(served),
                                       T(refused),
                                       T(too_many_of_something),
                                       T(pages_of_others_change_nothing),
                                       T(changes_need_the_token),
                                       T(idle_connections_make_room),
                                       T(one_client_has_only_so_many),
                                       T(slow_readers_are_cut),
                                       T(broken_streams_are_cut),
                                       cmocka_unit_test(drips_are_cut),
                                       cmocka_unit_test(a_full_queue_is_said),
                                       cmocka_unit_test(what_hangs_keeps_its_own_workers),
                                       cmocka_unit_test(brief_ones_are_not_handed_over),
                                       cmocka_unit_test(large_bodies_share_their_memory),
                                       cmocka_unit_test(closing_lets_requests_finish),
                                       cmocka_unit_test(draining_serves_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
