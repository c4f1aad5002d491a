/* test_store_webhooks.c: the store suite: events are written down with the change they tell of, for whoever wants them,
 * and wait in order until they are delivered. */
#include "store_suite.h"

#include "sticker_store/sticker_privacy.h"
#include "sticker_store/sticker_webhooks.h"

#include <stdio.h>

static const struct admin_who ann = {.username = "ann", .address = "::1"};

static int64_t hook(struct suite *s, const char *url, const char *events)
{
    const struct webhook w = {.url = url, .events = events, .secret = "whsec_"};
    int64_t id;
    assert_ok(s, sticker_store_webhook_add(s->stickers, &ann, &w, &id, &s->err));
    return id;
}

static size_t next(struct suite *s, int64_t id, struct webhook_delivery **out)
{
    size_t n;
    assert_ok(s, sticker_store_webhook_next(s->stickers, id, 100, &s->arena, out, &n, &s->err));
    return n;
}

static struct webhook look(struct suite *s, int64_t id)
{
    struct webhook *list;
    size_t n;
    assert_ok(s, sticker_store_webhook_list(s->stickers, id, &s->arena, &list, &n, &s->err));
    assert_int_equal(n, 1);
    return list[0];
}

static size_t due(struct suite *s, int64_t now_us)
{
    struct webhook *list;
    size_t n;
    assert_ok(s, sticker_store_webhook_due(s->stickers, now_us, &s->arena, &list, &n, &s->err));
    return n;
}

static void tried(struct suite *s, int64_t id, int64_t seq, enum status how, int64_t due_us, const char *disabled)
{
    struct error err = {OK, ""};
    if (how != OK)
        (void)err_set(&err, how, "it broke");
    assert_ok(
        s, sticker_store_webhook_tried(s->stickers, id, seq, how == OK ? 200 : 500, &err, due_us, disabled, &s->err));
}

static void changes_are_told_in_order(void **state)
{
    struct suite *s = *state;
    static const char *const expected[] = {"sticker.created", "sticker.changed", "sticker.removed", "sticker.restored"};
    struct webhook_delivery *told;
    suite_add(s, s->stickers, "early.png", "before there was a webhook");
    int64_t all = hook(s, "https://a/", ""), removed = hook(s, "https://b/", "sticker.removed");
    suite_add(s, s->stickers, "a.png", "a");
    struct sticker k;
    const struct sticker_terms terms = {.title = "b", .words = "", .filename = "", .folded = "b"};
    assert_ok(s, sticker_store_get(s->stickers, "a.png", &s->arena, &k, &s->err));
    assert_ok(s, sticker_store_update(s->stickers, &k, &terms, &s->err));
    assert_ok(s, sticker_store_delete(s->stickers, "a.png", &s->err));
    const struct admin_change back = {.op = CHANGE_RESTORE,
                                      .list = "trash",
                                      .sticker = &k,
                                      .terms = &terms,
                                      .object = "a.png",
                                      .before = "",
                                      .after = ""};
    assert_ok(s, sticker_store_change(s->stickers, &ann, &back, 1, &s->err));
    assert_ok(s, sticker_store_outbox_refill(s->stickers, &s->err)); /* changes nothing */
    assert_int_equal(sticker_store_delete(s->stickers, "no.png", &s->err), ERR_NOT_FOUND);
    assert_int_equal(next(s, removed, &told), 1);
    assert_string_equal(told[0].event, "sticker.removed");
    assert_int_equal(next(s, all, &told), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(told[i].event, expected[i]);
        assert_string_equal(told[i].object, "a.png");
        assert_true(told[i].attempts == 0 && told[i].delivered_us == 0 && strlen(told[i].id) == 36);
    }
}

static void a_failure_holds_back_what_follows(void **state)
{
    struct suite *s = *state;
    struct webhook_delivery *told, *last;
    struct webhook_counts counts;
    int64_t now_us = os_now_us(), id = hook(s, "https://a/", "");
    assert_int_equal(due(s, now_us), 0);
    suite_add(s, s->stickers, "a.png", "a");
    suite_add(s, s->stickers, "b.png", "b");
    assert_int_equal(due(s, now_us), 1);
    assert_int_equal(next(s, id, &told), 2);
    tried(s, id, told[0].seq, ERR_UNAVAILABLE, now_us + 1000000, "");
    assert_int_equal(due(s, now_us), 0);
    assert_int_equal(due(s, now_us + 1000000), 1);
    assert_int_equal(due(s, now_us - 2 * WEBHOOK_MAX_WAIT_US), 1); /* the clock was ahead */
    assert_int_equal(next(s, id, &told), 2);
    assert_string_equal(told[0].error, "it broke");
    assert_true(told[0].attempts == 1 && told[0].status == 500 && look(s, id).failures == 1);
    tried(s, id, told[0].seq, OK, 0, "");
    assert_true(look(s, id).failures == 0 && next(s, id, &last) == 1 && last[0].seq == told[1].seq);
    assert_ok(s, sticker_store_webhook_resend(s->stickers, told[0].seq, &s->err));
    assert_int_equal(next(s, id, &last), 2);
    assert_string_equal(last[0].id, told[0].id);
    assert_int_equal(sticker_store_webhook_resend(s->stickers, 999, &s->err), ERR_NOT_FOUND);
    tried(s, id, told[0].seq, ERR_UNAVAILABLE, now_us, "410");
    assert_string_equal(look(s, id).disabled, "410");
    assert_int_equal(due(s, now_us), 0);
    suite_add(s, s->stickers, "c.png", "c"); /* nobody is told */
    assert_ok(s, sticker_store_webhook_count(s->stickers, &counts, &s->err));
    assert_true(counts.enabled == 0 && counts.disabled == 1 && counts.waiting == 0);
    assert_ok(s, sticker_store_webhook_disable(s->stickers, &ann, id, "", &s->err));
    assert_ok(s, sticker_store_webhook_count(s->stickers, &counts, &s->err));
    assert_true(counts.enabled == 1 && counts.waiting == 2 && due(s, now_us) == 1);
}

static void a_test_goes_to_one(void **state)
{
    struct suite *s = *state;
    struct webhook_delivery *told;
    int64_t seq, id = hook(s, "https://a/", "votes.held"), other = hook(s, "https://b/", "");
    suite_add(s, s->stickers, "a.png", "a");
    assert_ok(s, sticker_store_webhook_test(s->stickers, id, &seq, &s->err));
    assert_int_equal(next(s, other, &told), 1);
    assert_int_equal(next(s, id, &told), 1);
    assert_true(told[0].seq == seq);
    assert_string_equal(told[0].event, "webhook.test");
    assert_ok(s, sticker_store_webhook_disable(s->stickers, &ann, id, "off", &s->err));
    assert_int_equal(sticker_store_webhook_test(s->stickers, id, &seq, &s->err), ERR_INVALID);
    assert_int_equal(sticker_store_webhook_test(s->stickers, 999, &seq, &s->err), ERR_NOT_FOUND);
}

static void they_are_forgotten(void **state)
{
    struct suite *s = *state;
    struct webhook_delivery *told;
    int64_t from_us = 0, id = hook(s, "https://a/", "sticker.created"), id2 = hook(s, "https://b/", "");
    size_t n;
    suite_add(s, s->stickers, "a.png", "a");
    assert_ok(
        s, sticker_store_retain(s->stickers, RETAIN_DELIVERIES, os_now_us() - STORE_DAY_US, 10, &from_us, &n, &s->err));
    assert_true(n == 0 && next(s, id, &told) == 1);
    assert_ok(s, sticker_store_webhook_remove(s->stickers, &ann, id2, &s->err));
    assert_int_equal(next(s, id2, &told), 0);
    assert_int_equal(sticker_store_webhook_remove(s->stickers, &ann, id2, &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_retain(s->stickers, RETAIN_DELIVERIES, os_now_us() + 1, 10, &from_us, &n, &s->err));
    assert_true(n == 1 && next(s, id, &told) == 0);
    assert_true(hook(s, "https://b/", "") > id2); /* numbers are not given again */
}

static void wrong_ones(void **state)
{
    struct suite *s = *state;
    static const char *const wrong[] = {
        "cake", "sticker.created,", ",", "sticker", "sticker.created, votes.held", "webhook.test"};
    int64_t id = hook(s, "https://a/", "sticker.created,votes.held");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(webhook_events_check(wrong[i], &s->err), ERR_INVALID);
    const struct webhook again = {.url = "https://a/", .events = "", .secret = ""};
    assert_int_equal(sticker_store_webhook_add(s->stickers, &ann, &again, &id, &s->err), ERR_CONFLICT);
    for (int i = 1; i < STORE_WEBHOOKS; i++) {
        char url[40];
        snprintf(url, sizeof url, "https://a/%d", i);
        hook(s, url, "");
    }
    const struct webhook more = {.url = "https://more/", .events = "", .secret = ""};
    assert_int_equal(sticker_store_webhook_add(s->stickers, &ann, &more, &id, &s->err), ERR_TOO_LARGE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup_stickers, suite_teardown)
    const struct CMUnitTest tests[] = {T(changes_are_told_in_order), T(a_failure_holds_back_what_follows),
                                       T(a_test_goes_to_one), T(they_are_forgotten), T(wrong_ones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
