/* Packing, and the loops around a tile; the same for every instruction set. */
#include "model/kernels/kernels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

size_t matrix_panels(const struct kernels *k, const struct matrix *w)
{
    return (w->n + k->nr - 1) / k->nr;
}

static size_t column_array(const struct kernels *k, size_t n)
{
    return round_up(round_up(n, k->nr) * sizeof(float), KERNEL_ALIGN);
}

static size_t panel_bytes(const struct kernels *k, size_t n, size_t depth)
{
    return round_up(n, k->nr) * ((depth + k->group - 1) / k->group) * sizeof(uint32_t);
}

size_t matrix_bytes(const struct kernels *k, size_t n, size_t depth)
{
    return round_up(panel_bytes(k, n, depth), KERNEL_ALIGN) + (k->type == KERNEL_INT8 ? 3 : 1) * column_array(k, n);
}

void matrix_place(const struct kernels *k, size_t n, size_t depth, void *memory, struct matrix *out)
{
    unsigned char *p = memory;
    *out = (struct matrix){.n = n, .k = depth, .units = (depth + k->group - 1) / k->group, .panels = memory};
    p += round_up(panel_bytes(k, n, depth), KERNEL_ALIGN);
    out->bias = (float *)(void *)p;
    if (k->type == KERNEL_INT8) {
        out->scale = (float *)(void *)(p + column_array(k, n));
        out->sum = (int32_t *)(void *)(p + 2 * column_array(k, n));
    }
}

static uint32_t float_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

/* Round to nearest, ties to even. */
static uint32_t bf16_bits(float f)
{
    uint32_t u = float_bits(f);
    return (u + 0x7fff + (u >> 16 & 1)) >> 16;
}

static float larger(float a, float b)
{
    return a > b ? a : b;
}

/* The most that four weights of one sign in one lane add up to (kernels.h: lane_most). */
static float lane_peak(const float *w, size_t depth)
{
    float peak = 0;
    for (size_t first = 0; first < depth; first += 8)
        for (size_t half = first; half < first + 4; half += 2) {
            float up = 0, down = 0;
            for (size_t k = 0; k < 4; k++) {
                size_t i = half + k / 2 * 4 + k % 2;
                float v = i < depth ? w[i] : 0;
                up += v > 0 ? v : 0;
                down -= v < 0 ? v : 0;
            }
            peak = larger(peak, larger(up, down));
        }
    return peak;
}

/* One column to signed bytes: q = round(w / scale). The scale is the least for which no |q| is over 127, and no lane
 * over lane_most: rounding adds at most 2 to its four. */
static void pack_int8(const float *w, size_t depth, size_t stride, int32_t lane_most, uint32_t *to, float *scale,
                      int32_t *sum)
{
    float most = 0;
    for (size_t i = 0; i < depth; i++)
        most = larger(fabsf(w[i]), most);
    if (lane_most)
        most = larger(most, lane_peak(w, depth) * (127 / (float)(lane_most - 2)));
    float inverse = most > 0x1p-100f ? 127 / most : 0; /* |w * inverse| stays below 127.5 */
    *scale = most / 127;
    *sum = 0;
    for (size_t i = 0; i < depth; i++) {
        /* Adding 1.5 * 2^23 leaves the rounded integer in the low bits of the float. */
        float shifted = w[i] * inverse + 0x1.8p23f;
        uint32_t q = float_bits(shifted) & 0xff;
        *sum += (int8_t)q;
        to[i / 4 * stride] |= q << (8 * (i % 4));
    }
}

void matrix_pack_panel(const struct kernels *k, struct matrix *w, size_t panel, const float *rows, const float *bias)
{
    size_t first = panel * k->nr, count = w->n - first < k->nr ? w->n - first : k->nr;
    uint32_t *to = w->panels + panel * w->units * k->nr;
    for (size_t j = 0; j < count; j++) {
        const float *row = rows + j * w->k;
        if (k->type == KERNEL_FP32)
            for (size_t i = 0; i < w->k; i++)
                to[i * k->nr + j] = float_bits(row[i]);
        else if (k->type == KERNEL_BF16)
            for (size_t i = 0; i < w->k; i++)
                to[i / 2 * k->nr + j] |= bf16_bits(row[i]) << (16 * (i % 2));
        else
            pack_int8(row, w->k, k->nr, k->lane_most, to + j, &w->scale[first + j], &w->sum[first + j]);
        w->bias[first + j] = bias ? bias[j] : 0;
    }
}

/* Rows are spread evenly over as few blocks as possible: 50 rows are 13 + 13 + 12 + 12, not 14 + 14 + 14 + 8. */
struct blocks {
    size_t count, rows, larger; /* `larger` blocks have rows + 1 rows, the others `rows` */
};

static struct blocks split(size_t m, size_t mr)
{
    size_t count = (m + mr - 1) / mr;
    return (struct blocks){count, m / count, m % count};
}

static size_t block_rows(const struct blocks *b, size_t i)
{
    return b->rows + (i < b->larger);
}

size_t rows_bytes(const struct kernels *k, size_t m, size_t depth)
{
    size_t units = (depth + k->group - 1) / k->group;
    /* One block more: the place where rows are converted before they are interleaved. */
    return round_up((m + k->mr) * units * sizeof(uint32_t), KERNEL_ALIGN) +
           2 * round_up(m * sizeof(float), KERNEL_ALIGN);
}

/* from [n][units] -> to [units][n], a piece at a time that the first-level cache holds. */
static void interleave(const uint32_t *from, size_t n, size_t units, uint32_t *to)
{
    enum { PIECE = 16 };
    for (size_t first = 0; first < units; first += PIECE) {
        size_t last = first + PIECE < units ? first + PIECE : units;
        for (size_t j = 0; j < n; j++)
            for (size_t u = first; u < last; u++)
                to[u * n + j] = from[j * units + u];
    }
}

void rows_pack(const struct kernels *k, const float *x, size_t ldx, size_t m, size_t depth, const float *shrink,
               void *memory, struct rows *out)
{
    unsigned char *p = memory;
    size_t units = (depth + k->group - 1) / k->group;
    *out = (struct rows){.m = m, .k = depth, .units = units, .data = memory};
    p += round_up((m + k->mr) * units * sizeof(uint32_t), KERNEL_ALIGN);
    out->scale = (float *)(void *)p;
    out->zero = (int32_t *)(void *)(p + round_up(m * sizeof(float), KERNEL_ALIGN));

    uint32_t *converted = out->data + m * units, *to = out->data;
    struct blocks b = split(m, k->mr);
    for (size_t i = 0, r = 0; i < b.count; i++) {
        size_t n = block_rows(&b, i);
        for (size_t j = 0; j < n; j++, r++)
            k->convert(x + r * ldx, depth, shrink, converted + j * units, &out->scale[r], &out->zero[r]);
        interleave(converted, n, units, to);
        to += n * units;
    }
}

void matmul(const struct kernels *k, const struct matrix *w, const struct rows *x, size_t first, size_t last,
            enum kernel_act act, bool add, float *c, size_t ldc)
{
    assert(w->k == x->k && last <= matrix_panels(k, w));
    /* A distance at which memory answers in time, for weights that are read once. */
    enum { AHEAD = 4096 / sizeof(uint32_t) };
    _Alignas(KERNEL_ALIGN) uint32_t tile[KERNEL_MAX_MR * KERNEL_MAX_NR];
    struct blocks b = split(x->m, k->mr);
    size_t pace = b.count ? (k->nr + b.count - 1) / b.count : 1;
    struct finish f = {.act = act, .add = add, .ldc = ldc};
    for (size_t p = first; p < last; p++) {
        size_t column = p * k->nr;
        const uint32_t *panel = w->panels + p * w->units * k->nr;
        const uint32_t *xs = x->data;
        f.cols = w->n - column < k->nr ? w->n - column : k->nr;
        f.bias = w->bias ? w->bias + column : NULL;
        for (size_t i = 0, r = 0; i < b.count; i++) {
            f.rows = block_rows(&b, i);
            /* A panel that serves several blocks is in the cache; each block brings in its part of the next. */
            const uint32_t *ahead = b.count == 1 ? panel + AHEAD : panel + w->units * (k->nr + i * pace);
            k->tile(f.rows, panel, xs, w->units, ahead, pace, tile);
            if (k->type == KERNEL_INT8) {
                f.w_scale = w->scale + column;
                f.w_sum = w->sum + column;
                f.x_scale = x->scale + r;
                f.x_zero = x->zero + r;
            }
            f.c = c + r * ldc + column;
            k->finish(&f, tile);
            xs += f.rows * w->units;
            r += f.rows;
        }
    }
}
