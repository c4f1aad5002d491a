/* Listings: ListObjectsV2, page by page. Its XML is flat enough to be read by looking for tags. */
#include "bucket/bucket_s3_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES (4u << 20) /* 1,000 keys of at most 1,024 bytes, escaped */
#define MAX_PAGES  1000u
#define MAX_TOKEN  2048

static size_t entity(const char *s, char *c)
{
    static const struct {
        const char *text;
        char c;
    } known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(s, known[i].text, strlen(known[i].text)) == 0) {
            *c = known[i].c;
            return strlen(known[i].text);
        }
    char *end;
    if (s[1] == '#') { /* stores write what is not ASCII as it is */
        long n = s[2] == 'x' ? strtol(s + 3, &end, 16) : strtol(s + 2, &end, 10);
        if (*end == ';' && n > 0 && n < 128) {
            *c = (char)n;
            return (size_t)(end + 1 - s);
        }
    }
    *c = '&';
    return 1;
}

bool s3_xml_text(const char *xml, const char *tag, char *out, size_t cap)
{
    char open[64], close[64];
    snprintf(open, sizeof open, "<%s>", tag);
    snprintf(close, sizeof close, "</%s>", tag);
    const char *from = strstr(xml, open), *to = from ? strstr(from, close) : NULL;
    size_t n = 0;
    out[0] = '\0';
    if (!to)
        return false;
    for (const char *s = from + strlen(open); s < to;) {
        char c = *s;
        s += c == '&' ? entity(s, &c) : 1;
        if (n + 1 >= cap)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

/* The objects of one page. Keys that are not ours (wrong segments, folders' placeholders) are passed over. */
static enum status s3_read_page(struct s3 *s, char *page, s3_each *each, void *ctx, struct error *err)
{
    enum status st = OK;
    size_t prefix = strlen(s->prefix);
    for (char *at = page, *end; st == OK && (at = strstr(at, "<Contents>")); at = end + 1) {
        char key[2 * BUCKET_MAX_KEY + 2], etag[BUCKET_MAX_ETAG], size[24];
        end = strstr(at, "</Contents>");
        if (!end)
            return err_set(err, ERR_CORRUPT, "s3://%s/%s: the listing is cut off", s->name, s->prefix);
        *end = '\0';
        if (s3_xml_text(at, "Key", key, sizeof key) && s3_xml_text(at, "ETag", etag, sizeof etag) &&
            s3_xml_text(at, "Size", size, sizeof size) && strncmp(key, s->prefix, prefix) == 0 &&
            bucket_key_valid(key + prefix))
            st = each(ctx, key + prefix, etag, strtoull(size, NULL, 10), err);
    }
    return st;
}

enum status s3_list(struct s3 *s, const char *folder, bool (*stopped)(void *stop_ctx), void *stop_ctx, s3_each *each,
                    void *ctx, struct error *err)
{
    char token[MAX_TOKEN] = "", more[8];
    struct buf page, query;
    enum status st = OK;
    buf_init(&page, PAGE_BYTES);
    buf_init(&query, 16384);
    for (unsigned i = 0; st == OK; i++) {
        struct s3_answer a;
        buf_reset(&query);
        if (*token) {
            buf_puts(&query, "continuation-token=");
            s3_escape(&query, token, false);
            buf_putc(&query, '&');
        }
        buf_puts(&query, "list-type=2&prefix=");
        s3_escape(&query, s->prefix, false);
        s3_escape(&query, folder, false);
        buf_puts(&query, "%2F");
        struct s3_request r = {
            .method = "GET", .query = buf_str(&query), .out = &page, .fd = -1, .stopped = stopped, .ctx = stop_ctx};
        st = buf_status(&query, err);
        if (st == OK)
            st = s3_call(s, &r, &a, err);
        if (st != OK)
            break;
        bool truncated = s3_xml_text(buf_str(&page), "IsTruncated", more, sizeof more) && strcmp(more, "true") == 0;
        bool next = s3_xml_text(buf_str(&page), "NextContinuationToken", token, sizeof token) && *token;
        if (page.len && !strstr(buf_str(&page), "ListBucketResult"))
            st = err_set(err, ERR_CORRUPT, "s3://%s: expected a listing, found something else", s->name);
        if (st == OK && page.len)
            st = s3_read_page(s, page.data, each, ctx, err);
        if (!truncated)
            break;
        if (st == OK && (!next || i + 1 == MAX_PAGES))
            st = err_set(err, ERR_CORRUPT, "s3://%s/%s%s: the listing does not end", s->name, s->prefix, folder);
    }
    buf_free(&query);
    buf_free(&page);
    return st;
}
