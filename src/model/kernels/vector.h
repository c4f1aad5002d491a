/* vector.h: the element-wise kernels, written once over vectors of VBYTES bytes (compilers' vector
 * extension). The including file defines VBYTES and, from its intrinsics: V_MAX(a, b), V_MIN(a, b) (which
 * give b where a is not a number), V_SUM(a), V_LARGEST(a), V_INVERSE(a) (of 1 or more); and TILE_NR, the columns of its
 * tiles. */
#include "model/kernels/isa.h"

#include <math.h>
#include <string.h>

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

/* Writes the first n < LANES floats. (Through a copy: a vector whose address is taken lives in memory.) */
static inline void v_store_part(float *p, vf v, size_t n)
{
    float copy[LANES];
    v_store(copy, v);
    memcpy(p, copy, n * sizeof(float));
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

/* x * Phi(x), Phi from Abramowitz and Stegun 7.1.26 (absolute error of erf below 2e-7). */
static inline vf v_gelu(vf x)
{
    vf z = (vf)((vi)x & 0x7fffffff) * 0.70710678f;
    vf t = V_INVERSE(1 + 0.3275911f * z);
    vf p = t * 1.061405429f - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    vf erf = 1 - p * t * v_exp(-z * z);
    erf = (vf)((vi)erf | ((vi)x & (int32_t)0x80000000)); /* erf is odd */
    return 0.5f * x * (1 + erf);
}

static inline vf v_act(enum kernel_act act, vf x)
{
    if (act == ACT_QUICK_GELU)
        return x * V_INVERSE(1 + v_exp(-1.702f * x));
    return act == ACT_GELU ? v_gelu(x) : x;
}

/* Column by column, so that what belongs to a column stays in registers; inlined for each activation. */
static inline __attribute__((always_inline)) void v_finish_act(const struct finish *f, const uint32_t *tile,
                                                               const enum kernel_act act)
{
    /* Copies, which the stores below cannot change. */
    const float *x_scale = f->x_scale;
    const int32_t *x_zero = f->x_zero;
    const size_t rows = f->rows, ldc = f->ldc;
    const bool int8 = f->w_scale != NULL, add = f->add;
    for (size_t j = 0; j < f->cols; j += LANES) {
        size_t left = f->cols - j;
        vf bias = f->bias ? v_load(f->bias + j) : v_all(0), scale = v_all(0);
        vu sums = {0};
        if (int8) {
            scale = v_load(f->w_scale + j);
            memcpy(&sums, f->w_sum + j, sizeof sums);
        }
        float *c = f->c + j;
        for (size_t r = 0; r < rows; r++, c += ldc) {
            vf y = v_load((const float *)(tile + r * TILE_NR + j));
            if (int8) { /* sum of (q - zero) * w: below 2^31, even where one of the two parts is not */
                vu whole = (vu)y - sums * (uint32_t)x_zero[r];
                y = __builtin_convertvector((vi)whole, vf) * (scale * x_scale[r]);
            }
            y = v_act(act, y + bias);
            if (left >= LANES)
                v_store(c, add ? v_load(c) + y : y);
            else
                v_store_part(c, add ? v_load_part(c, left) + y : y, left);
        }
    }
}

static void v_finish(const struct finish *f, const uint32_t *tile)
{
    switch (f->act) {
    case ACT_NONE:
        v_finish_act(f, tile, ACT_NONE);
        break;
    case ACT_QUICK_GELU:
        v_finish_act(f, tile, ACT_QUICK_GELU);
        break;
    case ACT_GELU:
        v_finish_act(f, tile, ACT_GELU);
        break;
    }
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

static inline void v_convert_fp32(const float *x, size_t k, uint32_t *units, float *scale, int32_t *zero)
{
    (void)scale, (void)zero;
    memcpy(units, x, k * sizeof *x);
}

static inline vhalves v_to_bf16(vf v)
{
    vu u = (vu)v;
    return __builtin_convertvector((u + 0x7fff + (u >> 16 & 1)) >> 16, vhalves);
}

static inline void v_convert_bf16(const float *x, size_t k, uint32_t *units, float *scale, int32_t *zero)
{
    (void)scale, (void)zero;
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
    return __builtin_convertvector((vu)v & 0xff, vbytes);
}

static inline void v_convert_int8(const float *x, size_t k, uint32_t *units, float *scale, int32_t *zero)
{
    size_t whole = k / LANES * LANES;
    vf lows = {0}, highs = {0};
    for (size_t i = 0; i < whole; i += LANES) {
        lows = V_MIN(v_load(x + i), lows);
        highs = V_MAX(v_load(x + i), highs);
    }
    vf rest = v_load_part(x + whole, k - whole);
    lows = V_MIN(rest, lows);
    highs = V_MAX(rest, highs);
    struct int8_range range = int8_range(-V_LARGEST(-lows), V_LARGEST(highs));
    *scale = range.scale;
    *zero = range.zero;
    unsigned char *to = (unsigned char *)units;
    units[(k - 1) / 4] = 0;
    for (size_t i = 0; i < whole; i += LANES) {
        vbytes q = v_to_int8(v_load(x + i), range.inverse, (float)range.zero);
        memcpy(to + i, &q, sizeof q);
    }
    vbytes q = v_to_int8(rest, range.inverse, (float)range.zero);
    memcpy(to + whole, &q, k - whole);
}
