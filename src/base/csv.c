#include "base/csv.h"

#include "base/charset.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Of those that the first line has outside of quotes, the most frequent. */
static char guess_separator(const char *text, size_t len)
{
    static const char separators[] = ",;\t|";
    size_t counts[sizeof separators] = {0}, best = 0;
    bool inside = false;
    for (size_t i = 0; i < len && (inside || text[i] != '\n'); i++) {
        const char *found = strchr(separators, text[i]);
        inside = inside != (text[i] == '"');
        if (found && !inside)
            counts[found - separators]++;
    }
    for (size_t i = 1; separators[i]; i++)
        best = counts[i] > counts[best] ? i : best;
    return separators[best];
}

enum status csv_open(const char *text, size_t len, struct arena *a, struct csv *out, struct error *err)
{
    enum status st = charset_to_utf8(text, len, a, &text, &len, err);
    if (st != OK)
        return st;
    *out = (struct csv){.at = text, .end = text + len, .line = 1, .arena = a, .separator = guess_separator(text, len)};
    if (len >= 5 && strncasecmp(text, "sep=", 4) == 0 && strchr(",;\t|", text[4])) { /* as Excel reads it */
        out->separator = text[4];
        const char *lf = memchr(text, '\n', len);
        out->at = lf ? lf : out->end;
    }
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
    if (c->at < c->end && *c->at != c->separator && !line_end(c, c->at))
        return err_set(err, ERR_INVALID, "line %zu: text after a closing quote", c->line);
    return OK;
}

static enum status plain(struct csv *c, const char **out, struct error *err)
{
    const char *p = c->at;
    while (p < c->end && *p != c->separator && !line_end(c, p)) {
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

static enum status read_record(struct csv *c, const char *fields[CSV_MAX_FIELDS], size_t *n, struct error *err)
{
    for (;;) {
        if (*n == CSV_MAX_FIELDS)
            return err_set(err, ERR_INVALID, "line %zu: more than %u fields", c->line, CSV_MAX_FIELDS);
        enum status st = c->at < c->end && *c->at == '"' ? quoted(c, &fields[*n], err) : plain(c, &fields[*n], err);
        if (st != OK)
            return st;
        ++*n;
        if (c->at >= c->end || *c->at != c->separator)
            break;
        c->at++;
    }
    if (c->at < c->end) {
        c->at += line_end(c, c->at);
        c->line++;
    }
    return OK;
}

static bool is_blank(const char *const *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fields[i][strspn(fields[i], " \t")])
            return false;
    return true;
}

enum status csv_next(struct csv *c, const char *fields[CSV_MAX_FIELDS], size_t *n, struct error *err)
{
    enum status st = OK;
    *n = 0;
    while (c->at < c->end && is_blank(fields, *n)) {
        const char *begin = c->at;
        c->record_line = c->line;
        *n = 0;
        st = read_record(c, fields, n, err);
        if (st == OK)
            continue;
        const char *lf = memchr(begin, '\n', (size_t)(c->end - begin));
        c->at = lf ? lf + 1 : c->end;
        c->line = c->record_line + 1;
        return st;
    }
    *n = is_blank(fields, *n) ? 0 : *n;
    return OK;
}

/* --- writing --- */

/* What a spreadsheet would take for a formula, also in full width. A text that begins with an apostrophe gets another,
 * so that "'=1" and "=1" stay two texts. */
static bool is_formula(const char *s)
{
    static const char *const wide[] = {"\uff1d", "\uff0b", "\uff0d", "\uff20"}; /* = + - @ */
    bool formula = *s && strchr("'=+-@\t\r\n", *s);
    for (size_t i = 0; i < sizeof wide / sizeof *wide && !formula; i++)
        formula = strncmp(s, wide[i], strlen(wide[i])) == 0;
    return formula;
}

void csv_put_cell(struct buf *out, const char *s)
{
    bool formula = is_formula(s);
    if (!formula && !strpbrk(s, ",\"\r\n")) {
        buf_puts(out, s);
        return;
    }
    buf_puts(out, formula ? "\"'" : "\"");
    for (const char *quote; (quote = strchr(s, '"')); s = quote + 1) {
        buf_append(out, s, (size_t)(quote - s));
        buf_puts(out, "\"\"");
    }
    buf_puts(out, s);
    buf_putc(out, '"');
}

const char *csv_read_cell(const char *field)
{
    return *field == '\'' && is_formula(field + 1) ? field + 1 : field;
}
