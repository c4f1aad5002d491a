/* import_alike.h: new pictures that look like stickers, for import_run.c. */
#ifndef PEEL_IMPORT_IMPORT_ALIKE_H
#define PEEL_IMPORT_IMPORT_ALIKE_H

#include "import/import.h"
#include "import/picture.h"

struct import_alike;
/* What stickers look like is read when the first picture asks. `store`: borrowed. */
enum status import_alike_open(struct sticker_store *store, struct import_alike **out, struct error *err) MUST_CHECK;
void import_alike_close(struct import_alike *x); /* NULL is fine */

/* With `ask`, out->like is the sticker that the picture looks like, if there is any: one of the database, or one that
 * was new before it in this import (out->here); and with `merge`, out->merged says that it is not to be stored. Later
 * pictures are compared with those that are. Strings live until import_alike_close. */
enum status import_alike_find(struct import_alike *x, const struct picture *p, bool ask, bool merge,
                              struct import_duplicate *out, struct error *err) MUST_CHECK;
/* Adds the words of `from` to those of the sticker `like`, unless the run is dry. ERR_NOT_FOUND: it was deleted
 * meanwhile; ERR_CONFLICT. */
enum status import_alike_give(const struct import_run *run, const char *like, const struct sticker *from,
                              struct error *err) MUST_CHECK;
/* Notes what was found in the list, which copies it. */
void import_list_alike(struct import_list *l, const struct import_item *item, const struct import_duplicate *found);

#endif
