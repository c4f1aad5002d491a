/* The kernels as plain loops: what to read first, what the fast ones are tested against, and what runs
 * where there is nothing better. Loops over a tile's columns are simple enough for compilers to vectorise. */
#include "model/kernels/isa.h"

#include <math.h>
#include <string.h>

enum { MR = 4, NR = 16 };

static float bits_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static uint32_t float_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static void tile_fp32(size_t rows, const uint32_t *w, const uint32_t *x, size_t units, const uint32_t *ahead,
                      size_t pace, uint32_t *out)
{
    (void)ahead, (void)pace;
    for (size_t r = 0; r < rows; r++) {
        float sum[NR] = {0};
        for (size_t u = 0; u < units; u++)
            for (size_t j = 0; j < NR; j++)
                sum[j] += bits_float(x[u * rows + r]) * bits_float(w[u * NR + j]);
        memcpy(out + r * NR, sum, sizeof sum);
    }
}

static void tile_bf16(size_t rows, const uint32_t *w, const uint32_t *x, size_t units, const uint32_t *ahead,
                      size_t pace, uint32_t *out)
{
    (void)ahead, (void)pace;
    for (size_t r = 0; r < rows; r++) {
        float sum[NR] = {0};
        for (size_t u = 0; u < units; u++) {
            uint32_t a = x[u * rows + r];
            for (size_t j = 0; j < NR; j++) {
                uint32_t b = w[u * NR + j];
                sum[j] += bits_float(a << 16) * bits_float(b << 16);
                sum[j] += bits_float(a & 0xffff0000) * bits_float(b & 0xffff0000);
            }
        }
        memcpy(out + r * NR, sum, sizeof sum);
    }
}

static void tile_int8(size_t rows, const uint32_t *w, const uint32_t *x, size_t units, const uint32_t *ahead,
                      size_t pace, uint32_t *out)
{
    (void)ahead, (void)pace;
    for (size_t r = 0; r < rows; r++) {
        int32_t sum[NR] = {0};
        for (size_t u = 0; u < units; u++)
            for (unsigned b = 0; b < 32; b += 8) {
                int32_t a = (int32_t)(x[u * rows + r] >> b & 0xff);
                for (size_t j = 0; j < NR; j++)
                    sum[j] += a * (int8_t)(w[u * NR + j] >> b & 0xff);
            }
        memcpy(out + r * NR, sum, sizeof sum);
    }
}

static void convert_fp32(const float *x, size_t k, const float *shrink, uint32_t *units, float *scale, int32_t *zero)
{
    (void)shrink, (void)scale, (void)zero;
    memcpy(units, x, k * sizeof *x);
}

static void convert_bf16(const float *x, size_t k, const float *shrink, uint32_t *units, float *scale, int32_t *zero)
{
    (void)shrink, (void)scale, (void)zero;
    memset(units, 0, (k + 1) / 2 * sizeof *units);
    for (size_t i = 0; i < k; i++) {
        uint32_t u = float_bits(x[i]);
        units[i / 2] |= (u + 0x7fff + (u >> 16 & 1)) >> 16 << (16 * (i % 2));
    }
}

/* The row's range, which always includes 0, is spread over 0..255. */
static void convert_int8(const float *x, size_t k, const float *shrink, uint32_t *units, float *scale, int32_t *zero)
{
    float least = 0, most = 0;
    for (size_t i = 0; i < k; i++) {
        float v = shrink ? x[i] * shrink[i] : x[i];
        least = v < least ? v : least;
        most = v > most ? v : most;
    }
    struct int8_range range = int8_range(least, most);
    *scale = range.scale;
    *zero = range.zero;
    memset(units, 0, (k + 3) / 4 * sizeof *units);
    for (size_t i = 0; i < k; i++) {
        float q = (shrink ? x[i] * shrink[i] : x[i]) * range.inverse + (float)range.zero;
        q = q > 0 ? q : 0; /* not-a-number too */
        q = q < 255 ? q : 255;
        units[i / 4] |= (float_bits(q + 0x1p23f) & 0xff) << (8 * (i % 4));
    }
}

static float activate(enum kernel_act act, float x)
{
    switch (act) {
    case ACT_QUICK_GELU:
        return x / (1 + expf(-1.702f * x));
    case ACT_GELU:
        return 0.5f * x * (1 + erff(x * 0.70710678f));
    case ACT_NONE:
        break;
    }
    return x;
}

static void finish(const struct finish *f, const uint32_t *tile)
{
    for (size_t r = 0; r < f->rows; r++)
        for (size_t j = 0; j < f->cols; j++) {
            uint32_t sum = tile[r * NR + j];
            float y = bits_float(sum);
            if (f->w_scale) /* sum of (q - zero) * w: below 2^31, even where one of the two parts is not */
                y = (float)(int32_t)(sum - (uint32_t)f->x_zero[r] * (uint32_t)f->w_sum[j]) *
                    (f->x_scale[r] * f->w_scale[j]);
            if (f->bias)
                y += f->bias[j];
            y = activate(f->act, y);
            float *c = &f->c[r * f->ldc + j];
            *c = f->add ? *c + y : y;
        }
}

static void layer_norm(const float *x, size_t n, const float *gain, const float *bias, float epsilon, float *out)
{
    float mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (float)n;
    for (size_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean);
    float s = 1 / sqrtf(variance / (float)n + epsilon);
    for (size_t i = 0; i < n; i++)
        out[i] = (x[i] - mean) * s * gain[i] + bias[i];
}

static void softmax(float *x, size_t n, float scale)
{
    float most = x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        most = fmaxf(most, x[i]);
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(scale * (x[i] - most));
        sum += x[i];
    }
    for (size_t i = 0; i < n; i++)
        x[i] /= sum;
}

#define SCALAR(TYPE, suffix, values)                                                                                   \
    const struct kernels kernels_scalar_##suffix = {.name = "scalar",                                                  \
                                                    .isa = ISA_SCALAR,                                                 \
                                                    .type = TYPE,                                                      \
                                                    .mr = MR,                                                          \
                                                    .nr = NR,                                                          \
                                                    .group = values,                                                   \
                                                    .tile = tile_##suffix,                                             \
                                                    .convert = convert_##suffix,                                       \
                                                    .finish = finish,                                                  \
                                                    .layer_norm = layer_norm,                                          \
                                                    .softmax = softmax}
SCALAR(KERNEL_FP32, fp32, 1);
SCALAR(KERNEL_BF16, bf16, 2);
SCALAR(KERNEL_INT8, int8, 4);
