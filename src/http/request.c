#include "base/os.h"
#include "base/utf8.h"
#include "http/http_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-decodes s[0..len) (RFC 3986); '+' means space in a form's query only. False: a broken escape. */
static bool decode_escapes(const char *s, size_t len, bool plus, char *out, size_t *out_len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%') {
            int high = i + 2 < len ? hex(s[i + 1]) : -1, low = i + 2 < len ? hex(s[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            out[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[n++] = plus && s[i] == '+' ? ' ' : s[i];
        }
    }
    out[n] = '\0';
    *out_len = n;
    return true;
}

/* The first segment of a path that is "." or "..", or NULL. */
static const char *find_dots(const char *path, size_t *len)
{
    for (const char *s = path; *s; s += *len) {
        *len = strcspn(++s, "/");
        if ((*len == 1 || *len == 2) && memcmp(s, "..", *len) == 0)
            return s;
    }
    return NULL;
}

static enum status parse_path(const char *raw, size_t len, struct arena *a, struct http_request *req, struct error *err)
{
    char *path = arena_alloc(a, len + 2);
    size_t n = 0, dots;
    if (!path)
        return err_no_memory(err, "a request");
    if (len == 0 || raw[0] != '/')
        return err_set(err, ERR_INVALID, "path: expected a leading slash");
    for (size_t i = 0; i < len;) {
        size_t start = ++i, piece; /* raw[start - 1] is a slash */
        while (i < len && raw[i] != '/')
            i++;
        path[n++] = '/';
        if (!decode_escapes(raw + start, i - start, false, path + n, &piece))
            return err_set(err, ERR_INVALID, "path: broken percent escape");
        const char *segment = path + n;
        if (memchr(segment, '\0', piece) || !utf8_valid(segment, piece))
            return err_set(err, ERR_INVALID, "path: expected UTF-8 without NUL");
        req->encoded_slash = req->encoded_slash || memchr(segment, '/', piece);
        n += piece;
    }
    path[n] = '\0';
    const char *found = find_dots(path, &dots);
    if (found)
        return err_set(err, ERR_INVALID, "path: \"%.*s\" is not allowed", (int)dots, found);
    req->path = path;
    return OK;
}

static enum status parse_query(const char *raw, struct arena *a, struct http_request *req, struct error *err)
{
    struct http_pair *params = arena_room(a, HTTP_MAX_PARAMS, sizeof *params);
    char *text = arena_alloc(a, 2 * strlen(raw) + 2);
    if (!params || !text)
        return err_no_memory(err, "a request");
    for (const char *p = raw; *p;) {
        size_t len = strcspn(p, "&"), name_len, value_len;
        const char *equals = memchr(p, '=', len);
        size_t raw_name = equals ? (size_t)(equals - p) : len;
        if (len) {
            if (req->n_params == HTTP_MAX_PARAMS)
                return err_set(err, ERR_INVALID, "query string: more than %d parameters", HTTP_MAX_PARAMS);
            struct http_pair *pair = &params[req->n_params++];
            if (!decode_escapes(p, raw_name, true, text, &name_len))
                return err_set(err, ERR_INVALID, "query string: broken percent escape in a name");
            if (memchr(text, '\0', name_len) || !utf8_valid(text, name_len))
                return err_set(err, ERR_INVALID, "query string: expected names of UTF-8 without NUL");
            pair->name = text;
            text += name_len + 1;
            if (!decode_escapes(equals ? equals + 1 : "", equals ? len - raw_name - 1 : 0, true, text, &value_len))
                return err_set(err, ERR_INVALID, "%.200s: broken percent escape", pair->name);
            pair->value = text;
            pair->value_len = value_len;
            text += value_len + 1;
        }
        p += len + (p[len] == '&');
    }
    req->params = params;
    return OK;
}

enum status http_parse_target(const char *target, struct arena *a, struct http_request *req, struct error *err)
{
    const char *const whole = target;
    for (const char *p = target; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return err_set(err, ERR_INVALID, "path: expected no space and no control character, unless escaped");
    /* the absolute form that proxies send: http://host/path */
    if (strncmp(target, "http://", 7) == 0 || strncmp(target, "https://", 8) == 0) {
        target = strstr(target, "://") + 3;
        target += strcspn(target, "/?");
    }
    size_t path_len = strcspn(target, "?");
    req->raw_query = target[path_len] ? arena_strdup(a, target + path_len + 1) : "";
    if (!req->raw_query)
        return err_no_memory(err, "a request");
    enum status st = path_len || target == whole ? parse_path(target, path_len, a, req, err)
                                                 : parse_path("/", 1, a, req, err); /* http://host?query */
    return st == OK && *req->raw_query ? parse_query(req->raw_query, a, req, err) : st;
}

enum http_method http_parse_method(const char *method)
{
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_GET},      {"POST", HTTP_POST},
                 {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}, {"PATCH", HTTP_PATCH}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(method, known[i].name) == 0)
            return known[i].method;
    return (enum http_method)0;
}

const char *http_request_id(const char *given, struct arena *a)
{
    size_t len = given ? strlen(given) : 0;
    bool sane = len >= 1 && len <= 64;
    for (size_t i = 0; sane && i < len; i++)
        sane = isalnum((unsigned char)given[i]) || strchr("._-", given[i]);
    if (sane)
        return arena_strdup(a, given);
    char fresh[37];
    os_uuid7(fresh);
    return arena_strdup(a, fresh);
}

/* W3C Trace Context: <version>-<32 hex>-<16 hex>-<2 hex>, ids not all zero; a later version may go on after a dash. */
static bool trace_valid(const char *given)
{
    static const char form[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    size_t len = given ? strlen(given) : 0;
    if (len < sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'x' ? !strchr("0123456789abcdef", given[i]) : given[i] != form[i])
            return false;
    bool known = strncmp(given, "00", 2) == 0;
    if (strncmp(given, "ff", 2) == 0 || (len >= sizeof form && (known || given[sizeof form - 1] != '-')))
        return false;
    return strspn(given + 3, "0") < 32 && strspn(given + 36, "0") < 16;
}

const char *http_traceparent(const char *given, struct arena *a, bool *continued)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char id[24]; /* the trace's, and this hop's */
    char hex[49] = "";
    os_random(id, sizeof id);
    id[0] |= 1; /* neither is all zero */
    id[16] |= 1;
    for (size_t i = 0; i < sizeof id; i++) {
        hex[2 * i] = digits[id[i] >> 4];
        hex[2 * i + 1] = digits[id[i] & 15];
    }
    *continued = trace_valid(given);
    if (!*continued)
        return arena_printf(a, "00-%.32s-%s-00", hex, hex + 32);
    bool sampled = (strchr(digits, given[54]) - digits) & 1; /* the one flag of version 00 */
    return arena_printf(a, "00-%.32s-%s-0%d", given + 3, hex + 32, sampled);
}

const char *http_tracestate(const char *given, struct arena *a)
{
    size_t len = given ? strlen(given) : 0;
    if (len < 1 || len > HTTP_TRACESTATE_MAX)
        return NULL;
    for (size_t i = 0; i < len; i++)
        if (given[i] < ' ' || given[i] > '~')
            return NULL;
    return arena_strdup(a, given);
}

const char *http_header(const struct http_request *req, const char *name)
{
    if (req->within && strcasecmp(name, "Host") != 0)
        return NULL;
    return req->connection ? MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name) : NULL;
}

enum status http_param_or(const struct http_request *req, const char *name, const char *fallback, const char **value,
                          struct error *err)
{
    const struct http_pair *found = NULL;
    *value = NULL;
    for (size_t i = 0; i < req->n_params; i++) {
        if (strcmp(req->params[i].name, name) != 0)
            continue;
        if (found)
            return err_set(err, ERR_INVALID, "%s must be given once", name);
        found = &req->params[i];
    }
    if (found && memchr(found->value, '\0', found->value_len))
        return err_set(err, ERR_INVALID, "%s must not contain NUL", name);
    if (found && !utf8_valid(found->value, found->value_len))
        return err_set(err, ERR_INVALID, "%s must be valid UTF-8", name);
    *value = found ? found->value : fallback;
    return OK;
}

enum status http_param(const struct http_request *req, const char *name, const char **value, struct error *err)
{
    enum status st = http_param_or(req, name, NULL, value, err);
    return st == OK && !*value ? err_set(err, ERR_NOT_FOUND, "%s is missing", name) : st;
}

enum status http_param_int(const struct http_request *req, const char *name, int64_t least, int64_t most,
                           int64_t fallback, int64_t *value, struct error *err)
{
    const char *text;
    *value = fallback;
    enum status st = http_param_or(req, name, NULL, &text, err);
    if (st != OK || !text)
        return st;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    bool plain = (isdigit((unsigned char)text[0]) || text[0] == '-') && !*end && errno == 0;
    if (!plain || number < least || number > most)
        return err_set(err, ERR_INVALID, "%s must be a whole number from %lld to %lld", name, (long long)least,
                       (long long)most);
    *value = number;
    return OK;
}
