/* sentencepiece.bpe.model (a ModelProto of sentencepiece_model.proto, of the kind "unigram" despite its name), with
 * the ids of XLM-RoBERTa, which inherits fairseq's: <s> 0, <pad> 1, </s> 2, <unk> 3, from the fourth piece on one
 * more than SentencePiece's id, and <mask> after the last. */
#include "base/utf8.h"
#include "tokenize/charsmap.h"
#include "tokenize/kinds.h"
#include "tokenize/pieces.h"

#include <stdlib.h>
#include <string.h>

enum piece_type { NORMAL = 1, UNKNOWN = 2, CONTROL = 3, USER_DEFINED = 4, UNUSED = 5, BYTE = 6 };
enum { UNIGRAM = 1, BPE = 2 };
enum { FIRST_PLAIN = 3, UNK_ID = 3, ADDED = 2 }; /* <pad> and <mask> are not in the file */

/* A protobuf message, or what is left of one. */
struct message {
    const unsigned char *at, *end;
};

struct field {
    uint64_t number;   /* 1 upwards */
    uint64_t varint;   /* wire type 0 */
    uint32_t fixed;    /* wire type 5 */
    struct message in; /* wire type 2 */
};

static bool read_varint(struct message *m, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        unsigned char byte = *m->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* false: no field is left, or the message is broken: then m->at is not m->end. */
static bool read_field(struct message *m, struct field *out)
{
    struct message rest = *m;
    uint64_t key, len;
    memset(out, 0, sizeof *out);
    if (m->at == m->end || !read_varint(&rest, &key) || key >> 3 == 0)
        return false;
    out->number = key >> 3;
    switch (key & 7) {
    case 0:
        if (!read_varint(&rest, &out->varint))
            return false;
        break;
    case 1:
        if (rest.end - rest.at < 8)
            return false;
        rest.at += 8;
        break;
    case 2:
        if (!read_varint(&rest, &len) || len > (uint64_t)(rest.end - rest.at))
            return false;
        out->in = (struct message){.at = rest.at, .end = rest.at + len};
        rest.at += len;
        break;
    case 5:
        if (rest.end - rest.at < 4)
            return false;
        out->fixed =
            (uint32_t)rest.at[0] | (uint32_t)rest.at[1] << 8 | (uint32_t)rest.at[2] << 16 | (uint32_t)rest.at[3] << 24;
        rest.at += 4;
        break;
    default:
        return false;
    }
    *m = rest;
    return true;
}

static enum status broken(const char *what, struct error *err)
{
    return err_set(err, ERR_INVALID, "%s is not a protobuf message", what);
}

static enum status read_piece(struct message m, size_t number, struct scored_piece *out, struct error *err)
{
    static const char *const first[FIRST_PLAIN] = {"<unk>", "<s>", "</s>"};
    struct field f;
    uint64_t type = NORMAL;
    float score = 0;
    *out = (struct scored_piece){.s = ""};
    while (read_field(&m, &f)) {
        if (f.number == 1) {
            if (f.in.end - f.in.at > PIECES_MAX_BYTES)
                return err_set(err, ERR_TOO_LARGE, "pieces[%zu] has %zu bytes: at most %d are allowed", number,
                               (size_t)(f.in.end - f.in.at), PIECES_MAX_BYTES);
            out->s = f.in.at ? (const char *)f.in.at : "";
            out->len = (uint32_t)(f.in.end - f.in.at);
        } else if (f.number == 2) {
            memcpy(&score, &f.fixed, sizeof score);
        } else if (f.number == 3) {
            type = f.varint;
        }
    }
    if (m.at != m.end)
        return broken("a piece", err);
    out->score = (double)score;
    out->plain = true;
    if (!utf8_valid(out->s, out->len) || memchr(out->s, '\0', out->len))
        return err_set(err, ERR_INVALID, "pieces[%zu]: expected UTF-8 without NUL", number);
    if (number < FIRST_PLAIN) {
        if (out->len != strlen(first[number]) || memcmp(out->s, first[number], out->len) != 0)
            return err_set(err, ERR_UNSUPPORTED, "pieces[%zu]: expected \"%s\", as XLM-RoBERTa has it, found \"%.*s\"",
                           number, first[number], (int)(out->len < 80 ? out->len : 80), out->s);
    } else if (type != NORMAL && type != UNUSED) {
        return err_set(err, ERR_UNSUPPORTED, "pieces[%zu], \"%.*s\": type: expected 1 (normal) or 5, found %llu",
                       number, (int)(out->len < 80 ? out->len : 80), out->s, (unsigned long long)type);
    }
    return OK;
}

static enum status read_trainer(struct message m, struct error *err)
{
    struct field f;
    uint64_t type = UNIGRAM;
    bool bytes = false;
    while (read_field(&m, &f)) {
        type = f.number == 3 ? f.varint : type;
        bytes = f.number == 35 ? f.varint != 0 : bytes;
    }
    if (m.at != m.end)
        return broken("trainer_spec", err);
    if (type != UNIGRAM)
        return err_set(err, ERR_UNSUPPORTED, "trainer_spec.model_type: expected 1 (unigram), found %llu%s",
                       (unsigned long long)type, type == BPE ? " (BPE)" : "");
    if (bytes)
        return err_set(err, ERR_UNSUPPORTED, "trainer_spec.byte_fallback: expected false, found true");
    return OK;
}

static enum status read_normalizer(struct message m, struct charsmap **map, struct error *err)
{
    struct field f;
    struct message bytes = {0};
    while (read_field(&m, &f))
        if (f.number == 2)
            bytes = f.in;
    if (m.at != m.end)
        return broken("normalizer_spec", err);
    if (bytes.at == bytes.end)
        return OK;
    charsmap_free(*map);
    enum status st = charsmap_parse(bytes.at, (size_t)(bytes.end - bytes.at), map, err);
    return st == OK || !err ? st : err_prefix(err, "normalizer_spec");
}

/* The pieces go to list: [n + ADDED], each at its id. */
static enum status read_model(struct message m, struct scored_piece *list, struct charsmap **map, struct error *err)
{
    struct field f;
    enum status st = OK;
    size_t number = 0;
    while (st == OK && read_field(&m, &f)) {
        struct scored_piece piece;
        if (f.number == 1) {
            st = read_piece(f.in, number, &piece, err);
            if (st == OK && number >= FIRST_PLAIN)
                list[number + 1] = piece;
            number++;
        } else if (f.number == 2) {
            st = read_trainer(f.in, err);
        } else if (f.number == 3) {
            st = read_normalizer(f.in, map, err);
        }
    }
    return st == OK && m.at != m.end ? broken("the file", err) : st;
}

enum status sentencepiece_parse(const char *model, size_t len, struct unigram **out, struct charsmap **map,
                                struct tokenizer_info *info, struct error *err)
{
    *out = NULL;
    *map = NULL;
    const struct message all = {.at = (const unsigned char *)model, .end = (const unsigned char *)model + len};
    struct message m = all;
    struct field f;
    size_t n = 0;
    while (read_field(&m, &f))
        n += f.number == 1;
    if (m.at != m.end)
        return broken("the file", err);
    if (n < FIRST_PLAIN || n > PIECES_MAX - ADDED)
        return err_set(err, n < FIRST_PLAIN ? ERR_INVALID : ERR_TOO_LARGE, "%zu pieces: expected %d to %u", n,
                       FIRST_PLAIN, PIECES_MAX - ADDED);
    struct scored_piece *list = calloc(n + ADDED, sizeof *list); /* control tokens: score 0, not plain, no bytes */
    if (!list)
        return err_no_memory(err, "tokenizer");
    enum status st = read_model(all, list, map, err);
    for (size_t i = 0; i < n + ADDED; i++)
        list[i].s = list[i].s ? list[i].s : "";
    if (st == OK)
        st = unigram_build(list, n + ADDED, UNK_ID, false, out, err);
    free(list);
    if (st != OK) {
        charsmap_free(*map);
        *map = NULL;
        return st;
    }
    info->vocab_size = n + ADDED;
    info->unk_id = UNK_ID;
    info->pad_id = 1;
    return OK;
}
