/* fts_terms.c: packing terms, and reading what was packed, which may be damaged. */
#include "fts/fts_terms.h"

#include <inttypes.h>
#include <string.h>

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
