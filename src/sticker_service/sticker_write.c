#include "sticker_service/sticker_write.h"

#include "base/os.h"
#include "sticker_service/service.h"

#include <string.h>

void sticker_written(struct sticker_service *s, bool deleted)
{
    outbox_wake(s->outbox);
    if (deleted && !s->cfg->trash_days)
        trash_wake(s->trash);
}

/* --- pictures --- */

static const char *describe(const struct sticker *s, struct arena *a)
{
    return arena_printf(a,
                        "{\"sha256\":\"%s\",\"mime\":\"%s\",\"bytes\":%lld,\"width\":%d,\"height\":%d,\"animated\":%s}",
                        s->sha256, s->mime, (long long)s->bytes, s->width, s->height, s->animated ? "true" : "false");
}

/* First all that can be refused: a sticker of this name may be in the trash, and its image is overwritten. */
static enum status add_picture(const struct picture_upload *u, const struct picture *p, struct error *err)
{
    struct admin_change change;
    enum status st = u->add(u->ctx, p, &change, err);
    if (st == OK)
        st = picture_put(p, u->service->bucket, false, err);
    if (st == OK)
        st = sticker_store_change(u->service->store, u->who, &change, 1, err);
    return st == OK ? picture_keep(p, u->service->bucket, err) : st;
}

/* The change of the row that goes along: *n grows by one when there is any. */
static enum status update_along(const struct picture_upload *u, const struct sticker *known,
                                struct admin_change *changes, size_t *n, struct error *err)
{
    changes[*n].op = CHANGE_ADD;
    enum status st = u->update ? u->update(u->ctx, known, &changes[*n], err) : OK;
    *n += st == OK && changes[*n].op == CHANGE_UPDATE;
    return st;
}

static enum status replace_picture(const struct picture_upload *u, const struct sticker *known, const struct picture *p,
                                   struct error *err)
{
    struct sticker now = *known;
    struct admin_change changes[2];
    size_t n = 1;
    picture_describe(p, &now);
    changes[0] = (struct admin_change){.op = CHANGE_PICTURE,
                                       .list = "stickers",
                                       .id = p->filename,
                                       .seen_us = u->seen_us,
                                       .sticker = &now,
                                       .object = p->filename,
                                       .before = describe(known, u->arena),
                                       .after = describe(&now, u->arena)};
    if (!changes[0].before || !changes[0].after)
        return err_no_memory(err, "the history");
    enum status st = update_along(u, &now, changes, &n, err);
    if (st == OK)
        st = sticker_store_image_begins(u->service->store, p->filename, os_now_us() + PICTURE_LOOK_US, err);
    if (st == OK)
        st = picture_put(p, u->service->bucket, false, err);
    return st == OK ? sticker_store_change(u->service->store, u->who, changes, n, err) : st;
}

static enum status keep_picture(const struct picture_upload *u, const struct sticker *known, const struct picture *p,
                                struct error *err)
{
    struct admin_change change;
    size_t n = 0;
    enum status st = picture_is_in(p, u->service->bucket) ? OK : picture_put(p, u->service->bucket, false, err);
    if (st == OK)
        st = update_along(u, known, &change, &n, err);
    change.seen_us = u->seen_us;
    return st == OK && n ? sticker_store_change(u->service->store, u->who, &change, 1, err) : st;
}

/* What is there under its name (*known unless PICTURE_ADDED), and so what is to be done. */
static enum status compare_picture(const struct picture_upload *u, const struct picture *p, struct sticker *known,
                                   enum picture_outcome *outcome, struct error *err)
{
    enum status st = sticker_store_get(u->service->store, p->filename, u->arena, known, err);
    bool is_new = st == ERR_NOT_FOUND;
    if (st != OK && !is_new)
        return st;
    if (!is_new && strcmp(known->sha256, p->sha256) == 0) {
        *outcome = PICTURE_UNCHANGED;
        return OK;
    }
    *outcome = is_new ? PICTURE_ADDED : PICTURE_REPLACED;
    if (u->replace)
        return OK;
    if (is_new && sticker_store_trash_get(u->service->store, p->filename, u->arena, known, err) == OK)
        return err_set(err, ERR_CONFLICT,
                       "\"%s\" is in the trash. Restore it there, or choose to replace it by a new sticker.",
                       p->filename);
    return is_new ? OK : picture_clash("", err);
}

/* The caller has the turn, so that nobody writes the same file meanwhile. */
static enum status write_picture(const struct picture_upload *u, struct picture *p, enum picture_outcome *outcome,
                                 struct error *err)
{
    struct sticker known;
    enum status st = compare_picture(u, p, &known, outcome, err);
    if (st != OK)
        return st;
    if (*outcome == PICTURE_UNCHANGED)
        return keep_picture(u, &known, p, err);
    if (p->kind == IMAGE_UNKNOWN) /* it was there when it was looked at, and need not have been checked */
        return err_set(err, ERR_CONFLICT, "Someone else changed this image just now. Upload it again.");
    return *outcome == PICTURE_ADDED ? add_picture(u, p, err) : replace_picture(u, &known, p, err);
}

/* In the order of `peel import`. Decoding is done before the turn is taken: nobody waits for somebody else's. */
enum status picture_upload(const struct picture_upload *u, struct picture *p, enum picture_outcome *outcome,
                           struct error *err)
{
    struct sticker known;
    enum status st = compare_picture(u, p, &known, outcome, err);
    if (st == OK && *outcome != PICTURE_UNCHANGED)
        st = picture_check(p, u->service->sandbox, err);
    if (st != OK)
        return st;
    if (!take_turn(&u->service->uploads, PICTURE_TURN_S))
        return err_set(err, ERR_UNAVAILABLE, "too many uploads at once");
    st = write_picture(u, p, outcome, err);
    sem_post(&u->service->uploads);
    return st;
}
