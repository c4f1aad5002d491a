/* AVX-512 VNNI: vpdpbusd multiplies unsigned by signed, so the query is shifted by +128 and
 * 128 * sum(codes) taken off again. Four rows go together, so that their loads overlap. */
#include "vectors/scan.h"

#if defined __x86_64__

#include <immintrin.h>
#include <string.h>

extern const struct scan_kernels scan_vnni;

#define MAX_STRIDE   4096u
#define AHEAD        4096 /* bytes; the hardware prefetcher stops at page borders */
#define PLACES_AHEAD 8u   /* rows */

/* Sums of four vectors of 16, in order. */
static __m128i sum4(__m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i s = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i h = _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti64x4_epi64(s, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
}

static void four_rows(const int8_t *row, size_t stride, const uint8_t *query, int32_t *out)
{
    __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
    for (size_t i = 0; i < stride; i += 64) {
        __m512i q = _mm512_load_si512(query + i);
        s0 = _mm512_dpbusd_epi32(s0, q, _mm512_loadu_si512(row + i));
        s1 = _mm512_dpbusd_epi32(s1, q, _mm512_loadu_si512(row + stride + i));
        s2 = _mm512_dpbusd_epi32(s2, q, _mm512_loadu_si512(row + 2 * stride + i));
        s3 = _mm512_dpbusd_epi32(s3, q, _mm512_loadu_si512(row + 3 * stride + i));
    }
    _mm_storeu_si128((__m128i *)(void *)out, sum4(s0, s1, s2, s3));
}

static int32_t one_row(const int8_t *row, size_t stride, const uint8_t *query)
{
    __m512i s = _mm512_setzero_si512();
    for (size_t i = 0; i < stride; i += 64)
        s = _mm512_dpbusd_epi32(s, _mm512_load_si512(query + i), _mm512_loadu_si512(row + i));
    return _mm512_reduce_add_epi32(s);
}

static void vnni_dot_i8(const int8_t *codes, const int32_t *sum, size_t rows, size_t stride, const int8_t *queries,
                        size_t n, int32_t *dots)
{
    _Alignas(64) uint8_t shifted[SCAN_MAX_QUERIES][MAX_STRIDE];
    for (size_t q = 0; q < n; q++)
        for (size_t i = 0; i < stride; i++)
            shifted[q][i] = (uint8_t)(queries[q * stride + i] + 128);
    size_t r = 0;
    for (; r + 4 <= rows; r += 4) {
        const int8_t *row = codes + r * stride;
        for (size_t i = 0; i < 4 * stride; i += 64)
            _mm_prefetch((const char *)row + i + AHEAD, _MM_HINT_T0);
        for (size_t q = 0; q < n; q++) /* the rows stay in the first-level cache */
            four_rows(row, stride, shifted[q], dots + q * rows + r);
    }
    for (; r < rows; r++)
        for (size_t q = 0; q < n; q++)
            dots[q * rows + r] = one_row(codes + r * stride, stride, shifted[q]);
    for (size_t q = 0; q < n; q++)
        for (r = 0; r < rows; r++)
            dots[q * rows + r] -= 128 * sum[r];
}

static void vnni_dot_i8_at(const int8_t *codes, const int32_t *sum, const uint32_t *places, size_t n, size_t stride,
                           const int8_t *query, int32_t *dots)
{
    _Alignas(64) uint8_t shifted[MAX_STRIDE];
    for (size_t i = 0; i < stride; i++)
        shifted[i] = (uint8_t)(query[i] + 128);
    for (size_t i = 0; i < n; i++) {
        const char *ahead = (const char *)codes + places[i + PLACES_AHEAD < n ? i + PLACES_AHEAD : n - 1] * stride;
        for (size_t k = 0; k < stride; k += 64)
            _mm_prefetch(ahead + k, _MM_HINT_T0);
        dots[i] = one_row(codes + places[i] * stride, stride, shifted) - 128 * sum[places[i]];
    }
}

static float vnni_dot_f32(const float *a, const float *b, size_t n)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
        s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
    }
    float sum = _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

const struct scan_kernels scan_vnni = {"avx512_vnni", vnni_dot_i8, vnni_dot_i8_at, vnni_dot_f32};
#endif
