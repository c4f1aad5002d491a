/* Letters as people type them. What is stripped here is stripped from queries too: "corazon" finds "corazón". */
#include "text/text_internal.h"

#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

static bool fold_in(uint32_t cp, uint32_t first, uint32_t last)
{
    return cp >= first && cp <= last;
}

/* Marks that only decorate a letter. Those that are letters of their script (Thai, Indic) stay. */
static bool is_accent(uint32_t cp)
{
    return fold_in(cp, 0x0300, 0x036f) || fold_in(cp, 0x0483, 0x0489) || fold_in(cp, 0x0591, 0x05bd) ||
           fold_in(cp, 0x05bf, 0x05c7) || fold_in(cp, 0x0610, 0x061a) || cp == 0x0640 || fold_in(cp, 0x064b, 0x065f) ||
           cp == 0x0670 || fold_in(cp, 0x06d6, 0x06dc) || fold_in(cp, 0x1ab0, 0x1aff) || fold_in(cp, 0x1dc0, 0x1dff) ||
           fold_in(cp, 0x20d0, 0x20ff) || fold_in(cp, 0xfe20, 0xfe2f);
}

/* Letters with a stroke or joined, which Unicode does not take apart, and those of Arabic script that differ
 * by country, keyboard and care; 0 ends the second letter. */
static const struct {
    uint32_t cp, plain[2];
} alike[] = {{0xe6, {'a', 'e'}},  {0xf0, {'d', 0}},    {0xf8, {'o', 0}},    {0x111, {'d', 0}},   {0x127, {'h', 0}},
             {0x131, {'i', 0}},   {0x142, {'l', 0}},   {0x153, {'o', 'e'}}, {0x629, {0x647, 0}}, {0x649, {0x64a, 0}},
             {0x671, {0x627, 0}}, {0x6a9, {0x643, 0}}, {0x6cc, {0x64a, 0}}, {0x6c1, {0x647, 0}}, {0x6be, {0x647, 0}}};

static size_t fold_put(uint32_t cp, char *out, size_t len)
{
    char bytes[4];
    size_t n = utf8_encode(cp, bytes);
    if (len + n > TEXT_MAX_FOLDED)
        return len;
    memcpy(out + len, bytes, n);
    return len + n;
}

static size_t put_alike(uint32_t cp, char *out, size_t len)
{
    if (cp < 0x80)
        return fold_put(cp, out, len);
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++)
        if (alike[i].cp == cp) {
            len = fold_put(alike[i].plain[0], out, len);
            return alike[i].plain[1] ? fold_put(alike[i].plain[1], out, len) : len;
        }
    if (fold_in(cp, 0x660, 0x669) || fold_in(cp, 0x6f0, 0x6f9)) /* digits */
        return fold_put('0' + (cp & 0xf), out, len);
    return fold_put(cp, out, len);
}

bool text_is_ascii(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)word[i] > 127)
            return false;
    return true;
}

size_t text_fold(const char *word, size_t len, char out[TEXT_MAX_FOLDED])
{
    utf8proc_int32_t cps[4 * TEXT_MAX_FOLDED];
    if (text_is_ascii(word, len) && len <= TEXT_MAX_FOLDED) { /* most words; there is nothing to strip */
        memcpy(out, word, len);
        return len;
    }
    const utf8proc_option_t decompose = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    const utf8proc_option_t compose = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)word, (utf8proc_ssize_t)len, cps,
                                            sizeof cps / sizeof *cps, decompose);
    if (n < 0 || n > (utf8proc_ssize_t)(sizeof cps / sizeof *cps))
        return 0;
    utf8proc_ssize_t kept = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        if (!is_accent((uint32_t)cps[i]))
            cps[kept++] = cps[i];
    kept = utf8proc_normalize_utf32(cps, kept, compose);
    size_t used = 0;
    for (utf8proc_ssize_t i = 0; i < kept; i++)
        used = put_alike((uint32_t)cps[i], out, used);
    return used;
}

uint32_t text_fold_kana(uint32_t cp)
{
    return fold_in(cp, 0x30a1, 0x30f6) || fold_in(cp, 0x30fd, 0x30fe) ? cp - 0x60 : cp;
}
