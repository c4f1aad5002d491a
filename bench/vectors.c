/* Exact search at growing sizes: build/release/bench/vectors [rows ...]
 * or of the vectors and queries of a file (bench/peers/vectors.py): build/release/bench/vectors FILE rows
 * Times are the least per query, of one thread's CPU unless said otherwise; the floor is the bytes of the codes (or of
 * the fp32 vectors) over the read bandwidth measured in the same run. */
#include "machine.h"
#include "vectors/vectors_exact.h"

#include <math.h>

#define DIM  512u
#define RUNS 41u

static uint64_t seed = 42;

/* The next one of the file, or a random one. */
static void next_vector(FILE *file, float *v)
{
    float norm = 0;
    if (file) {
        if (fread(v, sizeof *v, DIM, file) != DIM)
            fail("the file has too few vectors");
        return;
    }
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

static void bench(size_t rows, FILE *file, struct pool *pool, double bytes_per_us)
{
    struct error err;
    float v[DIM], *queries = need((RUNS + 8) * sizeof v);
    struct vectors_exact *ix;
    if (vectors_exact_open(DIM, &ix, &err) != OK)
        fail(err.message);
    for (size_t i = 0; i < rows; i++) {
        next_vector(file, v);
        if (vectors_exact_put(ix, (int64_t)i, v, &err) != OK)
            fail(err.message);
    }
    for (size_t i = 0; i < RUNS + 8; i++)
        next_vector(file, queries + i * DIM);
    double i8 = measure(ix, NULL, queries, 1, VECTORS_INT8), x8 = measure(ix, NULL, queries, 8, VECTORS_INT8),
           two = measure(ix, pool, queries, 1, VECTORS_INT8), f32 = measure(ix, NULL, queries, 1, VECTORS_FP32);
    double codes = (double)(rows * DIM);
    printf("%9zu %12.0f %8.2f %12.0f %12.0f %12.0f %8.2f\n", rows, i8, i8 / (codes / bytes_per_us), x8, two, f32,
           f32 / (4 * codes / bytes_per_us));
    vectors_exact_close(ix);
    free(queries);
}

int main(int argc, char **argv)
{
    static const size_t usual[] = {328, 10000, 100000};
    double bytes_per_us = bandwidth(NULL, 1);
    struct error err;
    struct pool *pool;
    if (pool_open("bench", 2, 1, &pool, &err) != OK)
        fail(err.message);
    printf("read bandwidth of one core: %.1f GB/s; %u dimensions, best 10\n", bytes_per_us / 1000, DIM);
    printf("%9s %12s %8s %12s %12s %12s %8s\n", "rows", "int8 us", "/floor", "int8 x8 us", "int8 2thr us", "fp32 us",
           "/floor");
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    for (size_t i = 0; argc == 1 && i < sizeof usual / sizeof *usual; i++)
        bench(usual[i], NULL, pool, bytes_per_us);
    for (int i = file ? 2 : 1; i < argc; i++)
        bench(strtoul(argv[i], NULL, 10), file, pool, bytes_per_us);
    if (file)
        fclose(file);
    pool_close(pool);
    return 0;
}
