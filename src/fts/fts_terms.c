/* fts_terms.c: packing terms, and reading what was packed, which may be damaged. */
#include "fts/fts_terms.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { HEAD = 4 };
#define NOT_DEFLATED ((size_t)1 << 31)

enum status fts_damaged(int64_t row, struct error *err)
{
    return err_set(err, ERR_CORRUPT, "the packed terms of row %" PRId64 " are damaged", row);
}

void fts_pack(const struct sticker_terms *terms, struct buf *out)
{
    for (size_t i = 0; i < terms->n_languages; i++) {
        const struct language_terms *t = &terms->languages[i];
        buf_putc(out, (char)t->language);
        buf_append(out, t->title, strlen(t->title) + 1);
        buf_append(out, t->words, strlen(t->words) + 1);
    }
}

const char *fts_next_text(const char **at, const char *end)
{
    const char *text = *at, *stop = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
    if (stop)
        *at = stop + 1;
    return stop ? text : NULL;
}

bool fts_next_language(const char **at, const char *end, struct language_terms *out)
{
    const char *p = *at;
    if (p == end)
        return false;
    out->language = (unsigned char)*p++;
    if (out->language >= LANGUAGE_COUNT || !(out->title = fts_next_text(&p, end)) ||
        !(out->words = fts_next_text(&p, end)))
        return false;
    *at = p;
    return true;
}

enum status fts_unpack(const char *packed, size_t len, int64_t row, struct arena *a, struct sticker_terms *out,
                       struct error *err)
{
    char *copy = arena_strndup(a, packed, len);
    struct language_terms *all = arena_array(a, LANGUAGE_COUNT, sizeof *all);
    if (!copy || !all)
        return err_set(err, ERR_NO_MEMORY, "the terms of row %" PRId64 " are larger than %zu bytes", row, a->max);
    const char *at = copy, *end = copy + len;
    size_t n = 0;
    while (n < LANGUAGE_COUNT && fts_next_language(&at, end, &all[n]))
        n++;
    out->languages = all;
    out->n_languages = n;
    return at == end ? OK : fts_damaged(row, err);
}

enum status fts_deflate(const struct sticker_terms *terms, struct buf *out, struct error *err)
{
    struct buf plain;
    buf_init(&plain, FTS_MAX_PACKED);
    buf_init(out, FTS_MAX_PACKED);
    fts_pack(terms, &plain);
    enum status st = buf_status(&plain, err);
    uLongf len = compressBound((uLong)plain.len);
    unsigned char *packed = st == OK && plain.len ? malloc(len) : NULL;
    if (st == OK && plain.len &&
        (!packed || compress2(packed, &len, (const unsigned char *)plain.data, (uLong)plain.len, Z_BEST_SPEED) != Z_OK))
        st = err_no_memory(err, "the terms of a document");
    if (st == OK && plain.len) {
        for (int i = 0; i < HEAD; i++)
            buf_putc(out, (char)(plain.len >> 8 * i & 0xff));
        buf_append(out, packed, len);
        st = buf_status(out, err);
    }
    free(packed);
    buf_free(&plain);
    return st;
}

enum status fts_inflate_packed(int64_t row, const unsigned char *deflated, size_t deflated_len, char **plain,
                               size_t *len, struct error *err)
{
    *len = 0;
    *plain = NULL;
    for (int i = 0; i < HEAD && deflated_len > HEAD; i++)
        *len |= (size_t)deflated[i] << 8 * i;
    bool raw = *len & NOT_DEFLATED;
    *len &= ~NOT_DEFLATED;
    if (*len == 0 || *len > FTS_MAX_PACKED || (raw && deflated_len - HEAD != *len))
        return fts_damaged(row, err);
    uLongf got = (uLongf)*len;
    if (!(*plain = malloc(*len)))
        return err_no_memory(err, "the terms of a document");
    if (raw) {
        memcpy(*plain, deflated + HEAD, *len);
        return OK;
    }
    if (uncompress((unsigned char *)*plain, &got, deflated + HEAD, (uLong)(deflated_len - HEAD)) == Z_OK && got == *len)
        return OK;
    free(*plain);
    *plain = NULL;
    return fts_damaged(row, err);
}

enum status fts_inflate(int64_t row, const void *deflated, size_t len, struct arena *a, struct sticker_terms *out,
                        struct error *err)
{
    char *plain;
    size_t plain_len;
    if (len == 0)
        return OK;
    enum status st = fts_inflate_packed(row, deflated, len, &plain, &plain_len, err);
    if (st == OK)
        st = fts_unpack(plain, plain_len, row, a, out, err);
    free(plain);
    return st;
}
