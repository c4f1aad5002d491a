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
#include "vectors/clusters.h"
#include "vectors/scan.h"
#include "vectors/vectors_exact.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

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
    off_t at;               /* where they are in the table's `file`, or in its `scratch`; -1: in memory */
    size_t vector_bytes;    /* their size, of a segment that is not in the snapshot */
    _Atomic uint64_t *died; /* [rows] row count from which on the row is gone; 0: at once */
    void *memory;           /* what to free besides `died`; NULL when the arrays are in the mapped snapshot */
};

/* Searches are tuned for the nearest 10, 50, 200 and 1,000; for more than that they read everything. */
#define DEPTHS        4u
#define REACH_BUCKETS 108u /* four for each doubling, up to the number of rows that there may be */
extern const uint32_t vectors_depths[DEPTHS];

/* Of the nearest vectors_depths[d] rows of many queries: how many rows had to be read to find each, if lists are read
 * from the nearest on. So it says how many must be read to find a given share of them. */
struct reach {
    uint32_t hits[DEPTHS][REACH_BUCKETS];
};

/* The first rows of a table lie list by list, and those that came later behind them in any order. */
struct lists {
    struct clusters clusters;
    uint64_t *start;  /* [clusters.lists + 1] rows; NULL without lists */
    uint64_t trained; /* how many rows there were when the clusters were found */
    struct reach reach;
};

struct table {
    atomic_uint refs;
    struct lists lists;        /* never changes once searches see the table */
    struct segment *segments;  /* [MAX_SEGMENTS], zeroed pages until used */
    _Atomic size_t n_segments; /* raised once the segment is complete */
    _Atomic uint64_t count;
    struct os_map map; /* the snapshot below the first segments, if any */
    int file;          /* the same, open, where there are many vectors; else -1 */
    int scratch;       /* with the vectors of segments that are not in the snapshot; -1: they are in memory */
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

/* What a few of the searches of late tell about the others. */
struct live {
    pthread_mutex_t lock;    /* guards all of it but the atomics */
    atomic_bool waiting;     /* `query` was not looked at yet */
    _Atomic int64_t next_us; /* when the next one may be taken */
    float *query;            /* [dim] */
    struct reach reach;      /* in the table's lists */
    double weight;           /* how many samples the sums stand for, the old ones less and less */
    double found[DEPTHS];    /* shares of the nearest that a search had, summed */
    uint64_t samples;        /* in all */
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
    struct vectors_tuning tuning;
    _Atomic uint64_t reach[DEPTHS]; /* rows that a search is to see; 0: all */
    struct live samples;
};

/* Memory for what every search reads: in huge pages where it has the size of some, so that the core need not look up
 * every 4 KiB of it. Freed by free(). NULL: none left. */
void *scan_memory(size_t bytes);
struct table *table_new(void);
struct table *table_acquire(struct vectors_exact *ix);
void table_release(struct table *t);
/* Adds a copy of a row of another table, seen at once. Writers only. */
enum status table_append_copy(struct vectors_exact *ix, struct table *t, const struct segment *s, size_t i,
                              uint64_t *row, struct error *err) MUST_CHECK;
/* The row is gone for searches that begin when the table has `since` rows; 0: at once. */
void table_bury(struct table *t, uint64_t row, uint64_t since);
/* Searches see t and writers its ids from now on. With write_lock held. */
void table_swap(struct vectors_exact *ix, struct table *t, struct id_map *ids);
/* The vector of row i of a segment, there or read to buffer[dim]: out of a large file that is mapped, each would bring
 * sixteen pages into our memory. */
const float *table_vector(const struct table *t, const struct segment *s, size_t i, size_t dim, float *buffer);
/* The segment that holds `row` (< count). */
struct segment *table_segment(const struct table *t, uint64_t row);

/* The table and its rows that are alive at this moment, ascending. Their numbers and a reference to the table are the
 * caller's, for living_free. */
struct living {
    struct table *table;
    uint32_t *rows; /* [n] */
    size_t n;
    uint64_t count; /* rows that the table had */
};
enum status living_take(struct vectors_exact *ix, struct living *out, struct error *err) MUST_CHECK;
void living_free(struct living *l);

void lists_free(struct lists *l);
/* How many of the table's rows lie in lists. */
uint64_t lists_rows(const struct lists *l);
/* start[lists + 1] for a table that has only these rows, ascending, of this one. */
void lists_start(const struct lists *l, const uint32_t *rows, size_t n, uint64_t *start);
/* All but what is in `start`. stride: of the codes. */
enum status lists_copy(const struct lists *from, struct lists *to, size_t stride) MUST_CHECK;

/* vectors_file.c: `rows` in this order, of which the first lie in `lists`. */
struct snapshot_key {
    const char *tag;
    size_t dim, stride;
    int64_t generation;
};
enum status snapshot_write(const char *path, const struct snapshot_key *key, const struct living *rows,
                           const struct lists *lists, struct error *err) MUST_CHECK;
/* trusted: it was written a moment ago by this process, and its sums need not be checked. */
enum status snapshot_read(const char *path, const struct snapshot_key *key, bool trusted, struct table **out,
                          struct id_map *ids, struct error *err) MUST_CHECK;

size_t table_mapped_bytes(const struct table *t); /* of a table as it was read */

/* vectors_recall.c */
/* Adds what one query tells, whose nearest n rows, nearest first, lie in these lists. */
enum status reach_learn(const struct vectors_exact *ix, const struct lists *l, const float *query, const uint32_t *list,
                        size_t n, struct reach *to) MUST_CHECK;
/* Sets ix->reach by the table's and that of the samples. */
void reach_update(struct vectors_exact *ix, const struct table *t);
void samples_forget(struct vectors_exact *ix); /* the lists are others now */
/* The place in vectors_depths from which a search for k is served; DEPTHS: none is deep enough. */
size_t depth_for(size_t k);
/* After a search for what passes no filter: perhaps remembers it for vectors_exact_tend. */
void sample_offer(struct vectors_exact *ix, const float *query);

/* vectors_search.c: the nearest k, from the nearest lists if the table has any and they will do. */
enum status vectors_exact_near(struct vectors_exact *ix, struct pool *pool, const float *query, size_t k,
                               const struct label_test *passing, struct vectors_hit *hits, size_t *count,
                               struct error *err) MUST_CHECK;

enum status id_map_put(struct id_map *m, int64_t id, uint64_t row) MUST_CHECK;
bool id_map_get(const struct id_map *m, int64_t id, uint64_t *row);
void id_map_delete(struct id_map *m, int64_t id); /* must be there */

#endif
