/* audit.h: who came in, who took data out and what commands did, in the history beside what admins changed. */
#ifndef PEEL_STICKER_SERVICE_AUDIT_H
#define PEEL_STICKER_SERVICE_AUDIT_H

#include "sticker_store/sticker_admin.h"

/* One entry about what was done already: `list` and `object` say to what, `after` is JSON or "" (NULL: there was no
 * memory for it). On the disk when this returns OK. Failed logins are not here but in the log: whoever guesses
 * must not be able to fill the database. */
enum status audit_note(struct sticker_store *s, const char *username, const char *address, enum change_op op,
                       const char *list, const char *object, const char *after, struct error *err) MUST_CHECK;

#endif
