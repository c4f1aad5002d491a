/* peel health: whether a service is alive, for container engines, whose images have no curl. */
#include "cmd/cmd.h"
#include "cmd/runtime.h"
#include "http/client.h"

#define TIMEOUT_MS 2000u

static enum status health_ask(const char *url, struct error *err)
{
    struct http_client *client;
    struct http_client_config to = {.base_url = url, .connect_timeout_ms = TIMEOUT_MS, .max_idle = 1};
    struct http_call call = {.method = "GET", .path = "/healthz", .timeout_ms = TIMEOUT_MS};
    struct buf body;
    int status;
    enum status st = http_client_open(&to, &client, err);
    if (st != OK)
        return st;
    buf_init(&body, 64u << 10);
    st = http_client_call(client, &call, &status, &body, err);
    if (st == OK && status != 200)
        st = err_set(err, ERR_UNAVAILABLE, "%s/healthz: expected status 200, found %d", url, status);
    buf_free(&body);
    http_client_close(client);
    return st;
}

int cmd_health(const struct config *cfg)
{
    struct error err;
    struct arena a;
    const char *const *args, *url;
    arena_init(&a, 1u << 16);
    if (config_args(cfg, &args))
        url = args[0];
    else /* where none is known, one that cannot write into the data folder may still be at the default port */
        (void)runtime_sticker_url(cfg, &a, &url);
    enum status st = health_ask(url, &err), printed = OK;
    if (config_bool(cfg, "json")) {
        struct error none;
        printed = cmd_print_json(
            json_pack("{s:s, s:b, s:s?}", "url", url, "alive", st == OK, "error", st == OK ? NULL : err.message),
            &none);
    } else if (st != OK) {
        cmd_failed(&err);
    }
    arena_free(&a);
    return st == OK && printed == OK ? EXIT_OK : EXIT_FAILED;
}
