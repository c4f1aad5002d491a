/* picture.h: a picture on its way to become a sticker: what `peel import` and the admin's upload ask of it, in which
 * order, and in which words they refuse it.
 *
 *     picture_begin (its name and size; its hash), picture_clash where the database has another one of that name,
 *     picture_check (it is decoded, as proof that it can be), picture_put (into the bucket), picture_describe, and
 *     picture_keep when the database has it.
 */
#ifndef PEEL_IMPORT_PICTURE_H
#define PEEL_IMPORT_PICTURE_H

#include "bucket/bucket.h"
#include "image/image.h"
#include "sticker_store/sticker_store.h"
#include <stdint.h>

struct sandbox;

struct picture {
    const char *filename; /* its name in Peel; borrowed, as is data */
    const uint8_t *data;  /* [len] */
    size_t len;
    char sha256[65];
    enum image_kind kind; /* from picture_check on, as are its sides, in pixels, how it moves and looks */
    uint32_t width, height;
    struct image_motion motion;
    struct image_look look;
};

/* ERR_TOO_LARGE, or ERR_CORRUPT for an empty file; of a size that is known before the bytes are. */
enum status picture_check_bytes(int64_t bytes, struct error *err) MUST_CHECK;
/* The kind that a name's ending says, in capital letters or small; IMAGE_UNKNOWN: none of an image. */
enum image_kind picture_kind_said(const char *filename);
/* Fills *out but for what picture_check finds. ERR_INVALID for the name, and as picture_check_bytes. */
enum status picture_begin(const char *filename, const void *data, size_t len, struct picture *out,
                          struct error *err) MUST_CHECK;
/* ERR_CONFLICT: another picture has this name; `where` is appended ("" or ", in this import"). */
enum status picture_clash(const char *where, struct error *err);
/* Decodes it once. As sandbox_check, and ERR_INVALID for a name that lies about the content: the picture would be
 * served and saved under the wrong kind. */
enum status picture_check(struct picture *p, struct sandbox *sandbox, struct error *err) MUST_CHECK;

/* Whether the bucket has a file of its name and size. */
bool picture_is_in(const struct picture *p, struct bucket *bucket) MUST_CHECK;
/* Durable only after bucket_sync with `later`. */
enum status picture_put(const struct picture *p, struct bucket *bucket, bool later, struct error *err) MUST_CHECK;
/* Bucket and database cannot change at once. Before a picture is replaced, sticker_store_image_begins queues a look at
 * it after this time, which is done only if the service did not live to change the row. */
#define PICTURE_LOOK_US (10 * 1000000ll)
/* The look: if the bucket has another picture of that name than the row says, the row says so from now on. A sticker or
 * a picture that is gone is left alone. The caller has the turn to write pictures. */
enum status picture_look(const char *filename, struct bucket *bucket, struct sandbox *sandbox,
                         struct sticker_store *store, struct error *err) MUST_CHECK;
/* After its row is there: puts it again if it is gone, because somebody else emptied the trash of a sticker of its name
 * between picture_put and the row. */
enum status picture_keep(const struct picture *p, struct bucket *bucket, struct error *err) MUST_CHECK;
/* Sets what a sticker says of its picture: filename, hash, type, bytes, sides, how it moves and looks (borrowed from
 * p). */
void picture_describe(const struct picture *p, struct sticker *out);
/* "cat_in-the park.jpg" is titled "cat in the park". NULL without memory. */
const char *picture_title(const char *filename, struct arena *a) MUST_CHECK;

#endif
