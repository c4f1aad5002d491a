/* Exact search at growing sizes: build/release/bench/vectors [rows ...]
 * or of the vectors and queries of a file (bench/peers/vectors.py): build/release/bench/vectors FILE rows
 * or of those sorted into lists, with the recall: build/release/bench/vectors lists FILE rows [recall ...]
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

/* --- in lists --- */

#define QUERIES 100u
#define TRUTH   200u /* exact answers of each query in FILE.truth */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Memory in MiB by what it says in smaps_rollup: "Pss:", "Anonymous:". */
static double memory_of(const char *what)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, what, strlen(what)) == 0)
            kib = strtod(line + strlen(what), NULL);
    if (f)
        fclose(f);
    return kib / 1024;
}

static void measure_lists(struct vectors_exact *ix, const float *queries, const int64_t *truth, double recall, size_t k)
{
    struct vectors *v = vectors_exact_base(ix);
    struct arena a;
    double times[QUERIES];
    size_t found = 0;
    vectors_exact_tune(ix, &(struct vectors_tuning){.recall = recall});
    arena_init(&a, 16 << 20);
    for (size_t q = 0; q < QUERIES; q++) {
        struct vectors_query ask = {.vector = queries + q * DIM, .k = k};
        struct vectors_hit *hits;
        struct error err;
        size_t n;
        arena_reset(&a);
        double start = cpu_us();
        if (vectors_search(v, &ask, &a, &hits, &n, &err) != OK)
            fail(err.message);
        times[q] = cpu_us() - start;
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < k; j++)
                found += hits[i].id == truth[q * TRUTH + j];
    }
    qsort(times, QUERIES, sizeof *times, by_value);
    printf("asked for recall %.3f: best %3zu  %7.2f ms  median %7.2f  recall %.4f\n", recall, k, times[0] / 1000,
           times[QUERIES / 2] / 1000, (double)found / (double)(k * QUERIES));
    arena_free(&a);
}

static bool go_on(void *arg)
{
    (void)arg;
    return false;
}

static void bench_lists(const char *path, size_t rows, int n_recalls, char **recalls)
{
    char snapshot[4096], answers[4096];
    struct error err;
    struct vectors_exact *ix;
    float v[DIM], *queries = need(QUERIES * sizeof v);
    int64_t *truth = need(QUERIES * TRUTH * sizeof *truth);
    snprintf(snapshot, sizeof snapshot, "%s.index", path);
    snprintf(answers, sizeof answers, "%s.truth", path);
    FILE *file = fopen(path, "rb"), *exact = fopen(answers, "rb");
    if (!file || !exact || fread(truth, sizeof *truth, QUERIES * TRUTH, exact) != QUERIES * TRUTH)
        fail("cannot read the file or its .truth; bench/peers/vectors.py makes them");
    double start = cpu_us();
    bool made = vectors_exact_load(snapshot, "bench", DIM, (int64_t)rows, &ix, &err) == OK;
    if (!made && vectors_exact_open(DIM, &ix, &err) != OK)
        fail(err.message);
    if (made)
        printf("loaded in %.2f s of CPU: PSS %.0f MiB, of which %.0f anonymous\n", (cpu_us() - start) / 1e6,
               memory_of("Pss:"), memory_of("Anonymous:"));
    for (size_t i = 0; !made && i < rows; i++) {
        next_vector(file, v);
        if (vectors_exact_put(ix, (int64_t)i, v, &err) != OK)
            fail(err.message);
    }
    if (fseek(file, (long)(rows * sizeof v), SEEK_SET) != 0)
        fail("the file has too few vectors");
    for (size_t i = 0; i < QUERIES; i++)
        next_vector(file, queries + i * DIM);
    start = cpu_us();
    vectors_exact_tune(ix, &(struct vectors_tuning){.recall = 0.95});
    if (!made &&
        vectors_exact_sort(ix, snapshot, "bench", (int64_t)rows, &(struct vectors_stop){go_on, NULL}, &err) != OK)
        fail(err.message);
    if (!made)
        printf("sorted in %.1f s of CPU\n", (cpu_us() - start) / 1e6);
    for (int i = 0; i < n_recalls; i++)
        for (size_t k = 10; k <= 200; k += 190)
            measure_lists(ix, queries, truth, strtod(recalls[i], NULL), k);
    printf("memory: PSS %.0f MiB, of which %.0f anonymous\n", memory_of("Pss:"), memory_of("Anonymous:"));
    vectors_exact_close(ix);
    fclose(exact);
    fclose(file);
    free(truth);
    free(queries);
}

int main(int argc, char **argv)
{
    static const size_t usual[] = {328, 10000, 100000};
    static char *usual_recall[] = {"0.95"};
    if (argc >= 4 && strcmp(argv[1], "lists") == 0) {
        bench_lists(argv[2], strtoul(argv[3], NULL, 10), argc > 4 ? argc - 4 : 1, argc > 4 ? argv + 4 : usual_recall);
        return 0;
    }
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
