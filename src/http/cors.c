#include "http/cors.h"

#include <string.h>

#define SPACES " \t"

/* One after the other: the length of the origin at *at, after any spaces; *at moves to it. */
static size_t origin_at(const char **at)
{
    *at += strspn(*at, SPACES);
    return strcspn(*at, "," SPACES);
}

static const char *after(const char *at, size_t len)
{
    at += len;
    at += strspn(at, SPACES);
    return *at == ',' ? at + 1 : at;
}

static bool is_origin(const char *text, size_t len)
{
    size_t scheme = strncmp(text, "https://", 8) == 0 ? 8 : strncmp(text, "http://", 7) == 0 ? 7 : 0;
    return scheme && len > scheme && len <= 255 &&
           strspn(text + scheme, "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") == len - scheme;
}

bool cors_is_origin(const char *text)
{
    return is_origin(text, strlen(text));
}

enum status cors_check(const char *origins, struct error *err)
{
    if (strcmp(origins, "*") == 0 || !origins[strspn(origins, SPACES)])
        return OK;
    for (const char *at = origins; *at;) {
        size_t len = origin_at(&at);
        const char *next = after(at, len);
        if (!is_origin(at, len) || (*next && next[-1] != ','))
            return err_set(err, ERR_INVALID,
                           "cors-origins: expected * or origins such as https://a.example,http://b.example:8080, found"
                           " \"%.80s\"",
                           at);
        at = next;
    }
    return OK;
}

static bool allows(const char *origins, const char *origin)
{
    size_t wanted = strlen(origin);
    for (const char *at = origins; *at;) {
        size_t len = origin_at(&at);
        if (len == wanted && memcmp(at, origin, len) == 0)
            return true;
        at = after(at, len);
    }
    return false;
}

/* What other origins' pages may use. */
static bool is_shared(const char *path)
{
    static const char *const shared[] = {"/api/", "/media/", "/peel-", "/tenor/", "/giphy/", "/klipy/", "/mcp"};
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        if (strncmp(path, shared[i], strlen(shared[i])) == 0)
            return true;
    return false;
}

bool cors_answer(const char *origins, const char *path, const char *origin, struct http_response *res)
{
    bool any = strcmp(origins, "*") == 0;
    if (!*origins || !is_shared(path))
        return false;
    if (!any)
        http_vary(res, "Origin"); /* also where nothing is allowed, or a cache would keep that for all */
    if (!origin || !*origin || (!any && !allows(origins, origin)))
        return false;
    http_header_add(res, "Access-Control-Allow-Origin", any ? "*" : origin);
    http_header_add(res, "Access-Control-Expose-Headers",
                    "ETag, Idempotency-Replayed, RateLimit, RateLimit-Policy, Rendition, Retry-After, X-Request-Id");
    http_header_add(res, "Timing-Allow-Origin", any ? "*" : origin);
    return true;
}

void cors_preflight(const char *methods, struct http_response *res)
{
    http_header_add(res, "Access-Control-Allow-Methods", methods);
    http_header_add(res, "Access-Control-Allow-Headers",
                    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Mcp-Protocol-Version, "
                    "X-Api-Key, X-Request-Id, traceparent,"
                    " X-GIPHY-SDK-NAME, X-GIPHY-SDK-VERSION, X-GIPHY-SDK-PLATFORM");
    http_header_add(res, "Access-Control-Max-Age", "600");
    http_body_static(res, 204, NULL, "", 0);
}
