/* peel token create USERNAME [--label TEXT], peel token list, peel token revoke ID */
#include "base/os.h"
#include "cmd/cmd.h"
#include "sticker_service/auth.h"

#include <stdio.h>
#include <string.h>

static enum status token_create(const struct config *cfg, struct sticker_store *store, const char *name,
                                struct error *err)
{
    char key[41], hash[65];
    auth_token_new(key);
    auth_token_hash(key, hash);
    enum status st = sticker_store_token_add(store, name, config_string(cfg, "label"), hash, err);
    if (st == OK)
        printf("Token of \"%s\", shown once: %s\n", name, key);
    return st;
}

static enum status token_list(struct sticker_store *store, struct arena *a, struct error *err)
{
    struct token *tokens;
    size_t n;
    enum status st = sticker_store_token_list(store, a, &tokens, &n, err);
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

int cmd_token(const struct config *cfg)
{
    const char *const *args;
    size_t n = config_args(cfg, &args);
    bool lists = strcmp(args[0], "list") == 0, creates = strcmp(args[0], "create") == 0;
    if (!lists && !creates && strcmp(args[0], "revoke") != 0)
        return cmd_usage("peel token: expected create, list or revoke, found \"%s\"", args[0]);
    if (lists != (n == 1))
        return cmd_usage("usage: peel token %s%s", args[0], lists ? "" : creates ? " USERNAME" : " ID");

    struct error err;
    struct arena a;
    struct sticker_store *store;
    arena_init(&a, 64u << 20);
    enum status st = cmd_open_stickers(cfg, 1, &store, &err);
    if (st == OK && lists) {
        st = token_list(store, &a, &err);
    } else if (st == OK && creates) {
        st = token_create(cfg, store, args[1], &err);
    } else if (st == OK) {
        st = sticker_store_token_revoke(store, args[1], &err);
        if (st == OK)
            printf("Revoked %s.\n", args[1]);
    }
    sticker_store_close(store);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
