/* clusters.h: lists of vectors that are alike, so that a search need read only the nearest few lists.
 *
 * Their centres come from spherical k-means on two levels: groups first, then the lists of each group, as many as its
 * share of the vectors. So training and assigning cost about the root of what one level would. (Dhillon and Modha,
 * "Concept Decompositions for Large Sparse Text Data using Clustering", 2001; Sivic and Zisserman, "Video Google",
 * 2003, for searching by lists.) */
#ifndef PEEL_VECTORS_CLUSTERS_H
#define PEEL_VECTORS_CLUSTERS_H

#include "vectors/scan.h"
#include "vectors/vectors.h"

#define CLUSTERS_MAX_LISTS  (1u << 17)
#define CLUSTERS_MAX_GROUPS 512u

/* Centres as int8: those of the groups first, then those of the lists. */
struct clusters {
    uint32_t groups, lists; /* 0 lists: there are none */
    int8_t *codes;          /* [groups + lists][stride] */
    float *scale;           /* [groups + lists] */
    int32_t *sum;           /* [groups + lists] sums of the codes */
    uint32_t *first;        /* [groups + 1] the first list of each group */
};

/* Some of the vectors, in random order. */
struct clusters_sample {
    const int8_t **codes; /* [n] pointers to [stride] */
    const float *scale;   /* [n] */
    size_t n;
};
/* About `lists` lists, 1 to CLUSTERS_MAX_LISTS. The arrays of *out are the caller's to free with clusters_free.
 * ERR_CANCELLED: stopped. */
enum status clusters_train(const struct scan_kernels *kernels, size_t dim, size_t stride,
                           const struct clusters_sample *sample, size_t lists, const struct vectors_stop *stop,
                           struct clusters *out, struct error *err) MUST_CHECK;
void clusters_free(struct clusters *c);
/* The list of a vector: the nearest one of the nearest groups. codes: [stride]; dots: [groups + lists], for use. */
uint32_t clusters_list(const struct clusters *c, const struct scan_kernels *kernels, size_t stride, const int8_t *codes,
                       int32_t *dots);

struct clusters_rank {
    float score; /* of the list's centre, up to the query's scale */
    uint32_t list;
};
/* The nearest n of all lists, nearest first, at the front of ranks[lists]. dots: [lists], for use. */
void clusters_nearest(const struct clusters *c, const struct scan_kernels *kernels, size_t stride, const int8_t *query,
                      size_t n, int32_t *dots, struct clusters_rank *ranks);

#endif
