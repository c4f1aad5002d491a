#include "model/weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *weights_take(struct weights *l, size_t bytes)
{
    void *p = l->base ? l->base + l->used : NULL;
    l->used += (bytes + KERNEL_ALIGN - 1) / KERNEL_ALIGN * KERNEL_ALIGN;
    return p;
}

static void show_shape(const uint64_t *dims, unsigned n, char *out, size_t cap)
{
    size_t at = (size_t)snprintf(out, cap, "[");
    for (unsigned i = 0; i < n && at < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, "%s%" PRIu64, i ? ", " : "", dims[i]);
    if (at < cap)
        snprintf(out + at, cap - at, "]");
}

const struct tensor *weights_want(struct weights *l, const char *name, size_t a, size_t b, size_t c, size_t d)
{
    if (l->status != OK)
        return NULL;
    const uint64_t dims[4] = {a, b, c, d};
    unsigned n = 0;
    while (n < 4 && dims[n])
        n++;
    const struct tensor *t = safetensors_find(l->file, name);
    if (t && tensor_is_float(t) && t->n_dims == n && memcmp(t->dims, dims, n * sizeof *dims) == 0)
        return t;
    char expected[100], found[200] = "nothing";
    show_shape(dims, n, expected, sizeof expected);
    if (t)
        show_shape(t->dims, t->n_dims, found, sizeof found);
    l->status = err_set(l->err, ERR_INVALID, "%s: tensor %s: expected F32, F16 or BF16 of %s, found %s%s", l->dir, name,
                        expected, t && !tensor_is_float(t) ? "another type of " : "", found);
    return NULL;
}

/* By its bits, so that the compiler makes it a few instructions a vector. */
bool weights_finite(const float *v, size_t n)
{
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, v + i, sizeof bits);
        bad |= (bits & 0x7f800000) == 0x7f800000;
    }
    return !bad;
}

static void refuse_numbers(struct weights *l, const struct tensor *t)
{
    l->status =
        err_set(l->err, ERR_CORRUPT, "%s: tensor %s: expected finite numbers, found NaN or infinity", l->dir, t->name);
}

const float *weights_floats(struct weights *l, const char *name, size_t a, size_t b)
{
    const struct tensor *t = weights_want(l, name, a, b, 0, 0);
    if (!t)
        return NULL;
    float *to = weights_take(l, tensor_count(t) * sizeof(float));
    if (!to)
        return NULL;
    tensor_read(t, 0, tensor_count(t), to);
    if (!weights_finite(to, tensor_count(t)))
        refuse_numbers(l, t);
    return to;
}

void weights_norm(struct weights *l, const char *name, size_t width, struct norm *out)
{
    char full[WEIGHTS_NAME];
    snprintf(full, sizeof full, "%s.weight", name);
    out->gain = weights_floats(l, full, width, 0);
    snprintf(full, sizeof full, "%s.bias", name);
    out->bias = weights_floats(l, full, width, 0);
}

float *weights_column_peaks(struct weights *l, const char *const *names, size_t parts, size_t rows, size_t width)
{
    float *peaks = l->base && l->status == OK ? calloc(2 * width, sizeof *peaks) : NULL;
    if (!peaks && l->base && l->status == OK)
        l->status = err_no_memory(l->err, "%s: packing %s", l->dir, names[0]);
    for (size_t i = 0; peaks && i < parts; i++) {
        char full[WEIGHTS_NAME];
        snprintf(full, sizeof full, "%s.weight", names[i]);
        const struct tensor *t = weights_want(l, full, rows, width, 0, 0);
        float *row = peaks + width;
        for (size_t r = 0; t && r < rows; r++) {
            tensor_read(t, r * width, width, row);
            for (size_t j = 0; j < width; j++)
                peaks[j] = fabsf(row[j]) > peaks[j] ? fabsf(row[j]) : peaks[j];
        }
    }
    return peaks;
}

/* A matrix made of `parts` tensors of equal height, one below the other. */
struct packing {
    const struct kernels *k;
    struct matrix *w;
    const struct tensor *weight[WEIGHTS_PARTS], *bias[WEIGHTS_PARTS]; /* bias[0] NULL: none */
    const float *columns; /* [k]: each weight is multiplied by its column's, or NULL */
    size_t part_rows;
    size_t shares;
    float *buffers;                     /* [shares][nr * k + nr] */
    const struct tensor *_Atomic wrong; /* one that has something else than numbers */
};

static void pack_share(void *arg, size_t share)
{
    struct packing *p = arg;
    size_t nr = p->k->nr, panels = matrix_panels(p->k, p->w);
    float *rows = p->buffers + share * (nr * p->w->k + nr), *bias = rows + nr * p->w->k;
    for (size_t i = share; i < panels; i += p->shares) {
        for (size_t j = 0; j < nr && i * nr + j < p->w->n; j++) {
            size_t part = (i * nr + j) / p->part_rows, row = (i * nr + j) % p->part_rows;
            tensor_read(p->weight[part], row * p->w->k, p->w->k, rows + j * p->w->k);
            if (!weights_finite(rows + j * p->w->k, p->w->k))
                p->wrong = p->weight[part];
            for (size_t c = 0; p->columns && c < p->w->k; c++)
                rows[j * p->w->k + c] *= p->columns[c];
            if (p->bias[0])
                tensor_read(p->bias[part], row, 1, bias + j);
            if (p->bias[0] && !weights_finite(bias + j, 1))
                p->wrong = p->bias[part];
        }
        matrix_pack_panel(p->k, p->w, i, rows, p->bias[0] ? bias : NULL);
    }
}

void weights_matrix(struct weights *l, const char *const *names, size_t parts, const size_t dims[4], bool bias,
                    const float *columns, struct matrix *out)
{
    size_t depth = dims[1];
    for (size_t i = 2; i < 4 && dims[i]; i++)
        depth *= dims[i];
    struct packing p = {.k = l->k, .w = out, .columns = columns, .part_rows = dims[0], .shares = pool_width(l->pool)};
    for (size_t i = 0; i < parts; i++) {
        char full[WEIGHTS_NAME];
        snprintf(full, sizeof full, "%s.weight", names[i]);
        p.weight[i] = weights_want(l, full, dims[0], dims[1], dims[2], dims[3]);
        snprintf(full, sizeof full, "%s.bias", names[i]);
        p.bias[i] = bias ? weights_want(l, full, dims[0], 0, 0, 0) : NULL;
    }
    void *memory = weights_take(l, matrix_bytes(l->k, parts * dims[0], depth));
    if (l->status != OK || !memory)
        return;
    p.buffers = malloc(p.shares * (l->k->nr * depth + l->k->nr) * sizeof(float));
    if (!p.buffers) {
        l->status = err_no_memory(l->err, "%s: packing %s", l->dir, names[0]);
        return;
    }
    matrix_place(l->k, parts * dims[0], depth, memory, out);
    pool_for(l->pool, p.shares, pack_share, &p);
    if (p.wrong)
        refuse_numbers(l, p.wrong);
    free(p.buffers);
    for (size_t i = 0; i < parts; i++)
        tensor_release(p.weight[i]);
}

void weights_linear(struct weights *l, const char *name, size_t n, size_t depth, bool bias, struct matrix *out)
{
    weights_matrix(l, &name, 1, (const size_t[4]){n, depth}, bias, NULL, out);
}

enum status weights_load(struct weights *l, weights_fill *fill, void *model, void **memory, size_t *bytes)
{
    *memory = NULL;
    l->base = NULL;
    l->used = 0;
    l->status = OK;
    fill(l, model);
    if (l->status != OK)
        return l->status;
    void *block = mmap(NULL, l->used ? l->used : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return err_no_memory(l->err, "%zu MiB of weights of %s", l->used >> 20, l->dir);
    *bytes = l->used ? l->used : 1;
    (void)madvise(block, *bytes, MADV_HUGEPAGE);
    *memory = l->base = block;
    l->used = 0;
    fill(l, model);
    return l->status;
}

void weights_free(void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, bytes);
}
