#include "vectors/vectors_exact_internal.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EMPTY   UINT64_MAX
#define DELETED (UINT64_MAX - 1)

/* --- id map --- */

static size_t id_slot(const struct id_map *m, int64_t id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(h >> 32) & m->mask;
    while (m->slots[i].row != EMPTY && (m->slots[i].row == DELETED || m->slots[i].id != id))
        i = (i + 1) & m->mask;
    return i;
}

bool id_map_get(const struct id_map *m, int64_t id, uint64_t *row)
{
    if (!m->slots)
        return false;
    *row = m->slots[id_slot(m, id)].row;
    return *row != EMPTY;
}

static enum status id_map_grow(struct id_map *m)
{
    size_t live = 0;
    for (size_t i = 0; m->slots && i <= m->mask; i++)
        live += m->slots[i].row < DELETED;
    size_t size = 64;
    while (size < 4 * (live + 1))
        size *= 2;
    struct id_map bigger = {.slots = malloc(size * sizeof *bigger.slots), .mask = size - 1, .used = live};
    if (!bigger.slots)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < size; i++)
        bigger.slots[i].row = EMPTY;
    for (size_t i = 0; m->slots && i <= m->mask; i++)
        if (m->slots[i].row < DELETED)
            bigger.slots[id_slot(&bigger, m->slots[i].id)] = m->slots[i];
    free(m->slots);
    *m = bigger;
    return OK;
}

enum status id_map_put(struct id_map *m, int64_t id, uint64_t row)
{
    if ((!m->slots || 2 * (m->used + 1) > m->mask) && id_map_grow(m) != OK)
        return ERR_NO_MEMORY;
    size_t i = id_slot(m, id);
    m->used += m->slots[i].row == EMPTY;
    m->slots[i] = (struct id_slot){id, row};
    return OK;
}

static void id_map_delete(struct id_map *m, int64_t id)
{
    m->slots[id_slot(m, id)].row = DELETED;
}

/* --- tables and segments --- */

void *scan_memory(size_t bytes)
{
    size_t huge = (size_t)2 << 20, align = bytes < huge ? SCAN_ALIGN : huge;
    void *p = aligned_alloc(align, (bytes + align - 1) / align * align);
    if (p && align == huge)
        (void)madvise(p, bytes / huge * huge, MADV_HUGEPAGE);
    return p;
}

struct table *table_new(void)
{
    struct table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->segments = calloc(MAX_SEGMENTS, sizeof *t->segments); /* untouched pages cost nothing */
    if (!t->segments) {
        free(t);
        return NULL;
    }
    atomic_init(&t->refs, 1);
    return t;
}

struct table *table_acquire(struct vectors_exact *ix)
{
    pthread_mutex_lock(&ix->table_lock);
    struct table *t = ix->table;
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&ix->table_lock);
    return t;
}

void table_release(struct table *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < t->n_segments; i++) {
        free(t->segments[i].memory);
        free(t->segments[i].died);
    }
    free(t->segments);
    free(t->codes);
    os_unmap(&t->map);
    free(t);
}

struct segment *table_segment(const struct table *t, uint64_t row)
{
    /* All segments but one (the last of a snapshot) are full, so the wanted one is near row / SEGMENT_ROWS. */
    size_t low = 0, high = (size_t)(row / SEGMENT_ROWS) + 1;
    size_t last = atomic_load_explicit(&((struct table *)(uintptr_t)t)->n_segments, memory_order_acquire) - 1;
    high = high < last ? high : last;
    while (low < high) { /* the last segment with base <= row */
        size_t middle = (low + high + 1) / 2;
        if (t->segments[middle].base <= row)
            low = middle;
        else
            high = middle - 1;
    }
    return &t->segments[low];
}

enum status table_grow(struct vectors_exact *ix, struct table *t, uint32_t rows, struct segment **out,
                       struct error *err)
{
    size_t at = atomic_load(&t->n_segments);
    if (at == MAX_SEGMENTS)
        return err_set(err, ERR_TOO_LARGE, "vectors: more than %u segments", MAX_SEGMENTS);
    size_t n = rows, codes = n * ix->stride, vectors = n * ix->base.dim * sizeof(float);
    size_t bytes = codes + vectors + n * (3 * sizeof(float) + sizeof(int32_t) + sizeof(int64_t));
    struct segment s = {.base = atomic_load(&t->count), .rows = rows};
    /* The first segment is most of the memory of a small library, which huge pages would fill up at once. */
    s.memory = at ? scan_memory(bytes) : aligned_alloc(SCAN_ALIGN, (bytes + SCAN_ALIGN - 1) / SCAN_ALIGN * SCAN_ALIGN);
    s.died = malloc(n * sizeof *s.died);
    if (!s.memory || !s.died) {
        free(s.memory);
        free(s.died);
        return err_no_memory(err, "%u more rows", rows);
    }
    char *p = s.memory;
    s.codes = (int8_t *)p;
    s.vectors = (float *)(void *)(p += codes);
    s.id = (int64_t *)(void *)(p += vectors);
    s.scale = (float *)(void *)(p += n * sizeof(int64_t));
    s.residual = s.scale + n;
    s.code_norm = s.residual + n;
    s.sum = (int32_t *)(void *)(s.code_norm + n);
    for (size_t i = 0; i < n; i++)
        atomic_init(&s.died[i], ALIVE);
    t->segments[at] = s;
    *out = &t->segments[at];
    atomic_store_explicit(&t->n_segments, at + 1, memory_order_release);
    atomic_fetch_add(&ix->memory, bytes + n * sizeof *s.died);
    return OK;
}

/* --- behind vectors.h --- */

static struct vectors_exact *exact_of(struct vectors *v)
{
    return (struct vectors_exact *)v;
}

static void exact_close(struct vectors *v)
{
    vectors_exact_close(exact_of(v));
}

static enum status exact_put(struct vectors *v, int64_t id, const float *vector, struct error *err)
{
    return vectors_exact_put(exact_of(v), id, vector, err);
}

static void exact_remove(struct vectors *v, int64_t id)
{
    vectors_exact_delete(exact_of(v), id);
}

static enum status exact_get(struct vectors *v, int64_t id, float *out, struct error *err)
{
    return vectors_exact_get(exact_of(v), id, out, err);
}

static enum status exact_compare(struct vectors *v, const float *vector, const int64_t *ids, size_t n, float *scores,
                                 struct error *err)
{
    struct vectors_exact *ix = exact_of(v);
    (void)err;
    _Alignas(SCAN_ALIGN) int8_t codes[VECTORS_MAX_DIM];
    struct coded c = scan_quantize(vector, v->dim, ix->stride, codes);
    pthread_mutex_lock(&ix->write_lock);
    for (size_t i = 0; i < n; i++) {
        uint64_t row;
        scores[i] = VECTORS_NO_SCORE;
        if (!id_map_get(&ix->ids, ids[i], &row))
            continue;
        const struct segment *s = table_segment(ix->table, row);
        int32_t dot;
        row -= s->base;
        ix->kernels->dot_i8(s->codes + row * ix->stride, &s->sum[row], 1, ix->stride, codes, 1, &dot);
        scores[i] = (float)dot * (c.scale * s->scale[row]);
    }
    pthread_mutex_unlock(&ix->write_lock);
    return OK;
}

static enum status exact_search(struct vectors *v, const struct vectors_query *q, struct arena *a,
                                struct vectors_hit **hits, size_t *n, struct error *err)
{
    *hits = arena_array(a, q->k, sizeof **hits);
    if (!*hits)
        return err_no_memory(err, "%zu results", q->k);
    return vectors_exact_search(exact_of(v), q->pool, q->vector, 1, q->k, VECTORS_INT8, q->passing, *hits, n, err);
}

static size_t exact_count(const struct vectors *v)
{
    return vectors_exact_count((const struct vectors_exact *)v);
}

static enum status exact_count_passing(struct vectors *v, const struct label_test *passing,
                                       const struct sticker_filter *filter, size_t *n, struct error *err)
{
    struct vectors_exact *ix = exact_of(v);
    (void)filter, (void)err;
    *n = 0;
    pthread_mutex_lock(&ix->write_lock);
    for (size_t i = 0; ix->ids.slots && i <= ix->ids.mask; i++)
        *n += ix->ids.slots[i].row < DELETED && label_passes(passing, ix->ids.slots[i].id);
    pthread_mutex_unlock(&ix->write_lock);
    return OK;
}

static size_t exact_bytes(const struct vectors *v)
{
    return vectors_exact_bytes((const struct vectors_exact *)v);
}

static enum status exact_save(struct vectors *v, const char *path, const char *tag, int64_t generation,
                              struct error *err)
{
    return vectors_exact_save(exact_of(v), path, tag, generation, err);
}

static const struct vectors_class class = {
    .name = "exact",
    .close = exact_close,
    .put = exact_put,
    .remove = exact_remove,
    .get = exact_get,
    .compare = exact_compare,
    .search = exact_search,
    .count = exact_count,
    .count_passing = exact_count_passing,
    .bytes = exact_bytes,
    .save = exact_save,
};

struct vectors *vectors_exact_base(struct vectors_exact *ix)
{
    return &ix->base;
}

/* --- the vectors --- */

enum status vectors_exact_open(size_t dim, struct vectors_exact **out, struct error *err)
{
    *out = NULL;
    if (dim < 1 || dim > VECTORS_MAX_DIM)
        return err_set(err, ERR_INVALID, "vectors: dimension %zu: expected 1 to %d", dim, VECTORS_MAX_DIM);
    struct vectors_exact *ix = calloc(1, sizeof *ix);
    if (!ix || !(ix->table = table_new())) {
        free(ix);
        return err_no_memory(err, "vectors");
    }
    ix->base = (struct vectors){&class, dim};
    ix->stride = (dim + SCAN_ALIGN - 1) / SCAN_ALIGN * SCAN_ALIGN;
    ix->kernels = scan_available()[0];
    pthread_mutex_init(&ix->table_lock, NULL);
    pthread_mutex_init(&ix->write_lock, NULL);
    *out = ix;
    return OK;
}

void vectors_exact_close(struct vectors_exact *ix)
{
    if (!ix)
        return;
    table_release(ix->table);
    free(ix->ids.slots);
    pthread_mutex_destroy(&ix->table_lock);
    pthread_mutex_destroy(&ix->write_lock);
    free(ix);
}

/* Writes a row that no reader sees until publish(). */
static enum status append(struct vectors_exact *ix, struct table *t, int64_t id, const float *vector, uint64_t *row,
                          struct error *err)
{
    uint64_t count = atomic_load_explicit(&t->count, memory_order_relaxed);
    size_t n = atomic_load(&t->n_segments);
    struct segment *s = n ? &t->segments[n - 1] : NULL;
    if (!s || count == s->base + s->rows) {
        enum status st = table_grow(ix, t, SEGMENT_ROWS, &s, err);
        if (st != OK)
            return st;
    }
    size_t i = (size_t)(count - s->base);
    struct coded c = scan_quantize(vector, ix->base.dim, ix->stride, s->codes + i * ix->stride);
    s->scale[i] = c.scale;
    s->residual[i] = c.residual;
    s->code_norm[i] = c.code_norm;
    s->sum[i] = c.sum;
    s->id[i] = id;
    memcpy(s->vectors + i * ix->base.dim, vector, ix->base.dim * sizeof *vector);
    *row = count;
    return OK;
}

static void publish(struct table *t, uint64_t row)
{
    atomic_store_explicit(&t->count, row + 1, memory_order_release);
}

static void bury(struct table *t, uint64_t row, uint64_t since)
{
    struct segment *s = table_segment(t, row);
    atomic_store_explicit(&s->died[row - s->base], since, memory_order_release);
}

/* When more rows are dead than alive, copies the living into a new table; searches under way keep the old. */
static void compact_if_worthwhile(struct vectors_exact *ix)
{
    struct table *old = ix->table;
    uint64_t count = atomic_load(&old->count);
    size_t live = atomic_load(&ix->live), memory = atomic_load(&ix->memory);
    if (count - live < SEGMENT_ROWS || count - live < live)
        return;
    struct table *t = table_new();
    struct id_map ids = {0};
    bool done = t != NULL;
    atomic_store(&ix->memory, 0);
    for (size_t k = 0; done && k < old->n_segments; k++) {
        struct segment *s = &old->segments[k];
        for (size_t i = 0; done && i < s->rows && s->base + i < count; i++) {
            uint64_t row;
            if (atomic_load(&s->died[i]) != ALIVE)
                continue;
            done = append(ix, t, s->id[i], s->vectors + i * ix->base.dim, &row, NULL) == OK &&
                   id_map_put(&ids, s->id[i], row) == OK;
            if (done)
                publish(t, row);
        }
    }
    if (!done) { /* no memory: carry on with the old one */
        atomic_store(&ix->memory, memory);
        free(ids.slots);
        table_release(t);
        return;
    }
    free(ix->ids.slots);
    ix->ids = ids;
    pthread_mutex_lock(&ix->table_lock);
    ix->table = t;
    pthread_mutex_unlock(&ix->table_lock);
    table_release(old);
}

enum status vectors_exact_put(struct vectors_exact *ix, int64_t id, const float *vector, struct error *err)
{
    float norm = ix->kernels->dot_f32(vector, vector, ix->base.dim);
    if (!(fabsf(norm - 1) < 0.01f))
        return err_set(err, ERR_INVALID, "vector of document %lld: length squared %g, expected 1", (long long)id,
                       (double)norm);
    pthread_mutex_lock(&ix->write_lock);
    uint64_t old, row;
    bool replaces = id_map_get(&ix->ids, id, &old);
    /* The map first: if it has no memory, nothing has changed yet. */
    enum status st = replaces ? OK : id_map_put(&ix->ids, id, atomic_load(&ix->table->count));
    if (st != OK)
        st = err_set(err, st, "vectors: out of memory");
    else if ((st = append(ix, ix->table, id, vector, &row, err)) != OK && !replaces)
        id_map_delete(&ix->ids, id);
    if (st == OK && replaces) {
        ix->ids.slots[id_slot(&ix->ids, id)].row = row;
        bury(ix->table, old, row + 1); /* before the new row is seen: a search must not meet both */
        publish(ix->table, row);
        compact_if_worthwhile(ix);
    } else if (st == OK) {
        publish(ix->table, row);
        atomic_fetch_add(&ix->live, 1);
    }
    pthread_mutex_unlock(&ix->write_lock);
    return st;
}

void vectors_exact_delete(struct vectors_exact *ix, int64_t id)
{
    pthread_mutex_lock(&ix->write_lock);
    uint64_t row;
    if (id_map_get(&ix->ids, id, &row)) {
        id_map_delete(&ix->ids, id);
        bury(ix->table, row, 0);
        atomic_fetch_sub(&ix->live, 1);
        compact_if_worthwhile(ix);
    }
    pthread_mutex_unlock(&ix->write_lock);
}

enum status vectors_exact_get(struct vectors_exact *ix, int64_t id, float *out, struct error *err)
{
    pthread_mutex_lock(&ix->write_lock);
    uint64_t row;
    bool found = id_map_get(&ix->ids, id, &row);
    if (found) {
        const struct segment *s = table_segment(ix->table, row);
        memcpy(out, s->vectors + (row - s->base) * ix->base.dim, ix->base.dim * sizeof *out);
    }
    pthread_mutex_unlock(&ix->write_lock);
    return found ? OK : err_set(err, ERR_NOT_FOUND, "document %lld has no vector here", (long long)id);
}

size_t vectors_exact_count(const struct vectors_exact *ix)
{
    return atomic_load(&((struct vectors_exact *)(uintptr_t)ix)->live);
}

size_t vectors_exact_bytes(const struct vectors_exact *ix)
{
    return atomic_load(&((struct vectors_exact *)(uintptr_t)ix)->memory);
}
