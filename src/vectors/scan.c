/* The plain loops: the ones to read, and to test the others against. */
#include "vectors/scan.h"

#include <math.h>
#include <string.h>

#if defined __x86_64__
extern const struct scan_kernels scan_avx2, scan_vnni;
#endif

static void scalar_dot_i8(const int8_t *codes, const int32_t *sum, size_t rows, size_t stride, const int8_t *queries,
                          size_t n, int32_t *dots)
{
    (void)sum;
    for (size_t q = 0; q < n; q++)
        for (size_t r = 0; r < rows; r++) {
            int32_t dot = 0;
            for (size_t i = 0; i < stride; i++)
                dot += (int32_t)codes[r * stride + i] * queries[q * stride + i];
            dots[q * rows + r] = dot;
        }
}

static void scalar_dot_i8_at(const int8_t *codes, const int32_t *sum, const uint32_t *places, size_t n, size_t stride,
                             const int8_t *query, int32_t *dots)
{
    for (size_t i = 0; i < n; i++)
        scalar_dot_i8(codes + places[i] * stride, sum + places[i], 1, stride, query, 1, &dots[i]);
}

/* Eight partial sums: the compiler vectorises this, and the rounding error stays small. */
static float scalar_dot_f32(const float *a, const float *b, size_t n)
{
    float part[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            part[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        part[0] += a[i] * b[i];
    return ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
}

const struct scan_kernels scan_scalar = {"scalar", scalar_dot_i8, scalar_dot_i8_at, scalar_dot_f32};

const struct scan_kernels *const *scan_available(void)
{
#if defined __x86_64__
    static const struct scan_kernels *const vnni[] = {&scan_vnni, &scan_avx2, &scan_scalar, NULL};
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl")
                   ? vnni
                   : vnni + 1;
    return vnni + 2;
#else
    static const struct scan_kernels *const scalar[] = {&scan_scalar, NULL};
    return scalar;
#endif
}

struct coded scan_quantize(const float *vector, size_t dim, size_t stride, int8_t *codes)
{
    float largest = 0;
    for (size_t i = 0; i < dim; i++)
        largest = fmaxf(largest, fabsf(vector[i]));
    float scale = largest > 0 ? largest / 127 : 1;
    double residual = 0, norm = 0;
    struct coded c = {.scale = scale};
    for (size_t i = 0; i < dim; i++) {
        long code = lrintf(vector[i] / scale);
        code = code > 127 ? 127 : code < -127 ? -127 : code;
        double restored = (double)code * (double)scale, error = (double)vector[i] - restored;
        codes[i] = (int8_t)code;
        c.sum += (int32_t)code;
        residual += error * error;
        norm += restored * restored;
    }
    memset(codes + dim, 0, stride - dim);
    c.residual = nextafterf((float)sqrt(residual), INFINITY);
    c.code_norm = nextafterf((float)sqrt(norm), INFINITY);
    return c;
}
