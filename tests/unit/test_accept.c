#include "cm.h"

#include "http/accept.h"

#include <string.h>

static void encodings(void **state)
{
    (void)state;
    static const char *const taken[] = {"gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "*", "GZIP", "gzip ; q=0.001"};
    static const char *const refused[] = {"gzip;q=0, br",  "*, gzip;q=0", "br", "xgzip", "",
                                          "gzip;q=0.0000", "gzip;q=x"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        assert_true(http_accepts(taken[i], "gzip"));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_int_equal(http_accepts(refused[i], "gzip"), 0);
    assert_int_equal(http_accepts(NULL, "gzip"), 0);
}

/* The most exact element decides, wherever it stands. */
static void types(void **state)
{
    (void)state;
    static const char browser[] = "image/avif, image/webp;q=0.9 ,image/*;q=0.8,*/*;q=0.5";
    assert_int_equal(http_accepts(browser, "image/webp"), 900);
    assert_int_equal(http_accepts(browser, "image/png"), 800);
    assert_int_equal(http_accepts(browser, "text/html"), 500);
    assert_int_equal(http_accepts("*/*, image/webp;q=0", "image/webp"), 0);
    assert_int_equal(http_accepts("image/png;level=1;q=0.25", "image/png"), 250);
    assert_int_equal(http_accepts("image/jpeg", "image/webp"), 0);
    assert_int_equal(http_accepts("*", "image/webp"), 0);
}

static void weights(void **state)
{
    (void)state;
    static const struct {
        const char *parameters;
        unsigned weight;
    } cases[] = {{"", 1000},        {";q=0.8", 800},     {"; q=0.123", 123}, {";Q=1.0", 1000},
                 {";q=0.5;x", 500}, {";x=1;q=0.5", 500}, {";q=", 0},         {";q=2", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(http_weight(cases[i].parameters, strlen(cases[i].parameters)), cases[i].weight);
}

static void etags(void **state)
{
    (void)state;
    assert_true(http_etag_listed("\"a\", W/\"b\"", "\"b\""));
    assert_true(http_etag_listed("*", "\"b\""));
    assert_false(http_etag_listed("\"bb\"", "\"b\""));
    assert_false(http_etag_listed(NULL, "\"b\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(encodings), cmocka_unit_test(types), cmocka_unit_test(weights),
                                       cmocka_unit_test(etags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
