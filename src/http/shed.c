#include "http/shed.h"

bool shed_refuses(struct shed *s, int64_t now_us, int64_t waited_us)
{
    if (s->target_us == 0)
        return false;
    int64_t until = atomic_load_explicit(&s->until_us, memory_order_relaxed);
    if (now_us >= until && atomic_compare_exchange_strong(&s->until_us, &until, now_us + SHED_INTERVAL_US)) {
        /* Of an interval in which nobody left the queue, this request tells: either it came just now and nobody waited,
         * or all workers were busy and it has waited since then. */
        bool recent = now_us < until + SHED_INTERVAL_US;
        atomic_store(&s->standing, (recent ? atomic_load(&s->least_us) : waited_us) > s->target_us);
        atomic_store(&s->least_us, waited_us);
    } else {
        int64_t least = atomic_load_explicit(&s->least_us, memory_order_relaxed);
        while (waited_us < least && !atomic_compare_exchange_weak(&s->least_us, &least, waited_us))
            continue;
    }
    return atomic_load_explicit(&s->standing, memory_order_relaxed) && waited_us > 2 * s->target_us;
}
