/* AVX2 and FMA: float32, and bfloat16 by widening (which saves memory here, and no time). */
#include "model/kernels/isa.h"

#if defined(PEEL_X86) && defined(__AVX2__)
#define TILE_NR 16
#include "model/kernels/avx2.h"

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

AVX2(KERNEL_FP32, fp32, 6, 1, 0);
AVX2(KERNEL_BF16, bf16, 4, 2, 0);
#endif
