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

/* NULL where this CPU lacks the instructions for the type. */
static const struct kernels *native(enum kernel_type type)
{
    if (!has_avx512())
        return has_avx2() && type == KERNEL_FP32 ? &kernels_avx2_fp32 : NULL;
    switch (type) {
    case KERNEL_FP32:
        return &kernels_avx512_fp32;
    case KERNEL_BF16:
        return __builtin_cpu_supports("avx512bf16") ? &kernels_avx512_bf16 : NULL;
    case KERNEL_INT8:
        return __builtin_cpu_supports("avx512vnni") ? &kernels_avx512_vnni : NULL;
    }
    return NULL;
}

const struct kernels *kernels_get(enum kernel_type type, enum kernel_isa most)
{
    static const struct kernels *const scalar[] = {&kernels_scalar_fp32, &kernels_scalar_bf16, &kernels_scalar_int8};
    static const struct kernels *const avx2[] = {&kernels_avx2_fp32, &kernels_avx2_bf16, &kernels_avx2_int8};
    if (most >= ISA_AVX512 && native(type))
        return native(type);
    return most >= ISA_AVX2 && has_avx2() ? avx2[type] : scalar[type];
}

bool kernels_native(enum kernel_type type)
{
    return native(type) != NULL;
}
#else
const struct kernels *kernels_get(enum kernel_type type, enum kernel_isa most)
{
    static const struct kernels *const scalar[] = {&kernels_scalar_fp32, &kernels_scalar_bf16, &kernels_scalar_int8};
    (void)most;
    return scalar[type];
}

bool kernels_native(enum kernel_type type)
{
    return type == KERNEL_FP32;
}
#endif
