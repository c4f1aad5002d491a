#include "cm.h"

#include "sticker_service/find_read.h"

#include <string.h>

enum { LIMIT = 3 };

static struct arena arena;
static struct error err;

static enum status read_text(const char *body, struct find_read *out)
{
    return find_read(body, strlen(body), LIMIT, &arena, out, &err);
}

static void expect_cats(const char *body)
{
    struct find_read r;
    assert_int_equal(read_text(body, &r), OK);
    assert_int_equal(r.n, 2);
    assert_string_equal(r.hits[0].filename, "a cat.png");
    assert_true(r.hits[0].score == 0.25 && r.hits[0].confidence == 0.5);
    assert_string_equal(r.hits[1].filename, "b.png");
    assert_true(r.hits[1].score == 1e-9 && r.hits[1].confidence == 0);
    assert_int_equal(r.total, 7);
    assert_string_equal(r.language, "en");
    assert_string_equal(r.ranking, "hybrid-1");
    assert_string_equal(r.legs, "[\"lexical\",\"words\"]");
    assert_string_equal(r.corrected, "\"cat\"\nsat");
}

static void both_formats_say_the_same(void **state)
{
    (void)state;
    struct find_read r;
    expect_cats("total 7\nlanguage en\nnews to come\nranking hybrid-1\nlegs lexical words \ncorrected "
                "\"\\\"cat\\\"\\nsat\"\n\n0.25 0.50 a cat.png\n1e-09 0.00 b.png\n");
    expect_cats("{\"results\":[{\"filename\":\"a cat.png\",\"score\":0.25,\"confidence\":0.5},"
                "{\"filename\":\"b.png\",\"score\":1e-9}],\"total\":7,\"language\":\"en\",\"ranking\":\"hybrid-1\","
                "\"legs\":[\"lexical\",\"words\"],\"corrected\":\"\\\"cat\\\"\\nsat\"}");
    static const char *const empty[] = {"\n", "{\"results\":[]}"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read_text(empty[i], &r), OK);
        assert_int_equal(r.n, 0);
        assert_int_equal(r.total, -1);
        assert_null(r.language);
    }
}

static void rubbish_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "total 7\n",
                                      "total\n\n",
                                      "\n0.5 0.5 a.png",
                                      "\n0.5 a.png\n",
                                      "\n0.5 0.5 \n",
                                      "\n0.5 0.5 ../a.png\n",
                                      "\nx 0.5 a.png\n",
                                      "\nnan 0.5 a.png\n",
                                      "\ninf 0.5 a.png\n",
                                      "\n\n",
                                      "corrected cat\n\n",
                                      "\n1 0 a\n1 0 b\n1 0 c\n1 0 d\n",
                                      "{\"results\":{}}",
                                      "{\"results\":[1]}",
                                      "{\"results\":[{\"filename\":\"..\"}]}",
                                      "[]"};
    struct find_read r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (read_text(bad[i], &r) != ERR_CORRUPT)
            fail_msg("%s", bad[i]);
    assert_int_equal(find_read("total 1\n\n0.5 0 a\0b\n", 19, LIMIT, &arena, &r, &err), ERR_CORRUPT);
    assert_int_equal(read_text("\n0.5 7 a.png\n", &r), OK);
    assert_true(r.hits[0].confidence == 0);
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_formats_say_the_same),
                                       cmocka_unit_test(rubbish_is_refused)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
