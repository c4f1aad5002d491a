/* served.h: services in this process, for fuzz targets that speak HTTP with them as a client does. Everything lies in a
 * temporary folder, which is removed at the end. */
#ifndef PEEL_TESTS_SERVED_H
#define PEEL_TESTS_SERVED_H

#include "base/log.h"
#include "base/os.h"
#include "blank_sticker.h"
#include "search_service/search_service.h"
#include "sticker_service/auth.h"
#include "sticker_service/sticker_service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVED_TOKEN     "0123456789abcdef0123456789abcdef01234567" /* of a superuser of StickerService */
#define SERVED_WAIT_S    20                                         /* for an answer; more is a hang */
#define SERVED_MOMENT_MS 5

static char served_folder[64];
static int served_ready[2]; /* where services write their port */
static int served_stop[2];  /* closing its write end stops them */

static void served_fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    abort();
}

static inline void served_tell_port(void *arg, uint16_t port)
{
    (void)arg;
    if (write(served_ready[1], &port, sizeof port) != sizeof port)
        abort();
}

static inline int served_remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)flag, (void)ftw;
    return remove(path);
}

static inline void served_leave(void)
{
    nftw(served_folder, served_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A path in the folder; kept for good. */
static inline const char *served_path(const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", served_folder, name) < 0)
        abort();
    return path;
}

static inline void served_begin(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(served_folder, sizeof served_folder, "%.40s/peel-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(served_folder) || pipe(served_ready) != 0 || pipe(served_stop) != 0)
        abort();
    atexit(served_leave);
    log_setup(LOG_ERROR, LOG_TEXT, "fuzz");
}

/* Stickers, votes and a user, so that there is something to find. */
static inline void served_fill(const char *database, const char *bucket)
{
    struct sticker_store *store;
    struct error err;
    struct arena a;
    char hash[65], path[128];
    const char *up = "cat.png", **failed;
    struct feedback_entry vote = {.query = "cat", .positive = &up, .n_positive = 1};
    size_t n;
    arena_init(&a, 1u << 20);
    auth_token_hash(SERVED_TOKEN, hash);
    enum status st = sticker_store_open(database, 1, &store, &err);
    if (st == OK)
        st = sticker_store_user_add(
            store, &(struct user){.username = "ann", .password_hash = "h", .is_superuser = true, .is_active = true},
            &err);
    if (st == OK)
        st = sticker_store_token_add(store, "ann", "", hash, 0, &err);
    static const char *const names[] = {"cat.png", "dog.svg", "ghost.webp"};
    static const char pixel[] = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><rect width='9'/></svg>";
    snprintf(path, sizeof path, "%s/media", bucket);
    if (st == OK)
        st = os_mkdirs(path, &err);
    for (size_t i = 0; st == OK && i < 3; i++) {
        struct sticker sticker = blank_sticker(names[i]);
        struct sticker_words words = {"en", "cat, dog", "A cat and a dog"};
        char sha256[65];
        os_sha256_hex(pixel, sizeof pixel - 1, sha256);
        sticker.title = "A cat and a dog";
        sticker.sha256 = sha256;
        sticker.mime = "image/svg+xml";
        sticker.words = &words;
        sticker.n_words = 1;
        snprintf(path, sizeof path, "%s/media/%s", bucket, names[i]);
        st = sticker_store_add(store, &sticker, &(struct sticker_terms){"cat dog", "cat dog", "", "cat dog", NULL, 0},
                               1, &err);
        if (st == OK && i != 2) /* the ghost has no image */
            st = os_write_file(path, pixel, sizeof pixel - 1, &err);
    }
    if (st == OK)
        st = sticker_store_query_ensure(store, "cat", &err);
    if (st == OK)
        st = sticker_store_feedback(store, &vote, 1, &a, &failed, &n, &err);
    if (st != OK)
        served_fail(err.message);
    sticker_store_close(store);
    arena_free(&a);
}

static inline void *served_run_stickers(void *cfg)
{
    struct error err;
    if (sticker_service_run(cfg, &err) != OK)
        served_fail(err.message);
    return NULL;
}

static inline void *served_run_search(void *cfg)
{
    struct error err;
    if (search_service_run(cfg, &err) != OK)
        served_fail(err.message);
    return NULL;
}

static inline uint16_t served_start(void *(*run)(void *), void *cfg)
{
    pthread_t thread;
    uint16_t port;
    if (pthread_create(&thread, NULL, run, cfg) != 0 || read(served_ready[0], &port, sizeof port) != sizeof port)
        abort();
    pthread_detach(thread);
    return port;
}

/* SearchService without a model; returns its port. */
static inline uint16_t served_search(void)
{
    static struct search_service_config cfg;
    cfg = (struct search_service_config){.http = sticker_service_defaults().http,
                                         .search_db = served_path("search.db"),
                                         .bucket = served_path("bucket"),
                                         .models_dir = served_path("models"),
                                         .precision = "fp32",
                                         .threads = 1};
    cfg.http.port = 0;
    cfg.http.workers = 2;
    cfg.http.timeout_s = 2;
    cfg.http.stop_fd = served_stop[0];
    cfg.http.ready = served_tell_port;
    struct error err;
    if (os_mkdirs(cfg.models_dir, &err) != OK || os_mkdirs(cfg.bucket, &err) != OK)
        served_fail(err.message);
    return served_start(served_run_search, &cfg);
}

/* StickerService with something in it, whose SearchService is at that port; returns its own. */
static inline uint16_t served_stickers(uint16_t search_port)
{
    static struct sticker_service_config cfg;
    static char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", search_port);
    cfg = sticker_service_defaults();
    cfg.http.port = 0;
    cfg.http.workers = 4;
    cfg.http.timeout_s = 2;
    cfg.http.io_threads = 1;
    cfg.http.trusted_proxies = "127.0.0.1";
    cfg.http.cors_origins = "https://a.example";
    cfg.http.stop_fd = served_stop[0];
    cfg.http.ready = served_tell_port;
    cfg.database = served_path("sticker.db");
    cfg.bucket = served_path("bucket");
    cfg.cache_dir = served_path("cache");
    cfg.search_url = url;
    cfg.breaker_failures = 0;
    cfg.answer_cache_ms = 0;
    served_fill(cfg.database, cfg.bucket);
    return served_start(served_run_stickers, &cfg);
}

/* Sends bytes as they are and returns what comes back until the end of the connection. The end of what is sent is told
 * a moment later: libmicrohttpd may overlook one that comes together with bytes, until its time-out. */
static inline const char *served_ask(uint16_t port, const void *data, size_t size, struct buf *answer)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct pollfd p = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    size_t sent = 0;
    bool told = false;
    buf_reset(answer);
    if (p.fd < 0 || connect(p.fd, (struct sockaddr *)&to, sizeof to) != 0)
        served_fail("the service does not take a connection");
    for (bool open = true; open;) { /* both ways at once, as neither side waits for the other */
        char piece[65536];
        p.events = (short)(sent < size ? POLLIN | POLLOUT : POLLIN);
        int ready = poll(&p, 1, sent < size || told ? SERVED_WAIT_S * 1000 : SERVED_MOMENT_MS);
        if (ready < 0 && errno == EINTR) /* libFuzzer's own alarm */
            continue;
        if (ready <= 0 && (sent < size || told)) {
            fprintf(stderr, "%zu of %zu bytes sent, %zu received\n", sent, size, answer->len);
            served_fail("no answer in time");
        }
        if (p.revents & POLLOUT) {
            ssize_t n = send(p.fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            sent = n < 0 ? size : sent + (size_t)n;
        } else if (sent == size && !told) {
            told = shutdown(p.fd, SHUT_WR) == 0 || errno == ENOTCONN;
        }
        if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
            ssize_t n = recv(p.fd, piece, sizeof piece, MSG_DONTWAIT);
            if (n > 0)
                buf_append(answer, piece, (size_t)n);
            open = n > 0;
        }
    }
    close(p.fd);
    return buf_str(answer);
}

/* A value of the first answer's head, copied to out; "" if it has none. */
static inline void served_header(const char *answer, const char *name, char out[128])
{
    const char *end = strstr(answer, "\r\n\r\n"), *at = answer;
    size_t len = strlen(name);
    *out = '\0';
    while (end && (at = strstr(at, "\r\n")) && at < end) {
        at += 2;
        if (strncasecmp(at, name, len) == 0 && at[len] == ':')
            snprintf(out, 128, "%.*s", (int)strcspn(at + len + 2, "\r"), at + len + 2);
    }
}

/* The first answer: its status (0: none came), after a look whether what says that it is JSON is. `of_head`: to a HEAD,
 * whose body does not come. */
static inline int served_check(const struct buf *answer, bool of_head)
{
    const char *text = buf_str((struct buf *)(uintptr_t)answer), *body = strstr(text, "\r\n\r\n");
    char type[128], length[128];
    if (!answer->len)
        return 0;
    if (strncmp(text, "HTTP/1.1 ", 9) != 0 || !body)
        served_fail("not an answer of HTTP");
    int status = atoi(text + 9);
    if (status < 200 || status > 599 || status == 500) {
        fprintf(stderr, "%.2000s\n", text);
        served_fail("an answer that nobody should get");
    }
    served_header(text, "Content-Type", type);
    served_header(text, "Content-Length", length);
    if (of_head || status == 204 || status == 304 || !*length || !strstr(type, "json"))
        return status;
    size_t len = strtoul(length, NULL, 10), there = answer->len - (size_t)(body + 4 - text);
    json_t *json = len <= there ? json_loadb(body + 4, len, JSON_DECODE_ANY, NULL) : NULL;
    if (!json) {
        fprintf(stderr, "%.2000s\n", text);
        served_fail("not JSON, although it says so");
    }
    json_decref(json);
    return status;
}

#endif
