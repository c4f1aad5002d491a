/* One call to an S3 store: headers, signature, attempts.
 *
 * What curl 7.88 leaves to its caller for a signature that stores accept: query parameters in order and each
 * with "=" (curl/curl #9717), the hash of the body in x-amz-content-sha256 (#8810), and no header without a
 * value ("Expect:"), which it would sign and not send. */
#include "base/log.h"
#include "base/os.h"
#include "bucket/bucket_s3_internal.h"

#include <curl/curl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPTS       5
#define FIRST_PAUSE_MS 100u
#define MOST_PAUSE_MS  2000u
#define DOWN_US        2000000 /* how long a failure is remembered: see struct s3 */
#define ERROR_BYTES    16384u
#define MD5_BYTES      16u

static const char no_body_sha256[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct transfer {
    const struct s3_request *r;
    struct s3_answer *a;
    CURL *curl;
    struct buf error;           /* the body of an answer that is no success */
    uint64_t at;                /* bytes in r->fd */
    uint64_t first;             /* where a partial answer says that it begins */
    char etag[BUCKET_MAX_ETAG]; /* of what these bytes are; "": they cannot be continued */
    bool began, too_large;
    int disk_errno; /* why the copy could not be written; 0: it could */
};

void s3_escape(struct buf *out, const char *s, bool slashes)
{
    for (; *s; s++) {
        unsigned char b = (unsigned char)*s;
        if ((b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || strchr("-._~", b) ||
            (b == '/' && slashes))
            buf_putc(out, (char)b);
        else
            buf_printf(out, "%%%02X", b);
    }
}

/* --- what comes back --- */

static bool header_is(const char *line, size_t len, const char *name, char *out, size_t cap)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return false;
    const char *from = line + n + 1, *to = line + len;
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == '\r' || to[-1] == '\n' || to[-1] == ' '))
        to--;
    out[0] = '\0';
    if ((size_t)(to - from) < cap)
        snprintf(out, cap, "%.*s", (int)(to - from), from);
    return true;
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
    (void)one;
    struct transfer *t = arg;
    char text[BUCKET_MAX_ETAG];
    if (len > 5 && strncmp(line, "HTTP/", 5) == 0) {
        *t->a = (struct s3_answer){.size = S3_ANY_SIZE};
        t->first = 0;
    } else if (header_is(line, len, "etag", text, sizeof text)) {
        memcpy(t->a->etag, text, sizeof text);
    } else if (header_is(line, len, "x-amz-meta-sha256", text, sizeof text)) {
        if (strlen(text) == 64)
            memcpy(t->a->sha256, text, 65);
    } else if (header_is(line, len, "x-amz-server-side-encryption", text, sizeof text)) {
        t->a->encrypted = t->a->encrypted || strcmp(text, "AES256") != 0;
    } else if (header_is(line, len, "x-amz-server-side-encryption-customer-algorithm", text, sizeof text)) {
        t->a->encrypted = true;
    } else if (header_is(line, len, "content-range", text, sizeof text)) {
        unsigned long long first, last, whole;
        if (sscanf(text, "bytes %20llu-%20llu/%20llu", &first, &last, &whole) == 3) {
            t->first = first;
            t->a->size = whole;
        }
    } else if (header_is(line, len, "content-length", text, sizeof text) && t->a->size == S3_ANY_SIZE) {
        t->a->size = strtoull(text, NULL, 10);
    }
    return len;
}

/* The bytes so far are of no use. */
static void empty(struct transfer *t)
{
    t->at = 0;
    if (ftruncate(t->r->fd, 0) != 0 || lseek(t->r->fd, 0, SEEK_SET) != 0)
        t->disk_errno = errno;
}

static bool to_file(struct transfer *t, const char *data, size_t n, long status)
{
    if (!t->began) {
        t->began = true;
        if (t->at && (status != 206 || t->first != t->at)) { /* the whole, or another part: from the beginning */
            if (status == 206)
                return false;
            empty(t);
        }
        memcpy(t->etag, t->a->etag, sizeof t->etag);
    }
    t->too_large = t->at + n > t->r->max || (t->a->size != S3_ANY_SIZE && t->a->size > t->r->max);
    for (size_t done = 0; done < n && !t->disk_errno && !t->too_large;) {
        ssize_t w = write(t->r->fd, data + done, n - done);
        if (w < 0 && errno != EINTR)
            t->disk_errno = errno;
        done += w > 0 ? (size_t)w : 0;
    }
    t->at += n;
    return !t->disk_errno && !t->too_large;
}

static size_t s3_on_data(char *data, size_t one, size_t n, void *arg)
{
    (void)one;
    struct transfer *t = arg;
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300) {
        if (t->error.len + n <= ERROR_BYTES)
            buf_append(&t->error, data, n);
        return n;
    }
    if (!t->r->out && t->r->fd >= 0)
        return to_file(t, data, n, status) ? n : 0;
    if (t->r->out)
        buf_append(t->r->out, data, n);
    return t->r->out && t->r->out->failed ? 0 : n;
}

static int s3_on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    (void)total, (void)now, (void)up_total, (void)up_now;
    const struct transfer *t = arg;
    return t->r->stopped && t->r->stopped(t->r->ctx);
}

/* --- what is sent --- */

static void s3_add_header(struct curl_slist **list, bool *ok, const char *fmt, const char *value)
{
    struct buf line;
    buf_init(&line, 8192);
    buf_puts(&line, fmt);
    buf_puts(&line, value);
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(*list, buf_str(&line));
    buf_free(&line);
    *ok = *ok && longer;
    *list = longer ? longer : *list;
}

static void md5_base64(const void *data, size_t len, char out[32])
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    out[0] = '\0';
    if (EVP_Digest(data, len, raw, &n, EVP_md5(), NULL) == 1 && n == MD5_BYTES)
        EVP_EncodeBlock((unsigned char *)out, raw, (int)n);
}

static struct curl_slist *s3_make_headers(const struct s3 *s, const struct s3_request *r, const struct transfer *t)
{
    struct curl_slist *list = NULL;
    bool ok = true;
    char hash[65], md5[32];
    memcpy(hash, no_body_sha256, sizeof hash);
    if (r->body) {
        os_sha256_hex(r->body, r->body_len, hash);
        md5_base64(r->body, r->body_len, md5);
        s3_add_header(&list, &ok, "Content-Type: ", "application/octet-stream");
        if (*md5)
            s3_add_header(&list, &ok, "Content-MD5: ", md5);
    }
    s3_add_header(&list, &ok, "x-amz-content-sha256: ", hash);
    if (r->sha256)
        s3_add_header(&list, &ok, "x-amz-meta-sha256: ", r->sha256);
    if (s->token)
        s3_add_header(&list, &ok, s->token, "");
    if (t->at && t->etag[0]) {
        char range[48];
        snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)t->at);
        s3_add_header(&list, &ok, "Range: ", range);
        s3_add_header(&list, &ok, "If-Match: ", t->etag);
    } else if (r->if_none_match) {
        s3_add_header(&list, &ok, "If-None-Match: ", r->if_none_match);
    }
    if (!ok) {
        curl_slist_free_all(list);
        return NULL;
    }
    return list;
}

static void set_options(struct s3 *s, struct transfer *t, const char *url, struct curl_slist *headers, char *reason)
{
    const struct s3_request *r = t->r;
    CURL *h = t->curl;
    long stall = (long)(s->timeout_ms + 999) / 1000;
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, r->method);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "peel");
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)s->timeout_ms);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 10000L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, stall);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, s3_on_data);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, s3_on_progress);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, r->stopped ? 0L : 1L);
    if (r->fd < 0 && !r->body) /* small answers: bounded as a whole */
        curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, 3L * (long)s->timeout_ms);
    if (s->user) {
        curl_easy_setopt(h, CURLOPT_USERPWD, s->user);
        curl_easy_setopt(h, CURLOPT_AWS_SIGV4, s->sigv4);
    }
    if (r->body) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, r->body);
    }
    if (strcmp(r->method, "HEAD") == 0)
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
}

static CURL *s3_take_handle(struct s3 *s)
{
    pthread_mutex_lock(&s->mutex);
    CURL *h = s->n_idle ? s->idle[--s->n_idle] : NULL;
    pthread_mutex_unlock(&s->mutex);
    return h ? h : curl_easy_init();
}

static void s3_give_handle(struct s3 *s, CURL *h, bool sound)
{
    curl_easy_reset(h); /* forgets what is on our stack; the connection stays */
    pthread_mutex_lock(&s->mutex);
    if (sound && s->n_idle < S3_IDLE) {
        s->idle[s->n_idle++] = h;
        h = NULL;
    }
    pthread_mutex_unlock(&s->mutex);
    if (h)
        curl_easy_cleanup(h);
}

/* --- attempts --- */

enum verdict { DONE, REFUSED, LOST };

static void s3_request_name(const struct s3 *s, const struct s3_request *r, char out[400])
{
    snprintf(out, 400, "%s s3://%s/%s%.200s", r->method, s->name, s->prefix, r->key ? r->key : "");
}

/* What an answer with an HTTP status means. */
static enum verdict s3_judge(const struct transfer *t, const char *what, enum status *st, struct error *err)
{
    char code[64] = "", message[160] = "";
    long status = t->a->status;
    *st = OK;
    if ((status >= 200 && status < 300) || (status == 304 && t->r->if_none_match))
        return DONE;
    s3_xml_text(buf_str(&t->error), "Code", code, sizeof code);
    s3_xml_text(buf_str(&t->error), "Message", message, sizeof message);
    *st = ERR_UNAVAILABLE;
    if (status == 404 && t->r->key && strcmp(code, "NoSuchBucket") != 0)
        *st = ERR_NOT_FOUND;
    else if (status == 404)
        *st = ERR_INVALID;
    else if (status == 401 || status == 403)
        *st = ERR_DENIED;
    else if (status >= 400 && status < 500 && status != 408 && status != 429 && status != 412)
        *st = ERR_INVALID;
    bool passing = strcmp(code, "BadDigest") == 0 || strcmp(code, "XAmzContentSHA256Mismatch") == 0 ||
                   strcmp(code, "RequestTimeout") == 0 || strcmp(code, "OperationAborted") == 0;
    if (passing)
        *st = ERR_UNAVAILABLE;
    (void)err_set(err, *st, "%s: expected success, found HTTP %ld%s%s%s%s", what, status, *code ? " " : "", code,
                  *message ? ": " : "", message);
    return *st == ERR_UNAVAILABLE ? REFUSED : DONE;
}

static enum verdict s3_attempt(struct s3 *s, struct transfer *t, const char *url, enum status *st, struct error *err)
{
    char what[400], reason[CURL_ERROR_SIZE] = "";
    s3_request_name(s, t->r, what);
    buf_reset(&t->error);
    if (t->r->out)
        buf_reset(t->r->out);
    t->began = false;
    struct curl_slist *headers = s3_make_headers(s, t->r, t);
    t->curl = s3_take_handle(s);
    if (!headers || !t->curl) {
        curl_slist_free_all(headers);
        if (t->curl)
            s3_give_handle(s, t->curl, true);
        *st = err_no_memory(err, "%s", what);
        return DONE;
    }
    set_options(s, t, url, headers, reason);
    CURLcode rc = curl_easy_perform(t->curl);
    t->a->status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &t->a->status);
    s3_give_handle(s, t->curl, rc == CURLE_OK);
    t->curl = NULL;
    curl_slist_free_all(headers);
    enum verdict verdict = LOST;
    if (rc == CURLE_ABORTED_BY_CALLBACK) {
        *st = err_set(err, ERR_CANCELLED, "%s: stopped", what);
        return DONE;
    }
    if (t->disk_errno) {
        errno = t->disk_errno;
        *st = err_errno(err, "%s: cannot write the copy", what);
        return DONE;
    }
    if (t->too_large || (t->r->out && t->r->out->failed)) {
        *st = err_set(err, ERR_TOO_LARGE, "%s: expected at most %llu bytes, the store has more", what,
                      (unsigned long long)(t->r->out ? t->r->out->max : t->r->max));
        return DONE;
    }
    if (rc == CURLE_OK) {
        verdict = s3_judge(t, what, st, err);
        if (t->a->status == 412 || t->a->status == 416) { /* changed between two parts of it */
            *st = ERR_UNAVAILABLE;
            verdict = REFUSED;
            t->etag[0] = '\0';
        }
    } else {
        *st = err_set(err, rc == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE, "%s: %s", what,
                      reason[0] ? reason : curl_easy_strerror(rc));
        bool never_sent = rc == CURLE_COULDNT_CONNECT || rc == CURLE_COULDNT_RESOLVE_HOST;
        verdict = never_sent ? REFUSED : LOST;
    }
    if (verdict != DONE && t->at && !t->etag[0]) /* no way to go on: anew */
        empty(t);
    return verdict;
}

/* A store that is silent is asked by one caller each DOWN_US; the others have their answer at once, so that no
 * thread waits in vain while others could be served from copies. */
static bool left_alone(struct s3 *s, int64_t now)
{
    int64_t since = atomic_load(&s->silent_us);
    return since && (now - since < DOWN_US || !atomic_compare_exchange_strong(&s->silent_us, &since, now));
}

/* Between half of the pause and all of it, so that many callers do not come back together. */
static void s3_pause_before(unsigned number)
{
    uint32_t random;
    unsigned most = FIRST_PAUSE_MS << number;
    most = most < MOST_PAUSE_MS ? most : MOST_PAUSE_MS;
    os_random(&random, sizeof random);
    unsigned ms = most / 2 + random % (most / 2 + 1);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static bool make_url(const struct s3 *s, const struct s3_request *r, struct buf *url)
{
    buf_puts(url, s->root);
    buf_putc(url, '/');
    if (r->key) {
        s3_escape(url, s->prefix, true);
        s3_escape(url, r->key, true);
    }
    if (r->query) {
        buf_putc(url, '?');
        buf_puts(url, r->query);
    }
    return !url->failed;
}

enum status s3_call(struct s3 *s, const struct s3_request *r, struct s3_answer *a, struct error *err)
{
    struct error local;
    struct transfer t = {.r = r, .a = a};
    struct buf url;
    enum status st = OK;
    err = err ? err : &local;
    *a = (struct s3_answer){0};
    buf_init(&url, 8192);
    buf_init(&t.error, ERROR_BYTES);
    if (!make_url(s, r, &url)) {
        st = err_set(err, ERR_INVALID, "bucket: the URL of an object is too long");
        goto out;
    }
    int64_t start = os_monotonic_us(), down = atomic_load(&s->down_us);
    if (left_alone(s, start)) {
        char what[400];
        s3_request_name(s, r, what);
        st = err_set(err, ERR_UNAVAILABLE, "%s: the store was silent a moment ago and is left alone", what);
        goto out;
    }
    unsigned attempts = down && start - down < DOWN_US ? 1 : ATTEMPTS;
    for (unsigned i = 0;; i++) {
        uint64_t before = t.at;
        enum verdict verdict = s3_attempt(s, &t, buf_str(&url), &st, err);
        if (a->status)
            atomic_store(&s->silent_us, 0);
        if (verdict == DONE) {
            atomic_store(&s->down_us, 0);
            break;
        }
        bool may = verdict == REFUSED || r->repeat == S3_REPEAT;
        if (!may)
            break;
        bool got_on = t.at > before; /* a download that moves may take as many attempts as it needs */
        if (got_on && i)
            i--;
        bool late = !got_on && os_monotonic_us() - start > 1000LL * s->timeout_ms;
        if (i + 1 >= attempts || late) {
            atomic_store(&s->down_us, os_monotonic_us());
            if (!a->status)
                atomic_store(&s->silent_us, os_monotonic_us());
            break;
        }
        log_debug("bucket: attempt %u: %s", i + 1, err->message);
        s3_pause_before(i);
    }
    if (st == OK && r->fd >= 0 && !r->out && a->status != 304 && a->size != S3_ANY_SIZE && t.at != a->size)
        st = err_set(err, ERR_CORRUPT, "s3://%s/%s%.200s: expected %llu bytes, found %llu", s->name, s->prefix,
                     r->key ? r->key : "", (unsigned long long)a->size, (unsigned long long)t.at);
out:
    buf_free(&t.error);
    buf_free(&url);
    return st;
}

/* --- downloads --- */

static bool digest_hex(int fd, const EVP_MD *type, char *out)
{
    unsigned char raw[EVP_MAX_MD_SIZE], chunk[65536];
    unsigned len = 0;
    ssize_t n = 1;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, type, NULL) == 1;
    for (off_t at = 0; ok && n; at += n) {
        n = pread(fd, chunk, sizeof chunk, at);
        ok = n >= 0 && EVP_DigestUpdate(ctx, chunk, (size_t)n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(ctx, raw, &len) == 1;
    EVP_MD_CTX_free(ctx);
    for (unsigned i = 0; ok && i < len; i++)
        snprintf(out + 2 * (size_t)i, 3, "%02x", raw[i]);
    return ok;
}

/* By our own checksum where we wrote the object, else by the ETag where that is an MD5. */
static enum status s3_verify(const struct s3 *s, const char *key, const struct s3_answer *a, int fd, struct error *err)
{
    char want[65] = "", got[2 * EVP_MAX_MD_SIZE + 1] = "";
    bool sha = a->sha256[0];
    size_t len = strlen(a->etag);
    if (sha)
        memcpy(want, a->sha256, sizeof want);
    else if (!a->encrypted && len == 34 && strspn(a->etag + 1, "0123456789abcdef") == 32)
        memcpy(want, a->etag + 1, 32);
    if (!*want)
        return OK;
    if (!digest_hex(fd, sha ? EVP_sha256() : EVP_md5(), got))
        return err_set(err, ERR_IO, "s3://%s/%s%.200s: cannot read back the copy", s->name, s->prefix, key);
    return strcmp(want, got) == 0
               ? OK
               : err_set(err, ERR_CORRUPT, "s3://%s/%s%.200s: expected the %s %.12s..., found %.12s...", s->name,
                         s->prefix, key, sha ? "SHA-256" : "MD5", want, got);
}

enum status s3_download(struct s3 *s, const char *key, const char *etag, int fd, uint64_t max,
                        bool (*stopped)(void *ctx), void *ctx, struct bucket_fetched *out, struct error *err)
{
    struct s3_answer a;
    enum status st = OK;
    struct s3_request r = {
        .method = "GET", .key = key, .if_none_match = etag, .fd = fd, .max = max, .stopped = stopped, .ctx = ctx};
    for (unsigned i = 0; i < 3; i++) { /* wrong bytes may be right the next time */
        if (i)
            s3_pause_before(i);
        if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
            return err_errno(err, "s3://%s/%s%.200s: cannot write the copy", s->name, s->prefix, key);
        st = s3_call(s, &r, &a, err);
        if (st == OK && a.status != 304)
            st = s3_verify(s, key, &a, fd, err);
        if (st != ERR_CORRUPT)
            break;
    }
    out->same = st == OK && a.status == 304;
    memcpy(out->etag, a.etag, sizeof out->etag);
    return st;
}
