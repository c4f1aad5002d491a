#include "model/static_table.h"

#include "model/encoder_parts.h"
#include "model/library.h"
#include "model/safetensors.h"
#include "tokenize/tokenizer.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIM          4096u
#define MAX_ROWS         (1u << 24) /* each is a whole float32 */
#define STANDARD_TOKENS  512u
#define UNBOUNDED_TOKENS 16384u /* "max_length": null: more than TOKENIZER_MAX_BYTES have, unless they are unfolded */

struct static_table {
    struct encoder base;
    struct safetensors *file;
    const struct tensor *rows; /* [n_rows, dim], mapped */
    struct tokenizer *tokenizer;
    float *weights;   /* [vocab], or NULL */
    int32_t *mapping; /* [vocab], or NULL */
    size_t vocab, max_tokens;
    struct encoder_reliance reliance;
    char file_name[PATH_MAX]; /* for messages */
};

static void static_table_close(struct encoder *e)
{
    struct static_table *t = (struct static_table *)e;
    tokenizer_close(t->tokenizer);
    safetensors_close(t->file);
    free(t->weights);
    free(t->mapping);
    free(t);
}

/* --- opening --- */

static enum status read_table_config(struct static_table *t, const char *dir, struct error *err)
{
    char path[PATH_MAX];
    json_t *root;
    enum status st = encoder_read_json(dir, LIBRARY_CONFIG, path, sizeof path, &root, err);
    if (st != OK)
        return st;
    const json_t *most = json_object_get(root, "max_length");
    st = encoder_json_size(path, root, "max_length", 1, INT32_MAX,
                           json_is_null(most) ? UNBOUNDED_TOKENS : STANDARD_TOKENS, &t->max_tokens, err);
    if (t->max_tokens > UNBOUNDED_TOKENS)
        t->max_tokens = UNBOUNDED_TOKENS;
    if (st == OK)
        st = encoder_reliance_parse(path, root, &t->reliance, err);
    json_decref(root);
    return st;
}

static enum status find_rows(struct static_table *t, struct error *err)
{
    const struct tensor *rows = t->rows = safetensors_find(t->file, "embeddings");
    if (!rows)
        return err_set(err, ERR_INVALID, "%s: tensor embeddings: expected [rows, dim], found nothing", t->file_name);
    if (rows->n_dims != 2)
        return err_set(err, ERR_INVALID, "%s: tensor embeddings: expected 2 dimensions, found %u", t->file_name,
                       rows->n_dims);
    if (rows->dims[0] < 1 || rows->dims[0] > MAX_ROWS || rows->dims[1] < 1 || rows->dims[1] > MAX_DIM)
        return err_set(
            err, ERR_INVALID, "%s: tensor embeddings: expected 1 to %u rows of 1 to %u numbers, found %llu of %llu",
            t->file_name, MAX_ROWS, MAX_DIM, (unsigned long long)rows->dims[0], (unsigned long long)rows->dims[1]);
    if (!tensor_is_float(rows) && rows->type != TENSOR_F64 && rows->type != TENSOR_I8)
        return err_set(err, ERR_INVALID,
                       "%s: tensor embeddings: expected F32, F16, BF16, F64 or I8, found another type", t->file_name);
    t->base.dim = (size_t)rows->dims[1];
    t->vocab = (size_t)rows->dims[0];
    return OK;
}

/* A tensor of one number per token, as floats; *out stays NULL where there is none. The caller frees it. */
static enum status read_column(struct static_table *t, const char *name, bool whole, float **out, size_t *n,
                               struct error *err)
{
    const struct tensor *c = safetensors_find(t->file, name);
    if (!c)
        return OK;
    bool integers = c->type == TENSOR_I64 || c->type == TENSOR_I32;
    if (c->n_dims != 1 || c->dims[0] < 1 || c->dims[0] > MAX_ROWS)
        return err_set(err, ERR_INVALID, "%s: tensor %s: expected one dimension of 1 to %u, found %u dimensions",
                       t->file_name, name, MAX_ROWS, c->n_dims);
    if (whole ? !integers : !tensor_is_float(c) && c->type != TENSOR_F64)
        return err_set(err, ERR_INVALID, "%s: tensor %s: expected %s, found another type", t->file_name, name,
                       whole ? "I64 or I32" : "F32, F16, BF16 or F64");
    *n = tensor_count(c);
    *out = malloc(*n * sizeof **out);
    if (!*out)
        return err_no_memory(err, "%s: tensor %s", t->file_name, name);
    tensor_read(c, 0, *n, *out);
    return OK;
}

static enum status read_mapping(struct static_table *t, struct error *err)
{
    float *numbers = NULL;
    size_t n = 0, n_rows = t->vocab;
    enum status st = read_column(t, "mapping", true, &numbers, &n, err);
    if (st != OK || !numbers)
        return st;
    t->vocab = n;
    t->mapping = malloc(n * sizeof *t->mapping);
    if (!t->mapping)
        st = err_no_memory(err, "%s: tensor mapping", t->file_name);
    for (size_t i = 0; i < n && st == OK; i++)
        if (numbers[i] >= 0 && numbers[i] < (float)n_rows)
            t->mapping[i] = (int32_t)numbers[i];
        else
            st = err_set(err, ERR_INVALID, "%s: tensor mapping: token %zu: expected a row from 0 to %zu, found %.0f",
                         t->file_name, i, n_rows - 1, (double)numbers[i]);
    free(numbers);
    return st;
}

static enum status read_weights(struct static_table *t, struct error *err)
{
    size_t n = 0;
    enum status st = read_column(t, "weights", false, &t->weights, &n, err);
    if (st != OK || !t->weights)
        return st;
    if (n != t->vocab)
        return err_set(err, ERR_INVALID, "%s: tensor weights: expected [%zu], found [%zu]", t->file_name, t->vocab, n);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(t->weights[i]))
            return err_set(err, ERR_CORRUPT, "%s: tensor weights: token %zu: expected a number, found %f", t->file_name,
                           i, (double)t->weights[i]);
    return OK;
}

static enum status open_table(struct static_table *t, const char *dir, struct error *err)
{
    enum status st = read_table_config(t, dir, err);
    if (st == OK)
        st = tokenizer_open(dir, &t->tokenizer, err);
    if (st == OK)
        st = safetensors_open(dir, &t->file, err);
    if (st == OK)
        st = find_rows(t, err);
    if (st == OK)
        st = read_mapping(t, err);
    if (st == OK)
        st = read_weights(t, err);
    if (st == OK && tokenizer_vocab_size(t->tokenizer) > t->vocab)
        st = err_set(err, ERR_INVALID, "%s: the tokenizer has %zu tokens, tensor %s is for %zu", t->file_name,
                     tokenizer_vocab_size(t->tokenizer), t->mapping ? "mapping" : "embeddings", t->vocab);
    return st;
}

static enum status static_table_open(const char *dir, const char *precision, struct pool *pool, struct encoder **out,
                                     struct error *err)
{
    (void)precision, (void)pool; /* a table is what it is, and one text is too little work to share */
    struct static_table *t = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(err, "the model %s", dir);
    t->base.class = &static_table_encoder;
    if ((size_t)snprintf(t->file_name, sizeof t->file_name, "%s/model.safetensors", dir) >= sizeof t->file_name) {
        free(t);
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    }
    enum status st = open_table(t, dir, err);
    if (st != OK) {
        static_table_close(&t->base);
        return st;
    }
    *out = &t->base;
    return OK;
}

/* --- encoding --- */

/* out += the row of a token; row: [dim], for use. */
static void add_row(const struct static_table *t, int32_t id, float *row, float *out)
{
    size_t dim = t->base.dim, at = (size_t)(t->mapping ? t->mapping[id] : id);
    float weight = t->weights ? t->weights[id] : 1;
    tensor_read(t->rows, at * dim, dim, row);
    for (size_t i = 0; i < dim; i++)
        out[i] += weight * row[i];
}

static enum status static_table_text(const struct encoder *e, enum encoder_role role, const char *text, size_t len,
                                     float *out, struct error *err)
{
    (void)role;
    const struct static_table *t = (const struct static_table *)e;
    const struct tokenizer_info *info = tokenizer_info(t->tokenizer);
    size_t most = t->max_tokens + info->n_start + info->n_end, n = 0, known = 0;
    int32_t *ids = malloc(most * sizeof *ids);
    float *row = malloc(e->dim * sizeof *row);
    enum status st = ids && row ? OK : err_no_memory(err, "%zu tokens", most);
    if (st == OK)
        st = tokenizer_encode(t->tokenizer, text, encoder_text_bytes(text, len), most, ids, &n, err);
    for (size_t i = 0; i < e->dim; i++)
        out[i] = 0;
    for (size_t i = info->n_start; st == OK && i + info->n_end < n; i++)
        if (ids[i] != info->unk_id) {
            add_row(t, ids[i], row, out);
            known++;
        }
    bool nothing = true;
    for (size_t i = 0; i < e->dim; i++)
        nothing = nothing && out[i] == 0;
    if (st == OK && nothing)
        st = err_set(err, ERR_NOT_FOUND, "%s the model knows",
                     known ? "the words add up to nothing that" : "no word that");
    if (st == OK && (st = encoder_normalize(out, e->dim, err)) != OK)
        err_prefix(err, "%s: tensor embeddings", t->file_name);
    free(ids);
    free(row);
    return st;
}

/* --- about it --- */

static struct encoder_reading static_table_reading(const struct encoder *e, enum encoder_role role)
{
    (void)role;
    const struct static_table *t = (const struct static_table *)e;
    const struct tokenizer_info *info = tokenizer_info(t->tokenizer);
    return (struct encoder_reading){t->tokenizer, "", t->max_tokens + info->n_start + info->n_end};
}

static const char *static_table_precision(const struct encoder *e)
{
    static const char *const names[] = {[TENSOR_F32] = "fp32",
                                        [TENSOR_F16] = "fp16",
                                        [TENSOR_BF16] = "bf16",
                                        [TENSOR_F64] = "fp64",
                                        [TENSOR_I8] = "int8"};
    return names[((const struct static_table *)e)->rows->type];
}

static size_t static_table_bytes(const struct encoder *e)
{
    const struct static_table *t = (const struct static_table *)e;
    return t->rows->bytes + t->vocab * ((t->weights ? sizeof *t->weights : 0) + (t->mapping ? sizeof *t->mapping : 0));
}

static double static_table_trust(const struct encoder *e, bool english_query)
{
    return encoder_reliance_for(&((const struct static_table *)e)->reliance, english_query);
}

static void static_table_info(const struct encoder *e, struct buf *out)
{
    const struct static_table *t = (const struct static_table *)e;
    buf_printf(out, "{\"dim\":%zu,\"precision\":\"%s\",\"vocabulary\":%zu,\"rows\":%llu,\"max_tokens\":%zu", e->dim,
               static_table_precision(e), t->vocab, (unsigned long long)t->rows->dims[0], t->max_tokens);
    buf_printf(out, ",\"memory_bytes\":%zu,\"file_bytes\":%llu}", static_table_bytes(e),
               (unsigned long long)safetensors_file_bytes(t->file));
}

static const char *const types[] = {"model2vec", NULL};

const struct encoder_class static_table_encoder = {
    .name = "static table",
    .model_types = types,
    .source = ENCODER_WORDS,
    .leg = LEG_sentence,
    .open = static_table_open,
    .close = static_table_close,
    .embed_text = static_table_text,
    .reading = static_table_reading,
    .precision = static_table_precision,
    .bytes = static_table_bytes,
    .trust = static_table_trust,
    .info = static_table_info,
};
