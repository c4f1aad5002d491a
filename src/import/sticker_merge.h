/* sticker_merge.h: several stickers become one, because somebody said that they show the same picture. */
#ifndef PEEL_IMPORT_STICKER_MERGE_H
#define PEEL_IMPORT_STICKER_MERGE_H

#include "sticker_store/sticker_admin.h"

#define STICKER_MERGE_MAX 100u /* stickers at a time */

/* Names [n], 2 to STICKER_MERGE_MAX. The first one is kept, and gets the words of the others, which go to the trash
 * with their votes: all or nothing. who->batch is that of their entries in the history. ERR_NOT_FOUND names a sticker
 * that is not there, ERR_CONFLICT: somebody changed one at that very moment. DURABLE. */
enum status sticker_merge(struct sticker_store *store, const struct admin_who *who, const char *const *names, size_t n,
                          struct arena *a, struct error *err) MUST_CHECK;

#endif
