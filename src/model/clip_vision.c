/* The vision tower: patches are projected, a class token goes first, and its row is the picture's vector.
 * One picture is spread over the pool matrix by matrix; several are dealt out to the threads in batches,
 * each large enough that the weights are read often from the cache, small enough to stay bounded. */
#include "model/clip_internal.h"

#include <stdatomic.h>
#include <string.h>

#define BATCH_ROWS 256 /* rows that a thread works on at a time, roughly */

/* pixels [3, size, size] -> out [patches, 3 * patch * patch], in the order of the convolution's weights. */
static void cut_patches(const struct clip_config *c, const float *pixels, float *out)
{
    size_t size = c->image_size, p = c->patch_size, grid = clip_config_grid(c);
    for (size_t y = 0; y < grid; y++)
        for (size_t x = 0; x < grid; x++)
            for (size_t channel = 0; channel < 3; channel++)
                for (size_t row = 0; row < p; row++, out += p)
                    memcpy(out, pixels + (channel * size + y * p + row) * size + x * p, p * sizeof *out);
}

static enum status encode(const struct clip *m, struct pool *pool, const float *pixels, size_t n, float *out,
                          struct error *err)
{
    const struct clip_config *c = &m->config;
    const struct tower *t = &m->vision;
    size_t grid = clip_config_grid(c) * clip_config_grid(c), rows = grid + 1, depth = m->patches.k;
    size_t image = 3 * c->image_size * c->image_size, width = t->width;
    struct scratch s;
    enum status st = scratch_open(t, pool, n, rows, rows, depth, &s, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < n; i++)
        cut_patches(c, pixels + i * image, s.wide + i * grid * depth);
    linear(t->k, pool, &m->patches, s.wide, depth, n * grid, s.packed, ACT_NONE, false, s.h, width);
    for (size_t i = 0; i < n; i++) {
        float *x = s.x + i * rows * width;
        const float *h = s.h + i * grid * width;
        memcpy(x, m->class_row, width * sizeof *x);
        for (size_t j = 0; j < grid * width; j++)
            x[width + j] = h[j] + m->grid[j];
    }
    for (size_t i = 0; i < n * rows; i++) {
        float *x = s.x + i * width;
        t->k->layer_norm(x, width, m->vision_norm_in.gain, m->vision_norm_in.bias, t->epsilon, x);
    }
    tower_run(t, &(struct run){.pool = pool}, &s);
    for (size_t i = 0; i < n; i++) {
        float *x = s.kept + i * width;
        t->k->layer_norm(x, width, m->vision_norm.gain, m->vision_norm.bias, t->epsilon, x);
    }
    linear(t->k, NULL, &m->vision_project, s.kept, width, n, s.packed, ACT_NONE, false, out, c->dim);
    scratch_close(&s);
    return OK;
}

struct batches {
    const struct clip *m;
    const float *pixels;
    float *out;
    size_t n, each, first;
    atomic_int failed; /* enum status */
};

static void encode_batch(void *arg, size_t i)
{
    struct batches *b = arg;
    const struct clip_config *c = &b->m->config;
    size_t first = b->first + i * b->each, n = b->n - first < b->each ? b->n - first : b->each;
    enum status st =
        encode(b->m, NULL, b->pixels + first * 3 * c->image_size * c->image_size, n, b->out + first * c->dim, NULL);
    if (st != OK)
        atomic_store(&b->failed, (int)st);
}

enum status clip_encode_pixels(const struct clip *m, const float *pixels, size_t n, float *out, struct error *err)
{
    if (n == 0)
        return OK;
    if (n == 1)
        return encode(m, m->pool, pixels, 1, out, err);
    size_t most = BATCH_ROWS / clip_config_image_tokens(&m->config), threads = pool_width(m->pool);
    most = most ? most : 1;
    size_t count = (n + most - 1) / most;
    count = (count + threads - 1) / threads * threads; /* every thread gets as much */
    struct batches b = {.m = m, .pixels = pixels, .out = out, .n = n, .each = (n + count - 1) / count};
    /* In rounds, so that a query that needs the pool does not wait for all of a large batch. */
    for (; b.first < n; b.first += threads * b.each) {
        size_t left = (n - b.first + b.each - 1) / b.each;
        pool_for(m->pool, left < threads ? left : threads, encode_batch, &b);
    }
    if (atomic_load(&b.failed) != OK)
        return err_no_memory(err, "encoding %zu images at a time", b.each);
    return OK;
}
