/* The resizer's passes in AVX2. vpmaddwd adds two products of 16 bits, so weights of 24 bits are split in a
 * high and a low part and the two sums put together at the end: the same integer as one sum of 32 bits. */
#if defined __x86_64__
#include "image/resize.h"

#include <immintrin.h>
#include <string.h>

#define ROWS 4 /* at once, so that a weight is loaded once for all of them */
#define TAPS 4 /* a step: two in each half of a register */

static __m256i load_weights(const int16_t *w, __m256i spread)
{
    long long four;
    memcpy(&four, w, sizeof four);
    return _mm256_shuffle_epi8(_mm256_set1_epi64x(four), spread);
}

static __m128i clip_to_bytes(__m256i high, __m256i low)
{
    __m256i both = _mm256_add_epi32(_mm256_slli_epi32(high, RESIZE_LOW_BITS), low);
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(1 << (RESIZE_PRECISION - 1))), RESIZE_PRECISION);
    sum = _mm_packs_epi32(sum, sum);
    return _mm_packus_epi16(sum, sum);
}

/* One output position of `rows` lines, `stride` bytes apart. */
static inline __attribute__((always_inline)) void across_one(const uint8_t *p, size_t stride, const int rows,
                                                             uint32_t channels, size_t steps, const int16_t *high_w,
                                                             const int16_t *low_w, __m256i pick, __m256i spread,
                                                             uint8_t *out, size_t out_stride)
{
    __m256i high[ROWS], low[ROWS];
    for (int r = 0; r < rows; r++)
        high[r] = low[r] = _mm256_setzero_si256();
    for (size_t s = 0; s < steps; s++, p += (size_t)TAPS * channels) {
        __m256i wh = load_weights(high_w + TAPS * s, spread), wl = load_weights(low_w + TAPS * s, spread);
        for (int r = 0; r < rows; r++) {
            __m128i raw = _mm_loadu_si128((const __m128i *)(const void *)(p + (size_t)r * stride));
            __m256i pairs = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(raw), pick);
            high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pairs, wh));
            low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pairs, wl));
        }
    }
    for (int r = 0; r < rows; r++, out += out_stride) {
        uint32_t pixel = (uint32_t)_mm_cvtsi128_si32(clip_to_bytes(high[r], low[r]));
        out[0] = (uint8_t)pixel;
        out[1] = (uint8_t)(pixel >> 8);
        out[2] = (uint8_t)(pixel >> 16);
        if (channels == 4)
            out[3] = (uint8_t)(pixel >> 24);
    }
}

static void across(const uint8_t *in, size_t available, size_t stride, uint32_t rows, uint32_t channels,
                   const struct resize_taps *t, uint8_t *out)
{
    /* In each half, two neighbouring pixels as 16-bit pairs: r0 r1 g0 g1 b0 b1 (a0 a1). */
    const __m256i pick = channels == 3 ? _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6,
                                                          -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1)
                                       : _mm256_setr_epi8(0, -1, 4, -1, 1, -1, 5, -1, 2, -1, 6, -1, 3, -1, 7, -1, 8, -1,
                                                          12, -1, 9, -1, 13, -1, 10, -1, 14, -1, 11, -1, 15, -1);
    const __m256i spread = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 4,
                                            5, 6, 7, 4, 5, 6, 7);
    size_t out_stride = (size_t)t->n * channels, reach = 0; /* how far from its start a line is read */
    for (uint32_t x = 0; x < t->n; x++) {
        size_t steps = (t->count[x] + TAPS - 1) / TAPS;
        size_t end = (t->first[x] + (steps ? steps - 1 : 0) * TAPS) * channels + 16;
        reach = end > reach ? end : reach;
    }
    uint32_t y = 0;
    while (y < rows && available - y * stride >= reach) {
        bool all = y + ROWS <= rows && available - (y + ROWS - 1) * stride >= reach;
        for (uint32_t x = 0; x < t->n; x++) {
            const uint8_t *p = in + y * stride + (size_t)t->first[x] * channels;
            const int16_t *high = t->high + x * t->per, *low = t->low + x * t->per;
            size_t steps = (t->count[x] + TAPS - 1) / TAPS;
            uint8_t *to = out + y * out_stride + (size_t)x * channels;
            if (all)
                across_one(p, stride, ROWS, channels, steps, high, low, pick, spread, to, out_stride);
            else
                across_one(p, stride, 1, channels, steps, high, low, pick, spread, to, out_stride);
        }
        y += all ? ROWS : 1;
    }
    if (y < rows) /* the last lines, where 16 bytes at a time would read past the end */
        resize_plain.across(in + y * stride, available - y * stride, stride, rows - y, channels, t,
                            out + y * out_stride);
}

static __m256i pair_of(const int16_t *w)
{
    int32_t two;
    memcpy(&two, w, sizeof two);
    return _mm256_set1_epi32(two);
}

static void down(const uint8_t *in, size_t width, const struct resize_taps *t, int32_t *sum, uint8_t *out)
{
    (void)sum;
    const __m256i half = _mm256_set1_epi32(1 << (RESIZE_PRECISION - 1));
    for (uint32_t y = 0; y < t->n; y++, out += width) {
        const uint8_t *rows = in + t->first[y] * width;
        const int16_t *high_w = t->high + y * t->per, *low_w = t->low + y * t->per;
        uint32_t count = t->count[y];
        size_t x = 0;
        for (; x + 16 <= width; x += 16) {
            __m256i high[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, low[2] = {high[0], high[0]};
            for (uint32_t j = 0; j < count; j += 2) {
                const uint8_t *a = rows + j * width + x, *b = j + 1 < count ? a + width : a; /* its weight is 0 */
                __m128i va = _mm_loadu_si128((const __m128i *)(const void *)a);
                __m128i vb = _mm_loadu_si128((const __m128i *)(const void *)b);
                __m256i left = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(va, vb));
                __m256i right = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(va, vb));
                __m256i wh = pair_of(high_w + j), wl = pair_of(low_w + j);
                high[0] = _mm256_add_epi32(high[0], _mm256_madd_epi16(left, wh));
                high[1] = _mm256_add_epi32(high[1], _mm256_madd_epi16(right, wh));
                low[0] = _mm256_add_epi32(low[0], _mm256_madd_epi16(left, wl));
                low[1] = _mm256_add_epi32(low[1], _mm256_madd_epi16(right, wl));
            }
            for (int i = 0; i < 2; i++) {
                high[i] = _mm256_add_epi32(_mm256_slli_epi32(high[i], RESIZE_LOW_BITS), low[i]);
                high[i] = _mm256_srai_epi32(_mm256_add_epi32(high[i], half), RESIZE_PRECISION);
            }
            __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(high[0], high[1]), 0xd8);
            __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
            _mm_storeu_si128((__m128i *)(void *)(out + x), bytes);
        }
        for (; x < width; x++) {
            int32_t v = 1 << (RESIZE_PRECISION - 1);
            for (uint32_t j = 0; j < count; j++)
                v += rows[j * width + x] * t->weight[y * t->per + j];
            v >>= RESIZE_PRECISION;
            out[x] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
}

const struct resize_kernels resize_avx2 = {"avx2", across, down};
#else
typedef int resize_avx2_is_for_x86_64; /* ISO C wants something in a file */
#endif
