#include "tokenize/unicode.h"

#include "base/utf8.h"
#include "tokenize/unicode_tables.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define EXPANSION     32 /* code points that one decomposes to, at most, with room to spare */
#define SHORT_RUN     16 /* marks: below that, insertion sort */
#define COUNT(table)  (sizeof(table) / sizeof *(table))
#define IN(table, cp) in_ranges(table, COUNT(table), cp)

static bool in_ranges(const uint32_t (*table)[2], size_t n, uint32_t cp)
{
    size_t low = 0, high = n; /* the first range that does not end before cp */
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (table[mid][1] < cp)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && table[low][0] <= cp;
}

bool unicode_is_space(uint32_t cp)
{
    return cp < 128 ? cp == ' ' || (cp >= '\t' && cp <= '\r') : IN(spaces, cp);
}

bool unicode_is_punctuation(uint32_t cp)
{
    if (cp < 128)
        return (cp >= '!' && cp <= '/') || (cp >= ':' && cp <= '@') || (cp >= '[' && cp <= '`') ||
               (cp >= '{' && cp <= '~');
    return IN(punctuation, cp);
}

bool unicode_is_control(uint32_t cp)
{
    if (cp < 128)
        return (cp < ' ' && cp != '\t' && cp != '\n' && cp != '\r') || cp == 0x7f;
    return IN(controls, cp);
}

bool unicode_is_nonspacing(uint32_t cp)
{
    return cp >= 0x300 && IN(nonspacing, cp);
}

bool unicode_is_mark(uint32_t cp)
{
    return cp >= 0x300 && IN(marks, cp);
}

bool unicode_is_chinese(uint32_t cp)
{
    static const uint32_t blocks[][2] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},  {0x20000, 0x2a6df},
                                         {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
    return cp >= 0x3400 && IN(blocks, cp);
}

bool unicode_is_ascii(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] >= 128)
            return false;
    return true;
}

size_t unicode_lower(uint32_t cp, uint32_t *out)
{
    /* Letters of Unicode 15.1 to 17: first, last, distance of the two letters, distance to the next pair. */
    static const struct {
        uint32_t first, last;
        int32_t lower;
        uint32_t every;
    } newer[] = {
        {0x1c89, 0x1c89, 1, 1},    {0xa7cb, 0xa7cb, 0x264 - 0xa7cb, 1},
        {0xa7cc, 0xa7ce, 1, 2},    {0xa7d2, 0xa7d4, 1, 2},
        {0xa7da, 0xa7da, 1, 1},    {0xa7dc, 0xa7dc, 0x19b - 0xa7dc, 1},
        {0x10d50, 0x10d65, 32, 1}, {0x16ea0, 0x16eb8, 27, 1},
    };
    if (cp == 0x130) { /* the one letter whose lower case is two code points */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
    if (cp >= 0x1c89 && out[0] == cp)
        for (size_t i = 0; i < COUNT(newer); i++)
            if (cp >= newer[i].first && cp <= newer[i].last && (cp - newer[i].first) % newer[i].every == 0)
                out[0] = (uint32_t)((int32_t)cp + newer[i].lower);
    return 1;
}

/* --- normalization forms --- */

static unsigned combining_class(utf8proc_int32_t cp)
{
    return (unsigned)utf8proc_get_property(cp)->combining_class;
}

/* Stable, by combining class; `scratch` has room for n. utf8proc's own ordering is quadratic. */
static void order_marks(utf8proc_int32_t *run, size_t n, utf8proc_int32_t *scratch)
{
    if (n <= SHORT_RUN) {
        for (size_t i = 1; i < n; i++) {
            utf8proc_int32_t cp = run[i];
            size_t at = i;
            for (; at > 0 && combining_class(run[at - 1]) > combining_class(cp); at--)
                run[at] = run[at - 1];
            run[at] = cp;
        }
        return;
    }
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++)
        start[combining_class(run[i]) % 256 + 1]++;
    for (size_t k = 1; k < 257; k++)
        start[k] += start[k - 1];
    memcpy(scratch, run, n * sizeof *run);
    for (size_t i = 0; i < n; i++)
        run[start[combining_class(scratch[i]) % 256]++] = scratch[i];
}

/* A run of code points that libutf8proc knows as `tokenizers` does. cps: [cap], of which the last half is scratch. */
static size_t normalize_run(utf8proc_int32_t *cps, size_t n, utf8proc_int32_t *scratch, utf8proc_option_t options)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && combining_class(cps[end]) != 0)
            end++;
        if (end - i > 1)
            order_marks(cps + i, end - i, scratch);
        i = end + (end == i);
    }
    if (!(options & UTF8PROC_COMPOSE))
        return n;
    utf8proc_ssize_t left = utf8proc_normalize_utf32(cps, (utf8proc_ssize_t)n, options);
    return left < 0 ? n : (size_t)left;
}

enum status unicode_normalize(enum unicode_form form, const char *s, size_t len, struct buf *out, struct error *err)
{
    static const int by_form[] = {
        [UNICODE_NFC] = UTF8PROC_COMPOSE,
        [UNICODE_NFD] = UTF8PROC_DECOMPOSE,
        [UNICODE_NFKC] = UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [UNICODE_NFKD] = UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
    };
    if (unicode_is_ascii(s, len)) {
        buf_append(out, s, len);
        return buf_status(out, err);
    }
    utf8proc_option_t options = (utf8proc_option_t)(by_form[form] | UTF8PROC_STABLE);
    size_t cap = 2 * len + EXPANSION, n = 0;
    utf8proc_int32_t *cps = malloc(2 * cap * sizeof *cps);
    enum status st = OK;
    for (size_t i = 0; cps && st == OK && i < len;) {
        uint32_t cp;
        size_t one = utf8_decode(s + i, len - i, &cp);
        i += one;
        bool recent_one = cp >= 0x300 && IN(recent, cp);
        if (!recent_one) {
            int boundary = 0;
            utf8proc_ssize_t made =
                utf8proc_decompose_char((utf8proc_int32_t)cp, cps + n, (utf8proc_ssize_t)(cap - n), options, &boundary);
            if (made < 0 || (size_t)made > cap - n)
                st = err_set(err, ERR_INTERNAL, "U+%04X cannot be decomposed", (unsigned)cp);
            else
                n += (size_t)made;
            if (cap - n < EXPANSION) {
                utf8proc_int32_t *more = realloc(cps, 4 * cap * sizeof *cps);
                if (!more)
                    st = err_no_memory(err, "tokenizer");
                else
                    cps = more, cap *= 2;
            }
        }
        if (st == OK && (recent_one || i >= len)) { /* a recent one starts anew: nothing moves or joins across it */
            char enc[4];
            n = normalize_run(cps, n, cps + cap, options);
            for (size_t k = 0; k < n; k++)
                buf_append(out, enc, utf8_encode((uint32_t)cps[k], enc));
            n = 0;
            if (recent_one)
                buf_append(out, s + i - one, one);
        }
    }
    if (!cps)
        st = err_no_memory(err, "tokenizer");
    free(cps);
    return st == OK ? buf_status(out, err) : st;
}

/* --- grapheme clusters --- */

static enum grapheme_class class_of(uint32_t cp)
{
    if (cp < 128)
        return cp < ' ' || cp == 0x7f ? GRAPHEME_CONTROL : GRAPHEME_OTHER;
    if (cp >= 0xac00 && cp <= 0xd7a3)
        return (cp - 0xac00) % 28 == 0 ? GRAPHEME_LV : GRAPHEME_LVT;
    size_t low = 0, high = COUNT(graphemes);
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (graphemes[mid].last < cp)
            low = mid + 1;
        else
            high = mid;
    }
    return low < COUNT(graphemes) && graphemes[low].first <= cp ? graphemes[low].class : GRAPHEME_OTHER;
}

static bool joins_hangul(enum grapheme_class a, enum grapheme_class b)
{
    switch (a) {
    case GRAPHEME_L:
        return b == GRAPHEME_L || b == GRAPHEME_V || b == GRAPHEME_LV || b == GRAPHEME_LVT;
    case GRAPHEME_V:
    case GRAPHEME_LV:
        return b == GRAPHEME_V || b == GRAPHEME_T;
    case GRAPHEME_T:
    case GRAPHEME_LVT:
        return b == GRAPHEME_T;
    default:
        return false;
    }
}

size_t unicode_grapheme(const char *s, size_t len)
{
    uint32_t cp;
    size_t at = utf8_decode(s, len, &cp);
    if (cp < 128 && (at == len || ((unsigned char)s[at] < 128 && cp != '\r')))
        return at;
    enum grapheme_class last = class_of(cp);
    bool picture = last == GRAPHEME_PICTURE; /* \p{Extended_Pictographic} Extend* so far */
    enum { NONE, CONSONANT, LINKED } indic = last == GRAPHEME_CONSONANT ? CONSONANT : NONE;
    size_t flags = last == GRAPHEME_FLAG;
    while (at < len) {
        uint32_t next;
        size_t one = utf8_decode(s + at, len - at, &next);
        enum grapheme_class class = class_of(next);
        if (last == GRAPHEME_CONTROL || class == GRAPHEME_CONTROL)
            return at + (cp == '\r' && next == '\n' ? one : 0);
        bool joined = class == GRAPHEME_EXTEND || class == GRAPHEME_ZWJ || class == GRAPHEME_SPACING ||
                      last == GRAPHEME_PREPEND || joins_hangul(last, class) ||
                      (class == GRAPHEME_CONSONANT && indic == LINKED) ||
                      (class == GRAPHEME_PICTURE && picture && last == GRAPHEME_ZWJ) ||
                      (class == GRAPHEME_FLAG && flags % 2 == 1);
        if (!joined)
            return at;
        picture = class == GRAPHEME_PICTURE ||
                  (picture && last != GRAPHEME_ZWJ && (class == GRAPHEME_EXTEND || class == GRAPHEME_ZWJ));
        if (class == GRAPHEME_CONSONANT)
            indic = CONSONANT;
        else if (next == 0x200c || (class != GRAPHEME_EXTEND && class != GRAPHEME_ZWJ))
            indic = NONE;
        else if (indic == CONSONANT && IN(linkers, next))
            indic = LINKED;
        flags = class == GRAPHEME_FLAG ? flags + 1 : 0;
        last = class;
        cp = next;
        at += one;
    }
    return at;
}
