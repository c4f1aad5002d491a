/* A text in the one form in which models are given it. */
#include "text/text_internal.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <stdlib.h>
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

static utf8proc_int32_t lower_of(utf8proc_int32_t cp, void *unused)
{
    (void)unused;
    return cp == 0x2019 ? '\''
                        : utf8proc_tolower(cp); /* phones write the apostrophe as the one, keyboards as the other */
}

/* Greek's sigma has a form of its own at the end of a word, but one capital. */
static void end_words_in_sigma(utf8proc_int32_t *cps, size_t n)
{
    bool within = false; /* a word, before cps[i] */
    for (size_t i = 0; i < n; i++) {
        if (utf8proc_get_property(cps[i])->combining_class) /* an accent */
            continue;
        bool ends = i + 1 == n || utf8_kind((uint32_t)cps[i + 1]) != UTF8_LETTER;
        if (cps[i] == 0x3c3 && within && ends)
            cps[i] = 0x3c2;
        within = utf8_kind((uint32_t)cps[i]) == UTF8_LETTER;
    }
}

enum status text_lower(const char *s, size_t len, size_t most, struct arena *a, const char **out, size_t *out_len,
                       struct error *err)
{
    /* Marks stand in one order only once letters are taken apart. */
    const utf8proc_option_t apart = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    const utf8proc_option_t compose = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (len > MAX_LOWER)
        return err_set(err, ERR_TOO_LARGE, "a text of %zu bytes: expected at most %u", len, MAX_LOWER);
    const char *lower = s;
    if (!is_lower_ascii(s, len)) {
        size_t room = 2 * len + 4; /* 2 bytes become at most 3 characters, 3 at most 4 */
        utf8proc_int32_t *cps = arena_array(a, room, sizeof *cps);
        if (!cps)
            return err_no_memory(err, "a text of %zu bytes", len);
        utf8proc_ssize_t n = utf8proc_decompose_custom((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)len, cps,
                                                       (utf8proc_ssize_t)room, apart, lower_of, NULL);
        if (n < 0 || (size_t)n > room)
            return err_set(err, ERR_INVALID, "a text is not UTF-8");
        end_words_in_sigma(cps, (size_t)n);
        len = (size_t)utf8proc_reencode(cps, n, compose);
        lower = (const char *)cps;
    }
    *out_len = cut(lower, len, most);
    *out = arena_strndup(a, lower, *out_len);
    if (!*out)
        return err_no_memory(err, "a text of %zu bytes", len);
    utf8_trim(out, out_len);
    return OK;
}

const char *text_composed(const char *s, struct arena *a)
{
    utf8proc_uint8_t *nfc = utf8_valid(s, strlen(s)) ? utf8proc_NFC((const utf8proc_uint8_t *)s) : NULL;
    const char *out = arena_strdup(a, nfc ? (const char *)nfc : s);
    free(nfc);
    return out;
}

enum status text_fold_query(const char *typed, size_t most, struct arena *a, const char **out, struct error *err)
{
    const char *text;
    size_t len, n = 0;
    enum status st = text_lower(typed, strlen(typed), most, a, &text, &len, err);
    char *copy = st == OK ? arena_strndup(a, text, len) : NULL;
    if (st != OK)
        return st;
    if (!copy)
        return err_no_memory(err, "a query");
    while (len) { /* word by word: what is between two is white space, however much */
        size_t word = utf8_word(text, len), before = n;
        if (n)
            copy[n++] = ' ';
        size_t begin = n;
        for (size_t at = 0, step; at < word; at += step) {
            uint32_t cp;
            step = utf8_decode(text + at, word - at, &cp);
            if (cp == 0xfe0e || cp == 0xfe0f) /* how an emoji before it is drawn */
                continue;
            memcpy(copy + n, text + at, step);
            n += step;
        }
        n = n == begin ? before : n;
        text += word;
        len -= word;
        utf8_trim(&text, &len);
    }
    copy[n] = '\0';
    *out = copy;
    return OK;
}

enum status text_plain(const char *s, size_t len, size_t most, struct arena *a, const char **out, struct error *err)
{
    const char *lower;
    struct buf plain;
    enum status status = text_lower(s, len, most, a, &lower, &len, err);
    if (status != OK)
        return status;
    buf_init(&plain, 4 * len + 1);
    for (size_t at = 0; at < len;) {
        char folded[TEXT_MAX_FOLDED];
        size_t word = at;
        while (word < len && lower[word] != ' ')
            word++;
        size_t kept = word - at < TEXT_MAX_WORD ? word - at : TEXT_MAX_WORD;
        while (kept && kept < word - at && ((unsigned char)lower[at + kept] & 0xC0) == 0x80) /* not in a character */
            kept--;
        size_t n = text_fold(lower + at, kept, folded);
        if (n && plain.len)
            buf_putc(&plain, ' ');
        buf_append(&plain, folded, n);
        at = word + (word < len);
    }
    *out = plain.failed ? NULL : arena_strdup(a, buf_str(&plain));
    buf_free(&plain);
    return *out ? OK : err_no_memory(err, "a text of %zu bytes", len);
}
