/* Both counts are built digit by digit from the front. With p the number read so far and c the next
 * digit, p' = 10p + c, so the numbers up to p' are: every q < p followed by any last digit, and p
 * followed by 0..c. Hence, with in(p) = how often the digit stands in p itself,
 *
 *     written(p') = 10 written(p) - (9 - c) in(p) + p + [0 < digit <= c]
 *
 * (the p is the last digits: the digit ends one number per q, and a leading 0 is never written), and
 * with without(p) = how many of 1..p lack the digit and clean(p) = p lacks it, for p > 0,
 *
 *     without(p') = 9 (without(p) - clean(p)) + (digit ? 8 : 9) + clean(p) (c + 1 - [digit <= c]).
 */
#include "sticker_service/counter.h"

#include <gmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_plain_number(const char *s)
{
    size_t len = strspn(s, "0123456789");
    if (!len || s[len] || (s[0] == '0' && len > 1) || len > COUNTER_MAX_DIGITS)
        return false;
    /* Of the numbers with 1,001 digits only 10^1000 itself is allowed. */
    return len < COUNTER_MAX_DIGITS || (s[0] == '1' && strspn(s + 1, "0") == len - 1);
}

enum status counter_count(const char *digit, const char *n, struct counter_result *out, struct error *err)
{
    if (digit[0] < '0' || digit[0] > '9' || digit[1])
        return err_set(err, ERR_INVALID, "digit must be a whole number from 0 to 9");
    if (!is_plain_number(n))
        return err_set(err, ERR_INVALID, "n must be a whole number from 0 to 10^1000");
    unsigned long d = (unsigned long)(digit[0] - '0'), in = 0;
    mpz_t p, written, without;
    mpz_inits(p, written, without, NULL);
    for (const char *s = n; *s; s++) {
        unsigned long c = (unsigned long)(*s - '0');
        bool reached = d <= c, first = mpz_sgn(p) == 0, clean = in == 0;
        if (first) {
            mpz_set_ui(without, c - (d && reached));
        } else {
            mpz_sub_ui(without, without, clean);
            mpz_mul_ui(without, without, 9);
            mpz_add_ui(without, without, (d ? 8 : 9) + (clean ? c + 1 - reached : 0));
        }
        mpz_mul_ui(written, written, 10);
        mpz_sub_ui(written, written, (9 - c) * in);
        mpz_add(written, written, p);
        mpz_add_ui(written, written, d && reached);
        mpz_mul_ui(p, p, 10);
        mpz_add_ui(p, p, c);
        in += c == d;
    }
    mpz_sub(p, p, without);
    out->digit = (unsigned)d;
    memcpy(out->n, n, strlen(n) + 1);
    mpz_get_str(out->answer, 10, written);
    mpz_get_str(out->numbers, 10, p);
    mpz_clears(p, written, without, NULL);
    return OK;
}

static void counter_put_number(struct buf *out, const char *s)
{
    /* Every whole number up to 2^53 is exact in the doubles that JSON readers use. */
    bool exact = strlen(s) <= 16 && strtoull(s, NULL, 10) <= 1ull << 53;
    buf_printf(out, exact ? "%s" : "\"%s\"", s);
}

void counter_json(const struct counter_result *r, struct buf *out)
{
    buf_puts(out, "{\"answer\":");
    counter_put_number(out, r->answer);
    buf_printf(out, ",\"digit\":%u,\"n\":", r->digit);
    counter_put_number(out, r->n);
    buf_puts(out, ",\"numbers\":");
    counter_put_number(out, r->numbers);
    buf_putc(out, '}');
}
