/* trash.h: empties the trash: what was deleted long enough ago goes for good, with its image.
 *
 * A thread looks once an hour and when it is woken. A restart, or a bucket that does not answer, only delays it: see
 * sticker_store/sticker_trash.c. */
#ifndef PEEL_STICKER_SERVICE_TRASH_H
#define PEEL_STICKER_SERVICE_TRASH_H

#include "base/status.h"
#include "bucket/bucket.h"
#include "sticker_store/sticker_store.h"

#include <semaphore.h>
#include <stdint.h>

struct trash;
/* `days` that a deleted sticker is kept; 0: it goes at once. `uploads` is waited for around each image, so that no
 * upload of this process puts one of the same name meanwhile. All outlive this. */
enum status trash_open(struct sticker_store *store, struct bucket *bucket, sem_t *uploads, int64_t days,
                       struct trash **out, struct error *err) MUST_CHECK;
void trash_close(struct trash *t); /* NULL is fine */
void trash_wake(struct trash *t);  /* something is to go now */

#endif
