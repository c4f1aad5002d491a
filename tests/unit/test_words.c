/* The lexicon's file, also when it was tampered with, and the distance of spellings. */
#include "cm.h"

#include "base/os.h"
#include "words/lexicon.h"
#include "words/spelling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void make(const char *path)
{
    struct lexicon_builder *b;
    struct error err;
    assert_int_equal(lexicon_builder_open(&b, &err), OK);
    const char *words[] = {"cat", "dog", "kitten", "not a word"};
    for (size_t w = 0; w < 4; w++) {
        float v[LEXICON_DIM] = {0};
        v[w] = 1;
        assert_int_equal(lexicon_builder_add(b, words[w], v, &err), OK);
    }
    assert_int_equal(lexicon_builder_add_phrase(b, "black cat", &err), OK);
    assert_int_equal(lexicon_builder_add_phrase(b, "black cat", &err), OK);
    assert_int_equal(lexicon_builder_add_phrase(b, "cat", &err), OK);
    assert_int_equal(lexicon_builder_add_phrase(b, "black-cat cat", &err), OK);
    assert_int_equal(lexicon_builder_relate(b, "black cat", "cat", 1, &err), OK);
    assert_int_equal(lexicon_builder_relate(b, "cat", "kitten", 0.5f, &err), OK);
    assert_int_equal(lexicon_builder_relate(b, "cat", "unknown", 1, &err), OK);
    assert_int_equal(lexicon_builder_relate(b, "cat", "kitten", 0.8f, &err), OK);
    assert_int_equal(lexicon_builder_write(b, path, &err), OK);
    lexicon_builder_close(b);
}

static void test_file(void **state)
{
    char path[] = "/tmp/peel-words-XXXXXX";
    struct lexicon *l;
    struct error err;
    struct buf whole;
    size_t n;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    make(path);
    assert_int_equal(lexicon_open(path, &l, &err), OK);
    assert_int_equal(lexicon_count(l), 4);
    float scale;
    (void)lexicon_codes(l, lexicon_find(l, "black cat", 9), &scale);
    assert_true(scale <= 0); /* a phrase has no vector */
    (void)lexicon_codes(l, 0, &scale);
    assert_true(scale > 0);
    assert_true(LEXICON_NAMES(*lexicon_relations(l, lexicon_find(l, "black cat", 9), &n)));
    assert_int_equal(lexicon_find(l, "kitten", 6), 2);
    assert_int_equal(lexicon_find(l, "kitte", 5), LEXICON_NONE);
    const uint32_t *relations = lexicon_relations(l, 0, &n);
    assert_int_equal(n, 1);
    assert_false(LEXICON_NAMES(relations[0]));
    assert_int_equal(LEXICON_RELATED(relations[0]), 2);
    assert_true(fabsf(LEXICON_STRENGTH(relations[0]) - 0.8f) < 0.01f);
    (void)lexicon_relations(l, 2, &n);
    assert_int_equal(n, 0);
    lexicon_close(l);

    buf_init(&whole, 1 << 20);
    assert_int_equal(os_read_file(path, &whole, &err), OK);
    for (size_t i = 0; i < whole.len; i++) { /* any byte that is another is noticed, except those without a use */
        if ((i >= 28 && i < 32) || (i >= 40 && i < 64))
            continue;
        whole.data[i] = (__typeof__(whole.data[0]))(whole.data[i] ^ 0x11);
        assert_int_equal(os_write_file(path, whole.data, whole.len, &err), OK);
        assert_int_equal(lexicon_open(path, &l, &err), ERR_CORRUPT);
        assert_null(l);
        whole.data[i] = (__typeof__(whole.data[0]))(whole.data[i] ^ 0x11);
        i += i > 80 ? 16 : 0;
    }
    assert_int_equal(os_write_file(path, whole.data, 40, &err), OK);
    assert_int_equal(lexicon_open(path, &l, &err), ERR_CORRUPT);
    buf_free(&whole);
    unlink(path);
    assert_int_equal(lexicon_open(path, &l, &err), ERR_NOT_FOUND);
}

static void test_spelling(void **state)
{
    (void)state;
    assert_int_equal(spelling_distance("birthday", 8, "birthday", 8, 4), 0);
    assert_int_equal(spelling_distance("brithday", 8, "birthday", 8, 4), 1);
    assert_int_equal(spelling_distance("birtday", 7, "birthday", 8, 4), 2);
    assert_int_equal(spelling_distance("birthdsy", 8, "birthday", 8, 4), 1);
    assert_int_equal(spelling_distance("birthdpy", 8, "birthday", 8, 4), 2);
    assert_int_equal(spelling_distance("cat", 3, "elephant", 8, 4), 5);
    assert_int_equal(spelling_allowed(3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_file), cmocka_unit_test(test_spelling)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
