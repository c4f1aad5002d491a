#include "sticker_service/auth.h"

#include "base/os.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void auth_token_new(char key[41])
{
    unsigned char random[20];
    os_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(key + 2 * i, 3, "%02x", random[i]);
}

enum status auth_token_check(const char *key, struct error *err)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++)
        if (key[i] <= ' ' || key[i] > '~')
            return err_set(err, ERR_INVALID, "a token must be visible ASCII characters without spaces");
    if (len < 1 || len > AUTH_KEY_MAX)
        return err_set(err, ERR_INVALID, "a token must have 1 to %d characters, not %zu", AUTH_KEY_MAX, len);
    return OK;
}

void auth_token_hash(const char *key, char hash_hex[65])
{
    os_sha256_hex(key, strlen(key), hash_hex);
}

static bool auth_refuse(struct http_response *res, const char *message)
{
    http_header_add(res, "WWW-Authenticate", "Token");
    http_problem(res, 401, "%s", message);
    return false;
}

/* The active user of "Token <key>". ERR_NOT_FOUND: there is none. */
static enum status find_user(struct sticker_store *store, const char *header, struct arena *a, struct user *user,
                             struct error *err)
{
    char hash[65];
    const char *key = header + 6 + strspn(header + 6, " ");
    if (auth_token_check(key, NULL) != OK)
        return ERR_NOT_FOUND;
    auth_token_hash(key, hash);
    enum status status = sticker_store_token_user(store, hash, a, user, err);
    return status == OK && !user->is_active ? ERR_NOT_FOUND : status;
}

struct origin auth_origin(struct sticker_store *store, struct receipts *receipts, const struct http_request *req)
{
    struct origin origin = receipts_origin(receipts, req->client);
    const char *header = http_header(req, "Authorization");
    struct user user;
    struct error err;
    origin.vouched =
        header && strncasecmp(header, "Token ", 6) == 0 && find_user(store, header, req->arena, &user, &err) == OK;
    return origin;
}

bool auth_user(struct sticker_store *store, const struct http_request *req, struct http_response *res,
               struct user *user)
{
    const char *header = http_header(req, "Authorization");
    struct error err;
    if (!header)
        return auth_refuse(res, "A token is needed: send \"Authorization: Token <key>\".");
    if (strncasecmp(header, "Token ", 6) != 0)
        return auth_refuse(res, "Authorization must be \"Token <key>\".");
    enum status status = find_user(store, header, req->arena, user, &err);
    if (status == ERR_NOT_FOUND)
        return auth_refuse(res, "Invalid token.");
    if (status == ERR_DENIED)
        return auth_refuse(res, err.message);
    if (status != OK)
        http_problem_from(res, &err);
    return status == OK;
}

/* --- rights --- */

/* Staff read everything but people and their doings, edit stickers, and look after searches. */
static const char staff_permissions[] = "dashboard.view queries.view scores.view documents.view"
                                        " documents.change stickers.view stickers.add stickers.change"
                                        " pins.view pins.add pins.change pins.delete"
                                        " synonyms.view synonyms.add synonyms.change synonyms.delete";

static bool lists(const char *permissions, const char *table, const char *right)
{
    size_t table_len = strlen(table), right_len = strlen(right);
    for (const char *at = permissions; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        if (len == table_len + 1 + right_len && memcmp(at, table, table_len) == 0 && at[table_len] == '.' &&
            memcmp(at + table_len + 1, right, right_len) == 0)
            return true;
        at += len;
    }
    return false;
}

bool auth_may(const struct user *user, const char *permissions, const char *table, const char *right)
{
    return user->is_superuser || (user->is_staff && lists(staff_permissions, table, right)) ||
           lists(permissions, table, right);
}

bool auth_permissions(struct sticker_store *store, const struct http_request *req, struct http_response *res,
                      const struct user *user, const char **permissions)
{
    struct error err;
    if (sticker_store_user_permissions(store, user->id, req->arena, permissions, &err) == OK)
        return true;
    http_problem_from(res, &err);
    return false;
}

bool auth_needs(struct http_response *res, const struct user *user, const char *permissions, const char *table,
                const char *right)
{
    if (auth_may(user, permissions, table, right))
        return true;
    http_problem(res, 403, "This token's user may not %s %s.", right, table);
    return false;
}

/* Staff are not asked for their groups, which would cost a second round trip. */
static enum status auth_may_read_analytics(struct sticker_store *store, const struct user *user, struct arena *a,
                                           bool *may, struct error *err)
{
    const char *permissions = "";
    *may = user->is_staff || user->is_superuser;
    enum status st = *may ? OK : sticker_store_user_permissions(store, user->id, a, &permissions, err);
    if (st == OK && !*may)
        *may = lists(permissions, "queries", "view") && lists(permissions, "scores", "view");
    return st;
}

bool auth_analytics(struct sticker_store *store, const struct http_request *req, struct http_response *res,
                    struct user *user)
{
    struct error err;
    bool may = false;
    if (!auth_user(store, req, res, user))
        return false;
    enum status status = auth_may_read_analytics(store, user, req->arena, &may, &err);
    if (status != OK)
        http_problem_from(res, &err);
    else if (!may)
        http_problem(res, 403,
                     "The user of this token may not read analytics: that takes the role staff, or a group "
                     "with the permissions queries.view and scores.view.");
    return may;
}
