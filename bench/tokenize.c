/* Token ids of many texts, and how long they take.
 *     build/release/bench/tokenize DIR [REPEAT] < TEXTS
 * TEXTS: a JSON string a line. Without REPEAT prints the ids, a line a text; with it the time per text. */
#include "base/os.h"
#include "tokenize/tokenizer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKENS 10000

int main(int argc, char **argv)
{
    struct error err;
    struct tokenizer *t;
    static int32_t ids[MAX_TOKENS];
    static char line[65536];
    if (argc < 2)
        return 2;
    int64_t start = os_monotonic_us();
    if (tokenizer_open(argv[1], &t, &err) != OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    fprintf(stderr, "opened in %.1f ms\n", (double)(os_monotonic_us() - start) / 1e3);
    long repeat = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    while (fgets(line, sizeof line, stdin)) {
        json_t *text = json_loads(line, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        const char *s = json_string_value(text);
        size_t n = 0;
        if (!s)
            return 1;
        start = os_monotonic_us();
        for (long i = 0; i <= repeat; i++)
            if (tokenizer_encode(t, s, json_string_length(text), MAX_TOKENS, ids, &n, &err) != OK) {
                fprintf(stderr, "%s\n", err.message);
                return 1;
            }
        if (repeat)
            printf("%8.3f us %5zu tokens %5zu bytes  %.40s\n",
                   (double)(os_monotonic_us() - start) / (double)(repeat + 1), n, json_string_length(text), s);
        for (size_t i = 0; !repeat && i < n; i++)
            printf("%d%c", (int)ids[i], i + 1 < n ? ' ' : '\n');
        if (!repeat && n == 0)
            puts("");
        json_decref(text);
    }
    tokenizer_close(t);
    return 0;
}
