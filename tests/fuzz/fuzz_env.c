/* Whatever stands in a .env file: either an error that names a line, or settings that are bounded, unique and
 * free of control characters but for the escapes. */
#include "base/utf8.h"
#include "config/env_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct env_pair *pairs = NULL;
    struct error err = {OK, ""};
    size_t n = 0;
    arena_init(&a, 4u << 20);
    enum status st = env_file_parse("x.env", (const char *)data, size, &a, &pairs, &n, &err);
    if (st == OK) {
        if (n > ENV_FILE_MAX_PAIRS)
            abort();
        for (size_t i = 0; i < n; i++) {
            if (!*pairs[i].key || strpbrk(pairs[i].key, " \t=#\"'") || pairs[i].line == 0)
                abort();
            if (!utf8_valid(pairs[i].value, strlen(pairs[i].value)))
                abort();
            for (size_t j = 0; j < i; j++)
                if (strcmp(pairs[i].key, pairs[j].key) == 0)
                    abort();
        }
    } else if (strncmp(err.message, "x.env: ", 7) != 0 || !utf8_valid(err.message, strlen(err.message))) {
        abort();
    }
    arena_free(&a);
    return 0;
}
