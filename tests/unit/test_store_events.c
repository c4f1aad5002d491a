/* test_store_events.c: the store suite: keys, and the log of what people did with what searches showed them. */
#include "store_suite.h"

#include "sticker_store/sticker_events.h"
#include "sticker_store/sticker_privacy.h"

#include <stdio.h>

struct shown {
    struct search_row row;
    unsigned char id[STORE_SEARCH_ID], tags[3 * STORE_TAG];
};

/* A search of `age_us` ago that showed a.png, b.png, c.png from rank 11 on. */
static void make_search(struct suite *s, struct shown *out, unsigned char id, int64_t age_us)
{
    static const char *const names[] = {"a.png", "b.png", "c.png"};
    memset(out->id, id, sizeof out->id);
    for (size_t i = 0; i < 3; i++) {
        struct sticker sticker;
        assert_ok(s, sticker_store_get(s->stickers, names[i], &s->arena, &sticker, &s->err));
        assert_true(store_tag(sticker.id, out->tags + i * STORE_TAG));
    }
    out->row = (struct search_row){.id = out->id,
                                   .made_us = os_now_us() - age_us,
                                   .query = "cat",
                                   .language = "en",
                                   .ranking = "hybrid-1",
                                   .offset = 10,
                                   .shown = out->tags,
                                   .n = 3};
}

static int set_up(void **state)
{
    suite_setup_stickers(state);
    struct suite *s = *state;
    suite_add(s, s->stickers, "a.png", "a");
    suite_add(s, s->stickers, "b.png", "b");
    suite_add(s, s->stickers, "c.png", "c");
    suite_add(s, s->stickers, "d.png", "d");
    return 0;
}

/* Adds one event, whose id is `id` sixteen times; what became of it. */
static struct origin origin; /* of the next events */

static int add(struct suite *s, const struct shown *search, unsigned char id, enum event_action action,
               const char *sticker, const char *client, int64_t *rank)
{
    unsigned char bytes[STORE_EVENT_ID];
    memset(bytes, id, sizeof bytes);
    struct event_row e = {.id = bytes,
                          .search = &search->row,
                          .action = action,
                          .sticker = sticker,
                          .client = client,
                          .origin = origin,
                          .at_us = search->row.made_us + 5};
    assert_ok(s, sticker_store_events_add(s->stickers, &search->row, 1, &e, 1, &s->arena, &s->err));
    if (rank)
        *rank = e.rank;
    return e.was;
}

static void expect_score(struct suite *s, const char *query, const char *sticker, int64_t positives, int64_t negatives)
{
    struct score_row *rows;
    size_t n;
    int64_t usage, up = 0, down = 0;
    assert_ok(s, sticker_store_analytics(s->stickers, query, &s->arena, &usage, &rows, &n, &s->err));
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].sticker, sticker) == 0) {
            up = rows[i].positives;
            down = rows[i].negatives;
        }
    assert_int_equal(up, positives);
    assert_int_equal(down, negatives);
}

static void an_event_is_stored_once(void **state)
{
    struct suite *s = *state;
    struct shown search, other;
    struct logged_event *events;
    size_t n;
    int64_t rank;
    make_search(s, &search, 1, 60000000);
    make_search(s, &other, 2, 60000000);
    assert_int_equal(add(s, &search, 1, EVENT_IMPRESSION, "a.png", "me", &rank), EVENT_NEW);
    assert_int_equal(rank, 11);
    assert_int_equal(add(s, &search, 1, EVENT_IMPRESSION, "a.png", "me", NULL), EVENT_REPEATED);
    assert_int_equal(add(s, &search, 2, EVENT_CLICK, "c.png", "", &rank), EVENT_NEW);
    assert_int_equal(rank, 13);
    assert_int_equal(add(s, &other, 3, EVENT_CLICK, "c.png", "you", NULL), EVENT_NEW);
    assert_int_equal(add(s, &search, 4, EVENT_CLICK, "d.png", "me", NULL), EVENT_NOT_SHOWN);
    assert_int_equal(add(s, &search, 5, EVENT_CLICK, "none.png", "me", NULL), EVENT_NOT_SHOWN);

    assert_ok(s, sticker_store_events_list(s->stickers, 0, 10, &s->arena, &events, &n, &s->err));
    assert_int_equal(n, 3);
    assert_string_equal(events[0].query, "cat");
    assert_string_equal(events[0].ranking, "hybrid-1");
    assert_string_equal(events[0].client, "me");
    assert_string_equal(events[1].sticker, "c.png");
    assert_int_equal(events[1].action, EVENT_CLICK);
    assert_int_equal(events[1].rank, 13);
    assert_int_equal(events[1].at_us, search.row.made_us + 5);
    assert_memory_equal(events[2].search, other.id, STORE_SEARCH_ID);
    assert_ok(s, sticker_store_events_list(s->stickers, events[1].row, 10, &s->arena, &events, &n, &s->err));
    assert_int_equal(n, 1);

    /* Of a sticker that is deleted the event stays. */
    assert_ok(s, sticker_store_delete(s->stickers, "c.png", &s->err));
    assert_ok(s, sticker_store_events_list(s->stickers, 0, 10, &s->arena, &events, &n, &s->err));
    assert_int_equal(n, 3);
    assert_string_equal(events[1].sticker, "");
}

/* What is used most comes first; an event that is repeated, an impression and a down-vote are no use; it fades. */
static void stickers_that_are_used_trend(void **state)
{
    struct suite *s = *state;
    struct shown search;
    struct sticker_filter all = STICKER_FILTER_NONE, none = all;
    const char **names;
    size_t n;
    none.pack = "no such pack";
    make_search(s, &search, 1, 60000000);
    assert_ok(s, sticker_store_trending(s->stickers, &all, 1, os_now_us(), 10, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 0);
    assert_int_equal(add(s, &search, 1, EVENT_IMPRESSION, "c.png", "me", NULL), EVENT_NEW);
    assert_int_equal(add(s, &search, 2, EVENT_VOTE_DOWN, "c.png", "me", NULL), EVENT_NEW);
    assert_int_equal(add(s, &search, 3, EVENT_CLICK, "a.png", "me", NULL), EVENT_NEW);
    origin.client = 1;
    assert_int_equal(add(s, &search, 4, EVENT_CLICK, "a.png", "me", NULL), EVENT_NEW);
    assert_int_equal(add(s, &search, 4, EVENT_CLICK, "a.png", "me", NULL), EVENT_REPEATED);
    assert_int_equal(add(s, &search, 4, EVENT_CLICK, "a.png", "me", NULL), EVENT_REPEATED);
    assert_int_equal(add(s, &search, 5, EVENT_SHARE, "b.png", "", NULL), EVENT_NEW);
    assert_ok(s, sticker_store_trending(s->stickers, &all, 1, os_now_us(), 10, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "b.png");
    assert_string_equal(names[1], "a.png");
    assert_ok(s, sticker_store_trending(s->stickers, &all, 1, os_now_us() + 3 * STORE_TREND_US / 2, 10, &s->arena,
                                        &names, &n, &s->err));
    assert_int_equal(n, 2); /* 1.06 and 0.7 */
    assert_ok(s, sticker_store_trending(s->stickers, &all, 1, os_now_us() + 5 * STORE_TREND_US / 2, 10, &s->arena,
                                        &names, &n, &s->err));
    assert_int_equal(n, 1);
    assert_ok(s, sticker_store_trending(s->stickers, &none, 1, os_now_us(), 10, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 0);
    assert_ok(s, sticker_store_delete(s->stickers, "b.png", &s->err));
    assert_ok(s, sticker_store_trending(s->stickers, &all, 1, os_now_us(), 10, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 1);
}

/* How many stickers trend after so many half-lives. */
static size_t trending(struct suite *s, unsigned clients, double after)
{
    struct sticker_filter all = STICKER_FILTER_NONE;
    const char **names;
    size_t n;
    int64_t now_us = os_now_us() + (int64_t)(after * (double)STORE_TREND_US);
    assert_ok(s, sticker_store_trending(s->stickers, &all, clients, now_us, 10, &s->arena, &names, &n, &s->err));
    return n;
}

/* One client alone cannot use a sticker up the list, whatever it calls itself; people that a token vouches for are
 * clients of their own. */
static void it_takes_several_clients_to_trend(void **state)
{
    struct suite *s = *state;
    const struct admin_who ann = {.username = "ann", .address = ""};
    struct forgotten forgotten;
    struct shown search;
    make_search(s, &search, 1, 60000000);
    origin = (struct origin){.client = 7};
    for (unsigned char i = 1; i <= 20; i++)
        assert_int_equal(add(s, &search, i, EVENT_SHARE, "a.png", i % 2 ? "me" : "you", NULL), EVENT_NEW);
    assert_int_equal(trending(s, 1, 2.5), 1); /* 3 / 2^2.5 = 0.53 */
    assert_int_equal(trending(s, 1, 2.7), 0);
    assert_int_equal(trending(s, 2, 0), 0);
    for (unsigned char i = 21; i <= 40; i++) { /* eleven more, each up to twice in a row */
        origin.client = i / 2u;
        assert_int_equal(add(s, &search, i, EVENT_SHARE, "a.png", "", NULL), EVENT_NEW);
    }
    assert_int_equal(trending(s, STORE_CROWD, 6.1), 1); /* 36 / 2^6.1 = 0.525 */
    assert_int_equal(trending(s, STORE_CROWD, 6.3), 0);
    origin = (struct origin){.client = 7, .vouched = true};
    assert_int_equal(add(s, &search, 41, EVENT_CLICK, "b.png", "me", NULL), EVENT_NEW);
    assert_int_equal(add(s, &search, 42, EVENT_CLICK, "b.png", "you", NULL), EVENT_NEW);
    assert_int_equal(trending(s, 2, 0), 2);
    assert_int_equal(trending(s, 3, 0), 1);
    assert_ok(s, sticker_store_forget_voter(s->stickers, &ann, (const char *[]){"me"}, 1, false, &forgotten, &s->err));
    assert_int_equal(trending(s, 1, 0), 0); /* "me" used both */
    origin = (struct origin){0};
}

static void votes_count(void **state)
{
    struct suite *s = *state;
    struct shown search;
    make_search(s, &search, 1, 0);
    assert_int_equal(add(s, &search, 1, EVENT_VOTE_UP, "a.png", "me", NULL),
                     EVENT_NEW); /* of a query not counted yet */
    expect_score(s, "cat", "a.png", 1, 0);
    add(s, &search, 1, EVENT_VOTE_UP, "a.png", "me", NULL); /* again */
    add(s, &search, 2, EVENT_VOTE_UP, "a.png", "me", NULL); /* the same vote */
    expect_score(s, "cat", "a.png", 1, 0);
    add(s, &search, 3, EVENT_VOTE_DOWN, "a.png", "me", NULL);
    expect_score(s, "cat", "a.png", 0, 1);
    add(s, &search, 4, EVENT_UNDO, "a.png", "me", NULL);
    expect_score(s, "cat", "a.png", 0, 0);
    add(s, &search, 5, EVENT_VOTE_UP, "b.png", "", NULL); /* of nobody who is known: each counts */
    add(s, &search, 6, EVENT_VOTE_UP, "b.png", "", NULL);
    add(s, &search, 7, EVENT_UNDO, "b.png", "", NULL);
    expect_score(s, "cat", "b.png", 2, 0);
    assert_int_equal(add(s, &search, 8, EVENT_VOTE_UP, "d.png", "me", NULL), EVENT_NOT_SHOWN);
    expect_score(s, "cat", "d.png", 0, 0);
    add(s, &search, 9, EVENT_CLICK, "c.png", "me", NULL);
    expect_score(s, "cat", "c.png", 0, 0);
}

static void feedback_for_a_search_is_for_what_it_showed(void **state)
{
    struct suite *s = *state;
    struct shown search;
    const char *up[] = {"a.png", "d.png"}, *down[] = {"c.png", "none.png"}, **failed;
    size_t n;
    make_search(s, &search, 1, 0);
    struct feedback_entry e = {
        .query = "cat", .positive = up, .n_positive = 2, .negative = down, .n_negative = 2, .search = &search.row};
    assert_ok(s, sticker_store_query_ensure(s->stickers, "cat", &s->err));
    assert_ok(s, sticker_store_feedback(s->stickers, &e, 1, &s->arena, &failed, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(failed[0], "d.png");
    assert_string_equal(failed[1], "none.png");
    expect_score(s, "cat", "a.png", 1, 0);
    expect_score(s, "cat", "c.png", 0, 1);
    expect_score(s, "cat", "d.png", 0, 0);
}

static void votes_without_a_receipt_are_events_too(void **state)
{
    struct suite *s = *state;
    struct logged_event *events;
    const char *up[] = {"a.png", "none.png"}, *down[] = {"b.png"}, **failed;
    size_t n;
    struct feedback_entry named = {.query = "Dog", .positive = up, .n_positive = 2, .voter = "0123456789abcdef"},
                          changed = {.query = "Dog", .negative = up, .n_negative = 1, .voter = named.voter},
                          back = {.query = "Dog", .withdrawn = up, .n_withdrawn = 1, .voter = named.voter},
                          nobody = {.query = "Dog", .negative = down, .n_negative = 1},
                          lost = {.query = "cat", .positive = up + 1, .n_positive = 1};
    const struct feedback_entry sent[] = {named, named, changed, back, back, nobody, lost};
    assert_ok(s, sticker_store_query_ensure(s->stickers, "Dog", &s->err));
    assert_ok(s, sticker_store_query_ensure(s->stickers, "cat", &s->err));
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++)
        assert_ok(s, sticker_store_feedback(s->stickers, &sent[i], 1, &s->arena, &failed, &n, &s->err));
    assert_ok(s, sticker_store_events_list(s->stickers, 0, 10, &s->arena, &events, &n, &s->err));
    assert_int_equal(n, 4); /* what changed nothing is none */
    static const enum event_action actions[] = {EVENT_VOTE_UP, EVENT_VOTE_DOWN, EVENT_UNDO, EVENT_VOTE_DOWN};
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(events[i].action, actions[i]);
        assert_string_equal(events[i].query, "Dog");
        assert_string_equal(events[i].sticker, i < 3 ? "a.png" : "b.png");
        assert_string_equal(events[i].client, i < 3 ? named.voter : "");
        assert_int_equal(events[i].rank, 0);
        assert_memory_equal(events[i].search, events[0].search, STORE_SEARCH_ID);
    }
}

static void events_go_by_the_day_of_their_search(void **state)
{
    struct suite *s = *state;
    struct shown old, newer;
    struct logged_event *events;
    size_t n;
    bool more;
    make_search(s, &old, 1, 20 * STORE_DAY_US);
    make_search(s, &newer, 2, 2 * STORE_DAY_US);
    add(s, &old, 1, EVENT_VOTE_UP, "a.png", "me", NULL);
    add(s, &newer, 2, EVENT_CLICK, "b.png", "me", NULL);
    assert_ok(s, sticker_store_events_forget(s->stickers, os_now_us() - 10 * STORE_DAY_US, &more, &s->err));
    assert_false(more);
    assert_ok(s, sticker_store_events_list(s->stickers, 0, 10, &s->arena, &events, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(events[0].sticker, "b.png");
    expect_score(s, "cat", "a.png", 1, 0); /* what was counted stays */
    assert_int_equal(add(s, &old, 3, EVENT_CLICK, "a.png", "me", NULL), EVENT_NEW);
}

static void exports_read_all_of_it(void **state)
{
    struct suite *s = *state;
    struct shown search, other;
    struct logged_search *searches;
    struct ballot_row *ballots, *more;
    size_t n;
    int64_t end, later;
    assert_ok(s, sticker_store_events_end(s->stickers, &end, &s->err));
    assert_int_equal(end, 0);
    make_search(s, &search, 1, 60000000);
    make_search(s, &other, 2, 60000000);
    add(s, &search, 1, EVENT_VOTE_UP, "a.png", "me", NULL);
    add(s, &search, 2, EVENT_VOTE_DOWN, "b.png", "me", NULL);
    add(s, &search, 3, EVENT_VOTE_UP, "a.png", "", NULL);
    assert_ok(s, sticker_store_events_end(s->stickers, &end, &s->err));
    add(s, &other, 4, EVENT_VOTE_UP, "c.png", "you", NULL);
    assert_ok(s, sticker_store_events_end(s->stickers, &later, &s->err));
    assert_int_equal(later, end + 1);

    assert_ok(s, sticker_store_searches_list(s->stickers, 0, 10, &s->arena, &searches, &n, &s->err));
    assert_int_equal(n, 2);
    assert_memory_equal(searches[0].search.id, search.id, STORE_SEARCH_ID);
    assert_string_equal(searches[0].search.query, "cat");
    assert_int_equal(searches[0].search.offset, 10);
    assert_int_equal(searches[0].search.n, 3);
    assert_memory_equal(searches[0].search.shown, search.tags, 3 * STORE_TAG);
    assert_ok(s, sticker_store_searches_list(s->stickers, searches[0].row, 10, &s->arena, &searches, &n, &s->err));
    assert_int_equal(n, 1);
    assert_memory_equal(searches[0].search.id, other.id, STORE_SEARCH_ID);

    assert_ok(s, sticker_store_ballots_list(s->stickers, NULL, 2, &s->arena, &ballots, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(ballots[0].voter, "me");
    assert_string_equal(ballots[0].query, "cat");
    assert_string_equal(ballots[0].sticker, "a.png");
    assert_true(ballots[0].positive);
    assert_false(ballots[1].positive);
    assert_ok(s, sticker_store_ballots_list(s->stickers, &ballots[1], 2, &s->arena, &more, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(more[0].voter, "you");
    assert_string_equal(more[0].sticker, "c.png");
}

static void keys_are_made_and_replaced(void **state)
{
    struct suite *s = *state;
    struct store_key *keys, *again;
    unsigned char one[STORE_KEY_BYTES], two[STORE_KEY_BYTES];
    size_t n;
    int64_t now = os_now_us();
    memset(one, 1, sizeof one);
    memset(two, 2, sizeof two);
#define KEYS(purpose, fresh, newer_than, replaced, out)                                                                \
    assert_ok(s, sticker_store_keys(s->stickers, purpose, fresh, newer_than, replaced, &s->arena, out, &n, &s->err))
    KEYS("x", one, now - STORE_DAY_US, 0, &keys);
    assert_int_equal(n, 1);
    assert_memory_equal(keys[0].secret, one, sizeof one);
    KEYS("x", two, now - STORE_DAY_US, 0, &again); /* there is one that is new enough */
    assert_int_equal(n, 1);
    assert_memory_equal(again[0].secret, one, sizeof one);
    KEYS("y", two, now - STORE_DAY_US, 0, &again);
    assert_int_equal(n, 1);
    assert_memory_equal(again[0].secret, two, sizeof two);
    KEYS("x", two, os_now_us() + 1, 0, &again); /* the first one has become too old */
    assert_int_equal(n, 2);
    assert_true(again[0].id > again[1].id && again[1].id == keys[0].id);
    assert_memory_equal(again[0].secret, two, sizeof two);
    KEYS("x", one, now - STORE_DAY_US, os_now_us() + 1, &again); /* and was replaced long enough ago */
    assert_int_equal(n, 1);
    assert_memory_equal(again[0].secret, two, sizeof two);
#undef KEYS
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(an_event_is_stored_once),
        T(stickers_that_are_used_trend),
        T(it_takes_several_clients_to_trend),
        T(votes_count),
        T(feedback_for_a_search_is_for_what_it_showed),
        T(votes_without_a_receipt_are_events_too),
        T(events_go_by_the_day_of_their_search),
        T(exports_read_all_of_it),
        T(keys_are_made_and_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
