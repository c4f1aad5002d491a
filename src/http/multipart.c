#include "http/multipart.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TYPE         "multipart/form-data"
#define MAX_BOUNDARY 70 /* RFC 2046 */

struct span {
    const char *at;
    size_t len;
};

static bool is_token_char(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

static bool multipart_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct span multipart_trim(struct span s)
{
    while (s.len && multipart_blank(s.at[0]))
        s.at++, s.len--;
    while (s.len && multipart_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

/* --- parameters: ; name=token or ; name="quoted", behind a field's first word --- */

/* In a quoted value only \" is an escape: browsers send backslashes as they are. */
static size_t quoted_len(struct span s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.at[i] == '\\' && i + 1 < s.len && s.at[i + 1] == '"')
            i++;
        else if (s.at[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Takes the next parameter off *rest: 1, 0 at the end, -1 where it is malformed. `value` keeps its quotes. */
static int next_param(struct span *rest, struct span *name, struct span *value)
{
    *rest = multipart_trim(*rest);
    if (!rest->len)
        return 0;
    if (rest->at[0] != ';')
        return -1;
    struct span s = multipart_trim((struct span){rest->at + 1, rest->len - 1});
    if (!s.len) { /* a semicolon at the end */
        *rest = s;
        return 0;
    }
    const char *equals = memchr(s.at, '=', s.len);
    if (!equals)
        return -1;
    *name = multipart_trim((struct span){s.at, (size_t)(equals - s.at)});
    s.len -= (size_t)(equals + 1 - s.at);
    s.at = equals + 1;
    s = multipart_trim(s);
    size_t n = 0;
    if (s.len && s.at[0] == '"') {
        if (!(n = quoted_len(s)))
            return -1;
    } else {
        while (n < s.len && s.at[n] != ';' && !multipart_blank(s.at[n]))
            n++;
    }
    *value = (struct span){s.at, n};
    *rest = (struct span){s.at + n, s.len - n};
    return name->len ? 1 : -1;
}

/* A value as text. Browsers write " and line breaks in names as %22, %0D and %0A, and nothing else so (WHATWG HTML,
 * multipart/form-data encoding algorithm). NULL without memory. */
static char *multipart_text(struct span s, struct arena *a)
{
    static const struct {
        const char *escape;
        char c;
    } escapes[] = {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}};
    bool quoted = s.len >= 2 && s.at[0] == '"';
    if (quoted)
        s = (struct span){s.at + 1, s.len - 2};
    char *out = arena_strndup(a, s.at, s.len);
    size_t n = 0;
    for (size_t i = 0; out && i < s.len; i++) {
        char c = s.at[i];
        if (quoted && c == '\\' && i + 1 < s.len && s.at[i + 1] == '"')
            c = s.at[++i];
        for (size_t k = 0; c == '%' && k < sizeof escapes / sizeof *escapes; k++)
            if (s.len - i >= 3 && strncasecmp(s.at + i, escapes[k].escape, 3) == 0) {
                c = escapes[k].c;
                i += 2;
            }
        out[n++] = c;
    }
    if (out)
        out[n] = '\0';
    return out;
}

/* --- the boundary --- */

bool multipart_is(const char *content_type)
{
    size_t n = strlen(TYPE);
    return content_type && strncasecmp(content_type, TYPE, n) == 0 &&
           (content_type[n] == '\0' || strchr("; \t", content_type[n]));
}

/* "\r\n--boundary" into out. */
static enum status read_boundary(const char *content_type, char out[MAX_BOUNDARY + 5], struct error *err)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? ";
    if (!multipart_is(content_type))
        return err_set(err, ERR_INVALID, "A form with files comes as " TYPE ".");
    struct span rest = {content_type + strlen(TYPE), strlen(content_type) - strlen(TYPE)}, name, value, found = {0};
    int got;
    while ((got = next_param(&rest, &name, &value)) > 0)
        if (is_token_char(name, "boundary")) {
            if (found.at)
                return err_set(err, ERR_INVALID, TYPE ": the boundary must be given once");
            found = value;
        }
    if (found.len >= 2 && found.at[0] == '"')
        found = (struct span){found.at + 1, found.len - 2};
    bool good = got == 0 && found.len >= 1 && found.len <= MAX_BOUNDARY && found.at[found.len - 1] != ' ';
    for (size_t i = 0; good && i < found.len; i++)
        good = strchr(allowed, found.at[i]) != NULL;
    if (!good)
        return err_set(err, ERR_INVALID, TYPE ": expected a boundary of 1 to %d characters", MAX_BOUNDARY);
    snprintf(out, MAX_BOUNDARY + 5, "\r\n--%.*s", (int)found.len, found.at);
    return OK;
}

/* Looks in s for the next line that is a delimiter: *before is what precedes it, *after what follows it, *last
 * whether it is the closing one. */
static bool find_delimiter(struct span s, const char *delimiter, struct span *before, struct span *after, bool *last)
{
    size_t n = strlen(delimiter);
    const char *end = s.at + s.len;
    for (const char *at = s.at; (at = memmem(at, (size_t)(end - at), delimiter, n)); at++) {
        const char *p = at + n;
        *before = (struct span){s.at, (size_t)(at - s.at)};
        *last = end - p >= 2 && p[0] == '-' && p[1] == '-';
        if (*last)
            return true;
        while (p < end && multipart_blank(*p))
            p++;
        if (end - p >= 2 && p[0] == '\r' && p[1] == '\n') {
            *after = (struct span){p + 2, (size_t)(end - p - 2)};
            return true;
        }
    }
    return false;
}

/* --- one part --- */

static enum status put_text(struct span value, const char *what, size_t number, struct arena *a, const char **out,
                            struct error *err)
{
    if (*out)
        return err_set(err, ERR_INVALID, "part %zu of the form: its %s must be given once", number, what);
    *out = multipart_text(value, a);
    if (!*out)
        return err_no_memory(err, "a form");
    size_t len = strlen(*out); /* at a NUL it would be shorter than what was sent */
    if (memchr(value.at, '\0', value.len) || !utf8_valid(*out, len) || utf8_has_control(*out, len))
        return err_set(err, ERR_INVALID, "part %zu of the form: its %s is not UTF-8 text of one line", number, what);
    return OK;
}

static enum status read_disposition(struct span rest, size_t number, struct arena *a, struct multipart_part *part,
                                    struct error *err)
{
    struct span name, value;
    size_t first = 0;
    int got;
    while (first < rest.len && rest.at[first] != ';' && !multipart_blank(rest.at[first]))
        first++;
    bool good = is_token_char((struct span){rest.at, first}, "form-data") && !part->name;
    enum status st = OK;
    rest = (struct span){rest.at + first, rest.len - first};
    while (st == OK && good && (got = next_param(&rest, &name, &value)) != 0) {
        good = got > 0;
        if (good && is_token_char(name, "name"))
            st = put_text(value, "name", number, a, &part->name, err);
        else if (good && is_token_char(name, "filename"))
            st = put_text(value, "filename", number, a, &part->filename, err);
    }
    if (st == OK && (!good || !part->name))
        st = err_set(err, ERR_INVALID, "part %zu of the form: expected Content-Disposition: form-data; name=\"...\"",
                     number);
    return st;
}

static enum status read_field(struct span line, size_t number, struct arena *a, struct multipart_part *part,
                              struct error *err)
{
    const char *colon = memchr(line.at, ':', line.len);
    if (!colon || colon == line.at || multipart_blank(line.at[0]))
        return err_set(err, ERR_INVALID, "part %zu of the form: a header is not \"name: value\"", number);
    struct span name = {line.at, (size_t)(colon - line.at)};
    struct span value = multipart_trim((struct span){colon + 1, line.len - name.len - 1});
    if (is_token_char(name, "Content-Disposition"))
        return read_disposition(value, number, a, part, err);
    if (is_token_char(name, "Content-Transfer-Encoding") && !is_token_char(value, "binary") &&
        !is_token_char(value, "8bit") && !is_token_char(value, "7bit"))
        return err_set(err, ERR_INVALID, "part %zu of the form: its transfer encoding is not supported", number);
    return OK; /* others say nothing that we believe: what a file is, its content says */
}

static enum status read_part(struct span s, size_t number, struct arena *a, struct multipart_part *part,
                             struct error *err)
{
    enum status st = OK;
    *part = (struct multipart_part){0};
    for (size_t taken = 0; st == OK;) {
        const char *end = memmem(s.at, s.len, "\r\n", 2);
        size_t n = end ? (size_t)(end - s.at) : s.len;
        taken += n + 2;
        if (!end || taken > MULTIPART_MAX_HEAD)
            return err_set(err, ERR_INVALID,
                           "part %zu of the form: expected headers of at most %u bytes, and then"
                           " an empty line",
                           number, MULTIPART_MAX_HEAD);
        struct span line = {s.at, n};
        s = (struct span){end + 2, s.len - n - 2};
        if (!n)
            break;
        st = read_field(line, number, a, part, err);
    }
    if (st == OK && !part->name)
        st = err_set(err, ERR_INVALID, "part %zu of the form has no Content-Disposition", number);
    part->data = s.at;
    part->len = s.len;
    return st;
}

enum status multipart_parse(const char *content_type, const char *body, size_t len, size_t max_parts, struct arena *a,
                            struct multipart *out, struct error *err)
{
    char delimiter[MAX_BOUNDARY + 5];
    struct span rest = {body, len}, content;
    bool last = false;
    *out = (struct multipart){0};
    enum status st = read_boundary(content_type, delimiter, err);
    if (st != OK)
        return st;
    size_t dashes = strlen(delimiter) - 2; /* at the very beginning no line break is before it */
    bool begun = false;
    if (len >= dashes && memcmp(body, delimiter + 2, dashes) == 0) {
        struct span line = {body + dashes, len - dashes};
        size_t pad = 0;
        while (pad < line.len && multipart_blank(line.at[pad]))
            pad++;
        last = line.len >= 2 && memcmp(line.at, "--", 2) == 0;
        begun = last || (line.len - pad >= 2 && memcmp(line.at + pad, "\r\n", 2) == 0);
        if (begun && !last)
            rest = (struct span){line.at + pad + 2, line.len - pad - 2};
    }
    if (!begun && !find_delimiter(rest, delimiter, &content, &rest, &last))
        return err_set(err, ERR_INVALID, "The form is malformed: its boundary does not occur in it.");
    out->parts = arena_array(a, max_parts, sizeof *out->parts);
    if (!out->parts)
        return err_no_memory(err, "a form");
    while (st == OK && !last) {
        if (out->n == max_parts)
            return err_set(err, ERR_TOO_LARGE, "The form has more than %zu parts.", max_parts);

        if (!find_delimiter(rest, delimiter, &content, &rest, &last))
            return err_set(err, ERR_INVALID, "The form was cut off: its closing boundary is missing.");
        st = read_part(content, out->n + 1, a, &out->parts[out->n], err);
        out->n++;
    }
    return st;
}
