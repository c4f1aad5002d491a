#include "config/env_file.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

#define KEY_MAX 128u

struct line {
    const char *file;
    unsigned number;
    const char *at, *end; /* what is left of it; at[0] is readable only before end */
};

static bool is_space_or_tab(char c)
{
    return c == ' ' || c == '\t';
}

static bool key_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static void skip_blanks(struct line *l)
{
    while (l->at < l->end && is_space_or_tab(*l->at))
        l->at++;
}

static bool at_end(const struct line *l)
{
    return l->at == l->end || *l->at == '#';
}

static enum status bad(const struct line *l, struct error *err, const char *what)
{
    return err_set(err, ERR_INVALID, "%s: line %u: %s", l->file, l->number, what);
}

static enum status parse_key(struct line *l, struct arena *a, const char **key, struct error *err)
{
    if (l->end - l->at > 6 && memcmp(l->at, "export", 6) == 0 && is_space_or_tab(l->at[6])) {
        l->at += 6;
        skip_blanks(l);
    }
    const char *start = l->at;
    while (l->at < l->end && (key_start(*l->at) || (l->at > start && *l->at >= '0' && *l->at <= '9')))
        l->at++;
    size_t len = (size_t)(l->at - start);
    if (len == 0)
        return bad(l, err, "expected KEY=VALUE, a key being letters, digits and _");
    if (len > KEY_MAX)
        return bad(l, err, "the key is longer than 128 characters");
    skip_blanks(l);
    if (l->at == l->end || *l->at != '=')
        return bad(l, err, "expected = after the key");
    l->at++;
    skip_blanks(l);
    *key = arena_strndup(a, start, len);
    return *key ? OK : err_no_memory(err, "%s", l->file);
}

/* The value goes to `out`, which has room for the rest of the line. */
static enum status parse_quoted(struct line *l, char *out, size_t *len, struct error *err)
{
    char quote = *l->at++;
    while (l->at < l->end && *l->at != quote) {
        char c = *l->at++;
        if (c == '\\' && quote == '"') {
            static const char names[] = "ntr\\\"$", values[] = "\n\t\r\\\"$";
            const char *known = l->at < l->end ? strchr(names, *l->at) : NULL;
            if (!known || !*known)
                return bad(l, err, "unknown escape: expected \\n, \\t, \\r, \\\\, \\\" or \\$");
            c = values[known - names];
            l->at++;
        }
        out[(*len)++] = c;
    }
    if (l->at == l->end)
        return bad(l, err, quote == '"' ? "the closing \" is missing" : "the closing ' is missing");
    l->at++;
    skip_blanks(l);
    return at_end(l) ? OK : bad(l, err, "text after the closing quote");
}

static enum status parse_value(struct line *l, struct arena *a, const char **value, struct error *err)
{
    size_t len = 0;
    char *out = arena_alloc(a, (size_t)(l->end - l->at) + 1);
    if (!out)
        return err_no_memory(err, "%s", l->file);
    *value = out;
    if (l->at < l->end && (*l->at == '"' || *l->at == '\''))
        return parse_quoted(l, out, &len, err);
    for (const char *start = l->at; l->at < l->end; l->at++) {
        if (*l->at == '#' && (l->at == start || is_space_or_tab(l->at[-1])))
            break;
        out[len++] = *l->at;
    }
    while (len && is_space_or_tab(out[len - 1]))
        len--;
    out[len] = '\0';
    return OK;
}

static enum status parse_line(struct line *l, struct arena *a, struct env_pair *pairs, size_t *n, struct error *err)
{
    if (!utf8_valid(l->at, (size_t)(l->end - l->at)))
        return bad(l, err, "not UTF-8");
    for (const char *p = l->at; p < l->end; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return bad(l, err, "control character");
    skip_blanks(l);
    if (at_end(l))
        return OK;
    if (*n == ENV_FILE_MAX_PAIRS)
        return bad(l, err, "more than 512 settings");
    struct env_pair *pair = &pairs[*n];
    pair->line = l->number;
    enum status st = parse_key(l, a, &pair->key, err);
    if (st == OK)
        st = parse_value(l, a, &pair->value, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < *n; i++)
        if (strcmp(pairs[i].key, pair->key) == 0)
            return err_set(err, ERR_INVALID, "%s: line %u: %s was already set on line %u", l->file, l->number,
                           pair->key, pairs[i].line);
    (*n)++;
    return OK;
}

enum status env_file_parse(const char *name, const char *text, size_t len, struct arena *a, struct env_pair **out,
                           size_t *n, struct error *err)
{
    static const char bom[] = "\xef\xbb\xbf"; /* some editors put it there */
    *n = 0;
    if (len > ENV_FILE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "%s: larger than %u bytes", name, ENV_FILE_MAX_BYTES);
    *out = arena_array(a, ENV_FILE_MAX_PAIRS, sizeof **out);
    if (!*out)
        return err_no_memory(err, "%s", name);
    const char *at = text, *end = text + len;
    if (len >= 3 && memcmp(text, bom, 3) == 0)
        at += 3;
    for (unsigned number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        struct line l = {name, number, at, stop};
        if (l.end > l.at && l.end[-1] == '\r')
            l.end--;
        enum status st = parse_line(&l, a, *out, n, err);
        if (st != OK)
            return st;
        at = newline ? newline + 1 : end;
    }
    return OK;
}

void env_file_quote(struct buf *out, const char *value)
{
    static const char special[] = "\n\t\r\\\"$", letters[] = "ntr\\\"$";
    buf_putc(out, '"');
    for (; *value; value++) {
        const char *at = strchr(special, *value);
        if (at)
            buf_putc(out, '\\');
        buf_putc(out, at ? letters[at - special] : *value);
    }
    buf_putc(out, '"');
}
