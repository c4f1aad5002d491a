/* phrases_internal.h: the documents' phrases, between phrases.c, which keeps them, and phrases_search.c. */
#ifndef PEEL_RANK_PHRASES_INTERNAL_H
#define PEEL_RANK_PHRASES_INTERNAL_H

#include "rank/phrases.h"
#include "vectors/scan.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct phrase {
    char *text;
    uint32_t len, n, cap;
    uint32_t *documents; /* [n] their ids, ascending by the time they came */
};
/* The phrases of one language. One that no document has any more is found by nobody, but stays, as words come back,
 * until others need the room. */
struct phrase_list {
    uint32_t n, cap, encoded;
    uint32_t pending;           /* those of a document that is there, without a vector and not refused */
    uint32_t next;              /* none before this one is pending */
    uint32_t free;              /* a number + 1 that is nobody's, whose `cap` is the next such one; 0: there is none */
    struct phrase *phrases;     /* [n] */
    int8_t *codes;              /* [n][stride] */
    int32_t *sums;              /* of the codes */
    float *scales;              /* 0: no vector yet, negative: refused */
    uint32_t *table;            /* number + 1 by the hash of its text */
    uint32_t table_size;        /* a power of two, or 0 */
    atomic_uint_fast64_t asked; /* searches in this language */
};
struct phrase_owner { /* a document */
    unsigned first;   /* its first language */
    uint64_t hash;    /* of the title and words that its phrases are of */
    uint32_t n;
    struct phrase_ref {
        uint32_t language, number;
    } refs[];
};

struct phrases {
    pthread_rwlock_t lock;
    size_t dim, stride;
    const struct scan_kernels *kernels;
    struct language_set languages;
    struct phrase_list lists[LANGUAGE_COUNT];
    struct phrase_owner **owners; /* [n_owners] by document id; NULL: it has no phrases */
    size_t n_owners;
    size_t n_documents, end; /* that have an owner; ids are below `end`, far from each other where many were deleted */
};

/* The number of a text in a list + 1; 0: it is not there. */
uint32_t phrases_find(const struct phrase_list *l, const char *text, size_t len);

#endif
