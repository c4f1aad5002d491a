/* The HTTP client against a peer that is well, slow, silent, too talkative, broken or gone. */
#include "http_peer.h"

#include "base/os.h"
#include "http/client.h"

#include <stdatomic.h>

struct peer {
    struct http_server *server;
    atomic_int calls, status;
};

static void say(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct peer *p = ctx;
    atomic_fetch_add(&p->calls, 1);
    const char *type = http_header(req, "Content-Type");
    const char *trace = req->traceparent;
    char text[512];
    int len = snprintf(text, sizeof text, "%s|%s|%s|%s|%.*s", req->raw_query, type ? type : "", req->request_id,
                       trace ? trace : "", (int)req->body_len, req->body);
    http_body_copy(res, atomic_load(&p->status), "text/plain", text, (size_t)len);
}

static void be_slow(void *ctx, const struct http_request *req, struct http_response *res)
{
    usleep(600000);
    say(ctx, req, res);
}

static void be_long(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx, (void)req;
    static const char text[20000];
    http_body_static(res, 200, "text/plain", text, sizeof text);
}

static const struct http_route routes[] = {
    {HTTP_GET | HTTP_POST, "/say/", say, 0, 1000, "say"},
    {HTTP_GET, "/slow/", be_slow, 0, 0, "slow"},
    {HTTP_GET, "/long/", be_long, 0, 0, "long"},
};

static void peer_start(struct peer *p)
{
    p->server =
        peer_open((struct http_server_config){.routes = routes, .n_routes = sizeof routes / sizeof *routes, .ctx = p});
}

static struct http_client *client_open(uint16_t port, unsigned breaker_failures)
{
    struct error err;
    struct http_client *c;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", port);
    struct http_client_config cfg = {.base_url = url,
                                     .connect_timeout_ms = 500,
                                     .max_idle = 2,
                                     .breaker_failures = breaker_failures,
                                     .breaker_retry_ms = 200};
    if (http_client_open(&cfg, &c, &err) != OK)
        fail_msg("%s", err.message);
    return c;
}

static enum status get(struct http_client *c, const char *path, unsigned timeout_ms, int *status, struct buf *out,
                       struct error *err)
{
    buf_reset(out);
    return http_client_call(c, &(struct http_call){.method = "GET", .path = path, .timeout_ms = timeout_ms}, status,
                            out, err);
}

static void what_is_sent_arrives(void **state)
{
    (void)state;
    struct peer p = {.status = 200};
    peer_start(&p);
    struct http_client *c = client_open(http_server_port(p.server), 0);
    struct buf out;
    struct error err;
    int status;
    buf_init(&out, 1000);
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct http_call call = {.method = "POST",
                             .path = "/say/?q=1",
                             .content_type = "text/x",
                             .body = "bo\0dy",
                             .body_len = 5,
                             .request_id = "id-7",
                             .traceparent = trace,
                             .timeout_ms = 5000};
    assert_int_equal(http_client_call(c, &call, &status, &out, &err), OK);
    assert_int_equal(status, 200);
    char expected[128];
    int len = snprintf(expected, sizeof expected, "q=1|text/x|id-7|%s|", trace);
    assert_memory_equal(out.data, expected, (size_t)len);
    assert_memory_equal(out.data + len, "bo", 2);
    for (int code = 201; code < 504; code += 101) { /* any answer is an answer */
        atomic_store(&p.status, code);
        assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), OK);
        assert_int_equal(status, code);
    }
    call = (struct http_call){.method = "HEAD", .path = "/long/", .timeout_ms = 5000};
    buf_reset(&out);
    assert_int_equal(http_client_call(c, &call, &status, &out, &err), OK);
    assert_int_equal(out.len, 0);
    buf_free(&out);
    http_client_close(c);
    http_server_close(p.server, 1000);
}

static void bounds(void **state)
{
    (void)state;
    struct peer p = {.status = 200};
    peer_start(&p);
    struct http_client *c = client_open(http_server_port(p.server), 0);
    struct buf out;
    struct error err;
    int status;
    char path[5000];
    buf_init(&out, 1000);
    assert_int_equal(get(c, "/long/", 5000, &status, &out, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "1000 bytes"));
    int64_t began = os_monotonic_us();
    assert_int_equal(get(c, "/slow/", 100, &status, &out, &err), ERR_TIMEOUT);
    assert_non_null(strstr(err.message, "100 ms"));
    assert_true(os_monotonic_us() - began < 550000);
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(get(c, path, 100, &status, &out, &err), ERR_INVALID);
    assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), OK); /* none of it did harm */
    http_client_close(c);
    struct http_client_config wrong = {.base_url = "file:///etc/passwd"};
    assert_int_equal(http_client_open(&wrong, &c, &err), ERR_INVALID);
    buf_free(&out);
    http_server_close(p.server, 2000);
}

static void the_breaker(void **state)
{
    (void)state;
    struct peer p = {.status = 500};
    peer_start(&p);
    struct http_client *c = client_open(http_server_port(p.server), 3);
    struct buf out;
    struct error err;
    int status;
    buf_init(&out, 1000);
    for (int i = 0; i < 2; i++)
        assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), OK);
    atomic_store(&p.status, 200); /* a success forgets the failures before it */
    assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), OK);
    atomic_store(&p.status, 500);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_client_breaker(c), HTTP_BREAKER_CLOSED);
        assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), OK);
    }
    assert_int_equal(http_client_breaker(c), HTTP_BREAKER_OPEN);
    int calls = atomic_load(&p.calls);
    assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "circuit breaker is open"));
    assert_int_equal(atomic_load(&p.calls), calls); /* the peer was left in peace */
    usleep(250000);
    assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), OK); /* the trial, which fails */
    assert_int_equal(status, 500);
    assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), ERR_UNAVAILABLE);
    usleep(250000);
    atomic_store(&p.status, 404); /* the peer's word, not its failure */
    assert_int_equal(get(c, "/say/", 5000, &status, &out, &err), OK);
    assert_int_equal(http_client_breaker(c), HTTP_BREAKER_CLOSED);
    http_server_close(p.server, 1000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(c, "/say/", 1000, &status, &out, &err), ERR_UNAVAILABLE);
    assert_int_equal(http_client_breaker(c), HTTP_BREAKER_OPEN);
    buf_free(&out);
    http_client_close(c);
}

static void escapes(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    http_escape(&b, "a-Z.0_~ /%?\xc3\xa9\0", 14);
    assert_string_equal(buf_str(&b), "a-Z.0_~%20%2F%25%3F%C3%A9%00");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_sent_arrives), cmocka_unit_test(bounds),
                                       cmocka_unit_test(the_breaker), cmocka_unit_test(escapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
