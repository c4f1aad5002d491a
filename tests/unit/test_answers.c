#include "cm.h"

#include "sticker_service/answers.h"

#include <string.h>

static struct answers *four_places(void)
{
    struct answers *c;
    struct error err;
    assert_int_equal(answers_open(60000, 4, &c, &err), OK);
    return c;
}

static bool kept(struct answers *c, const char *key, size_t len)
{
    struct buf out;
    buf_init(&out, 2 * ANSWERS_MAX_BYTES);
    bool found = answers_get(c, key, &out);
    if (found)
        assert_int_equal(out.len, len);
    buf_free(&out);
    return found;
}

static void long_answers_take_the_room_of_several(void **state)
{
    (void)state;
    static char text[ANSWERS_MAX_BYTES + 1];
    struct answers *c = four_places();
    const char *const keys[] = {"a", "b", "c", "d"};
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < 4; i++)
        answers_put(c, keys[i], text, ANSWERS_BYTES, answers_cleared(c));
    for (size_t i = 0; i < 4; i++)
        assert_true(kept(c, keys[i], ANSWERS_BYTES));
    answers_put(c, "too long", text, ANSWERS_MAX_BYTES + 1, answers_cleared(c));
    assert_false(kept(c, "too long", 0));
    assert_true(kept(c, "a", ANSWERS_BYTES));
    answers_put(c, "three", text, 3 * ANSWERS_BYTES, answers_cleared(c));
    assert_true(kept(c, "three", 3 * ANSWERS_BYTES));
    size_t left = 0;
    for (size_t i = 0; i < 4; i++)
        left += kept(c, keys[i], ANSWERS_BYTES);
    assert_int_equal(left, 1);
    answers_put(c, "all", text, ANSWERS_MAX_BYTES, answers_cleared(c));
    assert_true(kept(c, "all", ANSWERS_MAX_BYTES));
    assert_false(kept(c, "three", 0));
    answers_put(c, "all", text, 10, answers_cleared(c)); /* in its own place */
    assert_true(kept(c, "all", 10));
    answers_close(c);
}

static void what_was_cleared_meanwhile_is_not_kept(void **state)
{
    (void)state;
    struct answers *c = four_places();
    unsigned cleared = answers_cleared(c);
    answers_clear(c);
    answers_put(c, "a", "old", 3, cleared);
    assert_false(kept(c, "a", 0));
    answers_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_answers_take_the_room_of_several),
        cmocka_unit_test(what_was_cleared_meanwhile_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
