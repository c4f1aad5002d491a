#include "base/json_out.h"

#include <math.h>
#include <string.h>

void json_put_string(struct buf *out, const char *s)
{
    buf_putc(out, '"');
    const char *from = s;
    for (;; s++) {
        unsigned char c = (unsigned char)*s;
        bool separator = c == 0xe2 && (unsigned char)s[1] == 0x80 && ((unsigned char)s[2] & 0xfe) == 0xa8;
        if (c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != 0x7f && !separator)
            continue;
        buf_append(out, from, (size_t)(s - from));
        if (!c)
            break;
        if (separator) {
            buf_puts(out, (unsigned char)s[2] == 0xa8 ? "\\u2028" : "\\u2029");
            s += 2;
        } else if (c == '"' || c == '\\') {
            char pair[2] = {'\\', (char)c};
            buf_append(out, pair, 2);
        } else {
            buf_printf(out, "\\u%04x", c);
        }
        from = s + 1;
    }
    buf_putc(out, '"');
}

void json_put_score(struct buf *out, double score)
{
    buf_printf(out, "%.9g", isfinite(score) ? score : 0.0);
}
