#include "cmd/observe.h"
#include "base/json_in.h"

#include "http/client.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 500u
#define ANSWER_MAX (4u << 20)

struct observer {
    struct http_client *sticker, *search;
};

void observer_close(struct observer *o)
{
    if (!o)
        return;
    http_client_close(o->search);
    http_client_close(o->sticker);
    free(o);
}

enum status observer_open(const char *sticker_url, const char *search_url, struct observer **out, struct error *err)
{
    struct observer *o = *out = calloc(1, sizeof *o);
    if (!o)
        return err_no_memory(err, "observer");
    struct http_client_config cfg = {.base_url = sticker_url, .connect_timeout_ms = TIMEOUT_MS, .max_idle = 1};
    enum status st = sticker_url ? http_client_open(&cfg, &o->sticker, err) : OK;
    cfg.base_url = search_url;
    if (st == OK && search_url)
        st = http_client_open(&cfg, &o->search, err);
    if (st != OK) {
        observer_close(o);
        *out = NULL;
    }
    return st;
}

/* The JSON object at `path`, or NULL. */
static json_t *observer_ask(struct http_client *client, const char *path, int *status)
{
    struct http_call call = {.method = "GET", .path = path, .timeout_ms = TIMEOUT_MS};
    struct buf body;
    json_t *json = NULL;
    *status = 0;
    if (!client)
        return NULL;
    buf_init(&body, ANSWER_MAX);
    if (http_client_call(client, &call, status, &body, NULL) == OK)
        json = json_loadb(buf_str(&body), body.len, 0, NULL);
    buf_free(&body);
    if (json && !json_is_object(json)) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

void observer_look(struct observer *o, struct observed *out)
{
    int status;
    size_t i;
    json_t *model;
    *out = (struct observed){0};
    out->sticker = observer_ask(o->sticker, "/readyz", &status);
    out->sticker_ready = out->sticker && status == 200;
    const json_t *checks = json_object_get(out->sticker, "checks");
    out->stickers = json_member_int(json_object_get(checks, "database"), "stickers");
    out->pending = json_member_int(json_object_get(checks, "outbox"), "pending");

    out->search = observer_ask(o->search, "/api/status", &status);
    if (status != 200) {
        json_decref(out->search);
        out->search = NULL;
    }
    out->documents = json_member_int(out->search, "documents");
    json_array_foreach(json_object_get(out->search, "models"), i, model)
    {
        out->images += json_member_int(model, "indexed");
        out->images_ahead += json_member_int(model, "pending");
    }
}

void observed_free(struct observed *seen)
{
    json_decref(seen->sticker);
    json_decref(seen->search);
    *seen = (struct observed){0};
}

const char *observe_url(const char *host, unsigned port, struct arena *a)
{
    if (strcmp(host, "0.0.0.0") == 0)
        host = "127.0.0.1";
    else if (strcmp(host, "::") == 0)
        host = "::1";
    const char *url =
        strchr(host, ':') ? arena_printf(a, "http://[%s]:%u", host, port) : arena_printf(a, "http://%s:%u", host, port);
    return url ? url : "";
}
