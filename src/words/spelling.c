#include "words/spelling.h"

#include <stdbool.h>
#include <string.h>

#define LONGEST 40u

unsigned spelling_allowed(size_t len)
{
    return len < 4 ? 0 : len < 7 ? 2 : 4;
}

static bool neighbours(char a, char b)
{
    static const char *const rows[] = {"qwertyuiop", "asdfghjkl", "zxcvbnm"};
    for (int r = 0; r < 3; r++) {
        const char *x = strchr(rows[r], a);
        for (int d = r ? -1 : 0; x && a && b && d <= 1; d++) {
            const char *y = r + d < 3 ? strchr(rows[r + d], b) : NULL;
            if (y && x - rows[r] - (y - rows[r + d]) <= 1 && x - rows[r] - (y - rows[r + d]) >= -1)
                return true;
        }
    }
    return false;
}

unsigned spelling_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned most)
{
    unsigned rows[3][LONGEST + 1];
    if (a_len > LONGEST || b_len > LONGEST || 2 * (a_len > b_len ? a_len - b_len : b_len - a_len) > most)
        return most + 1;
    for (unsigned k = 0; k <= b_len; k++)
        rows[0][k] = 2 * k;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *two = rows[(i + 1) % 3], least = row[0] = 2 * i;
        for (unsigned k = 1; k <= b_len; k++) {
            unsigned change = a[i - 1] == b[k - 1] ? 0 : neighbours(a[i - 1], b[k - 1]) ? 1 : 2;
            unsigned d = above[k - 1] + change;
            d = above[k] + 2 < d ? above[k] + 2 : d;
            d = row[k - 1] + 2 < d ? row[k - 1] + 2 : d;
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] && two[k - 2] + 1 < d)
                d = two[k - 2] + 1;
            row[k] = d;
            least = d < least ? d : least;
        }
        if (least > most + 1)
            return most + 1;
    }
    return rows[a_len % 3][b_len] <= most ? rows[a_len % 3][b_len] : most + 1;
}
