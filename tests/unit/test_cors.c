/* Which lists of origins are taken; what is answered is asked of a running service in tests/api/test_protection.py. */
#include "cm.h"

#include "http/cors.h"

#include <string.h>

static void lists(void **state)
{
    (void)state;
    static const char *const right[] = {
        "", " ", "*", "https://a.example", "http://[::1]:8080", "https://a.example , http://b.example:8080"};
    static const char *const wrong[] = {"https://",
                                        "a.example",
                                        "https://a.example/",
                                        "https://A.example",
                                        "null",
                                        ",",
                                        "*,https://a.example",
                                        "https://a.example;https://b.example",
                                        "ftp://a.example",
                                        "https://a.example https://b.example",
                                        "https://u@a.example",
                                        "https://*.example",
                                        "https://a.example\r\nX: y",
                                        "https://,https://a.example"};
    struct error err;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_int_equal(cors_check(right[i], &err), OK);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(cors_check(wrong[i], &err), ERR_INVALID);
    assert_int_equal(cors_check("https://a.example,elsewhere", &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "\"elsewhere\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
