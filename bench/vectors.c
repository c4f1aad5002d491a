/* Exact search at growing sizes: build/release/bench/vectors [rows ...]
 * Times are medians per query on one thread unless said otherwise; the floor is the bytes of the codes (or of the fp32
 * vectors) over the read bandwidth measured in the same run. */
#include "base/os.h"
#include "vectors/vectors_exact.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIM  512u
#define RUNS 41u

static uint64_t seed = 42;

static void random_vector(float *v)
{
    float norm = 0;
    for (size_t i = 0; i < DIM; i++) {
        float sum = 0;
        for (int k = 0; k < 4; k++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            sum += (float)(seed >> 40) / (float)(1 << 24) - 0.5f;
        }
        v[i] = sum;
        norm += sum * sum;
    }
    for (size_t i = 0; i < DIM; i++)
        v[i] /= sqrtf(norm);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *t)
{
    qsort(t, RUNS, sizeof *t, ascending);
    return t[RUNS / 2];
}

/* Bytes per microsecond of reading 256 MiB once, with eight independent sums. */
static double bandwidth(void)
{
    size_t n = (256u << 20) / sizeof(uint64_t);
    uint64_t *data = malloc(n * sizeof *data), sum[8] = {0};
    double t[RUNS];
    if (!data)
        exit(1);
    memset(data, 1, n * sizeof *data);
    for (size_t r = 0; r < RUNS; r++) {
        int64_t start = os_monotonic_us();
        for (size_t i = 0; i < n; i += 8)
            for (size_t j = 0; j < 8; j++)
                sum[j] += data[i + j];
        t[r] = (double)(os_monotonic_us() - start);
    }
    volatile uint64_t keep = sum[0] + sum[7];
    (void)keep;
    free(data);
    return (double)(n * sizeof *data) / median(t);
}

static double measure(struct vectors_exact *ix, struct pool *pool, const float *queries, size_t batch,
                      enum vectors_scan scan)
{
    struct vectors_hit hits[8 * 10];
    size_t counts[8];
    struct error err;
    double t[RUNS];
    for (size_t r = 0; r < RUNS; r++) {
        int64_t start = os_monotonic_us();
        if (vectors_exact_search(ix, pool, queries + r * DIM, batch, 10, scan, NULL, hits, counts, &err) != OK)
            exit(1);
        t[r] = (double)(os_monotonic_us() - start) / (double)batch;
    }
    return median(t);
}

int main(int argc, char **argv)
{
    static const char *const usual[] = {"", "328", "10000", "100000"};
    double bytes_per_us = bandwidth();
    struct error err;
    struct pool *pool;
    if (pool_open("bench", 2, 1, &pool, &err) != OK)
        return 1;
    printf("read bandwidth of one core: %.1f GB/s; %u dimensions, best 10\n", bytes_per_us / 1000, DIM);
    printf("%9s %12s %8s %12s %12s %12s %8s\n", "rows", "int8 us", "/floor", "int8 x8 us", "int8 2thr us", "fp32 us",
           "/floor");
    for (int a = 1; a < (argc > 1 ? argc : 4); a++) {
        size_t rows = strtoul(argc > 1 ? argv[a] : usual[a], NULL, 10);
        float v[DIM], *queries = malloc((RUNS + 8) * sizeof v);
        struct vectors_exact *ix;
        if (!queries || vectors_exact_open(DIM, &ix, &err) != OK)
            return 1;
        for (size_t i = 0; i < rows; i++) {
            random_vector(v);
            if (vectors_exact_put(ix, (int64_t)i, v, &err) != OK)
                return 1;
        }
        for (size_t i = 0; i < RUNS + 8; i++)
            random_vector(queries + i * DIM);
        double i8 = measure(ix, NULL, queries, 1, VECTORS_INT8), x8 = measure(ix, NULL, queries, 8, VECTORS_INT8),
               two = measure(ix, pool, queries, 1, VECTORS_INT8), f32 = measure(ix, NULL, queries, 1, VECTORS_FP32);
        double codes = (double)(rows * DIM);
        printf("%9zu %12.0f %8.2f %12.0f %12.0f %12.0f %8.2f\n", rows, i8, i8 / (codes / bytes_per_us), x8, two, f32,
               f32 / (4 * codes / bytes_per_us));
        vectors_exact_close(ix);
        free(queries);
    }
    pool_close(pool);
    return 0;
}
