/* Models of texts (BERT's family) beside their floors and, where given, beside other runtimes on the same weights:
 *     build/release/bench/sentence DIR [NAME=FILE ...]
 * DIR: a checkpoint. FILE: a peer's times, lines "text_8 1.6" in milliseconds. All on one thread; times are the least
 * of several runs, as other work on the machine only adds to them. The floor is the larger of two times: the weights'
 * bytes over the read bandwidth, and the operations over the peak of the same instructions on data in the cache, both
 * measured here. */
#include "base/os.h"
#include "machine.h"
#include "model/bert_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PEERS 6

static const size_t lengths[] = {4, 8, 16, 32, 64, 128};
#define N_LENGTHS (sizeof lengths / sizeof *lengths)

static double floor_us(const struct bert *m, size_t n, double bytes_us, double ops_us)
{
    double d = (double)m->tower.width, weights = (double)m->tower.n_layers * (4 * d * d + 2 * d * (double)m->tower.mlp);
    double read = weights * 4 / (double)m->tower.k->group / bytes_us, compute = 2 * weights * (double)n / ops_us;
    return read > compute ? read : compute;
}

static double time_us(const struct bert *m, size_t n)
{
    int32_t ids[128];
    float *out = need(m->base.dim * sizeof *out);
    double best = 1e18;
    struct error err;
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)(i * 131 % (m->config.vocab - 1) + 1);
    int64_t start = os_monotonic_us();
    for (int i = 0; i < 400 && (i < 5 || os_monotonic_us() - start < 1500000); i++) {
        int64_t t = os_monotonic_us();
        if (bert_encode_ids(m, ids, n, NULL, out, &err) != OK)
            fail(err.message);
        double took = (double)(os_monotonic_us() - t);
        best = took < best ? took : best;
    }
    free(out);
    return best;
}

/* Milliseconds of a peer, 0 where it has none. */
static double peer_ms(const char *file, size_t length)
{
    char line[200], key[32];
    double ms = 0;
    FILE *f = fopen(file, "r");
    snprintf(key, sizeof key, "text_%zu ", length);
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            ms = strtod(line + strlen(key), NULL);
    if (f)
        fclose(f);
    return ms;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"fp32", "bf16", "int8"};
    double us[KERNEL_INT8 + 1][N_LENGTHS], floors[KERNEL_INT8 + 1][N_LENGTHS];
    struct error err;
    if (argc < 2 || argc > 2 + MAX_PEERS)
        fail("usage: sentence DIR [NAME=FILE ...]");
    double bytes_us = bandwidth(NULL, 1);
    printf("read bandwidth: %.1f GB/s\n", bytes_us / 1e3);
    for (int p = KERNEL_FP32; p <= KERNEL_INT8; p++) {
        struct bert *m;
        int64_t t = os_monotonic_us();
        if (bert_weights_open(argv[1], (enum kernel_type)p, ISA_BEST, NULL, NULL, &m, &err) != OK)
            fail(err.message);
        double load = (double)(os_monotonic_us() - t) / 1e6, ops = peak(m->tower.k);
        printf("%s: %s, %.0f GOP/s, %zu MiB, loaded in %.2f s\n", names[p], m->tower.k->name, ops / 1e3, m->bytes >> 20,
               load);
        for (size_t i = 0; i < N_LENGTHS; i++) {
            us[p][i] = lengths[i] <= m->config.max_tokens ? time_us(m, lengths[i]) : 0;
            floors[p][i] = floor_us(m, lengths[i], bytes_us, ops);
        }
        bert_close(m);
    }
    printf("\n%-11s %14s %14s %14s", "ms (/floor)", "fp32", "bf16", "int8");
    for (int j = 2; j < argc; j++) {
        char *eq = strchr(argv[j], '=');
        if (!eq)
            fail("usage: sentence DIR [NAME=FILE ...]");
        *eq = '\0';
        printf(" %18s", argv[j]);
    }
    printf("\n");
    for (size_t i = 0; i < N_LENGTHS; i++) {
        printf("%3zu tokens ", lengths[i]);
        for (int p = KERNEL_FP32; p <= KERNEL_INT8; p++)
            printf("  %6.2f (%4.2f)", us[p][i] / 1e3, us[p][i] / floors[p][i]);
        for (int j = 2; j < argc; j++) {
            double ms = peer_ms(argv[j] + strlen(argv[j]) + 1, lengths[i]);
            if (ms > 0)
                printf(" %18.2f", ms);
            else
                printf(" %18s", "-");
        }
        printf("\n");
    }
    return 0;
}
