#include "words/spelling.h"

#include <stdbool.h>
#include <stdint.h>

#define LONGEST 40u

unsigned spelling_allowed(size_t len)
{
    return len < 4 ? 0 : len < 7 ? 2 : 4;
}

/* For each letter those beside it on the keyboard, and itself; bit 0 is a. */
static const uint32_t beside[26] = {
    0x2c50001, 0x02020e2, 0x0a4002c, 0x0e6003c, 0x0460038, 0x02a007e, 0x12a20e2, 0x11832c2, 0x0104f00,
    0x1103780, 0x0105f00, 0x000cd00, 0x0003680, 0x00032c2, 0x000cd00, 0x000c800, 0x0450001, 0x00a0078,
    0x2c5001d, 0x10a00e0, 0x1100780, 0x020006e, 0x0450019, 0x284000d, 0x11802c0, 0x2840001,
};

static bool neighbours(char a, char b)
{
    return a >= 'a' && a <= 'z' && b >= 'a' && b <= 'z' && (beside[a - 'a'] >> (b - 'a') & 1);
}

static unsigned least_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Only of places of a and b that are at most `band` apart: beyond, the missing letters alone are too many. */
unsigned spelling_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned most)
{
    unsigned rows[3][LONGEST + 2];
    const size_t band = most / 2;
    if (a_len > LONGEST || b_len > LONGEST || (a_len > b_len ? a_len - b_len : b_len - a_len) > band)
        return most + 1;
    for (unsigned k = 0; k <= b_len; k++)
        rows[0][k] = 2 * k;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two = rows[(i + 1) % 3], least = most + 2;
        size_t from = i > band ? i - band : 1, to = least_of((unsigned)b_len, i + (unsigned)band);
        row[from - 1] = from > 1 ? most + 2 : 2 * i;
        if (i + band <= b_len)
            above[i + band] = i > 1 ? most + 2 : above[i + band];
        for (size_t k = from; k <= to; k++) {
            unsigned change = a[i - 1] == b[k - 1] ? 0 : neighbours(a[i - 1], b[k - 1]) ? 1 : 2;
            unsigned d = least_of(above[k - 1] + change, least_of(above[k], row[k - 1]) + 2);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                d = least_of(d, two[k - 2] + 1);
            row[k] = d;
            least = least_of(least, d);
        }
        if (least_of(least, row[from - 1]) > most + 1)
            return most + 1;
    }
    return least_of(rows[a_len % 3][b_len], most + 1);
}
