#include "tokenize/charsmap.h"

#include "base/utf8.h"
#include "tokenize/unicode.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES   (16u << 20)
#define SHORT_BYTES 6 /* a cluster shorter than this is looked up whole */
#define NOTHING     SIZE_MAX

struct charsmap {
    uint32_t *units;
    size_t n_units;
    char *replacements; /* ends with NUL */
    size_t replacements_len;
};

/* darts-clone's unit: bits 0 to 7 label, 8 has a value, 9 wide offset, 10 to 30 offset; bit 31 marks a value. */
static uint32_t label(uint32_t unit)
{
    return unit & (UINT32_C(1) << 31 | 0xff);
}

static bool has_value(uint32_t unit)
{
    return unit >> 8 & 1;
}

static uint32_t offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & UINT32_C(1) << 9) >> 6);
}

static uint32_t value(uint32_t unit)
{
    return unit & ~(UINT32_C(1) << 31);
}

/* Checks the unit at `at`. Its children are found from `base` by exclusive or with a byte: all of them must lie in the
 * table, and so must the replacement that the unit stands for, if any. */
static enum status check_unit(const struct charsmap *m, size_t at, size_t base, struct error *err)
{
    uint32_t unit = m->units[at];
    if ((base | 0xff) >= m->n_units)
        return err_set(err, ERR_INVALID, "charsmap: unit %zu points to %zu, in a table of %zu units", at, base,
                       m->n_units);
    if (!has_value(unit))
        return OK;
    size_t place = value(m->units[base]);
    if (place >= m->replacements_len || ((unsigned char)m->replacements[place] & 0xc0) == 0x80)
        return err_set(err, ERR_INVALID, "charsmap: unit %zu stands for byte %zu of %zu bytes of replacements", at,
                       place, m->replacements_len);
    return OK;
}

/* Walks all that can be reached, depth first: afterwards apply() needs no checks. Units may be shared. */
static enum status check_table(const struct charsmap *m, struct error *err)
{
    enum { NEW, OPEN, DONE };
    struct {
        uint32_t unit, base, byte;
    } *stack = malloc(m->n_units * sizeof *stack);
    unsigned char *seen = calloc(m->n_units, 1);
    enum status st = stack && seen ? OK : err_no_memory(err, "charsmap");
    size_t depth = 0;
    uint32_t base = st == OK ? offset(m->units[0]) : 0;
    if (st == OK)
        st = check_unit(m, 0, base, err);
    if (st == OK) {
        seen[0] = OPEN;
        stack[depth].unit = 0, stack[depth].base = base, stack[depth++].byte = 0;
    }
    while (st == OK && depth > 0) {
        if (++stack[depth - 1].byte > 0xff) {
            seen[stack[--depth].unit] = DONE;
            continue;
        }
        uint32_t child = stack[depth - 1].base ^ stack[depth - 1].byte;
        if (label(m->units[child]) != stack[depth - 1].byte || seen[child] == DONE)
            continue;
        base = child ^ offset(m->units[child]);
        if (seen[child] == OPEN)
            st = err_set(err, ERR_INVALID, "charsmap: unit %u leads back to itself", (unsigned)child);
        else
            st = check_unit(m, child, base, err);
        seen[child] = OPEN;
        if (st == OK)
            stack[depth].unit = child, stack[depth].base = base, stack[depth++].byte = 0;
    }
    free(stack);
    free(seen);
    return st;
}

void charsmap_free(struct charsmap *m)
{
    if (!m)
        return;
    free(m->units);
    free(m->replacements);
    free(m);
}

enum status charsmap_parse(const void *bytes, size_t len, struct charsmap **out, struct error *err)
{
    *out = NULL;
    const unsigned char *b = bytes;
    if (len > MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "charsmap of %zu bytes: at most %u are allowed", len, MAX_BYTES);
    if (len < 4)
        return err_set(err, ERR_INVALID, "charsmap: expected 4 bytes of length, found %zu", len);
    size_t table = (size_t)b[0] | (size_t)b[1] << 8 | (size_t)b[2] << 16 | (size_t)b[3] << 24;
    if (table > len - 4 || table < 4 || table % 4 != 0)
        return err_set(err, ERR_INVALID, "charsmap: a table of %zu bytes, expected a multiple of 4 of at most %zu",
                       table, len - 4);
    size_t rest = len - 4 - table;
    if (!utf8_valid((const char *)b + 4 + table, rest))
        return err_set(err, ERR_INVALID, "charsmap: the replacements are not valid UTF-8");
    struct charsmap *m = calloc(1, sizeof *m);
    if (!m)
        return err_no_memory(err, "charsmap");
    m->n_units = table / 4;
    m->replacements_len = rest;
    m->units = malloc(table);
    m->replacements = malloc(rest + 1);
    enum status st = m->units && m->replacements ? OK : err_no_memory(err, "charsmap");
    if (st == OK) {
        for (size_t i = 0; i < m->n_units; i++) {
            const unsigned char *u = b + 4 + 4 * i;
            m->units[i] = (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
        }
        memcpy(m->replacements, b + 4 + table, rest);
        m->replacements[rest] = '\0';
        st = check_table(m, err);
    }
    if (st != OK) {
        charsmap_free(m);
        return st;
    }
    *out = m;
    return OK;
}

static int sextet(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

enum status charsmap_parse_base64(const char *text, struct charsmap **out, struct error *err)
{
    *out = NULL;
    size_t len = strlen(text), n = 0;
    signed char of[256];
    for (int c = 0; c < 256; c++)
        of[c] = (signed char)sextet((char)c);
    if (len % 4 != 0)
        return err_set(err, ERR_INVALID, "charsmap: expected base64, found %zu characters, not a multiple of 4", len);
    size_t padding = len && text[len - 1] == '=' ? 1 + (text[len - 2] == '=') : 0;
    unsigned char *bytes = malloc(len / 4 * 3 + 1);
    if (!bytes)
        return err_no_memory(err, "charsmap");
    uint32_t bits = 0;
    enum status st = OK;
    for (size_t i = 0; st == OK && i < len; i++) {
        int six = i >= len - padding ? 0 : of[(unsigned char)text[i]];
        if (six < 0)
            st = err_set(err, ERR_INVALID, "charsmap: expected base64, found byte 0x%02x", (unsigned char)text[i]);
        bits = bits << 6 | (uint32_t)(six & 63);
        if (i % 4 == 3) {
            bytes[n++] = (unsigned char)(bits >> 16);
            bytes[n++] = (unsigned char)(bits >> 8);
            bytes[n++] = (unsigned char)bits;
        }
    }
    if (st == OK)
        st = charsmap_parse(bytes, n - padding, out, err);
    free(bytes);
    return st;
}

/* Where in the replacements the shortest known beginning of s leads, or NOTHING. */
static size_t look_up(const struct charsmap *m, const char *s, size_t len)
{
    size_t at = offset(m->units[0]);
    for (size_t i = 0; i < len && s[i]; i++) {
        at ^= (unsigned char)s[i];
        uint32_t unit = m->units[at];
        if (label(unit) != (unsigned char)s[i])
            return NOTHING;
        at ^= offset(unit);
        if (has_value(unit))
            return value(m->units[at]);
    }
    return NOTHING;
}

/* Length in bytes of the first n code points, or of all. */
static size_t first_bytes(const char *s, size_t len, size_t n)
{
    size_t at = 0;
    uint32_t cp;
    while (n-- > 0 && at < len)
        at += utf8_decode(s + at, len - at, &cp);
    return at;
}

/* A rewriting under way: the first `until` bytes of `from` are the origin, and so are the first `origin` of what was
 * appended to `out`, which had `start` bytes before. */
struct rewriting {
    const char *from;
    size_t len, until, start, origin;
    struct buf *out;
};

static void put(struct rewriting *r, size_t at, size_t len, const char *s, size_t n)
{
    size_t before = r->out->len;
    buf_append(r->out, s, n);
    if (r->out->len == r->start) /* nothing before it to count it as removed after: what follows takes its place */
        r->until += first_bytes(r->from + at + len, r->len - at - len, 1);
    else if (at + len <= r->until)
        r->origin = r->out->len - r->start;
    else if (at < r->until) /* code point for code point */
        r->origin = before - r->start + first_bytes(s, n, utf8_count(r->from + at, r->until - at));
}

enum status charsmap_apply(const struct charsmap *m, const char *s, size_t len, struct buf *out, size_t *origin,
                           struct error *err)
{
    struct rewriting r = {.from = s, .len = len, .until = *origin, .start = out->len, .out = out};
    for (size_t i = 0; i < len && !out->failed;) {
        size_t end = i + unicode_grapheme(s + i, len - i);
        size_t found = end - i < SHORT_BYTES ? look_up(m, s + i, end - i) : NOTHING;
        if (found != NOTHING) {
            const char *to = m->replacements + found;
            put(&r, i, end - i, to, strlen(to));
            i = end;
        }
        while (i < end) {
            uint32_t cp;
            size_t one = utf8_decode(s + i, end - i, &cp);
            found = look_up(m, s + i, one);
            const char *to = found != NOTHING ? m->replacements + found : s + i;
            put(&r, i, one, to, found != NOTHING ? strlen(to) : one);
            i += one;
        }
    }
    *origin = r.origin;
    return buf_status(out, err);
}
