/* test_store_crash.c: the store suite: many threads, several processes, and processes that die. */
#include "store_suite.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { THREADS = 64, ROUNDS = 20, STICKERS = 8, QUERIES = 5 };

struct worker {
    struct sticker_store *store;
    unsigned number;
    enum status status;
    struct error err;
};

/* Each worker adds ROUNDS to the usage of every query and votes once per round for one sticker under one query; every
 * third round it also sends a request that must be undone. */
static enum status mix(struct worker *w)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    enum status st = OK;
    for (unsigned round = 0; round < ROUNDS && st == OK; round++) {
        char query[QUERIES][32], up[32], fresh[32];
        const char *queries[QUERIES], *positive = up, **failed;
        struct query_usage ones[QUERIES];
        size_t n;
        for (unsigned i = 0; i < QUERIES; i++) {
            snprintf(query[i], sizeof query[i], "query %u", i);
            queries[i] = query[i];
            ones[i] = (struct query_usage){.query = query[i], .searches = 1, .empty = 1};
        }
        snprintf(up, sizeof up, "s%u.png", (w->number + round) % STICKERS);
        snprintf(fresh, sizeof fresh, "new %u %u", w->number, round);
        struct feedback_entry e[] = {{.query = queries[round % QUERIES], .positive = &positive, .n_positive = 1},
                                     {.query = "never asked"}};
        st = sticker_store_query_ensure(w->store, e[0].query, &w->err);
        if (st == OK)
            st = sticker_store_query_ensure(w->store, fresh, &w->err);
        if (st == OK)
            st = sticker_store_usage_add(w->store, ones, QUERIES, &w->err);
        if (st == OK)
            st = sticker_store_feedback(w->store, e, 1, &a, &failed, &n, &w->err);
        if (st == OK && round % 3 == 0 &&
            sticker_store_feedback(w->store, e, 2, &a, &failed, &n, &w->err) != ERR_NOT_FOUND)
            st = err_set(&w->err, ERR_INTERNAL, "an unknown query was accepted");
        arena_reset(&a);
    }
    arena_free(&a);
    return st;
}

static void *mix_thread(void *arg)
{
    struct worker *w = arg;
    w->status = mix(w);
    return NULL;
}

/* What the days say in all, over a midnight too. */
static struct day_row all_days(struct suite *s, struct sticker_store *store)
{
    struct day_row *rows, sum = {0};
    size_t n;
    int64_t today = os_now_us() / STORE_DAY_US;
    assert_ok(s, sticker_store_days(store, today - 1, today, &s->arena, &rows, &n, &s->err));
    for (size_t i = 0; i < n; i++) {
        sum.searches += rows[i].searches;
        sum.empty += rows[i].empty;
        sum.positives += rows[i].positives;
        sum.negatives += rows[i].negatives;
    }
    return sum;
}

static void expect_sums(struct suite *s, struct sticker_store *store, int64_t workers)
{
    int64_t votes = 0;
    for (int i = 0; i < QUERIES; i++) {
        char query[32];
        int64_t usage;
        struct score_row *rows;
        size_t n;
        snprintf(query, sizeof query, "query %d", i);
        assert_ok(s, sticker_store_analytics(store, query, &s->arena, &usage, &rows, &n, &s->err));
        assert_int_equal(usage, workers * ROUNDS);
        for (size_t k = 0; k < n; k++) {
            votes += rows[k].positives;
            assert_int_equal(rows[k].negatives, 0);
        }
    }
    assert_int_equal(votes, workers * ROUNDS);
    struct day_row days = all_days(s, store);
    assert_int_equal(days.searches, workers * ROUNDS * QUERIES);
    assert_int_equal(days.empty, days.searches);
    assert_int_equal(days.positives, votes);
    assert_int_equal(days.negatives, 0);
    int64_t stickers, queries, pending;
    assert_ok(s, sticker_store_count(store, &stickers, &queries, &pending, &s->err));
    assert_int_equal(queries, QUERIES + workers * ROUNDS);
}

static void add_stickers(struct suite *s, struct sticker_store *store)
{
    for (int i = 0; i < STICKERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d.png", i);
        suite_add(s, store, name, "x");
    }
}

static void threads_lose_no_count(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    add_stickers(s, store);
    static struct worker workers[THREADS];
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = store, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, mix_thread, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < THREADS; i++)
        if (workers[i].status != OK)
            fail_msg("worker %u: %s", i, workers[i].err.message);
    expect_sums(s, store, THREADS);
    sticker_store_close(store);
}

/* A child must not return into cmocka: it answers with its exit status and one line on standard error. */
static void child_must(enum status st, const struct error *err)
{
    if (st == OK)
        return;
    fprintf(stderr, "child: %s\n", err->message);
    _exit(1);
}

static void wait_for(const pid_t *children, int n)
{
    int failures = 0, how;
    for (int i = 0; i < n; i++)
        failures += waitpid(children[i], &how, 0) != children[i] || how != 0;
    assert_int_equal(failures, 0);
}

static void processes_may_create_and_write_at_once(void **state)
{
    struct suite *s = *state;
    enum { CHILDREN = 4 };
    pid_t children[CHILDREN];
    for (unsigned i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            struct worker w = {.number = i};
            child_must(sticker_store_open(s->url, 2, &w.store, &w.err), &w.err);
            for (int k = 0; k < STICKERS; k++) { /* whoever comes first adds it */
                char name[32];
                snprintf(name, sizeof name, "s%d.png", k);
                struct sticker one = blank_sticker(name);
                enum status st =
                    sticker_store_add(w.store, &one, &(struct sticker_terms){"", "", "", "", NULL, 0}, 1, &w.err);
                child_must(st == ERR_CONFLICT ? OK : st, &w.err);
            }
            child_must(mix(&w), &w.err);
            sticker_store_close(w.store);
            _exit(0);
        }
    }
    wait_for(children, CHILDREN);
    struct sticker_store *store = suite_stickers(s);
    expect_sums(s, store, CHILDREN);
    sticker_store_close(store);
}

/* Votes from four threads until it is killed; a byte into the pipe after each that was acknowledged. */
struct voter {
    struct sticker_store *store;
    int acks;
};

static void *vote_for_ever(void *arg)
{
    const struct voter *v = arg;
    struct arena a;
    arena_init(&a, 1 << 20);
    const char *up = "s0.png", **failed;
    struct feedback_entry e = {.query = "cat", .positive = &up, .n_positive = 1};
    for (;;) {
        struct error err;
        size_t n;
        child_must(sticker_store_feedback(v->store, &e, 1, &a, &failed, &n, &err), &err);
        if (write(v->acks, "+", 1) != 1)
            _exit(1);
        arena_reset(&a);
    }
}

static void a_killed_process_loses_no_acknowledged_vote(void **state)
{
    struct suite *s = *state;
    int64_t acknowledged = 0, usage;
    struct sticker_store *store = suite_stickers(s);
    add_stickers(s, store);
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    sticker_store_close(store);
    for (int round = 0; round < 4; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct voter v = {.acks = pipes[1]};
            struct error err;
            pthread_t t;
            close(pipes[0]);
            child_must(sticker_store_open(s->url, 2, &v.store, &err), &err);
            for (int i = 0; i < 3; i++)
                if (pthread_create(&t, NULL, vote_for_ever, &v) != 0)
                    _exit(1);
            vote_for_ever(&v);
        }
        close(pipes[1]);
        char byte;
        for (int i = 0; i < 50 + round * 10; i++) {
            assert_int_equal(read(pipes[0], &byte, 1), 1);
            acknowledged++;
        }
        kill(child, SIGKILL);
        while (read(pipes[0], &byte, 1) == 1) /* what it acknowledged before it died */
            acknowledged++;
        close(pipes[0]);
        int how;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how));
        store = suite_stickers(s);
        struct score_row *rows;
        size_t n;
        assert_ok(s, sticker_store_analytics(store, "cat", &s->arena, &usage, &rows, &n, &s->err));
        assert_int_equal(n, 1);
        /* each thread may have had one vote stored and not yet acknowledged */
        assert_in_range((uintmax_t)rows[0].positives, (uintmax_t)acknowledged, (uintmax_t)acknowledged + 4);
        acknowledged = rows[0].positives;
        assert_int_equal(all_days(s, store).positives, acknowledged);
        sticker_store_close(store);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(processes_may_create_and_write_at_once), /* first: it forks, and here are no threads yet */
        T(a_killed_process_loses_no_acknowledged_vote),
        T(threads_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
