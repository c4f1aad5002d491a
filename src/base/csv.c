#include "base/csv.h"

#include "base/utf8.h"

#include <string.h>

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;
    for (const char *p = text; p < at; p++)
        line += *p == '\n';
    return line;
}

enum status csv_open(const char *text, size_t len, struct arena *a, struct csv *out, struct error *err)
{
    for (const char *p = text, *end = text + len; p < end;) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        const char *next = lf ? lf + 1 : end;
        if (memchr(p, '\0', (size_t)(next - p)))
            return err_set(err, ERR_INVALID, "line %zu: NUL byte", line_of(text, p));
        if (!utf8_valid(p, (size_t)(next - p)))
            return err_set(err, ERR_INVALID, "line %zu: not UTF-8", line_of(text, p));
        p = next;
    }
    size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *out = (struct csv){.at = text + mark, .end = text + len, .line = 1, .arena = a};
    return OK;
}

/* How many bytes end a line at p: 0, 1 or 2. */
static size_t line_end(const struct csv *c, const char *p)
{
    if (p < c->end && *p == '\n')
        return 1;
    return p + 1 < c->end && p[0] == '\r' && p[1] == '\n' ? 2 : 0;
}

/* A field that begins with a quote; afterwards c->at is behind the closing one. */
static enum status quoted(struct csv *c, const char **out, struct error *err)
{
    size_t begun = c->line, len = 0;
    const char *p = c->at + 1;
    for (;; p++, len++) {
        if (p >= c->end)
            return err_set(err, ERR_INVALID, "line %zu: a quote is never closed", begun);
        if (*p == '"' && !(p + 1 < c->end && p[1] == '"'))
            break;
        p += *p == '"';
    }
    if (len > CSV_MAX_FIELD)
        return err_set(err, ERR_TOO_LARGE, "line %zu: a field of %zu bytes: at most %u are allowed", begun, len,
                       CSV_MAX_FIELD);
    char *to = arena_alloc(c->arena, len + 1);
    if (!to)
        return err_set(err, ERR_TOO_LARGE, "line %zu: too much text", begun);
    *out = to;
    for (const char *q = c->at + 1; q < p; q++) {
        c->line += *q == '\n';
        q += *q == '"';
        *to++ = *q;
    }
    *to = '\0';
    c->at = p + 1;
    if (c->at < c->end && *c->at != ',' && !line_end(c, c->at))
        return err_set(err, ERR_INVALID, "line %zu: text after a closing quote", c->line);
    return OK;
}

static enum status plain(struct csv *c, const char **out, struct error *err)
{
    const char *p = c->at;
    while (p < c->end && *p != ',' && !line_end(c, p)) {
        if (*p == '"' || *p == '\r')
            return err_set(err, ERR_INVALID, "line %zu: %s", c->line,
                           *p == '"' ? "a quote inside a field that is not quoted" : "a carriage return alone");
        p++;
    }
    size_t len = (size_t)(p - c->at);
    if (len > CSV_MAX_FIELD)
        return err_set(err, ERR_TOO_LARGE, "line %zu: a field of %zu bytes: at most %u are allowed", c->line, len,
                       CSV_MAX_FIELD);
    *out = arena_strndup(c->arena, c->at, len);
    if (!*out)
        return err_set(err, ERR_TOO_LARGE, "line %zu: too much text", c->line);
    c->at = p;
    return OK;
}

enum status csv_next(struct csv *c, const char *fields[CSV_MAX_FIELDS], size_t *n, struct error *err)
{
    *n = 0;
    for (size_t end; (end = line_end(c, c->at)) > 0; c->line++)
        c->at += end;
    if (c->at >= c->end)
        return OK;
    c->record_line = c->line;
    for (;;) {
        if (*n == CSV_MAX_FIELDS)
            return err_set(err, ERR_INVALID, "line %zu: more than %u fields", c->line, CSV_MAX_FIELDS);
        enum status st = c->at < c->end && *c->at == '"' ? quoted(c, &fields[*n], err) : plain(c, &fields[*n], err);
        if (st != OK)
            return st;
        ++*n;
        if (c->at >= c->end)
            return OK;
        if (*c->at != ',')
            break;
        c->at++;
    }
    c->at += line_end(c, c->at);
    c->line++;
    return OK;
}
