/* BERT's family: every layer beside transformers, whole folders, and those that do not fit. */
#include "refuses.h"

#include "base/os.h"
#include "model/bert_internal.h"
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#define GOLDEN    "tests/golden/bert/"
#define MAX_IDS   40
#define MAX_DIM   32
#define MAX_STATE (4 * MAX_IDS * MAX_DIM)

static const struct model {
    const char *name, *tokenizer;
    size_t dim;
} models[] = {{"bert", "uncased", 20}, {"xlm-roberta", "unigram", 32}, {"distilbert", "unigram", 16}};
#define N_MODELS (sizeof models / sizeof *models)

static char root[64], dir[100];
static json_t *golden;

/* --- folders --- */

static void put(const char *name, const void *bytes, size_t len)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(os_write_file(path, bytes, len, NULL), OK);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static bool copy(const char *from, const char *name)
{
    struct buf b;
    char path[200];
    buf_init(&b, 4 << 20);
    snprintf(path, sizeof path, "%s/%s", from, name);
    bool there = os_read_file(path, &b, NULL) == OK;
    if (there)
        put(name, b.data, b.len);
    buf_free(&b);
    return there;
}

/* A folder with everything, called `folder`. */
static void make(const struct model *m, const char *folder)
{
    static const char *const files[] = {"config_sentence_transformers.json", "sentence_bert_config.json",
                                        "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"};
    char from[100], sub[120];
    tmp_remove(dir);
    snprintf(dir, sizeof dir, "%s/%s", root, folder);
    snprintf(sub, sizeof sub, "%s/1_Pooling", dir);
    assert_int_equal(os_mkdirs(sub, NULL), OK);
    snprintf(sub, sizeof sub, "%s/2_Dense", dir);
    assert_int_equal(os_mkdirs(sub, NULL), OK);
    snprintf(from, sizeof from, GOLDEN "%s", m->name);
    assert_true(copy(from, "config.json") && copy(from, "model.safetensors"));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        (void)copy(from, files[i]);
    snprintf(from, sizeof from, "tests/golden/token_ids/%s", m->tokenizer);
    assert_true(copy(from, "tokenizer.json"));
}

static int setup(void **state)
{
    (void)state;
    tmp_make(root, sizeof root);
    snprintf(dir, sizeof dir, "%s/none", root);
    golden = json_load_file(GOLDEN "golden.json", 0, NULL);
    assert_non_null(golden);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(golden);
    tmp_remove(root);
    return 0;
}

/* --- golden values --- */

static size_t floats_of(const json_t *list, float *out, size_t most)
{
    size_t n = json_array_size(list);
    assert_in_range(n, 1, most);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)json_number_value(json_array_get(list, i));
    return n;
}

static size_t ids_of(const json_t *list, int32_t *out)
{
    size_t n = json_array_size(list);
    assert_in_range(n, 1, MAX_IDS);
    for (size_t i = 0; i < n; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

static float difference(const float *a, const float *b, size_t n)
{
    float worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fmaxf(worst, fabsf(a[i] - b[i]));
    return worst;
}

static float cosine(const float *a, const float *b, size_t n)
{
    float dot = 0;
    for (size_t i = 0; i < n; i++)
        dot += a[i] * b[i];
    return dot;
}

/* The largest difference of what comes out of any layer for the first text, in fp32. */
static float worst_state(const struct bert *m, const json_t *of)
{
    static float want[MAX_STATE], got[MAX_STATE];
    int32_t ids[MAX_IDS];
    float out[MAX_DIM], worst = 0;
    struct error err;
    size_t n = ids_of(json_array_get(json_object_get(of, "ids"), 0), ids), plane = n * m->config.width;
    const json_t *states = json_object_get(of, "states");
    assert_int_equal(json_array_size(states), m->config.layers + 1);
    assert_true((m->config.layers + 1) * plane <= MAX_STATE);
    assert_int_equal(bert_encode_ids(m, ids, n, got, out, &err), OK);
    for (size_t i = 0; i <= m->config.layers; i++) {
        assert_int_equal(floats_of(json_array_get(states, i), want, MAX_STATE), plane);
        worst = fmaxf(worst, difference(want, got + i * plane, plane));
    }
    return worst;
}

static void agrees_at_every_layer(void **state)
{
    (void)state;
    static const float least[] = {[KERNEL_FP32] = 0.99999f, [KERNEL_BF16] = 0.999f, [KERNEL_INT8] = 0.99f};
    for (size_t k = 0; k < N_MODELS; k++) {
        const json_t *of = json_object_get(golden, models[k].name), *ids = json_object_get(of, "ids");
        make(&models[k], models[k].name);
        for (int isa = ISA_SCALAR; isa <= ISA_BEST; isa++)
            for (int p = KERNEL_FP32; p <= KERNEL_INT8; p++) {
                struct bert *m;
                struct error err;
                if (bert_weights_open(dir, (enum kernel_type)p, (enum kernel_isa)isa, NULL, NULL, &m, &err) != OK)
                    fail_msg("%s", err.message);
                assert_int_equal(m->base.dim, models[k].dim);
                float state_off = p == KERNEL_FP32 ? worst_state(m, of) : 0, vector_off = 0, least_cosine = 1;
                assert_true(state_off < 2e-5f);
                for (size_t i = 0; i < json_array_size(ids); i++) {
                    int32_t one[MAX_IDS];
                    float want[MAX_DIM], got[MAX_DIM];
                    size_t n = ids_of(json_array_get(ids, i), one);
                    floats_of(json_array_get(json_object_get(of, "vectors"), i), want, MAX_DIM);
                    assert_int_equal(bert_encode_ids(m, one, n, NULL, got, &err), OK);
                    vector_off = fmaxf(vector_off, difference(want, got, m->base.dim));
                    least_cosine = fminf(least_cosine, cosine(want, got, m->base.dim));
                }
                if (isa == ISA_BEST)
                    printf("%s %s: states %.1e, vectors %.1e, cosine %.5f\n", models[k].name, m->tower.k->name,
                           (double)state_off, (double)vector_off, (double)least_cosine);
                assert_true(least_cosine > least[p]);
                assert_true(p != KERNEL_FP32 || vector_off < 1e-5f);
                bert_close(m);
            }
    }
}

static struct encoder *open_encoder(const char *precision)
{
    struct encoder *e;
    struct error err;
    if (encoder_open(dir, precision, NULL, &e, &err) != OK)
        fail_msg("%s", err.message);
    return e;
}

static void embeds_texts(void **state)
{
    (void)state;
    const json_t *texts = json_object_get(golden, "texts");
    for (size_t k = 0; k < N_MODELS; k++) {
        const json_t *vectors = json_object_get(json_object_get(golden, models[k].name), "vectors");
        struct error err;
        float want[MAX_DIM], got[MAX_DIM], document[MAX_DIM];
        make(&models[k], models[k].name);
        struct encoder *e = open_encoder("fp32");
        assert_int_equal(encoder_dim(e), models[k].dim);
        assert_int_equal(e->class->leg, LEG_sentence);
        assert_string_equal(encoder_precision(e), "fp32");
        for (size_t i = 0; i < json_array_size(texts); i++) {
            const char *text = json_string_value(json_array_get(texts, i));
            size_t n = floats_of(json_array_get(vectors, i), want, MAX_DIM);
            assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, text, strlen(text), got, &err), OK);
            assert_true(difference(want, got, n) < 1e-5f);
            assert_int_equal(encoder_embed_text(e, ENCODER_DOCUMENT, text, strlen(text), document, &err), OK);
            bool same = difference(got, document, n) < 1e-6f;
            assert_int_equal(same, strcmp(models[k].name, "xlm-roberta") != 0); /* "query: ", "passage: " */
        }
        assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, "", 0, got, &err), OK);
        assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, "\xff", 1, got, &err), ERR_INVALID);
        char *many = malloc(100000);
        assert_non_null(many);
        memset(many, 'x', 100000);
        assert_int_equal(encoder_embed_text(e, ENCODER_DOCUMENT, many, 100000, got, &err), OK);
        free(many);
        encoder_close(e);
    }
}

/* --- several texts at once --- */

#define MANY 150

/* Of 1 to 5 words, some of them long: groups end at every number of texts, and texts reach over their ends. */
static void make_texts(char texts[MANY][80], const char *list[MANY], size_t lens[MANY])
{
    static const char *const words[] = {"a",   "cat", "in", "the", "park", "Hund", "ok", "!", "straightforwardness",
                                        "東京"};
    for (size_t i = 0; i < MANY; i++) {
        size_t at = 0;
        for (size_t k = 0; k <= i * 7 % 5; k++)
            at += (size_t)snprintf(texts[i] + at, sizeof texts[i] - at, "%s ", words[(i * 3 + k * k) % 10]);
        list[i] = texts[i];
        lens[i] = i % 17 ? strlen(texts[i]) : 0;
    }
}

static void many_are_as_one(void **state)
{
    (void)state;
    static const char *const precisions[] = {"fp32", "bf16", "int8"};
    static char texts[MANY][80];
    static float many[MANY * MAX_DIM], other[MANY * MAX_DIM];
    const char *list[MANY];
    size_t lens[MANY];
    struct error err;
    struct pool *pool;
    make_texts(texts, list, lens);
    assert_int_equal(pool_open("test", 2, 4, &pool, NULL), OK);
    for (size_t k = 0; k < N_MODELS; k++)
        for (size_t p = 0; p < 3; p++) {
            struct encoder *e;
            make(&models[k], models[k].name);
            assert_int_equal(encoder_open(dir, precisions[p], pool, &e, &err), OK);
            size_t dim = encoder_dim(e);
            if (encoder_embed_texts(e, ENCODER_DOCUMENT, list, lens, MANY, many, &err) != OK)
                fail_msg("%s", err.message);
            for (size_t i = 0; i < MANY; i++) {
                float one[MAX_DIM];
                assert_int_equal(encoder_embed_text(e, ENCODER_DOCUMENT, list[i], lens[i], one, &err), OK);
                assert_memory_equal(one, many + i * dim, dim * sizeof *one);
            }
            for (size_t first = 1; first < 9; first++) { /* other neighbours, other groups */
                assert_int_equal(
                    encoder_embed_texts(e, ENCODER_DOCUMENT, list + first, lens + first, MANY - first, other, &err),
                    OK);
                assert_memory_equal(other, many + first * dim, (MANY - first) * dim * sizeof *other);
            }
            assert_int_equal(encoder_embed_texts(e, ENCODER_DOCUMENT, list, lens, 0, other, &err), OK);
            encoder_close(e);
        }
    pool_close(pool);
}

static void many_name_the_wrong_one(void **state)
{
    (void)state;
    const char *list[MANY];
    size_t lens[MANY];
    static float out[MANY * MAX_DIM];
    struct error err;
    for (size_t i = 0; i < MANY; i++)
        list[i] = i == 77 ? "\xff" : "a cat", lens[i] = strlen(list[i]);
    make(&models[0], "bert");
    struct encoder *e = open_encoder("fp32");
    assert_int_equal(encoder_embed_texts(e, ENCODER_QUERY, list, lens, MANY, out, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "text 77: "));
    assert_int_equal(encoder_embed_texts(e, ENCODER_QUERY, list + 70, lens, 10, out, NULL), ERR_INVALID);
    encoder_close(e);
}

static void auto_says_why(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_MODELS; k++) {
        make(&models[k], models[k].name);
        struct encoder *e = open_encoder("auto");
        struct buf b;
        buf_init(&b, 65536);
        encoder_info(e, &b);
        json_t *info = json_loadb(buf_str(&b), b.len, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(info, "precision")), encoder_precision(e));
        const char *why = json_string_value(json_object_get(info, "why"));
        bool native = kernels_faster(KERNEL_INT8) || kernels_faster(KERNEL_BF16);
        assert_non_null(strstr(why, native ? "cosine to fp32" : "no faster instructions"));
        assert_int_equal(json_integer_value(json_object_get(info, "memory_bytes")), encoder_bytes(e));
        json_decref(info);
        buf_free(&b);
        encoder_close(e);
    }
}

/* Channel 3 becomes far larger than the others, and counts little in what reads it: what int8 keeps of the others
 * depends on knowing that. It does not come out of the last layer, `last`. */
static void outliers(struct buf *b, const char *last)
{
    struct safetensors *s;
    assert_int_equal(safetensors_open_memory("m", b->data, b->len, &s, NULL), OK);
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct tensor *t = safetensors_at(s, i);
        bool norm = strstr(t->name, "LayerNorm.weight"),
             reads = strstr(t->name, "query.weight") || strstr(t->name, "key.weight") ||
                     strstr(t->name, "value.weight") || strstr(t->name, "intermediate.dense.weight");
        size_t width = (size_t)t->dims[t->n_dims - 1], rows = reads ? (size_t)t->dims[0] : 1;
        for (size_t r = 0; (norm || reads) && r < rows; r++) {
            float v;
            assert_int_equal(t->type, TENSOR_F32);
            unsigned char *at =
                (unsigned char *)b->data + (t->data - (unsigned char *)b->data) + (r * width + 3) * sizeof v;
            memcpy(&v, at, sizeof v);
            v = strstr(t->name, last) ? 0 : norm ? 60 : v / 60;
            memcpy(at, &v, sizeof v);
        }
    }
    safetensors_close(s);
}

static void int8_keeps_what_outliers_hide(void **state)
{
    (void)state;
    struct buf b;
    struct error err;
    struct bert *m;
    struct encoder *e;
    char path[200];
    float want[MAX_DIM], got[MAX_DIM];
    int32_t ids[] = {0, 40, 41, 300, 7, 2};
    make(&models[1], "xlm-roberta");
    buf_init(&b, 4 << 20);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(os_read_file(path, &b, NULL), OK);
    outliers(&b, "layer.1.output.LayerNorm.weight");
    put("model.safetensors", b.data, b.len);
    buf_free(&b);

    float cosines[2];
    assert_int_equal(bert_weights_open(dir, KERNEL_FP32, ISA_BEST, NULL, NULL, &m, &err), OK);
    assert_int_equal(bert_encode_ids(m, ids, 6, NULL, want, &err), OK);
    bert_close(m);
    assert_int_equal(bert_weights_open(dir, KERNEL_INT8, ISA_BEST, NULL, NULL, &m, &err), OK);
    assert_int_equal(bert_encode_ids(m, ids, 6, NULL, got, &err), OK);
    cosines[0] = cosine(want, got, m->base.dim);
    bert_close(m);
    e = open_encoder("int8");
    assert_int_equal(bert_encode_ids((struct bert *)e, ids, 6, NULL, got, &err), OK);
    cosines[1] = cosine(want, got, encoder_dim(e));
    encoder_close(e);
    printf("int8 beside fp32: %.5f, and %.5f when the channels are known\n", (double)cosines[0], (double)cosines[1]);
    assert_true(1 - cosines[1] < (1 - cosines[0]) / 4);
}

static void prefixes_of_e5(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *prompts, *query, *document;
    } cases[] = {
        {"plain", NULL, "", ""},
        {"intfloat--multilingual-e5-small", NULL, "query: ", "passage: "},
        {"e5-base-v2", "{}", "query: ", "passage: "},
        {"multilingual-e5-large-instruct", NULL, "", ""},
        {"size5-model", NULL, "", ""},
        {"e5-small", "{\"prompts\":{\"query\":\"q \",\"document\":\"\"}}", "q ", ""},
        {"other", "{\"prompts\":{\"s\":\"say: \",\"corpus\":\"c \"},\"default_prompt_name\":\"s\"}", "say: ", "c "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bert_config c;
        struct error err;
        make(&models[0], cases[i].folder);
        if (cases[i].prompts)
            put_text("config_sentence_transformers.json", cases[i].prompts);
        assert_int_equal(bert_config_load(dir, &c, &err), OK);
        assert_string_equal(c.prefix[ENCODER_QUERY], cases[i].query);
        assert_string_equal(c.prefix[ENCODER_DOCUMENT], cases[i].document);
    }
}

/* --- what does not fit --- */

static void refuses_settings(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *says;
    } cases[] = {
        {"config.json", "{\"model_type\":\"bert\",\"hidden_size\":20,\"num_attention_heads\":3}",
         "num_attention_heads: expected a divisor of 20, found 3"},
        {"config.json", "{\"model_type\":\"bert\",\"hidden_act\":\"relu\"}", "hidden_act: expected gelu, found relu"},
        {"config.json", "{\"model_type\":\"bert\",\"position_embedding_type\":\"relative_key\"}",
         "position_embedding_type: expected absolute"},
        {"config.json", "{\"model_type\":\"bert\",\"layer_norm_eps\":2}", "layer_norm_eps must be"},
        {"config.json", "{\"model_type\":\"bert\",\"hidden_size\":99999999}", "hidden_size: expected 1 to 8192"},
        {"config.json", "{\"model_type\":\"xlm-roberta\",\"max_position_embeddings\":8,\"pad_token_id\":7}",
         "max_position_embeddings: expected 10 or more, found 8"},
        {"config.json", "{\"model_type\":\"bert\",\"peel\":{\"hybrid_weight\":2}}", "peel.hybrid_weight"},
        {"1_Pooling/config.json", "{\"pooling_mode_max_tokens\":true}", "1_Pooling/config.json: expected pooling by"},
        {"1_Pooling/config.json", "{\"pooling_mode\":[\"cls\",\"mean\"]}",
         "1_Pooling/config.json: expected pooling by"},
        {"1_Pooling/config.json", "[]", "must be a JSON object"},
        {"2_Dense/config.json", "{\"in_features\":24}", "in_features: expected 20, found 24"},
        {"2_Dense/config.json", "{\"activation_function\":\"torch.nn.ReLU\"}", "expected Tanh or Identity, found ReLU"},
        {"2_Dense/config.json", "{\"out_features\":8}", "2_Dense"},
        {"modules.json", "{}", "modules.json: must be a JSON array"},
        {"modules.json", "[{\"type\":\"a.Transformer\",\"path\":\"\"},{\"type\":\"a.WeightedLayerPooling\"}]",
         "module 1: expected Transformer, Pooling, at most one Dense, or Normalize, found WeightedLayerPooling"},
        {"modules.json", "[{\"type\":\"a.Pooling\",\"path\":\"../x\"}]", "path must be a folder's name"},
        {"config_sentence_transformers.json", "{\"prompts\":{\"query\":7}}", "prompts: expected strings"},
        {"sentence_bert_config.json", "{\"max_seq_length\":\"x\"}", "max_seq_length must be a whole number"},
        {"sentence_bert_config.json", "{\"max_seq_length\":1}", "max_seq_length: expected 4 to"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        make(&models[0], "bert");
        put_text(cases[i].file, cases[i].text);
        expect_refused(dir, cases[i].says);
    }
}

/* The same number of bytes in the place of `from`, everywhere in a file. */
static void edit(const char *name, const char *from, const char *to)
{
    struct buf b;
    char path[200];
    size_t found = 0, len = strlen(from);
    assert_int_equal(len, strlen(to));
    buf_init(&b, 4 << 20);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(os_read_file(path, &b, NULL), OK);
    for (char *p = b.data; (p = memmem(p, b.len - (size_t)(p - b.data), from, len)); found++)
        memcpy(p, to, len);
    assert_true(found > 0);
    put(name, b.data, b.len);
    buf_free(&b);
}

/* The first numbers of a tensor become NaN. */
static void spoil(const char *name)
{
    struct buf b;
    struct safetensors *s;
    char path[200];
    buf_init(&b, 4 << 20);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(os_read_file(path, &b, NULL), OK);
    assert_int_equal(safetensors_open_memory("m", b.data, b.len, &s, NULL), OK);
    const struct tensor *t = safetensors_find(s, name);
    assert_non_null(t);
    memset(b.data + (t->data - (unsigned char *)b.data), 0xff, 4);
    safetensors_close(s);
    put("model.safetensors", b.data, b.len);
    buf_free(&b);
}

static void refuses_weights(void **state)
{
    (void)state;
    struct encoder *e;
    struct error err;
    float out[MAX_DIM];
    make(&models[0], "bert");
    edit("model.safetensors", "layer.1.attention.self.key.bias", "layer.1.attention.self.kex.bias");
    expect_refused(
        dir, "bert: tensor encoder.layer.1.attention.self.key.bias: expected F32, F16 or BF16 of [20], found nothing");

    make(&models[0], "bert");
    edit("config.json", "\"intermediate_size\": 36", "\"intermediate_size\": 37");
    expect_refused(
        dir, "tensor encoder.layer.0.intermediate.dense.weight: expected F32, F16 or BF16 of [37, 20], found [36, 20]");

    make(&models[1], "xlm-roberta"); /* the tensor's whole name */
    edit("config.json", "\"vocab_size\": 847", "\"vocab_size\": 848");
    expect_refused(
        dir,
        "tensor roberta.embeddings.word_embeddings.weight: expected F32, F16 or BF16 of [848, 32], found [847, 32]");

    make(&models[0], "bert");
    assert_true(copy("tests/golden/token_ids/unigram", "tokenizer.json"));
    assert_true(copy(GOLDEN "distilbert", "config.json") && copy(GOLDEN "distilbert", "model.safetensors"));
    assert_true(copy("tests/golden/token_ids/uncased", "tokenizer.json"));
    expect_refused(dir, "the tokenizer has 4000 tokens, the model's vocab_size is 847");

    make(&models[2], "distilbert");
    edit("2_Dense/model.safetensors", "linear.bias", "linear.bies");
    expect_refused(dir, "2_Dense: tensor linear.bias: expected F32, F16 or BF16 of [16], found nothing");

    make(&models[0], "bert");
    char path[200];
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(truncate(path, 100000), 0);
    expect_refused(dir, "model.safetensors: tensor ");

    make(&models[0], "bert");
    spoil("encoder.layer.2.output.dense.weight");
    expect_refused(dir, "bert: tensor encoder.layer.2.output.dense.weight: expected finite numbers, found NaN");
    make(&models[0], "bert");
    spoil("encoder.layer.0.attention.output.LayerNorm.bias");
    expect_refused(dir, "tensor encoder.layer.0.attention.output.LayerNorm.bias: expected finite numbers, found NaN");
    make(&models[0], "bert"); /* in a table that is read by row */
    spoil("embeddings.position_embeddings.weight");
    e = open_encoder("fp32");
    assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, "cat", 3, out, &err), ERR_CORRUPT);
    assert_non_null(
        strstr(err.message, "bert: tensor embeddings.position_embeddings.weight: row 0: expected finite numbers"));
    encoder_close(e);

    make(&models[0], "bert");
    assert_int_equal(encoder_open(dir, "int4", NULL, &e, &err), ERR_INVALID);
    struct bert *m;
    assert_int_equal(bert_weights_open(dir, KERNEL_FP32, ISA_BEST, NULL, NULL, &m, &err), OK);
    int32_t ids[MAX_IDS + 1] = {0};
    assert_int_equal(bert_encode_ids(m, ids, MAX_IDS + 1, NULL, out, &err), ERR_INVALID);
    assert_int_equal(bert_encode_ids(m, ids, 0, NULL, out, &err), ERR_INVALID);
    ids[0] = 4000;
    assert_int_equal(bert_encode_ids(m, ids, 1, NULL, out, &err), ERR_INVALID);
    bert_close(m);
    bert_close(NULL);
}

static void *embed_often(void *arg)
{
    const struct encoder *e = arg;
    float first[MAX_DIM], again[MAX_DIM];
    size_t wrong = encoder_embed_text(e, ENCODER_QUERY, "a cat", 5, first, NULL) != OK;
    for (int i = 0; i < 50; i++)
        wrong += encoder_embed_text(e, ENCODER_QUERY, "a cat", 5, again, NULL) != OK ||
                 difference(first, again, encoder_dim(e)) > 0;
    return (void *)wrong;
}

static void threads_share_a_model(void **state)
{
    (void)state;
    pthread_t threads[3];
    make(&models[2], "distilbert");
    struct encoder *e = open_encoder("int8");
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, embed_often, e), 0);
    for (size_t i = 0; i < 3; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    encoder_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_at_every_layer),
        cmocka_unit_test(embeds_texts),
        cmocka_unit_test(auto_says_why),
        cmocka_unit_test(prefixes_of_e5),
        cmocka_unit_test(refuses_settings),
        cmocka_unit_test(refuses_weights),
        cmocka_unit_test(threads_share_a_model),
        cmocka_unit_test(many_are_as_one),
        cmocka_unit_test(int8_keeps_what_outliers_hide),
        cmocka_unit_test(many_name_the_wrong_one),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
