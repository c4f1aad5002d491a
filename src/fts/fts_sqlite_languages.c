/* fts_sqlite_languages.c: words of the other languages, written to and taken out of their index.
 *
 * They are packed as fts_terms.h says, and deflated; in front of that stands the length inflated, 4 bytes, little
 * endian. */
#include "fts/fts_sqlite.h"
#include "fts/fts_terms.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    HEAD = 4,
    TITLES = 1, /* arguments: the row, the titles of all, then a language each */
    FIRST = 2,
    ARGS = FIRST + LANGUAGE_COUNT,
};

static enum status pack_terms(const struct sticker_terms *terms, struct buf *out, struct error *err)
{
    struct buf plain;
    buf_init(&plain, FTS_MAX_PACKED);
    buf_init(out, FTS_MAX_PACKED);
    fts_pack(terms, &plain);
    enum status st = buf_status(&plain, err);
    uLongf len = compressBound((uLong)plain.len);
    unsigned char *packed = st == OK ? malloc(len) : NULL;
    if (st == OK && (!packed || compress2(packed, &len, (const unsigned char *)buf_str(&plain), (uLong)plain.len,
                                          Z_DEFAULT_COMPRESSION) != Z_OK))
        st = err_no_memory(err, "the terms of a document");
    if (st == OK) {
        for (int i = 0; i < HEAD; i++)
            buf_putc(out, (char)(plain.len >> 8 * i & 0xff));
        buf_append(out, packed, len);
        st = buf_status(out, err);
    }
    free(packed);
    buf_free(&plain);
    return st;
}

/* One statement on the index, with the terms that are at `plain`. */
static enum status apply(struct db_conn *c, const char *sql, int64_t row, const char *plain, size_t len,
                         struct error *err)
{
    struct db_arg args[ARGS] = {DB_INT(row)};
    const char *end = plain + len;
    struct buf titles;
    buf_init(&titles, FTS_MAX_PACKED);
    enum status st = OK;
    for (int i = 1; i < ARGS; i++)
        args[i] = (struct db_arg)DB_TEXT(NULL);
    struct language_terms t;
    while (fts_next_language(&plain, end, &t)) {
        args[FIRST + t.language].data = t.words;
        buf_puts(&titles, titles.len ? " " : "");
        buf_puts(&titles, t.title);
    }
    if (plain != end)
        st = fts_damaged(row, err);
    if (st == OK)
        st = buf_status(&titles, err);
    args[TITLES].data = buf_str(&titles);
    if (st == OK)
        st = db_run(c, sql, args, ARGS, NULL, err);
    buf_free(&titles);
    return st;
}

/* What was packed, which the caller frees. */
static enum status inflate_terms(int64_t row, const unsigned char *packed, size_t packed_len, char **plain, size_t *len,
                                 struct error *err)
{
    *len = 0;
    *plain = NULL;
    for (int i = 0; i < HEAD && packed_len > HEAD; i++)
        *len |= (size_t)packed[i] << 8 * i;
    if (*len == 0 || *len > FTS_MAX_PACKED)
        return fts_damaged(row, err);
    uLongf got = (uLongf)*len;
    if (!(*plain = malloc(*len)))
        return err_no_memory(err, "the terms of a document");
    if (uncompress((unsigned char *)*plain, &got, packed + HEAD, (uLong)(packed_len - HEAD)) == Z_OK && got == *len)
        return OK;
    free(*plain);
    *plain = NULL;
    return fts_damaged(row, err);
}

static enum status unpack_and_apply(struct db_conn *c, const char *sql, int64_t row, const unsigned char *packed,
                                    size_t packed_len, struct error *err)
{
    char *plain;
    size_t len;
    enum status st = inflate_terms(row, packed, packed_len, &plain, &len, err);
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
        char *plain;
        size_t packed_len, len;
        const void *packed = db_bytes(&r, 1, &packed_len);
        st = inflate_terms(id, packed, packed_len, &plain, &len, err);
        if (st == OK)
            st = fts_unpack(plain, len, id, a, out, err);
        free(plain);
    }
    enum status end = db_end(&r);
    return st == OK ? end : st;
}

enum status fts_languages_remove(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct error *err)
{
    struct db_rows r;
    struct buf packed;
    int64_t row = 0;
    buf_init(&packed, FTS_MAX_PACKED);
    db_query(&r, c, t->languages.packed, DB_ARGS(DB_INT(id)), err);
    while (db_next(&r)) {
        size_t len;
        row = db_int(&r, 0);
        const void *blob = db_bytes(&r, 1, &len);
        buf_append(&packed, blob, len);
    }
    enum status st = db_end(&r);
    if (st == OK && row)
        st = buf_status(&packed, err);
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
    enum status st = pack_terms(terms, &packed, err);
    if (st == OK)
        st = db_run(c, t->languages.pack, DB_ARGS(DB_INT(row), DB_BLOB(packed.data, packed.len)), NULL, err);
    if (st == OK)
        st = unpack_and_apply(c, t->languages.insert, row, (const unsigned char *)packed.data, packed.len, err);
    buf_free(&packed);
    return st;
}

enum status fts_languages_same(struct db_conn *c, const struct fts_sqlite *t, int64_t id,
                               const struct sticker_terms *terms, bool *same, struct error *err)
{
    struct db_rows r;
    struct buf packed = {0};
    enum status st = terms->n_languages ? pack_terms(terms, &packed, err) : OK;
    if (st == OK) {
        *same = terms->n_languages == 0;
        db_query(&r, c, t->languages.packed, DB_ARGS(DB_INT(id)), err);
        while (db_next(&r)) {
            size_t len;
            const void *blob = db_bytes(&r, 1, &len);
            *same = len == packed.len && len > 0 && memcmp(blob, packed.data, len) == 0;
        }
        st = db_end(&r);
    }
    buf_free(&packed);
    return st;
}
