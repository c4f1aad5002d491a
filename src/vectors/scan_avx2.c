/* AVX2: vpmaddubsw wants unsigned times signed and saturates at 16 bits; |q| * sign(c, q) with codes in
 * [-127, 127] stays below 2 * 127 * 127 < 32,768. */
#include "vectors/scan.h"

#if defined __x86_64__

#include <immintrin.h>

extern const struct scan_kernels scan_avx2;

#define AHEAD        2048 /* bytes; the hardware prefetcher stops at page borders */
#define PLACES_AHEAD 8u   /* rows */

static int32_t sum8(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

/* Adds the products of 32 codes and 32 of the query, v, to s. */
static inline __attribute__((always_inline)) __m256i add_products(__m256i s, const int8_t *codes, __m256i v)
{
    __m256i c = _mm256_loadu_si256((const __m256i *)(const void *)codes);
    __m256i p = _mm256_maddubs_epi16(_mm256_abs_epi8(v), _mm256_sign_epi8(c, v));
    return _mm256_add_epi32(s, _mm256_madd_epi16(p, _mm256_set1_epi16(1)));
}

static inline int32_t row_dot(const int8_t *row, const int8_t *query, size_t stride)
{
    __m256i s0 = _mm256_setzero_si256(), s1 = s0;
    for (size_t i = 0; i < stride; i += SCAN_ALIGN) {
        s0 = add_products(s0, row + i, _mm256_loadu_si256((const __m256i *)(const void *)(query + i)));
        s1 = add_products(s1, row + i + 32, _mm256_loadu_si256((const __m256i *)(const void *)(query + i + 32)));
    }
    return sum8(_mm256_add_epi32(s0, s1));
}

/* Four rows that follow each other: what is made of the query and the sum within a vector serve all of them. */
static inline void four_rows(const int8_t *row, const int8_t *query, size_t stride, int32_t *dots)
{
    __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
    for (size_t i = 0; i < stride; i += 32) {
        __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(query + i));
        s0 = add_products(s0, row + i, v);
        s1 = add_products(s1, row + stride + i, v);
        s2 = add_products(s2, row + 2 * stride + i, v);
        s3 = add_products(s3, row + 3 * stride + i, v);
    }
    __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    _mm_storeu_si128((__m128i *)(void *)dots, sums);
}

static void avx2_dot_i8(const int8_t *codes, const int32_t *sum, size_t rows, size_t stride, const int8_t *queries,
                        size_t n, int32_t *dots)
{
    (void)sum;
    size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const int8_t *row = codes + r * stride;
        for (size_t i = 0; i < 4 * stride; i += 64)
            _mm_prefetch((const char *)row + i + AHEAD, _MM_HINT_T0);
        for (size_t q = 0; q < n; q++) /* the rows stay in the first-level cache */
            four_rows(row, queries + q * stride, stride, dots + q * rows + r);
    }
    for (; r < rows; r++)
        for (size_t q = 0; q < n; q++)
            dots[q * rows + r] = row_dot(codes + r * stride, queries + q * stride, stride);
}

static void avx2_dot_i8_at(const int8_t *codes, const int32_t *sum, const uint32_t *places, size_t n, size_t stride,
                           const int8_t *query, int32_t *dots)
{
    (void)sum;
    for (size_t i = 0; i < n; i++) {
        const char *ahead = (const char *)codes + places[i + PLACES_AHEAD < n ? i + PLACES_AHEAD : n - 1] * stride;
        for (size_t k = 0; k < stride; k += 64)
            _mm_prefetch(ahead + k, _MM_HINT_T0);
        dots[i] = row_dot(codes + places[i] * stride, query, stride);
    }
}

static float avx2_dot_f32(const float *a, const float *b, size_t n)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
        s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), s1);
        s2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), s2);
        s3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), s3);
    }
    float part[8];
    _mm256_storeu_ps(part, _mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
    for (; i < n; i++)
        part[0] += a[i] * b[i];
    return ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
}

const struct scan_kernels scan_avx2 = {"avx2", avx2_dot_i8, avx2_dot_i8_at, avx2_dot_f32};
#endif
