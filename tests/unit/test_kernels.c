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
    rows_pack(k, x, ldx, m, depth, row_memory, &rows);
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

/* int8 sums are exact: the largest products in a long row must not overflow or saturate. */
static void int8_does_not_saturate(void **state)
{
    (void)state;
    const struct kernels *all[3];
    size_t count = all_kernels(KERNEL_INT8, all), depth = 32768;
    float *x = malloc(depth * sizeof *x), *w = malloc(depth * sizeof *w);
    assert_true(x && w);
    for (size_t i = 0; i < depth; i++)
        x[i] = i % 2 ? 1.0f : -0.001f, w[i] = i % 2 ? -1.0f : 1.0f;
    for (size_t i = 0; i < count; i++) {
        struct matrix packed;
        struct rows rows;
        void *a = packed_memory(matrix_bytes(all[i], 1, depth)), *b = packed_memory(rows_bytes(all[i], 1, depth));
        float c = 0;
        matrix_place(all[i], 1, depth, a, &packed);
        matrix_pack_panel(all[i], &packed, 0, w, NULL);
        rows_pack(all[i], x, depth, 1, depth, b, &rows);
        matmul(all[i], &packed, &rows, 0, 1, ACT_NONE, false, &c, 1);
        assert_true(fabsf(c + 16384) < 80);
        free(a);
        free(b);
    }
    free(x);
    free(w);
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
                rows_pack(all[i], x, 20, 1, 20, b, &rows);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(matmul_is_right), cmocka_unit_test(int8_does_not_saturate),
                                       cmocka_unit_test(odd_values), cmocka_unit_test(layer_norm_is_right),
                                       cmocka_unit_test(softmax_is_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
