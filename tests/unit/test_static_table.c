/* Static tables: the vectors of model2vec for small tables of random numbers, and folders that do not fit. */
#include "refuses.h"

#include "base/os.h"
#include "model/encoder.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

#define GOLDEN "tests/golden/static/"

static char dir[64];

static void put(const char *name, const void *bytes, size_t len)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(os_write_file(path, bytes, len, NULL), OK);
}

static void copy(const char *from, const char *name)
{
    struct buf b;
    char path[200];
    buf_init(&b, 4 << 20);
    snprintf(path, sizeof path, "%s/%s", from, name);
    assert_int_equal(os_read_file(path, &b, NULL), OK);
    put(name, b.data, b.len);
    buf_free(&b);
}

static void take(const char *table, const char *tokenizer)
{
    char from[100];
    snprintf(from, sizeof from, GOLDEN "%s", table);
    copy(from, "config.json");
    copy(from, "model.safetensors");
    snprintf(from, sizeof from, "tests/golden/token_ids/%s", tokenizer);
    copy(from, "tokenizer.json");
}

static int setup(void **state)
{
    (void)state;
    tmp_make(dir, sizeof dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmp_remove(dir);
    return 0;
}

static void gives_the_vectors_of_model2vec(void **state)
{
    (void)state;
    static const struct {
        const char *table, *tokenizer, *precision;
        size_t dim;
        float tolerance; /* model2vec adds up float16 in float16 */
    } cases[] = {{"plain", "unigram", "fp32", 16, 1e-6f},
                 {"words", "uncased", "fp16", 12, 2e-3f},
                 {"mapped", "unigram", "int8", 20, 1e-6f}};
    json_t *golden = json_load_file(GOLDEN "golden.json", 0, NULL);
    assert_non_null(golden);
    const json_t *texts = json_object_get(golden, "texts");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct encoder *e;
        struct error err;
        take(cases[c].table, cases[c].tokenizer);
        if (encoder_open(dir, "auto", NULL, &e, &err) != OK)
            fail_msg("%s", err.message);
        assert_int_equal(encoder_dim(e), cases[c].dim);
        assert_string_equal(encoder_precision(e), cases[c].precision);
        assert_int_equal(e->class->leg, LEG_sentence);
        float v[20], worst = 0;
        for (size_t i = 0; i < json_array_size(texts); i++) {
            const char *text = json_string_value(json_array_get(texts, i));
            const json_t *want = json_array_get(json_object_get(golden, cases[c].table), i);
            if (encoder_embed_text(e, ENCODER_QUERY, text, strlen(text), v, &err) != OK)
                fail_msg("%s: %s", text, err.message);
            assert_int_equal(json_array_size(want), cases[c].dim);
            for (size_t k = 0; k < cases[c].dim; k++)
                worst = fmaxf(worst, fabsf(v[k] - (float)json_number_value(json_array_get(want, k))));
        }
        printf("%s: largest difference %.1e\n", cases[c].table, (double)worst);
        assert_true(worst < cases[c].tolerance);
        struct buf info;
        buf_init(&info, 65536);
        encoder_info(e, &info);
        json_t *told = json_loadb(buf_str(&info), info.len, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(told, "memory_bytes")), encoder_bytes(e));
        json_decref(told);
        buf_free(&info);
        encoder_close(e);
    }
    json_decref(golden);
}

static void texts_with_nothing_to_know(void **state)
{
    (void)state;
    struct encoder *e;
    struct error err;
    float v[16];
    take("plain", "unigram");
    assert_int_equal(encoder_open(dir, "auto", NULL, &e, &err), OK);
    assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, "", 0, v, &err), ERR_NOT_FOUND);
    assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, " ", 1, v, &err), ERR_NOT_FOUND);
    assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, "\xff", 1, v, &err), ERR_INVALID);
    assert_int_equal(encoder_embed_images(e, NULL, 0, v, &err), ERR_UNSUPPORTED);
    size_t n = 100001;
    char *many = malloc(n);
    assert_non_null(many);
    for (size_t i = 0; i < n; i++)
        many[i] = i % 2 ? '\xc3' : '\xbc'; /* the cut falls into a letter */
    many[0] = 'a';
    assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, many, n, v, &err), OK);
    free(many);
    encoder_close(e);
    take("words", "uncased");
    assert_int_equal(encoder_open(dir, "auto", NULL, &e, &err), OK);
    assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, "\xf0\x9f\xab\xa8 \xe9\xbe\x98", 8, v, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "no word that the model knows")); /* unknown signs alone */
    encoder_close(e);
}

/* A model.safetensors of one header and `n` bytes of `fill`. */
static void put_tensors(const char *header, size_t n, int fill)
{
    size_t h = strlen(header);
    unsigned char *f = malloc(8 + h + n);
    assert_non_null(f);
    for (unsigned i = 0; i < 8; i++)
        f[i] = (unsigned char)((uint64_t)h >> (8 * i));
    memcpy(f + 8, header, h);
    memset(f + 8 + h, fill, n);
    put("model.safetensors", f, 8 + h + n);
    free(f);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t bytes;
        int fill;
        const char *says;
    } cases[] = {
        {"{}", 0, 0, "model.safetensors: tensor embeddings: expected [rows, dim], found nothing"},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[0,32]}}", 32, 0,
         "expected 2 dimensions, found 1"},
        {"{\"embeddings\":{\"dtype\":\"F32\",\"shape\":[1,5000],\"data_offsets\":[0,20000]}}", 20000, 0,
         "1 to 4096 numbers, found 1 of 5000"},
        {"{\"embeddings\":{\"dtype\":\"I32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}", 8, 0,
         "expected F32, F16, BF16, F64 or I8, found another type"},
        {"{\"embeddings\":{\"dtype\":\"I8\",\"shape\":[4,2],\"data_offsets\":[0,8]}}", 8, 0,
         "the tokenizer has 847 tokens, tensor embeddings is for 4"},
        {"{\"embeddings\":{\"dtype\":\"I8\",\"shape\":[4,2],\"data_offsets\":[0,8]},"
         "\"mapping\":{\"dtype\":\"I64\",\"shape\":[847],\"data_offsets\":[8,6784]}}",
         6784, 1, "tensor mapping: token 0: expected a row from 0 to 3, found"},
        {"{\"embeddings\":{\"dtype\":\"I8\",\"shape\":[4,2],\"data_offsets\":[0,8]},"
         "\"mapping\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
         12, 0, "tensor mapping: expected I64 or I32, found another type"},
        {"{\"embeddings\":{\"dtype\":\"I8\",\"shape\":[847,2],\"data_offsets\":[0,1694]},"
         "\"weights\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1694,1702]}}",
         1702, 0, "tensor weights: expected [847], found [2]"},
        {"{\"embeddings\":{\"dtype\":\"I8\",\"shape\":[847,2],\"data_offsets\":[0,1694]},"
         "\"weights\":{\"dtype\":\"F32\",\"shape\":[847],\"data_offsets\":[1694,5082]}}",
         5082, 0xff, "tensor weights: token 0: expected a number, found"},
        {"{\"embeddings\":{\"dtype\":\"F16\",\"shape\":[847,2],\"data_offsets\":[0,3388]}}", 3000, 0, "data_offsets"},
    };
    take("plain", "unigram");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_tensors(cases[i].header, cases[i].bytes, cases[i].fill);
        expect_refused(dir, cases[i].says);
    }

    struct encoder *e;
    struct error err;
    float v[2];
    put_tensors("{\"embeddings\":{\"dtype\":\"F16\",\"shape\":[847,2],\"data_offsets\":[0,3388]}}", 3388,
                0xff); /* NaN */
    assert_int_equal(encoder_open(dir, "auto", NULL, &e, &err), OK);
    assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, "cat", 3, v, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, "model.safetensors: tensor embeddings"));
    encoder_close(e);

    take("plain", "unigram");
    static const char long_texts[] = "{\"model_type\":\"model2vec\",\"max_length\":0}";
    put("config.json", long_texts, sizeof long_texts - 1);
    expect_refused(dir, "config.json: max_length: expected 1 to");
    static const char wary[] = "{\"model_type\":\"model2vec\",\"peel\":{\"hybrid_weight\":0.25,\"language\":\"en\"}}";
    put("config.json", wary, sizeof wary - 1);
    assert_int_equal(encoder_open(dir, "auto", NULL, &e, &err), OK);
    assert_true(fabs(encoder_trust(e, true) - 0.25) < 1e-9 && encoder_trust(e, false) <= 0);
    encoder_close(e);
    char path[128];
    snprintf(path, sizeof path, "%s/tokenizer.json", dir);
    assert_int_equal(remove(path), 0);
    expect_refused(dir, "expected tokenizer.json");
    static const char other[] = "{\"model_type\":\"gpt2\"}";
    put("config.json", other, sizeof other - 1);
    expect_refused(dir, "model_type: expected clip, model2vec, bert, xlm-roberta, distilbert, found gpt2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_vectors_of_model2vec),
        cmocka_unit_test(texts_with_nothing_to_know),
        cmocka_unit_test(refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
