/* Uploads. A large object goes in parts, so that a cut connection costs one part; the store checks
 * each part (Content-MD5), and nobody sees the object before it is complete. */
#include "base/log.h"
#include "base/os.h"
#include "bucket/bucket_s3_internal.h"

#include <stdio.h>
#include <string.h>

#define PART_BYTES (8u << 20) /* stores want 5 MiB at least, and 10,000 parts at most */
#define MAX_ID     1024
#define COMPLETES  3

static enum status put_whole(struct s3 *s, const char *key, const void *data, size_t len, const char *sha256,
                             struct error *err)
{
    struct s3_answer a;
    struct s3_request r = {
        .method = "PUT", .key = key, .body = len ? data : "", .body_len = len, .sha256 = sha256, .fd = -1};
    return s3_call(s, &r, &a, err);
}

/* A lost answer is not asked for again: each asking would begin another upload that nobody ends. */
static enum status s3_upload_begin(struct s3 *s, const char *key, const char *sha256, char id[MAX_ID],
                                   struct error *err)
{
    struct s3_answer a;
    struct buf answer;
    buf_init(&answer, 65536);
    struct s3_request r = {.method = "POST",
                           .key = key,
                           .query = "uploads=",
                           .body = "",
                           .sha256 = sha256,
                           .repeat = S3_ONLY_IF_REFUSED,
                           .out = &answer,
                           .fd = -1};
    enum status st = s3_call(s, &r, &a, err);
    if (st == OK && (!s3_xml_text(buf_str(&answer), "UploadId", id, MAX_ID) || !*id))
        st = err_set(err, ERR_UNAVAILABLE, "s3://%s/%s%.200s: expected an UploadId, found none", s->name, s->prefix,
                     key);
    buf_free(&answer);
    return st;
}

static enum status put_part(struct s3 *s, const char *key, const char *id, unsigned number, const char *data,
                            size_t len, struct buf *list, struct error *err)
{
    struct s3_answer a;
    struct buf query;
    buf_init(&query, 4096);
    buf_printf(&query, "partNumber=%u&uploadId=", number);
    s3_escape(&query, id, false);
    struct s3_request r = {
        .method = "PUT", .key = key, .query = buf_str(&query), .body = data, .body_len = len, .fd = -1};
    enum status st = buf_status(&query, err);
    if (st == OK)
        st = s3_call(s, &r, &a, err);
    if (st == OK && (!a.etag[0] || strpbrk(a.etag, "<>&")))
        st = err_set(err, ERR_UNAVAILABLE, "s3://%s/%s%.200s: part %u has no ETag", s->name, s->prefix, key, number);
    if (st == OK)
        buf_printf(list, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", number, a.etag);
    buf_free(&query);
    return st;
}

static enum status s3_is_there(struct s3 *s, const char *key, const char *sha256, bool *there, struct error *err)
{
    struct s3_answer a;
    struct s3_request r = {.method = "HEAD", .key = key, .fd = -1};
    enum status st = s3_call(s, &r, &a, err);
    *there = st == OK && strcmp(a.sha256, sha256) == 0;
    return st == ERR_NOT_FOUND ? OK : st;
}

/* When the answer is lost, or is an error inside a 200, the object itself says whether it was completed. */
static enum status complete(struct s3 *s, const char *key, const char *query, const char *sha256,
                            const struct buf *list, struct error *err)
{
    enum status st = OK;
    for (unsigned i = 0; i < COMPLETES; i++) {
        struct s3_answer a;
        struct buf answer;
        char code[64] = "";
        bool there = false;
        buf_init(&answer, 65536);
        struct s3_request r = {.method = "POST",
                               .key = key,
                               .query = query,
                               .body = buf_str(list),
                               .body_len = list->len,
                               .repeat = S3_ONLY_IF_REFUSED,
                               .out = &answer,
                               .fd = -1};
        st = s3_call(s, &r, &a, err);
        if (st == OK && s3_xml_text(buf_str(&answer), "Code", code, sizeof code))
            st = err_set(err, ERR_UNAVAILABLE, "s3://%s/%s%.200s: expected a completed upload, found %s", s->name,
                         s->prefix, key, code);
        buf_free(&answer);
        if (st == OK || st == ERR_DENIED)
            return st;
        struct error first = *err;
        if (s3_is_there(s, key, sha256, &there, err) == OK && there)
            return OK;
        *err = first;
    }
    return st;
}

static enum status put_parts(struct s3 *s, const char *key, const char *data, size_t len, const char *sha256,
                             struct error *err)
{
    char id[MAX_ID];
    struct buf list, query;
    enum status st = s3_upload_begin(s, key, sha256, id, err);
    if (st != OK)
        return st;
    buf_init(&list, 4u << 20);
    buf_init(&query, 4096);
    buf_puts(&query, "uploadId=");
    s3_escape(&query, id, false);
    buf_puts(&list, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    size_t part = len / 9000 > PART_BYTES ? len / 9000 : PART_BYTES;
    unsigned number = 0;
    for (size_t at = 0; st == OK && at < len; at += part)
        st = put_part(s, key, id, ++number, data + at, len - at < part ? len - at : part, &list, err);
    buf_puts(&list, "</CompleteMultipartUpload>");
    if (st == OK)
        st = buf_status(&list, err);
    if (st == OK)
        st = buf_status(&query, err);
    if (st == OK)
        st = complete(s, key, buf_str(&query), sha256, &list, err);
    if (st != OK) { /* parts that were sent cost money until they are given up */
        struct s3_answer a;
        struct s3_request r = {.method = "DELETE", .key = key, .query = buf_str(&query), .fd = -1};
        struct error why;
        if (s3_call(s, &r, &a, &why) != OK && why.code != ERR_NOT_FOUND)
            log_warn("cannot remove an unfinished upload from the bucket: %s", why.message);
    }
    buf_free(&query);
    buf_free(&list);
    return st;
}

enum status s3_upload(struct s3 *s, const char *key, const void *data, size_t len, struct error *err)
{
    struct error local;
    char sha256[65];
    err = err ? err : &local;
    os_sha256_hex(data, len, sha256);
    return len <= PART_BYTES ? put_whole(s, key, data, len, sha256, err) : put_parts(s, key, data, len, sha256, err);
}
