#include "store_suite.h"

#include "sticker_service/usage.h"
#include "sticker_store/sticker_admin.h"
#include <pthread.h>
#include <string.h>

static int64_t stored(struct sticker_store *s, const char *query)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    int64_t usage = -1;
    struct score_row *rows;
    size_t n;
    if (sticker_store_analytics(s, query, &a, &usage, &rows, &n, NULL) != OK)
        usage = -1;
    arena_free(&a);
    return usage;
}

static int64_t seen(struct usage *u, const char *query)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    int64_t usage = -1;
    struct score_row *rows;
    size_t n;
    if (usage_analytics(u, query, &a, &usage, &rows, &n, NULL) != OK)
        usage = -1;
    arena_free(&a);
    return usage;
}

/* A new query is in the store before usage_count returns; its counts come with the flush. */
static void new_query_is_stored_at_once(void **state)
{
    struct suite *s = *state;
    struct usage *u;
    assert_int_equal(usage_open(s->stickers, 60000, &u, NULL), OK);
    assert_int_equal(stored(s->stickers, "cat"), -1);
    usage_count(u, "cat", USAGE_FOUND, 1);
    assert_int_equal(stored(s->stickers, "cat"), 0);
    assert_int_equal(usage_pending(u), 1);
    usage_count(u, "cat", USAGE_FOUND, 1);
    usage_count(u, "dog", USAGE_FOUND, 1);
    assert_int_equal(stored(s->stickers, "cat"), 0);
    assert_int_equal(seen(u, "cat"), 2);
    assert_int_equal(seen(u, "dog"), 1);
    assert_int_equal(usage_pending(u), 2);
    assert_int_equal(usage_flush(u, NULL), OK);
    assert_int_equal(usage_pending(u), 0);
    assert_int_equal(stored(s->stickers, "cat"), 2);
    assert_int_equal(seen(u, "cat"), 2);
    assert_int_equal(seen(u, "never searched"), -1);
    usage_count(u, "cat", USAGE_FOUND, 1);
    usage_close(u);
    assert_int_equal(stored(s->stickers, "cat"), 3);
}

/* What searches that are under way search for is stored with the first of them that ends. */
static void expected_queries_are_stored_with_another(void **state)
{
    struct suite *s = *state;
    struct usage *u;
    assert_int_equal(usage_open(s->stickers, 60000, &u, NULL), OK);
    usage_expect(u, "cat");
    usage_expect(u, "dog");
    usage_expect(u, "dog");
    assert_int_equal(stored(s->stickers, "cat"), -1);
    usage_count(u, "cat", USAGE_FOUND, 1);
    assert_int_equal(stored(s->stickers, "cat"), 0);
    assert_int_equal(stored(s->stickers, "dog"), 0);
    assert_int_equal(seen(u, "cat"), 1);
    assert_int_equal(seen(u, "dog"), 0);
    assert_int_equal(usage_flush(u, NULL), OK);
    usage_count(u, "dog", USAGE_FOUND, 1);
    usage_count(u, "dog", USAGE_FOUND, 1);
    usage_expect(u, "one");
    usage_store(u, "another");
    assert_int_equal(stored(s->stickers, "one"), -1);
    usage_store(u, "one");
    assert_int_equal(stored(s->stickers, "one"), 0);
    usage_expect(u, "nothing came of it");
    usage_close(u);
    assert_int_equal(stored(s->stickers, "cat"), 1);
    assert_int_equal(stored(s->stickers, "dog"), 2);
    assert_int_equal(stored(s->stickers, "nothing came of it"), -1);
}

/* Counts that are written after their query was deleted do not bring it back; searched again, it is a new one. */
static void a_deleted_query_stays_deleted(void **state)
{
    struct suite *s = *state;
    struct usage *u;
    const struct admin_who who = {.username = "admin", .address = "127.0.0.1"};
    struct admin_change delete_cat = {
        .op = CHANGE_DELETE, .list = "queries", .object = "cat", .before = "", .after = ""};
    static const char *const columns[] = {"query"};
    const struct list_ask all = {.columns = columns,
                                 .n_columns = 1,
                                 .list = "queries",
                                 .sort = "usage",
                                 .search = "",
                                 .cursor = "",
                                 .limit = 10};
    struct list_page page;
    assert_int_equal(usage_open(s->stickers, 60000, &u, NULL), OK);
    usage_count(u, "cat", USAGE_FOUND, 1);
    usage_count(u, "cat", USAGE_FOUND, 1);
    assert_ok(s, sticker_store_queries_settle(s->stickers, &s->err));
    assert_ok(s, sticker_store_list_page(s->stickers, &all, &s->arena, &page, &s->err));
    assert_int_equal(page.n, 1);
    delete_cat.id = page.rows[0].id;
    assert_ok(s, sticker_store_change(s->stickers, &who, &delete_cat, 1, &s->err));
    assert_int_equal(stored(s->stickers, "cat"), -1);
    assert_int_equal(usage_flush(u, NULL), OK);
    assert_int_equal(stored(s->stickers, "cat"), -1);
    usage_count(u, "cat", USAGE_FOUND, 1);
    usage_close(u);
    assert_int_equal(stored(s->stickers, "cat"), 1);
}

static void the_thread_writes_in_time(void **state)
{
    struct suite *s = *state;
    struct usage *u;
    assert_int_equal(usage_open(s->stickers, 20, &u, NULL), OK);
    usage_count(u, "dog", USAGE_FOUND, 1);
    int64_t until = os_monotonic_us() + 5000000;
    while (stored(s->stickers, "dog") != 1 && os_monotonic_us() < until)
        usleep(5000);
    assert_int_equal(stored(s->stickers, "dog"), 1);
    usage_close(u);
}

struct crowd {
    struct usage *u;
    int n;
};

static void *search_a_lot(void *arg)
{
    struct crowd *c = arg;
    char query[32];
    for (int i = 0; i < c->n; i++) {
        snprintf(query, sizeof query, "query %d", i % 10);
        usage_count(c->u, query, USAGE_FOUND, 1);
        assert_true(seen(c->u, query) >= 1);
    }
    return NULL;
}

/* Eight threads count and read while a flusher writes every millisecond: the sums are exact. */
static void sums_are_exact(void **state)
{
    struct suite *s = *state;
    struct usage *u;
    assert_int_equal(usage_open(s->stickers, 1, &u, NULL), OK);
    struct crowd crowd = {u, 500};
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, search_a_lot, &crowd), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 10; i++) {
        char query[32];
        snprintf(query, sizeof query, "query %d", i);
        assert_int_equal(seen(u, query), 400);
    }
    usage_close(u);
    for (int i = 0; i < 10; i++) {
        char query[32];
        snprintf(query, sizeof query, "query %d", i);
        assert_int_equal(stored(s->stickers, query), 400);
    }
}

/* More different queries than memory is given for: each still counts. */
static void a_flood_is_counted(void **state)
{
    struct suite *s = *state;
    struct usage *u;
    enum { FLOOD = 36000 };
    assert_int_equal(usage_open(s->stickers, 600000, &u, NULL), OK);
    char query[32];
    for (int i = 0; i < FLOOD; i++) {
        snprintf(query, sizeof query, "flood %d", i);
        usage_count(u, query, USAGE_FOUND, 1);
    }
    assert_true(usage_pending(u) < FLOOD);
    usage_close(u);
    for (int i = 0; i < FLOOD; i += 97) {
        snprintf(query, sizeof query, "flood %d", i);
        assert_int_equal(stored(s->stickers, query), 1);
    }
    int64_t stickers, queries, pending;
    assert_int_equal(sticker_store_count(s->stickers, &stickers, &queries, &pending, NULL), OK);
    assert_int_equal(queries, FLOOD);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup_stickers, suite_teardown)
    const struct CMUnitTest tests[] = {T(new_query_is_stored_at_once),
                                       T(expected_queries_are_stored_with_another),
                                       T(a_deleted_query_stays_deleted),
                                       T(the_thread_writes_in_time),
                                       T(sums_are_exact),
                                       T(a_flood_is_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
