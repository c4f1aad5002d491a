/* vectors_exact_internal.h: how an index lies in memory, for the files of this room only.
 *
 * Rows live in segments that never move; a row is written once, before the row count that readers load
 * covers it, and afterwards only its `died` changes. A search loads the count once and sees row r iff
 *     r < count  and  died[r] > count,
 * so that of a replaced vector every search sees exactly one of the two. Searches hold a reference to
 * the table; compaction builds a new one beside it. */
#ifndef PEEL_VECTORS_VECTORS_EXACT_INTERNAL_H
#define PEEL_VECTORS_VECTORS_EXACT_INTERNAL_H

#include "base/os.h"
#include "vectors/scan.h"
#include "vectors/vectors_exact.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define SEGMENT_ROWS 4096u
#define MAX_SEGMENTS 65536u
#define ALIVE        UINT64_MAX

/* The arrays of one segment; in a snapshot file the same arrays, for all rows, follow each other. */
struct segment {
    uint64_t base;          /* number of its first row */
    uint32_t rows;          /* room for this many */
    int8_t *codes;          /* [rows][stride]: round(vector / scale), zero-padded to the stride */
    float *scale;           /* [rows] */
    float *residual;        /* [rows] |vector - codes * scale|, rounded up */
    float *code_norm;       /* [rows] |codes * scale|, rounded up */
    int32_t *sum;           /* [rows] sum of codes: undoes the offset of unsigned queries */
    int64_t *id;            /* [rows] */
    float *vectors;         /* [rows][dim] */
    _Atomic uint64_t *died; /* [rows] row count from which on the row is gone; 0: at once */
    void *memory;           /* what to free besides `died`; NULL when the arrays are in the mapped snapshot */
};

struct table {
    atomic_uint refs;
    struct segment *segments;  /* [MAX_SEGMENTS], zeroed pages until used */
    _Atomic size_t n_segments; /* raised once the segment is complete */
    _Atomic uint64_t count;
    struct os_map map; /* the snapshot below the first segments, if any */
    void *codes;       /* of the snapshot's rows, copied from there to huge pages; NULL for few */
};

/* id -> row, for writers; open addressing. */
struct id_map {
    struct id_slot {
        int64_t id;
        uint64_t row; /* UINT64_MAX: empty; UINT64_MAX - 1: was deleted */
    } * slots;
    size_t mask, used; /* used counts deleted slots too */
};

struct vectors_exact {
    struct vectors base; /* first: the same object behind vectors.h */
    size_t stride;       /* base.dim rounded up to SCAN_ALIGN */
    const struct scan_kernels *kernels;
    pthread_mutex_t table_lock; /* guards the pointer below and taking a reference */
    struct table *table;
    pthread_mutex_t write_lock; /* puts, deletes, compaction, saving */
    struct id_map ids;
    atomic_size_t live;
    atomic_size_t memory; /* bytes of segments */
};

/* Memory for what every search reads: in huge pages where it has the size of some, so that the core need not look up
 * every 4 KiB of it. Freed by free(). NULL: none left. */
void *scan_memory(size_t bytes);
struct table *table_new(void);
struct table *table_acquire(struct vectors_exact *ix);
void table_release(struct table *t);
/* Adds a segment with room for `rows`, at the end. Writers only. */
enum status table_grow(struct vectors_exact *ix, struct table *t, uint32_t rows, struct segment **out,
                       struct error *err) MUST_CHECK;
/* The segment that holds `row` (< count). */
struct segment *table_segment(const struct table *t, uint64_t row);

enum status id_map_put(struct id_map *m, int64_t id, uint64_t row) MUST_CHECK;
bool id_map_get(const struct id_map *m, int64_t id, uint64_t *row);

#endif
