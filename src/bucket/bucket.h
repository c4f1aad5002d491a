/* bucket.h: named objects (images, model files) in a folder; other stores slot in behind this.
 * Keys are like "media/cat.jpg": 1..512 bytes, segments without "..", control characters or a
 * leading dot. Writes are atomic: a reader sees the old object or the new one. */
#ifndef PEEL_BUCKET_BUCKET_H
#define PEEL_BUCKET_BUCKET_H

#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

struct bucket;
enum status bucket_open(const char *url, struct bucket **out, struct error *err) MUST_CHECK; /* a folder path */
void bucket_close(struct bucket *b);
enum status bucket_put(struct bucket *b, const char *key, const void *data, size_t len, struct error *err) MUST_CHECK;
/* As bucket_put, but durable only when bucket_sync has returned OK: for writing many. */
enum status bucket_put_later(struct bucket *b, const char *key, const void *data, size_t len,
                             struct error *err) MUST_CHECK;
enum status bucket_sync(struct bucket *b, struct error *err) MUST_CHECK;
/* Removes what writers that were killed left below `folder` ("media"), an hour old or older. */
void bucket_tidy(struct bucket *b, const char *folder);
enum status bucket_get(struct bucket *b, const char *key, struct buf *out,
                       struct error *err) MUST_CHECK; /* NOT_FOUND */
/* An open descriptor for sending; the caller closes it. */
enum status bucket_fd(struct bucket *b, const char *key, int *fd, uint64_t *size, struct error *err) MUST_CHECK;
enum status bucket_delete(struct bucket *b, const char *key, struct error *err) MUST_CHECK; /* absent is OK */
enum status bucket_exists(struct bucket *b, const char *key, bool *exists, struct error *err) MUST_CHECK;

#endif
