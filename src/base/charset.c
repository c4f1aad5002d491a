#include "base/charset.h"

#include "base/utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>

static bool begins(const char *bytes, size_t len, const char *mark, size_t n)
{
    return len >= n && memcmp(bytes, mark, n) == 0;
}

static size_t charset_line(const char *text, size_t len)
{
    size_t line = 1;
    for (size_t i = 0; i < len; i++)
        line += text[i] == '\n';
    return line;
}

/* Either grows to at most three bytes for each of its own. */
static enum status convert(const char *charset, const char *bytes, size_t len, struct arena *a, const char **out,
                           size_t *out_len, struct error *err)
{
    size_t left = len, room = 3 * len;
    char *text = arena_alloc(a, room + 1), *to = text, *from = (char *)bytes; /* iconv() does not write there */
    if (!text)
        return err_set(err, ERR_TOO_LARGE, "too much text");
    iconv_t to_utf8 = iconv_open("UTF-8", charset);
    if (to_utf8 == (iconv_t)-1)
        return err_errno(err, "this system cannot read %s", charset);
    size_t done = iconv(to_utf8, &from, &left, &to, &room);
    iconv_close(to_utf8);
    *out = text;
    *out_len = (size_t)(to - text);
    if (done == (size_t)-1)
        return err_set(err, ERR_INVALID, "line %zu: neither UTF-8 nor %s", charset_line(text, *out_len), charset);
    return OK;
}

enum status charset_to_utf8(const char *bytes, size_t len, struct arena *a, const char **out, size_t *out_len,
                            struct error *err)
{
    enum status st = OK;
    *out = bytes;
    *out_len = len;
    if (begins(bytes, len, "\xff\xfe", 2))
        st = convert("UTF-16LE", bytes + 2, len - 2, a, out, out_len, err);
    else if (begins(bytes, len, "\xfe\xff", 2))
        st = convert("UTF-16BE", bytes + 2, len - 2, a, out, out_len, err);
    else if (begins(bytes, len, "\xef\xbb\xbf", 3)) {
        *out += 3;
        *out_len -= 3;
    }
    if (st == OK && !utf8_valid(*out, *out_len))
        st = convert("Windows-1252", bytes, len, a, out, out_len, err);
    const char *nul = st == OK && *out_len ? memchr(*out, '\0', *out_len) : NULL;
    if (nul)
        st = err_set(err, ERR_INVALID, "line %zu: NUL byte", charset_line(*out, (size_t)(nul - *out)));
    return st;
}
