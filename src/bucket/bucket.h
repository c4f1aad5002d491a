/* bucket.h: named objects (images, model files) in a folder or in an S3-compatible store; see docs/BUCKET.md.
 * Keys are like "media/cat.jpg": 1..512 bytes, segments without "..", control characters or a
 * leading dot. Writes are atomic: a reader sees the old object or the new one. Thread-safe.
 * The room hides where objects lie, with a cache for those in S3; it has its own use of libcurl and sees base only.
 *
 *     struct bucket_s3 s3 = {.region = "eu-central-1", .access_key = id, .secret_key = secret,
 *                            .cache_dir = "/var/cache/x", .cache_bytes = 1u << 30, .timeout_ms = 5000};
 *     if (bucket_open("s3://stickers/prod", &s3, &b, &err) == OK)
 *         st = bucket_get(b, "media/cat.jpg", &out, &err); */
#ifndef PEEL_BUCKET_BUCKET_H
#define PEEL_BUCKET_BUCKET_H

#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* How to reach an S3-compatible store. Strings are borrowed for bucket_open; NULL means none. */
struct bucket_s3 {
    const char *endpoint;   /* "http://minio:9000"; NULL: Amazon's, of the region */
    const char *region;     /* "us-east-1" */
    const char *addressing; /* "path", "virtual" (bucket.host), or "auto": path where an endpoint is named */
    const char *access_key; /* with secret_key; both NULL: requests are not signed */
    const char *secret_key;
    const char *session_token;
    const char *cache_dir; /* made if absent */
    uint64_t cache_bytes;  /* the most that copies take there; also the largest object that can be read */
    unsigned timeout_ms;   /* to connect, and without progress; a store that does not answer costs a call about this */
};

struct bucket;
/* `url`: a folder, or s3://bucket[/prefix], for which s3 must not be NULL. Opening asks nothing of the store. */
enum status bucket_open(const char *url, const struct bucket_s3 *s3, struct bucket **out, struct error *err) MUST_CHECK;
void bucket_close(struct bucket *b);
bool bucket_url_is_remote(const char *url); /* whether it names a bucket in S3, not a folder here */

/* Errors of a remote store: ERR_UNAVAILABLE, ERR_TIMEOUT (both after retries), ERR_DENIED, ERR_CORRUPT (a wrong
 * checksum, several times); the messages name bucket, key, and what was expected and found. */
enum status bucket_put(struct bucket *b, const char *key, const void *data, size_t len, struct error *err) MUST_CHECK;
/* As bucket_put, but durable only when bucket_sync has returned OK: for writing many. */
enum status bucket_put_later(struct bucket *b, const char *key, const void *data, size_t len,
                             struct error *err) MUST_CHECK;
enum status bucket_sync(struct bucket *b, struct error *err) MUST_CHECK;
/* Removes temporary files below `folder` ("media") that killed writers left an hour or more ago. */
void bucket_tidy(struct bucket *b, const char *folder);
enum status bucket_get(struct bucket *b, const char *key, struct buf *out,
                       struct error *err) MUST_CHECK; /* NOT_FOUND */
/* Opens the object for reading. Only the first *size bytes of the file are its content; the caller closes *fd. */
enum status bucket_fd(struct bucket *b, const char *key, int *fd, uint64_t *size, struct error *err) MUST_CHECK;
enum status bucket_delete(struct bucket *b, const char *key, struct error *err) MUST_CHECK; /* absent is OK */
enum status bucket_exists(struct bucket *b, const char *key, bool *exists, struct error *err) MUST_CHECK;

/* Brings `dir` up to date with the objects "<folder>/<name>/<file>" of a remote bucket: one folder each `name`
 * that has a config.json, replaced whole and only when complete. Unchanged files are not fetched again, and
 * after a crash or ERR_CANCELLED (`stopped`, asked often, returned true) the next call goes on. Folders whose
 * objects are gone stay. Progress goes to the log. */
enum status bucket_mirror(struct bucket *b, const char *folder, const char *dir, bool (*stopped)(void *ctx), void *ctx,
                          struct error *err) MUST_CHECK;

#endif
