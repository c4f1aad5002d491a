#include "base/json_out.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static void put_string(struct buf *out, const char *s, bool for_script)
{
    buf_putc(out, '"');
    const char *from = s;
    for (;; s++) {
        unsigned char c = (unsigned char)*s;
        bool separator = for_script && c == 0xe2 && (unsigned char)s[1] == 0x80 && ((unsigned char)s[2] & 0xfe) == 0xa8;
        if (c >= 0x20 && c != '"' && c != '\\' && !(for_script && (c == '<' || c == 0x7f)) && !separator)
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

void json_put_string(struct buf *out, const char *s)
{
    put_string(out, s, true);
}

void json_put_plain(struct buf *out, const char *s)
{
    put_string(out, s, false);
}

/* --- numbers ---
 *
 * printf is right and slow, and an answer has dozens of them. What stands here is as right: a double is a whole number
 * times a power of two, so that its product with a power of ten is known exactly, and is rounded as printf does it. */

__extension__ typedef unsigned __int128 wide;

/* Whether 9 digits of it are written without an exponent, and with at most 12 decimals. */
static bool is_plain(double x)
{
    return x >= 1e-4 && x < 1e8;
}

/* A plain x * 10^decimals, rounded to the nearest whole number, half to even. */
static uint64_t scale(double x, unsigned decimals)
{
    uint64_t bits, ten = 1;
    memcpy(&bits, &x, sizeof bits);
    for (unsigned i = 0; i < decimals; i++)
        ten *= 10;
    unsigned shift = 1075 - (unsigned)(bits >> 52); /* x is its 53 bits / 2^shift, of 26 to 66 */
    wide product = (wide)((bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52) * ten;
    wide rest = product & (((wide)1 << shift) - 1), half = (wide)1 << (shift - 1);
    uint64_t whole = (uint64_t)(product >> shift);
    return whole + (rest > half || (rest == half && whole & 1));
}

/* n / 10^decimals; `all`: with zeros at its end. */
static void put_decimal(struct buf *out, uint64_t n, unsigned decimals, bool all)
{
    char text[24], *const end = text + sizeof text, *at = end;
    for (unsigned i = 0; i < decimals; i++, n /= 10)
        if (all || at < end || n % 10)
            *--at = (char)('0' + n % 10);
    if (at < end)
        *--at = '.';
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    buf_append(out, at, (size_t)(end - at));
}

void json_put_score(struct buf *out, double score)
{
    if (!is_plain(score)) {
        buf_printf(out, "%.9g", isfinite(score) ? score : 0.0);
        return;
    }
    unsigned decimals = 8; /* of 9 digits, where one stands before the point */
    for (double least = 1; score < least; least /= 10)
        decimals++;
    for (double most = 10; score >= most; most *= 10)
        decimals--;
    put_decimal(out, scale(score, decimals), decimals, false);
}

void json_put_hundredths(struct buf *out, double x)
{
    if (is_plain(x) || x == 0)
        put_decimal(out, x > 0 ? scale(x, 2) : 0, 2, true);
    else
        buf_printf(out, "%.2f", isfinite(x) ? x : 0.0);
}
