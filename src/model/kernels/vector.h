/* vector.h: the element-wise kernels, written once over vectors of VBYTES bytes (compilers' vector
 * extension). The including file defines VBYTES and, from its intrinsics: V_MAX(a, b), V_MIN(a, b) (which
 * give b where a is not a number), V_SUM(a), V_LARGEST(a), V_INVERSE(a) (of 1 or more), V_BYTES(a) (of numbers up to
 * 255); and TILE_NR, the columns of its tiles. */
#include "model/kernels/isa.h"

#include <math.h>
#include <string.h>

#if defined(__clang__)
#define TILE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TILE_UNROLL _Pragma("GCC unroll 16")
#endif

enum { LANES = VBYTES / 4 };

typedef float vf __attribute__((vector_size(VBYTES)));
typedef int32_t vi __attribute__((vector_size(VBYTES)));
typedef uint32_t vu __attribute__((vector_size(VBYTES)));
typedef uint8_t vbytes __attribute__((vector_size(VBYTES / 4)));
typedef uint16_t vhalves __attribute__((vector_size(VBYTES / 2)));

static inline vf v_load(const float *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void v_store(float *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

/* The first n < LANES floats, then zeros. */
static inline vf v_load_part(const float *p, size_t n)
{
    vf v = {0};
    memcpy(&v, p, n * sizeof(float));
    return v;
}

static inline vf v_all(float f)
{
    return f - (vf){0};
}

/* e^x, relative error below 2e-7; x is held to -87..88 (Cephes' polynomial). */
static inline vf v_exp(vf x)
{
    x = V_MIN(V_MAX(x, v_all(-87)), v_all(88));
    vf shifted = x * 1.44269504f + 0x1.8p23f; /* the rounded power of two, in the low bits */
    vf n = shifted - 0x1.8p23f;
    vf r = x - n * 0.693359375f + n * 2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1;
    return p * (vf)(((vi)shifted << 23) + 0x3f800000);
}

/* x * Phi(x) = x / 2 * (1 + erf(x / sqrt(2))). What follows the 1 is x * P(x^2) / Q(x^2), fitted to it on 0..5.3 by
 * least squares with Lawson's weights (largest error 1e-8, in float32 4e-7); beyond, it is 1 or -1. */
static inline vf v_gelu(vf x)
{
    vf z = V_MIN(V_MAX(x, v_all(-5.3f)), v_all(5.3f)), t = z * z;
    vf p = t * 4.81005807e-8f + 1.27577834e-5f;
    vf q = t * 1.23715562e-6f + 7.1348668e-5f;
    p = p * t + 3.20649503e-4f;
    q = q * t + 1.83651656e-3f;
    p = p * t + 9.25586475e-3f;
    q = q * t + 2.81383153e-2f;
    p = p * t + 6.58698712e-2f;
    q = q * t + 2.49221871e-1f;
    p = p * t + 7.97884508e-1f;
    q = q * t + 1;
    x *= 0.5f;
    return x * (z * p * V_INVERSE(q)) + x;
}

static inline vf v_act(enum kernel_act act, vf x)
{
    if (act == ACT_QUICK_GELU)
        return x * V_INVERSE(1 + v_exp(-1.702f * x));
    return act == ACT_GELU ? v_gelu(x) : x;
}

/* One vector of columns, from column j; inlined for what is constant. c: where column j of the first row goes. */
static inline __attribute__((always_inline)) void v_finish_columns(const struct finish *f, const uint32_t *tile,
                                                                   size_t j, float *c, size_t ldc,
                                                                   const enum kernel_act act, const bool int8,
                                                                   const bool add)
{
    const float *x_scale = f->x_scale;
    const int32_t *x_zero = f->x_zero;
    const size_t rows = f->rows;
    vf bias = f->bias ? v_load(f->bias + j) : v_all(0), scale = v_all(0);
    vu sums = {0};
    if (int8) {
        scale = v_load(f->w_scale + j);
        memcpy(&sums, f->w_sum + j, sizeof sums);
    }
    for (size_t r = 0; r < rows; r++, c += ldc) {
        vf y = v_load((const float *)(tile + r * TILE_NR + j));
        if (int8) { /* sum of (q - zero) * w: below 2^31, even where one of the two parts is not */
            vu whole = (vu)y - sums * (uint32_t)x_zero[r];
            y = __builtin_convertvector((vi)whole, vf) * (scale * x_scale[r]);
        }
        y = v_act(act, y + bias);
        v_store(c, add ? v_load(c) + y : y);
    }
}

/* The last columns, fewer than a vector has: by a copy. */
static __attribute__((noinline)) void v_finish_last(const struct finish *f, const uint32_t *tile, size_t j)
{
    float copy[KERNEL_MAX_MR * LANES];
    if (f->act == ACT_GELU)
        v_finish_columns(f, tile, j, copy, LANES, ACT_GELU, f->w_scale, false);
    else if (f->act == ACT_QUICK_GELU)
        v_finish_columns(f, tile, j, copy, LANES, ACT_QUICK_GELU, f->w_scale, false);
    else
        v_finish_columns(f, tile, j, copy, LANES, ACT_NONE, f->w_scale, false);
    for (size_t r = 0; r < f->rows; r++)
        for (size_t k = 0; k < f->cols - j; k++) {
            float *c = f->c + r * f->ldc + j + k;
            *c = copy[r * LANES + k] + (f->add ? *c : 0);
        }
}

static inline __attribute__((always_inline)) void
v_finish_all(const struct finish *f, const uint32_t *tile, const enum kernel_act act, const bool int8, const bool add)
{
    size_t j = 0;
    for (; j + LANES <= f->cols; j += LANES)
        v_finish_columns(f, tile, j, f->c + j, f->ldc, act, int8, add);
    if (j < f->cols)
        v_finish_last(f, tile, j);
}

static inline __attribute__((always_inline)) void v_finish_type(const struct finish *f, const uint32_t *tile,
                                                                const bool int8)
{
    if (f->act == ACT_GELU)
        v_finish_all(f, tile, ACT_GELU, int8, f->add);
    else if (f->act == ACT_QUICK_GELU)
        v_finish_all(f, tile, ACT_QUICK_GELU, int8, f->add);
    else if (f->add)
        v_finish_all(f, tile, ACT_NONE, int8, true);
    else
        v_finish_all(f, tile, ACT_NONE, int8, false);
}

static void v_finish(const struct finish *f, const uint32_t *tile)
{
    if (f->w_scale)
        v_finish_type(f, tile, true);
    else
        v_finish_type(f, tile, false);
}

static void v_layer_norm(const float *x, size_t n, const float *gain, const float *bias, float epsilon, float *out)
{
    size_t whole = n / LANES * LANES;
    vf sums = {0};
    for (size_t i = 0; i < whole; i += LANES)
        sums += v_load(x + i);
    float sum = V_SUM(sums);
    for (size_t i = whole; i < n; i++)
        sum += x[i];
    float mean = sum / (float)n;
    sums = v_all(0);
    for (size_t i = 0; i < whole; i += LANES) {
        vf d = v_load(x + i) - mean;
        sums += d * d;
    }
    sum = V_SUM(sums);
    for (size_t i = whole; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    float s = 1 / sqrtf(sum / (float)n + epsilon);
    for (size_t i = 0; i < whole; i += LANES)
        v_store(out + i, (v_load(x + i) - mean) * s * v_load(gain + i) + v_load(bias + i));
    for (size_t i = whole; i < n; i++)
        out[i] = (x[i] - mean) * s * gain[i] + bias[i];
}

static void v_softmax(float *x, size_t n, float scale)
{
    size_t end = (n + LANES - 1) / LANES * LANES;
    for (size_t i = n; i < end; i++)
        x[i] = -INFINITY; /* becomes e^-87 of the largest: nothing */
    vf most = v_load(x);
    for (size_t i = LANES; i < end; i += LANES)
        most = V_MAX(v_load(x + i), most);
    float largest = V_LARGEST(most);
    vf sums = {0};
    for (size_t i = 0; i < end; i += LANES) {
        vf e = v_exp((v_load(x + i) - largest) * scale);
        sums += e;
        v_store(x + i, e);
    }
    float inverse = 1 / V_SUM(sums);
    for (size_t i = 0; i < end; i += LANES)
        v_store(x + i, v_load(x + i) * inverse);
}

static inline void v_convert_fp32(const float *x, size_t k, const float *shrink, uint32_t *units, float *scale,
                                  int32_t *zero)
{
    (void)shrink, (void)scale, (void)zero;
    memcpy(units, x, k * sizeof *x);
}

static inline vhalves v_to_bf16(vf v)
{
    vu u = (vu)v;
    return __builtin_convertvector((u + 0x7fff + (u >> 16 & 1)) >> 16, vhalves);
}

static inline void v_convert_bf16(const float *x, size_t k, const float *shrink, uint32_t *units, float *scale,
                                  int32_t *zero)
{
    (void)shrink, (void)scale, (void)zero;
    unsigned char *to = (unsigned char *)units;
    size_t whole = k / LANES * LANES;
    if (k % 2)
        units[k / 2] = 0;
    for (size_t i = 0; i < whole; i += LANES) {
        vhalves h = v_to_bf16(v_load(x + i));
        memcpy(to + 2 * i, &h, sizeof h);
    }
    vhalves rest = v_to_bf16(v_load_part(x + whole, k - whole));
    memcpy(to + 2 * whole, &rest, 2 * (k - whole));
}

static inline vbytes v_to_int8(vf v, float inverse, float shift)
{
    v = V_MIN(V_MAX(v * inverse + shift, v_all(0)), v_all(255)) + 0x1p23f;
    return V_BYTES((vu)v & 0xff);
}

static inline __attribute__((always_inline)) void v_quantize(const float *x, size_t k, const float *shrink,
                                                             uint32_t *units, float *scale, int32_t *zero)
{
    size_t whole = k / LANES * LANES;
    vf lows = {0}, highs = {0};
    for (size_t i = 0; i < whole; i += LANES) {
        vf v = shrink ? v_load(x + i) * v_load(shrink + i) : v_load(x + i);
        lows = V_MIN(v, lows);
        highs = V_MAX(v, highs);
    }
    vf rest = v_load_part(x + whole, k - whole);
    if (shrink)
        rest *= v_load_part(shrink + whole, k - whole);
    lows = V_MIN(rest, lows);
    highs = V_MAX(rest, highs);
    struct int8_range range = int8_range(-V_LARGEST(-lows), V_LARGEST(highs));
    *scale = range.scale;
    *zero = range.zero;
    unsigned char *to = (unsigned char *)units;
    units[(k - 1) / 4] = 0;
    for (size_t i = 0; i < whole; i += LANES) {
        vf v = shrink ? v_load(x + i) * v_load(shrink + i) : v_load(x + i);
        vbytes q = v_to_int8(v, range.inverse, (float)range.zero);
        memcpy(to + i, &q, sizeof q);
    }
    vbytes q = v_to_int8(rest, range.inverse, (float)range.zero);
    memcpy(to + whole, &q, k - whole);
}

static inline void v_convert_int8(const float *x, size_t k, const float *shrink, uint32_t *units, float *scale,
                                  int32_t *zero)
{
    if (shrink)
        v_quantize(x, k, shrink, units, scale, zero);
    else
        v_quantize(x, k, NULL, units, scale, zero);
}
