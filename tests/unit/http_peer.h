/* http_peer.h: a small server to test against, and raw sockets that speak to it. */
#ifndef PEEL_TESTS_HTTP_PEER_H
#define PEEL_TESTS_HTTP_PEER_H

#include "cm.h"

#include "http/server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Opens on a free port, with bounds that tests can reach; fields that are 0 in `cfg` are filled in. */
static inline struct http_server *peer_open(struct http_server_config cfg)
{
    struct error err;
    struct http_server *s;
    cfg.http.host = "127.0.0.1";
    cfg.http.listen_fd = -1;
    cfg.http.io_threads = 1;
    cfg.http.workers = cfg.http.workers ? cfg.http.workers : 2;
    cfg.http.max_queue = cfg.http.max_queue ? cfg.http.max_queue : 8;
    cfg.http.max_connections = 32;
    cfg.http.timeout_s = cfg.http.timeout_s ? cfg.http.timeout_s : 10;
    cfg.metrics_prefix = "test";
    if (http_server_open(&cfg, &s, &err) != OK)
        fail_msg("%s", err.message);
    return s;
}

static inline int peer_connect(const struct http_server *s)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(http_server_port(s)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static inline void peer_send(int fd, const char *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Reads until the peer ends the connection, or nothing comes for so long; returns whether it ended. */
static inline bool peer_read(int fd, char *out, size_t cap, int patience_ms)
{
    size_t len = 0;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool ended = false;
    while (len < cap - 1 && poll(&p, 1, patience_ms) > 0) {
        ssize_t n = recv(fd, out + len, cap - 1 - len, 0);
        ended = n <= 0;
        if (ended)
            break;
        len += (size_t)n;
    }
    out[len] = '\0';
    return ended;
}

#endif
