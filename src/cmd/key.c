/* peel key create NAME [--limit N], peel key list, peel key delete NAME */
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/verb.h"
#include "sticker_service/auth.h"

#include <stdio.h>

static enum status key_create(const struct verb_call *call, struct error *err)
{
    char key[41], hash[65];
    int64_t limit = config_int(call->cfg, "limit");
    auth_token_new(key);
    auth_token_hash(key, hash);
    enum status st = sticker_store_app_key_add(call->store, call->operand, hash, limit, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(
            json_pack("{s:s, s:s, s:I}", "name", call->operand, "key", key, "limit", (json_int_t)limit), err);
    if (st == OK)
        printf("API key of \"%s\" (will not be shown again): %s\n", call->operand, key);
    return st;
}

static json_t *keys_json(const struct app_key *keys, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        char made[28], used[28];
        os_format_time(keys[i].created_us, made);
        os_format_time(keys[i].last_used_us, used);
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s, s:s?}", "name", keys[i].name, "limit",
                                              (json_int_t)keys[i].per_minute, "requests", (json_int_t)keys[i].requests,
                                              "created", made, "last_used", keys[i].last_used_us ? used : NULL));
    }
    return list;
}

static enum status key_list(const struct verb_call *call, struct error *err)
{
    struct app_key *keys;
    size_t n;
    enum status st = sticker_store_app_key_list(call->store, call->arena, &keys, &n, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(keys_json(keys, n), err);
    for (size_t i = 0; st == OK && i < n; i++) {
        char made[28], used[28] = "never     ", limit[32] = "unlimited";
        os_format_time(keys[i].created_us, made);
        if (keys[i].last_used_us)
            os_format_time(keys[i].last_used_us, used);
        if (keys[i].per_minute)
            snprintf(limit, sizeof limit, "%lld/min", (long long)keys[i].per_minute);
        printf("%-20s  %12s  %12lld requests  created %.10s  used %.10s\n", keys[i].name, limit,
               (long long)keys[i].requests, made, used);
    }
    return st;
}

static enum status key_delete(const struct verb_call *call, struct error *err)
{
    enum status st = sticker_store_app_key_delete(call->store, call->operand, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:s, s:s}", "name", call->operand, "done", "deleted"), err);
    if (st == OK)
        printf("Deleted the key of \"%s\".\n", call->operand);
    return st;
}

int cmd_key(const struct config *cfg)
{
    static const struct verb verbs[] = {{"create", key_create}, {"list", key_list}, {"delete", key_delete}};
    return cmd_verb(cfg, verbs);
}
