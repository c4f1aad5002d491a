/* pack.h: what `peel pack` does beside listing. */
#ifndef PEEL_CMD_PACK_H
#define PEEL_CMD_PACK_H

#include "config/config.h"
#include "sticker_store/sticker_store.h"

/* Deletes all stickers of the pack, after asking unless --yes, and prints how many. ERR_NOT_FOUND. */
enum status delete_pack(const struct config *cfg, struct sticker_store *store, const char *pack,
                        struct error *err) MUST_CHECK;

/* Writes the pack to a new file, whose ending says as what: .zip (stickers.csv, CREDITS.txt and the images, which
 * `peel import` reads), .wastickers (for WhatsApp: 3 to 30 images of 512 pixels that all move, or none does; other
 * packs go to several files, NAME-2.wastickers and so on) or .json (MSC2545, an image pack of Matrix). ERR_CONFLICT:
 * the file is there. */
enum status pack_export(const struct config *cfg, struct sticker_store *store, const char *pack, const char *path,
                        struct error *err) MUST_CHECK;

/* One file of a zip archive, being written: under another name until it is closed well. */
struct zip_writer;
enum status zip_create(const char *path, struct zip_writer **out, struct error *err) MUST_CHECK;
/* Images are stored as they are, all else is deflated. */
enum status zip_add(struct zip_writer *z, const char *name, const void *data, size_t len, struct error *err) MUST_CHECK;
/* st: how writing went; the file is there afterwards if that and closing are OK. */
enum status zip_close(struct zip_writer *z, enum status st, struct error *err) MUST_CHECK;

#endif
