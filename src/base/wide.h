/* wide.h: WIDE before a function has its loops compiled for AVX2 as well. Which version runs is decided when the
 * program is loaded (gcc's target_clones), too early for sanitizers, which do without. Results are the same: the
 * compiler reorders no sums of floats, and contracts no products. */
#ifndef PEEL_BASE_WIDE_H
#define PEEL_BASE_WIDE_H

#include "base/sanitized.h"

#if defined __x86_64__ && defined __gnu_linux__ && !SANITIZED
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

#endif
