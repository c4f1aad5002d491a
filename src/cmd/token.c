/* peel token create USERNAME [--label TEXT] [--expires TIME], peel token list, peel token revoke ID */
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/verb.h"
#include "sticker_service/auth.h"

#include <stdio.h>

static enum status token_create(const struct verb_call *call, struct error *err)
{
    char key[41], hash[65], until[28];
    const char *label = config_string(call->cfg, "label");
    int64_t lasts_s = config_int(call->cfg, "expires");
    int64_t expires_us = lasts_s ? os_now_us() + lasts_s * 1000000 : 0;
    auth_token_new(key);
    auth_token_hash(key, hash);
    os_format_time(expires_us, until);
    enum status st = sticker_store_token_add(call->store, call->operand, label, hash, expires_us, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:s, s:s, s:s, s:s?}", "username", call->operand, "label", label, "token",
                                        key, "expires", expires_us ? until : NULL),
                              err);
    if (st == OK)
        printf("API token for \"%s\" (will not be shown again): %s\n", call->operand, key);
    if (st == OK && expires_us)
        printf("It expires on %.10s at %.5s UTC.\n", until, until + 11);
    return st;
}

static json_t *tokens_json(const struct token *tokens, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        char made[28], used[28], until[28];
        os_format_time(tokens[i].created_us, made);
        os_format_time(tokens[i].last_used_us, used);
        os_format_time(tokens[i].expires_us, until);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?}", "id", tokens[i].id, "username",
                                              tokens[i].username, "label", tokens[i].label, "created", made,
                                              "last_used", tokens[i].last_used_us ? used : NULL, "expires",
                                              tokens[i].expires_us ? until : NULL));
    }
    return list;
}

static enum status token_list(const struct verb_call *call, struct error *err)
{
    struct token *tokens;
    size_t n;
    enum status st = sticker_store_token_list(call->store, call->arena, &tokens, &n, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(tokens_json(tokens, n), err);
    for (size_t i = 0; st == OK && i < n; i++) {
        char made[28], used[28] = "never     ", until[28] = "never     ";
        os_format_time(tokens[i].created_us, made);
        if (tokens[i].last_used_us)
            os_format_time(tokens[i].last_used_us, used);
        if (tokens[i].expires_us)
            os_format_time(tokens[i].expires_us, until);
        printf("%s  %-20s created %.10s  used %.10s  expires %.10s  %s\n", tokens[i].id, tokens[i].username, made, used,
               until, tokens[i].label);
    }
    return st;
}

static enum status token_revoke(const struct verb_call *call, struct error *err)
{
    enum status st = sticker_store_token_revoke(call->store, call->operand, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:s, s:s}", "id", call->operand, "done", "revoked"), err);
    if (st == OK)
        printf("Revoked %s.\n", call->operand);
    return st;
}

int cmd_token(const struct config *cfg)
{
    static const struct verb verbs[] = {{"create", token_create}, {"list", token_list}, {"revoke", token_revoke}};
    return cmd_verb(cfg, verbs);
}
