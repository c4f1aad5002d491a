/* test_collection.c: which languages suggestions are kept for. */
#include "store_suite.h"

#include "base/language.h"
#include "sticker_service/collection.h"

#define SECONDS 20 /* until what was asked for is there, however busy the machine is */

/* A sticker whose word in the language is "word" and the tag, as "wordptbr". */
static void add(struct suite *s, const char *tag)
{
    char words[32] = "word", *end = words + 4;
    for (const char *t = tag; *t; t++)
        if (*t != '-')
            *end++ = (char)(*t | 0x20);
    struct sticker_words in = {.language = tag, .words = words, .title = ""};
    struct sticker k = blank_sticker(arena_printf(&s->arena, "%s.png", tag));
    struct sticker_terms t = {"", "", "", "", NULL, 0};
    k.words = &in;
    k.n_words = 1;
    assert_ok(s, sticker_store_add(s->stickers, &k, &t, 1, &s->err));
}

static bool suggests(struct suite *s, struct collection *c, const char *language, const char *word)
{
    struct suggestion found[COLLECTION_SUGGESTIONS];
    size_t n = collection_suggest(c, "word", language, COLLECTION_SUGGESTIONS, &s->arena, found);
    for (size_t i = 0; i < n; i++)
        if (strcmp(found[i].text, word) == 0)
            return true;
    return false;
}

static void wait_for(struct suite *s, struct collection *c, const char *language, const char *word)
{
    for (int i = 0; !suggests(s, c, language, word); i++) {
        if (i == SECONDS * 20)
            fail_msg("%s has no %s", language, word);
        usleep(50000);
    }
}

/* Nobody keeps them from others by asking for many, nor for those that no sticker has words in. */
static void languages_make_room_for_others(void **state)
{
    static const char *const tags[] = {"de", "fr", "es", "it", "ja", "ko", "ar", "ru",
                                       "pl", "tr", "nl", "sv", "da", "fi", "cs", "hu"};
    struct suite *s = *state;
    struct collection *c;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        add(s, tags[i]);
    assert_ok(s, collection_open(s->stickers, 1, &c, &s->err));
    for (unsigned i = LANGUAGE_COUNT - 1; i > LANGUAGE_COUNT - 30; i--)
        (void)suggests(s, c, language_code(i), "");
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        wait_for(s, c, tags[i], arena_printf(&s->arena, "word%s", tags[i]));
    assert_false(suggests(s, c, "de", "wordde")); /* it was longest not asked for */
    collection_close(c);
}

/* A language's words are also those of its countries and scripts, and its older names. */
static void words_are_found_under_every_tag_of_a_language(void **state)
{
    struct suite *s = *state;
    struct collection *c;
    add(s, "pt-BR");
    add(s, "zh-Hant");
    add(s, "nb");
    add(s, "en-GB");
    assert_ok(s, collection_open(s->stickers, 1, &c, &s->err));
    wait_for(s, c, "pt", "wordptbr");
    wait_for(s, c, "pt-PT", "wordptbr");
    wait_for(s, c, "zh", "wordzhhant");
    wait_for(s, c, "no", "wordnb");
    wait_for(s, c, NULL, "wordengb");
    assert_false(suggests(s, c, "pt", "wordnb"));
    collection_close(c);
}

#define S 1000000ll

static void it_is_read_when_stickers_rest(void **state)
{
    (void)state;
    struct collection_stamp k = {0};
    assert_true(collection_is_due(&k, 7, 100 * S));
    assert_true(collection_is_due(&k, 7, 103 * S)); /* reading failed */
    collection_was_read(&k, 7, 103 * S);
    assert_false(collection_is_due(&k, 7, 106 * S));
    assert_false(collection_is_due(&k, 8, 109 * S)); /* somebody changes one, and nothing else */
    assert_true(collection_is_due(&k, 8, 112 * S));
    collection_was_read(&k, 8, 112 * S);
    int reads = 0;
    for (int64_t s = 115; s < 408; s += 3) /* nearly five minutes of an import */
        if (collection_is_due(&k, s, s * S)) {
            collection_was_read(&k, s, s * S);
            reads++;
        }
    assert_int_equal(reads, 9);
    assert_true(collection_is_due(&k, 406, 409 * S)); /* it has ended */
    collection_was_read(&k, 406, 409 * S);
    assert_false(collection_is_due(&k, 406, 600 * S));
    assert_true(collection_is_due(&k, 406, 900 * S)); /* what was deleted leaves no trace */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_read_when_stickers_rest),
        cmocka_unit_test_setup_teardown(languages_make_room_for_others, suite_setup_stickers, suite_teardown),
        cmocka_unit_test_setup_teardown(words_are_found_under_every_tag_of_a_language, suite_setup_stickers,
                                        suite_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
