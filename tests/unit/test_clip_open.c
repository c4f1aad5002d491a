/* A whole model folder: tokenizer, preprocessing, the probe that chooses the precision, and many threads. */
#include "cm.h"

#include "base/os.h"
#include "base/utf8.h"
#include "model/clip.h"
#include "model/encoder.h"
#include "model/kernels/kernels.h"
#include "model/safetensors.h"
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#define GOLDEN "tests/golden/small/"

static char dir[64];

static void put(const char *name, const char *text, size_t len)
{
    char path[128];
    struct error err;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(os_write_file(path, text, len, &err), OK);
}

static void copy(const char *name)
{
    struct buf b;
    struct error err;
    char path[128];
    buf_init(&b, 4 << 20);
    snprintf(path, sizeof path, GOLDEN "%s", name);
    assert_int_equal(os_read_file(path, &b, &err), OK);
    put(name, b.data, b.len);
    buf_free(&b);
}

/* Bytes, bytes with </w>, one merge, and the control tokens at the end, as CLIP's vocabulary has them. */
static void write_tokenizer(size_t more)
{
    json_t *vocab = json_object();
    json_int_t id = 0;
    for (int end = 0; end < 2; end++)
        for (uint32_t b = 0, other = 256; b < 256; b++) {
            bool plain = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
            char name[16] = "";
            utf8_encode(plain ? b : other++, name);
            json_object_set_new(vocab, strcat(name, end ? "</w>" : ""), json_integer(id++));
        }
    json_object_set_new(vocab, "at</w>", json_integer(id++));
    json_object_set_new(vocab, "<|startoftext|>", json_integer(id++));
    json_object_set_new(vocab, "<|endoftext|>", json_integer(id + (json_int_t)more));
    char *text = json_dumps(vocab, 0);
    put("vocab.json", text, strlen(text));
    put("merges.txt", "#version: 0.2\na t</w>\n", 23 - 1);
    free(text);
    json_decref(vocab);
}

static int setup(void **state)
{
    (void)state;
    tmp_make(dir, sizeof dir);
    copy("config.json");
    copy("model.safetensors");
    write_tokenizer(0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tmp_remove(dir);
    return 0;
}

static struct clip *open_clip(enum clip_precision p, struct pool *pool)
{
    struct clip *m;
    struct error err;
    if (clip_open(dir, p, pool, &m, &err) != OK)
        fail_msg("%s", err.message);
    return m;
}

static double cosine(const float *a, const float *b, size_t n)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    assert_true(fabs(aa - 1) < 1e-4 && fabs(bb - 1) < 1e-4);
    return dot;
}

static struct image make_image(uint32_t width, uint32_t height, uint32_t channels)
{
    struct image im = {.pixels = malloc((size_t)width * height * channels),
                       .width = width,
                       .height = height,
                       .channels = channels,
                       .kind = IMAGE_PNG};
    assert_non_null(im.pixels);
    for (size_t i = 0; i < (size_t)width * height * channels; i++)
        im.pixels[i] = (uint8_t)(i * i % 251);
    return im;
}

static void embeds_the_same_in_every_precision(void **state)
{
    (void)state;
    struct pool *pool;
    struct error err;
    assert_int_equal(pool_open("clip", 2, 4, &pool, &err), OK);
    struct image images[3] = {make_image(100, 50, 3), make_image(64, 64, 4), make_image(1, 300, 3)};
    float want[4][48], got[4][48];
    const char *text = "a cat on the mat";
    for (enum clip_precision p = CLIP_FP32; p <= CLIP_INT8; p++) {
        struct clip *m = open_clip(p, pool);
        assert_int_equal(clip_dim(m), 48);
        assert_int_equal(clip_precision_of(m), p);
        assert_int_equal(clip_embed_text(m, text, strlen(text), got[3], &err), OK);
        assert_int_equal(clip_embed_images(m, images, 3, got[0], &err), OK);
        if (p == CLIP_FP32)
            memcpy(want, got, sizeof want);
        for (size_t i = 0; i < 4; i++)
            assert_true(cosine(want[i], got[i], 48) > (p == CLIP_INT8 ? 0.995 : 0.999));
        assert_true(cosine(got[0], got[1], 48) < 0.99);
        clip_close(m);
    }
    for (size_t i = 0; i < 3; i++)
        free(images[i].pixels);
    pool_close(pool);
}

/* And stills are encoded as ever, bit for bit. */
static void a_film_is_the_mean_of_its_frames(void **state)
{
    (void)state;
    struct encoder *e;
    struct error err;
    struct image_film films[2] = {{make_image(64, 64, 4), 1}, {make_image(50, 120, 3), 3}};
    struct image images[4] = {films[0].strip};
    float want[4][48], got[2][48], mean[48];
    double sum = 0;
    for (uint32_t k = 0; k < 3; k++)
        images[1 + k] = image_film_frame(&films[1], k);
    assert_int_equal(images[3].height, 40);
    assert_ptr_equal(images[3].pixels, films[1].strip.pixels + 50 * 80 * 3);
    assert_int_equal(encoder_open(dir, "fp32", NULL, &e, &err), OK);
    assert_int_equal(encoder_embed_images(e, images, 4, want[0], &err), OK);
    assert_int_equal(encoder_embed_films(e, films, 2, got[0], &err), OK);
    for (size_t i = 0; i < 48; i++)
        sum += pow(mean[i] = want[1][i] + want[2][i] + want[3][i], 2);
    for (size_t i = 0; i < 48; i++)
        mean[i] /= (float)sqrt(sum);
    assert_memory_equal(got[0], want[0], sizeof *got);
    assert_true(cosine(got[1], mean, 48) > 0.99999 && cosine(got[1], want[1], 48) < 0.9999);
    for (size_t i = 0; i < 2; i++)
        image_free(&films[i].strip);
    encoder_close(e);
}

static void tokens_and_bad_texts(void **state)
{
    (void)state;
    struct clip *m = open_clip(CLIP_FP32, NULL);
    struct error err;
    int32_t *ids;
    size_t n;
    assert_int_equal(clip_tokenize(m, "cat", 3, &ids, &n, &err), OK);
    assert_int_equal(n, 4);
    assert_int_equal(ids[0], 513);
    assert_int_equal(ids[2], 512);
    assert_int_equal(ids[3], 514);
    free(ids);
    char many[4000];
    memset(many, 'x', sizeof many);
    assert_int_equal(clip_tokenize(m, many, sizeof many, &ids, &n, &err), OK);
    assert_int_equal(n, 77);
    free(ids);
    float out[48];
    assert_int_equal(clip_embed_text(m, many, sizeof many, out, &err), OK);
    assert_int_equal(clip_embed_text(m, "", 0, out, &err), OK);
    assert_int_equal(clip_embed_text(m, "\xff", 1, out, &err), ERR_INVALID);
    assert_int_equal(clip_embed_images(m, NULL, 0, out, &err), OK);
    clip_close(m);
}

static json_t *info_of(const struct clip *m)
{
    struct buf b;
    buf_init(&b, 65536);
    clip_info(m, &b);
    json_t *v = json_loadb(buf_str(&b), b.len, 0, NULL);
    assert_non_null(v);
    buf_free(&b);
    return v;
}

static json_t *findings(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/peel-probe.json", dir);
    return json_load_file(path, 0, NULL);
}

static void auto_takes_what_keeps_the_vectors(void **state)
{
    (void)state;
    struct clip *m = open_clip(CLIP_AUTO, NULL);
    json_t *info = info_of(m);
    const char *name = clip_precision_name(clip_precision_of(m));
    assert_string_equal(json_string_value(json_object_get(info, "precision")), name);
    if (kernels_faster(KERNEL_INT8) || kernels_faster(KERNEL_BF16)) {
        const json_t *c = json_object_get(json_object_get(info, "probe_cosines"), name);
        assert_true(json_real_value(json_object_get(c, "text")) >= 0.995);
        assert_true(json_real_value(json_object_get(c, "image")) >= 0.995);
        assert_non_null(strstr(json_string_value(json_object_get(info, "why")), "cosine to fp32"));

        /* What was found is believed as long as the files are the same, ... */
        json_t *found = findings(), *kept = json_deep_copy(found);
        assert_non_null(found);
        json_t *low = json_pack("{s:{s:f, s:f}, s:{s:f, s:f}}", "int8", "text", 0.5, "image", 1.0, "bf16", "text", 1.0,
                                "image", 0.994);
        json_object_set_new(found, "cosines", low);
        char *text = json_dumps(found, 0);
        put("peel-probe.json", text, strlen(text));
        clip_close(m);
        m = open_clip(CLIP_AUTO, NULL);
        assert_int_equal(clip_precision_of(m), CLIP_FP32);
        assert_non_null(strstr(json_string_value(json_object_get(info, "why")), "cosine to fp32"));

        /* ... not when the model was replaced, nor when it cannot be read. */
        copy("model.safetensors");
        clip_close(m);
        m = open_clip(CLIP_AUTO, NULL);
        assert_string_equal(clip_precision_name(clip_precision_of(m)), name);
        put("peel-probe.json", "{\"key\":7,\"cosines\":[]}", 22);
        clip_close(m);
        m = open_clip(CLIP_AUTO, NULL);
        assert_string_equal(clip_precision_name(clip_precision_of(m)), name);
        json_t *again = findings();
        assert_true(json_equal(json_object_get(again, "cosines"), json_object_get(kept, "cosines")));
        free(text);
        json_decref(again);
        json_decref(kept);
        json_decref(found);
    }
    json_decref(info);
    clip_close(m);
}

/* Activations of which one channel is far larger than the rest: a byte for each has nothing left for the others. */
static void auto_refuses_int8_for_outliers(void **state)
{
    (void)state;
    struct buf b;
    struct error err;
    struct safetensors *s;
    buf_init(&b, 4 << 20);
    assert_int_equal(os_read_file(GOLDEN "model.safetensors", &b, &err), OK);
    assert_int_equal(safetensors_open_memory("model", b.data, b.len, &s, &err), OK);
    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct tensor *t = safetensors_at(s, i);
        if (strstr(t->name, "layer_norm") && strstr(t->name, ".weight")) {
            const uint8_t large[2] = {0xb0, 0x5c}; /* 300 */
            memcpy(b.data + (t->data - (unsigned char *)b.data), large, 2);
        }
    }
    safetensors_close(s);
    put("model.safetensors", b.data, b.len);
    struct clip *m = open_clip(CLIP_AUTO, NULL);
    json_t *info = info_of(m);
    assert_int_not_equal(clip_precision_of(m), CLIP_INT8);
    if (kernels_faster(KERNEL_INT8)) {
        const json_t *c = json_object_get(json_object_get(info, "probe_cosines"), "int8");
        assert_true(json_real_value(json_object_get(c, "text")) < 0.995 ||
                    json_real_value(json_object_get(c, "image")) < 0.995);
    }
    json_decref(info);
    clip_close(m);
    copy("model.safetensors");
    buf_free(&b);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct clip *m;
    struct error err;
    write_tokenizer(86); /* ids up to 600: one more than the model has */
    assert_int_equal(clip_open(dir, CLIP_FP32, NULL, &m, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "601 tokens, the model's vocab_size is 600"));
    write_tokenizer(0);
    put("preprocessor_config.json", "{\"size\":32,\"crop_size\":32}", 26);
    assert_int_equal(clip_open(dir, CLIP_AUTO, NULL, &m, &err), ERR_INVALID);
    char path[128];
    snprintf(path, sizeof path, "%s/preprocessor_config.json", dir);
    assert_int_equal(remove(path), 0);
    assert_int_equal(clip_open("/nonexistent", CLIP_AUTO, NULL, &m, &err), ERR_NOT_FOUND);
    assert_null(m);
    enum clip_precision p;
    assert_int_equal(clip_precision_parse("int4", &p, &err), ERR_INVALID);
    assert_int_equal(clip_precision_parse("int8", &p, &err), OK);
    assert_int_equal(p, CLIP_INT8);
}

struct asker {
    const struct clip *m;
    const float *want;
};

static void *ask(void *arg)
{
    const struct asker *a = arg;
    float got[48];
    for (int i = 0; i < 10; i++)
        if (clip_embed_text(a->m, "many at once", 12, got, NULL) != OK || memcmp(got, a->want, sizeof got) != 0)
            return arg;
    return NULL;
}

static void many_threads_get_the_same(void **state)
{
    (void)state;
    struct pool *pool;
    struct error err;
    float want[48];
    assert_int_equal(pool_open("clip", 2, 4, &pool, &err), OK);
    struct clip *m = open_clip(CLIP_INT8, pool);
    assert_int_equal(clip_embed_text(m, "many at once", 12, want, &err), OK);
    pthread_t threads[4];
    struct asker a = {m, want};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &a), 0);
    for (size_t i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    clip_close(m);
    pool_close(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_film_is_the_mean_of_its_frames),
                                       cmocka_unit_test(embeds_the_same_in_every_precision),
                                       cmocka_unit_test(tokens_and_bad_texts),
                                       cmocka_unit_test(auto_takes_what_keeps_the_vectors),
                                       cmocka_unit_test(auto_refuses_int8_for_outliers),
                                       cmocka_unit_test(refuses_what_does_not_fit),
                                       cmocka_unit_test(many_threads_get_the_same)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
