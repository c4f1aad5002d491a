#include "vectors/vectors_exact_internal.h"

#include <assert.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define EMPTY   UINT64_MAX
#define DELETED (UINT64_MAX - 1)

#define DISK_LEFT ((uint64_t)256 << 20) /* for others, by a file of vectors */

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

void id_map_delete(struct id_map *m, int64_t id)
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
    t->file = t->scratch = -1;
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
        struct segment *s = &t->segments[i];
        if (s->memory && s->at >= 0)
            munmap(s->vectors, s->vector_bytes);
        free(s->memory);
        free(s->died);
    }
    free(t->segments);
    free(t->codes);
    lists_free(&t->lists);
    os_unmap(&t->map);
    if (t->file >= 0)
        close(t->file);
    if (t->scratch >= 0)
        close(t->scratch);
    free(t);
}

struct segment *table_segment(const struct table *t, uint64_t row)
{
    /* All segments but one (the last of a snapshot) are full, so it is this one or the next. */
    size_t at = (size_t)(row / SEGMENT_ROWS);
    size_t n = atomic_load_explicit(&((struct table *)(uintptr_t)t)->n_segments, memory_order_acquire);
    if (at >= n || (at + 1 < n && t->segments[at + 1].base <= row))
        at = at >= n ? n - 1 : at + 1;
    return &t->segments[at];
}

const float *table_vector(const struct table *t, const struct segment *s, size_t i, size_t dim, float *buffer)
{
    const float *vector = s->vectors + i * dim;
    size_t bytes = dim * sizeof *vector;
    int file = s->at < 0 ? -1 : s->memory ? t->scratch : t->file;
    if (file < 0)
        return vector;
    return pread(file, buffer, bytes, s->at + (off_t)(i * bytes)) == (ssize_t)bytes ? buffer : vector;
}

/* Is there so much room on the file's disk, as well as for a snapshot of it with codes and numbers, and DISK_LEFT? */
static bool has_room(int file, off_t length, size_t more)
{
    struct statvfs disk;
    uint64_t snapshot = ((uint64_t)length + more) / 2 * 3;
    return fstatvfs(file, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize > more + snapshot + DISK_LEFT;
}

static void unmap_vectors(struct table *t, struct segment *s)
{
    munmap(s->vectors, s->vector_bytes);
    (void)!ftruncate(t->scratch, s->at);
}

/* Room for a segment's vectors in a file without a name that the table has for them, where there are so many that a
 * sort will move them to the snapshot. False: they go to memory. */
static bool map_vectors(const struct vectors_tuning *tuning, struct table *t, struct segment *s)
{
    if (!tuning->folder || tuning->recall >= 1 || s->base < tuning->exact_below)
        return false;
    if (t->scratch < 0)
        t->scratch = os_scratch_file(tuning->folder);
    off_t at = t->scratch < 0 ? (off_t)-1 : lseek(t->scratch, 0, SEEK_END);
    if (at < 0 || !has_room(t->scratch, at, s->vector_bytes))
        return false;
    /* reserved, as writing to a mapping of a full disk ends the process */
    void *mapped = posix_fallocate(t->scratch, at, (off_t)s->vector_bytes) == 0
                       ? mmap(NULL, s->vector_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->scratch, at)
                       : MAP_FAILED;
    if (mapped == MAP_FAILED) {
        (void)!ftruncate(t->scratch, at);
        return false;
    }
    s->vectors = mapped;
    s->at = at;
    return true;
}

/* The vectors of a full segment, which are seldom read, may leave our memory: the system keeps them or writes them. */
static void let_go(const struct table *t)
{
    size_t n = atomic_load(&((struct table *)(uintptr_t)t)->n_segments);
    const struct segment *last = n ? &t->segments[n - 1] : NULL;
    if (last && last->memory && last->at >= 0)
        (void)madvise(last->vectors, last->vector_bytes, MADV_DONTNEED);
}

/* Adds a segment at the end. Writers only. */
static enum status table_grow(struct vectors_exact *ix, struct table *t, struct segment **out, struct error *err)
{
    size_t at = atomic_load(&t->n_segments);
    if (at == MAX_SEGMENTS)
        return err_set(err, ERR_TOO_LARGE, "vectors: more than %u segments", MAX_SEGMENTS);
    size_t n = SEGMENT_ROWS, codes = n * ix->stride;
    struct segment s = {.base = atomic_load(&t->count), .rows = SEGMENT_ROWS, .at = -1};
    s.vector_bytes = n * ix->base.dim * sizeof *s.vectors;
    let_go(t);
    bool mapped = map_vectors(&ix->tuning, t, &s);
    size_t bytes = codes + (mapped ? 0 : s.vector_bytes) + n * (3 * sizeof(float) + sizeof(int32_t) + sizeof(int64_t));
    /* The first segment is most of the memory of a small library, which huge pages would fill up at once. */
    s.memory = at ? scan_memory(bytes) : aligned_alloc(SCAN_ALIGN, (bytes + SCAN_ALIGN - 1) / SCAN_ALIGN * SCAN_ALIGN);
    s.died = malloc(n * sizeof *s.died);
    if (!s.memory || !s.died) {
        if (mapped)
            unmap_vectors(t, &s);
        free(s.memory);
        free(s.died);
        return err_no_memory(err, "%u more vectors", SEGMENT_ROWS);
    }
    char *p = s.memory;
    s.codes = (int8_t *)p;
    p += codes;
    if (!mapped) {
        s.vectors = (float *)(void *)p;
        p += s.vector_bytes;
    }
    s.id = (int64_t *)(void *)p;
    s.scale = (float *)(void *)(s.id + n);
    s.residual = s.scale + n;
    s.code_norm = s.residual + n;
    s.sum = (int32_t *)(void *)(s.code_norm + n);
    for (size_t i = 0; i < n; i++)
        atomic_init(&s.died[i], ALIVE);
    t->segments[at] = s;
    *out = &t->segments[at];
    atomic_store_explicit(&t->n_segments, at + 1, memory_order_release);
    atomic_fetch_add(&ix->memory, bytes + (mapped ? s.vector_bytes : 0) + n * sizeof *s.died);
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
    enum status st = vectors_exact_near(exact_of(v), q->pool, q->vector, q->k, q->passing, *hits, n, err);
    if (st == OK && !q->passing)
        sample_offer(exact_of(v), q->vector);
    return st;
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

static bool exact_wants_sort(const struct vectors *v)
{
    return vectors_exact_wants_sort((const struct vectors_exact *)v);
}

static enum status exact_sort(struct vectors *v, const char *path, const char *tag, int64_t generation,
                              const struct vectors_stop *stop, struct error *err)
{
    return vectors_exact_sort(exact_of(v), path, tag, generation, stop, err);
}

static void exact_tend(struct vectors *v)
{
    vectors_exact_tend(exact_of(v));
}

static void exact_accuracy(const struct vectors *v, struct vectors_accuracy *out)
{
    vectors_exact_accuracy((const struct vectors_exact *)v, out);
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
    .wants_sort = exact_wants_sort,
    .sort = exact_sort,
    .tend = exact_tend,
    .accuracy = exact_accuracy,
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
    if (!ix || !(ix->table = table_new()) || !(ix->samples.query = malloc(dim * sizeof(float)))) {
        table_release(ix ? ix->table : NULL);
        free(ix);
        return err_no_memory(err, "vectors");
    }
    ix->tuning = VECTORS_TUNING;
    pthread_mutex_init(&ix->samples.lock, NULL);
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
    pthread_mutex_destroy(&ix->samples.lock);
    free(ix->samples.query);
    free(ix);
}

void vectors_exact_tune(struct vectors_exact *ix, const struct vectors_tuning *tuning)
{
    ix->tuning = *tuning;
    reach_update(ix, ix->table);
}

/* The next row of the table, as *i of *out: no reader sees it until publish_row(). */
static enum status next_row(struct vectors_exact *ix, struct table *t, struct segment **out, size_t *i,
                            struct error *err)
{
    uint64_t count = atomic_load_explicit(&t->count, memory_order_relaxed);
    size_t n = atomic_load(&t->n_segments);
    struct segment *s = n ? &t->segments[n - 1] : NULL;
    if (!s || count == s->base + s->rows) {
        enum status st = table_grow(ix, t, &s, err);
        if (st != OK)
            return st;
    }
    *out = s;
    *i = (size_t)(count - s->base);
    return OK;
}

static enum status append_row(struct vectors_exact *ix, struct table *t, int64_t id, const float *vector, uint64_t *row,
                              struct error *err)
{
    struct segment *s;
    size_t i;
    enum status st = next_row(ix, t, &s, &i, err);
    if (st != OK)
        return st;
    struct coded c = scan_quantize(vector, ix->base.dim, ix->stride, s->codes + i * ix->stride);
    s->scale[i] = c.scale;
    s->residual[i] = c.residual;
    s->code_norm[i] = c.code_norm;
    s->sum[i] = c.sum;
    s->id[i] = id;
    memcpy(s->vectors + i * ix->base.dim, vector, ix->base.dim * sizeof *vector);
    *row = s->base + i;
    return OK;
}

static void publish_row(struct table *t, uint64_t row)
{
    atomic_store_explicit(&t->count, row + 1, memory_order_release);
}

enum status table_append_copy(struct vectors_exact *ix, struct table *t, const struct segment *from, size_t k,
                              uint64_t *row, struct error *err)
{
    struct segment *s;
    size_t i;
    enum status st = next_row(ix, t, &s, &i, err);
    if (st != OK)
        return st;
    memcpy(s->codes + i * ix->stride, from->codes + k * ix->stride, ix->stride);
    memcpy(s->vectors + i * ix->base.dim, from->vectors + k * ix->base.dim, ix->base.dim * sizeof *s->vectors);
    s->scale[i] = from->scale[k];
    s->residual[i] = from->residual[k];
    s->code_norm[i] = from->code_norm[k];
    s->sum[i] = from->sum[k];
    s->id[i] = from->id[k];
    *row = s->base + i;
    publish_row(t, *row);
    return OK;
}

void table_bury(struct table *t, uint64_t row, uint64_t since)
{
    struct segment *s = table_segment(t, row);
    atomic_store_explicit(&s->died[row - s->base], since, memory_order_release);
}

void table_swap(struct vectors_exact *ix, struct table *t, struct id_map *ids)
{
    struct table *old = ix->table;
    free(ix->ids.slots);
    ix->ids = *ids;
    pthread_mutex_lock(&ix->table_lock);
    ix->table = t;
    pthread_mutex_unlock(&ix->table_lock);
    reach_update(ix, t);
    table_release(old);
}

/* --- the living --- */

static enum status take_living(struct vectors_exact *ix, struct living *out)
{
    *out = (struct living){.table = table_acquire(ix)};
    out->count = atomic_load(&out->table->count);
    out->rows = malloc((atomic_load(&ix->live) + 1) * sizeof *out->rows);
    for (size_t k = 0; out->rows && k < out->table->n_segments; k++) {
        const struct segment *s = &out->table->segments[k];
        for (size_t i = 0; i < s->rows && s->base + i < out->count; i++)
            if (atomic_load_explicit(&s->died[i], memory_order_relaxed) == ALIVE)
                out->rows[out->n++] = (uint32_t)(s->base + i);
    }
    return out->rows ? OK : ERR_NO_MEMORY;
}

enum status living_take(struct vectors_exact *ix, struct living *out, struct error *err)
{
    pthread_mutex_lock(&ix->write_lock);
    enum status st = take_living(ix, out);
    pthread_mutex_unlock(&ix->write_lock);
    if (st != OK) {
        living_free(out);
        return err_no_memory(err, "vectors");
    }
    return OK;
}

void living_free(struct living *l)
{
    table_release(l->table);
    free(l->rows);
    *l = (struct living){0};
}

/* Copies the living into a table of their own, in the same order. */
static enum status copy_living(struct vectors_exact *ix, const struct living *l, struct table *t, struct id_map *ids)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct segment *s = table_segment(l->table, l->rows[i]);
        size_t k = l->rows[i] - s->base;
        uint64_t row;
        if (table_append_copy(ix, t, s, k, &row, NULL) != OK || id_map_put(ids, s->id[k], row) != OK)
            return ERR_NO_MEMORY;
    }
    if (!l->table->lists.start)
        return OK;
    enum status st = lists_copy(&l->table->lists, &t->lists, ix->stride);
    if (st == OK)
        lists_start(&l->table->lists, l->rows, l->n, t->lists.start);
    return st;
}

/* When more rows are dead than alive, the living get a table of their own; searches under way keep the old. */
static void compact_if_worthwhile(struct vectors_exact *ix)
{
    uint64_t count = atomic_load(&ix->table->count);
    size_t live = atomic_load(&ix->live), memory = atomic_load(&ix->memory);
    if (count - live < SEGMENT_ROWS || count - live < live)
        return;
    struct living l = {0};
    struct id_map ids = {0};
    struct table *t = table_new();
    atomic_store(&ix->memory, 0);
    if (t && take_living(ix, &l) == OK && copy_living(ix, &l, t, &ids) == OK) {
        table_swap(ix, t, &ids);
    } else { /* no memory: carry on with the old one */
        atomic_store(&ix->memory, memory);
        free(ids.slots);
        table_release(t);
    }
    living_free(&l);
}

enum status vectors_exact_put(struct vectors_exact *ix, int64_t id, const float *vector, struct error *err)
{
    float norm = ix->kernels->dot_f32(vector, vector, ix->base.dim);
    if (!(fabsf(norm - 1) < 0.01f))
        return err_set(err, ERR_INVALID, "vector of document %lld: length squared %g, expected 1", (long long)id,
                       (double)norm);
    pthread_mutex_lock(&ix->write_lock);
    uint64_t old, row = 0;
    bool replaces = id_map_get(&ix->ids, id, &old);
    /* The map first: if it has no memory, nothing has changed yet. */
    enum status st = replaces ? OK : id_map_put(&ix->ids, id, atomic_load(&ix->table->count));
    if (st != OK)
        st = err_set(err, st, "vectors: out of memory");
    else if ((st = append_row(ix, ix->table, id, vector, &row, err)) != OK && !replaces)
        id_map_delete(&ix->ids, id);
    if (st == OK && replaces) {
        ix->ids.slots[id_slot(&ix->ids, id)].row = row;
        table_bury(ix->table, old, row + 1); /* before the new row is seen: a search must not meet both */
        publish_row(ix->table, row);
        compact_if_worthwhile(ix);
    } else if (st == OK) {
        publish_row(ix->table, row);
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
        table_bury(ix->table, row, 0);
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
