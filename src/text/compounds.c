/* Words that some write together, others apart or with a hyphen: "icecream" and "ice cream", "wifi" and "wi-fi". */
#include "text/text_internal.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "text/chars.h"

#include <string.h>

#define MAX_PART     24u /* bytes of a part; longer words are not written together */
#define MAX_COMPOUND 40u
#define MAX_LIST     16384u /* bytes of all; what comes later is left out */

/* A word, with hyphens perhaps: its letters without them. */
struct compound {
    char letters[MAX_COMPOUND];
    size_t len; /* 0: it has something else than letters, or too many */
    bool hyphen;
};

static bool is_hyphen(uint32_t cp)
{
    return cp == '-' || cp == 0x2010 || cp == 0x2011;
}

static bool ends_word(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == ',' || c == ';' || c == '|' || c == ':' || c == '\0';
}

/* The word at s, up to white space or the end of a phrase. Returns the bytes of it. */
static size_t compound_read(const char *s, size_t len, struct compound *w)
{
    size_t at = 0, n;
    bool plain = true, before = false;
    w->len = 0;
    w->hyphen = false;
    for (; at < len && !ends_word(s[at]); at += n) {
        uint32_t cp = (unsigned char)s[at];
        n = cp < 0x80 ? 1 : utf8_decode(s + at, len - at, &cp);
        bool hyphen = is_hyphen(cp);
        plain = plain && (hyphen ? before : (chars_entry(cp)->flags & CHARS_LETTER) && w->len + n <= MAX_COMPOUND);
        before = !hyphen;
        w->hyphen = w->hyphen || hyphen;
        if (plain && !hyphen) {
            for (size_t i = 0; i < n; i++)
                w->letters[w->len++] = s[at + i];
        }
    }
    if (!plain || !before)
        w->len = 0;
    return at;
}

static bool are_parts(const struct compound *x, const struct compound *y)
{
    return x->len && y->len && !x->hyphen && !y->hyphen && x->len <= MAX_PART && y->len <= MAX_PART &&
           x->len + y->len <= MAX_COMPOUND && text_is_ascii(x->letters, x->len) && text_is_ascii(y->letters, y->len) &&
           !text_is_filler(x->letters, x->len) && !text_is_filler(y->letters, y->len);
}

bool text_next_hyphenated(const char *s, size_t len, size_t *at, size_t *start)
{
    while (*at < len) {
        struct compound word;
        *start = *at;
        size_t n = compound_read(s + *at, len - *at, &word);
        *at += n ? n : 1;
        if (word.len && word.hyphen)
            return true;
    }
    return false;
}

static void put_compound(struct buf *out, const struct compound *x, const struct compound *y)
{
    if (out->len)
        buf_putc(out, ' ');
    buf_append(out, x->letters, x->len);
    if (y)
        buf_append(out, y->letters, y->len);
}

const char *text_compounds(const char *s, size_t len, unsigned which, struct arena *arena)
{
    struct buf out;
    struct compound last = {0}, word;
    size_t words = 0; /* of the phrase */
    buf_init(&out, MAX_LIST);
    for (size_t at = 0; at < len && out.len < MAX_LIST - 3 * MAX_COMPOUND;) {
        size_t n = compound_read(s + at, len - at, &word);
        at += n;
        if (n && word.len && word.hyphen && (which & TEXT_HYPHENS))
            put_compound(&out, &word, NULL);
        words += n > 0;
        bool ends = at == len || !strchr(" \t\n", s[at]);
        bool asked = (which & TEXT_NEIGHBOURS) || (ends && words == 2 && (which & TEXT_PHRASES));
        if (n && words > 1 && asked && are_parts(&last, &word))
            put_compound(&out, &last, &word);
        if (n)
            last = word;
        if (ends)
            words = 0;
        at++;
    }
    const char *copy = arena_strndup(arena, buf_str(&out), out.len);
    buf_free(&out);
    return copy;
}
