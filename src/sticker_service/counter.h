/* counter.h: how often a digit is written in 1..n, and in how many of the numbers, for n up to 10^1000. */
#ifndef PEEL_STICKER_SERVICE_COUNTER_H
#define PEEL_STICKER_SERVICE_COUNTER_H

#include "base/buf.h"
#include "base/status.h"

#define COUNTER_MAX_DIGITS 1001 /* of n: 10^1000 has that many */

struct counter_result {
    unsigned digit;
    char n[COUNTER_MAX_DIGITS + 1];
    char answer[COUNTER_MAX_DIGITS + 16];  /* times the digit is written; decimal */
    char numbers[COUNTER_MAX_DIGITS + 16]; /* numbers that contain it; decimal */
};

/* `digit` 0..9; `n`: a whole number from 0 to 10^1000 in decimal digits, without sign, spaces or
 * leading zeros. ERR_INVALID names the culprit. Steps: one per digit of n. */
enum status counter_count(const char *digit, const char *n, struct counter_result *out, struct error *err) MUST_CHECK;

/* {"answer":300,"digit":7,"n":1000,"numbers":271}; numbers beyond 2^53 as strings. */
void counter_json(const struct counter_result *r, struct buf *out);

#endif
