/* avx512.h: vector.h for 512 bits, included by the three AVX-512 files. */
#include <immintrin.h>

#define VBYTES       64
#define V_MAX(a, b)  ((vf)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define V_MIN(a, b)  ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define V_SUM(a)     _mm512_reduce_add_ps((__m512)(a))
#define V_LARGEST(a) _mm512_reduce_max_ps((__m512)(a))
#define V_INVERSE(a) ((vf)inverse16((__m512)(a)))
#define V_BYTES(a)   (__builtin_convertvector(a, vbytes))
/* 28 registers of sums, 2 of weights, 1 of activations: 31 of 32. */
#define TILE_MR 14
#define TILE_NR 32
/* An estimate of 14 bits and one step of Newton's method: half the time of a division. */
static inline __m512 inverse16(__m512 a)
{
    __m512 r = _mm512_rcp14_ps(a);
    return _mm512_mul_ps(r, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(2)));
}

#include "model/kernels/vector.h"
