#include "http/site.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define SPACES       " \t"
#define DNS_NAME_MAX 253 /* of a name in the DNS (RFC 1035, 2.3.4, as text) */
#define HOST_MAX     (DNS_NAME_MAX + sizeof ".:65535" - 1)

bool site_is_foreign(const char *sec_fetch_site, const char *origin, const char *host)
{
    if (sec_fetch_site)
        return strcmp(sec_fetch_site, "same-origin") != 0 && strcmp(sec_fetch_site, "none") != 0;
    if (!origin)
        return false;
    const char *found = strstr(origin, "://");
    return !found || !host || strcasecmp(found + 3, host) != 0;
}

bool site_is_simple_type(const char *content_type)
{
    static const char *const simple[] = {"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"};
    size_t len = content_type ? strcspn(content_type, ";" SPACES) : 0;
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
        if (len == strlen(simple[i]) && strncasecmp(content_type, simple[i], len) == 0)
            return true;
    return len == 0;
}

/* The length of the name at *at, after any spaces; *at moves to it. */
static size_t name_at(const char **at)
{
    *at += strspn(*at, "," SPACES);
    return strcspn(*at, "," SPACES);
}

enum status site_check_hosts(const char *hosts, struct error *err)
{
    for (const char *at = hosts; *at;) {
        size_t len = name_at(&at);
        if (len > DNS_NAME_MAX || strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") < len)
            return err_set(err, ERR_INVALID,
                           "hosts: expected names such as stickers.example.com, without a port, found \"%.80s\"", at);
        at += len;
    }
    return OK;
}

static bool is_listed(const char *hosts, const char *name, size_t name_len)
{
    for (const char *at = hosts; *at;) {
        size_t len = name_at(&at);
        if (len && len == name_len && strncasecmp(at, name, len) == 0)
            return true;
        at += len;
    }
    return false;
}

static bool is_numeric(const char *name, size_t len)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr address;
    if (len >= sizeof text)
        return false;
    memcpy(text, name, len);
    text[len] = '\0';
    return inet_pton(AF_INET, text, &address) == 1;
}

bool site_is_ours(const char *host, const char *hosts, bool only_here)
{
    static const char local[] = ".localhost";
    if (!host)
        return true;
    if (strlen(host) > HOST_MAX)
        return false;
    if (*host == '[') /* an IPv6 address */
        return true;
    size_t len = strcspn(host, ":"), local_len = sizeof local - 1;
    while (len && host[len - 1] == '.')
        len--;
    if (!memchr(host, '.', len) || is_numeric(host, len) || is_listed(hosts, host, len))
        return true;
    if (len > local_len && strncasecmp(host + len - local_len, local, local_len) == 0)
        return true;
    return !hosts[strspn(hosts, "," SPACES)] && !only_here;
}
