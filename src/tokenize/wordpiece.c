/* WordPiece: a word becomes, from its start on, the longest piece that the vocabulary has, where pieces within a word
 * are spelled with "##" before them; a word with a part that is no piece, or too long a word, is one unknown token. */
#include "base/utf8.h"
#include "tokenize/kinds.h"
#include "tokenize/pieces.h"

#include <stdlib.h>
#include <string.h>

#define MAX_WORD 100 /* characters, where no file says other */

struct wordpiece {
    struct pieces *pieces;
    uint32_t within; /* the node after "##" */
    int32_t unk_id;
    size_t max_word;
};

void wordpiece_free(struct wordpiece *w)
{
    if (!w)
        return;
    pieces_free(w->pieces);
    free(w);
}

static enum status finish(struct piece *list, size_t n, const char *prefix, size_t max_word, int32_t unk_id,
                          struct wordpiece **out, struct tokenizer_info *info, struct error *err)
{
    struct wordpiece *w = calloc(1, sizeof *w);
    if (!w)
        return err_no_memory(err, "tokenizer");
    enum status st = pieces_build(list, n, &w->pieces, err);
    if (st != OK) {
        free(w);
        return st;
    }
    w->within = pieces_walk(w->pieces, PIECES_ROOT, prefix, strlen(prefix));
    w->max_word = max_word;
    w->unk_id = info->unk_id = unk_id;
    *out = w;
    return OK;
}

static bool is_special(const struct specials *specials, int32_t id, const char *content)
{
    for (size_t i = 0; i < specials->n; i++)
        if (specials->list[i].id == id && strcmp(specials->list[i].content, content) == 0)
            return true;
    return false;
}

enum status wordpiece_build_json(const json_t *model, const struct specials *specials, struct wordpiece **out,
                                 struct tokenizer_info *info, struct error *err)
{
    const char *unk, *prefix, *content;
    json_int_t max_word;
    json_t *vocab = json_object_get(model, "vocab"), *value;
    *out = NULL;
    enum status st = member_string(model, "model", "unk_token", "[UNK]", &unk, err);
    if (st == OK)
        st = member_string(model, "model", "continuing_subword_prefix", "##", &prefix, err);
    if (st == OK)
        st = member_int(model, "model", "max_input_chars_per_word", 1, TOKENIZER_MAX_BYTES, MAX_WORD, &max_word, err);
    if (st != OK)
        return st;
    if (!json_is_object(vocab))
        return err_set(err, ERR_INVALID, "model.vocab: expected an object of piece: id, found %s",
                       member_type_name(vocab));
    size_t n = 0;
    int32_t unk_id = -1;
    struct piece *list = malloc((json_object_size(vocab) + 1) * sizeof *list);
    if (!list)
        return err_no_memory(err, "tokenizer");
    json_object_foreach(vocab, content, value)
    {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id >= KINDS_MAX_ID) {
            st = err_set(err, ERR_INVALID, "model.vocab: id of \"%.80s\": expected a whole number below %d", content,
                         KINDS_MAX_ID);
            break;
        }
        if ((size_t)id >= info->vocab_size)
            info->vocab_size = (size_t)id + 1;
        if (strcmp(content, unk) == 0)
            unk_id = (int32_t)id;
        if (strcmp(content, unk) != 0 && !is_special(specials, (int32_t)id, content))
            list[n++] = (struct piece){.s = content, .len = (uint32_t)strlen(content), .id = (int32_t)id};
    }
    if (st == OK && unk_id < 0)
        st = err_set(err, ERR_INVALID, "model.vocab lacks the unk_token \"%.80s\"", unk);
    if (st == OK)
        st = finish(list, n, prefix, (size_t)max_word, unk_id, out, info, err);
    free(list);
    return st;
}

enum status wordpiece_build_text(const char *vocab_txt, size_t len, const char *const *special, size_t n, int32_t *ids,
                                 struct wordpiece **out, struct tokenizer_info *info, struct error *err)
{
    *out = NULL;
    size_t lines = 1, made = 0;
    int32_t id = 0;
    for (size_t i = 0; i < len; i++)
        lines += vocab_txt[i] == '\n';
    if (lines > KINDS_MAX_ID)
        return err_set(err, ERR_TOO_LARGE, "vocab.txt: %zu lines: at most %d are allowed", lines, KINDS_MAX_ID);
    if (!utf8_valid(vocab_txt, len))
        return err_set(err, ERR_INVALID, "vocab.txt is not valid UTF-8");
    struct piece *list = malloc(lines * sizeof *list);
    if (!list)
        return err_no_memory(err, "tokenizer");
    for (size_t i = 0; i < n; i++)
        ids[i] = -1;
    for (const char *p = vocab_txt, *end = vocab_txt + len; p < end; id++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t piece = (size_t)((newline ? newline : end) - p);
        size_t next = piece + 1, k = 0;
        if (piece && p[piece - 1] == '\r')
            piece--;
        while (k < n && (strlen(special[k]) != piece || memcmp(special[k], p, piece) != 0))
            k++;
        if (k < n)
            ids[k] = id;
        else
            list[made++] = (struct piece){.s = p, .len = (uint32_t)piece, .id = id};
        if ((size_t)(end - p) <= next)
            next = (size_t)(end - p);
        p += next;
    }
    enum status st = OK;
    for (size_t i = 0; st == OK && i < n; i++)
        if (ids[i] < 0)
            st = err_set(err, ERR_INVALID, "vocab.txt lacks the token \"%.80s\"", special[i]);
    info->vocab_size = (size_t)(id + (id == 0));
    if (st == OK)
        st = finish(list, made, "##", MAX_WORD, ids[0], out, info, err);
    free(list);
    return st;
}

void wordpiece_encode(const struct wordpiece *w, const char *word, size_t len, struct id_list *out)
{
    size_t before = out->n;
    bool known = utf8_count(word, len) <= w->max_word;
    for (size_t at = 0; known && at < len;) {
        uint32_t node = at ? w->within : PIECES_ROOT;
        size_t longest = 0;
        int32_t id = -1;
        for (size_t i = at; i < len && node != PIECES_NONE; i++) {
            node = pieces_step(w->pieces, node, word[i]);
            if (node != PIECES_NONE && pieces_id(w->pieces, node) >= 0) {
                longest = i + 1 - at;
                id = pieces_id(w->pieces, node);
            }
        }
        known = longest > 0;
        if (known)
            id_list_add(out, id);
        at += longest;
    }
    if (!known) {
        out->n = before;
        id_list_add(out, w->unk_id);
    }
}
