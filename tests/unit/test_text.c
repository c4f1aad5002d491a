#include "cm.h"

#include "base/os.h"
#include "base/utf8.h"
#include "text/chars.h"
#include "text/emoji.h"
#include "text/normal.h"
#include "text/text.h"

#include <string.h>

static const char *stems(struct arena *a, const char *s)
{
    struct text_terms t;
    struct error err;
    assert_int_equal(text_analyze(s, strlen(s), 100, a, &t, &err), OK);
    return text_join_stems(&t, a);
}

static void words_become_terms(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {" \t\n.,!?", ""},
        {"Cat in a Park", "cat in a park"},
        {"running cats' kittens", "run cat kitten"},
        {"the cat's hat, the boys' hats", "the cat hat the boy hat"},
        {"don't l\xe2\x80\x99"
         "avion DON\xe2\x80\x99T",
         "dont lavion dont"},
        {"cat's's it's", "cat it"},
        {"COCO_val2014-000.jpg", "coco val2014 000 jpg"},
        {"Caf\xc3\xa9 CAFE\xcc\x81 na\xc3\xafve", "cafe cafe naiv"},
        {"Stra\xc3\x9f"
         "e \xef\xbc\xa3\xef\xbc\xa1\xef\xbc\xb4 \xef\xac\x81sh",
         "strass cat fish"},
        {"sm\xc3\xb8rrebr\xc3\xb8"
         "d \xc5\x81\xc3\xb3"
         "d\xc5\xba \xc5\x93uvre",
         "smorrebrod lodz oeuvr"},
        {"\xd0\x9a\xd0\x9e\xd0\xa2 \xd0\xba\xd0\xbe\xd1\x82", "\xd0\xba\xd0\xbe\xd1\x82 \xd0\xba\xd0\xbe\xd1\x82"},
        {"\xe4\xbb\x8a\xe6\x97\xa5\xe3\x81\xaf", /* three characters: two bigrams and the last */
         "\xe4\xbb\x8a\xe6\x97\xa5 \xe6\x97\xa5\xe3\x81\xaf \xe3\x81\xaf"},
        {"\xe7\x8c\xab", "\xe7\x8c\xab"},
        {"cat\xe7\x8c\xab"
         "dog",
         "cat \xe7\x8c\xab dog"},
        {"\xe3\x81\x8b\xe3\x82\x99", "\xe3\x81\x8c"},        /* ka + dakuten is ga, not ka */
        {"\xef\xbd\xb6\xef\xbe\x9e", "\xe3\x81\x8c"},        /* half-width ga, taken for Hiragana */
        {"co\xc2\xadoperate", "cooper"},                     /* soft hyphen */
        {"\xe0\xa4\xb9\xe0\xa4\xbf\xe0\xa4\xa8\xe0\xa5\x8d", /* Devanagari keeps its vowel signs */
         "\xe0\xa4\xb9\xe0\xa4\xbf\xe0\xa4\xa8\xe0\xa5\x8d"},
        {"\"quoted\" OR 1=1; --", "quot or 1 1"},
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(stems(&a, cases[i].in), cases[i].out);
    arena_free(&a);
}

/* What cannot begin an emoji by its first byte must not. */
static void first_bytes_tell_of_emoji(void **state)
{
    (void)state;
    size_t begin = 0;
    for (uint32_t cp = 1; cp < 0x110000; cp++) {
        char s[16] = "";
        size_t n = utf8_encode(cp, s);
        memcpy(s + n, "\xef\xb8\x8f\xe2\x83\xa3", 7); /* after a digit: a keycap */
        if (!n || !emoji_sequence(s, n + 6))
            continue;
        begin++;
        assert_true(emoji_may_begin((unsigned char)s[0]));
    }
    assert_true(begin > 1000);
    assert_false(emoji_may_begin('a'));
    assert_false(emoji_may_begin(0xd0));
}

static void emoji_are_words(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"\xf0\x9f\x90\xb1", "u1f431"},
        {"cat\xf0\x9f\x90\xb1\xf0\x9f\x90\xb6!", "cat u1f431 u1f436"},
        {"\xe2\x9d\xa4\xef\xb8\x8f \xe2\x9d\xa4", "u2764 u2764"},
        {"\xf0\x9f\x91\x8b\xf0\x9f\x8f\xbd \xf0\x9f\x91\x8b", "u1f44b u1f44b"}, /* skin tone */
        {"\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa\xf0\x9f\x87\xab\xf0\x9f\x87\xb7", "u1f1e9u1f1ea u1f1ebu1f1f7"}, /* DE FR */
        {"1\xef\xb8\x8f\xe2\x83\xa3 1\xe2\x83\xa3 #\xef\xb8\x8f\xe2\x83\xa3 1", "u31u20e3 u31u20e3 u23u20e3 1"},
        {"\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x94\xa5", "u2764u200du1f525 u2764 u1f525"}, /* heart on fire */
        {"\xf0\x9f\xa4\xb7\xf0\x9f\x8f\xbf\xe2\x80\x8d\xe2\x99\x80\xef\xb8\x8f", "u1f937u200du2640 u1f937"},
        {"\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
         "u1f468u200du1f469u200du1f467 u1f468 u1f469 u1f467"},
        {"\xf0\x9f\x90\xb1\xe2\x80\x8d", "u1f431"}, /* dangling joiner */
        {"\xf0\x9f\x8f\xbd", "u1f3fd"},             /* a tone alone */
        {"Peel\xe2\x84\xa2", "peel u2122"},
        {"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xbf", "u1f3f4ue0067ue0062ue007f"},
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(stems(&a, cases[i].in), cases[i].out);
    arena_free(&a);
}

static void analysis_is_bounded(void **state)
{
    (void)state;
    struct arena a;
    struct text_terms t;
    struct error err;
    arena_init(&a, 1 << 20);
    assert_int_equal(text_analyze("a b c d", 7, 2, &a, &t, &err), OK);
    assert_int_equal(t.count, 2);
    char *huge = malloc(300000);
    memset(huge, 'x', 300000);
    assert_int_equal(text_analyze(huge, 300000, 9, &a, &t, &err), ERR_TOO_LARGE);
    assert_int_equal(text_analyze(huge, 1000, 9, &a, &t, &err), OK);
    assert_int_equal(t.count, 1);
    assert_true(strlen(t.items[0].stem) <= 64);
    assert_int_equal(text_analyze("caf\xc3", 4, 9, &a, &t, &err), ERR_INVALID);
    /* A thousand joined emoji are cut, and nothing is written out of bounds. */
    size_t n = 0;
    for (; n + 7 < 7000; n += 7)
        memcpy(huge + n, "\xf0\x9f\x90\xb1\xe2\x80\x8d", 7);
    assert_int_equal(text_analyze(huge, n, 5000, &a, &t, &err), OK);
    assert_in_range(t.count, 1000, 5000);
    arena_free(&a);
    arena_init(&a, 64);
    assert_int_equal(text_analyze("one two three four", 18, 9, &a, &t, &err), ERR_NO_MEMORY);
    arena_free(&a);
    free(huge);
}

static void folded_keeps_the_typed_word(void **state)
{
    (void)state;
    struct arena a;
    struct text_terms t;
    arena_init(&a, 1 << 16);
    assert_int_equal(text_analyze("Happy ponies", 12, 9, &a, &t, NULL), OK);
    assert_string_equal(text_join_folded(&t, &a), "happy ponies");
    assert_string_equal(text_join_stems(&t, &a), "happi poni");
    assert_false(t.items[0].is_emoji);
    arena_free(&a);
}

static void word_cells_are_normalized(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_string_equal(text_normalize_words("cat, black cat; \xf0\x9f\x90\x88 |cat,, ", &a),
                        "cat, black cat, \xf0\x9f\x90\x88");
    assert_string_equal(text_normalize_words("", &a), "");
    assert_string_equal(text_normalize_words("a,b,c,d,a", &a), "a, b, c, d");
    assert_string_equal(text_normalize_words(" ;|,", &a), "");
    arena_free(&a);
}

static void a_query_takes_microseconds(void **state)
{
    (void)state;
    const char *q = "a happy black cat sleeping in the park";
    struct arena a;
    arena_init(&a, 1 << 16);
    int64_t start = os_monotonic_us();
    for (int i = 0; i < 10000; i++) {
        struct text_terms t;
        assert_int_equal(text_analyze(q, strlen(q), 64, &a, &t, NULL), OK);
        assert_int_equal(t.count, 8);
        arena_reset(&a);
    }
    double us = (double)(os_monotonic_us() - start) / 10000;
    if (getenv("PEEL_TEST_VERBOSE"))
        print_message("text_analyze: %.2f us\n", us);
    assert_true(us < 500); /* far above the 2 us it takes, for loaded machines and sanitizers */
    arena_free(&a);
}

static bool has_form(struct arena *a, const char *query, const char *stem, unsigned language)
{
    struct term_query q;
    assert_int_equal(text_query(query, strlen(query), LANGUAGE_en, true, NULL, a, &q, NULL), OK);
    for (size_t i = 0; i < q.n_forms; i++)
        if (strcmp(q.forms[i].stem, stem) == 0 && language_set_has(&q.forms[i].in, language))
            return true;
    return false;
}

/* Each word of `words` in `language` is found by `query`. */
static void expect_found(const char *language, const char *words, const char *query)
{
    struct arena a;
    struct sticker_terms t;
    const struct sticker_words list = {.language = language, .words = words};
    arena_init(&a, 1 << 20);
    assert_int_equal(text_sticker_terms("", "x.png", NULL, &list, 1, &a, &t, NULL), OK);
    assert_int_equal(t.n_languages, 1);
    bool found = false;
    for (char *save, *term = strtok_r((char *)(uintptr_t)t.languages[0].words, " ", &save); term && !found;
         term = strtok_r(NULL, " ", &save))
        found = has_form(&a, query, term, t.languages[0].language);
    if (!found)
        fail_msg("%s: \"%s\" is not found by \"%s\"", language, words, query);
    arena_free(&a);
}

static void each_language_has_its_own_stems_and_folding(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"es", "gato", "gatos"},
        {"es", "corazón", "corazon"},
        {"es-MX", "celebración", "celebraciones"},
        {"de", "Haus", "Häuser"},
        {"de", "Straße", "strasse"},
        {"fr", "avion", "l'avion"},
        {"fr", "fête", "fetes"},
        {"pt-BR", "coração", "coracao"},
        {"ru", "кошка", "кошки"},
        {"ar", "قط", "القط"},
        {"ar", "قَطّ", "قط"},
        {"ar", "أسد", "اسد"},
        {"fa", "گربه", "گربه"},
        {"ja", "ﾈｺ", "ねこ"},
        {"ja", "子猫", "子猫"},
        {"zh-Hant", "黑貓", "黑貓"},
        {"ko", "고양이", "고양이"},
        {"th", "แมว", "แมว"},
        {"zh", "猫", "猫cat"},
        {"vi", "mèo", "meo"},
        {"sr", "мачка", "mačka"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_found(cases[i][0], cases[i][1], cases[i][2]);
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_true(has_form(&a, "gatos", "gat", LANGUAGE_es));
    assert_false(has_form(&a, "gatos", "gat", LANGUAGE_nl));
    arena_free(&a);
}

static void tags_have_a_shape_and_a_number(void **state)
{
    (void)state;
    static const char *const good[] = {"en", "pt-BR", "zh-Hant-HK", "sr-Latn", "es-419", "ca-ES-valencia"};
    static const char *const bad[] = {"", "e", "1_", "en-", "-en", "en--US", "en us", "abcdefghi", "en-abcdefghi"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(language_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(language_valid(bad[i]));
    assert_int_equal(language_number("PT-br"), LANGUAGE_pt);
    assert_int_equal(language_number("nb"), LANGUAGE_no);
    assert_int_equal(language_number("tlh"), LANGUAGE_OTHER);
}

/* A cache of forms changes nothing: when it is filled, when it is asked, and when the query has more forms than fit. */
static void kept_forms_are_the_same(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "running cats, running cats",
        "die häuser der großmütter",
        "gözlükçülerden кошками القطط",
        "donaudampfschifffahrtsgesellschaftskapitän supercalifragilisticexpialidocious",
        "ice cream wi-fi :) 😀 下雪",
        "corriendo corazones amigos felices gatitos perritos casas flores lunas soles mares rios montes valles libros "
        "cartas puertas ventanas mesas sillas platos vasos copas tazas cuchillos tenedores cucharas manteles",
    };
    struct arena a;
    struct lru *kept;
    arena_init(&a, 4 << 20);
    assert_int_equal(lru_open(1 << 20, TEXT_KEPT_BYTES, &kept, NULL), OK);
    for (size_t i = 0; i < 3 * (sizeof queries / sizeof *queries); i++) {
        const char *query = queries[i / 3];
        struct term_query q, again;
        assert_int_equal(text_query(query, strlen(query), LANGUAGE_es, true, NULL, &a, &q, NULL), OK);
        assert_int_equal(text_query(query, strlen(query), LANGUAGE_es, true, kept, &a, &again, NULL), OK);
        assert_int_equal(again.n_forms, q.n_forms);
        for (size_t k = 0; k < q.n_forms; k++) {
            assert_string_equal(again.forms[k].stem, q.forms[k].stem);
            assert_int_equal(again.forms[k].word, q.forms[k].word);
            assert_memory_equal(&again.forms[k].in, &q.forms[k].in, sizeof q.forms[k].in);
        }
    }
    assert_true(lru_stats(kept).hits > 50);
    lru_close(kept);
    arena_free(&a);
}

/* Does a sticker of these words have the query's drawn or written-together term, or a part of a run as a whole? */
static bool has_special(struct arena *a, const char *language, const char *words, const char *query)
{
    struct sticker_terms t;
    struct term_query q;
    const struct sticker_words list = {.language = language, .words = words};
    assert_int_equal(text_sticker_terms("", "x.png", NULL, &list, 1, a, &t, NULL), OK);
    assert_int_equal(text_query(query, strlen(query), language_number(language), false, NULL, a, &q, NULL), OK);
    const char *all = arena_printf(a, " %s ", t.n_languages ? t.languages[0].words : t.words);
    for (size_t i = 0; i < q.n_stems; i++)
        if (q.stems[i] && (q.traits[i].drawn || !q.traits[i].word) && strstr(all, arena_printf(a, " %s ", q.stems[i])))
            return true;
    for (size_t i = 0; i < q.n_forms; i++)
        if (q.traits[q.forms[i].word].whole && strstr(all, arena_printf(a, " %s ", q.forms[i].stem)))
            return true;
    return false;
}

static void signs_are_terms(void **state)
{
    (void)state;
    static const char *const found[][2] = {
        {"thumbs up, +1", "+1"},
        {"thumbs up, +1", "great :+1:"},
        {"-1", "-1"},
        {"love, <3", "i <3 you"},
        {"<3", "<3!!"},
        {"grade, a+", "A+"},
        {"!!", "!!"},
        {"!!", "!!!!"},
        {":)", ":-)"},
        {":)", "hello =)"},
        {":)", ":)))"},
        {":D", ":-d"},
        {"；)", ";)"},
        {":｜", ":|"},
        {"o_O", "O_o"},
        {"¯\\_(ツ)_/¯", "¯\\_(ツ)_/¯ lol"},
        {"❤️", "<3"},
        {"\U0001f937", "¯\\_(ツ)_/¯"},
        {"\U0001f642", ":)"},
    };
    static const char *const not_found[][2] = {
        {"+1", "-1"}, {"-1", "+1"}, {"1", "+1"}, {":)", ":("}, {"3, three", "<3"}, {"it's", "its"}, {"a", "a+"},
    };
    struct arena a;
    arena_init(&a, 4 << 20);
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (!has_special(&a, "en", found[i][0], found[i][1]) || !has_special(&a, "de", found[i][0], found[i][1]))
            fail_msg("\"%s\" is not found by \"%s\"", found[i][0], found[i][1]);
    for (size_t i = 0; i < sizeof not_found / sizeof *not_found; i++)
        if (has_special(&a, "en", not_found[i][0], not_found[i][1]))
            fail_msg("\"%s\" is found by \"%s\"", not_found[i][0], not_found[i][1]);
    /* A query is bounded, however many signs it has. */
    char many[4000] = "";
    for (int i = 0; i < 900; i++)
        strcat(many, ":) ");
    struct term_query q;
    assert_int_equal(text_query(many, strlen(many), LANGUAGE_en, true, NULL, &a, &q, NULL), OK);
    assert_in_range(q.n_stems, 2, 128);
    assert_null(q.prefix);
    arena_free(&a);
}

static void signs_are_no_words(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"i <3 you", "i    you"},
        {"+1", "  "},
        {"what a day :D", "what a day   "},
        {"100%", "100%"},
        {"t-shirt", "t-shirt"},
        {"it's", "it's"},
        {"%", "%"},
    };
    struct arena a;
    arena_init(&a, 1 << 16);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(text_without_signs(cases[i][0], strlen(cases[i][0]), &a), cases[i][1]);
    arena_free(&a);
}

static void compounds_meet(void **state)
{
    (void)state;
    static const char *const found[][2] = {
        {"sweet, ice cream", "icecream"},
        {"ice cream", "ice cream"},
        {"wi-fi", "wifi"},
        {"wifi", "wi-fi"},
        {"wifi", "free wi fi"},
        {"hot dog", "hotdog"},
        {"hotdog", "hot dog"},
        {"e-mail", "email"},
        {"email", "e-mail"},
        {"t-shirt", "tshirt"},
        {"tshirt", "T-Shirt"},
        {"flag: New Zealand", "newzealand"},
    };
    static const char *const not_found[][2] = {
        {"vanilla ice cream", "creamice"},
        {"ice, cream", "icecream"},
        {"tome", "to me"},
        {"a 1, 1 2", "a1"},
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        struct sticker_terms t;
        struct term_query q;
        const struct sticker_words list = {.language = "en", .words = found[i][0]};
        bool meets = false;
        assert_int_equal(text_sticker_terms("", "x.png", NULL, &list, 1, &a, &t, NULL), OK);
        assert_int_equal(text_query(found[i][1], strlen(found[i][1]), LANGUAGE_en, false, NULL, &a, &q, NULL), OK);
        for (size_t k = 0; k < q.n_stems; k++) /* by one word, not by its parts */
            meets = meets || (strlen(q.stems[k]) > 3 &&
                              strstr(arena_printf(&a, " %s ", t.words), arena_printf(&a, " %s ", q.stems[k])));
        if (!meets)
            fail_msg("\"%s\" is not found by \"%s\"", found[i][0], found[i][1]);
    }
    for (size_t i = 0; i < sizeof not_found / sizeof *not_found; i++)
        assert_false(has_special(&a, "en", not_found[i][0], not_found[i][1]));
    assert_string_equal(text_compounds("wi-fi, ice cream, hot dog stand", 31, TEXT_HYPHENS | TEXT_PHRASES, &a),
                        "wifi icecream");
    assert_string_equal(text_compounds("hot dog stand", 13, TEXT_NEIGHBOURS, &a), "hotdog dogstand");
    assert_string_equal(text_compounds("-a b- -- 1-2", 12, TEXT_HYPHENS | TEXT_PHRASES, &a), "");
    char *huge = malloc(200000);
    for (size_t i = 0; i < 200000; i++)
        huge[i] = i % 4 == 3 ? ',' : i % 4 == 1 ? ' ' : 'b';
    assert_in_range(strlen(text_compounds(huge, 200000, TEXT_PHRASES, &a)), 10000, 16384);
    free(huge);
    arena_free(&a);
}

/* A part of a run is told from a piece of a longer one. */
static void parts_of_runs_may_be_whole(void **state)
{
    (void)state;
    static const char *const found[][3] = {
        {"zh", "下雪", "天上下雪了"}, {"ja", "頭", "頭が痛い"}, {"ko", "비", "비가와"},
        {"ko", "심장", "심장이"},     {"zh", "猫", "猫"},
    };
    static const char *const not_found[][3] = {
        {"ko", "몸조심하세요", "안녕하세요"},
        {"zh", "大下雪天", "天上下雪了"},
        {"ja", "が", "頭が痛い"},
        {"zh", "灯", "灯笼"},
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        if (!has_special(&a, found[i][0], found[i][1], found[i][2]))
            fail_msg("\"%s\" is not found by \"%s\"", found[i][1], found[i][2]);
    for (size_t i = 0; i < sizeof not_found / sizeof *not_found; i++) {
        struct term_query q;
        struct sticker_terms t;
        const struct sticker_words list = {.language = not_found[i][0], .words = not_found[i][1]};
        assert_int_equal(text_sticker_terms("", "x.png", NULL, &list, 1, &a, &t, NULL), OK);
        assert_int_equal(text_query(not_found[i][2], strlen(not_found[i][2]), LANGUAGE_en, false, NULL, &a, &q, NULL),
                         OK);
        for (size_t k = 0; k < q.n_forms; k++)
            assert_false(q.traits[q.forms[k].word].whole && strstr(arena_printf(&a, " %s ", t.languages[0].words),
                                                                   arena_printf(&a, " %s ", q.forms[k].stem)));
    }
    arena_free(&a);
}

static const char *lower(const char *text, size_t most)
{
    static char copy[64];
    struct arena a;
    const char *out;
    size_t len;
    struct error err;
    arena_init(&a, 1 << 20);
    if (text_lower(text, strlen(text), most, &a, &out, &len, &err) != OK)
        fail_msg("%s", err.message);
    snprintf(copy, sizeof copy, "%.*s", (int)len, out);
    arena_free(&a);
    return copy;
}

static void a_search_is_known_by_one_text(void **state)
{
    (void)state;
    static const struct {
        const char *typed, *known;
    } cases[] = {{"  Party \t TIME\n", "party time"},
                 {"Cafe\u0301\u3000noir", "café noir"},
                 {"I \u2764\ufe0f you", "i \u2764 you"},
                 {"a \ufe0f b", "a b"},
                 {"\ufe0e", ""},
                 {"", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct error err;
        const char *out;
        arena_init(&a, 1 << 20);
        assert_int_equal(text_fold_query(cases[i].typed, 100, &a, &out, &err), OK);
        assert_string_equal(out, cases[i].known);
        arena_free(&a);
    }
}

static void what_is_the_same_in_print_is_the_same_text(void **state)
{
    (void)state;
    assert_string_equal(lower("", 100), "");
    assert_string_equal(lower(" Tom CAT\t", 100), "tom cat");
    assert_string_equal(lower("ÀÉ ΑΒ ЖУК", 100), "àé αβ жук");
    assert_string_equal(lower("Cafe\u0301", 100), "café");
    assert_string_equal(lower("\u212bngstro\u0308m", 100), "ångström");
    static const char *const same[] = {"vi\u1ec7t",       "VI\u1ec6T",        "vi\u00ea\u0323t",
                                       "vi\u1eb9\u0302t", "vie\u0302\u0323t", "vie\u0323\u0302t"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_string_equal(lower(same[i], 100), "việt");
    assert_string_equal(lower("J\u2019ai", 100), "j'ai");
    assert_string_equal(lower("ΟΔΌΣ, Σ", 100), "οδός, σ");
    assert_string_equal(lower("οδο\u0301ς ΣΊΣΥΦΟΣ!", 100), "οδός σίσυφος!");
    assert_string_equal(lower("İyi", 100), "iyi"); /* no dot is left over */
    assert_string_equal(lower("\u1112\u1161\u11ab\u1100\u116e\u11a8", 100), "한국");
    assert_string_equal(lower("äöü", 5), "äö"); /* no half letters */
    assert_string_equal(lower("äöü", 1), "");
    assert_string_equal(lower("ab cd", 3), "ab");

    struct arena a;
    const char *out;
    size_t len;
    struct error err;
    arena_init(&a, 1 << 20);
    assert_int_equal(text_lower("a\xff", 2, 100, &a, &out, &len, &err), ERR_INVALID);
    assert_int_equal(text_lower("\xc3", 1, 100, &a, &out, &len, &err), ERR_INVALID);
    assert_int_equal(text_lower("", (2u << 20), 100, &a, &out, &len, &err), ERR_TOO_LARGE);
    arena_free(&a);
    arena_init(&a, 1); /* nothing can be had */
    assert_int_equal(text_lower("cat", 3, 100, &a, &out, &len, &err), ERR_NO_MEMORY);
    assert_int_equal(text_lower("CAT", 3, 100, &a, &out, &len, &err), ERR_NO_MEMORY);
    arena_free(&a);
}

/* The table says the same as utf8proc, whatever stands beside a character, or leaves it to that. */
static void check_the_table(const char *s, size_t len, size_t *known)
{
    int32_t looked_up[64], asked[64];
    size_t n;
    if (chars_normal(s, len, looked_up, &n)) {
        assert_int_equal(normal_text(s, len, asked, 64), n);
        assert_memory_equal(looked_up, asked, n * sizeof *asked);
        ++*known;
    }
    if (chars_fold(s, len, looked_up, &n)) {
        assert_int_equal(normal_fold(s, len, asked, 64), n);
        assert_memory_equal(looked_up, asked, n * sizeof *asked);
    }
}

static void characters_are_what_unicode_says(void **state)
{
    (void)state;
    char s[16];
    size_t known = 0;
    for (uint32_t cp = 1; cp < 0x30000; cp++) {
        size_t len = utf8_encode(cp, s);
        if (len)
            check_the_table(s, len, &known);
    }
    assert_true(known > 0x2c000);
    uint32_t x = 1, limits[] = {0x250, 0x700, 0x3400, 0x20000};
    for (size_t i = 0; i < 300000; i++) {
        size_t len = 0;
        for (size_t k = 0; k < 4; k++) { /* of the same script or not, with marks and what is invisible between */
            x = x * 1664525u + 1013904223u;
            uint32_t limit = limits[i % 4], cp = (x >> 8) % 8 == 0   ? 0x300 + (x >> 12) % 0x70
                                                 : (x >> 8) % 8 == 1 ? 0x200c + (x >> 12) % 2
                                                                     : 1 + (x >> 11) % limit;
            len += utf8_encode(cp, s + len);
        }
        check_the_table(s, len, &known);
    }
    assert_false(chars_normal("e\xcc\x81", 3, (int32_t[8]){0}, &known)); /* a letter and its accent, written apart */
}

static void a_query_has_one_key(void **state)
{
    static const struct {
        const char *typed, *key, *alike;
    } cases[] = {
        {"Party  Time", "party time", TEXT_ALIKE "parti time"},
        {" party\ttime ", "party time", TEXT_ALIKE "parti time"},
        {"the time of parties", "the time of parties", TEXT_ALIKE "parti time"},
        {"cafe\u0301", "caf\u00e9", TEXT_ALIKE "cafe"},
        {"\u2764\ufe0f", "\u2764", TEXT_ALIKE "u2764"},
        {"\u2764\ufe0e", "\u2764", TEXT_ALIKE "u2764"},
        {"cat cat", "cat cat", TEXT_ALIKE "cat"},
        {"the", "the", ""},
        {"", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct error err;
        const char *key, *alike;
        arena_init(&a, 1u << 20);
        assert_int_equal(text_fold_query(cases[i].typed, TEXT_QUERY_BYTES, &a, &key, &err), OK);
        assert_string_equal(key, cases[i].key);
        assert_int_equal(text_alike_key(key, &a, &alike, &err), OK);
        assert_string_equal(alike, cases[i].alike);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_terms),
        cmocka_unit_test(first_bytes_tell_of_emoji),
        cmocka_unit_test(emoji_are_words),
        cmocka_unit_test(analysis_is_bounded),
        cmocka_unit_test(folded_keeps_the_typed_word),
        cmocka_unit_test(word_cells_are_normalized),
        cmocka_unit_test(signs_are_terms),
        cmocka_unit_test(signs_are_no_words),
        cmocka_unit_test(compounds_meet),
        cmocka_unit_test(parts_of_runs_may_be_whole),
        cmocka_unit_test(a_query_takes_microseconds),
        cmocka_unit_test(each_language_has_its_own_stems_and_folding),
        cmocka_unit_test(kept_forms_are_the_same),
        cmocka_unit_test(tags_have_a_shape_and_a_number),
        cmocka_unit_test(a_query_has_one_key),
        cmocka_unit_test(what_is_the_same_in_print_is_the_same_text),
        cmocka_unit_test(a_search_is_known_by_one_text),
        cmocka_unit_test(characters_are_what_unicode_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
