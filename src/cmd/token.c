/* peel token create USERNAME [--label TEXT], peel token list, peel token revoke ID */
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/verb.h"
#include "sticker_service/auth.h"

#include <stdio.h>

static enum status token_create(const struct verb_call *call, struct error *err)
{
    char key[41], hash[65];
    auth_token_new(key);
    auth_token_hash(key, hash);
    enum status st = sticker_store_token_add(call->store, call->operand, config_string(call->cfg, "label"), hash, err);
    if (st == OK)
        printf("API token for \"%s\" (will not be shown again): %s\n", call->operand, key);
    return st;
}

static enum status token_list(const struct verb_call *call, struct error *err)
{
    struct token *tokens;
    size_t n;
    enum status st = sticker_store_token_list(call->store, call->arena, &tokens, &n, err);
    for (size_t i = 0; st == OK && i < n; i++) {
        char made[28], used[28] = "never     ";
        os_format_time(tokens[i].created_us, made);
        if (tokens[i].last_used_us)
            os_format_time(tokens[i].last_used_us, used);
        printf("%s  %-20s created %.10s  used %.10s  %s\n", tokens[i].id, tokens[i].username, made, used,
               tokens[i].label);
    }
    return st;
}

static enum status token_revoke(const struct verb_call *call, struct error *err)
{
    enum status st = sticker_store_token_revoke(call->store, call->operand, err);
    if (st == OK)
        printf("Revoked %s.\n", call->operand);
    return st;
}

int cmd_token(const struct config *cfg)
{
    static const struct verb verbs[] = {{"create", token_create}, {"list", token_list}, {"revoke", token_revoke}};
    return cmd_verb(cfg, verbs);
}
