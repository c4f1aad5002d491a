#include "http/http_internal.h"

#include <string.h>

bool http_route_takes_slashes(const char *pattern)
{
    return strstr(pattern, "...}") != NULL;
}

/* Compares pattern and path, both without a final slash; {param} takes one non-empty segment, {param...} several. */
static bool matches(const char *pattern, const char *path, struct arena *a, const char **param)
{
    size_t pattern_len = strlen(pattern), path_len = strlen(path);
    if (pattern_len > 1 && pattern[pattern_len - 1] == '/')
        pattern_len--;
    if (path_len > 1 && path[path_len - 1] == '/')
        path_len--;
    const char *open = memchr(pattern, '{', pattern_len);
    if (!open)
        return pattern_len == path_len && memcmp(pattern, path, path_len) == 0;
    const char *close = strchr(open, '}') + 1;
    size_t before = (size_t)(open - pattern), after = pattern_len - (size_t)(close - pattern);
    if (path_len <= before + after || memcmp(pattern, path, before) != 0 ||
        memcmp(close, path + path_len - after, after) != 0)
        return false;
    size_t len = path_len - before - after;
    if (!http_route_takes_slashes(pattern) && memchr(path + before, '/', len))
        return false;
    *param = arena_strndup(a, path + before, len);
    return *param != NULL;
}

static const char *list_methods(unsigned methods, struct arena *a)
{
    const char *list = arena_printf(a, "%s%s%s%s%s", methods & HTTP_GET ? ", GET, HEAD" : "",
                                    methods & HTTP_POST ? ", POST" : "", methods & HTTP_PUT ? ", PUT" : "",
                                    methods & HTTP_PATCH ? ", PATCH" : "", methods & HTTP_DELETE ? ", DELETE" : "");
    return list ? list + 2 : "GET";
}

enum http_match http_route_find(const struct http_route *routes, size_t n, unsigned method, const char *path,
                                struct arena *a, const struct http_route **route, const char **param,
                                const char **allow)
{
    unsigned seen = 0;
    *param = NULL;
    for (size_t i = 0; i < n; i++) {
        *param = NULL; /* of this route, not of one before it that took another method */
        if (!matches(routes[i].pattern, path, a, param))
            continue;
        if (routes[i].methods & method) {
            *route = &routes[i];
            return HTTP_MATCH;
        }
        seen |= routes[i].methods;
    }
    if (!seen)
        return HTTP_NO_PATH;
    *allow = list_methods(seen, a);
    return HTTP_NO_METHOD;
}
