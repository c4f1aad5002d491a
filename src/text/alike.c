/* alike.c: what queries have in common that say the same in other words. */
#include "text/text_internal.h"

#include <stdlib.h>
#include <string.h>

#define ALIKE_TERMS 16u

static int by_stem(const void *x, const void *y)
{
    const struct text_term *a = x, *b = y;
    return strcmp(a->stem, b->stem);
}

enum status text_alike_key(const char *query, struct arena *a, const char **out, struct error *err)
{
    struct text_terms t;
    const char *key = "";
    size_t kept = 0;
    enum status st = text_analyze(query, strlen(query), ALIKE_TERMS, a, &t, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < t.count; i++)
        if (!text_is_filler(t.items[i].folded, strlen(t.items[i].folded)))
            t.items[kept++] = t.items[i];
    if (kept)
        qsort(t.items, kept, sizeof *t.items, by_stem);
    for (size_t i = 0; i < kept && key; i++)
        if (!i || strcmp(t.items[i].stem, t.items[i - 1].stem) != 0)
            key = arena_printf(a, "%s%s%s", key, i ? " " : TEXT_ALIKE, t.items[i].stem);
    *out = key;
    return key ? OK : err_no_memory(err, "a query");
}
