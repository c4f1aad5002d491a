/* A worker rests out, wakes early, loses no call, and stops whether it rests or works. */
#include "cm.h"

#include "base/os.h"
#include "base/worker.h"

#include <stdatomic.h>
#include <unistd.h>

enum { LONG_MS = 60000, PATIENCE_US = 10000000 };

struct work {
    struct worker *worker;
    unsigned rest_ms;
    bool busy;             /* works until it must stop, instead of resting */
    atomic_bool at_work;   /* the busy one has begun, */
    atomic_bool may_go_on; /* and until this is set it cares for nothing */
    atomic_int woken, rested, ended;
};

static void count_rests(struct worker *w, void *arg)
{
    struct work *k = arg;
    if (w != k->worker)
        return; /* `ended` says so */
    if (k->busy) {
        atomic_store(&k->at_work, true);
        while (!atomic_load(&k->may_go_on) && !worker_stopping(w))
            usleep(100);
    }
    for (enum worker_rest ended; (ended = worker_rest(w, k->rest_ms));)
        atomic_fetch_add(ended == WORKER_WOKEN ? &k->woken : &k->rested, 1);
    atomic_store(&k->ended, 1);
}

static void open_worker(struct work *k)
{
    struct error err;
    assert_int_equal(worker_open("test", count_rests, k, &k->worker, &err), OK);
    assert_non_null(k->worker);
}

static void wait_for(atomic_int *count, int least)
{
    for (int64_t end = os_monotonic_us() + PATIENCE_US; atomic_load(count) < least; usleep(100))
        assert_true(os_monotonic_us() < end);
}

static void a_rest_ends_by_itself(void **state)
{
    (void)state;
    struct work k = {.rest_ms = 5};
    int64_t start = os_monotonic_us();
    open_worker(&k);
    wait_for(&k.rested, 4);
    assert_true(os_monotonic_us() - start >= 4 * 5000);
    worker_close(k.worker);
    assert_int_equal(k.woken, 0);
    assert_int_equal(k.ended, 1);
}

static void a_call_ends_a_rest(void **state)
{
    (void)state;
    static const unsigned rests[] = {LONG_MS, WORKER_FOREVER};
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        struct work k = {.rest_ms = rests[i]};
        open_worker(&k);
        for (int n = 1; n <= 100; n++) {
            worker_wake(k.worker);
            wait_for(&k.woken, n);
        }
        worker_close(k.worker);
        assert_int_equal(k.woken, 100);
        assert_int_equal(k.rested, 0);
    }
}

static void a_call_during_work_is_not_lost(void **state)
{
    (void)state;
    struct work k = {.rest_ms = LONG_MS, .busy = true};
    open_worker(&k);
    while (!atomic_load(&k.at_work))
        usleep(100);
    for (int i = 0; i < 3; i++)
        worker_wake(k.worker);
    atomic_store(&k.may_go_on, true);
    wait_for(&k.woken, 1);
    worker_close(k.worker);
    assert_int_equal(k.woken, 1); /* three calls, one rest */
}

static void it_stops_wherever_it_is(void **state)
{
    (void)state;
    int64_t start = os_monotonic_us();
    for (int i = 0; i < 50; i++) {
        struct work resting = {.rest_ms = LONG_MS}, working = {.rest_ms = LONG_MS, .busy = true};
        open_worker(&resting);
        open_worker(&working);
        if (i % 2)
            usleep(500); /* else it may not even have begun */
        worker_close(working.worker);
        worker_close(resting.worker);
        assert_int_equal(resting.ended + working.ended, 2);
        assert_int_equal(resting.woken + resting.rested + working.woken + working.rested, 0);
    }
    worker_close(NULL);
    assert_true(os_monotonic_us() - start < PATIENCE_US);
}

static void stopping_comes_before_waking(void **state)
{
    (void)state;
    struct work k = {.rest_ms = LONG_MS, .busy = true};
    open_worker(&k);
    worker_wake(k.worker);
    worker_close(k.worker); /* may_go_on is never set: only worker_stopping ends the work */
    assert_int_equal(k.woken, 0);
    assert_int_equal(k.ended, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rest_ends_by_itself),          cmocka_unit_test(a_call_ends_a_rest),
        cmocka_unit_test(a_call_during_work_is_not_lost), cmocka_unit_test(it_stops_wherever_it_is),
        cmocka_unit_test(stopping_comes_before_waking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
