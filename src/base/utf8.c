#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* Length of the well-formed sequence at s (Unicode 15, table 3-7), or 0. */
static size_t sequence(const unsigned char *s, size_t len)
{
    unsigned char c = s[0];
    if (c < 0x80)
        return 1;
    size_t n = c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
    if (!n || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c == 0xe0 && s[1] < 0xa0) || (c == 0xf0 && s[1] < 0x90);
    bool surrogate = c == 0xed && s[1] > 0x9f;
    bool above = c == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || above ? 0 : n;
}

bool utf8_valid(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    while (len) {
        size_t n = sequence(p, len);
        if (!n)
            return false;
        p += n;
        len -= n;
    }
    return true;
}

size_t utf8_count(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

size_t utf8_prefix(const char *s, size_t len, size_t most)
{
    size_t i = 0;
    for (size_t n = 0; i < len; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80 && n++ == most)
            break;
    return i;
}

size_t utf8_decode_long(const char *s, size_t len, uint32_t *cp)
{
    const unsigned char *p = (const unsigned char *)s;
    if (p[0] >= 0xc2 && p[0] <= 0xdf && len > 1 && (p[1] & 0xc0) == 0x80) {
        *cp = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        return 2;
    }
    size_t n = sequence(p, len);
    switch (n) {
    case 3:
        *cp = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        return 3;
    case 4:
        *cp = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 |
              (p[3] & 0x3f);
        return 4;
    default: /* ASCII, or an invalid byte: one byte, as U+FFFD */
        *cp = n ? p[0] : 0xfffd;
        return 1;
    }
}

size_t utf8_encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

/* Unicode's White_Space property. */
static bool is_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == 0x20 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f ||
           cp == 0x3000;
}

enum utf8_kind utf8_kind(uint32_t cp)
{
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return UTF8_LETTER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return UTF8_MARK;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return UTF8_NUMBER;
    default:
        return UTF8_OTHER;
    }
}

void utf8_trim(const char **start, size_t *len)
{
    uint32_t cp;
    while (*len) {
        size_t n = utf8_decode(*start, *len, &cp);
        if (!is_space(cp))
            break;
        *start += n;
        *len -= n;
    }
    while (*len) {
        size_t n = 1;
        while (n < *len && n < 4 && ((unsigned char)(*start)[*len - n] & 0xc0) == 0x80)
            n++;
        utf8_decode(*start + *len - n, n, &cp);
        if (!is_space(cp))
            break;
        *len -= n;
    }
}

bool utf8_has_control(const char *s, size_t len)
{
    while (len) {
        uint32_t cp;
        size_t n = utf8_decode(s, len, &cp);
        if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029)
            return true;
        s += n;
        len -= n;
    }
    return false;
}

void utf8_scrub(char *s)
{
    for (size_t i = 0, n, len = strlen(s); i < len; i += n) {
        for (n = 1; n < 4 && i + n < len && !utf8_valid(s + i, n); n++)
            ;
        if (!utf8_valid(s + i, n)) {
            s[i] = '?';
            n = 1;
        }
    }
}

size_t utf8_word(const char *s, size_t len)
{
    size_t n = 0, size;
    for (uint32_t cp; n < len; n += size) {
        size = utf8_decode(s + n, len - n, &cp);
        if (is_space(cp))
            break;
    }
    return n;
}
