/* auth.h: API tokens. The key is shown once to its owner; stores hold only its SHA-256 (a key has 160
 * random bits, so a slow hash would add nothing). */
#ifndef PEEL_STICKER_SERVICE_AUTH_H
#define PEEL_STICKER_SERVICE_AUTH_H

#include "http/server.h"
#include "sticker_service/receipts.h"
#include "sticker_store/sticker_store.h"
#include <stdbool.h>

#define AUTH_KEY_MAX 128 /* bytes; keys made elsewhere (ADMIN_TOKEN) may be up to this long */

void auth_token_new(char key[41]); /* 40 random hex digits */
/* 1..128 visible ASCII characters. ERR_INVALID says so. */
enum status auth_token_check(const char *key, struct error *err) MUST_CHECK;
void auth_token_hash(const char *key, char hash_hex[65]); /* what sticker_store_token_add takes */

/* True when `Authorization: Token <key>` belongs to an active user; otherwise the answer (401 with WWW-Authenticate,
 * 500) has been given. Asked of the store each time: a revocation bites at once. */
bool auth_user(struct sticker_store *store, const struct http_request *req, struct http_response *res,
               struct user *user) MUST_CHECK;
/* Where the request comes from (receipts_origin), and whether it has a valid token, whoever's. */
struct origin auth_origin(struct sticker_store *store, struct receipts *receipts, const struct http_request *req);
/* As auth_user for a user who is staff or a superuser, or whose groups may view both queries and scores, with 403 for
 * others. */
bool auth_analytics(struct sticker_store *store, const struct http_request *req, struct http_response *res,
                    struct user *user) MUST_CHECK;

/* The permissions of that user's groups, for auth_may. False: the answer has been given. */
bool auth_permissions(struct sticker_store *store, const struct http_request *req, struct http_response *res,
                      const struct user *user, const char **permissions) MUST_CHECK;
/* May the token's user do that? False: 403 has been answered. */
bool auth_needs(struct http_response *res, const struct user *user, const char *permissions, const char *table,
                const char *right) MUST_CHECK;

/* May this user, whose groups give these permissions ("pins.view pins.add"), do that? table: "dashboard" or one of the
 * admin's; right: view, add, change or delete. Superusers may do everything, staff what auth.c says. */
bool auth_may(const struct user *user, const char *permissions, const char *table, const char *right) MUST_CHECK;

#endif
