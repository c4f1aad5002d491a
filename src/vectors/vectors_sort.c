/* Sorts the rows into lists of alike ones: finds the centres if there are none yet or the index has outgrown them,
 * writes the snapshot list by list, and goes on with the mapped file in the place of the table in memory. Rows that
 * were added or died since the sort began are added and buried at the end, while changes wait for some milliseconds. */
#include "vectors/vectors_exact_internal.h"

#include "base/log.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LISTS_PER_ROOT  4    /* so many times the root of the number of rows */
#define SAMPLE_PER_LIST 64u  /* rows, from which the centres are found */
#define LOOSE_SHARE     100u /* one row in so many may be outside the lists, or dead, before they are sorted again */
#define OUTGROWN        2u   /* times the rows for which the centres were found */
#define TRIALS          256u /* rows that are searched for, to learn how many rows must be read for the nearest ones */
#define ROWS_PER_TRIAL  32u  /* at least */
#define TRIALS_AT_ONCE  8u

void lists_free(struct lists *l)
{
    clusters_free(&l->clusters);
    free(l->start);
    *l = (struct lists){0};
}

uint64_t lists_rows(const struct lists *l)
{
    return l->start ? l->start[l->clusters.lists] : 0;
}

void lists_start(const struct lists *l, const uint32_t *rows, size_t n, uint64_t *start)
{
    size_t i = 0;
    for (size_t k = 0; k <= l->clusters.lists; k++) {
        while (i < n && rows[i] < l->start[k])
            i++;
        start[k] = i;
    }
}

enum status lists_copy(const struct lists *from, struct lists *to, size_t stride)
{
    const struct clusters *f = &from->clusters;
    size_t n = f->groups + f->lists;
    *to = *from;
    to->clusters.codes = scan_memory(n * stride);
    to->clusters.scale = malloc(n * sizeof *f->scale);
    to->clusters.sum = malloc(n * sizeof *f->sum);
    to->clusters.first = malloc((f->groups + 1) * sizeof *f->first);
    to->start = malloc((f->lists + 1) * sizeof *to->start);
    if (!to->clusters.codes || !to->clusters.scale || !to->clusters.sum || !to->clusters.first || !to->start) {
        lists_free(to);
        return ERR_NO_MEMORY;
    }
    memcpy(to->clusters.codes, f->codes, n * stride);
    memcpy(to->clusters.scale, f->scale, n * sizeof *f->scale);
    memcpy(to->clusters.sum, f->sum, n * sizeof *f->sum);
    memcpy(to->clusters.first, f->first, (f->groups + 1) * sizeof *f->first);
    return OK;
}

static bool outgrown(const struct lists *l, uint64_t rows)
{
    return !l->start || rows > OUTGROWN * l->trained || rows < l->trained / (2 * OUTGROWN);
}

static bool wants_lists(const struct vectors_exact *ix, size_t rows)
{
    return ix->tuning.recall < 1 && rows >= ix->tuning.exact_below && rows > 0;
}

bool vectors_exact_wants_sort(const struct vectors_exact *ix)
{
    struct vectors_exact *open = (struct vectors_exact *)(uintptr_t)ix;
    size_t rows = vectors_exact_count(ix);
    if (!wants_lists(ix, rows))
        return false;
    struct table *t = table_acquire(open);
    uint64_t count = atomic_load(&t->count), sorted = lists_rows(&t->lists);
    uint64_t loose = (count - sorted) + (count > rows ? count - rows : 0);
    bool wants = outgrown(&t->lists, rows) || loose > rows / LOOSE_SHARE + SEGMENT_ROWS;
    table_release(t);
    return wants;
}

/* What a sort has to work with. */
struct sorter {
    struct vectors_exact *ix;
    const struct vectors_stop *stop;
    struct living rows; /* in the end sorted by list */
    uint32_t *list;     /* [rows.count] of each row of the table that is alive */
    struct lists lists;
    bool trained;
};

static const struct segment *row_at(const struct sorter *s, size_t i, size_t *k)
{
    const struct segment *seg = table_segment(s->rows.table, s->rows.rows[i]);
    *k = (size_t)(s->rows.rows[i] - seg->base);
    return seg;
}

/* --- the centres --- */

static enum status train(struct sorter *s, struct error *err)
{
    size_t n = s->rows.n, lists = (size_t)(LISTS_PER_ROOT * sqrt((double)n));
    size_t some = lists * SAMPLE_PER_LIST < n ? lists * SAMPLE_PER_LIST : n;
    const int8_t **codes = calloc(some, sizeof *codes);
    float *scale = calloc(some, sizeof *scale);
    enum status st = codes && scale ? OK : err_no_memory(err, "a sample of vectors");
    uint64_t x = 1;
    for (size_t i = 0; i < some && st == OK; i++) {
        size_t at = n * i / some, k;
        const struct segment *seg = row_at(s, at, &k);
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u; /* inserted at a random place (Knuth, 3.4.2) */
        size_t j = (size_t)(((x >> 33) * (i + 1)) >> 31);
        codes[i] = codes[j];
        scale[i] = scale[j];
        codes[j] = seg->codes + k * s->ix->stride;
        scale[j] = seg->scale[k];
    }
    struct clusters_sample sample = {codes, scale, some};
    if (st == OK)
        st = clusters_train(s->ix->kernels, s->ix->base.dim, s->ix->stride, &sample, lists, s->stop, &s->lists.clusters,
                            err);
    s->lists.trained = n;
    s->trained = true;
    free(codes);
    free(scale);
    return st;
}

static enum status take_centres(struct sorter *s, struct error *err)
{
    const struct lists *present = &s->rows.table->lists;
    if (outgrown(present, s->rows.n))
        return train(s, err);
    return lists_copy(present, &s->lists, s->ix->stride) == OK ? OK : err_no_memory(err, "lists of vectors");
}

/* --- the list of each row --- */

/* Of rows that lie in lists of the same centres, that is known. */
static void keep_lists(struct sorter *s)
{
    const struct lists *present = &s->rows.table->lists;
    for (uint32_t k = 0; !s->trained && k < present->clusters.lists; k++)
        for (uint64_t row = present->start[k]; row < present->start[k + 1]; row++)
            s->list[row] = k;
}

static enum status assign_rows(struct sorter *s, struct error *err)
{
    const struct clusters *c = &s->lists.clusters;
    uint64_t known = s->trained ? 0 : lists_rows(&s->rows.table->lists);
    int32_t *dots = malloc((c->groups + c->lists) * sizeof *dots);
    s->list = malloc((s->rows.count + 1) * sizeof *s->list);
    enum status st = dots && s->list ? OK : err_no_memory(err, "the lists of %zu vectors", s->rows.n);
    if (st == OK)
        keep_lists(s);
    for (size_t i = 0; i < s->rows.n && st == OK; i++) {
        size_t k;
        const struct segment *seg = row_at(s, i, &k);
        if (s->rows.rows[i] >= known)
            s->list[s->rows.rows[i]] =
                clusters_list(c, s->ix->kernels, s->ix->stride, seg->codes + k * s->ix->stride, dots);
        if (i % SEGMENT_ROWS == 0 && vectors_stopped(s->stop))
            st = err_set(err, ERR_CANCELLED, "stopped");
    }
    free(dots);
    return st;
}

/* Sorts s->rows by their lists, otherwise as they were, and counts s->lists.start. */
static enum status sort_rows(struct sorter *s, struct error *err)
{
    size_t lists = s->lists.clusters.lists;
    free(s->lists.start);
    s->lists.start = calloc(lists + 1, sizeof *s->lists.start);
    uint64_t *next = malloc((lists + 1) * sizeof *next);
    uint32_t *sorted = malloc((s->rows.n + 1) * sizeof *sorted);
    enum status st = s->lists.start && next && sorted ? OK : err_no_memory(err, "sorting %zu vectors", s->rows.n);
    for (size_t i = 0; i < s->rows.n && st == OK; i++)
        s->lists.start[s->list[s->rows.rows[i]] + 1]++;
    for (size_t k = 0; k < lists && st == OK; k++)
        s->lists.start[k + 1] += s->lists.start[k];
    if (st == OK)
        memcpy(next, s->lists.start, (lists + 1) * sizeof *next);
    for (size_t i = 0; i < s->rows.n && st == OK; i++)
        sorted[next[s->list[s->rows.rows[i]]]++] = s->rows.rows[i];
    free(next);
    if (st != OK) {
        free(sorted);
        return st;
    }
    free(s->rows.rows);
    s->rows.rows = sorted;
    return OK;
}

/* --- how many rows must be read --- */

/* Of one row that was searched for: in which lists the others lie. list[n]: for use. */
static enum status count_trial(struct sorter *s, const float *query, int64_t own, const struct vectors_hit *hits,
                               size_t n, uint32_t *list)
{
    struct vectors_exact *ix = s->ix;
    size_t known = 0;
    pthread_mutex_lock(&ix->write_lock);
    for (size_t i = 0; i < n && ix->table == s->rows.table; i++) {
        uint64_t row;
        if (hits[i].id != own && id_map_get(&ix->ids, hits[i].id, &row) && row < s->rows.count)
            list[known++] = s->list[row];
    }
    pthread_mutex_unlock(&ix->write_lock);
    return reach_learn(ix, &s->lists, query, list, known, &s->lists.reach);
}

/* The vectors and ids of n rows, out of all from the number `from` of the trials on. */
static void take_trials(const struct sorter *s, size_t from, size_t trials, size_t n, float *queries, int64_t *ids)
{
    size_t dim = s->ix->base.dim;
    for (size_t q = 0; q < n; q++) {
        size_t k;
        const struct segment *seg = row_at(s, s->rows.n * (from + q) / trials, &k);
        memcpy(queries + q * dim, seg->vectors + k * dim, dim * sizeof *queries);
        ids[q] = seg->id[k];
    }
}

/* Searches for some of the rows, exactly. */
static enum status learn_reach(struct sorter *s, struct error *err)
{
    size_t dim = s->ix->base.dim, most = vectors_depths[DEPTHS - 1] + 1; /* the row itself is among them */
    size_t trials = s->rows.n / ROWS_PER_TRIAL < TRIALS ? s->rows.n / ROWS_PER_TRIAL + 1 : TRIALS;
    float *queries = malloc(TRIALS_AT_ONCE * dim * sizeof *queries);
    struct vectors_hit *hits = malloc(TRIALS_AT_ONCE * most * sizeof *hits);
    uint32_t *list = malloc(most * sizeof *list);
    s->lists.reach = (struct reach){0}; /* rows have come and gone since the last time */
    enum status st = queries && hits && list ? OK : err_no_memory(err, "trial searches");
    for (size_t done = 0; done < trials && st == OK; done += TRIALS_AT_ONCE) {
        size_t n = trials - done < TRIALS_AT_ONCE ? trials - done : TRIALS_AT_ONCE, counts[TRIALS_AT_ONCE];
        int64_t ids[TRIALS_AT_ONCE] = {0};
        take_trials(s, done, trials, n, queries, ids);
        st = vectors_exact_search(s->ix, NULL, queries, n, most, VECTORS_INT8, NULL, hits, counts, err);
        for (size_t q = 0; q < n && st == OK; q++)
            if (count_trial(s, queries + q * dim, ids[q], hits + q * most, counts[q], list) != OK)
                st = err_no_memory(err, "trial searches");
        if (st == OK && vectors_stopped(s->stop))
            st = err_set(err, ERR_CANCELLED, "stopped");
    }
    free(list);
    free(hits);
    free(queries);
    return st;
}

/* --- going on with the file --- */

/* What has changed in the old table since the rows were listed. */
static enum status catch_up(struct sorter *s, struct table *t, struct id_map *ids, struct error *err)
{
    const struct table *old = s->rows.table;
    for (size_t i = 0; i < s->rows.n; i++) {
        size_t k;
        const struct segment *seg = row_at(s, i, &k);
        if (atomic_load(&seg->died[k]) == ALIVE)
            continue;
        table_bury(t, i, 0);
        id_map_delete(ids, seg->id[k]);
    }
    enum status st = OK;
    for (uint64_t row = s->rows.count; row < atomic_load(&old->count) && st == OK; row++) {
        const struct segment *seg = table_segment(old, row);
        size_t k = (size_t)(row - seg->base);
        uint64_t at;
        if (atomic_load(&seg->died[k]) != ALIVE)
            continue;
        st = table_append_copy(s->ix, t, seg, k, &at, err);
        if (st == OK && id_map_put(ids, seg->id[k], at) != OK)
            st = err_no_memory(err, "vectors");
    }
    return st;
}

static enum status go_on_with(struct sorter *s, const char *path, const struct snapshot_key *key, struct error *err)
{
    struct vectors_exact *ix = s->ix;
    struct table *t;
    struct id_map ids;
    enum status st = snapshot_read(path, key, true, &t, &ids, err);
    if (st != OK)
        return st;
    pthread_mutex_lock(&ix->write_lock);
    size_t memory = atomic_load(&ix->memory);
    atomic_store(&ix->memory, table_mapped_bytes(t));
    bool same = ix->table == s->rows.table; /* else it was compacted meanwhile */
    if (same)
        st = catch_up(s, t, &ids, err);
    if (same && st == OK) {
        if (s->trained)
            samples_forget(ix);
        table_swap(ix, t, &ids);
    } else {
        atomic_store(&ix->memory, memory);
        free(ids.slots);
        table_release(t);
    }
    pthread_mutex_unlock(&ix->write_lock);
    return st;
}

enum status vectors_exact_sort(struct vectors_exact *ix, const char *path, const char *tag, int64_t generation,
                               const struct vectors_stop *stop, struct error *err)
{
    struct sorter s = {.ix = ix, .stop = stop};
    const struct snapshot_key key = {tag, ix->base.dim, ix->stride, generation};
    int64_t began = os_monotonic_us();
    if (!wants_lists(ix, vectors_exact_count(ix)))
        return vectors_exact_save(ix, path, tag, generation, err);
    enum status st = living_take(ix, &s.rows, err);
    if (st == OK)
        st = take_centres(&s, err);
    if (st == OK)
        st = assign_rows(&s, err);
    if (st == OK)
        st = sort_rows(&s, err);
    if (st == OK)
        st = learn_reach(&s, err);
    if (st == OK)
        st = snapshot_write(path, &key, &s.rows, &s.lists, err);
    if (st == OK)
        st = go_on_with(&s, path, &key, err);
    if (st == OK)
        log_info("vectors: sorted %zu into %u lists in %.1f s", s.rows.n, s.lists.clusters.lists,
                 (double)(os_monotonic_us() - began) / 1e6);
    lists_free(&s.lists);
    free(s.list);
    living_free(&s.rows);
    malloc_trim(0); /* the table that was in memory goes back to the system */
    return st;
}
