/* The encoders of images and their texts beside their floors and beside other runtimes on the same weights:
 *     build/release/bench/model measure DIR OUT [THREADS]   adds to OUT/Peel-fp32.txt and so on:
 *         "text_8_threads_1 1.6", milliseconds; THREADS: up to so many, 1 or 2 (2)
 *     build/release/bench/model table OUT                   prints what is in OUT: the least of each
 * DIR: a checkpoint (config.json, model.safetensors). Times are the least of several runs, as other work on the machine
 * only adds to them; those of one thread are of its CPU, and bench/model.sh takes turns between the runtimes. A floor
 * is the larger of two times: the weights' bytes over the read bandwidth, and the operations over the peak of the same
 * instructions on data in the cache, both measured here. Texts are encoded by the thread that asks: with two threads,
 * two are encoded at a time, and the time is that of one out of the two. */
#include "base/os.h"
#include "machine.h"
#include "model/clip_internal.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES 16

/* --- the work --- */

/* Weights of a tower, and the multiplications of `rows` rows of which `kept` go through all of the last layer. */
static void tower_work(const struct tower *t, size_t rows, size_t kept, double *weights, double *products)
{
    double d = (double)t->width, kv = 2 * d * d, layer = 4 * d * d + 2 * d * (double)t->mlp;
    *weights = (double)t->n_layers * layer;
    *products = (double)rows * ((double)(t->n_layers - 1) * layer + kv) + (double)kept * (layer - kv);
}

struct work {
    bool image;
    size_t n; /* tokens, or images */
};

static const struct work works[] = {{false, 1}, {false, 8}, {false, 20}, {false, 77}, {true, 1}, {true, IMAGES}};
#define N_WORKS (sizeof works / sizeof *works)

static double floor_us(const struct clip *m, const struct work *w, double bytes_us, double ops_us)
{
    double weights, products;
    size_t patches = clip_config_image_tokens(&m->config) - 1;
    if (w->image) {
        tower_work(&m->vision, w->n * (patches + 1), w->n, &weights, &products);
        weights += (double)(m->patches.n * m->patches.k);
        products += (double)(w->n * patches * m->patches.n * m->patches.k);
    } else {
        tower_work(&m->text, w->n > 1 ? w->n - 1 : 1, 1, &weights, &products);
    }
    double read = weights * 4 / (double)m->text.k->group / bytes_us, compute = 2 * products / ops_us;
    return read > compute ? read : compute;
}

#define TEXTS_EACH 4

struct asking {
    const struct clip *m;
    const int32_t *ids;
    size_t n;
};

static void ask(void *arg, size_t i)
{
    const struct asking *a = arg;
    float *out = need(clip_dim(a->m) * sizeof *out);
    struct error err;
    (void)i;
    for (int t = 0; t < TEXTS_EACH; t++)
        if (clip_encode_ids(a->m, a->ids, a->n, out, &err) != OK)
            fail(err.message);
    free(out);
}

/* One thread alone is measured by its CPU time, in which other work on the machine counts little. */
static double now_us(const struct pool *pool)
{
    return pool ? (double)os_monotonic_us() : cpu_us();
}

/* A batch of images, or one text: `threads` threads encode a text each, and the time is that of one text. */
static double time_us(const struct clip *m, struct pool *pool, size_t threads, const struct work *w,
                      const float *pixels, float *out)
{
    int32_t ids[77] = {(int32_t)m->config.vocab - 2};
    double best = 1e18;
    struct error err;
    for (size_t i = 1; i < w->n && !w->image; i++)
        ids[i] = (int32_t)(300 + i);
    if (!w->image)
        ids[w->n - 1] = (int32_t)m->config.vocab - 1;
    struct asking a = {m, ids, w->n};
    int64_t start = os_monotonic_us();
    for (int i = 0; i < 200 && (i < 5 || os_monotonic_us() - start < 1500000); i++) {
        double t = now_us(pool);
        if (!w->image)
            pool_for(pool, threads, ask, &a);
        else if (clip_encode_pixels(m, pixels, w->n, out, &err) != OK)
            fail(err.message);
        double took = (now_us(pool) - t) / (w->image ? 1 : (double)(threads * TEXTS_EACH));
        best = took < best ? took : best;
    }
    return best;
}

static void key_of(const struct work *w, size_t threads, char out[64])
{
    snprintf(out, 64, "%s_%zu_threads_%zu", w->image ? "image" : "text", w->n, threads);
}

/* One precision, on one thread or on two. */
static void measure_one(const char *dir, const char *out_dir, enum clip_precision p, size_t threads, struct pool *pool,
                        double bytes_us)
{
    struct clip *m;
    struct error err;
    char path[1000], key[64];
    int64_t t = os_monotonic_us();
    if (clip_weights_open(dir, p, ISA_BEST, pool, &m, &err) != OK)
        fail(err.message);
    double load = (double)(os_monotonic_us() - t) / 1e6, ops = peak(m->text.k);
    if (m->config.context < 77)
        fail("expected a model with a context of 77 tokens");
    if (threads == 1)
        printf("%s: %s, %.0f GOP/s on one core, %zu MiB, loaded in %.2f s\n", clip_precision_name(p), m->text.k->name,
               ops / 1e3, clip_bytes(m) >> 20, load);
    if (clip_set_start(m, (int32_t)m->config.vocab - 2, &err) != OK)
        fail(err.message);
    snprintf(path, sizeof path, "%s/Peel-%s.txt", out_dir, clip_precision_name(p));
    FILE *f = fopen(path, "a");
    if (!f)
        fail("cannot write the times");
    size_t image = 3 * m->config.image_size * m->config.image_size;
    float *pixels = need(IMAGES * image * sizeof *pixels), *out = need(IMAGES * clip_dim(m) * sizeof *out);
    for (size_t i = 0; i < IMAGES * image; i++)
        pixels[i] = (float)(i * 2654435761u % 4096) / 1024 - 2;
    for (size_t i = 0; i < N_WORKS; i++) {
        key_of(&works[i], threads, key);
        fprintf(f, "%s %.4f\nfloor_%s %.4f\n", key, time_us(m, pool, threads, &works[i], pixels, out) / 1e3, key,
                floor_us(m, &works[i], bytes_us, ops * (double)threads) / 1e3);
    }
    fclose(f);
    free(pixels);
    free(out);
    clip_close(m);
}

static void measure(const char *dir, const char *out, unsigned long threads)
{
    struct pool *pool;
    struct error err;
    if (pool_open("bench", 1, 1, &pool, &err) != OK) /* one thread, and the caller */
        fail(err.message);
    double one = bandwidth(NULL, 1), two = bandwidth(pool, 2);
    printf("read bandwidth: %.1f GB/s on one core, %.1f on two\n", one / 1e3, two / 1e3);
    for (enum clip_precision p = CLIP_FP32; p <= CLIP_INT8; p++) {
        measure_one(dir, out, p, 1, NULL, one);
        if (threads > 1)
            measure_one(dir, out, p, 2, pool, two);
    }
    pool_close(pool);
}

static void print_table(const char *dir)
{
    static const char *const runtimes[] = {"Peel-fp32",        "Peel-bf16",        "Peel-int8", "PyTorch",
                                           "onnxruntime-fp32", "onnxruntime-int8", NULL};
    print_row(dir, runtimes, "ms (/floor)", NULL, NULL);
    for (size_t threads = 1; threads <= 2; threads++)
        for (size_t i = 0; i < N_WORKS; i++) {
            char key[64], floor_key[80];
            key_of(&works[i], threads, key);
            snprintf(floor_key, sizeof floor_key, "floor_%s", key);
            print_row(dir, runtimes, key, key, floor_key);
        }
}

int main(int argc, char **argv)
{
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "measure") == 0)
        measure(argv[2], argv[3], argc == 5 ? strtoul(argv[4], NULL, 10) : 2);
    else if (argc == 3 && strcmp(argv[1], "table") == 0)
        print_table(argv[2]);
    else
        fail("usage: model measure DIR OUT [THREADS] | model table OUT");
    return 0;
}
