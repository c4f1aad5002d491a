/* bucket_internal.h: what the kinds of bucket share; private to this room. A kind is a struct whose first
 * member is struct bucket, and a table of what it does. Keys that reach a kind are valid. */
#ifndef PEEL_BUCKET_BUCKET_INTERNAL_H
#define PEEL_BUCKET_BUCKET_INTERNAL_H

#include "bucket/bucket.h"

#define BUCKET_MAX_KEY  512
#define BUCKET_MAX_ETAG 128 /* with the NUL */

struct bucket_ops {
    void (*close)(struct bucket *b);
    /* durable: on the disk when it returns; else when `sync` has returned. */
    enum status (*put)(struct bucket *b, const char *key, const void *data, size_t len, bool durable,
                       struct error *err);
    enum status (*sync)(struct bucket *b, struct error *err);
    void (*tidy)(struct bucket *b, const char *folder);
    enum status (*fd)(struct bucket *b, const char *key, int *fd, uint64_t *size, struct error *err);
    enum status (*remove)(struct bucket *b, const char *key, struct error *err);
    enum status (*exists)(struct bucket *b, const char *key, bool *exists, struct error *err);
};
struct bucket {
    const struct bucket_ops *ops;
};

bool bucket_key_valid(const char *key);
enum status bucket_folder_open(const char *path, struct bucket **out, struct error *err) MUST_CHECK;
enum status bucket_s3_open(const char *url, const struct bucket_s3 *cfg, struct bucket **out,
                           struct error *err) MUST_CHECK;
bool bucket_s3_is(const struct bucket *b);

/* --- bucket_cache.c: copies of remote objects in a folder of bounded size, which several processes may
 * share and anybody may empty. Each file carries its size, hash and ETag; a copy that fails its check
 * counts as absent, so a crash at any moment does no harm. --- */
struct bucket_cache;
enum status bucket_cache_open(const char *dir, uint64_t max_bytes, struct bucket_cache **out,
                              struct error *err) MUST_CHECK;
void bucket_cache_close(struct bucket_cache *c);
uint64_t bucket_cache_max(const struct bucket_cache *c);

struct bucket_fetched {
    bool same;                  /* the copy that is there is still right: nothing was written */
    char etag[BUCKET_MAX_ETAG]; /* "": none */
};
/* Writes the object to `fd`, an empty file, unless its ETag is still `etag` (NULL: there is no copy). */
typedef enum status bucket_fetch(void *ctx, const char *etag, int fd, struct bucket_fetched *out, struct error *err);

/* An open descriptor (the caller closes it) of the object `name`, 64 hexadecimal digits. Every call is
 * answered by a fetch that began after it; calls at the same time share one (those of one process: two may
 * each fetch an object at first, and the later rename wins). When the remote side is unavailable, or
 * the disk takes no new copy though half of the others went, a copy that is there is good enough. */
enum status bucket_cache_fd(struct bucket_cache *c, const char *name, bucket_fetch *fetch, void *ctx, int *fd,
                            uint64_t *size, struct error *err) MUST_CHECK;

#endif
