/* fts_postgres.c: a document's terms, as rows of the postings table.
 *
 * Packed terms are title, words, filename and folded, each with a NUL, then the other languages' (fts_terms.h). The
 * rows are made from them when they are written and again when they are to be forgotten. */
#include "fts/fts_postgres.h"
#include "fts/fts_rows.h"
#include "fts/fts_terms.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>

/* A document's rows, as arrays of their columns. */
struct columns {
    struct fts_rows rows;
    struct db_bytes *terms, *languages;
    int64_t *postings;
};

static bool english(const char **at, const char *end, struct sticker_terms *out)
{
    return (out->title = fts_next_text(at, end)) && (out->words = fts_next_text(at, end)) &&
           (out->filename = fts_next_text(at, end)) && (out->folded = fts_next_text(at, end));
}

static enum status make_columns(struct columns *x, int64_t id, const char *packed, size_t len, struct error *err)
{
    const char *copy, *at;
    struct sticker_terms terms = {0};
    struct arena a;
    int64_t all;
    *x = (struct columns){.terms = NULL};
    arena_init(&a, 4 * FTS_MAX_PACKED);
    enum status st = (copy = at = arena_strndup(&a, packed, len)) ? OK : err_no_memory(err, "the terms of a document");
    if (st == OK)
        st = english(&at, copy + len, &terms) ? fts_unpack(at, (size_t)(copy + len - at), id, &a, &terms, err)
                                              : fts_damaged(id, err);
    if (st == OK)
        st = fts_rows_make(&x->rows, &terms, err);
    size_t n = x->rows.n;
    if (st == OK) {
        x->terms = arena_array(&x->rows.arena, n + 1, sizeof *x->terms);
        x->languages = arena_array(&x->rows.arena, n + 1, sizeof *x->languages);
        x->postings = arena_array(&x->rows.arena, n + 1, sizeof *x->postings);
        if (!x->terms || !x->languages || !x->postings)
            st = err_no_memory(err, "the terms of a document");
    }
    int64_t place = st == OK ? id << FTS_POSTGRES_ID_SHIFT | fts_length(&terms, &all) << FTS_POSTGRES_LENGTH_SHIFT : 0;
    for (size_t i = 0; i < n && st == OK; i++) {
        const struct fts_row *row = &x->rows.items[i];
        x->terms[i] = (struct db_bytes){row->term, row->len};
        x->languages[i] = (struct db_bytes){row->languages, row->n_languages};
        x->postings[i] = place | row->tf;
    }
    arena_free(&a);
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
    struct columns x = {.terms = NULL};
    *words = 0;
    enum status st = read_packed(c, t, id, &packed, found, err);
    if (st == OK && *found) {
        st = make_columns(&x, id, packed.data, packed.len, err);
        *words = x.rows.words;
        if (st == OK && x.rows.n)
            st = db_run(c, t->remove, DB_ARGS(DB_BLOBS(x.terms, x.rows.n), DB_INTS(x.postings, x.rows.n)), NULL, err);
        if (st == OK)
            st = db_run(c, t->remove_terms, DB_ARGS(DB_INT(id)), NULL, err);
        fts_rows_free(&x.rows);
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
    struct columns x = {.terms = NULL};
    bool found;
    int64_t words;
    enum status st = forget(c, t, id, &found, &words, err);
    if (st != OK)
        return st;
    st = pack_postings(terms, &packed, err);
    if (st == OK) {
        st = make_columns(&x, id, packed.data, packed.len, err);
        if (st == OK)
            st = db_run(c, t->put_terms, DB_ARGS(DB_INT(id), DB_BLOB(packed.data, packed.len)), NULL, err);
        if (st == OK && x.rows.n)
            st = db_run(
                c, t->put,
                DB_ARGS(DB_BLOBS(x.terms, x.rows.n), DB_INTS(x.postings, x.rows.n), DB_BLOBS(x.languages, x.rows.n)),
                NULL, err);
        if (st == OK)
            st = count(c, t, !found, x.rows.words - words, err);
        fts_rows_free(&x.rows);
    }
    buf_free(&packed);
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
