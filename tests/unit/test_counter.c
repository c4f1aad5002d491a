#include "cm.h"

#include "sticker_service/counter.h"
#include <string.h>

static void check(const char *digit, const char *n, const char *answer, const char *numbers)
{
    struct counter_result r;
    struct error err;
    assert_int_equal(counter_count(digit, n, &r, &err), OK);
    assert_string_equal(r.answer, answer);
    assert_string_equal(r.numbers, numbers);
}

static void known_values(void **state)
{
    (void)state;
    check("7", "1000", "300", "271");
    check("7", "0", "0", "0");
    check("0", "0", "0", "0");
    check("0", "9", "0", "0");
    check("0", "10", "1", "1");
    check("1", "11", "4", "3");
    check("9", "99", "20", "19");
}

/* Every digit and every n up to 12,000 against writing the numbers out. */
static void brute_force(void **state)
{
    (void)state;
    for (int d = 0; d <= 9; d++) {
        long answer = 0, numbers = 0;
        for (int i = 1; i <= 12000; i++) {
            int here = 0;
            for (int x = i; x; x /= 10)
                here += x % 10 == d;
            answer += here;
            numbers += here > 0;
            char digit[12], n[12], want[24];
            snprintf(digit, sizeof digit, "%d", d);
            snprintf(n, sizeof n, "%d", i);
            struct counter_result r;
            assert_int_equal(counter_count(digit, n, &r, NULL), OK);
            snprintf(want, sizeof want, "%ld", answer);
            assert_string_equal(r.answer, want);
            snprintf(want, sizeof want, "%ld", numbers);
            assert_string_equal(r.numbers, want);
        }
    }
}

/* Up to 10^k each nonzero digit is written k * 10^(k-1) times. */
static void ten_to_the_thousand(void **state)
{
    (void)state;
    char n[1002] = "1", want[1004] = "1000";
    memset(n + 1, '0', 1000);
    memset(want + 4, '0', 999);
    struct counter_result r;
    assert_int_equal(counter_count("7", n, &r, NULL), OK);
    assert_string_equal(r.answer, want);
    n[1000] = '1';
    assert_int_equal(counter_count("7", n, &r, NULL), ERR_INVALID);
}

static void refusals(void **state)
{
    (void)state;
    static const char *const bad_n[] = {"",    "-1", "+1",  "007", " 7", "7 ",   "1.5",
                                        "1e3", "x",  "0x7", "--",  "٣",  "1_000"};
    struct counter_result r;
    struct error err;
    for (size_t i = 0; i < sizeof bad_n / sizeof *bad_n; i++) {
        assert_int_equal(counter_count("7", bad_n[i], &r, &err), ERR_INVALID);
        assert_string_equal(err.message, "n must be a whole number from 0 to 10^1000");
    }
    static const char *const bad_digit[] = {"", "10", "-1", "x", " 7", "07"};
    for (size_t i = 0; i < sizeof bad_digit / sizeof *bad_digit; i++) {
        assert_int_equal(counter_count(bad_digit[i], "1", &r, &err), ERR_INVALID);
        assert_string_equal(err.message, "digit must be a whole number from 0 to 9");
    }
}

static void json(void **state)
{
    (void)state;
    struct counter_result r;
    struct buf b;
    buf_init(&b, 8192);
    assert_int_equal(counter_count("7", "1000", &r, NULL), OK);
    counter_json(&r, &b);
    assert_string_equal(buf_str(&b), "{\"answer\":300,\"digit\":7,\"n\":1000,\"numbers\":271}");
    buf_reset(&b);
    assert_int_equal(counter_count("1", "9007199254740992", &r, NULL), OK); /* 2^53 */
    counter_json(&r, &b);
    assert_non_null(strstr(buf_str(&b), "\"n\":9007199254740992,"));
    assert_non_null(strstr(buf_str(&b), "\"answer\":\""));
    buf_reset(&b);
    assert_int_equal(counter_count("1", "9007199254740993", &r, NULL), OK);
    counter_json(&r, &b);
    assert_non_null(strstr(buf_str(&b), "\"n\":\"9007199254740993\","));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values), cmocka_unit_test(brute_force), cmocka_unit_test(ten_to_the_thousand),
        cmocka_unit_test(refusals),     cmocka_unit_test(json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
