#include "tokenize/tokenizer.h"

#include "base/buf.h"
#include "base/os.h"
#include "base/utf8.h"
#include "tokenize/charsmap.h"
#include "tokenize/kinds.h"
#include "tokenize/normalizer.h"
#include "tokenize/pretokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ADDED  4096
#define MAX_AROUND 4      /* start tokens, and end tokens */
#define MAX_LENGTH 100000 /* a model_max_length above stands for none: transformers writes 1e30 */

struct tokenizer {
    struct tokenizer_info info;
    int32_t start[MAX_AROUND], end[MAX_AROUND];
    struct normalizer *normalizer; /* these two: not for BPE */
    struct pretokenizer *pretokenizer;
    struct bpe *bpe; /* one of the three, by info.kind */
    struct wordpiece *wordpiece;
    struct unigram *unigram;
};

static enum status make(enum tokenizer_kind kind, struct tokenizer **out, struct error *err)
{
    struct tokenizer *t = *out = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(err, "tokenizer");
    t->info.kind = kind;
    t->info.pad_id = t->info.unk_id = -1;
    return OK;
}

/* For the end of every parser: t, or nothing. */
static enum status hand_over(struct tokenizer *t, enum status st, struct tokenizer **out)
{
    if (st != OK) {
        tokenizer_close(t);
        t = NULL;
    }
    *out = t;
    return st;
}

/* --- tokenizer.json --- */

static enum status read_added_tokens(const json_t *root, struct specials *out, struct tokenizer_info *info,
                                     struct error *err)
{
    const json_t *added = json_object_get(root, "added_tokens");
    size_t n = json_array_size(added);
    if (added && !json_is_null(added) && !json_is_array(added))
        return err_set(err, ERR_INVALID, "added_tokens: expected an array, found %s", member_type_name(added));
    if (n > MAX_ADDED)
        return err_set(err, ERR_TOO_LARGE, "added_tokens: %zu of them: at most %d are allowed", n, MAX_ADDED);
    out->list = calloc(n + 1, sizeof *out->list);
    if (!out->list)
        return err_no_memory(err, "tokenizer");
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(added, i), *id = json_object_get(item, "id");
        const char *content = json_string_value(json_object_get(item, "content"));
        if (!content || !json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= KINDS_MAX_ID)
            return err_set(err, ERR_INVALID, "added_tokens[%zu]: expected content, and an id from 0 to %d", i,
                           KINDS_MAX_ID - 1);
        if (!json_is_true(json_object_get(item, "special")))
            return err_set(err, ERR_UNSUPPORTED,
                           "added_tokens[%zu], \"%.80s\": only special tokens are supported, found one that is not", i,
                           content);
        out->list[out->n++] = (struct special){.content = content, .id = (int32_t)json_integer_value(id)};
        if ((size_t)json_integer_value(id) >= info->vocab_size)
            info->vocab_size = (size_t)json_integer_value(id) + 1;
    }
    return OK;
}

static enum status add_around(struct tokenizer *t, bool start, const json_t *id, struct error *err)
{
    size_t *n = start ? &t->info.n_start : &t->info.n_end;
    json_int_t value = json_integer_value(id);
    if (!json_is_integer(id) || value < 0 || (size_t)value >= t->info.vocab_size)
        return err_set(err, ERR_INVALID, "post_processor: a token's id: expected a whole number below %zu, found %s",
                       t->info.vocab_size, json_is_integer(id) ? "another" : member_type_name(id));
    if (*n == MAX_AROUND)
        return err_set(err, ERR_TOO_LARGE, "post_processor: more than %d tokens %s the text", MAX_AROUND,
                       start ? "before" : "after");
    (start ? t->start : t->end)[(*n)++] = (int32_t)value;
    return OK;
}

/* TemplateProcessing: "single" lists special tokens and one sequence; "special_tokens" has their ids. */
static enum status read_template(struct tokenizer *t, const json_t *node, struct error *err)
{
    const json_t *single = json_object_get(node, "single"), *known = json_object_get(node, "special_tokens");
    bool start = true;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i), *special = json_object_get(item, "SpecialToken");
        const char *name = json_string_value(json_object_get(special, "id"));
        const json_t *ids = json_object_get(name ? json_object_get(known, name) : NULL, "ids");
        if (json_object_get(item, "Sequence") && start) {
            start = false;
            continue;
        }
        if (json_array_size(ids) == 0)
            return err_set(err, ERR_INVALID,
                           "post_processor.single[%zu]: expected one Sequence, or a SpecialToken "
                           "that special_tokens has ids for",
                           i);
        for (size_t k = 0; k < json_array_size(ids); k++)
            if (add_around(t, start, json_array_get(ids, k), err) != OK)
                return err ? err->code : ERR_INVALID;
    }
    return start ? err_set(err, ERR_INVALID, "post_processor.single: expected a Sequence, found none") : OK;
}

static enum status read_post_processor(struct tokenizer *t, const json_t *node, int nesting, struct error *err)
{
    const char *type;
    if (!node || json_is_null(node))
        return OK;
    enum status st = member_string(node, "post_processor", "type", NULL, &type, err);
    if (st != OK)
        return st;
    if (t->info.n_start + t->info.n_end > 0)
        return err_set(err, ERR_UNSUPPORTED, "post_processor: two that add tokens, the second a %.40s", type);
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(t, node, err);
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0) {
        st = add_around(t, true, json_array_get(json_object_get(node, "cls"), 1), err);
        return st == OK ? add_around(t, false, json_array_get(json_object_get(node, "sep"), 1), err) : st;
    }
    if (strcmp(type, "Sequence") == 0 && nesting == 0) {
        const json_t *list = json_object_get(node, "processors");
        for (size_t i = 0; st == OK && i < json_array_size(list); i++)
            st = read_post_processor(t, json_array_get(list, i), nesting + 1, err);
        return st;
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "post_processor.type: expected TemplateProcessing, BertProcessing, RobertaProcessing or a Sequence "
                   "of one, found \"%.40s\"",
                   type);
}

/* padding.pad_id, or else the special token of one of the usual names. */
static int32_t find_pad(const json_t *root, const struct specials *specials)
{
    const json_t *told = json_object_get(json_object_get(root, "padding"), "pad_id");
    if (json_is_integer(told) && json_integer_value(told) >= 0 && json_integer_value(told) < KINDS_MAX_ID)
        return (int32_t)json_integer_value(told);
    for (size_t i = 0; i < specials->n; i++)
        if (strcmp(specials->list[i].content, "[PAD]") == 0 || strcmp(specials->list[i].content, "<pad>") == 0)
            return specials->list[i].id;
    return -1;
}

static enum status read_words(struct tokenizer *t, const json_t *root, struct error *err)
{
    struct specials specials = {0};
    const json_t *model = json_object_get(root, "model");
    json_int_t max_tokens = 0;
    enum status st = read_added_tokens(root, &specials, &t->info, err);
    if (st == OK)
        st = normalizer_parse(json_object_get(root, "normalizer"), &t->normalizer, err);
    if (st == OK)
        st = pretokenizer_parse(json_object_get(root, "pre_tokenizer"), &t->pretokenizer, err);
    if (st == OK && t->info.kind == TOKENIZER_WORDPIECE)
        st = wordpiece_build_json(model, &specials, &t->wordpiece, &t->info, err);
    else if (st == OK)
        st = unigram_build_json(model, &specials, &t->unigram, &t->info, err);
    if (st == OK)
        st = read_post_processor(t, json_object_get(root, "post_processor"), 0, err);
    if (st == OK)
        st = member_int(json_object_get(root, "truncation"), "truncation", "max_length", 0, INT32_MAX, 0, &max_tokens,
                        err);
    t->info.max_tokens = (size_t)max_tokens;
    t->info.pad_id = find_pad(root, &specials);
    free(specials.list);
    return st;
}

/* model.type; old files lack it. */
static enum status kind_of(const json_t *model, enum tokenizer_kind *out, struct error *err)
{
    static const char *const types[] = {
        [TOKENIZER_BPE] = "BPE", [TOKENIZER_WORDPIECE] = "WordPiece", [TOKENIZER_UNIGRAM] = "Unigram"};
    const char *type = json_string_value(json_object_get(model, "type"));
    *out = TOKENIZER_BPE;
    if (!type) {
        if (json_is_array(json_object_get(model, "vocab")))
            *out = TOKENIZER_UNIGRAM;
        else if (json_object_get(model, "max_input_chars_per_word"))
            *out = TOKENIZER_WORDPIECE;
        return OK;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0) {
            *out = (enum tokenizer_kind)i;
            return OK;
        }
    return err_set(err, ERR_UNSUPPORTED, "model.type: expected BPE, WordPiece or Unigram, found \"%.40s\"", type);
}

enum status tokenizer_parse_json(const char *tokenizer_json, size_t len, struct tokenizer **out, struct error *err)
{
    struct error local;
    err = err ? err : &local;
    *out = NULL;
    json_t *root;
    enum status st = member_load("tokenizer.json", tokenizer_json, len, false, &root, err);
    if (st != OK)
        return st;
    enum tokenizer_kind kind;
    struct tokenizer *t = NULL;
    st = kind_of(json_object_get(root, "model"), &kind, err);
    if (st == OK)
        st = make(kind, &t, err);
    if (st == OK && kind == TOKENIZER_BPE) {
        t->info.n_start = t->info.n_end = 1;
        st = bpe_build_json(root, &t->bpe, &t->info.vocab_size, t->start, t->end, err);
    } else if (st == OK) {
        st = read_words(t, root, err);
    }
    json_decref(root);
    if (st != OK)
        err_prefix(err, "tokenizer.json");
    return hand_over(t, st, out);
}

/* --- the other files --- */

enum status tokenizer_parse_vocab(const char *vocab_json, size_t vocab_len, const char *merges_txt, size_t merges_len,
                                  struct tokenizer **out, struct error *err)
{
    struct error local;
    err = err ? err : &local;
    *out = NULL;
    json_t *vocab;
    struct tokenizer *t = NULL;
    enum status st = member_load("vocab.json", vocab_json, vocab_len, false, &vocab, err);
    if (st != OK)
        return st;
    if (merges_len > MEMBER_MAX_FILE)
        st = err_set(err, ERR_TOO_LARGE, "merges.txt has more than %u bytes", MEMBER_MAX_FILE);
    if (st == OK)
        st = make(TOKENIZER_BPE, &t, err);
    if (st == OK) {
        t->info.n_start = t->info.n_end = 1;
        st = bpe_build(vocab, NULL, merges_txt, merges_len, NULL, &t->bpe, &t->info.vocab_size, t->start, t->end, err);
    }
    json_decref(vocab);
    return hand_over(t, st, out);
}

/* A token's name in tokenizer_config.json: a string, or an object with "content". */
static const char *token_name(const json_t *config, const char *member, const char *usual)
{
    const json_t *token = json_object_get(config, member);
    const char *name = json_string_value(json_is_object(token) ? json_object_get(token, "content") : token);
    return name ? name : usual;
}

/* tokenizer_config.json's model_max_length, where it is one. */
static void read_max_tokens(const json_t *config, struct tokenizer_info *info)
{
    const json_t *told = json_object_get(config, "model_max_length");
    double value = json_number_value(told);
    if (value >= 1 && value <= MAX_LENGTH)
        info->max_tokens = (size_t)value;
}

enum status tokenizer_parse_wordpiece(const char *vocab_txt, size_t vocab_len, const char *config_json,
                                      size_t config_len, struct tokenizer **out, struct error *err)
{
    struct error local;
    err = err ? err : &local;
    *out = NULL;
    json_t *config = NULL;
    struct tokenizer *t = NULL;
    enum status st = OK;
    if (vocab_len > MEMBER_MAX_FILE)
        return err_set(err, ERR_TOO_LARGE, "vocab.txt has more than %u bytes", MEMBER_MAX_FILE);
    if (config_json)
        st = member_load("tokenizer_config.json", config_json, config_len, true, &config, err);
    if (st == OK)
        st = make(TOKENIZER_WORDPIECE, &t, err);
    if (st == OK) {
        enum { UNK, CLS, SEP, PAD, MASK, COUNT };
        const char *names[COUNT] = {
            [UNK] = token_name(config, "unk_token", "[UNK]"),    [CLS] = token_name(config, "cls_token", "[CLS]"),
            [SEP] = token_name(config, "sep_token", "[SEP]"),    [PAD] = token_name(config, "pad_token", "[PAD]"),
            [MASK] = token_name(config, "mask_token", "[MASK]"),
        };
        int32_t ids[COUNT];
        st = normalizer_bert(config, &t->normalizer, err);
        if (st == OK)
            st = pretokenizer_bert(&t->pretokenizer, err);
        if (st == OK)
            st = wordpiece_build_text(vocab_txt, vocab_len, names, COUNT, ids, &t->wordpiece, &t->info, err);
        if (st == OK) {
            t->info.n_start = t->info.n_end = 1;
            t->start[0] = ids[CLS];
            t->end[0] = ids[SEP];
            t->info.pad_id = ids[PAD];
            read_max_tokens(config, &t->info);
        }
    }
    json_decref(config);
    return hand_over(t, st, out);
}

enum status tokenizer_parse_sentencepiece(const char *model, size_t len, struct tokenizer **out, struct error *err)
{
    struct error local;
    err = err ? err : &local;
    struct tokenizer *t = NULL;
    struct charsmap *map = NULL;
    *out = NULL;
    if (len > MEMBER_MAX_FILE)
        return err_set(err, ERR_TOO_LARGE, "sentencepiece.bpe.model has more than %u bytes", MEMBER_MAX_FILE);
    enum status st = make(TOKENIZER_UNIGRAM, &t, err);
    if (st == OK)
        st = sentencepiece_parse(model, len, &t->unigram, &map, &t->info, err);
    if (st == OK)
        st = normalizer_precompiled(map, &t->normalizer, err);
    if (st == OK)
        st = pretokenizer_xlm_roberta(&t->pretokenizer, err);
    if (st == OK) {
        t->info.n_start = t->info.n_end = 1;
        t->start[0] = 0;
        t->end[0] = 2;
    } else {
        err_prefix(err, "sentencepiece.bpe.model");
    }
    return hand_over(t, st, out);
}

/* --- a folder --- */

static enum status read_into(const char *dir, const char *name, struct buf *out, struct error *err)
{
    char path[4096];
    buf_free(out);
    buf_init(out, MEMBER_MAX_FILE);
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(err, ERR_INVALID, "model folder's name is too long");
    return os_read_file(path, out, err);
}

/* tokenizer_config.json beside the others: may be absent; gives the maximum. */
static enum status read_config(const char *dir, struct buf *config, struct tokenizer *t, struct error *err)
{
    json_t *root;
    enum status st = read_into(dir, "tokenizer_config.json", config, err);
    if (st == ERR_NOT_FOUND)
        return OK;
    if (st == OK)
        st = member_load("tokenizer_config.json", buf_str(config), config->len, true, &root, err);
    if (st != OK)
        return st;
    read_max_tokens(root, &t->info);
    json_decref(root);
    return OK;
}

static enum status open_files(const char *dir, struct buf *one, struct buf *two, struct tokenizer **out,
                              struct error *err)
{
    enum status st = read_into(dir, "tokenizer.json", one, err);
    if (st == OK) {
        st = tokenizer_parse_json(buf_str(one), one->len, out, err);
        if (st == OK && (*out)->info.kind != TOKENIZER_BPE)
            st = read_config(dir, two, *out, err);
        return st;
    }
    if (st == ERR_NOT_FOUND && (st = read_into(dir, "vocab.json", one, err)) == OK) {
        st = read_into(dir, "merges.txt", two, err);
        return st == OK ? tokenizer_parse_vocab(buf_str(one), one->len, buf_str(two), two->len, out, err) : st;
    }
    if (st == ERR_NOT_FOUND && (st = read_into(dir, "vocab.txt", one, err)) == OK) {
        st = read_into(dir, "tokenizer_config.json", two, err);
        bool none = st == ERR_NOT_FOUND;
        return st == OK || none
                   ? tokenizer_parse_wordpiece(buf_str(one), one->len, none ? NULL : buf_str(two), two->len, out, err)
                   : st;
    }
    if (st == ERR_NOT_FOUND && (st = read_into(dir, "sentencepiece.bpe.model", one, err)) == OK) {
        st = tokenizer_parse_sentencepiece(buf_str(one), one->len, out, err);
        return st == OK ? read_config(dir, two, *out, err) : st;
    }
    return st == ERR_NOT_FOUND
               ? err_set(err, st,
                         "expected tokenizer.json, vocab.json, vocab.txt or sentencepiece.bpe.model, found none")
               : st;
}

enum status tokenizer_open(const char *dir, struct tokenizer **out, struct error *err)
{
    *out = NULL;
    struct error local;
    err = err ? err : &local;
    struct buf one, two;
    buf_init(&one, MEMBER_MAX_FILE);
    buf_init(&two, MEMBER_MAX_FILE);
    struct tokenizer *t = NULL;
    enum status st = open_files(dir, &one, &two, &t, err);
    buf_free(&one);
    buf_free(&two);
    st = hand_over(t, st, out);
    return st == OK ? OK : err_prefix(err, "tokenizer of %s", dir);
}

void tokenizer_close(struct tokenizer *t)
{
    if (!t)
        return;
    normalizer_free(t->normalizer);
    pretokenizer_free(t->pretokenizer);
    bpe_free(t->bpe);
    wordpiece_free(t->wordpiece);
    unigram_free(t->unigram);
    free(t);
}

size_t tokenizer_vocab_size(const struct tokenizer *t)
{
    return t->info.vocab_size;
}

const struct tokenizer_info *tokenizer_info(const struct tokenizer *t)
{
    return &t->info;
}

/* --- encoding --- */

static enum status encode_words(const struct tokenizer *t, const char *text, size_t len, struct id_list *out,
                                struct error *err)
{
    struct text work;
    text_init(&work);
    buf_append(&work.data, text, len);
    uint32_t first;
    work.origin = len ? utf8_decode(text, len, &first) : 0;
    enum status st = buf_status(&work.data, err);
    if (st == OK && len)
        st = normalizer_apply(t->normalizer, &work, err);
    if (st == OK)
        st = pretokenizer_apply(t->pretokenizer, &work, err);
    for (size_t i = 0; st == OK && i < work.n_words && !id_list_full(out); i++) {
        const char *word = work.data.data + work.words[i].at;
        if (t->wordpiece)
            wordpiece_encode(t->wordpiece, word, work.words[i].len, out);
        else
            st = unigram_encode(t->unigram, word, work.words[i].len, out, err);
    }
    text_free(&work);
    return st;
}

enum status tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, size_t max_tokens, int32_t *ids,
                             size_t *n, struct error *err)
{
    const struct tokenizer_info *info = &t->info;
    if (len > TOKENIZER_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "text of %zu bytes: at most %d are allowed", len, TOKENIZER_MAX_BYTES);
    if (!utf8_valid(text, len))
        return err_set(err, ERR_INVALID, "text is not valid UTF-8");
    if (max_tokens < info->n_start + info->n_end)
        return err_set(err, ERR_INVALID, "at most %zu tokens: expected %zu or more", max_tokens,
                       info->n_start + info->n_end);
    struct id_list out = {.ids = ids, .max = max_tokens - info->n_end};
    for (size_t i = 0; i < info->n_start; i++)
        id_list_add(&out, t->start[i]);
    enum status st = t->bpe ? bpe_encode(t->bpe, text, len, &out, err) : encode_words(t, text, len, &out, err);
    if (st != OK)
        return st;
    out.max = max_tokens;
    for (size_t i = 0; i < info->n_end; i++)
        id_list_add(&out, t->end[i]);
    *n = out.n;
    return OK;
}
