/* Images of a pack, uploaded to a Matrix homeserver (Client-Server API, /_matrix/media/v3/upload), which gives each an
 * address, mxc://SERVER/ID. */
#include "cmd/pack.h"

#include "base/utf8.h"
#include "cmd/cmd.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX 65536u
#define URI_MAX    500u
#define TIMEOUT_MS 60000u
#define TRIES      5
#define WAIT_MOST  30000 /* ms, that a server which limits uploads is waited for each time */

/* A token is sent to nobody on the way. */
static bool is_private(const char *url)
{
    static const char *const good[] = {"https://", "http://127.0.0.1:", "http://localhost:", "http://[::1]:"};
    size_t i = 0;
    while (i < sizeof good / sizeof *good && strncmp(url, good[i], strlen(good[i])) != 0)
        i++;
    return i < sizeof good / sizeof *good;
}

enum status matrix_open(const struct config *cfg, struct http_client **out, struct error *err)
{
    struct http_client_config cc = {.base_url = config_string(cfg, "matrix-url"),
                                    .token = config_string(cfg, "matrix-token"),
                                    .connect_timeout_ms = TIMEOUT_MS,
                                    .max_idle = 1};
    *out = NULL;
    if (!cc.base_url)
        return OK;
    if (!is_private(cc.base_url))
        return err_set(err, ERR_INVALID, "--matrix-url: expected an address that begins with https://");
    if (!cc.token)
        return err_set(err, ERR_INVALID,
                       "--matrix-url needs the access token of an account there: --matrix-token-file");
    return http_client_open(&cc, out, err);
}

/* {"content_uri":"mxc://..."}, in the arena. */
static enum status read_uri(const struct buf *answer, struct arena *a, const char **uri, struct error *err)
{
    json_t *root = json_loadb(buf_str(answer), answer->len, 0, NULL);
    const char *text = json_string_value(json_object_get(root, "content_uri"));
    bool good =
        text && strncmp(text, "mxc://", 6) == 0 && strlen(text) <= URI_MAX && !utf8_has_control(text, strlen(text));
    *uri = good ? arena_strdup(a, text) : NULL;
    json_decref(root);
    if (!good)
        return err_set(err, ERR_UNAVAILABLE, "the homeserver answered without an address of the image");
    return *uri ? OK : err_no_memory(err, "an address");
}

/* How long a server that limits uploads wants to be left alone, in ms. */
static int64_t wait_ms(const struct buf *answer)
{
    json_t *root = json_loadb(buf_str(answer), answer->len, 0, NULL);
    int64_t ms = json_integer_value(json_object_get(root, "retry_after_ms"));
    json_decref(root);
    return ms < 1 ? 1000 : ms > WAIT_MOST ? WAIT_MOST : ms;
}

enum status matrix_upload(struct http_client *server, const char *filename, const char *mime, const void *data,
                          size_t len, struct arena *a, const char **uri, struct error *err)
{
    struct buf path, answer;
    int status = 0;
    buf_init(&path, 8192);
    buf_init(&answer, ANSWER_MAX);
    buf_puts(&path, "/_matrix/media/v3/upload?filename=");
    http_escape(&path, filename, strlen(filename));
    const struct http_call call = {.method = "POST",
                                   .path = buf_str(&path),
                                   .content_type = mime,
                                   .body = data,
                                   .body_len = len,
                                   .timeout_ms = TIMEOUT_MS};
    enum status st = buf_status(&path, err);
    for (int tries = 0; st == OK && tries < TRIES && (!tries || status == 429); tries++) {
        if (tries)
            usleep((useconds_t)wait_ms(&answer) * 1000); /* a signal ends it */
        buf_reset(&answer);
        st = cmd_stopped() ? err_set(err, ERR_CANCELLED, "stopped")
                           : http_client_call(server, &call, &status, &answer, err);
    }
    if (st == OK && status == 200)
        st = read_uri(&answer, a, uri, err);
    else if (st == OK)
        st = err_set(err, status == 401 || status == 403 ? ERR_DENIED : ERR_UNAVAILABLE,
                     "the homeserver answered %d to the upload of %.255s", status, filename);
    buf_free(&path);
    buf_free(&answer);
    return st;
}
