/* Overload: a burst passes, a standing queue is cut, and it ends when the load does. */
#include "cm.h"

#include "http/shed.h"

enum { MS = 1000, TARGET = 50 * MS };

/* A request each millisecond for `ms`, which wait from `first` on and `step` longer each; how many were refused. */
static int ask(struct shed *s, int64_t *now, int ms, int64_t first, int64_t step)
{
    int refused = 0;
    for (int i = 0; i < ms; i++, *now += MS, first += step)
        refused += shed_refuses(s, *now, first);
    return refused;
}

static void bursts_pass(void **state)
{
    (void)state;
    struct shed s = {.target_us = TARGET};
    int64_t now = 5000 * MS;
    assert_int_equal(ask(&s, &now, 300, 100, 0), 0);
    for (int i = 0; i < 5; i++) { /* waits up to 400 ms, but each interval has short ones */
        assert_int_equal(ask(&s, &now, 60, 0, 6 * MS + MS / 2), 0);
        assert_int_equal(ask(&s, &now, 40, 100, 0), 0);
    }
}

static void a_standing_queue_is_cut(void **state)
{
    (void)state;
    struct shed s = {.target_us = TARGET};
    int64_t now = 0;
    assert_int_equal(ask(&s, &now, 300, 100, 0), 0);
    int refused = ask(&s, &now, 500, 300 * MS, 0);
    assert_in_range(refused, 250, 450);                  /* after one or two intervals all */
    assert_int_equal(ask(&s, &now, 100, 90 * MS, 0), 0); /* who waited less than twice the target is served */
    assert_int_equal(ask(&s, &now, 50, 300 * MS, 0), 50);
    int after = ask(&s, &now, 200, MS, 0) + ask(&s, &now, 100, 300 * MS, 0);
    assert_in_range(after, 0, 100);
    assert_int_equal(ask(&s, &now, 300, MS, 0), 0);
    assert_int_equal(ask(&s, &now, 50, 300 * MS, 0), 0); /* forgotten: a new burst passes */
}

static void a_pause_is_no_load(void **state)
{
    (void)state;
    struct shed s = {.target_us = TARGET};
    int64_t now = 0;
    (void)ask(&s, &now, 300, 300 * MS, 0);
    now += 10000 * MS;
    assert_false(shed_refuses(&s, now, MS));
    assert_int_equal(ask(&s, &now, 50, 300 * MS, 0), 0);
    struct shed off = {0};
    assert_int_equal(ask(&off, &now, 500, 900 * MS, 0), 0);
}

/* All workers hung, and nobody left the queue: those who waited are refused, from the first one on. */
static void a_stall_is_a_long_wait(void **state)
{
    (void)state;
    struct shed s = {.target_us = TARGET};
    int64_t now = 5000 * MS;
    assert_int_equal(ask(&s, &now, 300, MS, 0), 0);
    now += 4000 * MS;
    assert_int_equal(ask(&s, &now, 30, 4000 * MS, 0), 30);
    assert_int_equal(ask(&s, &now, 10, MS, 0), 0);
    now += 100 * MS;
    assert_int_equal(ask(&s, &now, 300, MS, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_pass),
        cmocka_unit_test(a_standing_queue_is_cut),
        cmocka_unit_test(a_pause_is_no_load),
        cmocka_unit_test(a_stall_is_a_long_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
