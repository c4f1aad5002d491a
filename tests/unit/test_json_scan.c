/* test_json_scan.c: JSON read from front to back says what jansson says. */
#include "cm.h"

#include "base/json_scan.h"

#include <jansson.h>
#include <string.h>

/* Texts as strings in brackets, "?" behind what is wrong. */
static const char *strings_of(struct arena *a, const char *text)
{
    struct json_scan s;
    struct error err;
    size_t n = 0, len;
    const char *all = "", *one;
    json_scan_begin(&s, text, strlen(text), a);
    while (json_scan_next(&s, "[]", &n))
        if ((one = json_scan_string(&s, &len)) != NULL) {
            assert_int_equal(strlen(one), len);
            all = arena_printf(a, "%s<%s>", all, one);
        }
    enum status st = json_scan_end(&s, &err);
    assert_true(st == OK || (st == ERR_INVALID && strstr(err.message, "not JSON")));
    return st == OK ? all : arena_printf(a, "%s?", all);
}

static void strings_are_what_jansson_reads(void **state)
{
    static const char *const texts[] = {
        "[]",
        " [ ] ",
        "[\"\"]",
        "[\"a\",\"b\"]",
        "\t[\n\"a\" , \"b\"\r]\n",
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
        "[\"\\u00e9\\u20ac\\uD83D\\ude00!\"]",
        "[\"é€😀\"]",
        "[\"a\",]",
        "[,\"a\"]",
        "[\"a\" \"b\"]",
        "[\"a\"",
        "[\"a",
        "[\"a\\",
        "[\"a\\\"]",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[\"\\u12g4\"]",
        "[\"\\u0000\"]",
        "[\"\\ud83d\"]",
        "[\"\\ud83d\\u0041\"]",
        "[\"\\ude00\"]",
        "[\"\\ud83d\\",
        "[\"a\tb\"]",
        "[\"\xff\"]",
        "[\"\xc3\"]",
        "[\"\xc0\xaf\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"a\"] x",
        "[\"a\"]]",
        "[1]",
        "[nul",
        "",
        "[",
        "]",
        "{}",
    };
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *tree = json_loads(texts[i], 0, NULL), *item;
        const char *found = strings_of(&a, texts[i]), *expect = "";
        size_t k;
        bool strings = json_is_array(tree);
        json_array_foreach(tree, k, item)
        {
            strings = strings && json_is_string(item);
            expect = arena_printf(&a, "%s<%s>", expect, strings ? json_string_value(item) : "");
        }
        json_decref(tree);
        if (strings ? strcmp(found, expect) != 0 : !strchr(found, '?'))
            fail_msg("%s: expected %s, found %s", texts[i], strings ? expect : "an error", found);
    }
    arena_free(&a);
}

static void members_and_literals_are_read(void **state)
{
    static const char text[] = "{ \"a\" : true , \"b\":false,\"c\":null,\"d\":[{}, {\"x\":\"y\"}] }";
    (void)state;
    struct json_scan s;
    struct arena a;
    struct error err;
    size_t n = 0, items = 0, len;
    arena_init(&a, 1 << 16);
    json_scan_begin(&s, text, strlen(text), &a);
    while (json_scan_next(&s, "{}", &n)) {
        const char *name = json_scan_name(&s);
        assert_string_equal(name, n == 1 ? "a" : n == 2 ? "b" : n == 3 ? "c" : "d");
        if (n < 4) {
            assert_int_equal(json_scan_kind(&s), "tfn"[n - 1]);
            assert_true(json_scan_literal(&s, n == 1 ? "true" : n == 2 ? "false" : "null"));
            continue;
        }
        while (json_scan_next(&s, "[]", &items))
            for (size_t members = 0; json_scan_next(&s, "{}", &members);) {
                assert_string_equal(json_scan_name(&s), "x");
                assert_string_equal(json_scan_string(&s, &len), "y");
            }
    }
    assert_int_equal(n, 4);
    assert_int_equal(items, 2);
    assert_int_equal(json_scan_end(&s, &err), OK);
    for (size_t cut = 0; cut < strlen(text); cut++) { /* never beyond the end */
        char *part = malloc(cut + 1);
        memcpy(part, text, cut);
        json_scan_begin(&s, part, cut, &a);
        for (n = 0; json_scan_next(&s, "{}", &n);)
            if (json_scan_name(&s) && !json_scan_literal(&s, "true") && !json_scan_literal(&s, "false") &&
                !json_scan_literal(&s, "null"))
                assert_null(json_scan_string(&s, &len));
        assert_int_equal(json_scan_end(&s, &err), ERR_INVALID);
        free(part);
    }
    json_scan_begin(&s, "{}\0", 3, &a);
    n = 0;
    assert_false(json_scan_next(&s, "{}", &n));
    assert_int_equal(json_scan_end(&s, &err), ERR_INVALID);
    arena_free(&a);
    arena_init(&a, 4);
    json_scan_begin(&s, "\"long text\"", 11, &a);
    assert_null(json_scan_string(&s, &len));
    assert_int_equal(json_scan_end(&s, &err), ERR_NO_MEMORY);
    arena_free(&a);
}

static void values_are_skipped(void **state)
{
    static const struct {
        const char *text;
        bool fine;
    } cases[] = {
        {"[1,\"after\"]", true},
        {"[ -1.5e+3 , \"after\"]", true},
        {"[true,\"after\"]", true},
        {"[\"a\\\"]\",\"after\"]", true},
        {"[[],\"after\"]", true},
        {"[{\"a\":[{},[1,\"]\"]],\"b\":\"}\"},\"after\"]", true},
        {"[,\"after\"]", false},
        {"[[1,\"after\"]", false},
        {"[\"a,\"after\"]", false},
        {"[{\"a\":[", false},
        {"[", false},
    };
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_scan s;
        struct error err;
        size_t n = 0, len;
        json_scan_begin(&s, cases[i].text, strlen(cases[i].text), &a);
        if (json_scan_next(&s, "[]", &n))
            json_scan_skip(&s);
        const char *after = json_scan_next(&s, "[]", &n) ? json_scan_string(&s, &len) : NULL;
        bool fine =
            after && strcmp(after, "after") == 0 && !json_scan_next(&s, "[]", &n) && json_scan_end(&s, &err) == OK;
        if (fine != cases[i].fine)
            fail_msg("%s: %s", cases[i].text, fine ? "was taken" : s.wrong ? s.wrong : "was refused");
    }
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_what_jansson_reads),
        cmocka_unit_test(members_and_literals_are_read),
        cmocka_unit_test(values_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
