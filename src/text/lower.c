/* A text in the one form in which models are given it. */
#include "text/text.h"

#include "base/utf8.h"

#include <string.h>
#include <utf8proc.h>

#define MAX_LOWER (1u << 20) /* bytes */

static bool is_lower_ascii(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] > 127 || (s[i] >= 'A' && s[i] <= 'Z'))
            return false;
    return true;
}

/* The length of what fits into `most` bytes without a part of a character. */
static size_t cut(const char *s, size_t len, size_t most)
{
    if (len <= most)
        return len;
    while (most && ((unsigned char)s[most] & 0xc0) == 0x80)
        most--;
    return most;
}

enum status text_lower(const char *s, size_t len, size_t most, struct arena *a, const char **out, size_t *out_len,
                       struct error *err)
{
    const utf8proc_option_t compose = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (len > MAX_LOWER)
        return err_set(err, ERR_TOO_LARGE, "a text of %zu bytes: expected at most %u", len, MAX_LOWER);
    const char *lower = s;
    if (!is_lower_ascii(s, len)) {
        utf8proc_int32_t *cps = arena_array(a, len + 4, sizeof *cps); /* decoding and composing make no more of them */
        if (!cps)
            return err_no_memory(err, "a text of %zu bytes", len);
        utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, cps,
                                                (utf8proc_ssize_t)len, (utf8proc_option_t)0);
        if (n < 0)
            return err_set(err, ERR_INVALID, "a text is not UTF-8");
        for (utf8proc_ssize_t i = 0; i < n; i++)
            cps[i] = utf8proc_tolower(cps[i]);
        len = (size_t)utf8proc_reencode(cps, n, compose);
        lower = (const char *)cps;
    }
    *out_len = cut(lower, len, most);
    *out = arena_strndup(a, lower, *out_len);
    utf8_trim(out, out_len);
    return *out ? OK : err_no_memory(err, "a text of %zu bytes", len);
}
