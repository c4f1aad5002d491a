#include "web/form.h"

#include "base/utf8.h"

#include <string.h>
#include <strings.h>

bool form_is(const char *content_type)
{
    size_t n = strlen(FORM_TYPE);
    return content_type && strncasecmp(content_type, FORM_TYPE, n) == 0 &&
           (content_type[n] == '\0' || strchr("; \t", content_type[n]));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* + and %XX of s[0..len) decoded into out (len + 1 bytes at least); false where % is not followed by two
 * hexadecimal digits, or the result is not text. */
static bool form_decode(const char *s, size_t len, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '%') {
            int high = len - i > 2 ? hex_digit(s[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(s[i + 2]) : -1;
            if (low < 0)
                return false;
            out[n++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[n++] = s[i] == '+' ? ' ' : s[i];
        }
    }
    out[n] = '\0';
    return !memchr(out, '\0', n) && utf8_valid(out, n);
}

static enum status parse_field(const char *s, size_t len, size_t index, struct arena *a, struct form_field *out,
                               struct error *err)
{
    const char *equals = memchr(s, '=', len);
    size_t name_len = equals ? (size_t)(equals - s) : len;
    size_t value_len = equals ? len - name_len - 1 : 0;
    char *name = arena_alloc(a, name_len + 1);
    char *value = arena_alloc(a, value_len + 1);
    if (!name || !value)
        return err_no_memory(err, "a form");
    if (!form_decode(s, name_len, name))
        return err_set(err, ERR_INVALID, "the name of form field %zu is not well-formed UTF-8 text", index + 1);
    if (equals && !form_decode(equals + 1, value_len, value))
        return err_set(err, ERR_INVALID, "form field %.60s is not well-formed UTF-8 text", name);
    *out = (struct form_field){name, value};
    return OK;
}

enum status form_parse(const char *body, size_t len, size_t max_fields, struct arena *a, struct form *out,
                       struct error *err)
{
    *out = (struct form){0};
    size_t count = 1;
    for (size_t i = 0; i < len; i++)
        count += body[i] == '&';
    if (count > max_fields)
        return err_set(err, ERR_TOO_LARGE, "a form may have at most %zu fields, this one has %zu", max_fields, count);
    out->fields = arena_array(a, count, sizeof *out->fields);
    if (!out->fields)
        return err_no_memory(err, "a form");
    for (size_t start = 0; start < len;) {
        const char *amp = memchr(body + start, '&', len - start);
        size_t end = amp ? (size_t)(amp - body) : len;
        if (end > start) {
            enum status s = parse_field(body + start, end - start, out->count, a, &out->fields[out->count], err);
            if (s != OK)
                return s;
            out->count++;
        }
        start = end + 1;
    }
    return OK;
}

enum status form_get(const struct form *f, const char *name, const char **value, struct error *err)
{
    *value = NULL;
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->fields[i].name, name) != 0)
            continue;
        if (*value)
            return err_set(err, ERR_INVALID, "form field %s is given twice", name);
        *value = f->fields[i].value;
    }
    return *value ? OK : err_set(err, ERR_NOT_FOUND, "form field %s is missing", name);
}
