/* The vocabulary is a hash table from spelling to id while the merges are read; afterwards only a
 * table from a pair of ids to (rank, merged id) is kept: encoding never touches strings. */
#include "base/buf.h"
#include "base/utf8.h"
#include "tokenize/kinds.h"
#include "tokenize/unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define MAX_VOCAB   (1u << 20)
#define END_OF_WORD "</w>"
#define NO_RANK     UINT32_MAX

struct merge {
    int32_t left, right; /* left < 0: empty slot */
    int32_t merged;
    uint32_t rank;
};

struct bpe {
    int32_t byte_id[2][256]; /* [0]: inside a word, [1]: last of a word */
    struct merge *merges;    /* open addressing, power of two */
    size_t merge_mask;
};

/* --- loading --- */

/* GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 onwards. */
static uint32_t byte_letter(unsigned byte)
{
    static const unsigned char printable[][2] = {{'!', '~'}, {0xa1, 0xac}, {0xae, 0xff}};
    uint32_t next = 256;
    for (unsigned b = 0; b < 256; b++) {
        bool own = false;
        for (size_t i = 0; i < 3; i++)
            own = own || (b >= printable[i][0] && b <= printable[i][1]);
        if (b == byte)
            return own ? b : next;
        next += !own;
    }
    return 0;
}

static enum status lookup(const json_t *vocab, const char *token, int32_t *id, struct error *err)
{
    const json_t *value = json_object_get(vocab, token);
    if (!value)
        return err_set(err, ERR_INVALID, "vocabulary lacks the token \"%.80s\"", token);
    *id = (int32_t)json_integer_value(value); /* checked by check_vocab */
    return OK;
}

static enum status check_vocab(const json_t *vocab, size_t *vocab_size, struct error *err)
{
    if (!json_is_object(vocab))
        return err_set(err, ERR_INVALID, "vocabulary: expected an object of token: id");
    if (json_object_size(vocab) > MAX_VOCAB)
        return err_set(err, ERR_TOO_LARGE, "vocabulary of %zu tokens: at most %u are allowed", json_object_size(vocab),
                       MAX_VOCAB);
    const char *token;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)vocab, token, value)
    {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id >= (json_int_t)MAX_VOCAB)
            return err_set(err, ERR_INVALID, "vocabulary: id of \"%.80s\": expected a whole number below %u", token,
                           MAX_VOCAB);
        if ((size_t)id >= *vocab_size)
            *vocab_size = (size_t)id + 1;
    }
    return OK;
}

static size_t merge_slot(const struct bpe *t, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(h >> 32) & t->merge_mask;
    while (t->merges[i].left >= 0 && (t->merges[i].left != left || t->merges[i].right != right))
        i = (i + 1) & t->merge_mask;
    return i;
}

/* A merge whose pieces or result the vocabulary lacks is an error, as in the original. */
static enum status add_merge(struct bpe *t, const json_t *vocab, const char *left, const char *right, uint32_t rank,
                             struct error *err)
{
    struct merge m = {.rank = rank};
    char merged[1024];
    int len = snprintf(merged, sizeof merged, "%s%s", left, right);
    if (len < 0 || (size_t)len >= sizeof merged)
        return err_set(err, ERR_INVALID, "merge %u is longer than %zu bytes", rank, sizeof merged - 1);
    if (lookup(vocab, left, &m.left, err) != OK || lookup(vocab, right, &m.right, err) != OK ||
        lookup(vocab, merged, &m.merged, err) != OK)
        return err_prefix(err, "merge %u", rank);
    size_t slot = merge_slot(t, m.left, m.right);
    if (t->merges[slot].left < 0) /* of two equal merges the first one counts */
        t->merges[slot] = m;
    return OK;
}

static enum status alloc_merges(struct bpe *t, size_t count, struct error *err)
{
    if (count > MAX_VOCAB)
        return err_set(err, ERR_TOO_LARGE, "%zu merges: at most %u are allowed", count, MAX_VOCAB);
    size_t slots = 16;
    while (slots < 2 * count + 1)
        slots *= 2;
    t->merges = malloc(slots * sizeof *t->merges);
    if (!t->merges)
        return err_no_memory(err, "tokenizer");
    for (size_t i = 0; i < slots; i++)
        t->merges[i].left = -1;
    t->merge_mask = slots - 1;
    return OK;
}

/* merges.txt: an optional "#version" line, then "left right" a line. */
static enum status merges_from_text(struct bpe *t, const json_t *vocab, const char *text, size_t len, struct error *err)
{
    size_t lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    enum status st = alloc_merges(t, lines, err);
    uint32_t rank = 0;
    const char *end = text + len;
    for (const char *p = text; st == OK && p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t line_len = (size_t)((newline ? newline : end) - p);
        char line[1024], *space;
        if (line_len >= sizeof line)
            return err_set(err, ERR_INVALID, "merge %u is longer than %zu bytes", rank, sizeof line - 1);
        memcpy(line, p, line_len);
        line[line_len] = '\0';
        if (line_len && line[line_len - 1] == '\r')
            line[line_len - 1] = '\0';
        bool comment = p == text && strncmp(line, "#version", 8) == 0;
        p += line_len + 1;
        if (comment || !line[0])
            continue;
        space = strchr(line, ' ');
        if (!space || strlen(line) > line_len)
            return err_set(err, ERR_INVALID, "merge %u: expected two tokens, found \"%.80s\"", rank, line);
        *space = '\0';
        st = add_merge(t, vocab, line, space + 1, rank++, err);
    }
    return st;
}

/* tokenizer.json: ["left right", ...] or, since tokenizers 0.20, [["left", "right"], ...]. */
static enum status merges_from_json(struct bpe *t, const json_t *vocab, const json_t *list, struct error *err)
{
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID, "model.merges: expected an array");
    enum status st = alloc_merges(t, json_array_size(list), err);
    for (size_t i = 0; st == OK && i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *left = json_string_value(json_array_get(item, 0));
        const char *right = json_string_value(json_array_get(item, 1));
        const char *joined = json_string_value(item);
        const char *space = joined ? strchr(joined, ' ') : NULL;
        char first[512];
        if (space && (size_t)(space - joined) < sizeof first) {
            snprintf(first, sizeof first, "%.*s", (int)(space - joined), joined);
            left = first;
            right = space + 1;
        }
        if (!left || !right)
            return err_set(err, ERR_INVALID, "model.merges[%zu]: expected two tokens", i);
        st = add_merge(t, vocab, left, right, (uint32_t)i, err);
    }
    return st;
}

static enum status find_bytes(struct bpe *t, const json_t *vocab, struct error *err)
{
    for (unsigned b = 0; b < 256; b++) {
        char spelled[4 + sizeof END_OF_WORD] = {0};
        size_t n = utf8_encode(byte_letter(b), spelled);
        if (lookup(vocab, spelled, &t->byte_id[0][b], err) != OK)
            return err->code;
        memcpy(spelled + n, END_OF_WORD, sizeof END_OF_WORD);
        if (lookup(vocab, spelled, &t->byte_id[1][b], err) != OK)
            return err->code;
    }
    return OK;
}

/* Puts the added tokens of a tokenizer.json, where the control tokens live, beside the others. */
static enum status add_added_tokens(json_t *vocab, const json_t *added, struct error *err)
{
    size_t i;
    const json_t *item;
    json_array_foreach(added, i, item)
    {
        const char *content = json_string_value(json_object_get(item, "content"));
        json_t *id = json_object_get(item, "id");
        if (!content || !id || json_object_set(vocab, content, id) != 0)
            return err_set(err, ERR_INVALID, "added_tokens[%zu]: expected content and id", i);
    }
    return OK;
}

enum status bpe_build(json_t *vocab, const json_t *merges, const char *merges_txt, size_t merges_len,
                      const json_t *added, struct bpe **out, size_t *vocab_size, int32_t *start, int32_t *end,
                      struct error *err)
{
    struct bpe *t = *out = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(err, "tokenizer");
    enum status st = add_added_tokens(vocab, added, err);
    if (st == OK)
        st = check_vocab(vocab, vocab_size, err);
    if (st == OK)
        st = find_bytes(t, vocab, err);
    if (st == OK)
        st = lookup(vocab, "<|startoftext|>", start, err);
    if (st == OK)
        st = lookup(vocab, "<|endoftext|>", end, err);
    if (st == OK)
        st = merges ? merges_from_json(t, vocab, merges, err) : merges_from_text(t, vocab, merges_txt, merges_len, err);
    if (st != OK) {
        bpe_free(t);
        *out = NULL;
    }
    return st;
}

enum status bpe_build_json(const json_t *root, struct bpe **out, size_t *vocab_size, int32_t *start, int32_t *end,
                           struct error *err)
{
    *out = NULL;
    const json_t *model = json_object_get(root, "model");
    json_t *vocab = json_object_get(model, "vocab");
    const char *suffix = json_string_value(json_object_get(model, "end_of_word_suffix"));
    const json_t *merges = json_object_get(model, "merges");
    if (!json_is_object(vocab) || !merges)
        return err_set(err, ERR_INVALID, "model.vocab and model.merges are needed (a BPE tokenizer)");
    if (!suffix || strcmp(suffix, END_OF_WORD) != 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "model.end_of_word_suffix: expected \"%s\" (of BPE, CLIP's is supported), found \"%.20s\"",
                       END_OF_WORD, suffix ? suffix : "");
    return bpe_build(vocab, merges, NULL, 0, json_object_get(root, "added_tokens"), out, vocab_size, start, end, err);
}

void bpe_free(struct bpe *t)
{
    if (!t)
        return;
    free(t->merges);
    free(t);
}

/* --- encoding --- */

enum kind { SPACE, LETTER, NUMBER, OTHER };

static enum kind char_kind(uint32_t cp)
{
    if (cp == ' ')
        return SPACE; /* normalize() left no other white space */
    enum utf8_kind kind = utf8_kind(cp);
    return kind == UTF8_LETTER ? LETTER : kind == UTF8_NUMBER ? NUMBER : OTHER;
}

/* NFC, white space to single spaces, lower case. The result is malloc'ed. */
static enum status normalize(const char *text, size_t len, struct buf *out, struct error *err)
{
    struct buf nfc;
    buf_init(&nfc, 4 * TOKENIZER_MAX_BYTES);
    enum status st = unicode_normalize(UNICODE_NFC, text, len, &nfc, err);
    for (size_t i = 0; st == OK && i < nfc.len;) {
        uint32_t cp, low[UNICODE_MAX_LOW];
        const char *start = nfc.data + i;
        size_t one = utf8_decode(start, nfc.len - i, &cp), trimmed = one;
        char enc[4];
        i += one;
        utf8_trim(&start, &trimmed);
        if (trimmed == 0) {
            if (!out->len || out->data[out->len - 1] != ' ')
                buf_putc(out, ' ');
        } else {
            size_t n = unicode_lower(cp, low);
            for (size_t k = 0; k < n; k++)
                buf_append(out, enc, utf8_encode(low[k], enc));
        }
    }
    buf_free(&nfc);
    return st == OK ? buf_status(out, err) : st;
}

/* Length in bytes of the word at s, per the pattern in the header. */
static size_t word_length(const char *s, size_t len)
{
    static const char *const contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof contractions / sizeof *contractions; i++) {
        size_t n = strlen(contractions[i]);
        if (n <= len && memcmp(s, contractions[i], n) == 0)
            return n;
    }
    uint32_t cp;
    size_t n = utf8_decode(s, len, &cp);
    enum kind kind = char_kind(cp);
    if (kind == NUMBER)
        return n;
    while (n < len) {
        size_t next = utf8_decode(s + n, len - n, &cp);
        if (char_kind(cp) != kind)
            break;
        n += next;
    }
    return n;
}

/* Merges the lowest rank first until no pair is known. pieces: [n]; rank: [n] scratch. Returns the new n. */
static size_t merge_word(const struct bpe *t, int32_t *pieces, uint32_t *rank, size_t n)
{
#define PAIR_RANK(i)                                                                                                   \
    (t->merges[slot = merge_slot(t, pieces[i], pieces[(i) + 1])].left < 0 ? NO_RANK : t->merges[slot].rank)
    size_t slot;
    for (size_t i = 0; i + 1 < n; i++)
        rank[i] = PAIR_RANK(i);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[best])
                best = i;
        if (rank[best] == NO_RANK)
            break;
        pieces[best] = t->merges[merge_slot(t, pieces[best], pieces[best + 1])].merged;
        memmove(pieces + best + 1, pieces + best + 2, (n - best - 2) * sizeof *pieces);
        memmove(rank + best, rank + best + 1, (n - best - 2) * sizeof *rank);
        n--;
        if (best > 0)
            rank[best - 1] = PAIR_RANK(best - 1);
        if (best + 1 < n)
            rank[best] = PAIR_RANK(best);
    }
    return n;
#undef PAIR_RANK
}

enum status bpe_encode(const struct bpe *t, const char *text, size_t len, struct id_list *out, struct error *err)
{
    struct buf s;
    buf_init(&s, 4 * TOKENIZER_MAX_BYTES); /* NFC and lower case grow a text at most threefold */
    enum status st = normalize(text, len, &s, err);
    int32_t *pieces = malloc((s.len + 1) * sizeof *pieces);
    uint32_t *rank = malloc((s.len + 1) * sizeof *rank);
    if (st == OK && (!pieces || !rank))
        st = err_no_memory(err, "tokenizer");
    for (size_t at = 0; st == OK && at < s.len && !id_list_full(out);) {
        if (s.data[at] == ' ') {
            at++;
            continue;
        }
        size_t word = word_length(s.data + at, s.len - at);
        for (size_t i = 0; i < word; i++)
            pieces[i] = t->byte_id[i == word - 1][(unsigned char)s.data[at + i]];
        size_t made = merge_word(t, pieces, rank, word);
        for (size_t i = 0; i < made; i++)
            id_list_add(out, pieces[i]);
        at += word;
    }
    free(rank);
    free(pieces);
    buf_free(&s);
    return st;
}
