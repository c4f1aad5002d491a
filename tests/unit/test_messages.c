/* What pages say: whole in every language, with the right plural forms, and escaped. */
#include "cm.h"

#include "base/utf8.h"
#include "web/messages.h"
#include "web/plural.h"

#include <string.h>

static const char *said(const char *tag, enum message key, const char *query, int64_t n)
{
    static char out[512];
    struct buf b;
    const struct message_arg args[] = {{.name = "query", .text = query}, {.name = "n", .number = n, .is_number = true}};
    buf_init(&b, sizeof out);
    messages_html(&b, messages_in(tag), key, MESSAGE_IN_TEXT, args, 2);
    snprintf(out, sizeof out, "%s", buf_str(&b));
    buf_free(&b);
    return out;
}

static void test_languages(void **state)
{
    (void)state;
    static const char *const tags[] = {"ar", "de", "es", "fr", "ja", "ko", "pt", "zh"};
    assert_string_equal(messages_tag(messages_at(0)), "en");
    assert_int_equal(messages_count, 1 + sizeof tags / sizeof *tags);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        assert_string_equal(messages_tag(messages_in(tags[i])), tags[i]);
        assert_string_equal(messages_get(messages_in(tags[i]), MESSAGE_lang), tags[i]);
    }
    assert_string_equal(messages_tag(messages_in("PT-br")), "pt");
    assert_null(messages_in("it"));
    assert_null(messages_in(""));
    assert_null(messages_in("e"));
    assert_null(messages_in("english"));
    assert_null(messages_at(messages_count));
}

/* The set of placeholders of a text, as bits by where English has them. */
static unsigned placeholders(const char *text, const char *english, bool *strange)
{
    unsigned bits = 0;
    for (const char *s = text; (s = strchr(s, '{')); s++) {
        char name[32];
        size_t len = strcspn(s, "}") + 1;
        assert_true(len < sizeof name);
        memcpy(name, s, len);
        name[len] = '\0';
        const char *at = strstr(english, name);
        *strange = *strange || !at;
        unsigned number = 0;
        for (const char *e = english; at && e < at; e++)
            number += *e == '{';
        bits |= at ? 1u << number : 0;
    }
    return bits;
}

/* The build checks this too (test_web_templates); here it is asked of what was built. */
static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < messages_count; i++) {
        const struct messages *m = messages_at(i);
        const struct plural_rules *rules = plural_rules(m->tag);
        assert_non_null(rules);
        for (int key = 0; key < (i ? MESSAGE_TRANSLATED : MESSAGE_COUNT); key++) {
            const char *const *forms = m->forms[key];
            const char *english = messages_at(0)->forms[key][PLURAL_OTHER];
            bool plural = messages_at(0)->forms[key][PLURAL_ONE] != NULL, strange = false;
            for (unsigned f = 0; f < PLURAL_FORMS; f++) {
                bool wanted = f == PLURAL_OTHER || (plural && rules->forms >> f & 1);
                if ((forms[f] != NULL) != wanted)
                    fail_msg("%s: message %d, form %u", m->tag, key, f);
                if (!forms[f])
                    continue;
                assert_true(*forms[f] && utf8_valid(forms[f], strlen(forms[f])));
                unsigned has = placeholders(forms[f], english, &strange);
                if (strange || (f == PLURAL_OTHER && has != placeholders(english, english, &strange)))
                    fail_msg("%s: placeholders of \"%s\", in English \"%s\"", m->tag, forms[f], english);
            }
        }
        assert_non_null(strstr("ltr rtl", messages_get(m, MESSAGE_dir)));
    }
    assert_string_equal(messages_get(messages_in("ar"), MESSAGE_dir), "rtl");
}

/* What is in English only is said in English in any language, with its plural forms and numbers. */
static void test_english_only(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    const struct message_arg args[] = {{.name = "n", .number = 1234, .is_number = true}},
                             one[] = {{.name = "n", .number = 1, .is_number = true}};
    arena_init(&a, 1 << 16);
    assert_true(MESSAGE_admin_cancel >= MESSAGE_TRANSLATED && MESSAGE_no < MESSAGE_TRANSLATED);
    for (size_t i = 0; i < messages_count; i++) {
        const struct messages *m = messages_at(i);
        assert_string_equal(messages_get(m, MESSAGE_admin_cancel), "Cancel");
        assert_string_equal(messages_text(&a, m, MESSAGE_admin_field_more, args, 1), "1,234 more languages");
        assert_string_equal(messages_text(&a, m, MESSAGE_admin_field_more, one, 1), "1 more language");
    }
    buf_init(&b, 512);
    messages_html(&b, messages_in("de"), MESSAGE_admin_field_more, MESSAGE_IN_TEXT, args, 1);
    assert_string_equal(buf_str(&b), "1,234 more languages");
    buf_free(&b);
    arena_free(&a);
}

static void test_plural_forms(void **state)
{
    (void)state;
    static const struct {
        const char *tag;
        int64_t n;
        enum plural form;
    } cases[] = {
        {"en", 0, PLURAL_OTHER},      {"en", 1, PLURAL_ONE},        {"en", 2, PLURAL_OTHER}, {"de", 1, PLURAL_ONE},
        {"de", 21, PLURAL_OTHER},     {"fr", 0, PLURAL_ONE},        {"fr", 1, PLURAL_ONE},   {"fr", 2, PLURAL_OTHER},
        {"fr", 1000000, PLURAL_MANY}, {"pt", 0, PLURAL_ONE},        {"pt", 2, PLURAL_OTHER}, {"es", 0, PLURAL_OTHER},
        {"es", 1, PLURAL_ONE},        {"es", 2000000, PLURAL_MANY}, {"ja", 1, PLURAL_OTHER}, {"zh", 1, PLURAL_OTHER},
        {"ko", 1, PLURAL_OTHER},      {"ar", 0, PLURAL_ZERO},       {"ar", 1, PLURAL_ONE},   {"ar", 2, PLURAL_TWO},
        {"ar", 3, PLURAL_FEW},        {"ar", 10, PLURAL_FEW},       {"ar", 11, PLURAL_MANY}, {"ar", 99, PLURAL_MANY},
        {"ar", 100, PLURAL_OTHER},    {"ar", 102, PLURAL_OTHER},    {"ar", 103, PLURAL_FEW}, {"ar", 111, PLURAL_MANY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (plural_rules(cases[i].tag)->form_of(cases[i].n) != cases[i].form)
            fail_msg("%s %d", cases[i].tag, (int)cases[i].n);
    assert_null(plural_rules("xx"));
    assert_string_equal(said("en", MESSAGE_results, "cat", 1), "1 sticker for “<bdi>cat</bdi>”");
    assert_string_equal(said("en", MESSAGE_results, "cat", 4072), "4,072 stickers for “<bdi>cat</bdi>”");
    assert_string_equal(said("ar", MESSAGE_results, "x", 2), "ملصقان لـ «<bdi>x</bdi>»");
    assert_string_equal(said("ar", MESSAGE_results, "x", 5), "5 ملصقات لـ «<bdi>x</bdi>»");
    assert_string_equal(said("fr", MESSAGE_results, "x", 1000000),
                        "1\u202f000\u202f000 de stickers pour «\u00a0<bdi>x</bdi>\u00a0»");
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *tag;
        int64_t n;
        const char *text;
    } cases[] = {{"en", 999, "999"},
                 {"en", 1000, "1,000"},
                 {"en", -1234567, "-1,234,567"},
                 {"en", -999, "-999"},
                 {"de", 1234, "1.234"},
                 {"es", 1234, "1234"},
                 {"es", 12345, "12.345"},
                 {"fr", 1234, "1\u202f234"},
                 {"ja", 0, "0"},
                 {"en", INT64_MAX, "9,223,372,036,854,775,807"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 64);
        messages_number(&b, messages_in(cases[i].tag), cases[i].n);
        assert_string_equal(buf_str(&b), cases[i].text);
        buf_free(&b);
    }
}

static void test_escaped(void **state)
{
    (void)state;
    struct buf b;
    struct arena a;
    const struct message_arg args[] = {{.name = "title", .text = "<b>\"{query}\""}};
    const struct message_arg nothing[] = {{.name = "title", .text = NULL}};
    arena_init(&a, 1 << 16);
    assert_string_equal(said("en", MESSAGE_results, "<b>{n}", 2), "2 stickers for “<bdi>&lt;b&gt;{n}</bdi>”");
    buf_init(&b, 512);
    messages_html(&b, messages_at(0), MESSAGE_vote_good_of, MESSAGE_IN_VALUE, args, 1);
    assert_string_equal(buf_str(&b), "Good match: &lt;b&gt;&quot;{query}&quot;");
    assert_string_equal(messages_text(&a, messages_at(0), MESSAGE_vote_good_of, args, 1), "Good match: <b>\"{query}\"");
    assert_string_equal(messages_text(&a, messages_at(0), MESSAGE_vote_good_of, nothing, 1), "Good match: ");
    arena_free(&a);
    arena_init(&a, 1);
    assert_null(messages_text(&a, messages_at(0), MESSAGE_vote_good_of, args, 1));
    arena_free(&a);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_languages), cmocka_unit_test(test_whole),   cmocka_unit_test(test_plural_forms),
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_escaped), cmocka_unit_test(test_english_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
