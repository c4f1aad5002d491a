/* The encoders beside their floors and, where given, beside other runtimes on the same weights:
 *     build/release/bench/model DIR [NAME=FILE ...]
 * DIR: a checkpoint (config.json, model.safetensors). FILE: a peer's times, lines "text_8_threads_1 35.2" in
 * milliseconds. Times are the least of several runs, as other work on the machine only adds to them. A floor is
 * the larger of two times: the weights' bytes over the read bandwidth, and the operations over the peak of the
 * same instructions on data in the cache, both measured here. Texts are encoded by the thread that asks: with two
 * threads, two are encoded at a time, and the time is that of one out of the two. */
#include "base/os.h"
#include "machine.h"
#include "model/clip_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PEERS 4
#define IMAGES    16

struct peer {
    const char *name, *file;
};

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

/* Milliseconds of a peer, 0 where it has none. */
static double peer_ms(const struct peer *p, const char *key)
{
    char line[200];
    double ms = 0;
    size_t len = strlen(key);
    FILE *f = fopen(p->file, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            ms = strtod(line + len, NULL);
    if (f)
        fclose(f);
    return ms;
}

int main(int argc, char **argv)
{
    struct error err;
    struct pool *pool;
    struct peer peers[MAX_PEERS];
    size_t n_peers = 0;
    double us[2][CLIP_INT8 + 1][N_WORKS], floors[2][CLIP_INT8 + 1][N_WORKS];
    if (argc < 2 || argc > 2 + MAX_PEERS)
        fail("usage: model DIR [NAME=FILE ...]");
    for (int i = 2; i < argc; i++) {
        char *eq = strchr(argv[i], '=');
        if (!eq)
            fail("usage: model DIR [NAME=FILE ...]");
        *eq = '\0';
        peers[n_peers++] = (struct peer){argv[i], eq + 1};
    }
    if (pool_open("bench", 1, 1, &pool, &err) != OK) /* one thread, and the caller */
        fail(err.message);
    double bytes_us[2] = {bandwidth(NULL, 1), bandwidth(pool, 2)};
    printf("read bandwidth: %.1f GB/s on one core, %.1f on two\n", bytes_us[0] / 1e3, bytes_us[1] / 1e3);
    for (enum clip_precision p = CLIP_FP32; p <= CLIP_INT8; p++)
        for (size_t threads = 1; threads <= 2; threads++) {
            struct clip *m;
            int64_t t = os_monotonic_us();
            if (clip_weights_open(argv[1], p, ISA_BEST, threads == 2 ? pool : NULL, &m, &err) != OK)
                fail(err.message);
            double load = (double)(os_monotonic_us() - t) / 1e6, ops = peak(m->text.k);
            if (m->config.context < 77)
                fail("expected a model with a context of 77 tokens");
            if (threads == 1)
                printf("%s: %s, %.0f GOP/s on one core, %zu MiB, loaded in %.2f s\n", clip_precision_name(p),
                       m->text.k->name, ops / 1e3, clip_bytes(m) >> 20, load);
            if (clip_set_start(m, (int32_t)m->config.vocab - 2, &err) != OK)
                fail(err.message);
            size_t image = 3 * m->config.image_size * m->config.image_size;
            float *pixels = need(IMAGES * image * sizeof *pixels), *out = need(IMAGES * clip_dim(m) * sizeof *out);
            for (size_t i = 0; i < IMAGES * image; i++)
                pixels[i] = (float)(i * 2654435761u % 4096) / 1024 - 2;
            for (size_t i = 0; i < N_WORKS; i++) {
                us[threads - 1][p][i] = time_us(m, threads == 2 ? pool : NULL, threads, &works[i], pixels, out);
                floors[threads - 1][p][i] = floor_us(m, &works[i], bytes_us[threads - 1], ops * (double)threads);
            }
            free(pixels);
            free(out);
            clip_close(m);
        }
    pool_close(pool);

    printf("\n%-10s %7s  %15s  %15s  %15s", "ms (/floor)", "threads", "fp32", "bf16", "int8");
    for (size_t i = 0; i < n_peers; i++)
        printf("  %*s", 28, peers[i].name);
    printf("\n");
    for (size_t threads = 1; threads <= 2; threads++)
        for (size_t i = 0; i < N_WORKS; i++) {
            char key[64];
            snprintf(key, sizeof key, "%s_%zu_threads_%zu", works[i].image ? "image" : "text", works[i].n, threads);
            printf("%-5s %5zu %7zu", works[i].image ? "image" : "text", works[i].n, threads);
            for (enum clip_precision p = CLIP_FP32; p <= CLIP_INT8; p++)
                printf("  %8.2f (%4.2f)", us[threads - 1][p][i] / 1e3,
                       us[threads - 1][p][i] / floors[threads - 1][p][i]);
            for (size_t j = 0; j < n_peers; j++) {
                double ms = peer_ms(&peers[j], key);
                if (ms > 0)
                    printf("  %8.2f = fp32 x %4.1f, int8 x %4.0f", ms, ms * 1e3 / us[threads - 1][CLIP_FP32][i],
                           ms * 1e3 / us[threads - 1][CLIP_INT8][i]);
            }
            printf("\n");
        }
    return 0;
}
