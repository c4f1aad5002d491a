/* isa.h: what the instruction sets' files offer to dispatch.c; seen only inside kernels/. */
#ifndef PEEL_MODEL_KERNELS_ISA_H
#define PEEL_MODEL_KERNELS_ISA_H

#include "model/kernels/kernels.h"

#if defined(__x86_64__) && !defined(PEEL_NO_SIMD)
#define PEEL_X86 1
#endif

extern const struct kernels kernels_scalar_fp32, kernels_scalar_bf16, kernels_scalar_int8;
extern const struct kernels kernels_avx2_fp32, kernels_avx2_bf16, kernels_avx2_int8;
extern const struct kernels kernels_avx512_fp32, kernels_avx512_bf16, kernels_avx512_vnni;

/* How a row of floats in [least, most] (least <= 0 <= most) becomes bytes: q = round(x * inverse + zero). */
struct int8_range {
    float scale, inverse;
    int32_t zero;
};

static inline struct int8_range int8_range(float least, float most)
{
    float scale = (most - least) / 255;
    if (!(scale > 0x1p-100f && scale < 0x1p100f))
        return (struct int8_range){0, 0, 0}; /* all zeros, or not finite */
    return (struct int8_range){scale, 1 / scale, (int32_t)(-least / scale + 0.5f)};
}

#endif
