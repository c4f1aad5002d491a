#include "text/emoji.h"

#include "base/utf8.h"
#include "text/chars.h"

#include <stdint.h>
#include <stdio.h>

#define ZWJ          0x200du
#define KEYCAP       0x20e3u
#define MAX_SEQUENCE 30 /* code points; the longest of Unicode 15 has 10, and each name part is <= 8 bytes */

static bool is_selector(uint32_t cp)
{
    return cp == 0xfe0e || cp == 0xfe0f;
}

static bool is_tone(uint32_t cp)
{
    return cp >= 0x1f3fb && cp <= 0x1f3ff;
}

static bool is_regional(uint32_t cp)
{
    return cp >= 0x1f1e6 && cp <= 0x1f1ff;
}

static bool is_tag(uint32_t cp)
{
    return cp >= 0xe0020 && cp <= 0xe007f;
}

static bool is_pictograph(uint32_t cp)
{
    return chars_entry(cp)->flags & CHARS_PICTOGRAPH;
}

/* The code point at s + at, 0 at the end; *next is where the following one begins. */
static uint32_t peek(const char *s, size_t len, size_t at, size_t *next)
{
    uint32_t cp = 0;
    *next = at < len ? at + utf8_decode(s + at, len - at, &cp) : at;
    return cp;
}

/* After "1", "#" or "*": U+FE0F, which may be missing, and U+20E3. */
static size_t keycap(const char *s, size_t len)
{
    if (s[0] != '#' && s[0] != '*' && (s[0] < '0' || s[0] > '9'))
        return 0;
    if (len < 4 || (unsigned char)s[1] < 0xe2)
        return 0;
    size_t next;
    uint32_t cp = peek(s, len, 1, &next);
    if (is_selector(cp))
        cp = peek(s, len, next, &next);
    return cp == KEYCAP ? next : 0;
}

size_t emoji_sequence(const char *s, size_t len)
{
    if ((unsigned char)s[0] < 0x80)
        return keycap(s, len);
    size_t end, next;
    uint32_t cp = peek(s, len, 0, &end);
    if (is_regional(cp)) {
        cp = peek(s, len, end, &next);
        return is_regional(cp) ? next : end;
    }
    if (!is_pictograph(cp) && !is_tone(cp))
        return 0;
    for (int n = 1; n < MAX_SEQUENCE; n++) {
        cp = peek(s, len, end, &next);
        if (cp == ZWJ) {
            size_t after;
            if (!is_pictograph(peek(s, len, next, &after)))
                return next; /* a dangling joiner goes with the emoji it follows */
            end = after;
            n++;
        } else if (is_selector(cp) || is_tone(cp) || is_tag(cp) || cp == KEYCAP) {
            end = next;
        } else {
            break;
        }
    }
    return end;
}

/* Appends "u1f431"; MAX_SEQUENCE keeps a whole sequence within EMOJI_MAX_NAME. */
static size_t emoji_spell(char *out, size_t len, uint32_t cp)
{
    if (EMOJI_MAX_NAME - len < 9)
        return len;
    return len + (size_t)snprintf(out + len, 9, "u%x", (unsigned)cp & 0x1fffffu);
}

size_t emoji_name(const char *s, size_t len, char out[EMOJI_MAX_NAME])
{
    size_t n = 0, next;
    for (size_t i = 0; i < len; i = next) {
        uint32_t cp = peek(s, len, i, &next);
        bool dangling = cp == ZWJ && next == len;
        if (!is_selector(cp) && !dangling && (!is_tone(cp) || i == 0))
            n = emoji_spell(out, n, cp);
    }
    return n;
}

size_t emoji_spelled(const char *s, size_t len, char out[EMOJI_MAX_NAME])
{
    size_t n = 0, next;
    for (size_t i = 0; i < len; i = next)
        n = emoji_spell(out, n, peek(s, len, i, &next));
    return n;
}

bool emoji_part(const char *s, size_t len, size_t *at, char out[EMOJI_MAX_NAME], size_t *out_len)
{
    while (*at < len) {
        size_t end = *at, next = end;
        uint32_t first = peek(s, len, *at, &next), cp = first;
        while (end < len && cp != ZWJ) {
            end = next;
            cp = peek(s, len, end, &next);
        }
        size_t start = *at;
        *at = end < len ? next : len;
        if (start == 0 && *at == len)
            return false; /* not joined */
        if (first == 0x2640 || first == 0x2642)
            continue;
        *out_len = emoji_name(s + start, end - start, out);
        if (*out_len)
            return true;
    }
    return false;
}
