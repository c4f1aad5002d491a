/* sqlite_fts_languages.c: words of the other languages, written to and taken out of their index.
 *
 * Packed terms are a language's number (one byte), its titles' terms and its words' terms (each with a NUL), for
 * each language, deflated; in front of that stands the length inflated, 4 bytes, little endian. */
#include "store/sqlite_fts.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MAX_PACKED = 8 << 20,
    HEAD = 4,
    TITLES = 1, /* arguments: the row, the titles of all, then a language each */
    FIRST = 2,
    ARGS = FIRST + LANGUAGE_COUNT,
};

static enum status damaged(int64_t row, struct error *err)
{
    return err_set(err, ERR_CORRUPT, "the packed terms of row %lld are damaged", (long long)row);
}

static enum status pack(const struct index_terms *terms, struct buf *out, struct error *err)
{
    struct buf plain;
    buf_init(&plain, MAX_PACKED);
    buf_init(out, MAX_PACKED);
    for (size_t i = 0; i < terms->n_languages; i++) {
        const struct language_terms *t = &terms->languages[i];
        buf_putc(&plain, (char)t->language);
        buf_append(&plain, t->title, strlen(t->title) + 1);
        buf_append(&plain, t->words, strlen(t->words) + 1);
    }
    enum status st = buf_status(&plain, err);
    uLongf len = compressBound((uLong)plain.len);
    unsigned char *packed = st == OK ? malloc(len) : NULL;
    if (st == OK && (!packed || compress2(packed, &len, (const unsigned char *)buf_str(&plain), (uLong)plain.len,
                                          Z_DEFAULT_COMPRESSION) != Z_OK))
        st = err_set(err, ERR_NO_MEMORY, "out of memory for the terms of a document");
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
    struct buf titles;
    buf_init(&titles, MAX_PACKED);
    enum status st = OK;
    for (int i = 1; i < ARGS; i++)
        args[i] = (struct db_arg)DB_TEXT(NULL);
    for (const char *p = plain, *end = plain + len; p < end;) {
        unsigned language = (unsigned char)*p;
        const char *title = p + 1, *stop = memchr(title, '\0', (size_t)(end - title));
        const char *words = stop ? stop + 1 : end;
        stop = words < end ? memchr(words, '\0', (size_t)(end - words)) : NULL;
        if (language >= LANGUAGE_COUNT || !stop) {
            st = damaged(row, err);
            break;
        }
        args[FIRST + language].data = words;
        buf_puts(&titles, titles.len ? " " : "");
        buf_puts(&titles, title);
        p = stop + 1;
    }
    if (st == OK)
        st = buf_status(&titles, err);
    args[TITLES].data = buf_str(&titles);
    if (st == OK)
        st = db_run(c, sql, args, ARGS, NULL, err);
    buf_free(&titles);
    return st;
}

static enum status unpack_and_apply(struct db_conn *c, const char *sql, int64_t row, const unsigned char *packed,
                                    size_t packed_len, struct error *err)
{
    size_t len = 0;
    for (int i = 0; i < HEAD && packed_len > HEAD; i++)
        len |= (size_t)packed[i] << 8 * i;
    if (len == 0 || len > MAX_PACKED)
        return damaged(row, err);
    uLongf got = (uLongf)len;
    char *plain = malloc(len);
    enum status st = plain ? OK : err_set(err, ERR_NO_MEMORY, "out of memory for the terms of a document");
    if (st == OK &&
        (uncompress((unsigned char *)plain, &got, packed + HEAD, (uLong)(packed_len - HEAD)) != Z_OK || got != len))
        st = damaged(row, err);
    if (st == OK)
        st = apply(c, sql, row, plain, len, err);
    free(plain);
    return st;
}

enum status fts_languages_remove(struct db_conn *c, const struct sqlite_fts *t, int64_t id, struct error *err)
{
    struct db_rows r;
    struct buf packed;
    int64_t row = 0;
    buf_init(&packed, MAX_PACKED);
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

enum status fts_languages_put(struct db_conn *c, const struct sqlite_fts *t, int64_t row,
                              const struct index_terms *terms, struct error *err)
{
    struct buf packed;
    if (terms->n_languages == 0)
        return OK;
    enum status st = pack(terms, &packed, err);
    if (st == OK)
        st = db_run(c, t->languages.pack, DB_ARGS(DB_INT(row), DB_BLOB(packed.data, packed.len)), NULL, err);
    if (st == OK)
        st = unpack_and_apply(c, t->languages.insert, row, (const unsigned char *)packed.data, packed.len, err);
    buf_free(&packed);
    return st;
}

enum status fts_languages_same(struct db_conn *c, const struct sqlite_fts *t, int64_t id,
                               const struct index_terms *terms, bool *same, struct error *err)
{
    struct db_rows r;
    struct buf packed = {0};
    enum status st = terms->n_languages ? pack(terms, &packed, err) : OK;
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
