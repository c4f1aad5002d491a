/* test_store_feedback.c: the store suite: queries, usage, votes, analytics, the export's pages. */
#include "store_suite.h"

#include "sticker_store/sticker_privacy.h"

#include "sticker_store/sticker_admin.h"
#include "sticker_store/sticker_internal.h"

#include <pthread.h>
#include <stdatomic.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void expect_votes(struct suite *s, struct sticker_store *store, const char *query, const char *expect)
{
    struct score_row *rows;
    size_t n;
    int64_t usage;
    char got[512] = "", one[96];
    assert_ok(s, sticker_store_analytics(store, query, &s->arena, &usage, &rows, &n, &s->err));
    snprintf(got, sizeof got, "%lld", (long long)usage);
    for (size_t i = 0; i < n; i++) {
        snprintf(one, sizeof one, " %s+%lld-%lld", rows[i].sticker, (long long)rows[i].positives,
                 (long long)rows[i].negatives);
        strcat(got, one);
        assert_string_equal(rows[i].query, query);
        assert_int_equal(rows[i].usage, usage);
        assert_true(rows[i].created_us > 0 && rows[i].modified_us >= rows[i].created_us);
    }
    assert_string_equal(got, expect);
}

/* The totals of these days in one, as a test may run over midnight. */
static void expect_days(struct suite *s, struct sticker_store *store, const char *expect)
{
    int64_t today = os_now_us() / STORE_DAY_US;
    struct day_row *rows, sum = {0};
    size_t n;
    char got[96];
    assert_ok(s, sticker_store_days(store, today - 1, today, &s->arena, &rows, &n, &s->err));
    for (size_t i = 0; i < n; i++) {
        assert_true(rows[i].day >= today - 1 && rows[i].day <= today);
        sum.searches += rows[i].searches;
        sum.empty += rows[i].empty;
        sum.degraded += rows[i].degraded;
        sum.positives += rows[i].positives;
        sum.negatives += rows[i].negatives;
    }
    snprintf(got, sizeof got, "%lld %lld %lld +%lld-%lld", (long long)sum.searches, (long long)sum.empty,
             (long long)sum.degraded, (long long)sum.positives, (long long)sum.negatives);
    assert_string_equal(got, expect);
    assert_ok(s, sticker_store_days(store, today + 1, today + 9, &s->arena, &rows, &n, &s->err));
    assert_int_equal(n, 0);
}

static void expect_found_nothing(struct suite *s, struct sticker_store *store, const char *expect)
{
    static const char *const columns[] = {"query", "empty"};
    struct list_ask ask = {.list = "queries",
                           .columns = columns,
                           .n_columns = 2,
                           .sort = "empty",
                           .descending = true,
                           .search = "",
                           .cursor = "",
                           .limit = 10};
    struct list_page page;
    char got[256] = "";
    assert_ok(s, sticker_store_list_page(store, &ask, &s->arena, &page, &s->err));
    for (size_t i = 0; i < page.n; i++) {
        strcat(got, i ? ", " : "");
        strcat(strcat(strcat(got, page.rows[i].cells[0]), " "), page.rows[i].cells[1]);
    }
    assert_string_equal(got, expect);
}

static void usage_adds_up(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    int64_t usage;
    struct score_row *rows;
    size_t n;
    assert_int_equal(sticker_store_analytics(store, "cat", &s->arena, &usage, &rows, &n, &s->err), ERR_NOT_FOUND);
    assert_string_equal(s->err.message, "Query not found.");
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    expect_votes(s, store, "cat", "0");
    const struct query_usage searches[] = {
        {.query = "cat", .searches = 2, .empty = 2},
        {.query = "dog", .searches = 5, .degraded = 4},
        {.query = "cat", .searches = 3, .empty = 1, .degraded = 1},
        {.query = "'; DROP TABLE queries; --", .searches = 1, .empty = 1},
    };
    assert_ok(s, sticker_store_usage_add(store, searches, COUNT(searches), &s->err));
    expect_found_nothing(s, store, "cat 3, '; DROP TABLE queries; -- 1, dog 0");
    expect_days(s, store, "11 4 5 +0-0");
    expect_votes(s, store, "cat", "5");
    expect_votes(s, store, "dog", "5");
    expect_votes(s, store, "'; DROP TABLE queries; --", "1");
    int64_t stickers, n_queries, pending;
    assert_ok(s, sticker_store_count(store, &stickers, &n_queries, &pending, &s->err));
    assert_int_equal(n_queries, 3);
    assert_ok(s, sticker_store_usage_add(store, NULL, 0, &s->err));
    assert_ok(s, sticker_store_usage_add(store, searches, 1, &s->err));
    expect_days(s, store, "13 6 5 +0-0");
    sticker_store_close(store);
}

/* A client counts once for a query, in however many rows it comes, and no more are kept than may be asked for. */
static void different_clients_are_counted(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    const struct query_usage rows[] = {
        {.query = "cat", .searches = 9, .crowd = {1, 2}, .n_crowd = 2},
        {.query = "cat", .searches = 9, .crowd = {2, 1, 3}, .n_crowd = 3},
        {.query = "dog", .searches = 9, .crowd = {1, 2, 3, 4, 5, 6, 7, 8}, .n_crowd = 8},
        {.query = "dog", .searches = 1, .crowd = {9}, .n_crowd = 1},
    };
    static const size_t with[] = {2, 2, 2, 2, 1, 1, 1, 1, 1, 0};
    assert_ok(s, sticker_store_usage_add(store, rows, COUNT(rows), &s->err));
    for (unsigned clients = 0; clients < COUNT(with); clients++) {
        const char **popular;
        size_t n;
        assert_ok(s, sticker_store_popular(store, 2, clients, os_now_us(), 10, &s->arena, &popular, &n, &s->err));
        assert_int_equal(n, with[clients]);
    }
    sticker_store_close(store);
}

/* A query that is noted can be voted on at once, is there for whoever opens the database later, and is gone for good
 * when somebody deletes it before its counts come. */
static void noted_queries_are_there(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct query_usage rows[] = {{.query = "cat", .searches = 1}, {.query = "dog", .searches = 1}};
    struct query_usage again = rows[0];
    const struct admin_who who = {.username = "ann", .address = "::1"};
    struct forgotten forgotten;
    const struct feedback_entry vote = {.query = "dog"}, other = {.query = "horse"};
    const char **failed;
    size_t n;
    assert_ok(s, sticker_store_queries_note(store, rows, COUNT(rows), &s->err));
    assert_ok(s, sticker_store_queries_note(store, &again, 1, &s->err));
    assert_true(rows[0].note && rows[1].note && again.note && again.note != rows[0].note);
    expect_found_nothing(s, store, "");
    assert_int_equal(sticker_store_feedback(store, &other, 1, &s->arena, &failed, &n, &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_feedback(store, &vote, 1, &s->arena, &failed, &n, &s->err));
    expect_votes(s, store, "dog", "0");
    assert_ok(s, sticker_store_usage_add(store, rows, COUNT(rows), &s->err));
    expect_votes(s, store, "dog", "1");
    expect_votes(s, store, "cat", "1");
    rows[0] = (struct query_usage){.query = "bird", .searches = 1};
    assert_ok(s, sticker_store_queries_note(store, rows, 1, &s->err));
    assert_ok(s, sticker_store_forget_search(store, &who, "bird", "bird", false, &forgotten, &s->err));
    assert_ok(s, sticker_store_usage_add(store, rows, 1, &s->err));
    expect_found_nothing(s, store, "dog 0, cat 0");
    sticker_store_close(store);
}

static void votes_add_up_and_unknown_stickers_are_listed_once(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    suite_add(s, store, "a.png", "a");
    suite_add(s, store, "b.png", "b");
    suite_add(s, store, "c.png", "c");
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    assert_ok(s, sticker_store_query_ensure(store, "dog", &s->err));
    const char *up[] = {"b.png", "zzz.png", "a.png"}, *down[] = {"c.png", "nope.png", "zzz.png"}, *more[] = {"b.png"};
    struct feedback_entry entries[] = {
        {.query = "cat", .positive = up, .n_positive = 3, .negative = down, .n_negative = 3},
        {.query = "dog", .negative = up, .n_negative = 3},
        {.query = "cat", .positive = more, .n_positive = 1},
        {.query = "dog"},
    };
    const char **failed;
    size_t n;
    assert_ok(s, sticker_store_feedback(store, entries, COUNT(entries), &s->arena, &failed, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(failed[0], "zzz.png");
    assert_string_equal(failed[1], "nope.png");
    expect_votes(s, store, "cat", "0 b.png+2-0 a.png+1-0 c.png+0-1");
    expect_days(s, store, "0 0 0 +3-3");
    expect_votes(s, store, "dog", "0 a.png+0-1 b.png+0-1");
    assert_ok(s, sticker_store_feedback(store, entries, 1, &s->arena, &failed, &n, &s->err));
    expect_votes(s, store, "cat", "0 b.png+3-0 a.png+2-0 c.png+0-2");
    assert_ok(s, sticker_store_delete(store, "b.png", &s->err));
    expect_votes(s, store, "cat", "0 a.png+2-0 c.png+0-2");
    expect_days(s, store, "0 0 0 +5-4");
    assert_ok(s, sticker_store_feedback(store, NULL, 0, &s->arena, &failed, &n, &s->err));
    assert_int_equal(n, 0);
    sticker_store_close(store);
}

static void an_unknown_query_undoes_the_whole_request(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    suite_add(s, store, "a.png", "a");
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    const char *up[] = {"a.png"};
    struct feedback_entry entries[] = {
        {.query = "cat", .positive = up, .n_positive = 1},
        {.query = "never asked", .positive = up, .n_positive = 1},
    };
    const char **failed;
    size_t n;
    assert_int_equal(sticker_store_feedback(store, entries, 2, &s->arena, &failed, &n, &s->err), ERR_NOT_FOUND);
    assert_string_equal(s->err.message, "Query not found. feedback[1].query \"never asked\" was never searched.");
    expect_votes(s, store, "cat", "0");
    expect_days(s, store, "0 0 0 +0-0");
    assert_ok(s, sticker_store_feedback(store, entries, 1, &s->arena, &failed, &n, &s->err));
    expect_votes(s, store, "cat", "0 a.png+1-0");
    sticker_store_close(store);
}

/* One request under a key: how it was answered, as "was failed failed". */
static void expect_once(struct suite *s, struct sticker_store *store, struct feedback_once once,
                        const struct feedback_entry *entries, size_t n, const char *expect)
{
    static const char *const names[] = {[ONCE_COUNTED] = "counted", [ONCE_REPLAYED] = "replayed"};
    const char **failed;
    size_t n_failed;
    char got[256];
    assert_ok(s, sticker_store_feedback_once(store, entries, n, &once, &s->arena, &failed, &n_failed, &s->err));
    snprintf(got, sizeof got, "%s", names[once.was]);
    for (size_t i = 0; i < n_failed; i++)
        strcat(strcat(got, " "), failed[i]);
    assert_string_equal(got, expect);
}

static void expect_ballots(struct suite *s, struct sticker_store *store, const char *voter, const char *expect)
{
    struct vote_row *rows;
    size_t n;
    char got[256] = "";
    assert_ok(s, sticker_store_votes(store, voter, "cat", 10, &s->arena, &rows, &n, &s->err));
    for (size_t i = 0; i < n; i++) /* of one request they are of one time */
        strcat(strcat(got, rows[i].positive ? "+" : "-"), rows[i].filename);
    assert_string_equal(got, expect);
}

static void a_voter_has_one_vote(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    suite_add(s, store, "a.png", "a");
    suite_add(s, store, "b.png", "b");
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    const char *a[] = {"a.png"}, *none[] = {"no.png"}, **failed;
    size_t n;
    struct feedback_entry up = {.query = "cat", .voter = "v1", .positive = a, .n_positive = 1},
                          down = {.query = "cat", .voter = "v1", .negative = a, .n_negative = 1},
                          back = {.query = "cat", .voter = "v1", .withdrawn = a, .n_withdrawn = 1}, other = up,
                          nobody = up;
    other.voter = "v2";
    nobody.voter = NULL;
#define SEND(entry) assert_ok(s, sticker_store_feedback(store, &(entry), 1, &s->arena, &failed, &n, &s->err))
    SEND(up);
    SEND(up); /* the same again */
    expect_votes(s, store, "cat", "0 a.png+1-0");
    SEND(other);
    expect_votes(s, store, "cat", "0 a.png+2-0");
    SEND(down); /* another opinion */
    expect_votes(s, store, "cat", "0 a.png+1-1");
    expect_ballots(s, store, "v1", "-a.png");
    expect_ballots(s, store, "v2", "+a.png");
    SEND(back);
    SEND(back); /* nothing is left to take back */
    expect_votes(s, store, "cat", "0 a.png+1-0");
    expect_ballots(s, store, "v1", "");
    SEND(nobody);
    SEND(nobody); /* without a voter each counts */
    expect_votes(s, store, "cat", "0 a.png+3-0");
    assert_int_equal(n, 0);

    up.positive = down.negative = none;
    up.withdrawn = none, up.n_withdrawn = 1;
    const struct feedback_once once = {.key = "k", .body_sha256 = "x", .now_us = os_now_us()};
    expect_once(s, store, once, &up, 1, "counted no.png");
    expect_once(s, store, once, &up, 1, "replayed no.png");

    assert_ok(s, sticker_store_delete(store, "a.png", &s->err)); /* and its votes with it */
    expect_ballots(s, store, "v2", "");
    SEND(other);
    assert_int_equal(n, 1);
    sticker_store_close(store);
}

static void votes_go_with_their_score(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    const struct admin_who ann = {.username = "ann", .address = "192.0.2.1"};
    const char *both[] = {"a.png", "b.png"}, **failed;
    const struct feedback_entry up = {.query = "cat", .voter = "v1", .positive = both, .n_positive = 2};
    static const char *const columns[] = {"modified_us"};
    const struct list_ask ask = {.list = "scores",
                                 .columns = columns,
                                 .n_columns = 1,
                                 .sort = "modified_us",
                                 .search = "",
                                 .cursor = "",
                                 .limit = 10};
    struct list_page page;
    size_t n;
    suite_add(s, store, "a.png", "a");
    suite_add(s, store, "b.png", "b");
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    SEND(up);
    assert_ok(s, sticker_store_list_page(store, &ask, &s->arena, &page, &s->err));
    assert_int_equal(page.n, 2);
    const struct admin_change change = {
        .op = CHANGE_DELETE, .list = "scores", .id = page.rows[0].id, .object = "cat", .before = "", .after = ""};
    assert_ok(s, sticker_store_change(store, &ann, &change, 1, &s->err));
    struct vote_row *rows;
    assert_ok(s, sticker_store_votes(store, "v1", "cat", 10, &s->arena, &rows, &n, &s->err));
    assert_int_equal(n, 1);
    SEND(up); /* the voter's next vote counts, and the other one not twice */
    expect_votes(s, store, "cat", "0 a.png+1-0 b.png+1-0");
    sticker_store_close(store);
}

/* All that v1 voted is so old. */
static enum status age_job(struct db_conn *c, void *us, struct error *err)
{
    return db_run(c, "UPDATE votes SET modified_us = modified_us - $1 WHERE voter = 'v1'",
                  DB_ARGS(DB_INT(*(const int64_t *)us)), NULL, err);
}

static void age(struct suite *s, int64_t us)
{
    struct db *db;
    const struct db_schema *schema = db_is_postgres_url(s->url) ? &sticker_schema_postgres : &sticker_schema_sqlite;
    assert_ok(s, db_open(s->url, 1, schema, &db, &s->err));
    assert_ok(s, db_write(db, DB_DURABLE, age_job, &us, &s->err));
    db_close(db);
}

static void voters_are_forgotten_by_their_age(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    const char *names[] = {"a.png", "b.png", "c.png"}, **failed;
    struct feedback_entry old = {.query = "cat", .voter = "v1", .positive = names, .n_positive = 3};
    struct feedback_entry other = {.query = "cat", .voter = "v2", .positive = names, .n_positive = 1};
    size_t n;
    for (size_t i = 0; i < 3; i++)
        suite_add(s, store, names[i], names[i]);
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    SEND(old);
    age(s, 399 * STORE_DAY_US);
    SEND(other);
    expect_ballots(s, store, "v2", "+a.png");
    SEND(old); /* they are known, and count nothing more */
    expect_votes(s, store, "cat", "0 a.png+2-0 b.png+1-0 c.png+1-0");
    int64_t before = os_now_us() - 400 * STORE_DAY_US, from = 0;
    assert_ok(s, sticker_store_retain(store, RETAIN_VOTERS, before, 10, &from, &n, &s->err));
    assert_int_equal(n, 0);
    age(s, 2 * STORE_DAY_US);
    assert_ok(s, sticker_store_retain(store, RETAIN_VOTERS, before, 10, &from, &n, &s->err));
    assert_int_equal(n, 3);
    expect_ballots(s, store, "v1", "");
    expect_ballots(s, store, "v2", "+a.png");
    expect_votes(s, store, "cat", "0 a.png+2-0 b.png+1-0 c.png+1-0");
    sticker_store_close(store);
}

static void a_key_counts_once(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    suite_add(s, store, "a.png", "a");
    suite_add(s, store, "b.png", "b");
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    const char *up[] = {"a.png", "no 1.png", "b.png"}, *down[] = {"no 1.png", "no 2.png"};
    struct feedback_entry entries[] = {
        {.query = "cat", .positive = up, .n_positive = 3, .negative = down, .n_negative = 2},
        {.query = "cat", .negative = up, .n_negative = 1},
    };
    struct feedback_once once = {.key = "k1", .body_sha256 = "x", .now_us = os_now_us()}, other = once, late = once;
    const char **failed;
    size_t n;
    expect_once(s, store, once, entries, 2, "counted no 1.png no 2.png");
    suite_add(s, store, "no 2.png", "is there now"); /* and yet the answer stays what it was */
    for (int i = 0; i < 2; i++)
        expect_once(s, store, once, entries, 2, "replayed no 1.png no 2.png");
    expect_votes(s, store, "cat", "0 b.png+1-0 a.png+1-1");

    other.body_sha256 = "y";
    assert_int_equal(sticker_store_feedback_once(store, entries, 2, &other, &s->arena, &failed, &n, &s->err),
                     ERR_CONFLICT);
    assert_int_equal(other.was, ONCE_OTHER_BODY);
    other.key = "k2";
    expect_once(s, store, other, entries, 1, "counted no 1.png");
    expect_votes(s, store, "cat", "0 b.png+2-0 a.png+2-1 no 2.png+0-1");

    /* What is undone keeps nothing. */
    struct feedback_entry wrong = {.query = "dog", .positive = up, .n_positive = 1};
    other.key = "k3";
    assert_int_equal(sticker_store_feedback_once(store, &wrong, 1, &other, &s->arena, &failed, &n, &s->err),
                     ERR_NOT_FOUND);
    assert_ok(s, sticker_store_query_ensure(store, "dog", &s->err));
    expect_once(s, store, other, &wrong, 1, "counted");
    expect_votes(s, store, "dog", "0 a.png+1-0");
    other.key = "k4";
    expect_once(s, store, other, NULL, 0, "counted");
    expect_once(s, store, other, NULL, 0, "replayed");

    /* Until it is a day old; then it is new, with whatever body. */
    sticker_store_close(store);
    store = suite_stickers(s);
    late.now_us += STORE_ONCE_US - 1;
    expect_once(s, store, late, entries, 2, "replayed no 1.png no 2.png");
    late.now_us++;
    late.body_sha256 = "z";
    expect_once(s, store, late, entries, 1, "counted no 1.png");
    expect_once(s, store, late, entries, 1, "replayed no 1.png");
    expect_votes(s, store, "cat", "0 b.png+3-0 a.png+3-1 no 2.png+0-2");
    sticker_store_close(store);
}

struct crowd {
    struct sticker_store *store;
    const struct feedback_entry *entry;
    const char *key;
    atomic_int counted, replayed;
};

static void *send_one(void *arg)
{
    struct crowd *c = arg;
    struct feedback_once once = {.key = c->key, .body_sha256 = "x", .now_us = os_now_us()};
    struct arena a;
    const char **failed;
    size_t n;
    arena_init(&a, 1u << 16);
    if (sticker_store_feedback_once(c->store, c->entry, 1, &once, &a, &failed, &n, NULL) == OK)
        atomic_fetch_add(once.was == ONCE_COUNTED ? &c->counted : &c->replayed, 1);
    arena_free(&a);
    return NULL;
}

static void of_a_crowd_with_one_key_one_counts(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    suite_add(s, store, "a.png", "a");
    assert_ok(s, sticker_store_query_ensure(store, "cat", &s->err));
    const char *up[] = {"a.png"};
    struct feedback_entry entry = {.query = "cat", .positive = up, .n_positive = 1};
    for (int turn = 1; turn <= 5; turn++) {
        char key[16], expect[32];
        pthread_t threads[8];
        snprintf(key, sizeof key, "key %d", turn);
        struct crowd crowd = {.store = store, .entry = &entry, .key = key};
        for (size_t i = 0; i < COUNT(threads); i++)
            assert_int_equal(pthread_create(&threads[i], NULL, send_one, &crowd), 0);
        for (size_t i = 0; i < COUNT(threads); i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(crowd.counted, 1);
        assert_int_equal(crowd.replayed, COUNT(threads) - 1);
        snprintf(expect, sizeof expect, "0 a.png+%d-0", turn);
        expect_votes(s, store, "cat", expect);
    }
    sticker_store_close(store);
}

/* 40 queries x 5 stickers, every pair with one vote. */
static void fill(struct suite *s, struct sticker_store *store)
{
    static const char *const stickers[] = {"a.png", "b.png", "c.png", "d.png", "e.png"};
    const char **failed;
    size_t n;
    for (size_t i = 0; i < COUNT(stickers); i++)
        suite_add(s, store, stickers[i], "x");
    for (int i = 0; i < 40; i++) {
        char query[32];
        snprintf(query, sizeof query, "query %02d", (i * 17) % 40);
        assert_ok(s, sticker_store_query_ensure(store, query, &s->err));
        struct feedback_entry e = {.query = query, .positive = stickers, .n_positive = 5};
        assert_ok(s, sticker_store_feedback(store, &e, 1, &s->arena, &failed, &n, &s->err));
    }
}

static int walk(struct suite *s, struct sticker_store *store, int64_t since, size_t page, int change_at)
{
    const char *query = "", *sticker = "";
    int seen = 0;
    for (int turn = 0;; turn++) {
        struct score_row *rows;
        size_t n;
        assert_ok(s, sticker_store_export(store, since, query, sticker, page, &s->arena, &rows, &n, &s->err));
        if (n == 0)
            return seen;
        assert_true(n <= page);
        for (size_t i = 0; i < n; i++) {
            int order = strcmp(query, rows[i].query);
            assert_true(order < 0 || (order == 0 && strcmp(sticker, rows[i].sticker_id) < 0));
            query = rows[i].query;
            sticker = rows[i].sticker_id;
            seen++;
        }
        if (turn == change_at) { /* new rows behind the cursor shift nothing, votes reorder nothing */
            static const char *const up[] = {"a.png", "e.png"};
            const char **failed;
            assert_ok(s, sticker_store_query_ensure(store, "a query before all", &s->err));
            struct feedback_entry e[] = {{.query = "a query before all", .positive = up, .n_positive = 2},
                                         {.query = "query 39", .negative = up, .n_negative = 2}};
            assert_ok(s, sticker_store_feedback(store, e, 2, &s->arena, &failed, &n, &s->err));
        }
    }
}

static void export_pages_are_complete_and_stable(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    fill(s, store);
    for (size_t page = 1; page < 300; page = page * 2 + 1)
        assert_int_equal(walk(s, store, 0, page, -1), 200);
    assert_int_equal(walk(s, store, 0, 7, 3), 200);
    assert_int_equal(walk(s, store, 0, 7, -1), 202);
    int64_t now = os_now_us();
    assert_int_equal(walk(s, store, now, 7, -1), 0);
    const char *up[] = {"c.png"};
    struct feedback_entry e = {.query = "query 11", .positive = up, .n_positive = 1};
    const char **failed;
    size_t n;
    assert_ok(s, sticker_store_feedback(store, &e, 1, &s->arena, &failed, &n, &s->err));
    assert_int_equal(walk(s, store, now, 7, -1), 1);
    sticker_store_close(store);
}

/* As exports do: which queries match is asked once, in order, then pages of these. */
static void rows_are_read_by_their_numbers(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    static const char *const queries[] = {"red cat", "dog", "cat", "a cat", "catalogue"}, *const columns[] = {"query"},
                             *const words[] = {"cat"};
    struct list_ask ask = {.list = "queries",
                           .columns = columns,
                           .n_columns = 1,
                           .sort = "query",
                           .search = "cat",
                           .words = words,
                           .n_words = 1,
                           .cursor = "",
                           .limit = 3,
                           .thorough = true};
    struct list_page page;
    int64_t *numbers;
    size_t n;
    char got[128] = "";
    for (size_t i = 0; i < COUNT(queries); i++)
        assert_ok(
            s, sticker_store_usage_add(store, &(struct query_usage){.query = queries[i], .searches = 1}, 1, &s->err));
    assert_ok(s, sticker_store_list_numbers(store, &ask, &numbers, &n, &s->err));
    assert_int_equal(n, 4);
    for (size_t at = 0; at < n; at += ask.n_numbers) {
        ask.numbers = numbers + at;
        ask.n_numbers = n - at < 3 ? n - at : 3;
        assert_ok(s, sticker_store_list_page(store, &ask, &s->arena, &page, &s->err));
        assert_int_equal(page.n, ask.n_numbers);
        for (size_t i = 0; i < page.n; i++)
            strcat(strcat(got, page.rows[i].cells[0]), ", ");
    }
    assert_string_equal(got, "a cat, cat, catalogue, red cat, ");
    free(numbers);
    sticker_store_close(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(usage_adds_up),
        T(noted_queries_are_there),
        T(different_clients_are_counted),
        T(votes_add_up_and_unknown_stickers_are_listed_once),
        T(an_unknown_query_undoes_the_whole_request),
        T(a_key_counts_once),
        T(a_voter_has_one_vote),
        T(votes_go_with_their_score),
        T(voters_are_forgotten_by_their_age),
        T(of_a_crowd_with_one_key_one_counts),
        T(export_pages_are_complete_and_stable),
        T(rows_are_read_by_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
