/* The snapshot: a header of one page, then the arrays of struct segment for all rows, each at a multiple
 * of 64 bytes, native byte order. XXH3 sums cover the header and the rest; sizes are computed from `rows`
 * and `dim` and must give exactly the file's length, so nothing outside the mapping is ever touched. */
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

#define MAGIC        "PEELIX01"
#define ORDER        0x01020304u
#define HEADER_BYTES 4096u

struct header {
    char magic[8];
    uint32_t order, dim;
    uint64_t rows;
    int64_t generation;
    char tag[256];
    uint64_t body_sum;
    uint64_t header_sum; /* of all members above */
};

enum section { CODES, VECTORS, IDS, SCALE, RESIDUAL, CODE_NORM, SUM, N_SECTIONS };

/* Fills offset[N_SECTIONS + 1]; the last one is the file's length. rows <= MAX_SEGMENTS * SEGMENT_ROWS. */
static void layout(size_t dim, size_t stride, uint64_t rows, uint64_t offset[N_SECTIONS + 1])
{
    const uint64_t width[N_SECTIONS] = {stride, dim * sizeof(float), sizeof(int64_t), 4, 4, 4, 4};
    offset[0] = HEADER_BYTES;
    for (size_t i = 0; i < N_SECTIONS; i++)
        offset[i + 1] = (offset[i] + width[i] * rows + 63) / 64 * 64;
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

static void put_section(struct writer *w, const struct table *t, enum section section, size_t dim, size_t stride)
{
    uint64_t count = atomic_load(&t->count);
    for (size_t k = 0; k < t->n_segments; k++) {
        const struct segment *s = &t->segments[k];
        for (size_t i = 0; i < s->rows && s->base + i < count; i++) {
            if (atomic_load(&s->died[i]) != ALIVE)
                continue;
            const void *const from[N_SECTIONS] = {s->codes + i * stride, s->vectors + i * dim, s->id + i, s->scale + i,
                                                  s->residual + i,       s->code_norm + i,     s->sum + i};
            const size_t bytes[N_SECTIONS] = {stride, dim * sizeof(float), sizeof(int64_t), 4, 4, 4, 4};
            snapshot_put(w, from[section], bytes[section]);
        }
    }
    static const char zeros[64];
    snapshot_put(w, zeros, (size_t)((64 - w->at % 64) % 64));
}

enum status vectors_exact_save(struct vectors_exact *ix, const char *path, const char *tag, int64_t generation,
                               struct error *err)
{
    struct header h = {.magic = MAGIC, .order = ORDER, .dim = (uint32_t)ix->base.dim, .generation = generation};
    char tmp[PATH_MAX];
    static const char blank[HEADER_BYTES];
    if (strlen(tag) >= sizeof h.tag)
        return err_set(err, ERR_INVALID, "snapshot tag of %zu bytes: at most %zu", strlen(tag), sizeof h.tag - 1);
    snprintf(h.tag, sizeof h.tag, "%s", tag);
    int n = snprintf(tmp, sizeof tmp, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof tmp)
        return err_set(err, ERR_INVALID, "snapshot path is too long");
    int fd = mkostemp(tmp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "cannot make a file beside %s", path);
    struct writer w = {.file = fdopen(fd, "wb"), .sum = XXH3_createState()};
    if (!w.file || !w.sum) {
        w.failed = true;
        if (!w.file)
            close(fd);
    } else {
        w.failed = fwrite(blank, 1, sizeof blank, w.file) != sizeof blank;
        w.at = HEADER_BYTES;
        XXH3_64bits_reset(w.sum);
        pthread_mutex_lock(&ix->write_lock);
        h.rows = atomic_load(&ix->live);
        for (enum section s = 0; s < N_SECTIONS; s++)
            put_section(&w, ix->table, s, ix->base.dim, ix->stride);
        pthread_mutex_unlock(&ix->write_lock);
        h.body_sum = XXH3_64bits_digest(w.sum);
        h.header_sum = XXH3_64bits(&h, offsetof(struct header, header_sum));
        w.failed = w.failed || fseek(w.file, 0, SEEK_SET) != 0 || fwrite(&h, sizeof h, 1, w.file) != 1 ||
                   fflush(w.file) != 0 || fsync(fd) != 0;
    }
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

/* --- loading --- */

static enum status snapshot_check(const struct os_map *map, const char *path, const char *tag, size_t dim,
                                  size_t stride, int64_t generation, struct header *h, uint64_t offset[N_SECTIONS + 1],
                                  struct error *err)
{
    if (map->len < HEADER_BYTES)
        return err_set(err, ERR_CORRUPT, "snapshot %s: %zu bytes, expected at least %u", path, map->len, HEADER_BYTES);
    memcpy(h, map->data, sizeof *h);
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0 || h->order != ORDER)
        return err_set(err, ERR_CORRUPT, "snapshot %s: not a snapshot of this program and machine", path);
    if (XXH3_64bits(h, offsetof(struct header, header_sum)) != h->header_sum)
        return err_set(err, ERR_CORRUPT, "snapshot %s: header fails its checksum", path);
    h->tag[sizeof h->tag - 1] = '\0';
    if (strcmp(h->tag, tag) != 0 || h->dim != dim || h->generation != generation)
        return err_set(
            err, ERR_CONFLICT,
            "snapshot %s is stale: expected model %s, dimension %zu, generation %lld; found %.100s, %u, %lld", path,
            tag, dim, (long long)generation, h->tag, h->dim, (long long)h->generation);
    if (h->rows > (uint64_t)(MAX_SEGMENTS / 2) * SEGMENT_ROWS)
        return err_set(err, ERR_CORRUPT, "snapshot %s: absurd number of rows", path);
    layout(dim, stride, h->rows, offset);
    if (offset[N_SECTIONS] != map->len)
        return err_set(err, ERR_CORRUPT, "snapshot %s: %zu bytes, expected %llu", path, map->len,
                       (unsigned long long)offset[N_SECTIONS]);
    if (XXH3_64bits(map->data + HEADER_BYTES, map->len - HEADER_BYTES) != h->body_sum)
        return err_set(err, ERR_CORRUPT, "snapshot %s: content fails its checksum", path);
    return OK;
}

/* Codes that no huge page maps take a third longer to scan: more than one segment of them is copied out of the file,
 * whose pages the system may then have back. */
static int8_t *place_codes(struct table *t, uint64_t offset, uint64_t bytes, uint64_t rows)
{
    char *mapped = (char *)(uintptr_t)t->map.data + offset;
    t->codes = rows > SEGMENT_ROWS ? scan_memory(bytes) : NULL;
    if (!t->codes)
        return (int8_t *)mapped;
    memcpy(t->codes, mapped, bytes);
    (void)madvise((char *)(uintptr_t)t->map.data, offset + bytes, MADV_DONTNEED);
    return t->codes;
}

/* Makes segments that point into the mapping; they are never written to. */
static enum status adopt(struct vectors_exact *ix, struct table *t, uint64_t rows,
                         const uint64_t offset[N_SECTIONS + 1], const char *path, struct error *err)
{
    char *base = (char *)(uintptr_t)t->map.data;
    int8_t *codes = place_codes(t, offset[CODES], rows * ix->stride, rows);
    for (uint64_t row = 0; row < rows; row += SEGMENT_ROWS) {
        uint32_t n = rows - row < SEGMENT_ROWS ? (uint32_t)(rows - row) : SEGMENT_ROWS;
        struct segment s = {
            .base = row,
            .rows = n,
            .codes = codes + row * ix->stride,
            .vectors = (float *)(void *)(base + offset[VECTORS]) + row * ix->base.dim,
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
        for (size_t i = 0; i < n; i++) {
            uint64_t seen;
            atomic_init(&s.died[i], ALIVE);
            if (!isfinite(s.scale[i]) || !isfinite(s.residual[i]) || !isfinite(s.code_norm[i]))
                return err_set(err, ERR_CORRUPT, "snapshot %s: row %llu is not finite", path,
                               (unsigned long long)(row + i));
            if (s.sum[i] > 127 * (int32_t)ix->base.dim || s.sum[i] < -127 * (int32_t)ix->base.dim)
                return err_set(err, ERR_CORRUPT, "snapshot %s: row %llu has an impossible sum", path,
                               (unsigned long long)(row + i));
            if (id_map_get(&ix->ids, s.id[i], &seen))
                return err_set(err, ERR_CORRUPT, "snapshot %s: document %lld twice", path, (long long)s.id[i]);
            if (id_map_put(&ix->ids, s.id[i], row + i) != OK)
                return err_no_memory(err, "vectors");
        }
    }
    atomic_store(&t->count, rows);
    return OK;
}

enum status vectors_exact_load(const char *path, const char *tag, size_t dim, int64_t generation,
                               struct vectors_exact **out, struct error *err)
{
    struct vectors_exact *ix;
    struct header h;
    uint64_t offset[N_SECTIONS + 1];
    *out = NULL;
    enum status st = vectors_exact_open(dim, &ix, err);
    if (st != OK)
        return st;
    struct table *t = ix->table;
    st = os_map_file(path, &t->map, err);
    if (st == OK)
        st = snapshot_check(&t->map, path, tag, dim, ix->stride, generation, &h, offset, err);
    if (st == OK)
        st = adopt(ix, t, h.rows, offset, path, err);
    if (st != OK) {
        vectors_exact_close(ix);
        return st;
    }
    atomic_store(&ix->live, h.rows);
    atomic_store(&ix->memory, t->map.len + h.rows * sizeof(uint64_t));
    *out = ix;
    return OK;
}
