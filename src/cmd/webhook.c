/* peel webhook add URL [--events LIST], list, remove ID, enable ID, disable ID, test ID (docs/WEBHOOKS.md) */
#include "sticker_service/webhooks.h"

#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_US 20000000 /* how long a test is waited for: a turn and a call */
#define LOOK_US 100000

static enum status read_id(const struct verb_call *call, int64_t *id, struct error *err)
{
    const char *text = call->operand;
    size_t len = strlen(text);
    if (!len || len > 9 || strspn(text, "0123456789") != len || !(*id = strtoll(text, NULL, 10)))
        return err_set(err, ERR_INVALID,
                       "expected the number of a webhook, as `peel webhook list` shows it, found \"%s\"", text);
    return OK;
}

static enum status webhook_add(const struct verb_call *call, struct error *err)
{
    char secret[WEBHOOK_SECRET_SIZE];
    int64_t id;
    const struct webhook w = {.url = call->operand, .events = config_string(call->cfg, "events"), .secret = secret};
    webhook_secret_new(secret);
    enum status st = webhook_url_check(w.url, err);
    if (st == OK)
        st = sticker_store_webhook_add(call->store, cmd_who(), &w, &id, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(
            json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)id, "url", w.url, "events", w.events, "secret", secret),
            err);
    if (st == OK)
        printf("Added webhook %lld. Its secret (will not be shown again): %s\n", (long long)id, secret);
    return st;
}

static enum status webhook_list(const struct verb_call *call, struct error *err)
{
    struct webhook *list;
    size_t n;
    enum status st = sticker_store_webhook_list(call->store, 0, call->arena, &list, &n, err);
    bool as_json = config_bool(call->cfg, "json");
    json_t *json = json_array();
    for (size_t i = 0; st == OK && i < n; i++) {
        const struct webhook *w = &list[i];
        if (as_json)
            json_array_append_new(json, json_pack("{s:I, s:s, s:s, s:b, s:s, s:I, s:I}", "id", (json_int_t)w->id, "url",
                                                  w->url, "events", w->events, "enabled", !*w->disabled, "disabled",
                                                  w->disabled, "failures", (json_int_t)w->failures, "waiting",
                                                  (json_int_t)w->waiting));
        else
            printf("%lld  %s  %s  %lld waiting  %s\n", (long long)w->id, w->url, *w->events ? w->events : "all events",
                   (long long)w->waiting,
                   *w->disabled  ? w->disabled
                   : w->failures ? "failing"
                                 : "enabled");
    }
    if (st == OK && as_json)
        return cmd_print_json(json, err);
    json_decref(json);
    return st;
}

static enum status done(const struct verb_call *call, int64_t id, const char *what, struct error *err)
{
    if (config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:I, s:s}", "id", (json_int_t)id, "done", what), err);
    printf("Webhook %lld is %s.\n", (long long)id, what);
    return OK;
}

static enum status webhook_remove(const struct verb_call *call, struct error *err)
{
    int64_t id;
    enum status st = read_id(call, &id, err);
    if (st == OK)
        st = sticker_store_webhook_remove(call->store, cmd_who(), id, err);
    return st == OK ? done(call, id, "removed", err) : st;
}

static enum status webhook_enable(const struct verb_call *call, struct error *err)
{
    int64_t id;
    enum status st = read_id(call, &id, err);
    if (st == OK)
        st = sticker_store_webhook_disable(call->store, cmd_who(), id, "", err);
    return st == OK ? done(call, id, "enabled", err) : st;
}

static enum status webhook_disable(const struct verb_call *call, struct error *err)
{
    int64_t id;
    enum status st = read_id(call, &id, err);
    if (st == OK)
        st = sticker_store_webhook_disable(call->store, cmd_who(), id, "Switched off.", err);
    return st == OK ? done(call, id, "disabled", err) : st;
}

/* What became of a delivery; attempts is 0 while it waits. */
static enum status find_delivery(const struct verb_call *call, int64_t id, int64_t seq, struct webhook_delivery *out,
                                 struct error *err)
{
    struct webhook_delivery *list;
    size_t n;
    arena_reset(call->arena);
    enum status st = sticker_store_webhook_deliveries(call->store, id, 100, call->arena, &list, &n, err);
    *out = (struct webhook_delivery){.seq = seq};
    for (size_t i = 0; st == OK && i < n; i++)
        if (list[i].seq == seq)
            *out = list[i];
    return st;
}

/* StickerService sends it, as it would send anything else. */
static enum status webhook_test(const struct verb_call *call, struct error *err)
{
    struct webhook_delivery d;
    int64_t id, seq, until_us = os_monotonic_us() + TEST_US;
    enum status st = read_id(call, &id, err);
    if (st == OK)
        st = sticker_store_webhook_test(call->store, id, &seq, err);
    do {
        usleep(LOOK_US);
        if (st == OK)
            st = find_delivery(call, id, seq, &d, err);
    } while (st == OK && !d.attempts && os_monotonic_us() < until_us);
    if (st == OK && !d.attempts)
        return err_set(err, ERR_TIMEOUT,
                       "nothing was sent within %d s: StickerService is not running, or earlier deliveries fail;"
                       " the test will be sent after them",
                       TEST_US / 1000000);
    if (st == OK && !d.delivered_us)
        return err_set(err, ERR_UNAVAILABLE, "the test failed and will be sent again: %s", d.error);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(
            json_pack("{s:I, s:s, s:I}", "id", (json_int_t)id, "done", "delivered", "status", (json_int_t)d.status),
            err);
    if (st == OK)
        printf("The receiver answered with status %lld.\n", (long long)d.status);
    return st;
}

int cmd_webhook(const struct config *cfg)
{
    static const struct verb verbs[] = {{"add", webhook_add},         {"list", webhook_list},
                                        {"remove", webhook_remove},   {"enable", webhook_enable},
                                        {"disable", webhook_disable}, {"test", webhook_test}};
    return cmd_verb(cfg, verbs);
}
