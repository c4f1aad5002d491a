/* client_address.h: whose request it is when proxies are in front.
 *
 * X-Forwarded-For is a list to which each proxy adds, at the right, the address that it was asked from. Everything to
 * the left of what our own proxies added is what a client says of itself. So the list is walked from the right, for as
 * long as the address that said so is one of the trusted; the first that is not is the client's. What is no address
 * ends the walk where it is: the worst that a liar reaches is to be taken for the proxy it came through.
 *
 *     struct trusted_proxies proxies;
 *     trusted_proxies_parse("10.0.0.0/8,::1", &proxies, &err);
 *     client_address(&proxies, "10.0.0.3", "6.6.6.6, 192.0.2.1", text);   // "192.0.2.1"
 */
#ifndef PEEL_HTTP_CLIENT_ADDRESS_H
#define PEEL_HTTP_CLIENT_ADDRESS_H

#include "base/status.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUSTED_PROXIES_MAX 32

/* IPv4 is kept as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so that there is one kind. */
struct address {
    uint8_t bytes[16];
};

struct trusted_proxies {
    size_t n;
    struct {
        struct address base;
        unsigned bits; /* of the 128 */
    } network[TRUSTED_PROXIES_MAX];
};

/* A numeric address of len bytes; an IPv6 zone ("%eth0") is left out. False when it is none. */
bool address_parse(const char *text, size_t len, struct address *out) MUST_CHECK;

/* Whether the address is one of the public internet: not one of this machine, of a private network, of a link or of a
 * group, nor kept for another purpose (IANA's registries of special-purpose addresses, RFC 6890). An IPv4 address that
 * an IPv6 one stands for (RFC 6052, 2.1) counts as itself. */
bool address_is_public(const struct address *a) MUST_CHECK;

/* "10.0.0.0/8, ::1": networks and addresses, "" for none. ERR_INVALID names the one that is wrong. */
enum status trusted_proxies_parse(const char *list, struct trusted_proxies *out, struct error *err) MUST_CHECK;
bool trusted_proxies_has(const struct trusted_proxies *t, const char *address);

/* The client's address as text. `peer` is who is connected, `forwarded_for` the lines of X-Forwarded-For joined by
 * commas, NULL for none. */
void client_address(const struct trusted_proxies *t, const char *peer, const char *forwarded_for,
                    char out[INET6_ADDRSTRLEN]);
/* Who a client is for limits: an IPv4 address, or the /64 of an IPv6 one ("2001:db8:1:2::/64"), which is what one
 * customer has; what is no address as it is. */
#define CLIENT_NETWORK_SIZE (INET6_ADDRSTRLEN + 4)
void client_network(const char *client, char out[CLIENT_NETWORK_SIZE]);
/* Whether the last of the comma-separated protocols is https; NULL is not. */
bool client_over_tls(const char *forwarded_proto);

#endif
