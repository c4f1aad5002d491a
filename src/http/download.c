#include "http/download.h"
#include "base/log.h"
#include "base/os.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS      6
#define STALL_SECONDS 30L /* less than 1 kB/s for so long counts as a cut connection */

struct sink {
    CURL *curl;
    struct buf *memory; /* or */
    int fd;
    uint64_t at;                                     /* bytes of the file that are there */
    bool started, too_large, disk_failed, no_answer; /* no_answer: not even to the wish to connect */
    const struct http_download *d;
    int64_t progress_us;
    bool cancelled;
};

static size_t download_on_data(char *data, size_t one, size_t n, void *arg)
{
    (void)one;
    struct sink *s = arg;
    long status = 0;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 300)
        return n; /* an error page: read past it */
    if (s->memory) {
        buf_append(s->memory, data, n);
        s->too_large = s->memory->failed;
        return s->too_large ? 0 : n;
    }
    if (!s->started && s->at && status == 200) { /* the whole file instead of the range */
        s->at = 0;
        if (ftruncate(s->fd, 0) != 0 || lseek(s->fd, 0, SEEK_SET) != 0)
            s->disk_failed = true;
    }
    s->started = true;
    if (s->d->size != HTTP_SIZE_UNKNOWN && s->at + n > s->d->size)
        s->too_large = true;
    for (size_t done = 0; done < n && !s->disk_failed && !s->too_large;) {
        ssize_t w = write(s->fd, data + done, n - done);
        if (w < 0 && errno != EINTR)
            s->disk_failed = true;
        done += w > 0 ? (size_t)w : 0;
    }
    s->at += n;
    return s->disk_failed || s->too_large ? 0 : n;
}

static int download_on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    (void)total, (void)now, (void)up_total, (void)up_now;
    struct sink *s = arg;
    int64_t us = os_monotonic_us();
    if (s->d && s->d->progress && us - s->progress_us >= 100000) {
        s->progress_us = us;
        s->cancelled = !s->d->progress(s->d->ctx, s->at, s->d->size);
    }
    return s->cancelled;
}

static void download_curl_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static CURL *download_handle(const char *url, const char *token, struct sink *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, download_curl_once);
    CURL *c = curl_easy_init();
    if (!c)
        return NULL;
    s->curl = c;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, strncmp(url, "https://", 8) == 0 ? "https" : "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 8L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1000L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "peel");
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, download_on_data);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, download_on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, s);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    if (token && *token) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, token);
    }
    return c;
}

/* One transfer. *retry says whether trying again may help. */
static enum status download_perform(struct sink *s, const char *url, bool *retry, struct error *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    long status = 0;
    curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, reason);
    CURLcode rc = curl_easy_perform(s->curl);
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_off_t connected = 0;
    curl_easy_getinfo(s->curl, CURLINFO_CONNECT_TIME_T, &connected);
    s->no_answer = rc == CURLE_OPERATION_TIMEDOUT && !connected;
    *retry = false;
    if (s->cancelled)
        return err_set(err, ERR_CANCELLED, "%s: stopped", url);
    if (s->disk_failed)
        return err_errno(err, "cannot write %s.part", s->d->path);
    if (s->too_large)
        return err_set(err, ERR_TOO_LARGE, "%s: more bytes than expected", url);
    if (status == 404 || status == 410)
        return err_set(err, ERR_NOT_FOUND, "%s: not there (HTTP %ld)", url, status);
    if (status == 401 || status == 403)
        return err_set(err, ERR_DENIED, "%s: access denied (HTTP %ld): a token may be needed", url, status);
    if (rc == CURLE_OK && status >= 200 && status < 300)
        return OK;
    *retry = status == 0 || status == 429 || status >= 500 || (rc != CURLE_OK && status < 300);
    if (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_UNSUPPORTED_PROTOCOL || rc == CURLE_URL_MALFORMAT)
        *retry = false;
    if (rc != CURLE_OK)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s", url, reason[0] ? reason : curl_easy_strerror(rc));
    return err_set(err, ERR_UNAVAILABLE, "%s: HTTP %ld", url, status);
}

static void download_pause_before(int attempt)
{
    useconds_t ms = 200u << attempt;
    usleep((ms > 5000 ? 5000 : ms) * 1000);
}

enum status http_fetch(const char *url, const char *token, struct buf *out, struct error *err)
{
    for (int attempt = 0;; attempt++) {
        struct sink s = {.memory = out, .fd = -1};
        if (!download_handle(url, token, &s))
            return err_no_memory(err, "curl");
        bool retry;
        enum status st = download_perform(&s, url, &retry, err);
        curl_easy_cleanup(s.curl);
        /* Where packets vanish, as behind some firewalls, each attempt would take ten seconds. */
        if (st == OK || !retry || s.no_answer || attempt + 1 == ATTEMPTS)
            return st;
        buf_reset(out);
        download_pause_before(attempt);
    }
}

/* --- checksums --- */

static bool download_digest(int fd, const EVP_MD *type, const char *prefix, size_t prefix_len, unsigned char *out,
                            unsigned *out_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, type, NULL) == 1 && EVP_DigestUpdate(ctx, prefix, prefix_len) == 1 &&
              lseek(fd, 0, SEEK_SET) == 0;
    static const size_t chunk = 1u << 18;
    unsigned char *data = malloc(chunk);
    ssize_t n = 0;
    while (ok && data && (n = read(fd, data, chunk)) > 0)
        ok = EVP_DigestUpdate(ctx, data, (size_t)n) == 1;
    ok = ok && data && n == 0 && EVP_DigestFinal_ex(ctx, out, out_len) == 1;
    free(data);
    EVP_MD_CTX_free(ctx);
    return ok;
}

static enum status check_one(int fd, const char *what, const EVP_MD *type, const char *prefix, size_t prefix_len,
                             bool base64, const char *want, struct error *err)
{
    if (!want)
        return OK;
    unsigned char raw[EVP_MAX_MD_SIZE];
    char text[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned len = 0;
    if (!download_digest(fd, type, prefix, prefix_len, raw, &len))
        return err_errno(err, "cannot compute %s", what);
    if (base64)
        EVP_EncodeBlock((unsigned char *)text, raw, (int)len);
    else
        for (unsigned i = 0; i < len; i++)
            snprintf(text + 2 * (size_t)i, 3, "%02x", raw[i]);
    if ((base64 ? strcmp(text, want) : strcasecmp(text, want)) != 0)
        return err_set(err, ERR_CORRUPT, "%s: expected %s, found %s", what, want, text);
    return OK;
}

static enum status check_file(const struct http_download *d, int fd, struct error *err)
{
    struct stat sb;
    if (fstat(fd, &sb) != 0)
        return err_errno(err, "cannot read %s.part", d->path);
    uint64_t size = (uint64_t)sb.st_size;
    if (d->size != HTTP_SIZE_UNKNOWN && size != d->size)
        return err_set(err, ERR_CORRUPT, "size: expected %llu bytes, found %llu", (unsigned long long)d->size,
                       (unsigned long long)size);
    char blob[64]; /* git hashes "blob <size>", NUL, content */
    int blob_len = snprintf(blob, sizeof blob, "blob %llu", (unsigned long long)size) + 1;
    enum status st = check_one(fd, "sha256", EVP_sha256(), "", 0, false, d->sha256, err);
    if (st == OK)
        st = check_one(fd, "git blob id", EVP_sha1(), blob, (size_t)blob_len, false, d->git_sha1, err);
    if (st == OK)
        st = check_one(fd, "sha512", EVP_sha512(), "", 0, true, d->sha512, err);
    return st;
}

enum status http_download(const struct http_download *d, struct error *err)
{
    struct error local;
    err = err ? err : &local;
    char part[PATH_MAX];
    int n = snprintf(part, sizeof part, "%s.part", d->path);
    if (n < 0 || (size_t)n >= sizeof part)
        return err_set(err, ERR_INVALID, "path of %zu bytes is too long", strlen(d->path));
    int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(err, "cannot open %s", part);
    enum status st = OK;
    for (int attempt = 0;; attempt++) {
        struct sink s = {.fd = fd, .d = d};
        off_t there = lseek(fd, 0, SEEK_END);
        if (there < 0) {
            st = err_errno(err, "cannot read %s", part);
            break;
        }
        s.at = (uint64_t)there;
        if (d->size != HTTP_SIZE_UNKNOWN && s.at >= d->size) {
            if (s.at == d->size)
                break; /* complete: only the checksum is left */
            s.at = 0;
            if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0) {
                st = err_errno(err, "cannot start %s again", part);
                break;
            }
        }
        if (!download_handle(d->url, d->token, &s)) {
            st = err_no_memory(err, "curl");
            break;
        }
        char range[32]; /* unlike RESUME_FROM, a range may be answered with the whole file */
        snprintf(range, sizeof range, "%llu-", (unsigned long long)s.at);
        if (s.at)
            curl_easy_setopt(s.curl, CURLOPT_RANGE, range);
        bool retry;
        uint64_t before = s.at;
        st = download_perform(&s, d->url, &retry, err);
        curl_easy_cleanup(s.curl);
        if (st == OK || !retry)
            break;
        if (s.at > before)
            attempt = 0; /* it moves: keep going */
        if (attempt + 1 >= ATTEMPTS)
            break;
        log_debug("%s; trying again", err->message);
        download_pause_before(attempt);
    }
    if (st == OK) {
        st = check_file(d, fd, err);
        if (st == ERR_CORRUPT) {
            unlink(part);
            err_prefix(err, "%s", d->url);
        }
    }
    if (st == OK && fsync(fd) != 0)
        st = err_errno(err, "cannot finish %s", part);
    close(fd);
    return st == OK ? os_place(part, d->path, err) : st;
}
