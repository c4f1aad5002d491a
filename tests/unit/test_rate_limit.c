/* Buckets: how they empty and fill, that strangers do not share one and neighbours do, fixed memory, many threads. */
#include "cm.h"

#include "http/rate_limit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SECOND 1000000
#define START  (5LL * SECOND)

static struct rate_limit *open_limit(unsigned rate, unsigned burst)
{
    struct rate_limit *r;
    assert_int_equal(rate_limit_open(rate, burst, &r, NULL), OK);
    return r;
}

static bool take(struct rate_limit *r, const char *client, unsigned cost, int64_t now_us)
{
    struct rate_limit_answer got;
    rate_limit_take_client(r, client, cost, now_us, &got);
    return got.allowed;
}

static void empties_and_fills(void **state)
{
    (void)state;
    struct rate_limit *r = open_limit(2, 5);
    struct rate_limit_answer got;
    for (unsigned i = 0; i < 5; i++) {
        rate_limit_take_client(r, "192.0.2.1", 1, START, &got);
        assert_true(got.allowed);
        assert_int_equal(got.remaining, 4 - i);
    }
    assert_int_equal(got.reset_s, 3); /* 2.5 s */
    rate_limit_take_client(r, "192.0.2.1", 1, START, &got);
    assert_false(got.allowed);
    assert_int_equal(got.remaining, 0);
    assert_int_equal(got.retry_s, 1);
    rate_limit_take_client(r, "192.0.2.1", 5, START, &got);
    assert_int_equal(got.retry_s, 3);
    assert_false(take(r, "192.0.2.1", 1, START + SECOND / 2 - 1));
    assert_true(take(r, "192.0.2.1", 1, START + SECOND / 2)); /* what was refused cost nothing */
    assert_false(take(r, "192.0.2.1", 1, START + SECOND / 2));
    assert_true(take(r, "192.0.2.1", 5, START + 60LL * SECOND)); /* never more than full */
    assert_false(take(r, "192.0.2.1", 1, START + 60LL * SECOND));
    rate_limit_close(r);
}

static void whose_bucket(void **state)
{
    (void)state;
    struct rate_limit *r = open_limit(1, 1);
    assert_true(take(r, "192.0.2.1", 1, START));
    assert_true(take(r, "192.0.2.2", 1, START));
    assert_false(take(r, "::ffff:192.0.2.1", 1, START));
    assert_true(take(r, "2001:db8::1", 1, START));
    assert_false(take(r, "2001:db8::ffff:1:2:3", 1, START));
    assert_true(take(r, "2001:db8:0:1::1", 1, START));
    assert_true(take(r, "", 1, START));
    assert_false(take(r, "", 1, START));
    rate_limit_close(r);
}

/* Strangers without number use no more memory, and do not wash out who is limited. */
static void fixed_memory(void **state)
{
    (void)state;
    struct rate_limit *r = open_limit(1, 100);
    char stranger[32];
    assert_true(take(r, "192.0.2.1", 100, START));
    for (unsigned i = 0; i < 3 * RATE_LIMIT_BUCKETS; i++) {
        snprintf(stranger, sizeof stranger, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_true(take(r, stranger, 1, START));
    }
    assert_false(take(r, "192.0.2.1", 1, START));
    rate_limit_close(r);
}

struct crowd {
    struct rate_limit *limit;
    atomic_uint allowed;
};

static void *ask_often(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 1000; i++)
        atomic_fetch_add(&c->allowed, take(c->limit, "192.0.2.1", 1, START));
    return NULL;
}

static void exact_in_a_crowd(void **state)
{
    (void)state;
    struct crowd c = {.limit = open_limit(1, 1500)};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &c), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.allowed, 1500);
    rate_limit_close(c.limit);
}

static void bounds(void **state)
{
    (void)state;
    struct rate_limit *r;
    struct error err;
    assert_int_equal(rate_limit_open(0, 1, &r, &err), ERR_INVALID);
    assert_int_equal(rate_limit_open(1, 1000001, &r, &err), ERR_INVALID);
    r = open_limit(1, 1000000);
    assert_true(take(r, "192.0.2.1", 1000000, START));
    rate_limit_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empties_and_fills), cmocka_unit_test(whose_bucket), cmocka_unit_test(fixed_memory),
        cmocka_unit_test(exact_in_a_crowd),  cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
