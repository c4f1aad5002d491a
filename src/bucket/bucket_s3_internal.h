/* bucket_s3_internal.h: what the files of the S3 bucket share; private to them. The protocol: "Amazon S3 API
 * Reference"; signatures: "Signature Version 4", made by libcurl. */
#ifndef PEEL_BUCKET_BUCKET_S3_INTERNAL_H
#define PEEL_BUCKET_BUCKET_S3_INTERNAL_H

#include "bucket/bucket_internal.h"

#include <pthread.h>
#include <stdatomic.h>

#define S3_ANY_SIZE UINT64_MAX
#define S3_IDLE     16u

struct s3 {
    struct bucket base;
    char *name;   /* of the bucket */
    char *prefix; /* "" or "some/folder/" */
    char *root;   /* URL of the bucket, without a slash at the end */
    char *sigv4;  /* "aws:amz:REGION:s3" */
    char *user;   /* "ACCESS:SECRET"; NULL: requests are not signed */
    char *token;  /* "x-amz-security-token: ..." or NULL */
    unsigned timeout_ms;
    struct bucket_cache *cache;
    _Atomic int64_t down_us;   /* when a call failed after all its attempts; for a while calls make one. 0: none */
    _Atomic int64_t silent_us; /* when one got no HTTP answer at all; for a while others are not made. 0: none */
    pthread_mutex_t mutex;     /* guards the two below */
    void *idle[S3_IDLE];       /* curl handles, each with its kept-alive connection */
    unsigned n_idle;
};

/* What may be sent again. An attempt that was refused (429, 5xx) is always repeated. */
enum s3_repeat {
    S3_REPEAT,         /* also when it is not known what became of it */
    S3_ONLY_IF_REFUSED /* not when the answer was lost: it may have been done */
};

struct s3_request {
    const char *method;
    const char *key;   /* below the prefix; NULL: the bucket itself */
    const char *query; /* escaped, in the order of the names, each with "="; NULL: none */
    const void *body;
    size_t body_len;
    const char *sha256; /* kept with the object; NULL: none */
    const char *if_none_match;
    enum s3_repeat repeat;
    struct buf *out;            /* gets the body of the answer; or */
    int fd;                     /* gets it when out is NULL and this is >= 0: an empty file */
    uint64_t max;               /* bytes that fd may get */
    bool (*stopped)(void *ctx); /* asked often; NULL: never */
    void *ctx;
};
struct s3_answer {
    long status;
    char etag[BUCKET_MAX_ETAG]; /* as sent, with its quotes; "": none */
    char sha256[65];            /* that was kept with the object; "": none */
    bool encrypted;             /* by a key of the store: the ETag is no MD5 */
    uint64_t size;              /* Content-Length of the whole object */
};

/* Signs, sends, and repeats with growing pauses what may help. Statuses 2xx and 304 are OK, 404 of an object is
 * ERR_NOT_FOUND. A body for fd that was cut off goes on where it stopped (Range, If-Match). */
enum status s3_call(struct s3 *s, const struct s3_request *r, struct s3_answer *a, struct error *err) MUST_CHECK;

/* Downloads `key` into `fd` (empty) and checks it; out->same when its ETag is still `etag` (NULL: any is new). */
enum status s3_download(struct s3 *s, const char *key, const char *etag, int fd, uint64_t max,
                        bool (*stopped)(void *ctx), void *ctx, struct bucket_fetched *out,
                        struct error *err) MUST_CHECK;

/* bucket_s3_upload.c: in one request, or in parts when it is large. */
enum status s3_upload(struct s3 *s, const char *key, const void *data, size_t len, struct error *err) MUST_CHECK;

/* bucket_s3_list.c: the objects below `folder`, ascending. `each` gets the key below the prefix; what it
 * returns other than OK ends the listing. */
typedef enum status s3_each(void *ctx, const char *key, const char *etag, uint64_t size, struct error *err);
enum status s3_list(struct s3 *s, const char *folder, bool (*stopped)(void *stop_ctx), void *stop_ctx, s3_each *each,
                    void *ctx, struct error *err) MUST_CHECK;
/* Copies what stands between <tag> and </tag> in `xml`, entities resolved. false: absent or too long. */
bool s3_xml_text(const char *xml, const char *tag, char *out, size_t cap);

/* Appends s percent-encoded as signatures want it; slashes stay where `slashes`. */
void s3_escape(struct buf *out, const char *s, bool slashes);

#endif
