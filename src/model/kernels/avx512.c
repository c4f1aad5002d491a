/* AVX-512: float32. */
#include "model/kernels/isa.h"

#if defined(PEEL_X86) && defined(__AVX512F__)
#include "model/kernels/avx512.h"

#define TILE_NAME           tile
#define TILE_ACC            vf
#define TILE_DOT(acc, x, w) ((acc) = (vf)_mm512_fmadd_ps((__m512)(x), (__m512)(w), (__m512)(acc)))
#include "model/kernels/tile.h"

const struct kernels kernels_avx512_fp32 = {.name = "avx512",
                                            .isa = ISA_AVX512,
                                            .type = KERNEL_FP32,
                                            .mr = TILE_MR,
                                            .nr = TILE_NR,
                                            .group = 1,
                                            .tile = tile,
                                            .convert = v_convert_fp32,
                                            .finish = v_finish,
                                            .layer_norm = v_layer_norm,
                                            .softmax = v_softmax};
#endif
