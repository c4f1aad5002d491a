#include "model/safetensors.h"

#include "base/os.h"
#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_NAME       512u
#define MAX_INDEX_FILE (16u << 20)
#define ROWS_MAPPED    512u

struct safetensors {
    struct os_map *maps; /* [n_maps] */
    json_t **headers;    /* [n_maps]: own the names */
    size_t n_maps;
    struct tensor *tensors; /* [n_tensors], by name once opened */
    size_t n_tensors;
    uint64_t file_bytes;
};

/* The types of the format, with their size in bytes. */
static const struct {
    const char *name;
    enum tensor_type type;
    size_t size;
} dtypes[] = {{"F32", TENSOR_F32, 4},    {"F16", TENSOR_F16, 2},       {"BF16", TENSOR_BF16, 2},
              {"F64", TENSOR_F64, 8},    {"I64", TENSOR_I64, 8},       {"U64", TENSOR_OTHER, 8},
              {"I32", TENSOR_I32, 4},    {"U32", TENSOR_OTHER, 4},     {"I16", TENSOR_OTHER, 2},
              {"U16", TENSOR_OTHER, 2},  {"I8", TENSOR_I8, 1},         {"U8", TENSOR_OTHER, 1},
              {"BOOL", TENSOR_OTHER, 1}, {"F8_E5M2", TENSOR_OTHER, 1}, {"F8_E4M3", TENSOR_OTHER, 1}};

static bool json_u64(const json_t *v, uint64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

/* One entry of the header. `data` and `len` are the bytes behind the header. */
static enum status parse_tensor(const char *file, const char *name, const json_t *entry, const unsigned char *data,
                                uint64_t len, struct tensor *t, struct error *err)
{
#define BAD(...) err_set(err, ERR_CORRUPT, __VA_ARGS__)
    t->name = name;
    if (strlen(name) > MAX_NAME)
        return BAD("%s: tensor name of %zu bytes: expected at most %u", file, strlen(name), MAX_NAME);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype)
        return BAD("%s: tensor %s: dtype must be a string", file, name);
    size_t size = 0;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, dtype) == 0)
            t->type = dtypes[i].type, size = dtypes[i].size;
    if (!size)
        return BAD("%s: tensor %s: dtype %.32s is unknown", file, name, dtype);

    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape))
        return BAD("%s: tensor %s: shape must be an array", file, name);
    if (json_array_size(shape) > TENSOR_MAX_DIMS)
        return BAD("%s: tensor %s: shape of %zu dimensions: expected at most %u", file, name, json_array_size(shape),
                   TENSOR_MAX_DIMS);
    t->n_dims = (unsigned)json_array_size(shape);
    uint64_t bytes = size;
    for (unsigned i = 0; i < t->n_dims; i++) {
        if (!json_u64(json_array_get(shape, i), &t->dims[i]))
            return BAD("%s: tensor %s: shape[%u] must be a whole number, 0 or more", file, name, i);
        if (__builtin_mul_overflow(bytes, t->dims[i], &bytes))
            return BAD("%s: tensor %s: its shape has more bytes than can be addressed", file, name);
    }

    const json_t *offsets = json_object_get(entry, "data_offsets");
    uint64_t from, to;
    if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !json_u64(json_array_get(offsets, 0), &from) ||
        !json_u64(json_array_get(offsets, 1), &to))
        return BAD("%s: tensor %s: data_offsets must be two whole numbers, 0 or more", file, name);
    if (from > to || to > len)
        return BAD("%s: tensor %s: data_offsets [%" PRIu64 ", %" PRIu64 "]: expected ascending, at most %" PRIu64, file,
                   name, from, to, len);
    if (to - from != bytes)
        return BAD("%s: tensor %s: its shape and dtype need %" PRIu64 " bytes, data_offsets give %" PRIu64, file, name,
                   bytes, to - from);
    t->data = data + from;
    t->bytes = (size_t)bytes;
    return OK;
#undef BAD
}

static int by_place(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;
    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int tensors_by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

/* Adds one file's tensors. The parsed header joins s->headers, whether or not the rest goes well. */
static enum status add_file(struct safetensors *s, const char *file, const unsigned char *data, size_t len,
                            bool is_mapped, struct error *err)
{
    uint64_t header_len = 0;
    if (len < 8)
        return err_set(err, ERR_CORRUPT, "%s: %zu bytes: expected a header length of 8 bytes", file, len);
    for (unsigned i = 0; i < 8; i++)
        header_len |= (uint64_t)data[i] << (8 * i);
    if (header_len > SAFETENSORS_MAX_HEADER || header_len > len - 8)
        return err_set(err, ERR_CORRUPT, "%s: header of %" PRIu64 " bytes: expected at most %zu", file, header_len,
                       len - 8 < SAFETENSORS_MAX_HEADER ? len - 8 : SAFETENSORS_MAX_HEADER);
    json_error_t jerr;
    json_t *header = json_loadb((const char *)data + 8, (size_t)header_len, JSON_REJECT_DUPLICATES, &jerr);
    if (!header)
        return err_set(err, ERR_CORRUPT, "%s: header is not JSON: %s (byte %d)", file, jerr.text, jerr.position);
    s->headers[s->n_maps - 1] = header;
    if (!json_is_object(header))
        return err_set(err, ERR_CORRUPT, "%s: header must be a JSON object", file);
    size_t more = json_object_size(header);
    if (more > SAFETENSORS_MAX_TENSORS - s->n_tensors)
        return err_set(err, ERR_TOO_LARGE, "%s: more than %u tensors", file, SAFETENSORS_MAX_TENSORS);
    struct tensor *grown = realloc(s->tensors, (s->n_tensors + more + 1) * sizeof *grown);
    if (!grown)
        return err_no_memory(err, "%zu tensors of %s", more, file);
    s->tensors = grown;

    struct tensor *first = grown + s->n_tensors;
    size_t n = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        memset(&first[n], 0, sizeof first[n]);
        enum status st = parse_tensor(file, name, entry, data + 8 + header_len, len - 8 - header_len, &first[n], err);
        if (st != OK)
            return st;
        first[n++].is_mapped = is_mapped;
    }
    if (n)
        qsort(first, n, sizeof *first, by_place);
    for (size_t i = 1; i < n; i++)
        if (first[i].data < first[i - 1].data + first[i - 1].bytes)
            return err_set(err, ERR_CORRUPT, "%s: tensors %s and %s overlap", file, first[i - 1].name, first[i].name);
    s->n_tensors += n;
    s->file_bytes += len;
    return OK;
}

static enum status sort_names(struct safetensors *s, const char *file, struct error *err)
{
    if (s->n_tensors)
        qsort(s->tensors, s->n_tensors, sizeof *s->tensors, tensors_by_name);
    for (size_t i = 1; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, s->tensors[i - 1].name) == 0)
            return err_set(err, ERR_CORRUPT, "%s: tensor %s is in two shards", file, s->tensors[i].name);
    return OK;
}

static struct safetensors *make(size_t max_maps)
{
    struct safetensors *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->maps = calloc(max_maps, sizeof *s->maps);
    s->headers = calloc(max_maps, sizeof *s->headers);
    if (s->maps && s->headers)
        return s;
    safetensors_close(s);
    return NULL;
}

enum status safetensors_open_memory(const char *name, const void *data, size_t len, struct safetensors **out,
                                    struct error *err)
{
    *out = NULL;
    struct safetensors *s = make(1);
    if (!s)
        return err_no_memory(err, "%s", name);
    s->n_maps = 1; /* with an empty mapping: the bytes are the caller's */
    enum status st = add_file(s, name, data, len, false, err);
    if (st == OK)
        st = sort_names(s, name, err);
    if (st != OK) {
        safetensors_close(s);
        return st;
    }
    *out = s;
    return OK;
}

static enum status add_path(struct safetensors *s, const char *path, struct error *err)
{
    enum status st = os_map_file(path, &s->maps[s->n_maps], err);
    if (st != OK)
        return st;
    s->n_maps++;
    return add_file(s, path, s->maps[s->n_maps - 1].data, s->maps[s->n_maps - 1].len, true, err);
}

static bool plain_name(const char *name)
{
    return *name && *name != '.' && strlen(name) <= 255 && !strchr(name, '/');
}

/* The shards that an index names, each once, in the order met. Every name in the index must be found. */
static enum status add_shards(struct safetensors *s, const char *dir, const char *index_path, const json_t *map,
                              struct error *err)
{
    const char *files[SAFETENSORS_MAX_SHARDS];
    size_t n_files = 0;
    const char *name;
    const json_t *value;
    if (!json_is_object(map))
        return err_set(err, ERR_CORRUPT, "%s: weight_map must be an object", index_path);
    json_object_foreach((json_t *)map, name, value)
    {
        const char *file = json_string_value(value);
        if (!file || !plain_name(file))
            return err_set(err, ERR_CORRUPT, "%s: weight_map.%.200s must be a file name without folders", index_path,
                           name);
        size_t i = 0;
        while (i < n_files && strcmp(files[i], file) != 0)
            i++;
        if (i < n_files)
            continue;
        if (n_files == SAFETENSORS_MAX_SHARDS)
            return err_set(err, ERR_TOO_LARGE, "%s: more than %u shards", index_path, SAFETENSORS_MAX_SHARDS);
        files[n_files++] = file;
        char path[PATH_MAX];
        if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, file) >= sizeof path)
            return err_set(err, ERR_INVALID, "%s: path too long", dir);
        enum status st = add_path(s, path, err);
        if (st != OK)
            return st;
    }
    enum status st = sort_names(s, index_path, err);
    if (st != OK)
        return st;
    json_object_foreach((json_t *)map, name, value) if (!safetensors_find(s, name)) return err_set(
        err, ERR_CORRUPT, "%s: tensor %.200s is not in %.200s", index_path, name, json_string_value(value));
    return OK;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_maps; i++) {
        json_decref(s->headers[i]);
        os_unmap(&s->maps[i]);
    }
    free(s->tensors);
    free(s->headers);
    free(s->maps);
    free(s);
}

enum status safetensors_open(const char *dir, struct safetensors **out, struct error *err)
{
    *out = NULL;
    char path[PATH_MAX], index_path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/model.safetensors", dir) >= sizeof path ||
        (size_t)snprintf(index_path, sizeof index_path, "%s/model.safetensors.index.json", dir) >= sizeof index_path)
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    struct safetensors *s = make(SAFETENSORS_MAX_SHARDS);
    if (!s)
        return err_no_memory(err, "%s", dir);
    struct buf text;
    json_t *index = NULL;
    enum status st;
    buf_init(&text, MAX_INDEX_FILE);
    if (access(path, F_OK) == 0 || access(index_path, F_OK) != 0) {
        st = add_path(s, path, err);
        if (st == OK)
            st = sort_names(s, path, err);
        goto out;
    }
    st = os_read_file(index_path, &text, err);
    if (st != OK)
        goto out;
    json_error_t jerr;
    index = json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, &jerr);
    if (!index)
        st = err_set(err, ERR_CORRUPT, "%s: not JSON: %s (line %d)", index_path, jerr.text, jerr.line);
    else
        st = add_shards(s, dir, index_path, json_object_get(index, "weight_map"), err);
out:
    json_decref(index);
    buf_free(&text);
    if (st != OK) {
        safetensors_close(s);
        return st;
    }
    *out = s;
    return OK;
}

size_t safetensors_count(const struct safetensors *s)
{
    return s->n_tensors;
}

uint64_t safetensors_file_bytes(const struct safetensors *s)
{
    return s->file_bytes;
}

const struct tensor *safetensors_at(const struct safetensors *s, size_t i)
{
    assert(i < s->n_tensors);
    return &s->tensors[i];
}

const struct tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    struct tensor key = {.name = name};
    return s->n_tensors ? bsearch(&key, s->tensors, s->n_tensors, sizeof key, tensors_by_name) : NULL;
}

size_t tensor_count(const struct tensor *t)
{
    size_t n = 1;
    for (unsigned i = 0; i < t->n_dims; i++)
        n *= (size_t)t->dims[i];
    return n;
}

/* Exact for all values: the exponent is moved by a multiplication, which also rights subnormals. */
static float f16_value(uint16_t h)
{
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
    float f;
    memcpy(&f, &bits, sizeof f);
    f *= 0x1p112f;
    memcpy(&bits, &f, sizeof bits);
    if ((h & 0x7c00) == 0x7c00)
        bits |= 0x7f800000;
    bits |= (uint32_t)(h & 0x8000) << 16;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* The types that are not of models' weights as such: float64 and integers. */
static void read_wide(const struct tensor *t, size_t from, size_t count, float *out)
{
    for (size_t i = from; i < from + count; i++) {
        double f;
        int64_t whole;
        int32_t half;
        if (t->type == TENSOR_F64) {
            memcpy(&f, t->data + 8 * i, sizeof f);
            *out++ = (float)f;
        } else if (t->type == TENSOR_I64) {
            memcpy(&whole, t->data + 8 * i, sizeof whole);
            *out++ = (float)whole;
        } else if (t->type == TENSOR_I32) {
            memcpy(&half, t->data + 4 * i, sizeof half);
            *out++ = (float)half;
        } else {
            *out++ = (float)(signed char)t->data[i];
        }
    }
}

void tensor_read(const struct tensor *t, size_t from, size_t count, float *out)
{
    assert(t->type != TENSOR_OTHER && from <= tensor_count(t) && count <= tensor_count(t) - from);
    if (t->type == TENSOR_F32) {
        memcpy(out, t->data + 4 * from, 4 * count);
        return;
    }
    if (t->type != TENSOR_F16 && t->type != TENSOR_BF16) {
        read_wide(t, from, count, out);
        return;
    }
    const unsigned char *in = t->data + 2 * from;
    for (size_t i = 0; i < count; i++) {
        uint16_t h;
        memcpy(&h, in + 2 * i, sizeof h);
        if (t->type == TENSOR_F16) {
            out[i] = f16_value(h);
        } else {
            uint32_t bits = (uint32_t)h << 16;
            memcpy(&out[i], &bits, sizeof bits);
        }
    }
}

void tensor_release(const struct tensor *t)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)t->data + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)t->data + t->bytes) / page * page;
    /* Only whole pages of this tensor, which is inside a read-only file mapping: nothing can be lost. */
    if (t->is_mapped && to > from)
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

void tensor_read_row(const struct tensor *t, size_t row, float *out)
{
    assert(t->n_dims == 2 && row < t->dims[0]);
    tensor_read(t, row * (size_t)t->dims[1], (size_t)t->dims[1], out);
    struct tensor *own = (struct tensor *)(uintptr_t)t; /* it is ours, or the caller's own */
    if (atomic_fetch_add_explicit(&own->rows_read, 1, memory_order_relaxed) + 1 < ROWS_MAPPED)
        return;
    atomic_store_explicit(&own->rows_read, 0, memory_order_relaxed);
    tensor_release(t);
}
