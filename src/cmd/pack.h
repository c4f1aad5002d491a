/* pack.h: what `peel pack` does beside listing. */
#ifndef PEEL_CMD_PACK_H
#define PEEL_CMD_PACK_H

#include "base/arena.h"
#include "config/config.h"
#include "http/client.h"
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

/* --- pack_matrix.c --- */
/* The homeserver of --matrix-url; *out NULL without one. ERR_INVALID: no token, or not over TLS. */
enum status matrix_open(const struct config *cfg, struct http_client **out, struct error *err) MUST_CHECK;
/* Uploads an image; *uri, in the arena: its address there, "mxc://...". Waits where the server limits uploads.
 * ERR_DENIED: the token is not accepted; ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_CANCELLED. */
enum status matrix_upload(struct http_client *server, const char *filename, const char *mime, const void *data,
                          size_t len, struct arena *a, const char **uri, struct error *err) MUST_CHECK;

/* One file of a zip archive, being written: under another name until it is closed well. */
struct zip_writer;
enum status zip_create(const char *path, struct zip_writer **out, struct error *err) MUST_CHECK;
/* Images are stored as they are, all else is deflated. */
enum status zip_add(struct zip_writer *z, const char *name, const void *data, size_t len, struct error *err) MUST_CHECK;
/* st: how writing went; the file is there afterwards if that and closing are OK. */
enum status zip_close(struct zip_writer *z, enum status st, struct error *err) MUST_CHECK;

#endif
