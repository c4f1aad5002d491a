/* sticker_write.h: stickers as people and programs change them: pictures, with their rows (sticker_row.h)
 * and entries in the history. What the admin's pages and the API have in common. */
#ifndef PEEL_STICKER_SERVICE_STICKER_WRITE_H
#define PEEL_STICKER_SERVICE_STICKER_WRITE_H

#include "import/picture.h"
#include "import/sticker_row.h"

struct sticker_service;

/* After stickers were written: whoever has to know of it looks soon. deleted: some of them were. */
void sticker_written(struct sticker_service *s, bool deleted);

#define PICTURE_TURN_S 60 /* how long whoever writes pictures waits for those before, see sticker_service.uploads */
enum picture_outcome { PICTURE_ADDED, PICTURE_REPLACED, PICTURE_UNCHANGED };
/* One picture that somebody sends. */
struct picture_upload {
    struct sticker_service *service;
    const struct admin_who *who;
    struct arena *arena;
    bool replace;    /* the picture that a sticker of this name has; its title, words and credits stay */
    int64_t seen_us; /* of the sticker that is there: as in struct admin_change */
    void *ctx;
    /* The change that adds the row of a new sticker. */
    enum status (*add)(void *ctx, const struct picture *p, struct admin_change *out, struct error *err);
    /* The change of the row that goes along with the picture of a sticker that is there (`op` is CHANGE_ADD when there
     * is none); may be NULL. */
    enum status (*update)(void *ctx, const struct sticker *known, struct admin_change *out, struct error *err);
};
/* Looks what is there under the picture's name, decodes it, and writes it: its bytes reach the bucket first and its row
 * and history then, in one transaction. A crash between the two leaves a file without a row, or one that is newer than
 * its row; sending it again completes the work. ERR_CONFLICT: another picture has the name, or a sticker in the trash,
 * and `replace` is not set; or it was changed since. Errors otherwise as picture_check and sticker_store_change. */
enum status picture_upload(const struct picture_upload *u, struct picture *p, enum picture_outcome *outcome,
                           struct error *err) MUST_CHECK;

#endif
