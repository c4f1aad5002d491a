/* avx2.h: vector.h for 256 bits, included by the AVX2 files, which define TILE_NR. */
#include <immintrin.h>

#define VBYTES       32
#define V_MAX(a, b)  ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define V_MIN(a, b)  ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define V_SUM(a)     sum8((__m256)(a))
#define V_LARGEST(a) largest8((__m256)(a))
#define V_INVERSE(a) (1 / (a))
#define V_BYTES(a)   ((vbytes)bytes8((__m256i)(a)))

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

static inline int64_t bytes8(__m256i v)
{
    __m128i halves = _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return _mm_cvtsi128_si64(_mm_packus_epi16(halves, halves));
}

#define AVX2(TYPE, suffix, rows, values, most)                                                                         \
    const struct kernels kernels_avx2_##suffix = {.name = "avx2",                                                      \
                                                  .isa = ISA_AVX2,                                                     \
                                                  .type = TYPE,                                                        \
                                                  .mr = rows,                                                          \
                                                  .nr = TILE_NR,                                                       \
                                                  .group = values,                                                     \
                                                  .lane_most = most,                                                   \
                                                  .tile = tile_##suffix,                                               \
                                                  .convert = v_convert_##suffix,                                       \
                                                  .finish = v_finish,                                                  \
                                                  .layer_norm = v_layer_norm,                                          \
                                                  .softmax = v_softmax}

#include "model/kernels/vector.h"
