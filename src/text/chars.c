#include "text/chars.h"

#include "base/utf8.h"

/* No character becomes more code points than it has bytes. */
static bool look_up(const char *s, size_t len, bool folded, int32_t *out, size_t *n)
{
    bool after_mark = false;
    *n = 0;
    for (size_t at = 0; at < len;) {
        uint32_t cp = (unsigned char)s[at];
        at += cp < 0x80 ? 1 : utf8_decode(s + at, len - at, &cp);
        const struct chars_entry *e = chars_entry(cp);
        unsigned becomes = folded ? e->folded : e->normal;
        bool mark = e->flags & CHARS_MARK;
        if (becomes == CHARS_ASK || (mark && after_mark && becomes != CHARS_NOTHING))
            return false;
        after_mark = mark;
        if (becomes == CHARS_ITSELF)
            out[(*n)++] = (int32_t)cp;
        else if (becomes >= CHARS_PAIRS) {
            out[(*n)++] = chars_pairs[becomes - CHARS_PAIRS][0];
            if (chars_pairs[becomes - CHARS_PAIRS][1])
                out[(*n)++] = chars_pairs[becomes - CHARS_PAIRS][1];
        }
    }
    return true;
}

bool chars_normal(const char *s, size_t len, int32_t *out, size_t *n)
{
    return look_up(s, len, false, out, n);
}

bool chars_fold(const char *s, size_t len, int32_t *out, size_t *n)
{
    return look_up(s, len, true, out, n);
}
