/* Synonyms: what an entry may be, when a query matches one, what it adds to the query's terms. */
#include "cm.h"

#include "base/language.h"
#include "text/synonyms.h"
#include "text/text.h"

#include <stdio.h>
#include <string.h>

static struct error err;

static struct synonyms *make(const struct synonym_entry *entries, size_t n)
{
    struct synonyms *s = NULL;
    if (synonyms_open(entries, n, &s, &err) != OK)
        fail_msg("%s", err.message);
    return s;
}

/* The stems that synonyms add to a query, in their order; its own follow, which are left out. */
static const char *added(const struct synonyms *s, const char *query, unsigned language, char out[1000])
{
    struct arena a;
    struct term_query own, q;
    size_t n;
    bool matches;
    arena_init(&a, 4u << 20);
    assert_int_equal(text_query(query, strlen(query), language, true, NULL, &a, &own, &err), OK);
    q = own;
    assert_int_equal(synonyms_expand(s, query, strlen(query), &a, &q, &n, &err), OK);
    assert_int_equal(synonyms_match(s, query, strlen(query), language, &a, &matches, &err), OK);
    assert_true(matches || n == 0);
    assert_true(q.n_stems >= own.n_stems && q.n_forms >= own.n_forms && (n > 0) == (q.n_stems > own.n_stems));
    out[0] = '\0';
    size_t more = q.n_stems - own.n_stems;
    for (size_t i = 0; i < more; i++) {
        assert_true(q.traits[i].share > 0 && q.traits[i].share < 1);
        if (q.stems[i])
            snprintf(out + strlen(out), 1000 - strlen(out), "%s%s", *out ? " " : "", q.stems[i]);
    }
    for (size_t i = 0; i < own.n_stems; i++) { /* its own words count as before, and forms are of the same words */
        assert_ptr_equal(q.stems[more + i], own.stems[i]);
        assert_true(q.traits[more + i].share == 0);
    }
    for (size_t i = 0; i < own.n_forms; i++)
        assert_int_equal(q.forms[q.n_forms - own.n_forms + i].word, own.forms[i].word + more);
    assert_ptr_equal(q.prefix, own.prefix);
    arena_free(&a);
    return out;
}

static void a_term_is_found_as_terms_are(void **state)
{
    (void)state;
    static const char *const dogs[] = {"dog", "puppies"}, *const ice[] = {"ice cream"}, *const hund[] = {"Köter"};
    static const struct synonym_entry entries[] = {
        {"Pupper", dogs, 2, false, ""}, {"gelato", ice, 1, true, ""}, {"Hunde", hund, 1, false, "de"}};
    char out[1000];
    struct synonyms *s = make(entries, 3);
    assert_int_equal(synonyms_count(s), 3);
    assert_string_equal(added(s, "pupper", LANGUAGE_en, out), "dog puppi");
    assert_string_equal(added(s, "two PUPPERS, please", LANGUAGE_en, out), "dog puppi"); /* inflected, in capitals */
    assert_string_equal(added(s, "pupper dog", LANGUAGE_en, out), "puppi");              /* what is asked for already */
    assert_string_equal(added(s, "dog", LANGUAGE_en, out), "");                          /* one way */
    assert_string_equal(added(s, "gelato", LANGUAGE_de, out), "icecream ice cream");     /* all languages */
    assert_string_equal(added(s, "an ice cream", LANGUAGE_en, out), "gelato");           /* the other way */
    assert_string_equal(added(s, "ice and cream", LANGUAGE_en, out), "");
    assert_string_equal(added(s, "Hund", LANGUAGE_de, out), "koter"); /* the language's stems, */
    assert_string_equal(added(s, "Hund", LANGUAGE_en, out), "");      /* and its queries alone */
    assert_string_equal(added(s, "", LANGUAGE_en, out), "");
    assert_string_equal(added(NULL, "pupper", LANGUAGE_en, out), "");
    synonyms_close(s);
}

/* Of a synonym of several words a document must have most, or "ice cream" would find ice. */
static void several_words_belong_together(void **state)
{
    (void)state;
    static const char *const ice[] = {"ice cream"}, *const dog[] = {"dog"};
    static const struct synonym_entry entries[] = {{"gelato", ice, 1, false, ""}, {"gelato", dog, 1, false, ""}};
    struct arena a;
    struct term_query q;
    size_t n;
    struct synonyms *s = make(entries, 2);
    arena_init(&a, 1u << 20);
    assert_int_equal(text_query("gelato", 6, LANGUAGE_en, true, NULL, &a, &q, &err), OK);
    assert_int_equal(synonyms_expand(s, "gelato", 6, &a, &q, &n, &err), OK);
    assert_int_equal(n, 2);
    assert_int_equal(q.n_stems, 5);
    assert_true(q.traits[0].run > 0 && q.traits[1].run == q.traits[0].run && q.traits[2].run == q.traits[0].run);
    assert_int_equal(q.traits[3].run, 0); /* one word is by itself */
    assert_int_equal(q.traits[4].run, 0);
    arena_free(&a);
    synonyms_close(s);
}

static void a_query_is_expanded_by_so_many_at_most(void **state)
{
    (void)state;
    char names[SYNONYMS_MAX_EACH][16], out[1000];
    const char *many[SYNONYMS_MAX_EACH];
    struct synonym_entry entries[60];
    for (size_t i = 0; i < SYNONYMS_MAX_EACH; i++) {
        snprintf(names[i], sizeof names[i], "word%zu", i);
        many[i] = names[i];
    }
    for (size_t i = 0; i < 60; i++)
        entries[i] = (struct synonym_entry){"pupper", many, SYNONYMS_MAX_EACH, true, ""};
    struct synonyms *s = make(entries, 60);
    size_t words = 1;
    for (const char *at = added(s, "pupper", LANGUAGE_en, out); *at; at++)
        words += *at == ' ';
    assert_int_equal(words, SYNONYMS_MAX_ADDED);
    char query[256] = "";
    for (size_t i = 0; strlen(query) + 8 < sizeof query; i++)
        snprintf(query + strlen(query), sizeof query - strlen(query), "%zux%zu ", i, i); /* as many words as may be */
    strcpy(query + strlen(query) - 7, "pupper");
    (void)added(s, query, LANGUAGE_de, out); /* its own words stay, whatever is added */
    synonyms_close(s);
}

static void wrong_entries_are_refused(void **state)
{
    (void)state;
    char text[SYNONYMS_MAX_TEXT + 2];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    static const char *const dog[] = {"dog"}, *const empty[] = {""}, *const line[] = {"a\nb"};
    const char *const longest[] = {text}, *too_many[SYNONYMS_MAX_EACH + 1];
    for (size_t i = 0; i <= SYNONYMS_MAX_EACH; i++)
        too_many[i] = "dog";
    const struct {
        struct synonym_entry entry;
        const char *message;
    } cases[] = {
        {{"", dog, 1, false, ""}, "must have 1 to 100 bytes, found 0"},
        {{"cat", empty, 1, false, ""}, "must have 1 to 100 bytes, found 0"},
        {{"cat", longest, 1, false, ""}, "must have 1 to 100 bytes, found 101"},
        {{"cat", line, 1, false, ""}, "one line"},
        {{"one two three four", dog, 1, false, ""}, "at most 3 words, found 4"},
        {{"cat", dog, 0, false, ""}, "1 to 20 synonyms, found 0"},
        {{"cat", too_many, SYNONYMS_MAX_EACH + 1, true, ""}, "1 to 20 synonyms, found 21"},
        {{"cat", dog, 1, false, "no tag"}, "language must be a tag"},
        {{",", dog, 1, false, ""}, "no words"},
        {{"\xff", dog, 1, false, ""}, "UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct synonyms *s;
        assert_int_equal(synonyms_open(&cases[i].entry, 1, &s, &err), ERR_INVALID);
        assert_null(s);
        if (strncmp(err.message, "synonyms[0]: ", 13) != 0 || !strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s", i, err.message);
    }
    struct synonyms *s;
    struct synonym_entry *all = calloc(SYNONYMS_MAX_ENTRIES + 1, sizeof *all);
    assert_non_null(all);
    for (size_t i = 0; i <= SYNONYMS_MAX_ENTRIES; i++)
        all[i] = (struct synonym_entry){"cat", dog, 1, true, ""};
    assert_int_equal(synonyms_open(all, SYNONYMS_MAX_ENTRIES + 1, &s, &err), ERR_INVALID);
    s = make(all, SYNONYMS_MAX_ENTRIES);
    synonyms_close(synonyms_share(s)); /* of two owners one is left */
    assert_int_equal(synonyms_count(s), SYNONYMS_MAX_ENTRIES);
    synonyms_close(s);
    synonyms_close(NULL);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_term_is_found_as_terms_are),
        cmocka_unit_test(several_words_belong_together),
        cmocka_unit_test(a_query_is_expanded_by_so_many_at_most),
        cmocka_unit_test(wrong_entries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
