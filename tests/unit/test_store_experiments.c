/* test_store_experiments.c: the store suite: experiments begin, are counted from the log and end, one at a time; and
 * what is known of new stickers. */
#include "store_suite.h"

#include "sticker_store/sticker_experiments.h"

#include <stdio.h>

static const struct admin_who ann = {.username = "ann", .address = "::1"};
static const struct experiment draft = {
    .name = "draft", .kind = EXPERIMENT_INTERLEAVE, .rankings = {"algorithm=lexical", ""}, .share = 50};

static int set_up(void **state)
{
    suite_setup_stickers(state);
    struct suite *s = *state;
    suite_add(s, s->stickers, "a.png", "a");
    suite_add(s, s->stickers, "b.png", "b");
    suite_add(s, s->stickers, "c.png", "c");
    return 0;
}

/* A search of an experiment that showed a.png (team A), b.png (team B) and c.png (nobody's), or all to one arm, and an
 * event of it. */
static void add(struct suite *s, int64_t experiment, enum team arm, unsigned char search, enum event_action action,
                const char *sticker, const char *client)
{
    static const char *const names[] = {"a.png", "b.png", "c.png"};
    static unsigned char events;
    unsigned char id[STORE_SEARCH_ID], event[STORE_EVENT_ID], tags[3 * STORE_TAG],
        teams[] = {TEAM_A, TEAM_B, TEAM_NONE};
    memset(id, search, sizeof id);
    memset(event, ++events, sizeof event);
    for (size_t i = 0; i < 3; i++) {
        struct sticker found;
        assert_ok(s, sticker_store_get(s->stickers, names[i], &s->arena, &found, &s->err));
        assert_true(store_tag(found.id, tags + i * STORE_TAG));
        teams[i] = arm == TEAM_NONE ? teams[i] : (unsigned char)arm;
    }
    struct search_row row = {.id = id,
                             .made_us = os_now_us(),
                             .query = "cat",
                             .language = "en",
                             .ranking = "x+y",
                             .shown = tags,
                             .n = 3,
                             .experiment = experiment,
                             .teams = teams,
                             .tried = 2,
                             .propensity = 12345};
    struct event_row e = {
        .id = event, .search = &row, .action = action, .sticker = sticker, .client = client, .at_us = row.made_us};
    assert_ok(s, sticker_store_events_add(s->stickers, &row, 1, &e, 1, &s->arena, &s->err));
    assert_int_equal(e.was, EVENT_NEW);
}

static struct experiment running(struct suite *s)
{
    struct experiment *list;
    size_t n;
    assert_ok(s, sticker_store_experiments(s->stickers, NULL, 1, &s->arena, &list, &n, &s->err));
    assert_int_equal(n, 1);
    return list[0];
}

static void preferences_are_counted_by_person(void **state)
{
    struct suite *s = *state;
    assert_ok(s, sticker_store_experiment_start(s->stickers, &ann, &draft, &s->err));
    struct experiment e = running(s);
    add(s, e.id, TEAM_NONE, 1, EVENT_CLICK, "a.png", "p");
    add(s, e.id, TEAM_NONE, 1, EVENT_CLICK, "a.png", "p");   /* again, ... */
    add(s, e.id, TEAM_NONE, 1, EVENT_SHARE, "a.png", "p");   /* and by another action: one sticker */
    add(s, e.id, TEAM_NONE, 2, EVENT_CLICK, "b.png", "p");   /* as many of both */
    add(s, e.id, TEAM_NONE, 3, EVENT_VOTE_UP, "b.png", "q"); /* preferred B, ... */
    add(s, e.id, TEAM_NONE, 4, EVENT_CLICK, "c.png", "q");   /* and this was nobody's */
    add(s, e.id, TEAM_NONE, 5, EVENT_COPY, "b.png", "");     /* not known: each search is a person */
    add(s, e.id, TEAM_NONE, 6, EVENT_CLICK, "b.png", "");
    add(s, e.id, TEAM_NONE, 7, EVENT_IMPRESSION, "a.png", "r"); /* these say nothing */
    add(s, e.id, TEAM_NONE, 7, EVENT_VOTE_DOWN, "a.png", "r");
    add(s, 0, TEAM_NONE, 8, EVENT_CLICK, "a.png", "r"); /* of no experiment */
    e = running(s);
    assert_int_equal(e.counts.won[0], 0);
    assert_int_equal(e.counts.won[1], 3);
    assert_int_equal(e.counts.tied, 1);
    assert_int_equal(e.counts.searches, 7);

    struct logged_event *events;
    size_t n;
    assert_ok(s, sticker_store_events_list(s->stickers, 0, 100, &s->arena, &events, &n, &s->err));
    assert_int_equal(n, 11);
    assert_true(events[0].experiment == e.id && events[0].team == TEAM_A && events[0].propensity == PROPENSITY_ONE);
    assert_true(events[3].team == TEAM_B && events[3].propensity == 12345); /* rank 2 was tried */
    assert_true(events[5].team == TEAM_NONE && events[10].experiment == 0);
}

static void arms_are_counted_by_person(void **state)
{
    struct suite *s = *state;
    struct experiment ab = draft;
    ab.kind = EXPERIMENT_AB;
    assert_ok(s, sticker_store_experiment_start(s->stickers, &ann, &ab, &s->err));
    int64_t id = running(s).id;
    add(s, id, TEAM_A, 11, EVENT_IMPRESSION, "a.png", "p");
    add(s, id, TEAM_A, 12, EVENT_CLICK, "b.png", "p");
    add(s, id, TEAM_A, 13, EVENT_IMPRESSION, "a.png", "q");
    add(s, id, TEAM_B, 14, EVENT_CLICK, "a.png", "r");
    add(s, id, TEAM_B, 15, EVENT_IMPRESSION, "a.png", "");
    add(s, id, TEAM_B, 16, EVENT_IMPRESSION, "a.png", "");
    struct experiment_counts c = running(s).counts;
    assert_true(c.people[0] == 2 && c.people[1] == 3 && c.won[0] == 1 && c.won[1] == 1 && c.searches == 6);
}

static void one_runs_at_a_time(void **state)
{
    struct suite *s = *state;
    struct experiment e, other = draft;
    struct experiment *list;
    size_t n;
    bool found;
    other.name = "other";
    assert_ok(s, sticker_store_experiment_running(s->stickers, &s->arena, &e, &found, &s->err));
    assert_false(found);
    assert_int_equal(sticker_store_experiment_stop(s->stickers, &ann, NULL, &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_experiment_start(s->stickers, &ann, &draft, &s->err));
    assert_int_equal(sticker_store_experiment_start(s->stickers, &ann, &other, &s->err), ERR_CONFLICT);
    assert_ok(s, sticker_store_experiment_running(s->stickers, &s->arena, &e, &found, &s->err));
    assert_true(found && e.share == 50 && e.kind == EXPERIMENT_INTERLEAVE && e.started_us > 0);
    assert_string_equal(e.rankings[0], "algorithm=lexical");
    assert_string_equal(e.rankings[1], "");
    add(s, e.id, TEAM_NONE, 21, EVENT_CLICK, "b.png", "p");
    assert_int_equal(sticker_store_experiment_stop(s->stickers, &ann, "other", &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_experiment_stop(s->stickers, &ann, "draft", &s->err));
    assert_int_equal(sticker_store_experiment_start(s->stickers, &ann, &draft, &s->err), ERR_CONFLICT); /* its name */
    assert_ok(s, sticker_store_experiment_start(s->stickers, &ann, &other, &s->err));
    add(s, e.id, TEAM_NONE, 22, EVENT_CLICK, "b.png", "q"); /* too late */
    assert_ok(s, sticker_store_experiments(s->stickers, NULL, 10, &s->arena, &list, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(list[0].name, "other");
    assert_true(list[1].stopped_us > 0 && list[1].counts.won[1] == 1 && list[1].counts.searches == 1);
    assert_ok(s, sticker_store_experiments(s->stickers, "draft", 10, &s->arena, &list, &n, &s->err));
    assert_int_equal(n, 1);
}

static void new_stickers_and_what_was_done_with_them(void **state)
{
    struct suite *s = *state;
    const char **ids;
    struct sticker_act *acts;
    size_t n;
    int64_t all;
    assert_ok(s, sticker_store_newest(s->stickers, 0, 2, &s->arena, &ids, &n, &all, &s->err));
    assert_true(n == 2 && all == 3);
    assert_ok(s, sticker_store_newest(s->stickers, os_now_us() + 1, 2, &s->arena, &ids, &n, &all, &s->err));
    assert_true(n == 0 && all == 3);
    add(s, 0, TEAM_NONE, 31, EVENT_CLICK, "b.png", "p");
    add(s, 0, TEAM_NONE, 31, EVENT_IMPRESSION, "c.png", "p");
    assert_ok(s, sticker_store_acts(s->stickers, 0, 10, &s->arena, &acts, &n, &s->err));
    assert_true(n == 2 && acts[0].action == EVENT_CLICK && acts[1].row > acts[0].row);
    struct sticker b;
    assert_ok(s, sticker_store_get(s->stickers, "b.png", &s->arena, &b, &s->err));
    assert_string_equal(acts[0].sticker_id, b.id);
    assert_ok(s, sticker_store_acts(s->stickers, acts[0].row, 10, &s->arena, &acts, &n, &s->err));
    assert_int_equal(n, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(preferences_are_counted_by_person),
        T(arms_are_counted_by_person),
        T(one_runs_at_a_time),
        T(new_stickers_and_what_was_done_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
