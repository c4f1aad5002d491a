/* The language of a query: by its letters, its small words, the phrases that documents have, and words that are common
 * in English; and what a hint is worth beside these. */
#include "cm.h"

#include "rank/query_language.h"
#include "words/lexicon.h"

#include <string.h>

enum { EVERYTHING, NO_LEXICON, NO_PHRASES, NOTHING };

static struct setup {
    char folder[64];
    struct search_store *store;
    struct meanings *words;
    struct phrases *phrases;
} setup;

/* Common words, then many that nobody asks for, then rare ones, as their order tells. */
static void make_lexicon(const char *path)
{
    static const char *const common[] = {"the",      "you",     "good", "happy", "love",
                                         "birthday", "morning", "my",   "night", "is"},
                             *const rare[] = {"gm", "lol", "gut", "dance", "chat"};
    struct lexicon_builder *b;
    struct error err;
    float v[LEXICON_DIM] = {1};
    char word[16];
    assert_int_equal(lexicon_builder_open(&b, &err), OK);
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        assert_int_equal(lexicon_builder_add(b, common[i], v, &err), OK);
    for (int i = 0; i < 3000; i++) {
        snprintf(word, sizeof word, "x%d", i);
        assert_int_equal(lexicon_builder_add(b, word, v, &err), OK);
    }
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++)
        assert_int_equal(lexicon_builder_add(b, rare[i], v, &err), OK);
    assert_int_equal(lexicon_builder_write(b, path, &err), OK);
    lexicon_builder_close(b);
}

static int open_all(void **state)
{
    (void)state;
    char path[96];
    struct error err;
    struct language_set languages = {0};
    static const char words[] = "[{\"language\":\"en\",\"words\":\"puppy, party\"},"
                                "{\"language\":\"fr\",\"words\":\"chien, chiot, bon anniversaire, chat\"},"
                                "{\"language\":\"de\",\"words\":\"h\u00fcndchen, party, hund\"},"
                                "{\"language\":\"hr\",\"words\":\"psi\u0107, pas\"},"
                                "{\"language\":\"ja\",\"words\":\"\u72ac\"}]";
    struct document doc = {.id = 1, .filename = "dog.png", .title = "dog", .words_json = words};
    tmp_make(setup.folder, sizeof setup.folder);
    snprintf(path, sizeof path, "%s/search.db", setup.folder);
    assert_int_equal(search_store_open(path, 1, &setup.store, &err), OK);
    snprintf(path, sizeof path, "%s/english.words", setup.folder);
    make_lexicon(path);
    assert_int_equal(meanings_open(path, setup.store, NULL, 1, &setup.words, &err), OK);
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
        language_set_add(&languages, i);
    assert_int_equal(phrases_open(4, &languages, &setup.phrases, &err), OK);
    assert_int_equal(phrases_put(setup.phrases, &doc, &err), OK);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    phrases_close(setup.phrases);
    meanings_close(setup.words);
    search_store_close(setup.store);
    tmp_remove(setup.folder);
    return 0;
}

static unsigned language_of(const char *text, size_t len, unsigned hint, int without)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    struct query_language_ask ask = {.text = text, .len = len, .hint = hint};
    if (without != NO_LEXICON && without != NOTHING)
        ask.words = setup.words;
    if (without != NO_PHRASES && without != NOTHING)
        ask.phrases = setup.phrases;
    unsigned language = query_language(&ask, &a);
    arena_free(&a);
    return language;
}

static void expect(const char *text, const char *hint, int without, const char *language)
{
    unsigned found = language_of(text, strlen(text), *hint ? language_number(hint) : LANGUAGE_OTHER, without);
    if (strcmp(language_code(found), language) != 0)
        fail_msg("\"%s\" with the hint \"%s\": expected %s, found %s", text, hint, language, language_code(found));
}

static void scripts_tell(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"γεια σου", "", "el"},
        {"ΓΕΙΑ", "en", "el"},
        {"доброе утро", "", "ru"},
        {"доброе утро", "en", "ru"}, /* a hint of a language that is not written so */
        {"добро утро", "bg", "bg"},
        {"добрий вечір", "", "uk"},
        {"Добрий вечір", "ru", "uk"}, /* no Russian letter */
        {"שלום", "", "he"},
        {"שלום", "yi", "yi"},
        {"شكرا", "", "ar"},
        {"شكرا", "fa", "fa"},
        {"چطوری", "", "fa"},
        {"شب بخیر", "ar-EG", "ar"},
        {"नमस्ते", "", "hi"},
        {"नमस्ते", "mr", "mr"},
        {"สวัสดี", "de", "th"},
        {"ありがとう", "", "ja"},
        {"お元気", "zh", "ja"}, /* kana beside characters that both have */
        {"元気", "ja", "ja"},
        {"生日快乐", "", "zh"},
        {"生日快乐", "ko", "zh"},
        {"안녕", "", "ko"},
        {"\u1112\u1161\u11ab\u1100\u116e\u11a8", "", "ko"}, /* the same, letter by letter */
        {"ლამაზი", "", "ka"},
        {"ok привет", "en", "ru"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(cases[i][0], cases[i][1], NOTHING, cases[i][2]);
        expect(cases[i][0], cases[i][1], EVERYTHING, cases[i][2]);
    }
}

static void small_words_and_letters_tell(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"schlaf gut", "de"},     {"SCHLAF GUT!!", "de"},  {"je t'aime", "fr"},
                                           {"Je t\u2019aime", "fr"}, /* as phones write it */
                                           {"j\u2019ai faim", "fr"}, {"buenas noches", "es"}, {"¿mañana?", "es"},
                                           {"boa noite", "pt"},      {"ti amo", "it"},        {"dobranoc", "pl"},
                                           {"chúc ngủ ngon", "vi"},  {"iyi geceler", "tr"},   {"İyi geceler", "tr"},
                                           {"selamat pagi", "id"},   {"straße", "de"},        {"jó éjszakát", "hu"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect(cases[i][0], "", NOTHING, cases[i][1]);
        expect(cases[i][0], "", EVERYTHING, cases[i][1]);
        expect(cases[i][0], "en", EVERYTHING, cases[i][1]); /* of a phone that is set to English */
    }
}

static void phrases_of_documents_tell(void **state)
{
    (void)state;
    expect("chien", "", NO_PHRASES, "en");
    expect("chien", "", EVERYTHING, "fr");
    expect("chien", "en", EVERYTHING, "fr");
    expect("CHIEN ", "de", EVERYTHING, "fr");
    expect("Hündchen", "en", EVERYTHING, "de");
    expect("Hu\u0308ndchen", "en", EVERYTHING, "de");
    expect("Hündchen", "de", NOTHING, "de");
    expect("Hündchen", "en", NOTHING, "und"); /* nobody knows it, and English it is not */
    expect("häppy birthday", "en", EVERYTHING, "en");
    expect("bon anniversaire", "en", EVERYTHING, "fr");
    expect("psić", "", EVERYTHING, "hr"); /* its last letter is a Polish one, too */
    expect("puppy", "", EVERYTHING, "en");
    expect("party", "", EVERYTHING, "en"); /* in both languages: the likelier one */
    expect("party", "de", EVERYTHING, "de");
}

static void hints_count_where_nothing_speaks_against_them(void **state)
{
    (void)state;
    for (int without = EVERYTHING; without <= NOTHING; without++) {
        expect("gm", "", without, "en");
        expect("lol", "", without, "en");
        expect("zzyzx", "", without, "en");
        expect("zzyzx", "de", without, "de");
        expect("zzyzx", "en-GB", without, "en");
        expect("zzyzx", "tlh", without, "en"); /* a hint that no list knows */
        expect("😀", "", without, "en");
        expect("😀🎉", "fr", without, "fr");
        expect("123 !?", "it", without, "it");
        expect("", "", without, "en");
        expect("", "pl", without, "pl");
        expect("   ", "pl", without, "pl");
    }
    expect("gm", "de", EVERYTHING, "de"); /* few know it, and those who hint may write it */
    expect("happy birthday", "de", EVERYTHING, "en");
    expect("happy birthday", "de", NO_LEXICON, "de"); /* who could know? */
    expect("Happy Birthday!", "ja", EVERYTHING, "en");
    expect("good morning my Hund", "", EVERYTHING, "en"); /* mixed: what most words are */
    expect("guten morgen my love", "", NO_LEXICON, "de");
    expect("I love you", "fr", EVERYTHING, "en");
}

/* Whatever bytes come and wherever they end. */
static void hostile_texts_have_a_language(void **state)
{
    (void)state;
    static const char all[] =
        "aé\u0301привет\u2019''\u200d\U0001f468\U0001f3fd\u0661\u1112\u1161\u202eשל\ufffd\x01\x7f end";
    unsigned hints[] = {LANGUAGE_OTHER, LANGUAGE_en, LANGUAGE_de, LANGUAGE_COUNT - 1};
    for (size_t k = 0; k < sizeof hints / sizeof *hints; k++)
        for (size_t from = 0; from < sizeof all; from++)
            for (size_t len = 0; from + len < sizeof all; len++) {
                char *exact = malloc(len + 1); /* so that a sanitizer sees a read beyond it */
                assert_non_null(exact);
                memcpy(exact, all + from, len);
                exact = realloc(exact, len ? len : 1);
                unsigned found = language_of(exact, len, hints[k], EVERYTHING);
                assert_true(found < LANGUAGE_COUNT);
                free(exact);
            }
    static const char *const units[] = {"a", "'", "\u2019", " a", "ab'", "ß", "犬", "😀 ", "e\u0301"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct buf b;
        buf_init(&b, 1 << 20);
        for (int k = 0; k < 5000; k++)
            buf_puts(&b, units[i]);
        unsigned found = language_of(buf_str(&b), b.len, LANGUAGE_de, EVERYTHING);
        assert_true(found < LANGUAGE_COUNT);
        buf_free(&b);
    }
    struct arena none;
    arena_init(&none, 1);
    struct query_language_ask ask = {.text = "schlaf gut", .len = 10, .hint = LANGUAGE_fr};
    assert_int_equal(query_language(&ask, &none), LANGUAGE_fr); /* without memory, what was said */
    arena_free(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_tell),
        cmocka_unit_test(small_words_and_letters_tell),
        cmocka_unit_test(phrases_of_documents_tell),
        cmocka_unit_test(hints_count_where_nothing_speaks_against_them),
        cmocka_unit_test(hostile_texts_have_a_language),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
