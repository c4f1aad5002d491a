/* Answers that nobody takes, because the client has left or the server stops: what was made is given back. */
#include "http_peer.h"

#include <stdatomic.h>

#define CLIENTS 40

struct counts {
    atomic_int started, left, done, linger_us;
};

static ssize_t nothing(void *state, char *out, size_t cap)
{
    (void)state, (void)out, (void)cap;
    return 0;
}

static void done(void *state)
{
    struct counts *c = state;
    atomic_fetch_add(&c->done, 1);
}

/* Answers only when its client has gone. */
static void late(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)req;
    struct counts *c = ctx;
    int mine = atomic_fetch_add(&c->started, 1);
    for (int i = 0; i < 5000 && atomic_load(&c->left) <= mine; i++)
        usleep(1000);
    usleep((useconds_t)atomic_load(&c->linger_us));
    http_body_stream(res, 200, "text/plain", nothing, done, c);
}

static struct http_server *server_open(struct counts *c)
{
    static const struct http_route routes[] = {{HTTP_GET, "/late/", late, 0, 0, "late"}};
    return peer_open((struct http_server_config){.routes = routes, .n_routes = 1, .ctx = c, .http.timeout_s = 5});
}

static int ask(const struct http_server *s)
{
    static const char request[] = "GET /late/ HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = peer_connect(s);
    peer_send(fd, request, sizeof request - 1);
    return fd;
}

static void visit_and_leave(const struct http_server *s, struct counts *c, int visit)
{
    int before = atomic_load(&c->started), fd = ask(s);
    for (int i = 0; visit % 2 && i < 5000 && atomic_load(&c->started) <= before; i++)
        usleep(1000);
    struct linger hard = {.l_onoff = 1}; /* a reset, as from a killed client */
    if (visit / 2 % 2)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    close(fd);
    usleep(5000);
    atomic_fetch_add(&c->left, 1);
}

static void test_clients_that_leave(void **state)
{
    (void)state;
    struct counts c = {0};
    struct http_server *s = server_open(&c);
    for (int i = 0; i < CLIENTS; i++)
        visit_and_leave(s, &c, i);
    http_server_close(s, 2000);
    assert_true(atomic_load(&c.started) >= CLIENTS / 2); /* some left before they were heard */
    assert_int_equal(atomic_load(&c.done), atomic_load(&c.started));
}

/* Everything of the visit, its end too, is there before the server looks: as when it was stopped for a while. */
static void test_clients_that_were_not_heard(void **state)
{
    (void)state;
    struct counts c = {.left = CLIENTS};
    struct http_server *s = server_open(&c);
    for (int i = 0; i < 10 * CLIENTS; i++)
        close(ask(s));
    http_server_close(s, 2000);
    assert_int_equal(atomic_load(&c.done), atomic_load(&c.started));
}

/* The server's patience ends before the handlers do. */
static void test_server_that_stops(void **state)
{
    (void)state;
    struct counts c = {0};
    struct http_server *s = server_open(&c);
    int fd[4];
    for (int i = 0; i < 4; i++)
        fd[i] = ask(s);
    for (int i = 0; i < 5000 && atomic_load(&c.started) < 2; i++)
        usleep(1000);
    atomic_store(&c.linger_us, 100000);
    atomic_store(&c.left, 4);
    http_server_close(s, 10);
    assert_int_equal(atomic_load(&c.done), atomic_load(&c.started));
    for (int i = 0; i < 4; i++)
        close(fd[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clients_that_leave),
                                       cmocka_unit_test(test_clients_that_were_not_heard),
                                       cmocka_unit_test(test_server_that_stops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
