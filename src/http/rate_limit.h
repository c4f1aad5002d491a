/* rate_limit.h: how often somebody may ask: a bucket of `burst` units for each, which fills by `rate` units a second.
 *
 * A bucket is one number, the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371), so a
 * look is constant time and nothing has to be filled in between. Memory is fixed: sets of a few slots, found by a
 * keyed hash that strangers cannot aim; in a full set the bucket that is full the soonest makes room, so whoever is
 * being limited stays. Any thread may call.
 *
 *     struct rate_limit_answer got;
 *     rate_limit_take(limit, "192.0.2.1", 9, 1, os_monotonic_us(), &got);
 *     if (!got.allowed) ... "Retry-After: %u", got.retry_s
 */
#ifndef PEEL_HTTP_RATE_LIMIT_H
#define PEEL_HTTP_RATE_LIMIT_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_LIMIT_BUCKETS 65536

struct rate_limit_answer {
    bool allowed;
    unsigned remaining; /* units */
    unsigned reset_s;   /* until the bucket is full, rounded up */
    unsigned retry_s;   /* when refused: until there are as many units as were asked for, rounded up, 1.. */
};

/* One bucket of one's own, under a lock of one's own: *full_ns is 0 at first, unit_ns and burst_ns the times in which a
 * unit and a whole bucket come back. What costs more than a bucket costs a bucket. */
void rate_bucket_take(int64_t *full_ns, int64_t unit_ns, int64_t burst_ns, unsigned cost, int64_t now_us,
                      struct rate_limit_answer *out);

struct rate_limit;
/* rate and burst: 1..1,000,000 units, or ERR_INVALID. */
enum status rate_limit_open(unsigned rate, unsigned burst, struct rate_limit **out, struct error *err) MUST_CHECK;
void rate_limit_close(struct rate_limit *r); /* NULL is fine */

/* Takes `cost` units (1..burst) of key's bucket if it has them, else none. Times never go back by much. */
void rate_limit_take(struct rate_limit *r, const void *key, size_t len, unsigned cost, int64_t now_us,
                     struct rate_limit_answer *out);
/* The same for a client: an IPv4 address, or the /64 of an IPv6 one, which is what one customer has. */
void rate_limit_take_client(struct rate_limit *r, const char *client, unsigned cost, int64_t now_us,
                            struct rate_limit_answer *out);

#endif
