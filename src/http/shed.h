/* shed.h: when waiting requests are refused because answers have come to take too long: controlled delay, after CoDel
 * (RFC 8289, section 3), for a queue of requests as in B. Maurer, "Fail at Scale" (ACM Queue 13(8), 2015).
 *
 * A burst makes a queue that empties again: within each interval somebody then waits for next to nothing. When for a
 * whole interval everybody waited longer than the target, more comes than can be done; from then on who has waited
 * twice the target is refused, which is soon said and costs next to nothing, until an interval had a short wait again.
 * So those who are answered have waited at most that long, however many ask. That holds also when all workers hang for
 * a while: who is the first to leave the queue afterwards tells that everybody waited. (While they hang, nobody is
 * answered, refused neither: what may hang needs workers of its own, HTTP_ASIDE in server.h.) */
#ifndef PEEL_HTTP_SHED_H
#define PEEL_HTTP_SHED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SHED_INTERVAL_US 100000

struct shed {
    int64_t target_us; /* 0: nobody is refused */
    _Atomic int64_t until_us, least_us;
    atomic_bool standing; /* the interval before had no short wait */
};
/* A request that waited for waited_us leaves the queue at now_us: shall it be refused? Any thread, without locks. */
bool shed_refuses(struct shed *s, int64_t now_us, int64_t waited_us);

#endif
