/* fts_sqlite_languages.c: words of the other languages, written to and taken out of their index. */
#include "fts/fts_sqlite.h"
#include "fts/fts_terms.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>

enum {
    FIRST = 2, /* arguments: the row, the titles of all, then a language each */
    ARGS = FIRST + LANGUAGE_COUNT,
};

/* What an index row has of a document: its titles, and its words by language; NULL: none. */
struct texts {
    const char *of[LANGUAGE_COUNT], *titles;
};

/* Of the terms at `plain`; `titles` gets those of all languages. */
static enum status read_texts(int64_t row, const char *plain, size_t len, struct buf *titles, struct texts *out,
                              struct error *err)
{
    const char *end = plain + len;
    struct language_terms t;
    *out = (struct texts){.titles = ""};
    while (fts_next_language(&plain, end, &t)) {
        out->of[t.language] = t.words;
        buf_puts(titles, titles->len ? " " : "");
        buf_puts(titles, t.title);
    }
    enum status st = plain == end ? buf_status(titles, err) : fts_damaged(row, err);
    out->titles = buf_str(titles);
    return st;
}

/* One statement on the index. */
static enum status run_with(struct db_conn *c, const char *sql, int64_t row, const struct texts *texts,
                            struct error *err)
{
    struct db_arg args[ARGS] = {DB_INT(row), DB_TEXT(texts->titles)};
    for (int i = 0; i < LANGUAGE_COUNT; i++)
        args[FIRST + i] = (struct db_arg)DB_TEXT(texts->of[i]);
    return db_run(c, sql, args, ARGS, NULL, err);
}

static enum status apply(struct db_conn *c, const char *sql, int64_t row, const char *plain, size_t len,
                         struct error *err)
{
    struct texts texts;
    struct buf titles;
    buf_init(&titles, FTS_MAX_PACKED);
    enum status st = read_texts(row, plain, len, &titles, &texts, err);
    if (st == OK)
        st = run_with(c, sql, row, &texts, err);
    buf_free(&titles);
    return st;
}

static enum status unpack_and_apply(struct db_conn *c, const char *sql, int64_t row, const unsigned char *packed,
                                    size_t packed_len, struct error *err)
{
    char *plain;
    size_t len;
    enum status st = fts_inflate_packed(row, packed, packed_len, &plain, &len, err);
    if (st == OK)
        st = apply(c, sql, row, plain, len, err);
    free(plain);
    return st;
}

enum status fts_languages_get(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct arena *a,
                              struct sticker_terms *out, struct error *err)
{
    struct db_rows r;
    enum status st = OK;
    db_query(&r, c, t->languages.packed, DB_ARGS(DB_INT(id)), err);
    while (st == OK && db_next(&r)) {
        size_t len;
        const void *packed = db_bytes(&r, 1, &len);
        st = fts_inflate(id, packed, len, a, out, err);
    }
    enum status end = db_end(&r);
    return st == OK ? end : st;
}

/* The packed terms of a document, copied, and its row; 0: it has none. */
static enum status read_packed(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct buf *packed,
                               int64_t *row, struct error *err)
{
    struct db_rows r;
    *row = 0;
    db_query(&r, c, t->languages.packed, DB_ARGS(DB_INT(id)), err);
    while (db_next(&r)) {
        size_t len;
        *row = db_int(&r, 0);
        const void *blob = db_bytes(&r, 1, &len);
        buf_append(packed, blob, len);
    }
    enum status st = db_end(&r);
    return st == OK ? buf_status(packed, err) : st;
}

enum status fts_languages_remove(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct error *err)
{
    struct buf packed;
    int64_t row;
    buf_init(&packed, FTS_MAX_PACKED);
    enum status st = read_packed(c, t, id, &packed, &row, err);
    if (st == OK && row)
        st = unpack_and_apply(c, t->languages.forget, row, (const unsigned char *)buf_str(&packed), packed.len, err);
    if (st == OK && row)
        st = db_run(c, t->languages.remove, DB_ARGS(DB_INT(id)), NULL, err);
    buf_free(&packed);
    return st;
}

enum status fts_languages_put(struct db_conn *c, const struct fts_sqlite *t, int64_t row,
                              const struct sticker_terms *terms, struct error *err)
{
    struct buf packed;
    if (terms->n_languages == 0)
        return OK;
    enum status st = fts_deflate(terms, &packed, err);
    if (st == OK)
        st = db_run(c, t->languages.pack, DB_ARGS(DB_INT(row), DB_BLOB(packed.data, packed.len)), NULL, err);
    if (st == OK)
        st = unpack_and_apply(c, t->languages.insert, row, (const unsigned char *)packed.data, packed.len, err);
    buf_free(&packed);
    return st;
}

/* --- changing a part --- */

/* The index is told of a change by all that a row had and all that it has. Of a term whose places did not change it
 * need not be told, so it is shown only the others, wherever they stand in the row: a keyword more in one of 140
 * languages is a few terms instead of a thousand. */
struct change {
    struct arena arena;
    const char **terms; /* [n] that stand elsewhere, or not as often, as before, in order */
    size_t n;
};

/* Only terms between spaces that the index takes as they are can be told apart here. */
static bool are_plain(const struct texts *x)
{
    for (int i = -1; i < LANGUAGE_COUNT; i++)
        for (const char *s = i < 0 ? x->titles : x->of[i]; s && *s; s++)
            if (!(*s == ' ' || (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s & 0x80)))
                return false;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The terms of a text, in order, as often as they stand there; NULL: no memory. */
static const char **sorted_terms(struct arena *a, const char *text, size_t *n)
{
    char *copy = arena_strdup(a, text ? text : ""), *rest = copy, *term;
    const char **terms = copy ? arena_array(a, strlen(copy) / 2 + 2, sizeof *terms) : NULL;
    *n = 0;
    while (terms && (term = strsep(&rest, " ")) != NULL)
        if (*term)
            terms[(*n)++] = term;
    if (terms)
        qsort(terms, *n, sizeof *terms, by_text);
    return terms;
}

/* Adds the terms in which two texts differ. */
static bool add_difference(struct change *x, const char *before, const char *now)
{
    size_t n, m, i = 0, k = 0;
    if (strcmp(before ? before : "", now ? now : "") == 0)
        return true;
    const char **a = sorted_terms(&x->arena, before, &n), **b = sorted_terms(&x->arena, now, &m);
    const char **all = a && b ? arena_array(&x->arena, x->n + n + m + 1, sizeof *all) : NULL;
    if (!all)
        return false;
    if (x->n)
        memcpy(all, x->terms, x->n * sizeof *all);
    while (i < n || k < m) {
        int order = i == n ? 1 : k == m ? -1 : strcmp(a[i], b[k]);
        if (order != 0)
            all[x->n++] = order < 0 ? a[i] : b[k];
        i += order <= 0;
        k += order >= 0;
    }
    x->terms = all;
    return true;
}

/* What a text has of those terms. */
static const char *only_changed(struct change *x, const char *text)
{
    char *copy = text ? arena_strdup(&x->arena, text) : NULL, *rest = copy, *term, *to;
    char *kept = copy ? arena_alloc(&x->arena, strlen(copy) + 2) : NULL;
    if (!kept)
        return NULL;
    for (to = kept; (term = strsep(&rest, " ")) != NULL;)
        if (*term && bsearch(&term, x->terms, x->n, sizeof *x->terms, by_text))
            to = stpcpy(stpcpy(to, term), " ");
    return kept;
}

static enum status tell_change(struct db_conn *c, const struct fts_sqlite *t, int64_t row, const struct texts *before,
                               const struct texts *now, struct error *err)
{
    struct change x = {.n = 0};
    struct texts less = {.titles = ""}, more = {.titles = ""};
    enum status st = OK;
    arena_init(&x.arena, 16 * FTS_MAX_PACKED);
    bool room = add_difference(&x, before->titles, now->titles);
    for (int i = 0; i < LANGUAGE_COUNT && room; i++)
        room = add_difference(&x, before->of[i], now->of[i]);
    if (room && x.n)
        qsort(x.terms, x.n, sizeof *x.terms, by_text);
    for (int i = -1; i < LANGUAGE_COUNT && room && x.n; i++) {
        const char *was = i < 0 ? before->titles : before->of[i], *is = i < 0 ? now->titles : now->of[i];
        const char **less_of = i < 0 ? &less.titles : &less.of[i], **more_of = i < 0 ? &more.titles : &more.of[i];
        *less_of = only_changed(&x, was);
        *more_of = only_changed(&x, is);
        room = !was == !*less_of && !is == !*more_of;
    }
    if (!room)
        st = err_no_memory(err, "the terms of a document");
    if (st == OK && x.n)
        st = run_with(c, t->languages.forget, row, &less, err);
    if (st == OK && x.n)
        st = run_with(c, t->languages.insert, row, &more, err);
    arena_free(&x.arena);
    return st;
}

static enum status change_texts(struct db_conn *c, const struct fts_sqlite *t, int64_t row, const char *was,
                                size_t was_len, const struct buf *is, struct error *err)
{
    struct texts before, now;
    struct buf titles_before, titles_now;
    buf_init(&titles_before, FTS_MAX_PACKED);
    buf_init(&titles_now, FTS_MAX_PACKED);
    enum status st = read_texts(row, was, was_len, &titles_before, &before, err);
    if (st == OK)
        st = read_texts(row, buf_str(is), is->len, &titles_now, &now, err);
    if (st == OK && are_plain(&before) && are_plain(&now)) {
        st = tell_change(c, t, row, &before, &now, err);
    } else if (st == OK) {
        st = run_with(c, t->languages.forget, row, &before, err);
        if (st == OK)
            st = run_with(c, t->languages.insert, row, &now, err);
    }
    buf_free(&titles_before);
    buf_free(&titles_now);
    return st;
}

enum status fts_languages_change(struct db_conn *c, const struct fts_sqlite *t, int64_t row,
                                 const struct sticker_terms *terms, bool *done, struct error *err)
{
    struct buf packed, repacked = {0}, now;
    int64_t before;
    size_t len;
    char *plain = NULL;
    buf_init(&packed, FTS_MAX_PACKED);
    buf_init(&now, FTS_MAX_PACKED);
    fts_pack(terms, &now);
    enum status st = buf_status(&now, err);
    if (st == OK)
        st = read_packed(c, t, row >> FTS_LENGTH_BITS, &packed, &before, err);
    *done = st == OK && before == row && terms->n_languages > 0;
    if (*done)
        st = fts_inflate_packed(row, (const unsigned char *)buf_str(&packed), packed.len, &plain, &len, err);
    if (*done && st == OK && (len != now.len || memcmp(plain, now.data, len) != 0)) {
        st = change_texts(c, t, row, plain, len, &now, err);
        if (st == OK)
            st = fts_deflate(terms, &repacked, err);
        if (st == OK)
            st = db_run(c, t->languages.remove, DB_ARGS(DB_INT(row >> FTS_LENGTH_BITS)), NULL, err);
        if (st == OK)
            st = db_run(c, t->languages.pack, DB_ARGS(DB_INT(row), DB_BLOB(repacked.data, repacked.len)), NULL, err);
    }
    free(plain);
    buf_free(&packed);
    buf_free(&repacked);
    buf_free(&now);
    return st;
}
