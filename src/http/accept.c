#include "http/accept.h"

#include <string.h>
#include <strings.h>

/* The next element of a comma-separated field, without spaces around it; NULL at the end. */
static const char *next_element(const char **at, size_t *len)
{
    *at += strspn(*at, " \t,");
    if (!**at)
        return NULL;
    const char *start = *at;
    *at += strcspn(*at, ",");
    *len = (size_t)(*at - start);
    while (*len && strchr(" \t", start[*len - 1]))
        (*len)--;
    return start;
}

static unsigned read_weight(const char *q, size_t len)
{
    if (!len || *q != '0')
        return len && *q == '1' ? 1000 : 0;
    unsigned weight = 0, unit = 100;
    for (size_t i = 2; i < len && q[1] == '.' && q[i] >= '0' && q[i] <= '9'; i++, unit /= 10)
        weight += (unsigned)(q[i] - '0') * unit;
    return weight;
}

unsigned http_weight(const char *parameters, size_t len)
{
    for (const char *p = parameters, *end = parameters + len; p < end;) {
        while (p < end && strchr("; \t", *p))
            p++;
        const char *next = memchr(p, ';', (size_t)(end - p));
        next = next ? next : end;
        if (next - p >= 2 && strncasecmp(p, "q=", 2) == 0)
            return read_weight(p + 2, (size_t)(next - p) - 2);
        p = next;
    }
    return 1000;
}

/* How exactly an element's name says `what`: 0 = it does not. */
static int exactness(const char *name, size_t len, const char *what)
{
    const char *slash = strchr(what, '/');
    size_t type = slash ? (size_t)(slash - what) + 1 : 0;
    if (len == strlen(what) && strncasecmp(name, what, len) == 0)
        return 3;
    if (slash && len == type + 1 && strncasecmp(name, what, type) == 0 && name[type] == '*')
        return 2;
    return slash ? len == 3 && memcmp(name, "*/*", 3) == 0 : len == 1 && *name == '*';
}

unsigned http_accepts(const char *field, const char *what)
{
    const char *at = field ? field : "", *e;
    size_t len;
    int best = 0;
    unsigned weight = 0;
    while ((e = next_element(&at, &len))) {
        size_t name = strcspn(e, " \t;,");
        int exact = exactness(e, name, what);
        if (exact > best) {
            best = exact;
            weight = http_weight(e + name, len - name);
        }
    }
    return weight;
}

bool http_etag_listed(const char *field, const char *etag)
{
    const char *at = field ? field : "", *e;
    size_t len;
    while ((e = next_element(&at, &len))) {
        if (len == 1 && *e == '*')
            return true;
        if (len > 2 && strncmp(e, "W/", 2) == 0)
            e += 2, len -= 2;
        if (len == strlen(etag) && memcmp(e, etag, len) == 0)
            return true;
    }
    return false;
}
