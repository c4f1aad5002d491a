/* safetensors.h: named tensors of a mapped safetensors file, or of a folder of shards.
 *
 * Format (huggingface/safetensors): 8 bytes little-endian header length, a JSON object
 * {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, "__metadata__": {...}}, then
 * the data. Nothing in the header is believed: offsets are checked against the file, against shape
 * and dtype, and against each other; names must be unique.
 *
 *     safetensors_open("models/x", &s, &err);
 *     const struct tensor *t = safetensors_find(s, "logit_scale");
 *     tensor_read(t, 0, tensor_count(t), out);
 *
 * The file must not be changed in place while it is open (replacing it by rename is fine). */
#ifndef PEEL_MODEL_SAFETENSORS_H
#define PEEL_MODEL_SAFETENSORS_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAFETENSORS_MAX_HEADER  (16u << 20) /* bytes of JSON */
#define SAFETENSORS_MAX_TENSORS 65536u      /* over all shards */
#define SAFETENSORS_MAX_SHARDS  64u
#define TENSOR_MAX_DIMS         8u

/* TENSOR_OTHER: another integer or an 8-bit float type: its size was checked, its values cannot be read. */
enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_F64, TENSOR_I64, TENSOR_I32, TENSOR_I8, TENSOR_OTHER };

/* Lives, with its data, until safetensors_close. Data may be unaligned. */
struct tensor {
    const char *name;
    enum tensor_type type;
    unsigned n_dims;
    uint64_t dims[TENSOR_MAX_DIMS];
    const unsigned char *data;
    size_t bytes;
    bool is_mapped;             /* a file of its own is behind it, not memory of somebody's */
    _Atomic uint32_t rows_read; /* by tensor_read_row, since pages were given back */
};

struct safetensors;

/* `dir` holds model.safetensors, or model.safetensors.index.json and the shards that it names. */
enum status safetensors_open(const char *dir, struct safetensors **out, struct error *err) MUST_CHECK;
/* One file's bytes, borrowed until close; `name` is for messages. */
enum status safetensors_open_memory(const char *name, const void *data, size_t len, struct safetensors **out,
                                    struct error *err) MUST_CHECK;
void safetensors_close(struct safetensors *s);

size_t safetensors_count(const struct safetensors *s);
uint64_t safetensors_file_bytes(const struct safetensors *s);                         /* all files together */
const struct tensor *safetensors_at(const struct safetensors *s, size_t i);           /* by name, i < count */
const struct tensor *safetensors_find(const struct safetensors *s, const char *name); /* NULL when absent */

size_t tensor_count(const struct tensor *t); /* elements */
/* Of a type in which networks keep their weights: F32, F16 or BF16. */
static inline bool tensor_is_float(const struct tensor *t)
{
    return t->type <= TENSOR_BF16;
}
/* Elements [from, from + count) as the nearest float32. The type must not be TENSOR_OTHER, the range must be inside. */
void tensor_read(const struct tensor *t, size_t from, size_t count, float *out);
/* Row `row` of a tensor of two dimensions, for tables that stay in the file. A row that is read makes the system map
 * 64 KiB around it, which count as memory of this process, so now and then all of them are given back: some 32 MB
 * remain at most, and what is read again comes from the system's cache of files. Thread-safe. */
void tensor_read_row(const struct tensor *t, size_t row, float *out);
/* Tells the kernel that the tensor's pages are not needed any more (they are read again if touched). Nothing happens
 * where no file is behind it. */
void tensor_release(const struct tensor *t);

#endif
