/* The bare HTTP server: /inline answers on the thread that moves the bytes, /worker through the pool.
 * Prints its port and runs until standard input ends: bench/http.sh puts wrk in front of it. */
#include "http/server.h"

#include <stdio.h>
#include <unistd.h>

static void hello(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx, (void)req;
    http_json(res, 200, "{\"hello\":\"world\"}", 17);
}

int main(void)
{
    static const struct http_route routes[] = {{HTTP_GET, "/inline", hello, HTTP_INLINE, 0, "inline"},
                                               {HTTP_GET, "/worker", hello, 0, 0, "worker"}};
    struct http_server_config cfg = {.http.host = "127.0.0.1",
                                     .http.listen_fd = -1,
                                     .http.io_threads = 2,
                                     .http.workers = 4,
                                     .http.max_queue = 1024,
                                     .http.max_connections = 1024,
                                     .http.timeout_s = 30,
                                     .routes = routes,
                                     .n_routes = 2,
                                     .metrics_prefix = "hello"};
    struct http_server *s;
    struct error err;
    char c;
    if (http_server_open(&cfg, &s, &err) != OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%u\n", http_server_port(s));
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    http_server_close(s, 1000);
    return 0;
}
