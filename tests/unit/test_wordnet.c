/* From a few lines of WordNet's files to a lexicon's relations: who names which place, in one word or several. */
#include "cm.h"

#include "base/os.h"
#include "cmd/wordnet.h"

#include <string.h>

/* American and South Korean pertain to countries, New Zealanders are members of one; "coastal" pertains to a kind of
 * place, which has no name. The first line is the licence. */
static const char adjectives[] = "  1 This software and database is being provided to you, the LICENSEE\n"
                                 "00000001 01 a 01 American 0 001 \\ 00000101 n 0101 | of the United States\n"
                                 "00000002 01 a 01 South_Korean 0 001 \\ 00000102 n 0101 | of South Korea\n"
                                 "00000003 01 a 01 coastal 0 001 \\ 00000104 n 0101 | of a coast\n";
static const char nouns[] =
    "00000101 15 n 03 United_States 0 America 0 Bosnia_and_Herzegovina 0 001 @i 00000105 n 0000 | a country\n"
    "00000102 15 n 01 South_Korea 0 001 @i 00000105 n 0000 | a country\n"
    "00000103 15 n 01 New_Zealand 0 001 @i 00000105 n 0000 | a country\n"
    "00000104 15 n 01 coast 0 000 | a shore\n"
    "00000105 15 n 01 country 0 000 | a place\n"
    "00000106 18 n 01 New_Zealander 0 001 #m 00000103 n 0000 | a person\n"
    "00000107 14 n 01 crew 0 001 #m 00000103 n 0000 | no person\n";
static const char index_adj[] = "american a 1 1 \\ 1 1 00000001  \n"
                                "south_korean a 1 1 \\ 1 0 00000002  \n"
                                "coastal a 1 1 \\ 1 0 00000003  \n";
static const char index_noun[] = "new_zealander n 1 1 #m 1 0 00000106  \n"
                                 "crew n 1 1 #m 1 0 00000107  \n";

static bool names(const struct lexicon *l, const char *x, const char *y)
{
    size_t n = 0;
    uint32_t from = lexicon_find(l, x, strlen(x)), to = lexicon_find(l, y, strlen(y));
    const uint32_t *relations = from == LEXICON_NONE ? NULL : lexicon_relations(l, from, &n);
    for (size_t i = 0; i < n; i++)
        if (LEXICON_RELATED(relations[i]) == to && LEXICON_NAMES(relations[i]))
            return true;
    return false;
}

static void places_are_named(void **state)
{
    static const char *const words[] = {"america", "american", "coast", "coastal", "crew", "country"};
    struct lexicon_builder *b;
    struct wordnet *w;
    struct lexicon *l;
    struct error err;
    char folder[64], path[80];
    (void)state;
    assert_int_equal(lexicon_builder_open(&b, &err), OK);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        float v[LEXICON_DIM] = {0};
        v[i] = 1;
        assert_int_equal(lexicon_builder_add(b, words[i], v, &err), OK);
    }
    assert_int_equal(wordnet_open(&w, &err), OK);
    assert_int_equal(wordnet_read(w, "dict/data.adj", adjectives, strlen(adjectives), &err), OK);
    assert_int_equal(wordnet_read(w, "dict/index.noun", index_noun, strlen(index_noun), &err), OK);
    assert_int_equal(wordnet_read(w, "dict/data.noun", nouns, strlen(nouns), &err), OK);
    assert_int_equal(wordnet_read(w, "dict/index.adj", index_adj, strlen(index_adj), &err), OK);
    assert_int_equal(wordnet_read(w, "dict/data.verb", "00000001 01 a", 13, &err), OK); /* cut off */
    assert_int_equal(wordnet_relate(w, b, &err), OK);
    wordnet_close(w);
    tmp_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/en.words", folder);
    assert_int_equal(lexicon_builder_write(b, path, &err), OK);
    lexicon_builder_close(b);
    assert_int_equal(lexicon_open(path, &l, &err), OK);
    assert_true(names(l, "american", "america"));
    assert_true(names(l, "american", "united states"));
    assert_true(names(l, "american", "bosnia herzegovina")); /* as lists have "Bosnia & Herzegovina" */
    assert_true(names(l, "south korean", "south korea"));
    assert_true(names(l, "new zealander", "new zealand"));
    assert_false(names(l, "america", "american"));
    assert_false(names(l, "coastal", "coast"));
    assert_false(names(l, "crew", "new zealand"));
    lexicon_close(l);
    tmp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(places_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
