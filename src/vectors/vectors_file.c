/* The snapshot: a header of one page, then the arrays of struct segment for all rows and those of struct lists, each
 * at a multiple of 64 bytes, native byte order. XXH3 sums cover the header and the rest; sizes are computed from the
 * header's numbers and must give exactly the file's length, so nothing outside the mapping is ever touched. */
#include "vectors/vectors_exact_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC        "PEELIX02"
#define ORDER        0x01020304u
#define HEADER_BYTES 4096u

struct header {
    char magic[8];
    uint32_t order, dim;
    uint64_t rows;
    int64_t generation;
    char tag[256];
    uint32_t groups, lists; /* of struct clusters; 0: there are none */
    uint64_t trained;
    struct reach reach;
    uint64_t body_sum;
    uint64_t header_sum; /* of all members above */
};
_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header is one page");

enum section {
    CODES,
    VECTORS,
    IDS,
    SCALE,
    RESIDUAL,
    CODE_NORM,
    SUM,
    N_ROW_SECTIONS,
    CENTRE_CODES = N_ROW_SECTIONS,
    CENTRE_SCALE,
    CENTRE_SUM,
    GROUP_FIRST,
    LIST_START,
    N_SECTIONS
};

/* Fills offset[N_SECTIONS + 1]; the last one is the file's length. The header's numbers are within bounds. */
static void layout(const struct header *h, size_t stride, uint64_t offset[N_SECTIONS + 1])
{
    uint64_t centres = (uint64_t)h->groups + h->lists, more = h->lists ? 1 : 0;
    const uint64_t bytes[N_SECTIONS] = {
        [CODES] = h->rows * stride,
        [VECTORS] = h->rows * h->dim * sizeof(float),
        [IDS] = h->rows * sizeof(int64_t),
        [SCALE] = h->rows * sizeof(float),
        [RESIDUAL] = h->rows * sizeof(float),
        [CODE_NORM] = h->rows * sizeof(float),
        [SUM] = h->rows * sizeof(int32_t),
        [CENTRE_CODES] = centres * stride,
        [CENTRE_SCALE] = centres * sizeof(float),
        [CENTRE_SUM] = centres * sizeof(int32_t),
        [GROUP_FIRST] = (h->groups + more) * sizeof(uint32_t),
        [LIST_START] = (h->lists + more) * sizeof(uint64_t),
    };
    offset[0] = HEADER_BYTES;
    for (size_t i = 0; i < N_SECTIONS; i++)
        offset[i + 1] = (offset[i] + bytes[i] + 63) / 64 * 64;
}

/* --- saving --- */

struct writer {
    FILE *file;
    XXH3_state_t *sum;
    uint64_t at;
    bool failed;
};

static void snapshot_put(struct writer *w, const void *data, size_t len)
{
    w->failed = w->failed || fwrite(data, 1, len, w->file) != len;
    XXH3_64bits_update(w->sum, data, len);
    w->at += len;
}

static void fill_up(struct writer *w)
{
    static const char zeros[64];
    snapshot_put(w, zeros, (size_t)((64 - w->at % 64) % 64));
}

static void put_rows(struct writer *w, const struct living *rows, enum section section, size_t dim, size_t stride)
{
    float buffer[VECTORS_MAX_DIM];
    for (size_t k = 0; k < rows->n; k++) {
        const struct segment *s = table_segment(rows->table, rows->rows[k]);
        size_t i = rows->rows[k] - s->base;
        const float *vector = section == VECTORS ? table_vector(rows->table, s, i, dim, buffer) : NULL;
        const void *const from[N_ROW_SECTIONS] = {s->codes + i * stride, vector,           s->id + i, s->scale + i,
                                                  s->residual + i,       s->code_norm + i, s->sum + i};
        const size_t bytes[N_ROW_SECTIONS] = {stride, dim * sizeof(float), sizeof(int64_t), 4, 4, 4, 4};
        snapshot_put(w, from[section], bytes[section]);
    }
    fill_up(w);
}

static void put_lists(struct writer *w, const struct lists *lists, size_t stride)
{
    const struct clusters *c = &lists->clusters;
    size_t centres = c->groups + c->lists;
    snapshot_put(w, c->codes, centres * stride);
    fill_up(w);
    snapshot_put(w, c->scale, centres * sizeof *c->scale);
    fill_up(w);
    snapshot_put(w, c->sum, centres * sizeof *c->sum);
    fill_up(w);
    snapshot_put(w, c->first, (c->groups + 1) * sizeof *c->first);
    fill_up(w);
    snapshot_put(w, lists->start, (c->lists + 1) * sizeof *lists->start);
    fill_up(w);
}

static void put_all(struct writer *w, int fd, struct header *h, const struct living *rows, const struct lists *lists,
                    size_t stride)
{
    static const char blank[HEADER_BYTES];
    w->failed = fwrite(blank, 1, sizeof blank, w->file) != sizeof blank;
    w->at = HEADER_BYTES;
    XXH3_64bits_reset(w->sum);
    for (enum section s = 0; s < N_ROW_SECTIONS; s++)
        put_rows(w, rows, s, h->dim, stride);
    if (h->lists)
        put_lists(w, lists, stride);
    h->body_sum = XXH3_64bits_digest(w->sum);
    h->header_sum = XXH3_64bits(h, offsetof(struct header, header_sum));
    w->failed = w->failed || fseek(w->file, 0, SEEK_SET) != 0 || fwrite(h, sizeof *h, 1, w->file) != 1 ||
                fflush(w->file) != 0 || fsync(fd) != 0;
}

enum status snapshot_write(const char *path, const struct snapshot_key *key, const struct living *rows,
                           const struct lists *lists, struct error *err)
{
    struct header h = {.magic = MAGIC,
                       .order = ORDER,
                       .dim = (uint32_t)key->dim,
                       .rows = rows->n,
                       .generation = key->generation,
                       .groups = lists->clusters.groups,
                       .lists = lists->clusters.lists,
                       .trained = lists->trained,
                       .reach = lists->reach};
    char tmp[PATH_MAX];
    if (strlen(key->tag) >= sizeof h.tag)
        return err_set(err, ERR_INVALID, "snapshot tag of %zu bytes: at most %zu", strlen(key->tag), sizeof h.tag - 1);
    snprintf(h.tag, sizeof h.tag, "%s", key->tag);
    int n = snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return err_set(err, ERR_INVALID, "snapshot path is too long");
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot make a file beside %s", path);
    struct writer w = {.file = fdopen(fd, "wb"), .sum = XXH3_createState()};
    if (w.file && w.sum)
        put_all(&w, fd, &h, rows, lists, key->stride);
    else
        w.failed = true;
    if (!w.file)
        close(fd);
    XXH3_freeState(w.sum);
    if (w.file && fclose(w.file) != 0)
        w.failed = true;
    enum status st = OK;
    if (w.failed || rename(tmp, path) != 0) {
        st = err_errno(err, "cannot write snapshot %s", path);
        unlink(tmp);
    }
    return st;
}

/* In the order in which they lie. */
enum status vectors_exact_save(struct vectors_exact *ix, const char *path, const char *tag, int64_t generation,
                               struct error *err)
{
    const struct snapshot_key key = {tag, ix->base.dim, ix->stride, generation};
    struct living rows;
    enum status st = living_take(ix, &rows, err);
    if (st != OK)
        return st;
    struct lists lists = rows.table->lists; /* which has them for as long as we have the table */
    if (lists.start) {
        lists.start = malloc((lists.clusters.lists + 1) * sizeof *lists.start);
        if (lists.start)
            lists_start(&rows.table->lists, rows.rows, rows.n, lists.start);
        else
            st = err_no_memory(err, "a snapshot");
    }
    if (st == OK)
        st = snapshot_write(path, &key, &rows, &lists, err);
    free(lists.start);
    living_free(&rows);
    return st;
}

/* --- loading --- */

static enum status snapshot_check(const struct os_map *map, const char *path, const struct snapshot_key *key,
                                  bool trusted, struct header *h, uint64_t offset[N_SECTIONS + 1], struct error *err)
{
    if (map->len < HEADER_BYTES)
        return err_set(err, ERR_CORRUPT, "snapshot %s: %zu bytes, expected at least %u", path, map->len, HEADER_BYTES);
    memcpy(h, map->data, sizeof *h);
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0 || h->order != ORDER)
        return err_set(err, ERR_CORRUPT, "snapshot %s: not a snapshot of this version and machine", path);
    if (XXH3_64bits(h, offsetof(struct header, header_sum)) != h->header_sum)
        return err_set(err, ERR_CORRUPT, "snapshot %s: header fails its checksum", path);
    h->tag[sizeof h->tag - 1] = '\0';
    if (strcmp(h->tag, key->tag) != 0 || h->dim != key->dim || h->generation != key->generation)
        return err_set(
            err, ERR_CONFLICT,
            "snapshot %s is stale: expected model %s, dimension %zu, generation %lld; found %.100s, %u, %lld", path,
            key->tag, key->dim, (long long)key->generation, h->tag, h->dim, (long long)h->generation);
    if (h->rows > (uint64_t)(MAX_SEGMENTS / 2) * SEGMENT_ROWS)
        return err_set(err, ERR_CORRUPT, "snapshot %s: absurd number of rows", path);
    if (h->lists > CLUSTERS_MAX_LISTS || h->groups > CLUSTERS_MAX_GROUPS || (h->lists == 0) != (h->groups == 0))
        return err_set(err, ERR_CORRUPT, "snapshot %s: absurd number of lists", path);
    layout(h, key->stride, offset);
    if (offset[N_SECTIONS] != map->len)
        return err_set(err, ERR_CORRUPT, "snapshot %s: %zu bytes, expected %llu", path, map->len,
                       (unsigned long long)offset[N_SECTIONS]);
    if (!trusted && XXH3_64bits(map->data + HEADER_BYTES, map->len - HEADER_BYTES) != h->body_sum)
        return err_set(err, ERR_CORRUPT, "snapshot %s: content fails its checksum", path);
    return OK;
}

/* Codes that no huge page maps take a third longer to scan: more than one segment of them is copied out of the file.
 * The system may have the file's pages back that the check or the copy has read; vectors come again as they are needed.
 */
static int8_t *place_codes(struct table *t, const struct header *h, size_t stride,
                           const uint64_t offset[N_SECTIONS + 1])
{
    char *mapped = (char *)(uintptr_t)t->map.data;
    if (h->rows <= SEGMENT_ROWS)
        return (int8_t *)(mapped + offset[CODES]);
    t->codes = scan_memory(h->rows * stride);
    if (t->codes)
        memcpy(t->codes, mapped + offset[CODES], h->rows * stride);
    (void)madvise(mapped, offset[IDS], MADV_DONTNEED);
    return t->codes ? t->codes : (int8_t *)(mapped + offset[CODES]);
}

static bool is_sum(int32_t sum, size_t dim)
{
    return sum <= 127 * (int32_t)dim && sum >= -127 * (int32_t)dim;
}

static enum status check_row(const struct segment *s, size_t i, size_t dim, const char *path, struct error *err)
{
    if (!isfinite(s->scale[i]) || !isfinite(s->residual[i]) || !isfinite(s->code_norm[i]))
        return err_set(err, ERR_CORRUPT, "snapshot %s: row %llu is not finite", path,
                       (unsigned long long)(s->base + i));
    if (!is_sum(s->sum[i], dim))
        return err_set(err, ERR_CORRUPT, "snapshot %s: row %llu has an impossible sum", path,
                       (unsigned long long)(s->base + i));
    return OK;
}

/* Makes segments that point into the mapping; they are never written to. */
static enum status adopt_rows(struct table *t, struct id_map *ids, const struct header *h, size_t stride,
                              const uint64_t offset[N_SECTIONS + 1], const char *path, struct error *err)
{
    char *base = (char *)(uintptr_t)t->map.data;
    int8_t *codes = place_codes(t, h, stride, offset);
    enum status st = OK;
    for (uint64_t row = 0; row < h->rows && st == OK; row += SEGMENT_ROWS) {
        uint32_t n = h->rows - row < SEGMENT_ROWS ? (uint32_t)(h->rows - row) : SEGMENT_ROWS;
        struct segment s = {
            .base = row,
            .rows = n,
            .codes = codes + row * stride,
            .vectors = (float *)(void *)(base + offset[VECTORS]) + row * h->dim,
            .at = (off_t)(offset[VECTORS] + row * h->dim * sizeof(float)),
            .id = (int64_t *)(void *)(base + offset[IDS]) + row,
            .scale = (float *)(void *)(base + offset[SCALE]) + row,
            .residual = (float *)(void *)(base + offset[RESIDUAL]) + row,
            .code_norm = (float *)(void *)(base + offset[CODE_NORM]) + row,
            .sum = (int32_t *)(void *)(base + offset[SUM]) + row,
            .died = malloc(n * sizeof *s.died),
        };
        if (!s.died)
            return err_no_memory(err, "vectors");
        t->segments[atomic_load(&t->n_segments)] = s;
        atomic_fetch_add(&t->n_segments, 1);
        for (size_t i = 0; i < n && st == OK; i++) {
            uint64_t seen;
            atomic_init(&s.died[i], ALIVE);
            st = check_row(&s, i, h->dim, path, err);
            if (st == OK && id_map_get(ids, s.id[i], &seen))
                st = err_set(err, ERR_CORRUPT, "snapshot %s: document %lld twice", path, (long long)s.id[i]);
            else if (st == OK && id_map_put(ids, s.id[i], row + i) != OK)
                st = err_no_memory(err, "vectors");
        }
    }
    atomic_store(&t->count, h->rows);
    return st;
}

/* Is each number at least the one before, from 0 to at most `most`? */
static bool is_ascending(const uint64_t *v, size_t n, uint64_t most)
{
    for (size_t i = 1; i < n; i++)
        if (v[i] < v[i - 1])
            return false;
    return v[0] == 0 && v[n - 1] <= most;
}

static bool is_sound(const struct lists *l, size_t dim, uint64_t rows)
{
    const struct clusters *c = &l->clusters;
    for (size_t i = 0; i < c->groups + c->lists; i++)
        if (!isfinite(c->scale[i]) || !is_sum(c->sum[i], dim))
            return false;
    for (size_t g = 0; g < c->groups; g++)
        if (c->first[g] > c->first[g + 1])
            return false;
    return c->first[0] == 0 && c->first[c->groups] == c->lists && is_ascending(l->start, c->lists + 1, rows);
}

/* Copied: they are few, and a search reads all of the centres. */
static enum status adopt_lists(struct table *t, const struct header *h, size_t stride,
                               const uint64_t offset[N_SECTIONS + 1], const char *path, struct error *err)
{
    char *base = (char *)(uintptr_t)t->map.data;
    const struct lists mapped = {
        .clusters = {.groups = h->groups,
                     .lists = h->lists,
                     .codes = (int8_t *)(base + offset[CENTRE_CODES]),
                     .scale = (float *)(void *)(base + offset[CENTRE_SCALE]),
                     .sum = (int32_t *)(void *)(base + offset[CENTRE_SUM]),
                     .first = (uint32_t *)(void *)(base + offset[GROUP_FIRST])},
        .start = (uint64_t *)(void *)(base + offset[LIST_START]),
        .trained = h->trained,
        .reach = h->reach,
    };
    if (!is_sound(&mapped, h->dim, h->rows))
        return err_set(err, ERR_CORRUPT, "snapshot %s: its lists of vectors make no sense", path);
    if (lists_copy(&mapped, &t->lists, stride) != OK)
        return err_no_memory(err, "lists of vectors");
    memcpy(t->lists.start, mapped.start, (h->lists + 1) * sizeof *mapped.start);
    return OK;
}

/* The file that is mapped, unless another one has taken its name since. */
static int open_again(const char *path, const struct os_map *map)
{
    char head[HEADER_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && pread(fd, head, sizeof head, 0) == (ssize_t)sizeof head && memcmp(head, map->data, sizeof head) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

enum status snapshot_read(const char *path, const struct snapshot_key *key, bool trusted, struct table **out,
                          struct id_map *ids, struct error *err)
{
    struct header h;
    uint64_t offset[N_SECTIONS + 1];
    *out = NULL;
    *ids = (struct id_map){0};
    struct table *t = table_new();
    if (!t)
        return err_no_memory(err, "vectors");
    enum status st = os_map_file(path, &t->map, err);
    if (st == OK)
        st = snapshot_check(&t->map, path, key, trusted, &h, offset, err);
    if (st == OK)
        st = adopt_rows(t, ids, &h, key->stride, offset, path, err);
    if (st == OK && h.lists)
        st = adopt_lists(t, &h, key->stride, offset, path, err);
    if (st == OK && h.lists)
        t->file = open_again(path, &t->map);
    if (st != OK) {
        table_release(t);
        free(ids->slots);
        return st;
    }
    *out = t;
    return OK;
}

size_t table_mapped_bytes(const struct table *t)
{
    return t->map.len + atomic_load(&((struct table *)(uintptr_t)t)->count) * sizeof(uint64_t);
}

enum status vectors_exact_load(const char *path, const char *tag, size_t dim, int64_t generation,
                               struct vectors_exact **out, struct error *err)
{
    struct vectors_exact *ix;
    *out = NULL;
    enum status st = vectors_exact_open(dim, &ix, err);
    if (st != OK)
        return st;
    const struct snapshot_key key = {tag, dim, ix->stride, generation};
    struct table *t;
    struct id_map ids;
    st = snapshot_read(path, &key, false, &t, &ids, err);
    if (st != OK) {
        vectors_exact_close(ix);
        return st;
    }
    atomic_store(&ix->live, atomic_load(&t->count));
    atomic_store(&ix->memory, table_mapped_bytes(t));
    table_swap(ix, t, &ids);
    *out = ix;
    return OK;
}
