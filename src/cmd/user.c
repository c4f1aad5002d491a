/* peel user create|passwd|totp-reset|delete USERNAME, peel user list */
#include "base/os.h"
#include "base/password.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "cmd/prompt.h"
#include "cmd/verb.h"
#include "sticker_service/audit.h"

#include <stdio.h>
#include <string.h>

static enum status new_password_hash(const struct config *cfg, const char *username, char hash[SECRET_HASH_SIZE],
                                     struct error *err)
{
    char typed[SECRET_MOST_PASSWORD + 3];
    const char *password = config_string(cfg, "password");
    enum status st = OK;
    if (!password) {
        st = prompt_password(typed, sizeof typed, err);
        password = typed;
    }
    if (st == OK)
        st = password_check(password, username, config_string(cfg, "password-deny-list"), err);
    if (st == OK)
        st = secret_hash_password(password, hash, err);
    explicit_bzero(typed, sizeof typed);
    return st;
}

static const char *role_of(const struct user *user)
{
    return user->is_superuser ? "superuser" : user->is_staff ? "staff" : "user";
}

/* Prints what was done, as JSON {"username":..., "done":...} or as `text` and the name. */
static enum status user_done(const struct verb_call *call, const char *done, const char *text, struct error *err)
{
    if (config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:s, s:s}", "username", call->operand, "done", done), err);
    printf("%s \"%s\".\n", text, call->operand);
    return OK;
}

/* May read what people searched for and how they voted, in the API and the admin pages, and nothing else. */
#define ANALYTICS_GROUP       "analytics"
#define ANALYTICS_PERMISSIONS "dashboard.view queries.view scores.view"

static enum status create_analyst(const struct verb_call *call, const struct user *user, struct error *err)
{
    const char *permissions;
    if (user->is_staff)
        return err_set(err, ERR_INVALID, "--analytics is for users without --staff or --superuser, who may read it");
    enum status st = sticker_store_user_add_to_group(call->store, user, ANALYTICS_GROUP, ANALYTICS_PERMISSIONS,
                                                     call->arena, &permissions, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:s, s:s, s:s, s:s}", "username", user->username, "done", "created", "role",
                                        "user", "permissions", permissions),
                              err);
    if (st == OK)
        printf("Created user \"%s\" in the group \"" ANALYTICS_GROUP "\", who may: %s.\n", user->username, permissions);
    return st;
}

static enum status user_create(const struct verb_call *call, struct error *err)
{
    char hash[SECRET_HASH_SIZE];
    struct user user = {.username = call->operand,
                        .password_hash = hash,
                        .is_staff = config_bool(call->cfg, "staff") || config_bool(call->cfg, "superuser"),
                        .is_superuser = config_bool(call->cfg, "superuser"),
                        .is_active = true};
    enum status st = new_password_hash(call->cfg, call->operand, hash, err);
    if (st == OK && config_bool(call->cfg, "analytics"))
        return create_analyst(call, &user, err);
    if (st == OK)
        st = sticker_store_user_add(call->store, &user, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(
            json_pack("{s:s, s:s, s:s}", "username", call->operand, "done", "created", "role", role_of(&user)), err);
    if (st == OK)
        printf("Created %s%s \"%s\".\n", role_of(&user), user.is_staff && !user.is_superuser ? " user" : "",
               call->operand);
    return st;
}

static enum status user_passwd(const struct verb_call *call, struct error *err)
{
    char hash[SECRET_HASH_SIZE];
    struct user user;
    enum status st =
        sticker_store_user_get(call->store, call->operand, call->arena, &user, err); /* before anything is asked */
    if (st == OK)
        st = new_password_hash(call->cfg, call->operand, hash, err);
    if (st == OK)
        st = sticker_store_user_passwd(call->store, call->operand, hash, "", err);
    return st == OK ? user_done(call, "changed", "Changed the password of", err) : st;
}

/* For somebody who has lost the app and the recovery codes. */
static enum status user_totp_reset(const struct verb_call *call, struct error *err)
{
    enum status st = sticker_store_totp_set(call->store, call->operand, "", 0, NULL, 0, "", err);
    if (st == OK)
        st = audit_note(call->store, cmd_who()->username, cmd_who()->address, CHANGE_TWO_FACTOR, "users", call->operand,
                        "{\"two_factor\":\"off\"}", err);
    return st == OK ? user_done(call, "reset", "Turned off two-factor authentication and ended all sessions of", err)
                    : st;
}

static json_t *users_json(const struct user *users, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        char when[28];
        os_format_time(users[i].created_us, when);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:s}", "username", users[i].username, "role",
                                              role_of(&users[i]), "active", users[i].is_active, "two_factor",
                                              *users[i].totp != '\0', "created", when));
    }
    return list;
}

static enum status user_list(const struct verb_call *call, struct error *err)
{
    struct user *users;
    size_t n;
    enum status st = sticker_store_user_list(call->store, call->arena, &users, &n, err);
    if (st == OK && config_bool(call->cfg, "json"))
        return cmd_print_json(users_json(users, n), err);
    for (size_t i = 0; st == OK && i < n; i++) {
        char when[28];
        os_format_time(users[i].created_us, when);
        printf("%-30s %-9s %-8s since %.10s%s\n", users[i].username, role_of(&users[i]),
               users[i].is_active ? "active" : "inactive", when, *users[i].totp ? "  two-factor" : "");
    }
    return st;
}

static enum status user_delete(const struct verb_call *call, struct error *err)
{
    enum status st = sticker_store_user_delete(call->store, call->operand, err);
    return st == OK ? user_done(call, "deleted", "Deleted the account and all tokens of", err) : st;
}

int cmd_user(const struct config *cfg)
{
    static const struct verb verbs[] = {{"create", user_create},
                                        {"passwd", user_passwd},
                                        {"totp-reset", user_totp_reset},
                                        {"delete", user_delete},
                                        {"list", user_list}};
    return cmd_verb(cfg, verbs);
}
