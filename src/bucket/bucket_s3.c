/* The S3 bucket: opening it, and what it does in terms of calls. Readers get descriptors of local copies
 * (bucket_cache.c), which the store is asked about each time: a copy is never served once the object has
 * changed, unless the store does not answer or the disk takes no newer one. */
#include "base/log.h"
#include "base/os.h"
#include "bucket/bucket_s3_internal.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status s3_put(struct bucket *b, const char *key, const void *data, size_t len, bool durable,
                          struct error *err)
{
    (void)durable; /* what the store has acknowledged is durable */
    return s3_upload((struct s3 *)b, key, data, len, err);
}

static enum status s3_sync(struct bucket *b, struct error *err)
{
    (void)b, (void)err;
    return OK;
}

/* A killed writer leaves parts at most, which a rule of the bucket removes (docs/BUCKET.md). */
static void s3_tidy(struct bucket *b, const char *folder)
{
    (void)b, (void)folder;
}

struct wanted {
    struct s3 *s;
    const char *key;
};

static enum status s3_fetch_object(void *ctx, const char *etag, int fd, struct bucket_fetched *out, struct error *err)
{
    const struct wanted *w = ctx;
    return s3_download(w->s, w->key, etag, fd, bucket_cache_max(w->s->cache), NULL, NULL, out, err);
}

/* Copies are named after the object's whole address: several buckets may share a folder. */
static enum status s3_fd(struct bucket *b, const char *key, int *fd, uint64_t *size, struct error *err)
{
    struct s3 *s = (struct s3 *)b;
    struct wanted w = {.s = s, .key = key};
    struct buf address;
    char name[65];
    buf_init(&address, 16384);
    buf_printf(&address, "%s\n%s%s", s->root, s->prefix, key);
    enum status st = buf_status(&address, err);
    if (st == OK) {
        os_sha256_hex(buf_str(&address), address.len, name);
        st = bucket_cache_fd(s->cache, name, s3_fetch_object, &w, fd, size, err);
    }
    buf_free(&address);
    return st;
}

static enum status s3_delete(struct bucket *b, const char *key, struct error *err)
{
    struct s3_answer a;
    struct s3_request r = {.method = "DELETE", .key = key, .fd = -1};
    enum status st = s3_call((struct s3 *)b, &r, &a, err);
    return st == ERR_NOT_FOUND ? OK : st;
}

static enum status s3_exists(struct bucket *b, const char *key, bool *exists, struct error *err)
{
    struct s3_answer a;
    struct s3_request r = {.method = "HEAD", .key = key, .fd = -1};
    enum status st = s3_call((struct s3 *)b, &r, &a, err);
    *exists = st == OK;
    return st == ERR_NOT_FOUND ? OK : st;
}

static void s3_close(struct bucket *b)
{
    struct s3 *s = (struct s3 *)b;
    while (s->n_idle)
        curl_easy_cleanup(s->idle[--s->n_idle]);
    pthread_mutex_destroy(&s->mutex);
    bucket_cache_close(s->cache);
    free(s->name);
    free(s->prefix);
    free(s->root);
    free(s->sigv4);
    free(s->user);
    free(s->token);
    free(s);
}

static const struct bucket_ops ops = {.close = s3_close,
                                      .put = s3_put,
                                      .sync = s3_sync,
                                      .tidy = s3_tidy,
                                      .fd = s3_fd,
                                      .remove = s3_delete,
                                      .exists = s3_exists};

bool bucket_s3_is(const struct bucket *b)
{
    return b->ops == &ops;
}

/* --- opening --- */

static bool name_good(const char *s, size_t len)
{
    bool good = len >= 3 && len <= 63 && isalnum((unsigned char)s[0]) && isalnum((unsigned char)s[len - 1]);
    for (size_t i = 0; good && i < len; i++)
        good = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '.' || s[i] == '-';
    return good;
}

static bool region_good(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* "s3://name/some/prefix/" */
static enum status read_url(struct s3 *s, const char *url, struct error *err)
{
    const char *name = url + 5, *rest = name + strcspn(name, "/");
    size_t len = (size_t)(rest - name);
    if (!name_good(name, len))
        return err_set(err, ERR_INVALID,
                       "bucket: expected s3://bucket/prefix with a bucket of 3 to 63 of a-z, 0-9, \".\", \"-\", found "
                       "\"%.120s\"",
                       url);
    rest += *rest == '/';
    size_t n = strlen(rest);
    while (n && rest[n - 1] == '/')
        n--;
    s->name = strndup(name, len);
    s->prefix = malloc(n + 2);
    if (!s->name || !s->prefix)
        return err_no_memory(err, "bucket");
    snprintf(s->prefix, n + 2, "%.*s%s", (int)n, rest, n ? "/" : "");
    s->prefix[n] = '\0';
    if (n && !bucket_key_valid(s->prefix))
        return err_set(err, ERR_INVALID, "bucket: the prefix of \"%.120s\" is not made of plain segments", url);
    if (n)
        memcpy(s->prefix + n, "/", 2);
    return OK;
}

static enum status read_endpoint(struct s3 *s, const struct bucket_s3 *cfg, const char *region, struct error *err)
{
    char amazon[128];
    const char *endpoint = cfg->endpoint && *cfg->endpoint ? cfg->endpoint : NULL;
    const char *how = cfg->addressing ? cfg->addressing : "auto";
    bool path = strcmp(how, "path") == 0 || (strcmp(how, "auto") == 0 && endpoint);
    if (!endpoint) {
        snprintf(amazon, sizeof amazon, "https://s3.%s.amazonaws.com", region);
        endpoint = amazon;
    }
    size_t scheme = strncmp(endpoint, "https://", 8) == 0 ? 8 : strncmp(endpoint, "http://", 7) == 0 ? 7 : 0;
    size_t len = strlen(endpoint);
    while (len > scheme && endpoint[len - 1] == '/')
        len--;
    if (!scheme || len == scheme || len > 500 || strpbrk(endpoint, "?#@ \t\r\n"))
        return err_set(err, ERR_INVALID, "S3 endpoint: expected http(s)://host:port, found \"%.120s\"", endpoint);
    if (!path && scheme == 8 && strchr(s->name, '.'))
        return err_set(err, ERR_INVALID, "bucket \"%s\": a name with dots fits no certificate; use path addressing",
                       s->name);
    struct buf root;
    buf_init(&root, 1024);
    if (path)
        buf_printf(&root, "%.*s/%s", (int)len, endpoint, s->name);
    else
        buf_printf(&root, "%.*s%s.%.*s", (int)scheme, endpoint, s->name, (int)(len - scheme), endpoint + scheme);
    s->root = buf_take(&root);
    return s->root ? OK : err_no_memory(err, "bucket");
}

static enum status read_keys(struct s3 *s, const struct bucket_s3 *cfg, const char *region, struct error *err)
{
    bool access = cfg->access_key && *cfg->access_key, secret = cfg->secret_key && *cfg->secret_key;
    if (access != secret)
        return err_set(err, ERR_INVALID, "S3: expected an access key and a secret key, found only the %s",
                       access ? "access key" : "secret key");
    if (access && strchr(cfg->access_key, ':'))
        return err_set(err, ERR_INVALID, "S3 access key: expected no colon in it");
    struct buf sigv4, user, token;
    buf_init(&sigv4, 256);
    buf_init(&user, 4096);
    buf_init(&token, 8000);
    buf_printf(&sigv4, "aws:amz:%s:s3", region);
    s->sigv4 = buf_take(&sigv4);
    if (access) {
        buf_printf(&user, "%s:%s", cfg->access_key, cfg->secret_key);
        s->user = buf_take(&user);
    }
    bool temporary = access && cfg->session_token && *cfg->session_token;
    if (temporary) {
        buf_printf(&token, "x-amz-security-token: %s", cfg->session_token);
        s->token = buf_take(&token);
    }
    return s->sigv4 && (!access || s->user) && (!temporary || s->token)
               ? OK
               : err_set(err, ERR_INVALID, "S3: the keys are too long");
}

static void s3_curl_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum status bucket_s3_open(const char *url, const struct bucket_s3 *cfg, struct bucket **out, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, s3_curl_once);
    const char *region = cfg->region && *cfg->region ? cfg->region : "us-east-1";
    struct s3 *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "bucket");
    s->base.ops = &ops;
    s->timeout_ms = cfg->timeout_ms ? cfg->timeout_ms : 5000;
    pthread_mutex_init(&s->mutex, NULL);
    enum status st =
        region_good(region)
            ? OK
            : err_set(err, ERR_INVALID, "S3 region: expected one like \"eu-central-1\", found \"%.80s\"", region);
    if (st == OK)
        st = read_url(s, url, err);
    if (st == OK)
        st = read_endpoint(s, cfg, region, err);
    if (st == OK)
        st = read_keys(s, cfg, region, err);
    if (st == OK)
        st = bucket_cache_open(cfg->cache_dir, cfg->cache_bytes, &s->cache, err);
    if (st != OK) {
        s3_close(&s->base);
        return st;
    }
    *out = &s->base;
    return OK;
}
