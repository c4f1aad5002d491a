/* AVX-512 VNNI: products of unsigned and signed bytes, summed exactly in int32. In assembly because gcc 12
 * moves the sums of _mm512_dpbusd_epi32 through memory inside the loop. */
#include "model/kernels/isa.h"

#if defined(PEEL_X86) && defined(__AVX512VNNI__)
#include "model/kernels/avx512.h"

#define TILE_NAME           tile
#define TILE_ACC            vi
#define TILE_DOT(acc, x, w) __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(w))
#include "model/kernels/tile.h"

const struct kernels kernels_avx512_vnni = {.name = "avx512_vnni",
                                            .isa = ISA_AVX512,
                                            .type = KERNEL_INT8,
                                            .mr = TILE_MR,
                                            .nr = TILE_NR,
                                            .group = 4,
                                            .tile = tile,
                                            .convert = v_convert_int8,
                                            .finish = v_finish,
                                            .layer_norm = v_layer_norm,
                                            .softmax = v_softmax};
#endif
