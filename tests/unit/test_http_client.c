/* The HTTP client against a peer that is well, slow, silent, too talkative, broken or gone. */
#include "http_peer.h"

#include "base/os.h"
#include "http/client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define SLOW_US 2000000

struct peer {
    struct http_server *server;
    atomic_int calls, status;
};

static void say(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct peer *p = ctx;
    atomic_fetch_add(&p->calls, 1);
    const char *type = http_header(req, "Content-Type");
    const char *trace = http_header(req, "traceparent");
    char text[512];
    int len = snprintf(text, sizeof text, "%s|%s|%s|%s|%.*s", req->raw_query, type ? type : "", req->request_id,
                       trace ? trace : "", (int)req->body_len, req->body);
    http_body_copy(res, atomic_load(&p->status), "text/plain", text, (size_t)len);
}

static void be_slow(void *ctx, const struct http_request *req, struct http_response *res)
{
    usleep(SLOW_US);
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

/* A peer, a client for it with a breaker that opens after three failures, and what its last call gave. */
struct trial {
    struct peer peer;
    struct http_client *client;
    struct buf out;
    struct error err;
    int status;
};

static int trial_open(void **state)
{
    struct trial *t = calloc(1, sizeof *t);
    char url[64];
    assert_non_null(t);
    atomic_store(&t->peer.status, 200);
    t->peer.server = peer_open(
        (struct http_server_config){.routes = routes, .n_routes = sizeof routes / sizeof *routes, .ctx = &t->peer});
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", http_server_port(t->peer.server));
    struct http_client_config cfg = {
        .base_url = url, .connect_timeout_ms = 500, .max_idle = 2, .breaker_failures = 3, .breaker_retry_ms = 1000};
    if (http_client_open(&cfg, &t->client, &t->err) != OK)
        fail_msg("%s", t->err.message);
    buf_init(&t->out, 1000);
    *state = t;
    return 0;
}

static int trial_close(void **state)
{
    struct trial *t = *state;
    http_client_close(t->client);
    http_server_close(t->peer.server, 5000);
    buf_free(&t->out);
    free(t);
    return 0;
}

static enum status get(struct trial *t, const char *path, unsigned timeout_ms)
{
    buf_reset(&t->out);
    return http_client_call(t->client, &(struct http_call){.method = "GET", .path = path, .timeout_ms = timeout_ms},
                            &t->status, &t->out, &t->err);
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void what_is_sent_arrives(void **state)
{
    struct trial *t = *state;
    int meanwhile = 0;
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct http_call call = {.method = "POST",
                             .path = "/say/?q=1",
                             .content_type = "text/x",
                             .body = "bo\0dy",
                             .body_len = 5,
                             .request_id = "id-7",
                             .traceparent = trace,
                             .timeout_ms = 5000,
                             .meanwhile = count,
                             .arg = &meanwhile};
    assert_int_equal(http_client_call(t->client, &call, &t->status, &t->out, &t->err), OK);
    assert_int_equal(t->status, 200);
    assert_int_equal(meanwhile, 1);
    char expected[128];
    int len = snprintf(expected, sizeof expected, "q=1|text/x|id-7|%s|bo", trace);
    assert_memory_equal(t->out.data, expected, (size_t)len);
    for (int code = 201; code < 504; code += 101) { /* any answer is an answer */
        atomic_store(&t->peer.status, code);
        assert_int_equal(get(t, "/say/", 5000), OK);
        assert_int_equal(t->status, code);
    }
    call = (struct http_call){.method = "HEAD", .path = "/long/", .timeout_ms = 5000};
    buf_reset(&t->out);
    assert_int_equal(http_client_call(t->client, &call, &t->status, &t->out, &t->err), OK);
    assert_int_equal(t->out.len, 0);
}

static void bounds(void **state)
{
    struct trial *t = *state;
    char path[5000];
    assert_int_equal(get(t, "/long/", 5000), ERR_TOO_LARGE);
    assert_non_null(strstr(t->err.message, "1000 bytes"));
    int64_t began = os_monotonic_us();
    assert_int_equal(get(t, "/slow/", 100), ERR_TIMEOUT);
    assert_non_null(strstr(t->err.message, "100 ms"));
    assert_true(os_monotonic_us() - began < SLOW_US);
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_int_equal(get(t, path, 100), ERR_INVALID);
    assert_int_equal(get(t, "/say/", 5000), OK); /* none of it did harm */
    struct http_client *none;
    struct http_client_config wrong = {.base_url = "file:///etc/passwd"};
    assert_int_equal(http_client_open(&wrong, &none, &t->err), ERR_INVALID);
}

static void public_addresses_only(void **state)
{
    struct trial *t = *state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char url[64];
        struct http_client *client;
        snprintf(url, sizeof url, "http://%s:%u", hosts[i], http_server_port(t->peer.server));
        const struct http_client_config cfg = {.base_url = url, .connect_timeout_ms = 500, .public_only = true};
        assert_int_equal(http_client_open(&cfg, &client, &t->err), OK);
        const struct http_call call = {.method = "GET", .path = "/say/", .timeout_ms = 1000};
        assert_int_equal(http_client_call(client, &call, &t->status, &t->out, &t->err), ERR_DENIED);
        assert_non_null(strstr(t->err.message, "is not an address of the public internet"));
        http_client_close(client);
    }
    assert_int_equal(atomic_load(&t->peer.calls), 0);
}

static void the_breaker(void **state)
{
    struct trial *t = *state;
    struct peer *p = &t->peer;
    atomic_store(&p->status, 500);
    for (int i = 0; i < 2; i++)
        assert_int_equal(get(t, "/say/", 5000), OK);
    atomic_store(&p->status, 200); /* a success forgets the failures before it */
    assert_int_equal(get(t, "/say/", 5000), OK);
    atomic_store(&p->status, 500);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_client_breaker(t->client), HTTP_BREAKER_CLOSED);
        assert_int_equal(get(t, "/say/", 5000), OK);
    }
    assert_int_equal(http_client_breaker(t->client), HTTP_BREAKER_OPEN);
    usleep(1100000);
    assert_int_equal(get(t, "/say/", 5000), OK); /* the trial, which fails */
    assert_int_equal(t->status, 500);
    int calls = atomic_load(&p->calls);
    assert_int_equal(get(t, "/say/", 5000), ERR_UNAVAILABLE);
    assert_non_null(strstr(t->err.message, "circuit breaker is open"));
    assert_int_equal(atomic_load(&p->calls), calls); /* the peer was left in peace */
    usleep(1100000);
    atomic_store(&p->status, 404); /* the peer's word, not its failure */
    assert_int_equal(get(t, "/say/", 5000), OK);
    assert_int_equal(http_client_breaker(t->client), HTTP_BREAKER_CLOSED);
    http_server_close(p->server, 1000);
    p->server = NULL;
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(t, "/say/", 1000), ERR_UNAVAILABLE);
    assert_int_equal(http_client_breaker(t->client), HTTP_BREAKER_OPEN);
}

/* --- a peer that is rude --- */

struct rude {
    int listener;
    atomic_int connections, requests;
    atomic_bool early; /* answers before it has all of the request, and ends the connection */
    atomic_bool cut;   /* answers the second request on a connection with a part of a chunk */
};

/* Says that a connection stays, and closes it with the second request on it, unread. */
static void *be_rude(void *arg)
{
    struct rude *r = arg;
    static const char fine[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    static const char cut[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab";
    static const char too_large[] = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
    for (int fd; (fd = accept(r->listener, NULL, NULL)) >= 0; close(fd)) {
        char piece[1000];
        atomic_fetch_add(&r->connections, 1);
        if (recv(fd, piece, sizeof piece, 0) <= 0)
            continue;
        atomic_fetch_add(&r->requests, 1);
        (void)!send(fd, r->early ? too_large : fine, strlen(r->early ? too_large : fine), MSG_NOSIGNAL);
        if (r->early)
            shutdown(fd, SHUT_WR);
        for (int pieces = r->early ? 1000 : 1; pieces && recv(fd, piece, sizeof piece, r->early ? 0 : MSG_PEEK) > 0;)
            pieces--;
        if (r->cut && recv(fd, piece, sizeof piece, 0) > 0) {
            atomic_fetch_add(&r->requests, 1);
            (void)!send(fd, cut, strlen(cut), MSG_NOSIGNAL);
            shutdown(fd, SHUT_WR);
            while (recv(fd, piece, sizeof piece, 0) > 0) /* what is unread when it closes would take the answer along */
                ;
        }
    }
    return NULL;
}

static void a_peer_that_hangs_up(void **state)
{
    (void)state;
    struct rude rude = {.early = false};
    struct http_client *client;
    struct error err;
    struct buf out;
    uint16_t port;
    pthread_t thread;
    char url[64];
    int status;
    const size_t large = 8u << 20;
    char *body = calloc(1, large);
    assert_int_equal(http_listen("127.0.0.1", 0, &rude.listener, &port, &err), OK);
    assert_int_equal(pthread_create(&thread, NULL, be_rude, &rude), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    const struct http_client_config cfg = {.base_url = url, .connect_timeout_ms = 5000, .max_idle = 2};
    assert_int_equal(http_client_open(&cfg, &client, &err), OK);
    buf_init(&out, 1000);
    struct http_call call = {.method = "GET", .path = "", .timeout_ms = 20000};
    for (int i = 1; i <= 5; i++) { /* a request that it did not read is sent once more */
        buf_reset(&out);
        if (http_client_call(client, &call, &status, &out, &err) != OK)
            fail_msg("%s", err.message);
        assert_string_equal(buf_str(&out), "ok");
        assert_int_equal(atomic_load(&rude.requests), i);
        assert_int_equal(atomic_load(&rude.connections), i);
    }
    rude.cut = true; /* one that it read is not */
    assert_int_equal(http_client_call(client, &call, &status, &out, &err), ERR_UNAVAILABLE);
    assert_int_equal(atomic_load(&rude.requests), 6);
    assert_int_equal(atomic_load(&rude.connections), 5);
    rude.cut = false;
    http_client_close(client);
    rude.early = true;
    assert_int_equal(http_client_open(&cfg, &client, &err), OK);
    call.method = "POST";
    call.body = body;
    call.body_len = large;
    buf_reset(&out);
    if (http_client_call(client, &call, &status, &out, &err) != OK)
        fail_msg("%s", err.message);
    assert_int_equal(status, 413);
    call.path = "/a b";
    assert_int_equal(http_client_call(client, &call, &status, &out, &err), ERR_INVALID);
    http_client_close(client);
    shutdown(rude.listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(rude.listener);
    buf_free(&out);
    free(body);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(what_is_sent_arrives, trial_open, trial_close),
                                       cmocka_unit_test_setup_teardown(bounds, trial_open, trial_close),
                                       cmocka_unit_test_setup_teardown(public_addresses_only, trial_open, trial_close),
                                       cmocka_unit_test_setup_teardown(the_breaker, trial_open, trial_close),
                                       cmocka_unit_test(a_peer_that_hangs_up),
                                       cmocka_unit_test(escapes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
