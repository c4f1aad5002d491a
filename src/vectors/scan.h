/* scan.h: vectors as int8, and the inner loops that compare them, one implementation per instruction set. */
#ifndef PEEL_VECTORS_SCAN_H
#define PEEL_VECTORS_SCAN_H

#include <stddef.h>
#include <stdint.h>

#define SCAN_ALIGN       64u /* codes rows are a multiple of this many bytes */
#define SCAN_MAX_QUERIES 4u

struct scan_kernels {
    const char *name;
    /* dots[q * rows + r] = sum over i of codes[r][i] * queries[q][i], exact. codes: [rows, stride];
     * queries: [n, stride], n <= SCAN_MAX_QUERIES, each code in [-127, 127]; sum: [rows] of the codes. */
    void (*dot_i8)(const int8_t *codes, const int32_t *sum, size_t rows, size_t stride, const int8_t *queries, size_t n,
                   int32_t *dots);
    /* dots[i] = that of row places[i] and one query; rows lie anywhere, so they are asked for ahead. */
    void (*dot_i8_at)(const int8_t *codes, const int32_t *sum, const uint32_t *places, size_t n, size_t stride,
                      const int8_t *query, int32_t *dots);
    float (*dot_f32)(const float *a, const float *b, size_t n);
};

/* A vector as int8: round(vector / scale), each in [-127, 127], and how well that is the vector. */
struct coded {
    float scale;
    float residual;  /* |vector - codes * scale|, rounded up */
    float code_norm; /* |codes * scale|, rounded up */
    int32_t sum;     /* of the codes */
};
/* codes: [stride], filled up with zeros from [dim] on. */
struct coded scan_quantize(const float *vector, size_t dim, size_t stride, int8_t *codes);

extern const struct scan_kernels scan_scalar;
/* NULL-terminated, fastest first, those that this processor runs; ends with scan_scalar. */
const struct scan_kernels *const *scan_available(void);

#endif
