/* The encoders against PyTorch: golden values of tests/golden, written by train/reference.py. */
#include "cm.h"

#include "base/os.h"
#include "base/sanitized.h"
#include "model/clip_internal.h"
#include "model/safetensors.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

#define GOLDEN "tests/golden/"

/* As uniform() in train/reference.py: SplitMix64 of seed * 2^32 + index. */
static float pixel(uint64_t seed, uint64_t i)
{
    uint64_t z = ((seed << 32) + i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (float)((double)(z >> 40) / 0x1p24 * 4 - 2);
}

static json_t *read_json(const char *path)
{
    json_error_t jerr;
    json_t *v = json_load_file(path, 0, &jerr);
    if (!v)
        fail_msg("%s: %s", path, jerr.text);
    return v;
}

static void compare(const char *what, enum clip_precision precision, const json_t *want, const float *got, size_t dim)
{
    static const double least[] = {0, 0.99999, 0.999, 0.995};
    double dot = 0, a = 0, b = 0, worst = 0;
    assert_int_equal(json_array_size(want), dim);
    for (size_t i = 0; i < dim; i++) {
        double w = json_real_value(json_array_get(want, i)), g = (double)got[i];
        dot += w * g;
        a += w * w;
        b += g * g;
        worst = fmax(worst, fabs(w - g));
    }
    double cosine = dot / sqrt(a * b);
    if (!(cosine >= least[precision]) || (precision == CLIP_FP32 && !(worst <= 2e-4)))
        fail_msg("%s %s: cosine %.6f, largest difference %g", what, clip_precision_name(precision), cosine, worst);
}

static void check_golden(const char *name, enum clip_precision precision, enum kernel_isa isa, struct pool *pool,
                         int32_t start)
{
    char dir[100], path[200], what[300];
    snprintf(dir, sizeof dir, strchr(name, '/') ? "%s" : GOLDEN "%s", name);
    snprintf(path, sizeof path, "%s/golden.json", dir);
    json_t *golden = read_json(path);
    struct clip *m;
    struct error err;
    if (clip_weights_open(dir, precision, isa, pool, &m, &err) != OK)
        fail_msg("%s", err.message);
    if (start >= 0)
        assert_int_equal(clip_set_start(m, start, &err), OK);
    size_t dim = clip_dim(m), i, image = 3 * m->config.image_size * m->config.image_size;
    const json_t *entry;
    float *out = malloc(8 * dim * sizeof *out), *pixels = malloc(8 * image * sizeof *pixels);
    assert_true(out && pixels);

    json_array_foreach(json_object_get(golden, "texts"), i, entry)
    {
        int32_t ids[77];
        const json_t *list = json_object_get(entry, "ids");
        size_t n = json_array_size(list);
        assert_true(n <= 77);
        for (size_t j = 0; j < n; j++)
            ids[j] = (int32_t)json_integer_value(json_array_get(list, j));
        assert_int_equal(clip_encode_ids(m, ids, n, out, &err), OK);
        snprintf(what, sizeof what, "%s %s text %zu of %zu tokens, start %d", name, m->text.k->name, i, n, start);
        compare(what, precision, json_object_get(entry, "features"), out, dim);
    }
    /* One by one, and all together. */
    const json_t *images = json_object_get(golden, "images");
    size_t n = json_array_size(images);
    assert_true(n >= 3 && n <= 8);
    json_array_foreach(images, i, entry)
    {
        uint64_t seed = (uint64_t)json_integer_value(json_object_get(entry, "seed"));
        for (size_t j = 0; j < image; j++)
            pixels[i * image + j] = pixel(seed, j);
        assert_int_equal(clip_encode_pixels(m, pixels + i * image, 1, out, &err), OK);
        snprintf(what, sizeof what, "%s %s image %zu", name, m->vision.k->name, i);
        compare(what, precision, json_object_get(entry, "features"), out, dim);
    }
    assert_int_equal(clip_encode_pixels(m, pixels, n, out, &err), OK);
    json_array_foreach(images, i, entry)
    {
        snprintf(what, sizeof what, "%s %s image %zu of a batch", name, m->vision.k->name, i);
        compare(what, precision, json_object_get(entry, "features"), out + i * dim, dim);
    }
    free(out);
    free(pixels);
    json_decref(golden);
    clip_close(m);
}

static void agrees_with_pytorch(void **state)
{
    (void)state;
    struct pool *pool;
    struct error err;
    assert_int_equal(pool_open("clip", 2, 4, &pool, &err), OK);
    for (enum clip_precision p = CLIP_FP32; p <= CLIP_INT8; p++)
        for (enum kernel_isa isa = ISA_SCALAR; isa <= ISA_BEST; isa++) {
            check_golden("tiny", p, isa, NULL, -1);
            check_golden("tiny", p, isa, pool, 97);
            check_golden("small", p, isa, pool, 598);
            if (SANITIZED) /* much the same code again, which takes them a minute */
                continue;
            check_golden("small", p, isa, NULL, 598);
            check_golden("models/starter", p, isa, pool, -1);
            check_golden("small", p, isa, pool, 0); /* another start token: not the texts' */
        }
    pool_close(pool);
}

/* The exact shapes of ViT-B/32, where `make test-reference` has made weights for them. */
static void agrees_on_full_size(void **state)
{
    (void)state;
    const char *dir = getenv("PEEL_TEST_CLIP");
    if (!dir)
        skip();
    for (enum clip_precision p = CLIP_FP32; p <= CLIP_INT8; p++)
        check_golden(dir, p, ISA_BEST, NULL, 49406);
}

static void refuses_wrong_ids(void **state)
{
    (void)state;
    struct clip *m;
    struct error err;
    float out[10];
    const int32_t negative[] = {97, -1, 98}, large[] = {97, 100, 98}, many[14] = {97};
    assert_int_equal(clip_weights_open(GOLDEN "tiny", CLIP_FP32, ISA_BEST, NULL, &m, &err), OK);
    assert_int_equal(clip_encode_ids(m, negative, 3, out, &err), ERR_INVALID);
    assert_int_equal(clip_encode_ids(m, large, 3, out, &err), ERR_INVALID);
    assert_int_equal(clip_encode_ids(m, many, 14, out, &err), ERR_INVALID);
    assert_int_equal(clip_encode_ids(m, many, 0, out, &err), ERR_INVALID);
    clip_close(m);
}

/* The tiny checkpoint in `dir`, its header changed by replacing one text by another of the same length. */
static void write_changed(const char *dir, const char *from, const char *to)
{
    struct buf b;
    struct error err;
    char path[128];
    buf_init(&b, 1 << 20);
    assert_int_equal(os_read_file(GOLDEN "tiny/config.json", &b, &err), OK);
    snprintf(path, sizeof path, "%s/config.json", dir);
    assert_int_equal(os_write_file(path, b.data, b.len, &err), OK);
    buf_reset(&b);
    assert_int_equal(os_read_file(GOLDEN "tiny/model.safetensors", &b, &err), OK);
    char *at = memmem(b.data, b.len, from, strlen(from));
    assert_non_null(at);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    assert_int_equal(os_write_file(path, b.data, b.len, &err), OK);
    buf_free(&b);
}

static void names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *says;
    } cases[] = {
        {"text_projection.weight", "text_projection.weighs",
         "tensor text_projection.weight: expected F32, F16 or BF16 of [10, 20], found nothing"},
        {"[36,20]", "[20,36]",
         "tensor text_model.encoder.layers.0.mlp.fc1.weight: expected F32, F16 or BF16 of [36, 20], found [20, 36]"},
        {"\"F32\",\"shape\":[24,3,5,5]", "\"I32\",\"shape\":[24,3,5,5]",
         "vision_model.embeddings.patch_embedding.weight: expected F32, F16 or BF16 of [24, 3, 5, 5], found another "
         "type of [24, 3, 5, 5]"},
    };
    char dir[64];
    tmp_make(dir, sizeof dir);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct clip *m;
        struct error err;
        write_changed(dir, cases[i].from, cases[i].to);
        assert_int_equal(clip_weights_open(dir, CLIP_FP32, ISA_BEST, NULL, &m, &err), ERR_INVALID);
        if (!strstr(err.message, cases[i].says))
            fail_msg("expected \"%s\", found \"%s\"", cases[i].says, err.message);
    }
    tmp_remove(dir);
}

static void damaged_weights_give_no_vector(void **state)
{
    (void)state;
    struct error err;
    float zeros[4] = {0}, nan[4] = {NAN, 1, 1, 1}, good[4] = {3, 0, 4, 0};
    assert_int_equal(encoder_normalize(zeros, 4, &err), ERR_CORRUPT);
    assert_int_equal(encoder_normalize(nan, 4, &err), ERR_CORRUPT);
    assert_int_equal(encoder_normalize(good, 4, &err), OK);
    assert_true(fabsf(good[0] - 0.6f) < 1e-6f && fabsf(good[2] - 0.8f) < 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_pytorch), cmocka_unit_test(agrees_on_full_size),
                                       cmocka_unit_test(refuses_wrong_ids), cmocka_unit_test(names_what_is_wrong),
                                       cmocka_unit_test(damaged_weights_give_no_vector)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
