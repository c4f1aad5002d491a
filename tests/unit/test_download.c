#include "cm.h"

#include "base/buf.h"
#include "base/os.h"
#include "http/download.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

/* A peer that sends a file of SIZE bytes in a chosen way, one connection at a time. */
#define SIZE 300000u

struct peer {
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_int requests, ranges;
    int cut_after; /* bytes of body after which the first `cuts` connections end; */
    atomic_int cuts;
    bool ignores_range;
    int fails_with; /* status of the first `failures` answers */
    atomic_int failures;
    char seen_token[64];
    unsigned char body[SIZE];
};

static void send_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

static void serve_one(struct peer *p, int fd)
{
    char request[4096] = "", head[256];
    size_t have = 0;
    while (have < sizeof request - 1 && !strstr(request, "\r\n\r\n")) {
        ssize_t n = recv(fd, request + have, sizeof request - 1 - have, 0);
        if (n <= 0)
            return;
        have += (size_t)n;
        request[have] = '\0';
    }
    atomic_fetch_add(&p->requests, 1);
    const char *token = strstr(request, "Authorization: Bearer "), *range = strstr(request, "Range: bytes=");
    snprintf(p->seen_token, sizeof p->seen_token, "%.*s", token ? (int)strcspn(token + 22, "\r") : 0,
             token ? token + 22 : "");
    size_t from = range && !p->ignores_range ? strtoul(range + 13, NULL, 10) : 0;
    if (atomic_fetch_sub(&p->failures, 1) > 0) {
        snprintf(head, sizeof head, "HTTP/1.1 %d No\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry",
                 p->fails_with);
        send_all(fd, head, strlen(head));
        return;
    }
    if (from) {
        atomic_fetch_add(&p->ranges, 1);
        snprintf(head, sizeof head,
                 "HTTP/1.1 206 Partial\r\nContent-Range: bytes %zu-%u/%u\r\nContent-Length: %zu\r\nConnection: "
                 "close\r\n\r\n",
                 from, SIZE - 1, SIZE, SIZE - from);
    } else {
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\nConnection: close\r\n\r\n", SIZE);
    }
    send_all(fd, head, strlen(head));
    size_t n = SIZE - from;
    if (atomic_fetch_sub(&p->cuts, 1) > 0 && n > (size_t)p->cut_after)
        n = (size_t)p->cut_after;
    send_all(fd, p->body + from, n);
}

static void *serve(void *arg)
{
    struct peer *p = arg;
    int fd;
    while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
        serve_one(p, fd);
        close(fd);
    }
    return NULL;
}

static void start(struct peer *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    for (size_t i = 0; i < SIZE; i++)
        p->body[i] = (unsigned char)(i * 7 + i / 251);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(p->fd, 8), 0);
    getsockname(p->fd, (struct sockaddr *)&a, &len);
    p->port = ntohs(a.sin_port);
    pthread_create(&p->thread, NULL, serve, p);
}

static void stop(struct peer *p)
{
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->fd);
}

static enum status get(struct peer *p, const char *path, const char *sha256, struct error *err)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/file", p->port);
    struct http_download d = {.url = url, .path = path, .token = "t0ken", .size = SIZE, .sha256 = sha256};
    return http_download(&d, err);
}

static void check_content(struct peer *p, const char *path)
{
    struct buf b;
    struct error err;
    buf_init(&b, SIZE);
    assert_int_equal(os_read_file(path, &b, &err), OK);
    assert_int_equal(b.len, SIZE);
    assert_memory_equal(b.data, p->body, SIZE);
    buf_free(&b);
    unlink(path);
}

static void downloads_survive_faults(void **state)
{
    (void)state;
    static struct peer p;
    char dir[64], path[96], part[112], sha[65];
    struct error err;
    tmp_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/f", dir);
    snprintf(part, sizeof part, "%s.part", path);
    start(&p);
    os_sha256_hex(p.body, SIZE, sha);

    assert_int_equal(get(&p, path, sha, &err), OK);
    assert_string_equal(p.seen_token, "t0ken");
    check_content(&p, path);

    p.cut_after = 100000; /* cut off twice: continued by ranges */
    atomic_store(&p.cuts, 2);
    atomic_store(&p.ranges, 0);
    assert_int_equal(get(&p, path, sha, &err), OK);
    assert_int_equal(p.ranges, 2);
    check_content(&p, path);

    atomic_store(&p.cuts, 1); /* a server without ranges: from the start, once */
    p.ignores_range = true;
    assert_int_equal(get(&p, path, sha, &err), OK);
    check_content(&p, path);
    p.ignores_range = false;

    p.fails_with = 503;
    atomic_store(&p.failures, 2);
    assert_int_equal(get(&p, path, sha, &err), OK);
    check_content(&p, path);

    p.fails_with = 404;
    atomic_store(&p.failures, 1);
    assert_int_equal(get(&p, path, sha, &err), ERR_NOT_FOUND);
    p.fails_with = 403;
    atomic_store(&p.failures, 1);
    assert_int_equal(get(&p, path, sha, &err), ERR_DENIED);

    /* what was started by an earlier run is continued; a damaged start is found out and dropped */
    assert_int_equal(os_write_file(part, p.body, 1000, &err), OK);
    atomic_store(&p.ranges, 0);
    assert_int_equal(get(&p, path, sha, &err), OK);
    assert_int_equal(p.ranges, 1);
    check_content(&p, path);
    assert_int_equal(os_write_file(part, "damaged", 7, &err), OK);
    assert_int_equal(get(&p, path, sha, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, "sha256"));
    assert_int_not_equal(access(part, F_OK), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    stop(&p);
    tmp_remove(dir);
}

static void other_checksums(void **state)
{
    (void)state;
    static struct peer p;
    char dir[64], path[96], url[64];
    struct error err;
    tmp_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/f", dir);
    start(&p);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/file", p.port);
    struct http_download d = {.url = url, .path = path, .size = HTTP_SIZE_UNKNOWN};
    d.git_sha1 = "0000000000000000000000000000000000000000";
    assert_int_equal(http_download(&d, &err), ERR_CORRUPT);
    char found[64]; /* the id that git itself gives these bytes */
    char command[160];
    assert_int_equal(os_write_file(path, p.body, SIZE, &err), OK);
    snprintf(command, sizeof command, "git hash-object %s", path);
    FILE *git = popen(command, "r");
    assert_non_null(fgets(found, sizeof found, git));
    pclose(git);
    found[40] = '\0';
    d.git_sha1 = found;
    assert_int_equal(http_download(&d, &err), OK);
    struct buf b;
    buf_init(&b, 1000);
    assert_int_equal(http_fetch(url, NULL, &b, &err), ERR_TOO_LARGE);
    buf_free(&b);
    stop(&p);
    assert_int_equal(http_fetch(url, NULL, &b, &err), ERR_UNAVAILABLE);
    buf_free(&b);
    tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(downloads_survive_faults),
        cmocka_unit_test(other_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
