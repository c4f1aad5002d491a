/* Any bytes are CSV records of text without NUL, or an error that names its line. */
#include "base/csv.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct csv c;
    struct error err;
    const char *fields[CSV_MAX_FIELDS];
    size_t n = 1, total = 0, line = 0;
    char *text = malloc(size ? size : 1); /* exactly as long, so that one byte too far is noticed */
    memcpy(text, data, size);
    arena_init(&a, 64u << 20);
    enum status st = csv_open(text, size, &a, &c, &err);
    if (st != OK && strncmp(err.message, "line ", 5) != 0)
        abort();
    while (st == OK && n) {
        enum status record = csv_next(&c, fields, &n, &err);
        for (size_t i = 0; record == OK && i < n; i++) {
            total += strlen(fields[i]);
            if (!utf8_valid(fields[i], strlen(fields[i])))
                abort();
        }
        if (record != OK && strncmp(err.message, "line ", 5) != 0)
            abort();
        n = record == OK ? n : 1; /* it goes on behind what cannot be read */
        if (n && c.record_line <= line)
            abort();
        line = c.record_line;
    }
    if (total > (size_t)3 * size) /* Windows-1252 as UTF-8 */
        abort();
    arena_free(&a);
    free(text);
    return 0;
}
