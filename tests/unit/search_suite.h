/* search_suite.h: SearchService in a child process for the tests: started, asked, stopped or killed. */
#ifndef PEEL_TESTS_SEARCH_SUITE_H
#define PEEL_TESTS_SEARCH_SUITE_H

#include "cm.h"

#include "base/log.h"
#include "base/os.h"
#include "base/sanitized.h"
#include "http/client.h"
#include "image/image.h"
#include "search_service/search_service.h"
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

struct suite {
    char dir[64], db[512], bucket[96], models[96], cache[96];
    struct search_service_config cfg;
    pid_t pid;
    int stop; /* closing it stops the service */
    struct http_client *client;
};

static void suite_tell_port(void *arg, uint16_t port)
{
    if (write(*(int *)arg, &port, sizeof port) != sizeof port)
        _exit(9);
}

static inline void suite_begin(struct suite *s)
{
    memset(s, 0, sizeof *s);
    tmp_make(s->dir, sizeof s->dir);
    const char *url = getenv("PEEL_TEST_STORE_URL"), *braces = url ? strstr(url, "{}") : NULL; /* as in store_suite.h */
    if (braces)
        snprintf(s->db, sizeof s->db, "%.*s%s%s", (int)(braces - url), url, strrchr(s->dir, '-') + 1, braces + 2);
    else
        snprintf(s->db, sizeof s->db, "%s/search.db", s->dir);
    snprintf(s->bucket, sizeof s->bucket, "%s/bucket", s->dir);
    snprintf(s->models, sizeof s->models, "%s/models", s->dir);
    snprintf(s->cache, sizeof s->cache, "%s/cache", s->dir);
    assert_int_equal(os_mkdirs(s->models, NULL), OK);
    s->cfg = (struct search_service_config){.http.listen_fd = -1,
                                            .search_db = s->db,
                                            .bucket = s->bucket,
                                            .models_dir = s->models,
                                            .cache_dir = s->cache,
                                            .precision = "fp32",
                                            .threads = 2,
                                            .connections = getenv("PEEL_TEST_VECTORS") ? 1 : 0, /* pglite has one */
                                            .stored_vectors = getenv("PEEL_TEST_VECTORS") != NULL,
                                            .query_cache_bytes = 1u << 20};
}

/* The child is made before this process has threads, so fork is safe under every sanitizer. */
static inline void suite_start(struct suite *s)
{
    int stop[2], told[2];
    uint16_t port = 0;
    assert_int_equal(pipe(stop), 0);
    assert_int_equal(pipe(told), 0);
    fflush(NULL);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        struct error err;
        close(stop[1]);
        close(told[0]);
        log_setup(LOG_WARN, LOG_TEXT, "search");
        s->cfg.http.stop_fd = stop[0];
        s->cfg.http.ready = suite_tell_port;
        s->cfg.http.ready_arg = &told[1];
        enum status st = search_service_run(&s->cfg, &err);
        if (st != OK)
            fprintf(stderr, "search_service_run: %s\n", err.message);
        exit(st == OK ? 0 : 1);
    }
    close(stop[0]);
    close(told[1]);
    s->stop = stop[1];
    assert_int_equal(read(told[0], &port, sizeof port), sizeof port);
    close(told[0]);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    struct http_client_config client = {.base_url = url, .connect_timeout_ms = 5000, .max_idle = 4};
    assert_int_equal(http_client_open(&client, &s->client, NULL), OK);
}

static inline void suite_gone(struct suite *s, int expect_signal)
{
    int status;
    http_client_close(s->client);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    close(s->stop);
    if (expect_signal) {
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == expect_signal);
    } else {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    s->pid = 0;
}

static inline void suite_stop(struct suite *s)
{
    assert_int_equal(write(s->stop, "x", 1), 1);
    suite_gone(s, 0);
}

static inline void suite_kill(struct suite *s)
{
    kill(s->pid, SIGKILL);
    suite_gone(s, SIGKILL);
}

static inline void suite_end(struct suite *s)
{
    if (s->pid)
        suite_stop(s);
    tmp_remove(s->dir);
}

/* The answer's body as JSON (NULL when it is none); the caller decrefs. */
static inline json_t *suite_ask(struct suite *s, const char *method, const char *path, const char *type,
                                const void *body, size_t len, int *status)
{
    struct buf out;
    struct error err;
    buf_init(&out, 16u << 20);
    struct http_call call = {
        .method = method, .path = path, .content_type = type, .body = body, .body_len = len, .timeout_ms = 60000};
    enum status st = http_client_call(s->client, &call, status, &out, &err);
    if (st != OK)
        fail_msg("%s %s: %s", method, path, err.message);
    json_t *json = json_loadb(buf_str(&out), out.len, 0, NULL);
    buf_free(&out);
    return json;
}

static inline json_t *suite_get(struct suite *s, const char *path)
{
    int status;
    json_t *json = suite_ask(s, "GET", path, NULL, NULL, 0, &status);
    if (status != 200)
        fail_msg("GET %s: %d %s", path, status, json_string_value(json_object_get(json, "detail")));
    assert_non_null(json);
    return json;
}

/* Sends JSON; fails the test unless the answer is `expect`. */
static inline void suite_send(struct suite *s, const char *method, const char *path, const char *body, int expect)
{
    int status;
    json_t *json = suite_ask(s, method, path, body ? "application/json" : NULL, body, body ? strlen(body) : 0, &status);
    if (status != expect)
        fail_msg("%s %s %.200s: %d %s", method, path, body ? body : "", status,
                 json_string_value(json_object_get(json, "detail")));
    json_decref(json);
}

static inline void suite_put(struct suite *s, const char *filename, const char *title, const char *words,
                             const char *sha256)
{
    char path[600], body[2000];
    struct buf name;
    buf_init(&name, 600);
    http_escape(&name, filename, strlen(filename));
    snprintf(path, sizeof path, "/api/documents/%s", buf_str(&name));
    snprintf(body, sizeof body,
             "{\"title\":\"%s\",\"words\":[{\"language\":\"en\",\"words\":\"%s\"}],\"sha256\":\"%s\"}", title, words,
             sha256 ? sha256 : "");
    suite_send(s, "PUT", path, body, 200);
    buf_free(&name);
}

/* The filenames of a search, joined by spaces, into out. */
static inline char *suite_names(struct suite *s, const char *path, char out[1024])
{
    json_t *json = suite_get(s, path), *name;
    size_t i;
    out[0] = '\0';
    json_array_foreach(json_object_get(json, "filenames"), i, name)
    {
        snprintf(out + strlen(out), 1024 - strlen(out), "%s%s", i ? " " : "", json_string_value(name));
        json_t *result = json_array_get(json_object_get(json, "results"), i);
        assert_string_equal(json_string_value(json_object_get(result, "filename")), json_string_value(name));
        assert_true(json_is_number(json_object_get(result, "score")));
    }
    json_decref(json);
    return out;
}

/* Writes a picture of noise of its own to the bucket's media/<name>; its hash into sha256. */
static inline void suite_picture(struct suite *s, const char *name, unsigned seed, char sha256[65])
{
    struct image im = {.width = 48, .height = 40, .channels = 3, .pixels = malloc(48 * 40 * 3)};
    char path[400];
    struct buf webp;
    assert_non_null(im.pixels);
    for (size_t i = 0; i < 48 * 40 * 3; i++) { /* blocks of colour, so that small networks see a difference */
        size_t x = i / 3 % 48 / 8, y = i / 144 / 8;
        unsigned v = (seed + 1u) * 2654435761u + (unsigned)(x * 131 + y * 1009 + i % 3 * 7919) * 40503u;
        im.pixels[i] = (uint8_t)(v >> 11);
    }
    buf_init(&webp, 1u << 20);
    assert_int_equal(image_encode_webp(&im, 90, &webp, NULL), OK);
    snprintf(path, sizeof path, "%s/media", s->bucket);
    assert_int_equal(os_mkdirs(path, NULL), OK);
    snprintf(path, sizeof path, "%s/media/%s", s->bucket, name);
    assert_int_equal(os_write_file(path, webp.data, webp.len, NULL), OK);
    os_sha256_hex(webp.data, webp.len, sha256);
    buf_free(&webp);
    image_free(&im);
}

/* How many times longer things may take under a sanitizer. */
static inline int suite_slow(void)
{
    return SANITIZED ? 5 : 1;
}

static inline void suite_sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* The file or folder of that name, linked into another folder. */
static inline void suite_link(const char *from_dir, const char *to_dir, const char *name)
{
    char from[400], to[500], *whole;
    snprintf(from, sizeof from, "%s/%s", from_dir, name);
    snprintf(to, sizeof to, "%s/%s", to_dir, name);
    whole = realpath(from, NULL);
    assert_non_null(whole);
    assert_int_equal(symlink(whole, to), 0);
    free(whole);
}

/* The model of that id in an answer of /api/models or /api/status; NULL: it is not there. */
static inline json_t *suite_model(json_t *answer, const char *id)
{
    json_t *m;
    size_t i;
    json_array_foreach(json_object_get(answer, "models"), i, m)
    {
        if (strcmp(json_string_value(json_object_get(m, "id")), id) == 0)
            return m;
    }
    return NULL;
}

static inline json_t *suite_search(struct suite *s, const char *parameters)
{
    char path[600];
    snprintf(path, sizeof path, "/api/search/?%s", parameters);
    return suite_get(s, path);
}

/* Did this leg take part? */
static inline bool suite_has_leg(json_t *answer, const char *name)
{
    json_t *leg;
    size_t i;
    json_array_foreach(json_object_get(answer, "legs"), i, leg)
    {
        if (strcmp(json_string_value(leg), name) == 0)
            return true;
    }
    return false;
}

#endif
