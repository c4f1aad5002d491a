/* What the search by meanings reads of a document: its title and its English words, or those of its first language. */
#include "cm.h"

#include "base/language.h"
#include "rank/document_text.h"

#include <string.h>

static void is_text(const char *words_json, const char *expected)
{
    struct document doc = {.title = "Title", .words_json = words_json};
    struct arena a;
    struct error err;
    const char *text;
    size_t len;
    arena_init(&a, 1 << 20);
    assert_int_equal(document_text(&doc, &a, &text, &len, &err), OK);
    assert_string_equal(text, expected);
    assert_int_equal(len, strlen(expected));
    arena_free(&a);
}

static void english_is_found_among_many(void **state)
{
    (void)state;
    is_text("[]", "Title");
    is_text("[{\"language\":\"en\",\"words\":\"cat, kitten\"}]", "Title, cat, kitten");
    is_text("[{\"language\":\"de\",\"title\":\"Katze\",\"words\":\"Katze\"},{\"language\":\"en\",\"title\":\"A cat\","
            "\"words\":\"cat\"},{\"language\":\"es\",\"words\":\"gato\"}]",
            "Title, cat");
    is_text("[{\"language\":\"en-GB\",\"words\":\"lorry\"},{\"language\":\"eng\",\"words\":\"none\"},"
            "{\"language\":\"EN-us\",\"words\":\"truck\"}]",
            "Title, lorry, truck");
    is_text("[{\"language\":\"en\",\"words\":\"\"},{\"language\":\"de\",\"words\":\"Katze\"}]", "Title");
}

static void without_english_the_first_language_counts(void **state)
{
    (void)state;
    is_text("[{\"language\":\"de\",\"words\":\"Katze\"},{\"language\":\"es\",\"words\":\"gato\"},"
            "{\"language\":\"de-AT\",\"words\":\"Katzerl\"}]",
            "Title, Katze, Katzerl");
}

static void words_do_not_pass_for_lists(void **state)
{
    (void)state;
    is_text("[{\"language\":\"de\",\"words\":\"{\\\"language\\\":\\\"en\\\",\\\"words\\\":\\\"none\\\"}\"}]",
            "Title, {\"language\":\"en\",\"words\":\"none\"}");
    is_text("[{\"language\":\"de\",\"words\":\"a\"},{\"language\":\"en\",\"words\":\"} ] \\\" \\\\\"}]",
            "Title, } ] \" \\");
}

static void lists_that_were_written_otherwise_are_read_too(void **state)
{
    (void)state;
    is_text("[ { \"words\": \"Katze\", \"language\": \"de\" }, { \"words\": \"cat\", \"language\": \"en\" } ]",
            "Title, cat");
    is_text("no JSON", "Title");
    is_text("[{\"language\":\"en\",\"words\":", "Title");
}

static void codes_are_found_without_regard_to_case(void **state)
{
    (void)state;
    for (unsigned i = 1; i < LANGUAGE_COUNT; i++)
        assert_int_equal(language_number(language_code(i)), i);
    assert_int_equal(language_number("EN-GB"), LANGUAGE_en);
    assert_int_equal(language_number("NB"), LANGUAGE_no);
    assert_int_equal(language_number(""), LANGUAGE_OTHER);
    assert_int_equal(language_number("e"), LANGUAGE_OTHER);
    assert_int_equal(language_number("eng"), LANGUAGE_OTHER);
    assert_int_equal(language_number("en-"), LANGUAGE_en);
    assert_int_equal(language_number("yi"), LANGUAGE_yi); /* behind the order of the others */
    assert_int_equal(language_number("Fil-PH"), LANGUAGE_fil);
    assert_int_equal(language_number("astr"), LANGUAGE_OTHER);
    assert_int_equal(language_number("[n"), LANGUAGE_OTHER);
    assert_int_equal(language_number("\xc5n"), LANGUAGE_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(english_is_found_among_many),
        cmocka_unit_test(without_english_the_first_language_counts),
        cmocka_unit_test(words_do_not_pass_for_lists),
        cmocka_unit_test(lists_that_were_written_otherwise_are_read_too),
        cmocka_unit_test(codes_are_found_without_regard_to_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
