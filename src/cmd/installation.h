/* installation.h: what is stored on a data folder and what its services say, for `peel status`, `reindex` and `doctor`.
 */
#ifndef PEEL_CMD_INSTALLATION_H
#define PEEL_CMD_INSTALLATION_H

#include "base/arena.h"
#include "cmd/observe.h"
#include "config/config.h"

struct installation {
    const struct config *cfg;
    bool database; /* there is one */
    int64_t stickers, queries, pending;
    const char *sticker_url, *search_url; /* NULL: it does not run on this data folder */
    struct observed seen;
    struct observer *observer;
};
/* The URLs live as long as the config and the arena. */
enum status installation_open(const struct config *cfg, struct arena *a, struct installation *out,
                              struct error *err) MUST_CHECK;
void installation_close(struct installation *i);
/* Asks the services, then the database, of which it makes none where there is none. */
enum status installation_look(struct installation *i, struct error *err) MUST_CHECK;
/* Shows progress until nothing is waiting to be indexed; look before. ERR_UNAVAILABLE: a service that has to do it does
 * not answer. ERR_CANCELLED: cmd_stopped. */
enum status installation_watch(struct installation *i, struct error *err) MUST_CHECK;

/* Whether SearchService has as many documents as there are stickers. */
enum installation_index { INDEX_UNKNOWN /* or changes are pending */, INDEX_COMPLETE, INDEX_DIFFERS };
enum installation_index installation_index(const struct installation *i);

#endif
