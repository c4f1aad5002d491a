#include "model/kernels/isa.h"

#ifdef PEEL_X86
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && has_avx2();
}

/* NULL where this CPU has no way that is faster than FP32. */
static const struct kernels *fastest(enum kernel_type type)
{
    bool avx512 = has_avx512();
    switch (type) {
    case KERNEL_FP32:
        return avx512 ? &kernels_avx512_fp32 : has_avx2() ? &kernels_avx2_fp32 : NULL;
    case KERNEL_BF16:
        return avx512 && __builtin_cpu_supports("avx512bf16") ? &kernels_avx512_bf16 : NULL;
    case KERNEL_INT8:
        return avx512 && __builtin_cpu_supports("avx512vnni") ? &kernels_avx512_vnni
               : has_avx2()                                   ? &kernels_avx2_int8
                                                              : NULL;
    }
    return NULL;
}

const struct kernels *kernels_get(enum kernel_type type, enum kernel_isa most)
{
    static const struct kernels *const scalar[] = {&kernels_scalar_fp32, &kernels_scalar_bf16, &kernels_scalar_int8};
    static const struct kernels *const avx2[] = {&kernels_avx2_fp32, &kernels_avx2_bf16, &kernels_avx2_int8};
    if (most >= ISA_AVX512 && fastest(type))
        return fastest(type);
    return most >= ISA_AVX2 && has_avx2() ? avx2[type] : scalar[type];
}

bool kernels_faster(enum kernel_type type)
{
    return fastest(type) != NULL;
}
#else
const struct kernels *kernels_get(enum kernel_type type, enum kernel_isa most)
{
    static const struct kernels *const scalar[] = {&kernels_scalar_fp32, &kernels_scalar_bf16, &kernels_scalar_int8};
    (void)most;
    return scalar[type];
}

bool kernels_faster(enum kernel_type type)
{
    return type == KERNEL_FP32;
}
#endif
