#include "cm.h"

#include "base/buf.h"
#include "base/os.h"
#include "base/utf8.h"
#include "tokenize/tokenizer.h"

#include <jansson.h>
#include <string.h>

#define SHARED "../shared/clip-tokenizer/"

/* GPT-2's byte alphabet in order of ids, as CLIP's vocabulary lists it. */
static void byte_letters(char out[256][4])
{
    static const int ranges[][2] = {{'!', '~'}, {0xa1, 0xac}, {0xae, 0xff}};
    int used[256] = {0};
    size_t n = 0;
    memset(out, 0, 256 * 4);
    for (size_t r = 0; r < 3; r++)
        for (int b = ranges[r][0]; b <= ranges[r][1]; b++) {
            used[b] = 1;
            utf8_encode((uint32_t)b, out[n++]);
        }
    for (uint32_t b = 0, next = 256; b < 256; b++)
        if (!used[b])
            utf8_encode(next++, out[n++]);
    assert_int_equal(n, 256);
}

/* vocab.json as an object: bytes, bytes</w>, merges' results, control tokens. `merges`: "a b\n..." */
static json_t *make_vocab(const char *merges)
{
    char letters[256][4], text[1024];
    byte_letters(letters);
    json_t *vocab = json_object();
    json_int_t id = 0;
    for (int end = 0; end < 2; end++)
        for (int i = 0; i < 256; i++) {
            snprintf(text, sizeof text, "%.4s%s", letters[i], end ? "</w>" : "");
            json_object_set_new(vocab, text, json_integer(id++));
        }
    while (*merges) {
        size_t len = strcspn(merges, "\n");
        char *space = NULL;
        snprintf(text, sizeof text, "%.*s", (int)len, merges);
        if ((space = strchr(text, ' ')) && strncmp(text, "#version", 8) != 0) {
            memmove(space, space + 1, strlen(space));
            json_object_set_new(vocab, text, json_integer(id++));
        }
        merges += len + (merges[len] != '\0');
    }
    json_object_set_new(vocab, "<|startoftext|>", json_integer(id++));
    json_object_set_new(vocab, "<|endoftext|>", json_integer(id));
    return vocab;
}

static struct tokenizer *open_small(const char *merges)
{
    struct tokenizer *t;
    struct error err;
    json_t *vocab = make_vocab(merges);
    char *json = json_dumps(vocab, 0);
    assert_int_equal(tokenizer_parse_vocab(json, strlen(json), merges, strlen(merges), &t, &err), OK);
    free(json);
    json_decref(vocab);
    return t;
}

static void merges_go_by_rank(void **state)
{
    (void)state;
    struct tokenizer *t = open_small("#version: 0.2\na t</w>\nc a\nc at</w>\n");
    struct error err;
    int32_t ids[8];
    size_t n;
    assert_int_equal(tokenizer_vocab_size(t), 517);
    assert_int_equal(tokenizer_encode(t, "  CAT\n", 6, 8, ids, &n, &err), OK);
    const int32_t cat[] = {515, 514, 516};
    assert_int_equal(n, 3);
    assert_memory_equal(ids, cat, sizeof cat);
    assert_int_equal(tokenizer_encode(t, "cab", 3, 8, ids, &n, &err), OK);
    assert_int_equal(n, 4); /* start, "ca", "b</w>", end */
    assert_int_equal(ids[1], 513);
    tokenizer_close(t);
}

static void truncation_keeps_the_end(void **state)
{
    (void)state;
    struct tokenizer *t = open_small("");
    struct error err;
    int32_t ids[9] = {[5] = -7};
    size_t n;
    assert_int_equal(tokenizer_encode(t, "abcdefghijkl", 12, 5, ids, &n, &err), OK);
    assert_int_equal(n, 5);
    assert_int_equal(ids[0], 512);
    assert_int_equal(ids[4], 513);
    assert_int_equal(ids[5], -7);
    assert_int_equal(tokenizer_encode(t, "<|endoftext|>", 13, 9, ids, &n, &err), OK);
    for (size_t i = 1; i + 1 < n; i++)
        assert_true(ids[i] < 512); /* plain text */
    tokenizer_close(t);
}

static void hostile_text_is_refused(void **state)
{
    (void)state;
    struct tokenizer *t = open_small("a a\naa aa\n");
    struct error err;
    static char big[TOKENIZER_MAX_BYTES + 1];
    int32_t ids[77];
    size_t n;
    memset(big, 'a', sizeof big);
    assert_int_equal(tokenizer_encode(t, big, sizeof big, 77, ids, &n, &err), ERR_TOO_LARGE);
    assert_int_equal(tokenizer_encode(t, big, sizeof big - 1, 77, ids, &n, &err), OK);
    assert_int_equal(n, 77);
    assert_int_equal(tokenizer_encode(t, "\xff", 1, 77, ids, &n, &err), ERR_INVALID);
    assert_int_equal(tokenizer_encode(t, "a\0b", 3, 77, ids, &n, &err), OK);
    tokenizer_close(t);
}

static void broken_files_are_named(void **state)
{
    (void)state;
    struct error err;
    struct tokenizer *t;
    static const struct {
        const char *json, *message;
    } bad[] = {
        {"", "tokenizer.json: line"},
        {"{\"model\":{}}", "model.vocab and model.merges"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}", "end_of_word_suffix"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[],\"end_of_word_suffix\":\"</w>\"}}", "lacks the token \"Ā\""},
        {"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[],\"end_of_word_suffix\":\"</w>\"}}", "id of \"a\""},
        {"{\"model\":{\"vocab\":{\"a\":1e9},\"merges\":[],\"end_of_word_suffix\":\"</w>\"}}", "id of \"a\""},
        {"{\"model\":{\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", "duplicate"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_not_equal(tokenizer_parse_json(bad[i].json, strlen(bad[i].json), &t, &err), OK);
        if (!strstr(err.message, bad[i].message))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.message, bad[i].message);
    }
    json_t *vocab = make_vocab("");
    char *json = json_dumps(vocab, 0);
    static const char *const merges[] = {"a", "a zz", "a b"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(tokenizer_parse_vocab(json, strlen(json), merges[i], strlen(merges[i]), &t, &err),
                         ERR_INVALID);
    free(json);
    json_decref(vocab);
    assert_int_equal(tokenizer_open("/nowhere", &t, &err), ERR_NOT_FOUND);
}

/* CLIP's own vocabulary, laid out in both of Hugging Face's ways. */
static void agrees_with_clip(void **state)
{
    (void)state;
    if (access(SHARED "cases.json", R_OK) != 0) {
        print_message("skipped: %s is absent\n", SHARED);
        skip();
    }
    struct buf merges, text;
    struct error err;
    FILE *f = popen("gzip -dc " SHARED "bpe_simple_vocab_16e6.txt.gz", "r");
    char line[1024];
    buf_init(&merges, 4 << 20);
    buf_init(&text, 1 << 20);
    for (int i = 0; fgets(line, sizeof line, f); i++)
        if (i >= 1 && i < 49152 - 256 - 2 + 1)
            buf_puts(&merges, line);
    pclose(f);
    json_t *vocab = make_vocab(buf_str(&merges)), *list = json_array();
    assert_int_equal(json_object_size(vocab), 49408);
    for (char *p = merges.data; *p; p = strchr(p, '\n') + 1)
        json_array_append_new(list, json_stringn(p, strcspn(p, "\n")));
    char *vocab_json = json_dumps(vocab, 0);
    json_t *root =
        json_pack("{s:{s:O,s:o,s:s}}", "model", "vocab", vocab, "merges", list, "end_of_word_suffix", "</w>");
    char *tokenizer_json = json_dumps(root, 0);
    struct tokenizer *t[2];
    assert_int_equal(tokenizer_parse_vocab(vocab_json, strlen(vocab_json), buf_str(&merges), merges.len, &t[0], &err),
                     OK);
    assert_int_equal(tokenizer_parse_json(tokenizer_json, strlen(tokenizer_json), &t[1], &err), OK);
    assert_int_equal(os_read_file(SHARED "cases.json", &text, &err), OK);
    json_t *cases = json_loads(buf_str(&text), 0, NULL), *one;
    size_t i;
    assert_true(json_array_size(cases) > 20);
    json_array_foreach(cases, i, one)
    {
        const char *s = json_string_value(json_object_get(one, "text"));
        const json_t *want = json_object_get(one, "ids");
        for (int k = 0; k < 2; k++) {
            int32_t ids[77];
            size_t n;
            assert_int_equal(tokenizer_encode(t[k], s, strlen(s), 77, ids, &n, &err), OK);
            bool same = n == json_array_size(want);
            for (size_t j = 0; same && j < n; j++)
                same = ids[j] == json_integer_value(json_array_get(want, j));
            if (!same)
                fail_msg("case %zu, \"%s\": other ids", i, s);
        }
    }
    json_decref(cases);
    json_decref(root);
    json_decref(vocab);
    free(vocab_json);
    free(tokenizer_json);
    buf_free(&merges);
    buf_free(&text);
    tokenizer_close(t[0]);
    tokenizer_close(t[1]);
}

/* models/starter/golden.json has phrases as train/tokenizer.py splits them. */
static void the_starters_words_are_split_as_in_training(void **state)
{
    (void)state;
    json_error_t jerr;
    struct tokenizer *t;
    struct error err;
    size_t i;
    const json_t *entry;
    json_t *golden = json_load_file("models/starter/golden.json", 0, &jerr);
    assert_non_null(golden);
    assert_int_equal(tokenizer_open("models/starter", &t, &err), OK);
    assert_true(json_array_size(json_object_get(golden, "phrases")) > 10);
    json_array_foreach(json_object_get(golden, "phrases"), i, entry)
    {
        const char *text = json_string_value(json_object_get(entry, "text"));
        const json_t *want = json_object_get(entry, "ids");
        int32_t ids[32];
        size_t n;
        assert_int_equal(tokenizer_encode(t, text, strlen(text), 32, ids, &n, &err), OK);
        if (n != json_array_size(want))
            fail_msg("\"%s\": %zu tokens, expected %zu", text, n, json_array_size(want));
        for (size_t k = 0; k < n; k++)
            if (ids[k] != json_integer_value(json_array_get(want, k)))
                fail_msg("\"%s\": token %zu is %d, expected %d", text, k, ids[k],
                         (int)json_integer_value(json_array_get(want, k)));
    }
    tokenizer_close(t);
    json_decref(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_go_by_rank),       cmocka_unit_test(truncation_keeps_the_end),
        cmocka_unit_test(hostile_text_is_refused), cmocka_unit_test(broken_files_are_named),
        cmocka_unit_test(agrees_with_clip),        cmocka_unit_test(the_starters_words_are_split_as_in_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
