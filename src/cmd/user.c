/* peel user create|passwd|delete USERNAME, peel user list */
#include "base/os.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "cmd/prompt.h"

#include <stdio.h>
#include <string.h>

static enum status new_password_hash(const struct config *cfg, char hash[SECRET_HASH_SIZE], struct error *err)
{
    char typed[SECRET_MOST_PASSWORD + 3];
    const char *password = config_string(cfg, "password");
    enum status st = OK;
    if (!password) {
        st = prompt_password(typed, sizeof typed, err);
        password = typed;
    }
    if (st == OK)
        st = secret_hash_password(password, hash, err);
    explicit_bzero(typed, sizeof typed);
    return st;
}

static enum status user_create(const struct config *cfg, struct sticker_store *store, const char *name,
                               struct error *err)
{
    char hash[SECRET_HASH_SIZE];
    struct user user = {.username = name,
                        .password_hash = hash,
                        .is_staff = config_bool(cfg, "staff") || config_bool(cfg, "superuser"),
                        .is_superuser = config_bool(cfg, "superuser"),
                        .is_active = true};
    enum status st = new_password_hash(cfg, hash, err);
    if (st == OK)
        st = sticker_store_user_add(store, &user, err);
    if (st == OK)
        printf("Created %s \"%s\".\n", user.is_superuser ? "superuser" : user.is_staff ? "staff user" : "user", name);
    return st;
}

static enum status user_passwd(const struct config *cfg, struct sticker_store *store, const char *name, struct arena *a,
                               struct error *err)
{
    char hash[SECRET_HASH_SIZE];
    struct user user;
    enum status st = sticker_store_user_get(store, name, a, &user, err); /* before anything is asked */
    if (st == OK)
        st = new_password_hash(cfg, hash, err);
    if (st == OK)
        st = sticker_store_user_passwd(store, name, hash, "", err);
    if (st == OK)
        printf("Changed the password of \"%s\".\n", name);
    return st;
}

static enum status user_list(struct sticker_store *store, struct arena *a, struct error *err)
{
    struct user *users;
    size_t n;
    enum status st = sticker_store_user_list(store, a, &users, &n, err);
    for (size_t i = 0; st == OK && i < n; i++) {
        char when[28];
        os_format_time(users[i].created_us, when);
        printf("%-30s %-9s %-8s since %.10s\n", users[i].username,
               users[i].is_superuser ? "superuser"
               : users[i].is_staff   ? "staff"
                                     : "user",
               users[i].is_active ? "active" : "inactive", when);
    }
    return st;
}

int cmd_user(const struct config *cfg)
{
    const char *const *args;
    size_t n = config_args(cfg, &args);
    bool lists = strcmp(args[0], "list") == 0;
    bool known =
        lists || strcmp(args[0], "create") == 0 || strcmp(args[0], "passwd") == 0 || strcmp(args[0], "delete") == 0;
    if (!known)
        return cmd_usage("peel user: expected create, passwd, delete or list, found \"%s\"", args[0]);
    if (lists != (n == 1))
        return cmd_usage("usage: peel user %s%s", args[0], lists ? "" : " USERNAME");

    struct error err;
    struct arena a;
    struct sticker_store *store;
    arena_init(&a, 64u << 20);
    enum status st = cmd_open_stickers(cfg, 1, &store, &err);
    if (st == OK && lists) {
        st = user_list(store, &a, &err);
    } else if (st == OK && strcmp(args[0], "create") == 0) {
        st = user_create(cfg, store, args[1], &err);
    } else if (st == OK && strcmp(args[0], "passwd") == 0) {
        st = user_passwd(cfg, store, args[1], &a, &err);
    } else if (st == OK) {
        st = sticker_store_user_delete(store, args[1], &err);
        if (st == OK)
            printf("Deleted \"%s\" and its tokens.\n", args[1]);
    }
    sticker_store_close(store);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
