/* safetensors and config.json: what is read, and every way in which a file can lie. */
#include "cm.h"

#include "base/os.h"
#include "model/clip_config.h"
#include "model/safetensors.h"
#include <math.h>
#include <string.h>

/* A file of the given header (its length is filled in) and `n` zero bytes behind it; malloc'ed. */
static unsigned char *make_file(const char *header, size_t n, size_t *len)
{
    size_t h = strlen(header);
    *len = 8 + h + n;
    unsigned char *f = calloc(1, *len);
    assert_non_null(f);
    for (unsigned i = 0; i < 8; i++)
        f[i] = (unsigned char)((uint64_t)h >> (8 * i));
    memcpy(f + 8, header, h);
    return f;
}

static void reads_all_types(void **state)
{
    (void)state;
    size_t len;
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                         "\"h\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[8,18]},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[18,22]},"
                         "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[22,30]},"
                         "\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[30,30]},"
                         "\"wide\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[30,46]},"
                         "\"int\":{\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[46,54]},"
                         "\"byte\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[54,57]},"
                         "\"bool\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[57,58]}}";
    unsigned char *f = make_file(header, 58, &len), *d = f + len - 58;
    const int64_t scalar = -7;
    const double wide[2] = {0.1, -1e300};
    const int32_t ints[2] = {INT32_MIN, 30522};
    const int8_t bytes[3] = {-128, 0, 127};
    const float a[2] = {1.5f, -2};
    const uint16_t h[5] = {0x3c00, 0xc000, 0x0001, 0x7c00, 0x7e00}, b[2] = {0x3f80, 0xc040};
    memcpy(d, a, 8);
    memcpy(d + 8, h, 10);
    memcpy(d + 18, b, 4);
    memcpy(d + 22, &scalar, 8);
    memcpy(d + 30, wide, 16);
    memcpy(d + 46, ints, 8);
    memcpy(d + 54, bytes, 3);
    struct safetensors *s;
    struct error err;
    assert_int_equal(safetensors_open_memory("m", f, len, &s, &err), OK);
    assert_int_equal(safetensors_count(s), 9);
    float out[5];
    tensor_read(safetensors_find(s, "a"), 1, 1, out);
    assert_true(out[0] == -2);
    tensor_read(safetensors_find(s, "h"), 0, 5, out);
    assert_true(out[0] == 1 && out[1] == -2 && out[2] == 0x1p-24f && isinf(out[3]) && isnan(out[4]));
    tensor_read(safetensors_find(s, "b"), 0, 2, out);
    assert_true(out[0] == 1 && out[1] == -3);
    assert_int_equal(tensor_count(safetensors_find(s, "scalar")), 1);
    tensor_read(safetensors_find(s, "scalar"), 0, 1, out);
    assert_true(out[0] == -7);
    tensor_read(safetensors_find(s, "wide"), 0, 2, out);
    assert_true(out[0] == 0.1f && isinf(out[1]));
    tensor_read(safetensors_find(s, "int"), 0, 2, out);
    assert_true(out[0] == -0x1p31f && out[1] == 30522);
    tensor_read(safetensors_find(s, "byte"), 0, 3, out);
    assert_true(out[0] == -128 && out[1] == 0 && out[2] == 127);
    assert_int_equal(safetensors_find(s, "bool")->type, TENSOR_OTHER);
    assert_true(tensor_is_float(safetensors_find(s, "h")) && !tensor_is_float(safetensors_find(s, "wide")));
    assert_int_equal(tensor_count(safetensors_find(s, "none")), 0);
    assert_null(safetensors_find(s, "missing"));
    safetensors_close(s);
    free(f);
}

static void refuses_lies(void **state)
{
    (void)state;
    static const struct {
        const char *header, *says;
    } cases[] = {
        {"[]", "must be a JSON object"},
        {"{", "not JSON"},
        {"{\"a\":1}", "dtype must be a string"},
        {"{\"a\":{\"dtype\":7}}", "dtype must be a string"},
        {"{\"a\":{\"dtype\":\"F31\"}}", "dtype F31 is unknown"},
        {"{\"a\":{\"dtype\":\"F32\"}}", "shape must be an array"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1]}}", "9 dimensions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1]}}", "shape[0]"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5]}}", "shape[0]"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296]}}", "more bytes than"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807]}}", "more bytes than"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", "data_offsets must be"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", "data_offsets must be"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", "ascending"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[0,32]}}", "at most 16"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "need 8 bytes, data_offsets give 4"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", "data_offsets must be"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
         "a and b overlap"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
         "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
         "not JSON: duplicate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len;
        unsigned char *f = make_file(cases[i].header, 16, &len);
        struct safetensors *s;
        struct error err = {0};
        if (safetensors_open_memory("m", f, len, &s, &err) == OK || !strstr(err.message, cases[i].says))
            fail_msg("%s: expected \"%s\", found \"%s\"", cases[i].header, cases[i].says, err.message);
        free(f);
    }
    size_t len;
    struct safetensors *s;
    struct error err;
    unsigned char *f = make_file("{}", 0, &len);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_not_equal(safetensors_open_memory("m", f, cut, &s, &err), OK);
    assert_int_equal(safetensors_open_memory("m", f, len, &s, &err), OK);
    safetensors_close(s);
    memset(f, 0xff, 8); /* a header of 2^64 - 1 bytes */
    assert_int_equal(safetensors_open_memory("m", f, len, &s, &err), ERR_CORRUPT);
    free(f);
}

static void write_file(const char *dir, const char *name, const void *data, size_t len)
{
    char path[256];
    struct error err;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(os_write_file(path, data, len, &err), OK);
}

static void reads_shards(void **state)
{
    (void)state;
    char dir[64];
    tmp_make(dir, sizeof dir);
    struct safetensors *s;
    struct error err;
    assert_int_equal(safetensors_open(dir, &s, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "model.safetensors"));

    size_t len;
    unsigned char *f = make_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, &len);
    write_file(dir, "one.safetensors", f, len);
    f[10] = 'b';
    write_file(dir, "two.safetensors", f, len);
    free(f);
    const struct {
        const char *json, *says; /* says NULL: good */
    } cases[] = {{"{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}", NULL},
                 {"{\"weight_map\":{\"a\":\"one.safetensors\",\"c\":\"two.safetensors\"}}", "tensor c is not in"},
                 {"{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "without folders"},
                 {"{\"weight_map\":{\"a\":\"gone.safetensors\"}}", "gone.safetensors does not exist"},
                 {"{\"weight_map\":[]}", "must be an object"},
                 {"nonsense", "not JSON"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(dir, "model.safetensors.index.json", cases[i].json, strlen(cases[i].json));
        enum status st = safetensors_open(dir, &s, &err);
        if (!cases[i].says) {
            assert_int_equal(st, OK);
            assert_non_null(safetensors_find(s, "a"));
            assert_non_null(safetensors_find(s, "b"));
            safetensors_close(s);
        } else {
            assert_int_not_equal(st, OK);
            assert_non_null(strstr(err.message, cases[i].says));
        }
    }
    tmp_remove(dir);
}

static void config_defaults_and_bounds(void **state)
{
    (void)state;
    struct clip_config c;
    struct error err;
    assert_int_equal(clip_config_parse("c", "{}", 2, &c, &err), OK);
    assert_int_equal(c.text.width, 512);
    assert_int_equal(c.vision.width, 768);
    assert_int_equal(c.dim, 512);
    assert_int_equal(c.context, 77);
    assert_int_equal(c.end_id, 49407);
    assert_int_equal(clip_config_image_tokens(&c), 50);
    assert_true(c.reliance.weight >= 1 && !c.reliance.english);
    const char *wary = "{\"peel\":{\"hybrid_weight\":0.25,\"language\":\"en\"}}";
    assert_int_equal(clip_config_parse("c", wary, strlen(wary), &c, &err), OK);
    assert_true(c.reliance.weight > 0.24 && c.reliance.weight < 0.26 && c.reliance.english);

    const char *full = "{\"model_type\":\"clip\",\"projection_dim\":10,\"text_config\":{\"hidden_size\":20,"
                       "\"num_attention_heads\":5,\"hidden_act\":\"gelu\",\"eos_token_id\":2,\"layer_norm_eps\":1e-6},"
                       "\"text_config_dict\":{\"hidden_size\":30,\"num_attention_heads\":null},"
                       "\"vision_config\":{\"image_size\":35,\"patch_size\":6}}";
    assert_int_equal(clip_config_parse("c", full, strlen(full), &c, &err), OK);
    assert_int_equal(c.text.width, 30);
    assert_int_equal(c.text.heads, 5);
    assert_int_equal(c.text.act, CLIP_GELU);
    assert_int_equal(c.end_id, CLIP_END_HIGHEST);
    assert_int_equal(clip_config_image_tokens(&c), 26);

    static const struct {
        const char *json, *says;
    } bad[] = {{"[]", "must be a JSON object"},
               {"{\"model_type\":\"siglip\"}", "expected clip, found siglip"},
               {"{\"projection_dim\":0}", "projection_dim: expected 1 to 4096, found 0"},
               {"{\"projection_dim\":\"512\"}", "must be a whole number"},
               {"{\"text_config\":7}", "text_config must be an object"},
               {"{\"text_config\":{\"hidden_size\":1e3}}", "must be a whole number"},
               {"{\"text_config\":{\"hidden_size\":100}}", "divisor of hidden_size 100, found 8"},
               {"{\"text_config\":{\"hidden_act\":\"relu\"}}", "found relu"},
               {"{\"text_config\":{\"layer_norm_eps\":0}}", "layer_norm_eps"},
               {"{\"vision_config\":{\"num_hidden_layers\":1000000}}", "expected 1 to 128"},
               {"{\"vision_config\":{\"num_channels\":4}}", "expected 3, found 4"},
               {"{\"vision_config\":{\"patch_size\":225}}", "at most image_size 224"},
               {"{\"vision_config\":{\"patch_size\":1}}", "50177 tokens"},
               {"{\"vision_config\":{\"image_size\":-1}}", "found -1"},
               {"{\"peel\":{\"hybrid_weight\":1.5}}", "hybrid_weight: expected a number from 0 to 1"},
               {"{\"peel\":{\"language\":\"xx\"}}", "language: expected en"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (clip_config_parse("c", bad[i].json, strlen(bad[i].json), &c, &err) == OK ||
            !strstr(err.message, bad[i].says))
            fail_msg("%s: expected \"%s\", found \"%s\"", bad[i].json, bad[i].says, err.message);
}

/* MiB of this process that are pages of files. */
static size_t mapped_mib(void)
{
    size_t size, resident, shared;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%zu %zu %zu", &size, &resident, &shared), 3);
    fclose(f);
    return shared * (size_t)sysconf(_SC_PAGESIZE) >> 20;
}

/* The table's numbers are `all`, and 1 the last one. */
static void read_all_rows(const struct safetensors *s, size_t rows, size_t width, float all)
{
    const struct tensor *t = safetensors_find(s, "t");
    float *row = malloc(width * sizeof *row);
    assert_non_null(row);
    for (size_t i = 0; i < rows; i++) {
        tensor_read_row(t, i, row);
        assert_true(row[0] == all && row[width - 1] == (i == rows - 1 ? 1 : all));
    }
    tensor_read_row(t, rows / 2, row);
    assert_true(row[0] == all);
    free(row);
}

/* A table of 96 MiB, a row of which has 64 KiB. */
static void rows_of_a_file_do_not_fill_memory(void **state)
{
    (void)state;
    const char *header = "{\"t\":{\"dtype\":\"F32\",\"shape\":[1536,16384],\"data_offsets\":[0,100663296]}}";
    const float one = 1;
    char dir[64], path[128];
    size_t len;
    struct safetensors *s;
    struct error err;
    unsigned char *f = make_file(header, 0, &len);
    tmp_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(f, 1, len, file), len);
    assert_int_equal(fseek(file, (long)(len + 100663296 - sizeof one), SEEK_SET), 0);
    assert_int_equal(fwrite(&one, sizeof one, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(safetensors_open(dir, &s, &err), OK);
    size_t before = mapped_mib();
    read_all_rows(s, 1536, 16384, 0);
    assert_true(mapped_mib() < before + 64);
    safetensors_close(s);
    free(f);
    tmp_remove(dir);
}

/* Memory that was lent is never given back to the system, which would make it zeros. */
static void rows_of_lent_memory_stay(void **state)
{
    (void)state;
    const char *header = "{\"t\":{\"dtype\":\"F32\",\"shape\":[1536,1024],\"data_offsets\":[0,6291456]}}";
    const float one = 1;
    size_t len;
    struct safetensors *s;
    struct error err;
    unsigned char *f = make_file(header, 6291456, &len);
    for (size_t i = len - 6291456; i < len; i += sizeof one)
        memcpy(f + i, &one, sizeof one);
    assert_int_equal(safetensors_open_memory("m", f, len, &s, &err), OK);
    read_all_rows(s, 1536, 1024, 1);
    safetensors_close(s);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_all_types),
                                       cmocka_unit_test(refuses_lies),
                                       cmocka_unit_test(reads_shards),
                                       cmocka_unit_test(config_defaults_and_bounds),
                                       cmocka_unit_test(rows_of_a_file_do_not_fill_memory),
                                       cmocka_unit_test(rows_of_lent_memory_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
