#include "base/json_scan.h"

#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static const char no_memory[] = "no memory";

static bool fail(struct json_scan *s, const char *wrong)
{
    if (!s->wrong)
        s->wrong = wrong;
    return false;
}

void json_scan_begin(struct json_scan *s, const char *text, size_t len, struct arena *arena)
{
    *s = (struct json_scan){.start = text, .at = text, .end = text + len, .arena = arena};
}

char json_scan_kind(struct json_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
    return s->at < s->end ? *s->at : '\0';
}

static bool take(struct json_scan *s, char c)
{
    bool there = !s->wrong && json_scan_kind(s) == c;
    s->at += there;
    return there;
}

bool json_scan_next(struct json_scan *s, const char brackets[2], size_t *n)
{
    if (*n == 0 && !take(s, brackets[0]))
        return fail(s, brackets[0] == '{' ? "an object is expected" : "an array is expected");
    if (take(s, brackets[1]))
        return false;
    if (*n > 0 && !take(s, ','))
        return fail(s, "a comma or closing bracket is expected");
    ++*n;
    return !s->wrong;
}

/* The number of four hexadecimal digits; -1: they are not. */
static int32_t hex4(const char *s, size_t len)
{
    int32_t value = 0;
    if (len < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = s[i] ? strchr(digits, s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i]) : NULL;
        if (!digit)
            return -1;
        value = value << 4 | (int32_t)(digit - digits);
    }
    return value;
}

/* The code point of "uXXXX", or of two such that are a pair, behind a backslash: its bytes; 0: it is none. */
static size_t escaped_unit(const char *s, size_t len, uint32_t *cp)
{
    int32_t first = len ? hex4(s + 1, len - 1) : -1, second;
    *cp = (uint32_t)first;
    if (first < 0xd800 || first > 0xdfff)
        return first > 0 ? 5 : 0;
    second = first < 0xdc00 && len > 10 && s[5] == '\\' && s[6] == 'u' ? hex4(s + 7, len - 7) : -1;
    *cp = 0x10000 + ((uint32_t)(first - 0xd800) << 10) + (uint32_t)(second - 0xdc00);
    return second >= 0xdc00 && second <= 0xdfff ? 11 : 0;
}

/* In place, since no escape is shorter than what it stands for. False: one is wrong. */
static bool unescape(char *s, size_t *len)
{
    static const char escapes[] = "\"\\/bfnrt", stand_for[] = "\"\\/\b\f\n\r\t";
    size_t to = 0;
    for (size_t at = 0; at < *len;) {
        if (s[at] != '\\') {
            s[to++] = s[at++];
            continue;
        }
        const char *known = ++at < *len && s[at] ? strchr(escapes, s[at]) : NULL;
        uint32_t cp = 0;
        size_t n = known ? 1 : at < *len && s[at] == 'u' ? escaped_unit(s + at, *len - at, &cp) : 0;
        if (!n)
            return false;
        if (known)
            s[to++] = stand_for[known - escapes];
        else
            to += utf8_encode(cp, s + to);
        at += n;
    }
    s[to] = '\0';
    *len = to;
    return true;
}

/* Where the string ends that begins at s->at; NULL: nowhere. */
static const char *find_quote(const struct json_scan *s, bool *escaped)
{
    const char *p = s->at;
    *escaped = false;
    for (; p < s->end && *p != '"'; p++) {
        if ((unsigned char)*p < 0x20)
            return NULL;
        *escaped = *escaped || *p == '\\';
        p += *p == '\\' && p + 1 < s->end;
    }
    return p < s->end ? p : NULL;
}

const char *json_scan_string(struct json_scan *s, size_t *len)
{
    bool escaped;
    *len = 0;
    if (!take(s, '"')) {
        (void)fail(s, "a string is expected");
        return NULL;
    }
    const char *quote = find_quote(s, &escaped);
    char *copy = quote ? arena_strndup(s->arena, s->at, (size_t)(quote - s->at)) : NULL;
    if (!copy) {
        (void)fail(s, quote ? no_memory : "a string has no end, or a control character");
        return NULL;
    }
    *len = (size_t)(quote - s->at);
    if ((escaped && !unescape(copy, len)) || !utf8_valid(copy, *len)) {
        (void)fail(s, "a string has an invalid escape, or is not UTF-8");
        return NULL;
    }
    s->at = quote + 1;
    return copy;
}

const char *json_scan_name(struct json_scan *s)
{
    size_t len;
    const char *name = json_scan_string(s, &len);
    if (!name || take(s, ':'))
        return name;
    (void)fail(s, "a colon is expected");
    return NULL;
}

bool json_scan_literal(struct json_scan *s, const char *literal)
{
    size_t len = strlen(literal);
    (void)json_scan_kind(s);
    bool there = !s->wrong && (size_t)(s->end - s->at) >= len && memcmp(s->at, literal, len) == 0;
    s->at += there ? len : 0;
    return there;
}

/* Goes behind a part of a value that is no string: a bracket, a comma or a colon, a number or a word. */
static bool skip_part(struct json_scan *s, size_t *depth)
{
    char c = *s->at++;
    if (c == '{' || c == '[')
        ++*depth;
    else if (c == '}' || c == ']')
        return (*depth)-- > 0;
    else if (c == ',' || c == ':')
        return *depth > 0;
    else
        while (s->at < s->end && !strchr("{}[],:\" \t\r\n", *s->at))
            s->at++;
    return true;
}

void json_scan_skip(struct json_scan *s)
{
    size_t depth = 0;
    do {
        char c = s->wrong ? '\0' : json_scan_kind(s);
        bool escaped, fine = c != '\0';
        if (c == '"') {
            s->at++;
            const char *quote = find_quote(s, &escaped);
            fine = quote != NULL;
            s->at = quote ? quote + 1 : s->at;
        } else if (fine) {
            fine = skip_part(s, &depth);
        }
        if (!fine)
            (void)fail(s, "a value is expected");
    } while (depth > 0 && !s->wrong);
}

enum status json_scan_end(struct json_scan *s, struct error *err)
{
    (void)json_scan_kind(s);
    if (s->at < s->end) /* perhaps a NUL */
        (void)fail(s, "nothing more is expected");
    if (s->wrong == no_memory)
        return err_no_memory(err, "the body");
    return s->wrong ? err_set(err, ERR_INVALID, "the body is not JSON: %s, at byte %zu", s->wrong,
                              (size_t)(s->at - s->start))
                    : OK;
}
