/* kernels.h: the arithmetic of a transformer, for several instruction sets and precisions.
 *
 * A matrix product Y[m, n] = act(X[m, k] W[n, k]^T + bias) is what nearly all time goes to. Both sides
 * are packed into 32-bit units along k, so that one loop shape serves every precision:
 *
 *     type   a unit holds      weights                         activations
 *     FP32   1 float32         as they are                     as they are
 *     BF16   2 bfloat16        rounded                         rounded, row by row
 *     INT8   4 bytes           s8, one scale per column n      u8, scale and zero point per row m
 *
 * (INT8 by AVX2 has scales for somewhat less than s8: see lane_most.)
 *
 *     W: panels of nr columns:   [n / nr][k / group][nr] units   (streamed once, front to back)
 *     X: blocks of up to mr rows: [block][k / group][rows] units
 *
 * Tails are filled with zeros. A tile is the product of one block and one panel: mr x nr sums that stay
 * in registers for the whole of k. scalar.c is the plain reference that the others are tested against;
 * vector.h and tile.h hold what AVX2 and AVX-512 share. */
#ifndef PEEL_MODEL_KERNELS_KERNELS_H
#define PEEL_MODEL_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kernel_type { KERNEL_FP32, KERNEL_BF16, KERNEL_INT8 };
enum kernel_isa { ISA_SCALAR, ISA_AVX2, ISA_AVX512, ISA_BEST = ISA_AVX512 };
enum kernel_act { ACT_NONE, ACT_QUICK_GELU, ACT_GELU };

#define KERNEL_MAX_MR 14
#define KERNEL_MAX_NR 32
#define KERNEL_ALIGN  64 /* of packed memory */

/* How a tile of sums becomes rows of the result: c = act(sum + bias), or c += act(sum + bias). */
struct finish {
    const float *bias;              /* [nr] or NULL */
    const float *w_scale, *x_scale; /* INT8: [nr], [rows]; else NULL */
    const int32_t *w_sum, *x_zero;  /* INT8: sums of a column's weights [nr], zero points [rows] */
    enum kernel_act act;
    bool add;
    float *c; /* [rows, ldc], of which cols (1..nr) are written */
    size_t ldc, rows, cols;
};

struct kernels {
    const char *name; /* "avx512_vnni" */
    enum kernel_isa isa;
    enum kernel_type type;
    size_t mr, nr, group; /* rows and columns of a tile; values of k per unit */
    /* INT8: what four weights of one sign may add up to, where tiles add products in 16 bits: those of either half of
     * the units 2u and 2u + 1. 0: any. */
    int32_t lane_most;

    /* out[rows][nr] (float, or int32 for INT8) = sum over `units` of x[u][rows] * w[u][nr].
     * `ahead` is what will be read later: it is prefetched, `pace` (1..nr) of it for each unit of x. */
    void (*tile)(size_t rows, const uint32_t *w, const uint32_t *x, size_t units, const uint32_t *ahead, size_t pace,
                 uint32_t *out);
    /* One row of k floats to units; INT8: *scale and *zero so that x * shrink = scale * (q - zero); shrink: [k] or
     * NULL. */
    void (*convert)(const float *x, size_t k, const float *shrink, uint32_t *units, float *scale, int32_t *zero);
    void (*finish)(const struct finish *f, const uint32_t *tile);
    /* out = (x - mean) / sqrt(variance + epsilon) * gain + bias; out may be x. */
    void (*layer_norm)(const float *x, size_t n, const float *gain, const float *bias, float epsilon, float *out);
    /* x = exp(scale * (x - max)) / sum, in place; x has room for n rounded up to 16, the rest is overwritten. */
    void (*softmax)(float *x, size_t n, float scale);
};

/* The fastest kernels for `type` that this CPU runs, of at most the given instruction set (tests lower it). */
const struct kernels *kernels_get(enum kernel_type type, enum kernel_isa most);
/* Whether this CPU computes the type faster than FP32, or it is FP32. */
bool kernels_faster(enum kernel_type type);

/* --- packed weights --- */
struct matrix {
    size_t n, k;
    size_t units;        /* per column: ceil(k / group) */
    uint32_t *panels;    /* [ceil(n / nr)][units][nr] */
    float *bias;         /* [n rounded up to nr], zeros where there is none */
    float *scale;        /* INT8, as bias */
    int32_t *sum;        /* INT8, as bias */
    const float *shrink; /* INT8: [k], what its weights were divided by and rows are to be multiplied by, or NULL */
};
size_t matrix_bytes(const struct kernels *k, size_t n, size_t depth);
/* Lays the matrix out in `memory` (aligned, matrix_bytes of it, zeroed; borrowed while the matrix is used). */
void matrix_place(const struct kernels *k, size_t n, size_t depth, void *memory, struct matrix *out);
size_t matrix_panels(const struct kernels *k, const struct matrix *w);
/* rows: [up to nr, k] float32, the weights of columns panel * nr and on. bias: as many, or NULL. */
void matrix_pack_panel(const struct kernels *k, struct matrix *w, size_t panel, const float *rows, const float *bias);

/* --- packed activations --- */
struct rows {
    size_t m, k, units;
    uint32_t *data;
    float *scale;  /* [m] */
    int32_t *zero; /* [m] */
};
size_t rows_bytes(const struct kernels *k, size_t m, size_t depth);
/* Packs x [m, ldx], of which the first `depth` columns count, into `memory` (aligned, rows_bytes of it), for matrices
 * of the same `shrink`. */
void rows_pack(const struct kernels *k, const float *x, size_t ldx, size_t m, size_t depth, const float *shrink,
               void *memory, struct rows *out);

/* c[i, j] (=, or += with add) act(sum + bias) for the panels first..last-1: columns first * nr and on. */
void matmul(const struct kernels *k, const struct matrix *w, const struct rows *x, size_t first, size_t last,
            enum kernel_act act, bool add, float *c, size_t ldc);

#endif
