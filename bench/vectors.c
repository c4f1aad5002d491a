/* Exact search at growing sizes: build/release/bench/vectors [rows ...]
 * Times are the least per query, of one thread's CPU unless said otherwise; the floor is the bytes of the codes (or of
 * the fp32 vectors) over the read bandwidth measured in the same run. */
#include "machine.h"
#include "vectors/vectors_exact.h"

#include <math.h>

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

static double measure(struct vectors_exact *ix, struct pool *pool, const float *queries, size_t batch,
                      enum vectors_scan scan)
{
    struct vectors_hit hits[8 * 10];
    size_t counts[8];
    struct error err;
    double least = 1e18;
    for (size_t r = 0; r < RUNS; r++) {
        double start = pool ? (double)os_monotonic_us() : cpu_us();
        if (vectors_exact_search(ix, pool, queries + r * DIM, batch, 10, scan, NULL, hits, counts, &err) != OK)
            exit(1);
        double t = ((pool ? (double)os_monotonic_us() : cpu_us()) - start) / (double)batch;
        least = t < least ? t : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    static const char *const usual[] = {"", "328", "10000", "100000"};
    double bytes_per_us = bandwidth(NULL, 1);
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
