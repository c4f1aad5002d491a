/* sticker_admin.h: what the admin pages ask of the sticker store, beside sticker_store.h, whose rules hold
 * here too: who is logged in, how often somebody tried to. */
#ifndef PEEL_STORE_STICKER_ADMIN_H
#define PEEL_STORE_STICKER_ADMIN_H

#include "store/sticker_store.h"

/* --- sessions --- (a session is known by the SHA-256 of its token, which only the browser has) */
struct session {
    struct user user;
    const char *permissions; /* of the user's groups: "stickers.view stickers.change", "" without any */
    int64_t created_us, seen_us;
};
enum status sticker_store_session_add(struct sticker_store *s, const char *user_id, const char *hash_hex,
                                      const char *address, struct error *err) MUST_CHECK;
/* NOT_FOUND when there is none, when it began most_us ago or was last used idle_us ago, or its user is not active.
 * That it is used is noted once a minute. */
enum status sticker_store_session_get(struct sticker_store *s, const char *hash_hex, int64_t idle_us, int64_t most_us,
                                      struct arena *a, struct session *out, struct error *err) MUST_CHECK;
/* Ended sessions stay ended: DURABLE. One that does not exist is OK. */
enum status sticker_store_session_end(struct sticker_store *s, const char *hash_hex, struct error *err) MUST_CHECK;
/* All of the user but this one ("" for all). */
enum status sticker_store_session_end_others(struct sticker_store *s, const char *user_id, const char *hash_hex,
                                             struct error *err) MUST_CHECK;

/* --- throttling of logins --- kept in the database, so that it holds for all StickerServices together and over
 * their restarts. */
struct login_rule {
    const char *key;    /* "account admin", "address 192.0.2.1" */
    int64_t free;       /* attempts before there is any delay, which then doubles with each, from 1 s */
    int64_t longest_us; /* the longest delay */
};
#define LOGIN_FORGOTTEN_US (3600 * 1000000ll) /* since the last attempt */
/* Counts an attempt for each rule, as a failure until login_succeeded says otherwise, and sets *wait_us to 0; or,
 * within a rule's delay after its last attempt, counts nothing and says how long it still lasts. */
enum status sticker_store_login_try(struct sticker_store *s, const struct login_rule *rules, size_t n, int64_t *wait_us,
                                    struct error *err) MUST_CHECK;
/* Forgets the failures of the first rule, and one of each of the others. */
enum status sticker_store_login_succeeded(struct sticker_store *s, const struct login_rule *rules, size_t n,
                                          struct error *err) MUST_CHECK;

#endif
