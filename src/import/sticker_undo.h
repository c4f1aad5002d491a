/* sticker_undo.h: takes back an import: what it added goes to the trash, and what it changed becomes what it was
 * before. What somebody has changed since is left as it is. */
#ifndef PEEL_IMPORT_STICKER_UNDO_H
#define PEEL_IMPORT_STICKER_UNDO_H

#include "sticker_store/sticker_imports.h"

struct sticker_undo {
    struct sticker_store *store;
    const struct admin_who *who; /* with a batch of its own, for the entries of the history */
    bool (*stopped)(void *ctx);  /* asked often; may be NULL */
    void (*progress)(void *ctx, size_t done, size_t total); /* may be NULL */
    void (*left)(void *ctx, const char *filename);          /* at the end: it was changed since; may be NULL */
    void *ctx;
    size_t removed, restored, n_left; /* counted */
};
/* For the holder of import_lock, as a running import would add more. Part after part, each in one transaction, from the
 * last change to the first. Notes that the import was undone; what was left can be tried again. ERR_CANCELLED when
 * stopped: the rest can be undone later. ERR_CONFLICT: somebody changed a sticker at that very moment. DURABLE. */
enum status sticker_undo_import(struct sticker_undo *u, const struct import_record *import,
                                struct error *err) MUST_CHECK;

#endif
