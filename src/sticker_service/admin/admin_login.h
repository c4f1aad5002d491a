/* admin_login.h: proving who one is: what logging in (admin_login.c), one's own account (admin_account.c) and
 * two-factor authentication (admin_two_factor.c) share. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_ADMIN_LOGIN_H
#define PEEL_STICKER_SERVICE_ADMIN_ADMIN_LOGIN_H

#include "sticker_service/admin/admin.h"

#define LOGIN_FIELDS 16 /* of a form */

struct login_attempt {
    const char *username, *password, *next, *address;
    const char *device; /* the browser's cookie, "" for none */
    struct login_rule rules[2];
};
/* The password. OK: *user is who they say. ERR_DENIED: wrong. ERR_TIMEOUT: too early, *wait_us. Others, such as
 * ERR_UNAVAILABLE and ERR_NO_MEMORY: it could not be checked, and is no failed attempt. */
enum status login_check(struct sticker_service *s, struct login_attempt *t, struct arena *a, struct user *user,
                        int64_t *wait_us, struct error *err) MUST_CHECK;
/* The second factor, in the same way: a code of the user's app, which is accepted once, or a recovery code, which is
 * used up. Without two-factor authentication nothing is asked. */
enum status login_check_code(struct sticker_service *s, struct login_attempt *t, const struct user *user,
                             const char *code, struct arena *a, int64_t *wait_us, struct error *err) MUST_CHECK;

/* The path of the page that turns two-factor authentication on. */
#define TWO_FACTOR_PATH "/admin/two-factor"
/* Recovery codes: 80 random bits as 16 characters, shown in groups of four, kept as a SHA-256. */
#define RECOVERY_CODES 10
#define RECOVERY_CHARS 16
/* What a code is kept as; however it was typed. */
void recovery_hash(const char *typed, char hash[65]);

#endif
