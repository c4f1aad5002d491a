/* weights.h: tensors of a safetensors file become packed matrices and floats in one block of memory.
 *
 * Loading goes over the tensors twice with the same code: first to check that each is there in the right shape and to
 * add up the memory, then to fill it. The whole packed model is one block (with huge pages where the system has them:
 * the weights are streamed once per text), and the file may be closed after.
 *
 *     struct weights l = {.dir = dir, .file = file, .k = kernels, .pool = pool, .err = &err};
 *     st = weights_load(&l, fill, model, &model->memory, &model->bytes);  // fill calls the functions below
 *     weights_free(model->memory, model->bytes);                          // also after a failure
 */
#ifndef PEEL_MODEL_WEIGHTS_H
#define PEEL_MODEL_WEIGHTS_H

#include "base/pool.h"
#include "base/status.h"
#include "model/kernels/kernels.h"
#include "model/safetensors.h"
#include "model/transformer.h"
#include <stdbool.h>
#include <stddef.h>

#define WEIGHTS_PARTS 3   /* tensors of one matrix, at most */
#define WEIGHTS_NAME  160 /* bytes of a tensor's name */

struct weights {
    const char *dir; /* for messages */
    const struct safetensors *file;
    const struct kernels *k;
    struct pool *pool;
    struct error *err;
    unsigned char *base; /* NULL in the first pass */
    size_t used;
    enum status status; /* the first failure; later calls do nothing */
};

typedef void weights_fill(struct weights *l, void *model);
/* Calls `fill` twice. *memory and *bytes: to be freed by weights_free. */
enum status weights_load(struct weights *l, weights_fill *fill, void *model, void **memory, size_t *bytes) MUST_CHECK;
void weights_free(void *memory, size_t bytes); /* NULL is fine */

/* What follows is for `fill`. Pointers are NULL in the first pass and after a failure, and live as long as the block.
 */

void *weights_take(struct weights *l, size_t bytes); /* aligned */
/* The tensor of that name and shape, or NULL and l->status set. Dimensions are given up to the first 0. */
const struct tensor *weights_want(struct weights *l, const char *name, size_t a, size_t b, size_t c, size_t d);
const float *weights_floats(struct weights *l, const char *name, size_t a, size_t b);
/* Are all of v [n] neither NaN nor infinity? The functions below refuse tensors with others. */
bool weights_finite(const float *v, size_t n);
/* name.weight and name.bias, [width] each */
void weights_norm(struct weights *l, const char *name, size_t width, struct norm *out);
/* Each name.weight [dims], all one below the other, and each name.bias [dims[0]] where there is one; dimensions after
 * the first are the depth. columns: [depth], by which the weights are multiplied, or NULL. */
void weights_matrix(struct weights *l, const char *const *names, size_t parts, const size_t dims[4], bool bias,
                    const float *columns, struct matrix *out);
/* The largest |weight| of each column of name.weight [rows, width], all one below the other: [width], malloc'ed. NULL
 * in the first pass and after a failure. */
float *weights_column_peaks(struct weights *l, const char *const *names, size_t parts, size_t rows, size_t width);
/* name.weight [n, depth] */
void weights_linear(struct weights *l, const char *name, size_t n, size_t depth, bool bias, struct matrix *out);

#endif
