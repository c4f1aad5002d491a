/* select.h: the k-th greatest of numbers, without sorting them. */
#ifndef PEEL_BASE_SELECT_H
#define PEEL_BASE_SELECT_H

#include <stddef.h>

/* 1 <= k <= n; reorders v; no NaN in it. O(n) on average (Hoare, "Algorithm 65: Find", CACM 1961). */
double select_greatest(double *v, size_t n, size_t k);

#endif
