#include "web/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void html_text(struct buf *out, const char *s)
{
    if (!s)
        return;
    const char *start = s;
    for (; *s; s++) {
        const char *ref;
        switch (*s) {
        case '&':
            ref = "&amp;";
            break;
        case '<':
            ref = "&lt;";
            break;
        case '>':
            ref = "&gt;";
            break;
        case '"':
            ref = "&quot;";
            break;
        case '\'':
            ref = "&#39;";
            break;
        default:
            if (((unsigned char)*s >= 0x20 && *s != 0x7f) || *s == '\n' || *s == '\t')
                continue;
            ref = "\xEF\xBF\xBD";
        }
        buf_append(out, start, (size_t)(s - start));
        buf_puts(out, ref);
        start = s + 1;
    }
    buf_append(out, start, (size_t)(s - start));
}

bool html_url_is_safe(const char *url)
{
    if (*url == ' ' || (*url && strchr("/\\", url[0]) && url[1] && strchr("/\\", url[1]))) /* "//host": another site */
        return false;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) /* browsers skip some of these inside "java\nscript:" */
            return false;
    size_t scheme = strcspn(url, ":/?#");
    if (url[scheme] != ':')
        return true;
    static const char *const allowed[] = {"http", "https", "mailto"};
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (strlen(allowed[i]) == scheme && strncasecmp(url, allowed[i], scheme) == 0)
            return true;
    return false;
}

void html_url(struct buf *out, const char *url)
{
    if (url)
        html_text(out, html_url_is_safe(url) ? url : "#");
}

void html_url_part(struct buf *out, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (; s && *s; s++) {
        unsigned char c = (unsigned char)*s;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c)) {
            buf_putc(out, *s);
        } else {
            char coded[3] = {'%', hex[c >> 4], hex[c & 15]};
            buf_append(out, coded, sizeof coded);
        }
    }
}

void html_int(struct buf *out, int64_t n)
{
    buf_printf(out, "%lld", (long long)n);
}

void html_number(struct buf *out, double x)
{
    if (isfinite(x))
        buf_printf(out, "%.6g", x);
    else
        buf_puts(out, "–");
}

void html_unescaped(struct buf *out, const char *html)
{
    if (html)
        buf_puts(out, html);
}

bool html_is(const char *s)
{
    return s && *s;
}

bool html_equal(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}
