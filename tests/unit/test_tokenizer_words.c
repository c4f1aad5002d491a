/* WordPiece and Unigram: against Hugging Face's ids (tests/golden/make_tokenizers.py), and hostile files and texts. */
#include "cm.h"

#include "base/buf.h"
#include "base/os.h"
#include "base/utf8.h"
#include "tokenize/charsmap.h"
#include "tokenize/pieces.h"
#include "tokenize/tokenizer.h"
#include "tokenize/unicode.h"

#include <jansson.h>
#include <string.h>

#define GOLDEN "tests/golden/token_ids/"

static struct tokenizer *open_golden(const char *name)
{
    char path[256];
    struct tokenizer *t;
    struct error err;
    snprintf(path, sizeof path, GOLDEN "%s", name);
    if (tokenizer_open(path, &t, &err) != OK)
        fail_msg("%s", err.message);
    return t;
}

static void read_golden(const char *path, struct buf *out)
{
    struct error err;
    buf_init(out, 4 << 20);
    if (os_read_file(path, out, &err) != OK)
        fail_msg("%s", err.message);
}

/* The ids of a text as in ids.txt. */
static void ids_as_text(const struct tokenizer *t, const char *s, size_t len, struct buf *out)
{
    static int32_t ids[4096];
    struct error err;
    size_t n;
    assert_int_equal(tokenizer_encode(t, s, len, 4096, ids, &n, &err), OK);
    buf_reset(out);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%d", i ? " " : "", (int)ids[i]);
}

static void agree(const char *name)
{
    char path[256];
    struct buf lines, found;
    json_error_t je;
    size_t i;
    const json_t *text;
    struct tokenizer *t = open_golden(name);
    json_t *texts = json_load_file(GOLDEN "texts.json", 0, &je);
    snprintf(path, sizeof path, GOLDEN "%s/ids.txt", name);
    read_golden(path, &lines);
    buf_init(&found, 1 << 20);
    assert_true(json_array_size(texts) > 2000);
    const char *line = buf_str(&lines);
    json_array_foreach(texts, i, text)
    {
        size_t len = strcspn(line, "\n");
        ids_as_text(t, json_string_value(text), json_string_length(text), &found);
        if (found.len != len || memcmp(buf_str(&found), line, len) != 0)
            fail_msg("%s: text %zu, \"%.60s\": %.100s, expected %.*s", name, i, json_string_value(text),
                     buf_str(&found), (int)(len < 100 ? len : 100), line);
        line += len + 1;
    }
    assert_true(line == lines.data + lines.len);
    json_decref(texts);
    buf_free(&lines);
    buf_free(&found);
    tokenizer_close(t);
}

static void other_pipelines_agree(void **state)
{
    (void)state;
    json_error_t je;
    struct buf found;
    size_t i, k;
    const json_t *pipeline, *want;
    json_t *texts = json_load_file(GOLDEN "texts.json", 0, &je);
    json_t *all = json_load_file(GOLDEN "pipelines.json", 0, &je);
    json_t *root = json_load_file(GOLDEN "unigram/tokenizer.json", 0, &je);
    assert_true(texts && root && json_array_size(all) >= 10);
    buf_init(&found, 1 << 20);
    json_array_foreach(all, i, pipeline)
    {
        struct tokenizer *t;
        struct error err;
        json_object_set(root, "normalizer", json_object_get(pipeline, "normalizer"));
        json_object_set(root, "pre_tokenizer", json_object_get(pipeline, "pre_tokenizer"));
        char *file = json_dumps(root, 0);
        if (tokenizer_parse_json(file, strlen(file), &t, &err) != OK)
            fail_msg("pipeline %zu: %s", i, err.message);
        free(file);
        assert_true(json_array_size(json_object_get(pipeline, "ids")) > 200);
        json_array_foreach(json_object_get(pipeline, "ids"), k, want)
        {
            const json_t *text = json_array_get(texts, 10 * k);
            ids_as_text(t, json_string_value(text), json_string_length(text), &found);
            if (strcmp(buf_str(&found), json_string_value(want)) != 0)
                fail_msg("pipeline %zu, text %zu, \"%.60s\": %.100s, expected %.100s", i, 10 * k,
                         json_string_value(text), buf_str(&found), json_string_value(want));
        }
        tokenizer_close(t);
    }
    buf_free(&found);
    json_decref(texts);
    json_decref(all);
    json_decref(root);
}

static void uncased_wordpiece_agrees(void **state)
{
    (void)state;
    agree("uncased");
}

static void cased_wordpiece_agrees(void **state)
{
    (void)state;
    agree("cased");
}

static void unigram_agrees(void **state)
{
    (void)state;
    agree("unigram");
}

static void sentencepiece_agrees(void **state)
{
    (void)state;
    agree("xlmr");
}

static void the_files_say_what_an_encoder_needs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum tokenizer_kind kind;
        int32_t pad_id, unk_id, start, end;
        size_t max_tokens;
    } want[] = {
        {"uncased", TOKENIZER_WORDPIECE, 0, 1, 2, 3, 0},
        {"cased", TOKENIZER_WORDPIECE, 0, 1, 2, 3, 64},
        {"unigram", TOKENIZER_UNIGRAM, 1, 3, 0, 2, 48},
        {"xlmr", TOKENIZER_UNIGRAM, 1, 3, 0, 2, 0},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct tokenizer *t = open_golden(want[i].name);
        const struct tokenizer_info *info = tokenizer_info(t);
        struct error err;
        int32_t ids[3] = {-7, -7, -7};
        size_t n;
        assert_int_equal(info->kind, want[i].kind);
        assert_int_equal(info->pad_id, want[i].pad_id);
        assert_int_equal(info->unk_id, want[i].unk_id);
        assert_int_equal(info->max_tokens, want[i].max_tokens);
        assert_int_equal(info->n_start, 1);
        assert_int_equal(info->n_end, 1);
        assert_int_equal(info->vocab_size, tokenizer_vocab_size(t));
        assert_int_equal(tokenizer_encode(t, "a cat and a dog", 15, 2, ids, &n, &err), OK);
        assert_int_equal(n, 2);
        assert_int_equal(ids[0], want[i].start);
        assert_int_equal(ids[1], want[i].end);
        assert_int_equal(ids[2], -7);
        assert_int_equal(tokenizer_encode(t, "a", 1, 1, ids, &n, &err), ERR_INVALID);
        tokenizer_close(t);
    }
}

static void truncation_keeps_the_end_token(void **state)
{
    (void)state;
    static const char *const names[] = {"uncased", "unigram"};
    for (size_t i = 0; i < 2; i++) {
        struct tokenizer *t = open_golden(names[i]);
        struct error err;
        int32_t all[64], cut[64];
        size_t n, m;
        const char *text = "the cat sleeps in the sun, isn't it?";
        assert_int_equal(tokenizer_encode(t, text, strlen(text), 64, all, &n, &err), OK);
        assert_true(n > 6);
        for (size_t max = 2; max < n; max++) {
            assert_int_equal(tokenizer_encode(t, text, strlen(text), max, cut, &m, &err), OK);
            assert_int_equal(m, max);
            assert_memory_equal(cut, all, (max - 1) * sizeof *cut);
            assert_int_equal(cut[max - 1], all[n - 1]);
        }
        tokenizer_close(t);
    }
}

static void typed_control_tokens_are_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"[SEP]",  "x [CLS] y", "<s>",    "</s>",
                                        "a</s>b", "<pad>",     "<mask>", "[MASK][PAD]"};
    static const char *const names[] = {"uncased", "cased", "unigram", "xlmr"};
    for (size_t i = 0; i < 4; i++) {
        struct tokenizer *t = open_golden(names[i]);
        struct error err;
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            int32_t ids[64];
            size_t n;
            assert_int_equal(tokenizer_encode(t, texts[k], strlen(texts[k]), 64, ids, &n, &err), OK);
            assert_true(n > 2);
            int32_t controls = tokenizer_info(t)->kind == TOKENIZER_WORDPIECE ? 5 : 4; /* and the last of all */
            for (size_t j = 1; j + 1 < n; j++)
                if ((ids[j] < controls || (controls == 4 && (size_t)ids[j] + 1 == tokenizer_vocab_size(t))) &&
                    ids[j] != tokenizer_info(t)->unk_id)
                    fail_msg("%s: \"%s\": token %zu is the control token %d", names[i], texts[k], j, (int)ids[j]);
        }
        tokenizer_close(t);
    }
}

static void hostile_texts_take_no_time(void **state)
{
    (void)state;
    static const char *const units[] = {"a",
                                        "\xcc\x81\xcc\xa3",
                                        "\xef\xb7\xba",
                                        "x ",
                                        UNICODE_META_S,
                                        "\xc3\xa9",
                                        "\xf0\x9d\x85\x9e",
                                        "\xe4\xb8\xad",
                                        "ab",
                                        "-",
                                        "\xe2\x80\x8d",
                                        "\xe0\xb8\xb3"};
    static const char *const names[] = {"uncased", "cased", "unigram", "xlmr"};
    static char text[TOKENIZER_MAX_BYTES + 1];
    for (size_t i = 0; i < 4; i++) {
        struct tokenizer *t = open_golden(names[i]);
        struct error err;
        static int32_t ids[512];
        size_t n;
        int64_t start = os_monotonic_us();
        for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
            size_t unit = strlen(units[k]), len = 0;
            for (; len + unit <= TOKENIZER_MAX_BYTES; len += unit)
                memcpy(text + len, units[k], unit);
            assert_int_equal(tokenizer_encode(t, text, len, 512, ids, &n, &err), OK);
            assert_true(n >= 2 && n <= 512);
        }
        assert_true(os_monotonic_us() - start < 20 * 1000 * 1000);
        assert_int_equal(tokenizer_encode(t, text, sizeof text, 512, ids, &n, &err), ERR_TOO_LARGE);
        assert_int_equal(tokenizer_encode(t, "\xed\xa0\x80", 3, 512, ids, &n, &err), ERR_INVALID);
        assert_int_equal(tokenizer_encode(t, "a\0b", 3, 512, ids, &n, &err), OK);
        tokenizer_close(t);
    }
}

#define WORDPIECE "\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0,\"a\":1,\"##b\":2},\"unk_token\":\"[UNK]\"}"
#define UNIGRAM   "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1]]}"

static void broken_files_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
        enum status status;
    } bad[] = {
        {"{\"model\":{\"type\":\"WordLevel\"}}", "found \"WordLevel\"", ERR_UNSUPPORTED},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]}}", "CLIP's is supported", ERR_UNSUPPORTED},
        {"{\"model\":{\"type\":\"WordPiece\"}}", "model.vocab: expected an object", ERR_INVALID},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "lacks the unk_token \"[UNK]\"", ERR_INVALID},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":-1}}}", "id of \"[UNK]\"", ERR_INVALID},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":1e300}}}", "id of \"[UNK]\"", ERR_INVALID},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"[UNK]\":0},\"max_input_chars_per_word\":0}}",
         "max_input_chars_per_word: expected 1 to 8192, found 0", ERR_INVALID},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\\u0000b\":0}}}", "\\u0000", ERR_INVALID},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", "model.vocab: expected an array of", ERR_INVALID},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]]}}", "model.unk_id: expected 0 to 0", ERR_INVALID},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]],\"unk_id\":1}}", "unk_id: expected 0 to 0, found 1",
         ERR_INVALID},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]],\"unk_id\":0}}", "model.vocab[0]", ERR_INVALID},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"NaN\"]],\"unk_id\":0}}", "model.vocab[0]", ERR_INVALID},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e999]],\"unk_id\":0}}", "line 1", ERR_INVALID},
        {"{\"normalizer\":{\"type\":\"ByteLevel\"}," UNIGRAM "}", "found \"ByteLevel\"", ERR_UNSUPPORTED},
        {"{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":3}," UNIGRAM "}", "expected an array, found a number",
         ERR_INVALID},
        {"{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x+\"},\"content\":\"\"}," UNIGRAM "}",
         "found \"x+\"", ERR_UNSUPPORTED},
        {"{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"\"}," UNIGRAM "}",
         "normalizer.pattern", ERR_INVALID},
        {"{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":1}," WORDPIECE "}",
         "normalizer.lowercase: expected true or false, found a number", ERR_INVALID},
        {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA\"}," UNIGRAM "}", "expected base64",
         ERR_INVALID},
        {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AA*A\"}," UNIGRAM "}", "byte 0x2a",
         ERR_INVALID},
        {"{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"\"}," UNIGRAM "}", "4 bytes of length",
         ERR_INVALID},
        {"{\"pre_tokenizer\":{\"type\":\"Whitespace\"}," WORDPIECE "}", "found \"Whitespace\"", ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}," UNIGRAM "}", "expected one character",
         ERR_INVALID},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"odd\"}," UNIGRAM "}",
         "expected one of always, first, never, found \"odd\"", ERR_UNSUPPORTED},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"prepend_scheme\":\"first\",\"add_prefix_space\":false}," UNIGRAM
         "}",
         "add_prefix_space: false", ERR_INVALID},
        {"{\"post_processor\":{\"type\":\"ByteLevel\"}," WORDPIECE "}", "found \"ByteLevel\"", ERR_UNSUPPORTED},
        {"{\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",9],\"sep\":[\"a\",1]}," WORDPIECE "}",
         "whole number below 3", ERR_INVALID},
        {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]}"
         "," WORDPIECE "}",
         "post_processor.single[0]", ERR_INVALID},
        {"{\"added_tokens\":[{\"id\":1,\"content\":\"a\",\"special\":false}]," WORDPIECE "}", "only special tokens",
         ERR_UNSUPPORTED},
        {"{\"added_tokens\":[{\"id\":-1,\"content\":\"a\",\"special\":true}]," WORDPIECE "}", "added_tokens[0]",
         ERR_INVALID},
    };
    struct error err;
    struct tokenizer *t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum status st = tokenizer_parse_json(bad[i].json, strlen(bad[i].json), &t, &err);
        if (st != bad[i].status || t || !strstr(err.message, bad[i].message) || !strstr(err.message, "tokenizer.json"))
            fail_msg("case %zu: %s: \"%s\" lacks \"%s\"", i, status_name(st), err.message, bad[i].message);
    }
    static const char *const good[] = {"{" WORDPIECE "}", "{" UNIGRAM "}"};
    for (size_t i = 0; i < 2; i++) {
        int32_t ids[8];
        size_t n;
        assert_int_equal(tokenizer_parse_json(good[i], strlen(good[i]), &t, &err), OK);
        assert_int_equal(tokenizer_encode(t, "a", 1, 8, ids, &n, &err), OK);
        assert_int_equal(n, 1); /* no post-processor: no start and end */
        assert_int_equal(ids[0], 1);
        assert_int_equal(tokenizer_encode(t, "", 0, 0, ids, &n, &err), OK);
        assert_int_equal(n, 0);
        tokenizer_close(t);
    }
    assert_int_equal(tokenizer_parse_wordpiece("[UNK]\n[CLS]\n", 12, NULL, 0, &t, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "vocab.txt lacks the token \"[SEP]\""));
    assert_int_equal(tokenizer_parse_wordpiece("\xff\n", 2, NULL, 0, &t, &err), ERR_INVALID);
    const char vocab[] = "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\nA\n";
    const char config[] = "{\"do_lower_case\":false,\"model_max_length\":1000000000000000019884624838656}";
    assert_int_equal(tokenizer_parse_wordpiece(vocab, strlen(vocab), config, strlen(config), &t, &err), OK);
    assert_int_equal(tokenizer_info(t)->max_tokens, 0); /* what transformers writes for none */
    tokenizer_close(t);
    assert_int_equal(tokenizer_parse_wordpiece("a\n", 2, "{", 1, &t, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "tokenizer_config.json: line 1"));
}

/* The table of a charsmap that maps "a" to "b": root, then 'a' at 0x61 ^ 0, whose value is at 0x61 ^ 0x100. */
static void make_charsmap(uint32_t units[513])
{
    memset(units, 0, 513 * sizeof *units);
    units[0] = 512 * 4;
    units[1 + 0] = 0;                                  /* offset 0: children at their own byte */
    units[1 + 'a'] = 'a' | 1u << 8 | 0x100u << 10;     /* has a value, at 'a' ^ 0x100 */
    units[1 + ('a' ^ 0x100)] = UINT32_C(1) << 31 | 0u; /* the replacement at byte 0 */
}

static enum status parse_charsmap(const uint32_t units[513], struct charsmap **m, struct error *err)
{
    char bytes[513 * 4 + 2];
    memcpy(bytes, units, 513 * 4); /* little-endian machines only, as all of ours */
    memcpy(bytes + 513 * 4, "b", 2);
    return charsmap_parse(bytes, sizeof bytes, m, err);
}

static void hostile_charsmaps_are_refused(void **state)
{
    (void)state;
    uint32_t units[513];
    struct charsmap *m;
    struct error err;
    struct buf out;
    size_t origin = 1;
    make_charsmap(units);
    assert_int_equal(parse_charsmap(units, &m, &err), OK);
    buf_init(&out, 100);
    assert_int_equal(charsmap_apply(m, "xa\xcc\x81y", 5, &out, &origin, &err), OK);
    assert_string_equal(buf_str(&out), "xby"); /* the mark goes with its letter, as upstream */
    assert_int_equal(origin, 1);
    buf_free(&out);
    charsmap_free(m);
    units[1 + 'a'] |= 0x7ffu << 10;
    assert_int_equal(parse_charsmap(units, &m, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "in a table of 512 units"));
    make_charsmap(units);
    units[1 + ('a' ^ 0x100)] = UINT32_C(1) << 31 | 77u;
    assert_int_equal(parse_charsmap(units, &m, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "byte 77 of 2"));
    make_charsmap(units);
    units[1 + 'a'] = 'a' | (uint32_t)'a' << 10; /* back to base 0 */
    assert_int_equal(parse_charsmap(units, &m, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "leads back to itself"));
    make_charsmap(units);
    units[0] = 513 * 4;
    assert_int_equal(parse_charsmap(units, &m, &err), ERR_INVALID);
    units[0] = 0;
    assert_int_equal(parse_charsmap(units, &m, &err), ERR_INVALID);
    assert_int_equal(charsmap_parse("\1\0", 2, &m, &err), ERR_INVALID);
}

/* A sentencepiece.bpe.model, a piece with its type (0: absent) at a time. */
static void put_piece(struct buf *out, const char *s, const char score[4], int type)
{
    size_t len = strlen(s);
    buf_putc(out, 0x0a);
    buf_putc(out, (char)(2 + len + 5 + (type ? 2 : 0)));
    buf_putc(out, 0x0a);
    buf_putc(out, (char)len);
    buf_append(out, s, len);
    buf_putc(out, 0x15);
    buf_append(out, score, 4);
    if (type) {
        buf_putc(out, 0x18);
        buf_putc(out, (char)type);
    }
}

static void broken_models_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *first, *piece, *score;
        int type;
        const char *tail, *message;
    } bad[] = {
        {"<s>", "a", "\0\0\0\0", 0, "", "pieces[0]: expected \"<unk>\""},
        {"<unk>", "a", "\0\0\xc0\x7f", 0, "", "score: expected a finite number"},
        {"<unk>", "a", "\0\0\x80\xff", 0, "", "score: expected a finite number"},
        {"<unk>", "a", "\0\0\0\0", 4, "", "expected 1 (normal) or 5, found 4"},
        {"<unk>", "\xff", "\0\0\0\0", 1, "", "pieces[3]: expected UTF-8"},
        {"<unk>", "a", "\0\0\0\0", 1, "\x0a", "the file is not a protobuf message"},
        {"<unk>", "a", "\0\0\0\0", 1, "\x12\x02\x18\x02", "model_type: expected 1 (unigram), found 2 (BPE)"},
        {"<unk>", "a", "\0\0\0\0", 1, "\x12\x01\x18", "trainer_spec is not a protobuf message"},
        {"<unk>", "a", "\0\0\0\0", 1, "\x12\x03\x98\x02\x01", "byte_fallback"},
        {"<unk>", "a", "\0\0\0\0", 1, "\x1a\x04\x12\x02xx", "normalizer_spec: charsmap"},
    };
    struct error err;
    struct tokenizer *t;
    struct buf model;
    int32_t ids[8];
    size_t n;
    buf_init(&model, 1000);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_reset(&model);
        put_piece(&model, bad[i].first, "\0\0\0\0", 2);
        put_piece(&model, "<s>", "\0\0\0\0", 3);
        put_piece(&model, "</s>", "\0\0\0\0", 3);
        put_piece(&model, bad[i].piece, bad[i].score, bad[i].type);
        buf_puts(&model, bad[i].tail);
        assert_int_not_equal(tokenizer_parse_sentencepiece(buf_str(&model), model.len, &t, &err), OK);
        if (!strstr(err.message, bad[i].message) || !strstr(err.message, "sentencepiece.bpe.model"))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, err.message, bad[i].message);
    }
    buf_reset(&model);
    put_piece(&model, "<unk>", "\0\0\0\0", 2);
    put_piece(&model, "<s>", "\0\0\0\0", 3);
    put_piece(&model, "</s>", "\0\0\0\0", 3);
    put_piece(&model, UNICODE_META_S "a", "\0\0\x80\xbf", 1);
    assert_int_equal(tokenizer_parse_sentencepiece(buf_str(&model), model.len, &t, &err), OK);
    assert_int_equal(tokenizer_vocab_size(t), 6);
    assert_int_equal(tokenizer_encode(t, " a ab", 5, 8, ids, &n, &err), OK);
    const int32_t want[] = {0, 4, 4, 3, 2};
    assert_int_equal(n, 5);
    assert_memory_equal(ids, want, sizeof want);
    tokenizer_close(t);
    for (size_t cut = 0; cut < model.len; cut++) /* no beginning of it is one */
        if (tokenizer_parse_sentencepiece(buf_str(&model), cut, &t, &err) == OK)
            tokenizer_close(t);
    buf_free(&model);
}

static void pieces_are_found_by_their_bytes(void **state)
{
    (void)state;
    struct error err;
    struct pieces *p;
    struct piece list[] = {{"abc", 3, 0}, {"ab", 2, 1}, {"", 0, 2}, {"ab", 2, 3}, {"b\xff", 2, 4}};
    static char big[PIECES_MAX_BYTES + 1];
    struct piece long_one = {big, sizeof big, 0};
    assert_int_equal(pieces_build(list, 5, &p, &err), OK);
    assert_int_equal(pieces_find(p, "abc", 3), 0);
    assert_int_equal(pieces_find(p, "ab", 2), 3); /* the later of two */
    assert_int_equal(pieces_find(p, "a", 1), -1);
    assert_int_equal(pieces_find(p, "", 0), -1);
    assert_int_equal(pieces_find(p, "b\xff", 2), 4);
    assert_int_equal(pieces_find(p, "abcd", 4), -1);
    pieces_free(p);
    assert_int_equal(pieces_build(NULL, 0, &p, &err), OK);
    assert_int_equal(pieces_find(p, "a", 1), -1);
    pieces_free(p);
    assert_int_equal(pieces_build(&long_one, 1, &p, &err), ERR_TOO_LARGE);
}

static void grapheme_clusters_end_where_they_should(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t first;
    } cases[] = {
        {"ab", 1},
        {"\r\n", 2},
        {"\n\r", 1},
        {"e\xcc\x81x", 3},
        {"\n\xcc\x81", 1},
        {"\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8\xe1\x84\x80", 9}, /* L V T | L */
        {"\xea\xb0\x80\xe1\x86\xa8", 6},                         /* LV T */
        {"\xea\xb0\x81\xe1\x85\xa1", 3},                         /* LVT | V */
        {"\xf0\x9f\x87\xa6\xf0\x9f\x87\xa7\xf0\x9f\x87\xa8", 8}, /* flags in pairs */
        {"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80", 11},    /* joined emoji */
        {"a\xe2\x80\x8d\xf0\x9f\x9a\x80", 4},                    /* nothing to join */
        {"\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\xb7", 9},             /* ka, virama, ssa */
        {"\xe0\xa4\x95\xe0\xa4\xb7", 3},                         /* ka, ssa */
        {"\xd8\x80\x31\x32", 3},                                 /* a prefix */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (unicode_grapheme(cases[i].s, strlen(cases[i].s)) != cases[i].first)
            fail_msg("case %zu: %zu bytes, expected %zu", i, unicode_grapheme(cases[i].s, strlen(cases[i].s)),
                     cases[i].first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncased_wordpiece_agrees),
        cmocka_unit_test(cased_wordpiece_agrees),
        cmocka_unit_test(unigram_agrees),
        cmocka_unit_test(sentencepiece_agrees),
        cmocka_unit_test(other_pipelines_agree),
        cmocka_unit_test(the_files_say_what_an_encoder_needs),
        cmocka_unit_test(truncation_keeps_the_end_token),
        cmocka_unit_test(typed_control_tokens_are_text),
        cmocka_unit_test(hostile_texts_take_no_time),
        cmocka_unit_test(broken_files_are_named),
        cmocka_unit_test(hostile_charsmaps_are_refused),
        cmocka_unit_test(broken_models_are_named),
        cmocka_unit_test(pieces_are_found_by_their_bytes),
        cmocka_unit_test(grapheme_clusters_end_where_they_should),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
