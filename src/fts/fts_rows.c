#include "fts/fts_rows.h"

#include "fts/fts_rank.h"
#include "fts/fts_terms.h"

#include <stdlib.h>
#include <string.h>

static bool is_letter(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t fts_next_term(const char *text, size_t *at, char kind, char out[FTS_MAX_TERM + 1])
{
    size_t len = 0;
    while (text[*at] && !is_letter((unsigned char)text[*at]))
        (*at)++;
    out[0] = kind;
    for (; is_letter((unsigned char)text[*at]); (*at)++) {
        char c = text[*at];
        if (len < FTS_MAX_TERM)
            out[++len] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return len ? len + 1 : 0;
}

size_t fts_spell(const char *term, char kind, char out[FTS_MAX_TERM + 1])
{
    char rest[FTS_MAX_TERM + 1];
    size_t at = 0, len = fts_next_term(term, &at, kind, out);
    return len && fts_next_term(term, &at, kind, rest) ? 0 : len;
}

/* --- the terms of a document --- */

struct token {
    uint64_t key;   /* its first bytes, whose order is that of the numbers */
    size_t at, len; /* in the bytes */
    double tf;      /* to be added up */
    int language;   /* that has it in its words; -1: it stands in a title, or is English */
};

struct tokens {
    struct buf bytes;
    struct token *items;
    size_t n, cap;
};

static uint64_t key_of(const char *term, size_t len)
{
    uint64_t key = 0;
    for (size_t i = 0; i < sizeof key; i++)
        key = key << 8 | (i < len ? (unsigned char)term[i] : 0);
    return key;
}

static bool add_tokens(struct tokens *t, const char *text, char kind, double tf, int language)
{
    char term[FTS_MAX_TERM + 1];
    for (size_t at = 0, len; (len = fts_next_term(text, &at, kind, term)) > 0;) {
        if (t->n == t->cap) {
            size_t cap = t->cap ? 2 * t->cap : 256;
            struct token *grown = reallocarray(t->items, cap, sizeof *grown);
            if (!grown)
                return false;
            t->items = grown;
            t->cap = cap;
        }
        t->items[t->n++] =
            (struct token){.key = key_of(term, len), .at = t->bytes.len, .len = len, .tf = tf, .language = language};
        buf_append(&t->bytes, term, len);
    }
    return true;
}

static int by_term(const void *x, const void *y, void *bytes)
{
    const struct token *a = x, *b = y;
    const char *all = bytes;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    int order = memcmp(all + a->at, all + b->at, a->len < b->len ? a->len : b->len);
    if (order == 0)
        order = (a->len > b->len) - (a->len < b->len);
    return order ? order : (a->language > b->language) - (a->language < b->language);
}

/* One row of each term: its tf summed, its languages each once. */
static bool merge_tokens(const struct tokens *t, struct fts_rows *r)
{
    char *bytes = arena_strndup(&r->arena, buf_str(&t->bytes), t->bytes.len);
    unsigned char *numbers = arena_alloc(&r->arena, t->n + 1);
    r->items = arena_array(&r->arena, t->n + 1, sizeof *r->items);
    if (!bytes || !numbers || !r->items)
        return false;
    if (t->n)
        qsort_r(t->items, t->n, sizeof *t->items, by_term, bytes);
    for (size_t i = 0, next; i < t->n; i = next) {
        const struct token *first = &t->items[i];
        unsigned char *start = numbers;
        double tf = 0;
        int last = -1;
        for (next = i; next < t->n; next++) {
            const struct token *other = &t->items[next];
            if (other->len != first->len || memcmp(bytes + other->at, bytes + first->at, first->len) != 0)
                break;
            tf += other->tf;
            if (other->language > last)
                *numbers++ = (unsigned char)(last = other->language);
        }
        bool other = bytes[first->at] == 'l';
        r->items[r->n++] = (struct fts_row){.term = bytes + first->at,
                                            .len = first->len,
                                            .tf = other             ? (tf > 0 ? FTS_TITLED : 0)
                                                  : tf < FTS_MAX_TF ? (uint32_t)tf
                                                                    : FTS_MAX_TF,
                                            .languages = other ? start : NULL,
                                            .n_languages = (size_t)(numbers - start)};
    }
    return true;
}

enum status fts_rows_make(struct fts_rows *r, const struct sticker_terms *terms, struct error *err)
{
    static const double weights[] = {FTS_WEIGHT_TITLE, FTS_WEIGHT_WORDS, FTS_WEIGHT_FILENAME};
    const char *const stemmed[] = {terms->title, terms->words, terms->filename};
    struct tokens t = {.n = 0};
    bool ok = true;
    *r = (struct fts_rows){.n = 0};
    arena_init(&r->arena, SIZE_MAX);
    buf_init(&t.bytes, FTS_MAX_PACKED * 2);
    for (size_t i = 0; i < 3 && ok; i++)
        ok = add_tokens(&t, stemmed[i], 's', weights[i], -1);
    r->words = (int64_t)t.n;
    ok = ok && add_tokens(&t, terms->folded, 'f', 0, -1);
    for (size_t i = 0; i < terms->n_languages && ok; i++) {
        const struct language_terms *l = &terms->languages[i];
        ok = add_tokens(&t, l->title, 'l', 1, -1) && add_tokens(&t, l->words, 'l', 0, (int)l->language);
    }
    enum status st = buf_status(&t.bytes, err);
    if (st == OK && (!ok || !merge_tokens(&t, r)))
        st = err_no_memory(err, "the terms of a document");
    free(t.items);
    buf_free(&t.bytes);
    return st;
}

void fts_rows_free(struct fts_rows *r)
{
    arena_free(&r->arena);
}
