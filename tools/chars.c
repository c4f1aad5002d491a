/* Writes the table of characters (src/text/chars.h) as C: tools/chars >chars_gen.c
 *
 * A character has an entry of its own only if it becomes the same whatever stands beside it: it is not the second of a
 * pair that Unicode composes, and neither it nor what it becomes is a mark, whose order among others is normalised. A
 * mark that never composes becomes itself unless it follows another. */
#include "text/chars.h"
#include "base/utf8.h"
#include "text/normal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { ROOM = 32, LAST = 0x10ffff, MAX_PAIRS = 60000 };

static bool is_second[LAST + 1]; /* of a composition */
static int32_t pairs[MAX_PAIRS][2];
static size_t n_pairs;
static struct chars_entry all[CHARS_BLOCKS][CHARS_BLOCK];

static bool chars_is_mark(int32_t cp)
{
    return utf8proc_get_property(cp)->combining_class != 0;
}

static void find_seconds(void)
{
    for (uint32_t cp = 0; cp <= LAST; cp++) {
        char bytes[4];
        int32_t apart[ROOM];
        size_t len = utf8_encode(cp, bytes);
        utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)bytes, (utf8proc_ssize_t)len, apart, ROOM,
                                                UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
        for (utf8proc_ssize_t i = 1; i < n; i++)
            is_second[apart[i]] = true;
    }
    for (uint32_t cp = 0x1161; cp <= 0x11c2; cp++) /* vowels and last consonants of Hangul, which is computed */
        is_second[cp] = true;
}

static uint16_t pair(int32_t first, int32_t second)
{
    size_t i = 0;
    while (i < n_pairs && (pairs[i][0] != first || pairs[i][1] != second))
        i++;
    if (i == n_pairs) {
        if (i == MAX_PAIRS)
            abort();
        pairs[n_pairs][0] = first;
        pairs[n_pairs++][1] = second;
    }
    return (uint16_t)(CHARS_PAIRS + i);
}

static uint16_t becomes(uint32_t cp, ptrdiff_t (*normal)(const char *, size_t, int32_t *, size_t))
{
    char bytes[4];
    int32_t out[ROOM];
    size_t len = utf8_encode(cp, bytes);
    ptrdiff_t n = len && cp != 0xfffd ? normal(bytes, len, out, ROOM) : -1; /* U+FFFD: may stand for a wrong byte */
    if (n == 0)
        return CHARS_NOTHING;
    if (n < 0 || n > 2 || is_second[cp] || is_second[out[0]])
        return CHARS_ASK;
    if (n == 1 && (uint32_t)out[0] == cp)
        return CHARS_ITSELF;
    if (chars_is_mark((int32_t)cp) || chars_is_mark(out[0]) || (n == 2 && (chars_is_mark(out[1]) || is_second[out[1]])))
        return CHARS_ASK;
    return pair(out[0], n == 2 ? out[1] : 0);
}

static struct chars_entry look_at(uint32_t cp)
{
    enum utf8_kind kind = utf8_kind(cp);
    unsigned flags = 0;
    if (kind != UTF8_OTHER)
        flags |= CHARS_WORD;
    if (kind == UTF8_LETTER)
        flags |= CHARS_LETTER;
    if (cp >= 0xa9 && utf8proc_get_property((int32_t)cp)->boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC)
        flags |= CHARS_PICTOGRAPH;
    if (chars_is_mark((int32_t)cp))
        flags |= CHARS_MARK;
    return (struct chars_entry){becomes(cp, normal_text), becomes(cp, normal_fold), (uint16_t)flags};
}

/* Each different block once. */
static void put_blocks(void)
{
    static uint16_t index[CHARS_BLOCKS], first[CHARS_BLOCKS];
    size_t n = 0;
    printf("const struct chars_entry chars_blocks[][CHARS_BLOCK] = {\n");
    for (size_t b = 0; b < CHARS_BLOCKS; b++) {
        size_t i = 0;
        while (i < n && memcmp(all[first[i]], all[b], sizeof all[b]) != 0)
            i++;
        index[b] = (uint16_t)i;
        if (i < n)
            continue;
        first[n++] = (uint16_t)b;
        printf("{");
        for (size_t k = 0; k < CHARS_BLOCK; k++)
            printf("{%u,%u,%u},", all[b][k].normal, all[b][k].folded, all[b][k].flags);
        printf("},\n");
    }
    printf("};\nconst uint16_t chars_index[CHARS_BLOCKS] = {");
    for (size_t b = 0; b < CHARS_BLOCKS; b++)
        printf("%s%u,", b % 32 ? "" : "\n", index[b]);
    printf("\n};\n");
}

int main(void)
{
    find_seconds();
    for (uint32_t cp = 0; cp <= LAST; cp++)
        all[cp / CHARS_BLOCK][cp % CHARS_BLOCK] = look_at(cp);
    printf("#include \"text/chars.h\"\n\n");
    put_blocks();
    printf("const int32_t chars_pairs[][2] = {");
    for (size_t i = 0; i < n_pairs; i++)
        printf("%s{%d,%d},", i % 16 ? "" : "\n", pairs[i][0], pairs[i][1]);
    printf("\n};\n");
    return fflush(stdout) == 0 ? 0 : 1;
}
