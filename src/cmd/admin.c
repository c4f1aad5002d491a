#include "cmd/admin.h"

#include "base/log.h"
#include "base/password.h"
#include "base/secret.h"
#include "sticker_service/auth.h"

#include <stdio.h>
#include <string.h>

#define PASSWORD_CHARS 20 /* of 5 bits */

struct made { /* what was made up, to be printed */
    char password[PASSWORD_CHARS + 1];
    char token[41];
};

static enum status make_user(struct sticker_store *store, const struct config *cfg, const char *name,
                             const char *password, struct error *err)
{
    char hash[SECRET_HASH_SIZE];
    enum status st = password_check(password, name, config_string(cfg, "password-deny-list"), err);
    if (st != OK)
        return err_prefix(err, "--admin-password");
    if ((st = secret_hash_password(password, hash, err)) != OK)
        return st;
    struct user user = {
        .username = name, .password_hash = hash, .is_staff = true, .is_superuser = true, .is_active = true};
    st = sticker_store_user_add(store, &user, err);
    if (st == OK)
        log_info("created the admin \"%s\"", name);
    return st == ERR_CONFLICT ? OK : st; /* another process was faster */
}

/* Adds `token` to `name` unless it is there. */
static enum status make_token(struct sticker_store *store, const char *name, const char *token, struct arena *a,
                              struct error *err)
{
    char hash[65];
    struct user owner;
    enum status st = auth_token_check(token, err);
    if (st != OK)
        return err_prefix(err, "--admin-token");
    auth_token_hash(token, hash);
    st = sticker_store_token_user(store, hash, a, &owner, err);
    if (st == ERR_NOT_FOUND) {
        st = sticker_store_token_add(store, name, "admin", hash, 0, err);
        return st == ERR_CONFLICT ? OK : st;
    }
    if (st == ERR_DENIED) { /* it was given an end in the admin pages */
        log_warn("the token in --admin-token is not valid: %s", err->message);
        return OK;
    }
    if (st == OK && strcmp(owner.username, name) != 0)
        log_warn("the token in --admin-token belongs to \"%s\", not to \"%s\"; it was not changed", owner.username,
                 name);
    return st;
}

static void print_made(const char *name, const struct made *made, bool password_known)
{
    printf("Created the admin account. Save these now, they will not be shown again:\n  username  %s\n", name);
    if (!password_known)
        printf("  password  %s\n", made->password);
    if (made->token[0])
        printf("  token     %s\n", made->token);
    fflush(stdout);
}

enum status admin_ensure(struct sticker_store *store, const struct config *cfg, bool first_start, struct error *err)
{
    const char *name = config_string(cfg, "admin-username");
    const char *password = config_string(cfg, "admin-password");
    const char *token = config_string(cfg, "admin-token");
    bool asked = config_is_set(cfg, "admin-username") || password || token;
    if (!asked && !first_start)
        return OK;
    struct arena a;
    struct user user, *users;
    size_t n = 0;
    arena_init(&a, 64u << 20);
    enum status st = sticker_store_user_get(store, name, &a, &user, err);
    bool exists = st == OK;
    if (st == ERR_NOT_FOUND)
        st = asked ? OK : sticker_store_user_list(store, &a, &users, &n, err);
    if (st == OK && !exists && n == 0) {
        struct made made = {"", ""};
        if (!password)
            secret_random_text(made.password, PASSWORD_CHARS);
        if (!token && first_start)
            auth_token_new(made.token);
        st = make_user(store, cfg, name, password ? password : made.password, err);
        if (st == OK && made.token[0])
            st = make_token(store, name, made.token, &a, err);
        if (st == OK && first_start && (!password || made.token[0]))
            print_made(name, &made, password != NULL);
        else if (st == OK && !password)
            log_warn("\"%s\" has a random password; set one with `peel user passwd %s`", name, name);
    }
    if (st == OK && token)
        st = make_token(store, name, token, &a, err);
    arena_free(&a);
    return st;
}
