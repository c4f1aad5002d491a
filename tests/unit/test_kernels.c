/* Every kernel against plain sums in double precision, over odd shapes. */
#include "cm.h"

#include "model/kernels/kernels.h"
#include <math.h>
#include <string.h>

static uint64_t next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

/* Roughly normal, mean 0, variance 1. */
static float random_float(uint64_t *s)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)next_random(s) / 0x1p31;
    return (float)sum;
}

static float *random_floats(uint64_t *s, size_t n)
{
    float *f = malloc(n * sizeof *f);
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        f[i] = random_float(s);
    return f;
}

static void *packed_memory(size_t bytes)
{
    void *p = aligned_alloc(KERNEL_ALIGN, bytes);
    assert_non_null(p);
    memset(p, 0, bytes);
    return p;
}

static double activated(enum kernel_act act, double x)
{
    if (act == ACT_QUICK_GELU)
        return x / (1 + exp(-1.702 * x));
    return act == ACT_GELU ? 0.5 * x * (1 + erf(x * 0.70710678118654752)) : x;
}

/* The kernels of a type, without repeats. */
static size_t all_kernels(enum kernel_type type, const struct kernels *out[3])
{
    size_t n = 0;
    for (enum kernel_isa isa = ISA_SCALAR; isa <= ISA_BEST; isa++) {
        const struct kernels *k = kernels_get(type, isa);
        if (n == 0 || out[n - 1] != k)
            out[n++] = k;
    }
    return n;
}

static void check_matmul(const struct kernels *k, size_t m, size_t n, size_t depth, enum kernel_act act, bool add,
                         uint64_t seed)
{
    uint64_t s = seed;
    size_t ldx = depth + 3, ldc = n + 5;
    float *x = random_floats(&s, m * ldx), *w = random_floats(&s, n * depth), *bias = random_floats(&s, n);
    float *c = random_floats(&s, m * ldc), *before = malloc(m * ldc * sizeof *c);
    assert_non_null(before);
    memcpy(before, c, m * ldc * sizeof *c);

    struct matrix packed;
    void *memory = packed_memory(matrix_bytes(k, n, depth));
    matrix_place(k, n, depth, memory, &packed);
    for (size_t p = 0; p < matrix_panels(k, &packed); p++)
        matrix_pack_panel(k, &packed, p, w + p * k->nr * depth, bias + p * k->nr);
    struct rows rows;
    void *row_memory = packed_memory(rows_bytes(k, m, depth));
    rows_pack(k, x, ldx, m, depth, NULL, row_memory, &rows);
    size_t split = matrix_panels(k, &packed) / 2;
    matmul(k, &packed, &rows, 0, split, act, add, c, ldc);
    matmul(k, &packed, &rows, split, matrix_panels(k, &packed), act, add, c, ldc);

    /* The rounding that a precision brings to one product, of values of about 1 (int8: of rows and
     * columns whose largest is about 4), adds up as a random walk. */
    double one = k->type == KERNEL_FP32 ? 1e-6 : k->type == KERNEL_BF16 ? 0.008 : 0.05;
    double tolerance = one * (5 + 5 * sqrt((double)depth));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < ldc; j++) {
            double want = (double)before[i * ldc + j];
            if (j < n) {
                double sum = (double)bias[j];
                for (size_t d = 0; d < depth; d++)
                    sum += (double)x[i * ldx + d] * (double)w[j * depth + d];
                want = activated(act, sum) + (add ? want : 0);
            }
            double got = (double)c[i * ldc + j];
            if (!(fabs(got - want) <= (j < n ? tolerance : 0)))
                fail_msg("%s type %d, %zu x %zu x %zu, act %d: [%zu, %zu]: expected %g, found %g", k->name, k->type, m,
                         n, depth, act, i, j, want, got);
        }
    free(x);
    free(w);
    free(bias);
    free(c);
    free(before);
    free(memory);
    free(row_memory);
}

static void matmul_is_right(void **state)
{
    (void)state;
    static const size_t ns[] = {1, 15, 16, 31, 33, 70}, depths[] = {1, 2, 3, 5, 16, 31, 64, 75, 130};
    uint64_t seed = 1;
    for (enum kernel_type type = KERNEL_FP32; type <= KERNEL_INT8; type++) {
        const struct kernels *all[3];
        size_t count = all_kernels(type, all);
        for (size_t i = 0; i < count; i++) {
            for (size_t m = 1; m <= 80; m++)
                check_matmul(all[i], m, ns[m % 6], depths[m % 9], (enum kernel_act)(m % 3), m % 2, seed++);
            for (size_t a = 0; a < 6; a++)
                for (size_t b = 0; b < 9; b++)
                    check_matmul(all[i], 1 + (a * 9 + b) % 17, ns[a], depths[b], ACT_NONE, false, seed++);
        }
    }
}

/* Weights of a pattern: all of one sign, alternating, in the same lane, random, with one that is far larger. */
static float patterned(unsigned pattern, size_t i, uint64_t *s)
{
    switch (pattern) {
    case 0:
        return 1;
    case 1:
        return -1;
    case 2:
        return i % 2 ? -1.0f : 1.0f;
    case 3:
        return i / 2 % 2 ? -1.0f : 1.0f;
    case 4:
        return random_float(s);
    default:
        return i == 5 ? 30 : random_float(s);
    }
}

/* The byte that belongs to column j and depth i of a packed panel, or of a row in a block of `nr` rows. */
static uint32_t byte_of(const uint32_t *units, size_t nr, size_t j, size_t i)
{
    return units[i / 4 * nr + j] >> (8 * (i % 4)) & 0xff;
}

/* What comes out of a tile of int8 is exactly the sum of the bytes' products, whatever the activations: also where all
 * are 255, or those that meet weights of one sign. */
static void int8_is_exact(void **state)
{
    (void)state;
    static const size_t depths[] = {1, 3, 4, 8, 9, 12, 16, 61, 64, 384, 1000, 32768};
    const struct kernels *all[3];
    size_t count = all_kernels(KERNEL_INT8, all);
    uint64_t s = 3;
    for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
        for (unsigned pattern = 0; pattern < 6; pattern++)
            for (size_t i = 0; i < count; i++) {
                const struct kernels *k = all[i];
                size_t depth = depths[d], rows = 1 + (d + pattern) % k->mr, units = (depth + 3) / 4;
                struct matrix w;
                void *memory = packed_memory(matrix_bytes(k, k->nr, depth));
                float *weights = malloc(k->nr * depth * sizeof *weights);
                uint32_t *x = calloc(rows * units, sizeof *x), got[KERNEL_MAX_MR * KERNEL_MAX_NR];
                assert_true(weights && x);
                for (size_t j = 0; j < k->nr * depth; j++)
                    weights[j] = patterned(pattern, j % depth, &s);
                matrix_place(k, k->nr, depth, memory, &w);
                matrix_pack_panel(k, &w, 0, weights, NULL);
                for (size_t r = 0; r < rows; r++)
                    for (size_t j = 0; j < depth; j++) {
                        bool up = byte_of(w.panels, k->nr, 0, j) < 128;
                        uint32_t any = (uint32_t)(next_random(&s) & 0xff), q = r == 0   ? 255
                                                                               : r == 1 ? 255 * up
                                                                               : r == 2 ? 255 * !up
                                                                                        : any;
                        x[j / 4 * rows + r] |= q << (8 * (j % 4));
                    }
                k->tile(rows, w.panels, x, units, w.panels, 1, got);
                for (size_t r = 0; r < rows; r++)
                    for (size_t j = 0; j < k->nr; j++) {
                        int64_t want = 0;
                        for (size_t at = 0; at < depth; at++)
                            want += (int64_t)byte_of(x, rows, r, at) * (int8_t)byte_of(w.panels, k->nr, j, at);
                        if ((int32_t)got[r * k->nr + j] != want)
                            fail_msg("%s depth %zu pattern %u [%zu, %zu]: expected %lld, found %d", k->name, depth,
                                     pattern, r, j, (long long)want, (int32_t)got[r * k->nr + j]);
                    }
                free(x);
                free(weights);
                free(memory);
            }
}

/* A row and a matrix of which one is multiplied and the other divided by the same give the same product. */
static void shrunk_rows(void **state)
{
    (void)state;
    enum { N = 40, DEPTH = 67, M = 9 };
    const struct kernels *all[3];
    size_t count = all_kernels(KERNEL_INT8, all);
    uint64_t s = 5;
    for (size_t i = 0; i < count; i++) {
        float x[M * DEPTH], w[N * DEPTH], grown[N * DEPTH], shrink[DEPTH], c[M * N];
        for (size_t j = 0; j < DEPTH; j++)
            shrink[j] = j == 7 ? 0.01f : j % 3 ? 1.0f : 0.5f;
        for (size_t j = 0; j < M * DEPTH; j++)
            x[j] = random_float(&s) / shrink[j % DEPTH]; /* one channel a hundred times larger than the others */
        for (size_t j = 0; j < N * DEPTH; j++)
            w[j] = random_float(&s) * shrink[j % DEPTH], grown[j] = w[j] / shrink[j % DEPTH];
        struct matrix packed;
        struct rows rows;
        void *a = packed_memory(matrix_bytes(all[i], N, DEPTH)), *b = packed_memory(rows_bytes(all[i], M, DEPTH));
        matrix_place(all[i], N, DEPTH, a, &packed);
        for (size_t p = 0; p < matrix_panels(all[i], &packed); p++)
            matrix_pack_panel(all[i], &packed, p, grown + p * all[i]->nr * DEPTH, NULL);
        packed.shrink = shrink;
        rows_pack(all[i], x, DEPTH, M, DEPTH, packed.shrink, b, &rows);
        matmul(all[i], &packed, &rows, 0, matrix_panels(all[i], &packed), ACT_NONE, false, c, N);
        for (size_t r = 0; r < M; r++)
            for (size_t j = 0; j < N; j++) {
                double want = 0;
                for (size_t d = 0; d < DEPTH; d++)
                    want += (double)x[r * DEPTH + d] * (double)w[j * DEPTH + d];
                if (!(fabs((double)c[r * N + j] - want) < 1))
                    fail_msg("%s [%zu, %zu]: expected %g, found %g", all[i]->name, r, j, want, (double)c[r * N + j]);
            }
        free(a);
        free(b);
    }
}

/* Each activation on the whole of its range, within a float's last bits of the true one. */
static void activations_are_right(void **state)
{
    (void)state;
    const struct kernels *all[3];
    size_t count = all_kernels(KERNEL_FP32, all);
    for (size_t i = 0; i < count; i++)
        for (int act = ACT_NONE; act <= ACT_GELU; act++)
            for (float x = -14; x < 14; x += 0.37f / (float)KERNEL_MAX_NR) {
                _Alignas(KERNEL_ALIGN) float tile[KERNEL_MAX_NR] = {0}, c[KERNEL_MAX_NR];
                size_t nr = all[i]->nr;
                for (size_t j = 0; j < nr; j++)
                    tile[j] = x + 1e-3f * (float)j;
                const struct finish f = {.act = (enum kernel_act)act, .c = c, .ldc = nr, .rows = 1, .cols = nr};
                uint32_t bits[KERNEL_MAX_NR];
                memcpy(bits, tile, sizeof bits);
                all[i]->finish(&f, bits);
                for (size_t j = 0; j < nr; j++) {
                    double want = activated((enum kernel_act)act, (double)tile[j]);
                    if (!(fabs((double)c[j] - want) < 2e-7 + 2e-7 * fabs((double)tile[j])))
                        fail_msg("%s act %d of %.9g: expected %.9g, found %.9g", all[i]->name, act, (double)tile[j],
                                 want, (double)c[j]);
                }
            }
}

/* Rows and weights of zeros, and of values that are not numbers, neither divide by zero nor trap. */
static void odd_values(void **state)
{
    (void)state;
    for (enum kernel_type type = KERNEL_FP32; type <= KERNEL_INT8; type++) {
        const struct kernels *all[3];
        size_t count = all_kernels(type, all);
        for (size_t i = 0; i < count; i++) {
            float values[] = {0, NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-45f};
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                float x[20], w[20], c = 1;
                for (size_t j = 0; j < 20; j++)
                    x[j] = values[v], w[j] = values[v];
                struct matrix packed;
                struct rows rows;
                void *a = packed_memory(matrix_bytes(all[i], 1, 20)), *b = packed_memory(rows_bytes(all[i], 1, 20));
                matrix_place(all[i], 1, 20, a, &packed);
                matrix_pack_panel(all[i], &packed, 0, w, NULL);
                rows_pack(all[i], x, 20, 1, 20, NULL, b, &rows);
                matmul(all[i], &packed, &rows, 0, 1, ACT_QUICK_GELU, false, &c, 1);
                if (v == 0)
                    assert_true(c == 0);
                free(a);
                free(b);
            }
        }
    }
}

static void layer_norm_is_right(void **state)
{
    (void)state;
    uint64_t s = 7;
    const struct kernels *all[3];
    size_t count = all_kernels(KERNEL_FP32, all);
    for (size_t i = 0; i < count; i++)
        for (size_t n = 1; n <= 100; n++) {
            float *x = random_floats(&s, n), *gain = random_floats(&s, n), *bias = random_floats(&s, n);
            float *out = random_floats(&s, n);
            double mean = 0, variance = 0;
            for (size_t j = 0; j < n; j++)
                mean += (double)(x[j] += 3) / (double)n;
            for (size_t j = 0; j < n; j++)
                variance += pow((double)x[j] - mean, 2) / (double)n;
            all[i]->layer_norm(x, n, gain, bias, 1e-5f, out);
            for (size_t j = 0; j < n; j++) {
                double want = ((double)x[j] - mean) / sqrt(variance + 1e-5) * (double)gain[j] + (double)bias[j];
                if (!(fabs((double)out[j] - want) < 1e-4))
                    fail_msg("%s n %zu [%zu]: expected %g, found %g", all[i]->name, n, j, want, (double)out[j]);
            }
            all[i]->layer_norm(x, n, gain, bias, 1e-5f, x); /* in place */
            assert_memory_equal(x, out, n * sizeof *x);
            free(x);
            free(gain);
            free(bias);
            free(out);
        }
}

static void softmax_is_right(void **state)
{
    (void)state;
    uint64_t s = 9;
    const struct kernels *all[3];
    size_t count = all_kernels(KERNEL_FP32, all);
    for (size_t i = 0; i < count; i++)
        for (size_t n = 1; n <= 100; n++) {
            float x[112], y[112];
            double sum = 0, most = -1e9;
            for (size_t j = 0; j < n; j++) {
                x[j] = y[j] = 20 * random_float(&s);
                most = fmax(most, (double)x[j]);
            }
            for (size_t j = 0; j < n; j++)
                sum += exp(0.5 * ((double)x[j] - most));
            all[i]->softmax(y, n, 0.5f);
            for (size_t j = 0; j < n; j++) {
                double want = exp(0.5 * ((double)x[j] - most)) / sum;
                if (!(fabs((double)y[j] - want) < 1e-6))
                    fail_msg("%s n %zu [%zu]: expected %g, found %g", all[i]->name, n, j, want, (double)y[j]);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matmul_is_right), cmocka_unit_test(int8_is_exact),
                                       cmocka_unit_test(shrunk_rows),     cmocka_unit_test(activations_are_right),
                                       cmocka_unit_test(odd_values),      cmocka_unit_test(layer_norm_is_right),
                                       cmocka_unit_test(softmax_is_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
