/* Letters as people type them. What is stripped here is stripped from queries too: "corazon" finds "corazón". */
#include "text/normal.h"

#include <utf8proc.h>

#define STABLE_COMPOSE ((utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE))

static bool normal_in(uint32_t cp, uint32_t first, uint32_t last)
{
    return cp >= first && cp <= last;
}

bool normal_is_accent(uint32_t cp)
{
    return normal_in(cp, 0x0300, 0x036f) || normal_in(cp, 0x0483, 0x0489) || normal_in(cp, 0x0591, 0x05bd) ||
           normal_in(cp, 0x05bf, 0x05c7) || normal_in(cp, 0x0610, 0x061a) || cp == 0x0640 ||
           normal_in(cp, 0x064b, 0x065f) || cp == 0x0670 || normal_in(cp, 0x06d6, 0x06dc) ||
           normal_in(cp, 0x1ab0, 0x1aff) || normal_in(cp, 0x1dc0, 0x1dff) || normal_in(cp, 0x20d0, 0x20ff) ||
           normal_in(cp, 0xfe20, 0xfe2f);
}

static bool is_invisible(uint32_t cp)
{
    return cp == 0xad || cp == 0x200c || cp == 0x200d || cp == 0x2060 || cp == 0xfeff || normal_in(cp, 0xfe00, 0xfe0f);
}

/* Taken apart, without what is `dropped`, put together again. */
static ptrdiff_t normalize(const char *s, size_t len, utf8proc_option_t apart, bool (*dropped)(uint32_t cp),
                           int32_t *out, size_t cap)
{
    utf8proc_ssize_t n =
        utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, out, (utf8proc_ssize_t)cap, apart);
    if (n < 0 || (size_t)n > cap)
        return n < 0 ? -1 : n;
    utf8proc_ssize_t kept = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        if (!dropped((uint32_t)out[i]))
            out[kept++] = out[i];
    return utf8proc_normalize_utf32(out, kept, STABLE_COMPOSE);
}

ptrdiff_t normal_text(const char *s, size_t len, int32_t *out, size_t cap)
{
    return normalize(s, len,
                     (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD),
                     is_invisible, out, cap);
}

/* Letters with a stroke or joined, which Unicode does not take apart, and those of Arabic script that differ
 * by country, keyboard and care; 0 ends the second letter. */
static const struct {
    int32_t cp, plain[2];
} alike[] = {{0xe6, {'a', 'e'}},  {0xf0, {'d', 0}},    {0xf8, {'o', 0}},    {0x111, {'d', 0}},   {0x127, {'h', 0}},
             {0x131, {'i', 0}},   {0x142, {'l', 0}},   {0x153, {'o', 'e'}}, {0x629, {0x647, 0}}, {0x649, {0x64a, 0}},
             {0x671, {0x627, 0}}, {0x6a9, {0x643, 0}}, {0x6cc, {0x64a, 0}}, {0x6c1, {0x647, 0}}, {0x6be, {0x647, 0}}};

/* One code point for another; the second of two, or 0. */
static int32_t put_alike(int32_t *cp)
{
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++)
        if (alike[i].cp == *cp) {
            *cp = alike[i].plain[0];
            return alike[i].plain[1];
        }
    if (normal_in((uint32_t)*cp, 0x660, 0x669) || normal_in((uint32_t)*cp, 0x6f0, 0x6f9)) /* digits */
        *cp = '0' + (*cp & 0xf);
    return 0;
}

ptrdiff_t normal_fold(const char *s, size_t len, int32_t *out, size_t cap)
{
    ptrdiff_t n = normalize(s, len, (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), normal_is_accent, out,
                            cap),
              more = 0;
    if (n < 0 || (size_t)n > cap)
        return n;
    for (ptrdiff_t i = 0; i < n; i++)
        more += out[i] == 0xe6 || out[i] == 0x153;
    if ((size_t)(n + more) > cap)
        return n + more;
    for (ptrdiff_t i = n, to = n + more; i-- > 0;) { /* from behind, where there is room for what becomes two */
        int32_t cp = out[i], second = put_alike(&cp);
        if (second)
            out[--to] = second;
        out[--to] = cp;
    }
    return n + more;
}
