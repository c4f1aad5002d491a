/* AVX-512 BF16: products of bfloat16 pairs, summed in float32. In assembly for the reason given in
 * avx512_vnni.c. */
#include "model/kernels/isa.h"

#if defined(PEEL_X86) && defined(__AVX512BF16__)
#include "model/kernels/avx512.h"

#define TILE_NAME           tile
#define TILE_ACC            vf
#define TILE_DOT(acc, x, w) __asm__("vdpbf16ps %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w))
#include "model/kernels/tile.h"

const struct kernels kernels_avx512_bf16 = {.name = "avx512_bf16",
                                            .isa = ISA_AVX512,
                                            .type = KERNEL_BF16,
                                            .mr = TILE_MR,
                                            .nr = TILE_NR,
                                            .group = 2,
                                            .tile = tile,
                                            .convert = v_convert_bf16,
                                            .finish = v_finish,
                                            .layer_norm = v_layer_norm,
                                            .softmax = v_softmax};
#endif
