/* Any valid UTF-8 becomes a bounded list of terms that a full-text index can hold. */
#include "base/utf8.h"
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct text_terms t;
    arena_init(&a, 8u << 20);
    const char *s = (const char *)data;
    enum status st = text_analyze(s, size, 200, &a, &t, NULL);
    if (st == OK) {
        if (t.count > 200)
            abort();
        for (size_t i = 0; i < t.count; i++) {
            const char *stem = t.items[i].stem;
            if (!*stem || !utf8_valid(stem, strlen(stem)) || strpbrk(stem, " \t\r\n\"'*()^:-ABCXYZ"))
                abort();
        }
        if (!text_join_stems(&t, &a) || !text_join_folded(&t, &a))
            abort();
    } else if (utf8_valid(s, size) && st != ERR_TOO_LARGE && st != ERR_NO_MEMORY) {
        abort();
    }
    if (utf8_valid(s, size) && !memchr(s, 0, size)) {
        char *words = arena_strndup(&a, s, size);
        if (words && text_normalize_words(words, &a) == NULL && a.max - a.used > 64 * size + (64u << 10))
            abort();
    }
    arena_free(&a);
    return 0;
}
