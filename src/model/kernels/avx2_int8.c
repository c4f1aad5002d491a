/* AVX2: products of unsigned and signed bytes by vpmaddubsw, which adds two of them in 16 bits. Two such sums are added
 * before they are widened, so that a 16-bit lane meets four products of bytes up to 255; weights are packed so that no
 * four of them can leave 16 bits (lane_most), and the sums are exact. (Widening each sum of two costs a third more
 * multiplications, 16-bit numbers throughout twice the instructions.) */
#include "model/kernels/isa.h"

#if defined(PEEL_X86) && defined(__AVX2__)
#define TILE_NR 8
#include "model/kernels/avx2.h"

#define TILE_MR 8 /* 8 registers of sums, 2 of weights, 2 of activations and products, 1 of ones: 13 of 16 */

/* Rows of one vector of columns, so that a panel is read once for all rows of a short text. */
static inline __attribute__((always_inline)) void tile_rows(const size_t rows, const uint32_t *w, const uint32_t *x,
                                                            size_t units, const uint32_t *ahead, size_t pace,
                                                            uint32_t *out)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i acc[TILE_MR];
    TILE_UNROLL
    for (size_t r = 0; r < rows; r++)
        acc[r] = _mm256_setzero_si256();
    for (; units >= 2; units -= 2) {
        __m256i first = _mm256_loadu_si256((const __m256i *)w), second = _mm256_loadu_si256((const __m256i *)w + 1);
        __builtin_prefetch(ahead, 0, 2);
        TILE_UNROLL
        for (size_t r = 0; r < rows; r++) {
            __m256i sums = _mm256_maddubs_epi16(_mm256_set1_epi32((int)x[r]), first);
            sums = _mm256_add_epi16(sums, _mm256_maddubs_epi16(_mm256_set1_epi32((int)x[rows + r]), second));
            acc[r] = _mm256_add_epi32(acc[r], _mm256_madd_epi16(sums, ones));
        }
        w += 2 * TILE_NR;
        ahead += 2 * pace;
        x += 2 * rows;
    }
    if (units) {
        __m256i last = _mm256_loadu_si256((const __m256i *)w);
        TILE_UNROLL
        for (size_t r = 0; r < rows; r++) {
            __m256i sums = _mm256_maddubs_epi16(_mm256_set1_epi32((int)x[r]), last);
            acc[r] = _mm256_add_epi32(acc[r], _mm256_madd_epi16(sums, ones));
        }
    }
    TILE_UNROLL
    for (size_t r = 0; r < rows; r++)
        _mm256_storeu_si256((__m256i *)(out + r * TILE_NR), acc[r]);
}

#define TILE_NAME tile_int8
#include "model/kernels/tile.h"

AVX2(KERNEL_INT8, int8, TILE_MR, 4, 128); /* 128 * 255 < 2^15 */
#endif
