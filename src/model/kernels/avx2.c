/* AVX2 and FMA: float32, and bfloat16 and int8 by widening (they save memory here, and little time). */
#include "model/kernels/isa.h"

#if defined(PEEL_X86) && defined(__AVX2__)
#include <immintrin.h>

#define VBYTES       32
#define V_MAX(a, b)  ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define V_MIN(a, b)  ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define V_SUM(a)     sum8((__m256)(a))
#define V_LARGEST(a) largest8((__m256)(a))
#define V_INVERSE(a) (1 / (a))

static inline float sum8(__m256 v)
{
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_shuffle_ps(h, h, 1)));
}

static inline float largest8(__m256 v)
{
    __m128 h = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_shuffle_ps(h, h, 1)));
}

#define TILE_NR 16
#include "model/kernels/vector.h"

#define TILE_MR             6 /* 12 registers of sums, 2 of weights, 1 of activations: 15 of 16 */
#define tile_rows           tile_rows_fp32
#define TILE_NAME           tile_fp32
#define TILE_ACC            vf
#define TILE_DOT(acc, x, w) ((acc) = (vf)_mm256_fmadd_ps((__m256)(x), (__m256)(w), (__m256)(acc)))
#include "model/kernels/tile.h"
#undef TILE_MR
#undef tile_rows
#undef TILE_NAME
#undef TILE_ACC
#undef TILE_DOT

/* A bfloat16 is the upper half of a float32. */
static inline vf dot_bf16(vf acc, vu x, vu w)
{
    const vu high = (vu){0} + 0xffff0000;
    acc = (vf)_mm256_fmadd_ps((__m256)(x << 16), (__m256)(w << 16), (__m256)acc);
    return (vf)_mm256_fmadd_ps((__m256)(x & high), (__m256)(w & high), (__m256)acc);
}

#define TILE_MR             4
#define tile_rows           tile_rows_bf16
#define TILE_NAME           tile_bf16
#define TILE_ACC            vf
#define TILE_DOT(acc, x, w) ((acc) = dot_bf16(acc, x, w))
#include "model/kernels/tile.h"
#undef tile_rows
#undef TILE_NAME
#undef TILE_ACC
#undef TILE_DOT

/* Even and odd bytes apart, as 16-bit numbers: vpmaddubsw would saturate sums of two products. */
static inline vi dot_int8(vi acc, vu x, vu w)
{
    __m256i xv = (__m256i)x, wv = (__m256i)w;
    __m256i even = _mm256_madd_epi16(_mm256_and_si256(xv, _mm256_set1_epi16(0xff)),
                                     _mm256_srai_epi16(_mm256_slli_epi16(wv, 8), 8));
    __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(xv, 8), _mm256_srai_epi16(wv, 8));
    return acc + (vi)_mm256_add_epi32(even, odd);
}

#define tile_rows           tile_rows_int8
#define TILE_NAME           tile_int8
#define TILE_ACC            vi
#define TILE_DOT(acc, x, w) ((acc) = dot_int8(acc, x, w))
#include "model/kernels/tile.h"

#define AVX2(TYPE, suffix, rows, values)                                                                               \
    const struct kernels kernels_avx2_##suffix = {.name = "avx2",                                                      \
                                                  .isa = ISA_AVX2,                                                     \
                                                  .type = TYPE,                                                        \
                                                  .mr = rows,                                                          \
                                                  .nr = TILE_NR,                                                       \
                                                  .group = values,                                                     \
                                                  .tile = tile_##suffix,                                               \
                                                  .convert = v_convert_##suffix,                                       \
                                                  .finish = v_finish,                                                  \
                                                  .layer_norm = v_layer_norm,                                          \
                                                  .softmax = v_softmax}
AVX2(KERNEL_FP32, fp32, 6, 1);
AVX2(KERNEL_BF16, bf16, 4, 2);
AVX2(KERNEL_INT8, int8, 4, 4);
#endif
