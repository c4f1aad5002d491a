#include "http/rate_limit.h"

#include "base/os.h"
#include "http/client_address.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WAYS    8
#define SETS    (RATE_LIMIT_BUCKETS / WAYS)
#define LOCKS   64
#define KEY_MAX 256 /* bytes of a key that count */
#define SECRET  16

struct slot {
    char id[16];     /* of the keyed hash's 64 hexadecimal digits; zeros: free */
    int64_t full_ns; /* when the bucket will be full */
};

struct rate_limit {
    int64_t unit_ns, burst_ns; /* in which a unit, a whole bucket comes back */
    char secret[SECRET];
    pthread_mutex_t locks[LOCKS]; /* one guards every 64th set */
    struct slot slots[SETS][WAYS];
};

enum status rate_limit_open(unsigned rate, unsigned burst, struct rate_limit **out, struct error *err)
{
    *out = NULL;
    if (rate < 1 || rate > 1000000 || burst < 1 || burst > 1000000)
        return err_set(err, ERR_INVALID,
                       "rate limit: expected 1 to 1000000 units, found a rate of %u and a burst of %u", rate, burst);
    struct rate_limit *r = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(err, "the rate limit");
    r->unit_ns = 1000000000 / rate;
    r->burst_ns = r->unit_ns * burst;
    os_random(r->secret, sizeof r->secret);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&r->locks[i], NULL);
    *out = r;
    return OK;
}

void rate_limit_close(struct rate_limit *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&r->locks[i]);
    free(r);
}

/* The slot of id; if there is none, the one whose bucket is full the soonest, as a full one. */
static struct slot *rate_limit_find(struct slot set[WAYS], const char id[16])
{
    struct slot *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (memcmp(set[i].id, id, sizeof set[i].id) == 0)
            return &set[i];
        if (set[i].full_ns < oldest->full_ns)
            oldest = &set[i];
    }
    memcpy(oldest->id, id, sizeof oldest->id);
    oldest->full_ns = 0;
    return oldest;
}

static unsigned seconds(int64_t ns)
{
    return (unsigned)((ns + 999999999) / 1000000000);
}

void rate_bucket_take(int64_t *full_ns, int64_t unit_ns, int64_t burst_ns, unsigned cost, int64_t now_us,
                      struct rate_limit_answer *out)
{
    int64_t now = now_us * 1000, price = unit_ns * cost;
    price = price < burst_ns ? price : burst_ns;
    int64_t full = (*full_ns > now ? *full_ns : now) + price;
    out->allowed = full - now <= burst_ns;
    if (out->allowed)
        *full_ns = full;
    int64_t missing = *full_ns > now ? *full_ns - now : 0;
    out->remaining = missing < burst_ns ? (unsigned)((burst_ns - missing) / unit_ns) : 0;
    out->reset_s = seconds(missing);
    out->retry_s = out->allowed ? 0 : seconds(full - now - burst_ns);
}

void rate_limit_take(struct rate_limit *r, const void *key, size_t len, unsigned cost, int64_t now_us,
                     struct rate_limit_answer *out)
{
    char text[SECRET + KEY_MAX], hash[65];
    assert(r->unit_ns * cost <= r->burst_ns);
    len = len < KEY_MAX ? len : KEY_MAX;
    memcpy(text, r->secret, SECRET);
    memcpy(text + SECRET, key, len);
    os_sha256_hex(text, SECRET + len, hash);
    size_t set = strtoul(hash + 60, NULL, 16) % SETS;

    pthread_mutex_lock(&r->locks[set % LOCKS]);
    struct slot *slot = rate_limit_find(r->slots[set], hash);
    rate_bucket_take(&slot->full_ns, r->unit_ns, r->burst_ns, cost, now_us, out);
    pthread_mutex_unlock(&r->locks[set % LOCKS]);
}

void rate_limit_take_client(struct rate_limit *r, const char *client, unsigned cost, int64_t now_us,
                            struct rate_limit_answer *out)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct address a;
    if (!address_parse(client, strlen(client), &a))
        rate_limit_take(r, client, strlen(client), cost, now_us, out);
    else
        rate_limit_take(r, a.bytes, memcmp(a.bytes, mapped, sizeof mapped) == 0 ? 16 : 8, cost, now_us, out);
}
