/* fts_postgres.c: a document's terms, as rows of the postings table.
 *
 * Packed terms are title, words, filename and folded, each with a NUL, then the other languages' (fts_terms.h). The
 * rows are made from them when they are written and again when they are to be forgotten. */
#include "fts/fts_postgres.h"
#include "fts/fts_terms.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>

static const double weights[] = {FTS_WEIGHT_TITLE, FTS_WEIGHT_WORDS, FTS_WEIGHT_FILENAME};

static bool is_letter(unsigned char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t fts_postgres_term(const char *text, size_t *at, char kind, char out[FTS_POSTGRES_MAX_TERM + 1])
{
    size_t len = 0;
    while (text[*at] && !is_letter((unsigned char)text[*at]))
        (*at)++;
    out[0] = kind;
    for (; is_letter((unsigned char)text[*at]); (*at)++) {
        char c = text[*at];
        if (len < FTS_POSTGRES_MAX_TERM)
            out[++len] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return len ? len + 1 : 0;
}

/* --- rows --- */

struct token {
    size_t at, len; /* in the bytes */
    double tf;      /* to be added up */
    int language;   /* that has it in its words; -1: it stands in a title, or is English */
};

struct rows {
    struct buf bytes;
    struct token *tokens;
    size_t n_tokens, cap;
    int64_t words; /* in title, words and filename */
    struct arena arena;
    struct db_bytes *terms, *languages;
    int64_t *postings;
    size_t n;
};

static void rows_free(struct rows *r)
{
    free(r->tokens);
    buf_free(&r->bytes);
    arena_free(&r->arena);
}

static bool add_tokens(struct rows *r, const char *text, char kind, double tf, int language)
{
    char term[FTS_POSTGRES_MAX_TERM + 1];
    for (size_t at = 0, len; (len = fts_postgres_term(text, &at, kind, term)) > 0;) {
        if (r->n_tokens == r->cap) {
            size_t cap = r->cap ? 2 * r->cap : 256;
            struct token *grown = reallocarray(r->tokens, cap, sizeof *grown);
            if (!grown)
                return false;
            r->tokens = grown;
            r->cap = cap;
        }
        r->tokens[r->n_tokens++] = (struct token){.at = r->bytes.len, .len = len, .tf = tf, .language = language};
        buf_append(&r->bytes, term, len);
    }
    return true;
}

static int by_term(const void *x, const void *y, void *bytes)
{
    const struct token *a = x, *b = y;
    const char *all = bytes;
    int order = memcmp(all + a->at, all + b->at, a->len < b->len ? a->len : b->len);
    if (order == 0)
        order = (a->len > b->len) - (a->len < b->len);
    return order ? order : (a->language > b->language) - (a->language < b->language);
}

/* One row of each term: its tf summed, its languages each once. */
static bool merge(struct rows *r, int64_t id, int64_t length)
{
    char *bytes = r->bytes.data;
    r->terms = arena_array(&r->arena, r->n_tokens + 1, sizeof *r->terms);
    r->languages = arena_array(&r->arena, r->n_tokens + 1, sizeof *r->languages);
    r->postings = arena_array(&r->arena, r->n_tokens + 1, sizeof *r->postings);
    unsigned char *numbers = arena_alloc(&r->arena, r->n_tokens + 1);
    if (!r->terms || !r->languages || !r->postings || !numbers)
        return false;
    if (r->n_tokens)
        qsort_r(r->tokens, r->n_tokens, sizeof *r->tokens, by_term, bytes);
    for (size_t i = 0, next; i < r->n_tokens; i = next) {
        const struct token *first = &r->tokens[i];
        unsigned char *start = numbers;
        double tf = 0;
        int last = -1;
        for (next = i; next < r->n_tokens; next++) {
            const struct token *t = &r->tokens[next];
            if (t->len != first->len || memcmp(bytes + t->at, bytes + first->at, t->len) != 0)
                break;
            tf += t->tf;
            if (t->language > last)
                *numbers++ = (unsigned char)(last = t->language);
        }
        bool other = bytes[first->at] == 'l';
        int64_t kept = other                      ? (tf > 0 ? FTS_POSTGRES_TITLED : 0)
                       : tf < FTS_POSTGRES_MAX_TF ? (int64_t)tf
                                                  : FTS_POSTGRES_MAX_TF;
        r->terms[r->n] = (struct db_bytes){bytes + first->at, first->len};
        r->languages[r->n] = (struct db_bytes){other ? start : NULL, (size_t)(numbers - start)};
        r->postings[r->n++] = id << FTS_POSTGRES_ID_SHIFT | length << FTS_POSTGRES_LENGTH_SHIFT | kept;
    }
    return true;
}

static bool english(const char **at, const char *end, struct sticker_terms *out)
{
    return (out->title = fts_next_text(at, end)) && (out->words = fts_next_text(at, end)) &&
           (out->filename = fts_next_text(at, end)) && (out->folded = fts_next_text(at, end));
}

static enum status make_rows(struct rows *r, int64_t id, const char *packed, size_t len, struct error *err)
{
    const char *at = packed, *end = packed + len;
    struct sticker_terms terms = {0};
    struct language_terms t;
    *r = (struct rows){0};
    buf_init(&r->bytes, FTS_MAX_PACKED * 2);
    arena_init(&r->arena, SIZE_MAX);
    if (!english(&at, end, &terms))
        return fts_damaged(id, err);
    const char *const stemmed[] = {terms.title, terms.words, terms.filename};
    bool ok = true;
    for (size_t i = 0; i < 3 && ok; i++)
        ok = add_tokens(r, stemmed[i], 's', weights[i], -1);
    r->words = (int64_t)r->n_tokens;
    ok = ok && add_tokens(r, terms.folded, 'f', 0, -1);
    while (ok && fts_next_language(&at, end, &t))
        ok = add_tokens(r, t.title, 'l', 1, -1) && add_tokens(r, t.words, 'l', 0, (int)t.language);
    if (ok && at != end)
        return fts_damaged(id, err);
    enum status st = buf_status(&r->bytes, err);
    int64_t all;
    if (st == OK && (!ok || !merge(r, id, fts_length(&terms, &all))))
        st = err_no_memory(err, "the terms of a document");
    return st;
}

static enum status pack_postings(const struct sticker_terms *terms, struct buf *out, struct error *err)
{
    const char *const texts[] = {terms->title, terms->words, terms->filename, terms->folded};
    buf_init(out, FTS_MAX_PACKED);
    for (size_t i = 0; i < 4; i++)
        buf_append(out, texts[i], strlen(texts[i]) + 1);
    fts_pack(terms, out);
    return buf_status(out, err);
}

/* --- what is in the index --- */

static enum status read_packed(struct db_conn *c, const struct fts_postgres *t, int64_t id, struct buf *out,
                               bool *found, struct error *err)
{
    struct db_rows r;
    buf_init(out, FTS_MAX_PACKED);
    db_query(&r, c, t->terms, DB_ARGS(DB_INT(id)), err);
    *found = db_next(&r);
    if (*found) {
        size_t len;
        const void *bytes = db_bytes(&r, 0, &len);
        buf_append(out, bytes, len);
    }
    enum status st = db_end(&r);
    return st == OK ? buf_status(out, err) : st;
}

static enum status count(struct db_conn *c, const struct fts_postgres *t, int64_t documents, int64_t words,
                         struct error *err)
{
    return db_run(c, t->count, DB_ARGS(DB_INT(documents), DB_INT(words)), NULL, err);
}

/* Takes the rows out; *words: how many to take off the total. */
static enum status forget(struct db_conn *c, const struct fts_postgres *t, int64_t id, bool *found, int64_t *words,
                          struct error *err)
{
    struct buf packed;
    struct rows rows = {0};
    *words = 0;
    enum status st = read_packed(c, t, id, &packed, found, err);
    if (st == OK && *found) {
        st = make_rows(&rows, id, packed.data, packed.len, err);
        *words = rows.words;
        if (st == OK && rows.n)
            st = db_run(c, t->remove, DB_ARGS(DB_BLOBS(rows.terms, rows.n), DB_INTS(rows.postings, rows.n)), NULL, err);
        if (st == OK)
            st = db_run(c, t->remove_terms, DB_ARGS(DB_INT(id)), NULL, err);
        rows_free(&rows);
    }
    buf_free(&packed);
    return st;
}

enum status fts_postgres_remove(struct db_conn *c, const struct fts_postgres *t, int64_t id, struct error *err)
{
    bool found;
    int64_t words;
    enum status st = forget(c, t, id, &found, &words, err);
    return st == OK && found ? count(c, t, -1, -words, err) : st;
}

enum status fts_postgres_put(struct db_conn *c, const struct fts_postgres *t, int64_t id,
                             const struct sticker_terms *terms, struct error *err)
{
    struct buf packed;
    struct rows rows = {0};
    bool found;
    int64_t words;
    enum status st = forget(c, t, id, &found, &words, err);
    if (st != OK)
        return st;
    st = pack_postings(terms, &packed, err);
    if (st == OK) {
        st = make_rows(&rows, id, packed.data, packed.len, err);
        if (st == OK)
            st = db_run(c, t->put_terms, DB_ARGS(DB_INT(id), DB_BLOB(packed.data, packed.len)), NULL, err);
        if (st == OK && rows.n)
            st = db_run(
                c, t->put,
                DB_ARGS(DB_BLOBS(rows.terms, rows.n), DB_INTS(rows.postings, rows.n), DB_BLOBS(rows.languages, rows.n)),
                NULL, err);
        if (st == OK)
            st = count(c, t, !found, rows.words - words, err);
        rows_free(&rows);
    }
    buf_free(&packed);
    return st;
}

enum status fts_postgres_same(struct db_conn *c, const struct fts_postgres *t, int64_t id,
                              const struct sticker_terms *terms, bool *same, struct error *err)
{
    struct buf packed, stored;
    bool found;
    *same = false;
    enum status st = read_packed(c, t, id, &stored, &found, err);
    if (st == OK) {
        st = pack_postings(terms, &packed, err);
        *same = st == OK && found && packed.len == stored.len && memcmp(packed.data, stored.data, packed.len) == 0;
        buf_free(&packed);
    }
    buf_free(&stored);
    return st;
}

enum status fts_postgres_get(struct db_conn *c, const struct fts_postgres *t, int64_t id, struct arena *a, bool *found,
                             struct sticker_terms *out, struct error *err)
{
    struct buf packed;
    *out = (struct sticker_terms){0};
    enum status st = read_packed(c, t, id, &packed, found, err);
    const char *copy = st == OK && *found ? arena_strndup(a, packed.data, packed.len) : "", *at = copy;
    if (!copy)
        st = err_set(err, ERR_NO_MEMORY, "the terms of a document are larger than %zu bytes", a->max);
    if (st == OK && *found)
        st = english(&at, copy + packed.len, out) ? fts_unpack(at, (size_t)(copy + packed.len - at), id, a, out, err)
                                                  : fts_damaged(id, err);
    buf_free(&packed);
    return st;
}
