#include "http/client_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_HOPS 16 /* proxies in a row, before what is said further is not looked at */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const struct address *a)
{
    return memcmp(a->bytes, mapped, sizeof mapped) == 0;
}

bool address_parse(const char *text, size_t len, struct address *out)
{
    char copy[INET6_ADDRSTRLEN];
    const char *zone = memchr(text, '%', len);
    if (zone)
        len = (size_t)(zone - text);
    if (len == 0 || len >= sizeof copy || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    memcpy(out->bytes, mapped, sizeof mapped);
    return inet_pton(AF_INET, copy, out->bytes + sizeof mapped) == 1 || inet_pton(AF_INET6, copy, out->bytes) == 1;
}

static void write_address(const struct address *a, char out[INET6_ADDRSTRLEN])
{
    if (is_v4(a))
        inet_ntop(AF_INET, a->bytes + sizeof mapped, out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, a->bytes, out, INET6_ADDRSTRLEN);
}

/* Without spaces and tabs at both ends. */
static const char *trim_blanks(const char *text, size_t *len)
{
    while (*len && (*text == ' ' || *text == '\t'))
        text++, --*len;
    while (*len && (text[*len - 1] == ' ' || text[*len - 1] == '\t'))
        --*len;
    return text;
}

/* --- networks --- */

static bool within(const struct address *a, const struct address *base, unsigned bits)
{
    size_t whole = bits / 8;
    unsigned rest = bits % 8;
    return memcmp(a->bytes, base->bytes, whole) == 0 &&
           (!rest || (a->bytes[whole] ^ base->bytes[whole]) >> (8 - rest) == 0);
}

static bool parse_network(const char *text, size_t len, struct address *base, unsigned *bits)
{
    const char *slash = memchr(text, '/', len);
    if (!address_parse(text, slash ? (size_t)(slash - text) : len, base) || memchr(text, '%', len))
        return false;
    unsigned least = is_v4(base) && !memchr(text, ':', len) ? 96 : 0; /* of IPv4, bits are counted in its 32 */
    *bits = 128;
    if (slash) {
        size_t digits = len - (size_t)(slash + 1 - text);
        unsigned n = 0;
        if (digits == 0 || digits > 3)
            return false;
        for (const char *c = slash + 1; c < text + len; c++) {
            if (*c < '0' || *c > '9')
                return false;
            n = n * 10 + (unsigned)(*c - '0');
        }
        *bits = least + n;
    }
    return *bits <= 128;
}

enum status trusted_proxies_parse(const char *list, struct trusted_proxies *out, struct error *err)
{
    out->n = 0;
    if (!list[strspn(list, " \t")])
        return OK;
    for (const char *at = list, *end;; at = end + 1) {
        end = at + strcspn(at, ",");
        size_t len = (size_t)(end - at);
        const char *text = trim_blanks(at, &len);
        if (out->n == TRUSTED_PROXIES_MAX)
            return err_set(err, ERR_INVALID, "trusted-proxies: at most %d networks are allowed", TRUSTED_PROXIES_MAX);
        if (!parse_network(text, len, &out->network[out->n].base, &out->network[out->n].bits))
            return err_set(err, ERR_INVALID,
                           "trusted-proxies: expected addresses and networks such as 10.0.0.0/8,::1, found \"%.*s\"",
                           len < 80 ? (int)len : 80, text);
        out->n++;
        if (!*end)
            return OK;
    }
}

static bool trusted(const struct trusted_proxies *t, const struct address *a)
{
    for (size_t i = 0; i < t->n; i++)
        if (within(a, &t->network[i].base, t->network[i].bits))
            return true;
    return false;
}

bool address_is_public(const struct address *a)
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    struct trusted_proxies special;
    struct address v4 = *a;
    if (memcmp(a->bytes, nat64, sizeof nat64) == 0)
        memcpy(v4.bytes, mapped, sizeof mapped);
    if (is_v4(&v4))
        return trusted_proxies_parse("0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,"
                                     "192.0.0.0/24,192.0.2.0/24,192.88.99.0/24,192.168.0.0/16,198.18.0.0/15,"
                                     "198.51.100.0/24,203.0.113.0/24,224.0.0.0/4,240.0.0.0/4",
                                     &special, NULL) == OK &&
               !trusted(&special, &v4);
    return a->bytes[0] >> 5 == 1 && /* 2000::/3 is all that has been given out */
           trusted_proxies_parse("2001::/23,2001:db8::/32,2002::/16,3fff::/20", &special, NULL) == OK &&
           !trusted(&special, a);
}

bool trusted_proxies_has(const struct trusted_proxies *t, const char *address)
{
    struct address a;
    return address_parse(address, strlen(address), &a) && trusted(t, &a);
}

/* --- what proxies say --- */

static bool is_port(const char *text, size_t len)
{
    for (size_t i = 1; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return len >= 2 && len <= 6 && text[0] == ':';
}

/* One entry: an address, as some proxies write it also with a port, "192.0.2.1:4711" or "[2001:db8::1]:4711". */
static bool parse_hop(const char *text, size_t len, struct address *out)
{
    text = trim_blanks(text, &len);
    if (len && *text == '[') {
        const char *close = memchr(text, ']', len);
        if (!close)
            return false;
        size_t after = len - (size_t)(close + 1 - text);
        return (after == 0 || is_port(close + 1, after)) && address_parse(text + 1, (size_t)(close - text) - 1, out);
    }
    const char *colon = memchr(text, ':', len), *dot = memchr(text, '.', len);
    if (colon && dot && dot < colon) {
        size_t before = (size_t)(colon - text);
        return is_port(colon, len - before) && address_parse(text, before, out);
    }
    return address_parse(text, len, out);
}

void client_address(const struct trusted_proxies *t, const char *peer, const char *forwarded_for,
                    char out[INET6_ADDRSTRLEN])
{
    struct address at, next;
    snprintf(out, INET6_ADDRSTRLEN, "%s", peer);
    if (!address_parse(peer, strlen(peer), &at))
        return;
    const char *end = forwarded_for ? forwarded_for + strlen(forwarded_for) : NULL;
    for (int hops = 0; end && hops < MAX_HOPS && trusted(t, &at); hops++) {
        const char *start = end;
        while (start > forwarded_for && start[-1] != ',')
            start--;
        if (!parse_hop(start, (size_t)(end - start), &next))
            break;
        at = next;
        end = start > forwarded_for ? start - 1 : NULL;
    }
    write_address(&at, out);
}

void client_network(const char *client, char out[CLIENT_NETWORK_SIZE])
{
    struct address a;
    char text[INET6_ADDRSTRLEN];
    snprintf(out, CLIENT_NETWORK_SIZE, "%.*s", CLIENT_NETWORK_SIZE - 1, client);
    if (!address_parse(client, strlen(client), &a) || memcmp(a.bytes, mapped, sizeof mapped) == 0)
        return;
    memset(a.bytes + 8, 0, 8);
    if (inet_ntop(AF_INET6, a.bytes, text, sizeof text))
        snprintf(out, CLIENT_NETWORK_SIZE, "%s/64", text);
}

bool client_over_tls(const char *forwarded_proto)
{
    if (!forwarded_proto)
        return false;
    const char *comma = strrchr(forwarded_proto, ',');
    const char *last = comma ? comma + 1 : forwarded_proto;
    size_t len = strlen(last);
    last = trim_blanks(last, &len);
    return len == 5 && strncasecmp(last, "https", 5) == 0;
}
