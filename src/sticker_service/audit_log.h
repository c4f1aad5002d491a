/* audit_log.h: writes the history to a place outside of the database as well, where who can change the database cannot
 * change it: a file of JSON lines, or syslog.
 *
 * A thread takes entries from the database in their order, once a second, writes them and then notes how far it came:
 * so none is lost over crashes and restarts, and after a crash some may come twice. A file is opened anew for each
 * batch and synced, so that logrotate may move it at any time. */
#ifndef PEEL_STICKER_SERVICE_AUDIT_LOG_H
#define PEEL_STICKER_SERVICE_AUDIT_LOG_H

#include "base/status.h"
#include "sticker_store/sticker_store.h"

struct audit_log;
/* `target`: a file's path, "syslog" (the socket /dev/log) or "syslog:PATH". Nothing is opened yet: a target that cannot
 * be written to is logged and tried again. The store outlives this. */
enum status audit_log_open(struct sticker_store *store, const char *target, struct audit_log **out,
                           struct error *err) MUST_CHECK;
void audit_log_close(struct audit_log *l); /* writes what is left; NULL is fine */

#endif
