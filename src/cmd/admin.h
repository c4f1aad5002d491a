/* admin.h: the first admin, made at start. */
#ifndef PEEL_CMD_ADMIN_H
#define PEEL_CMD_ADMIN_H

#include "config/config.h"
#include "sticker_store/sticker_store.h"

/* Creates the admin that --admin-username, --admin-password and --admin-token describe, and adds the
 * token, where they do not exist yet; an admin who exists keeps the password. With `first_start` and none of
 * the three given, an admin with a random password and token is made if there is no user at all; what
 * was made up is printed once, on standard output. */
enum status admin_ensure(struct sticker_store *store, const struct config *cfg, bool first_start,
                         struct error *err) MUST_CHECK;

#endif
