/* Suggestions: which phrases a typed beginning finds, and in which order. */
#include "cm.h"

#include "sticker_service/phrase_list.h"
#include "text/text.h"

#include <string.h>

static struct arena arena;

static int setup(void **state)
{
    struct phrase_list *l = phrase_list_new();
    arena_init(&arena, 16 << 20);
    *state = l;
    return l ? 0 : -1;
}

static int teardown(void **state)
{
    phrase_list_free(*state);
    arena_free(&arena);
    return 0;
}

static const char *plain(const char *text)
{
    const char *out;
    struct error err;
    if (text_plain(text, strlen(text), 255, &arena, &out, &err) != OK)
        fail_msg("%s", err.message);
    return out;
}

static void add(struct phrase_list *l, const char *text, enum suggestion_kind kind, unsigned count)
{
    phrase_list_add(l, text, plain(text), kind, count);
}

/* The phrases found, joined by "|". */
static const char *joined(const struct suggestion *out, size_t n)
{
    static char all[2048];
    all[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? "|" : "", out[i].text);
    return all;
}

static const char *found(struct phrase_list *l, const char *typed, size_t limit)
{
    struct suggestion out[COLLECTION_SUGGESTIONS];
    return joined(out, phrase_list_find(l, plain(typed), limit, &arena, out));
}

static const char *near(struct phrase_list *l, const char *typed, size_t limit)
{
    struct suggestion out[COLLECTION_SUGGESTIONS];
    return joined(out, phrase_list_find_near(l, plain(typed), limit, &arena, out));
}

static void test_order(void **state)
{
    struct phrase_list *l = *state;
    assert_string_equal(found(l, "c", 8), ""); /* before it is sorted, and empty */
    phrase_list_sort(l);
    assert_string_equal(found(l, "c", 8), "");
    add(l, "cat", SUGGESTION_TITLE, 1);
    add(l, "cat", SUGGESTION_WORD, 4); /* the same phrase, of the first kind */
    add(l, "cake", SUGGESTION_WORD, 3);
    add(l, "birthday cake", SUGGESTION_TITLE, 9);
    add(l, "car", SUGGESTION_WORD, 3);
    add(l, "candle", SUGGESTION_WORD, 3);
    add(l, "cat party", SUGGESTION_QUERY, 1);
    phrase_list_sort(l);
    assert_string_equal(found(l, "ca", 8), "cat party|cat|car|cake|candle|birthday cake");
    assert_string_equal(found(l, "ca", 2), "cat party|cat");
    assert_string_equal(found(l, "cak", 8), "cake|birthday cake");
    assert_string_equal(found(l, "birthday c", 8), "birthday cake");
    assert_string_equal(found(l, "x", 8), "");
    assert_string_equal(found(l, "ca", 0), "");
    add(l, "caramel", SUGGESTION_WORD, 99); /* more can be added later */
    phrase_list_sort(l);
    assert_string_equal(found(l, "ca", 2), "cat party|caramel");
}

static void test_folded(void **state)
{
    struct phrase_list *l = *state;
    add(l, "Gâteau d’anniversaire", SUGGESTION_TITLE, 1);
    add(l, "誕生日ケーキ", SUGGESTION_TITLE, 1);
    add(l, "قطة مبتسمة", SUGGESTION_TITLE, 1);
    add(l, "ÉCLAIR", SUGGESTION_WORD, 1);
    phrase_list_sort(l);
    assert_string_equal(found(l, "gateau", 8), "Gâteau d’anniversaire");
    assert_string_equal(found(l, "GÂ", 8), "Gâteau d’anniversaire");
    assert_string_equal(found(l, "ecl", 8), "ÉCLAIR");
    assert_string_equal(found(l, "誕生", 8), "誕生日ケーキ");
    assert_string_equal(found(l, "مبتس", 8), "قطة مبتسمة");
}

static void test_a_phrase_comes_once(void **state)
{
    struct phrase_list *l = *state;
    add(l, "cat cat caterpillar", SUGGESTION_WORD, 1);
    add(l, "a cat", SUGGESTION_WORD, 1);
    phrase_list_sort(l);
    assert_string_equal(found(l, "cat", 8), "cat cat caterpillar|a cat");
}

static void test_known_words(void **state)
{
    struct phrase_list *l = *state;
    add(l, "birthday cake", SUGGESTION_TITLE, 1);
    add(l, "cakes", SUGGESTION_WORD, 1);
    add(l, "cat", SUGGESTION_WORD, 1);
    phrase_list_sort(l);
    assert_true(phrase_list_knows(l, "cat birthday"));
    assert_true(phrase_list_knows(l, "cake"));
    assert_false(phrase_list_knows(l, "cak"));
    assert_false(phrase_list_knows(l, "cat buy now"));
    assert_false(phrase_list_knows(l, ""));
}

static void test_one_mistake(void **state)
{
    struct phrase_list *l = *state;
    phrase_list_sort(l);
    assert_string_equal(near(l, "birt", 8), "");
    add(l, "birthday cake", SUGGESTION_TITLE, 2);
    add(l, "bird", SUGGESTION_WORD, 1);
    add(l, "Grüße", SUGGESTION_TITLE, 1);
    add(l, "кошка", SUGGESTION_WORD, 1);
    phrase_list_sort(l);
    assert_string_equal(near(l, "birtday", 8), "birthday cake");    /* one is missing */
    assert_string_equal(near(l, "birrthd", 8), "birthday cake");    /* one too many */
    assert_string_equal(near(l, "birhtday c", 8), "birthday cake"); /* two exchanged */
    assert_string_equal(near(l, "birthdsy", 8), "birthday cake");   /* another one */
    assert_string_equal(near(l, "birthday vake", 8), "birthday cake");
    assert_string_equal(near(l, "birq", 8), "birthday cake|bird");
    assert_string_equal(near(l, "birq", 1), "birthday cake");
    assert_string_equal(near(l, "коушка", 8), "кошка");
    assert_string_equal(near(l, "кшка", 8), "кошка");
    assert_string_equal(near(l, "virthday", 8), ""); /* the first one is right */
    assert_string_equal(near(l, "birtdya", 8), "");  /* two mistakes */
    assert_string_equal(near(l, "biq", 8), "");      /* too short */
    assert_string_equal(near(l, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 8),
                        "");
}

/* Everything is bounded: many phrases of one beginning, and more than there is room for. */
static void test_many(void **state)
{
    struct phrase_list *l = *state;
    char text[32];
    for (unsigned i = 0; i < PHRASE_LIST_MAX + 100; i++) {
        snprintf(text, sizeof text, "c%u", i);
        phrase_list_add(l, text, text, SUGGESTION_WORD, i % 7);
    }
    phrase_list_sort(l);
    struct suggestion out[COLLECTION_SUGGESTIONS];
    assert_int_equal(phrase_list_find(l, "c", 1000, &arena, out), COLLECTION_SUGGESTIONS);
    assert_string_equal(found(l, "c299999", 8), "c299999");
    assert_string_equal(found(l, "c300050", 8), "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_order),       T(test_folded),      T(test_a_phrase_comes_once),
        T(test_known_words), T(test_one_mistake), T(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
