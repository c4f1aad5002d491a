/* Any valid UTF-8 becomes a bounded list of terms that a full-text index can hold. */
#include "base/utf8.h"
#include "text/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sticker whose title and words are the input, in the language that its first byte chooses, and the same as a query.
 */
static void index_and_ask(const char *s, size_t size, struct arena *a)
{
    static const char *const tags[] = {"en", "de", "fr", "ar", "ja", "zh", "ko", "th", "ru", "tr"};
    struct sticker_terms terms;
    struct term_query query;
    char *text = arena_strndup(a, s, size);
    if (!text || !size)
        return;
    unsigned which = (unsigned char)s[0] % (sizeof tags / sizeof *tags);
    struct sticker_words words[] = {{.language = tags[which], .title = text, .words = text},
                                    {.language = "en", .title = "", .words = text}};
    enum status st = text_sticker_terms(text, text, NULL, words, 2, a, &terms, NULL);
    if (st != OK && st != ERR_TOO_LARGE && st != ERR_NO_MEMORY)
        abort();
    st = text_query(s, size, language_number(tags[which]), true, NULL, a, &query, NULL);
    if (st != OK && st != ERR_TOO_LARGE && st != ERR_NO_MEMORY)
        abort();
    for (size_t i = 0; st == OK && i < query.n_stems; i++) {
        const char *stem = query.stems[i];
        if (query.traits[i].sign > query.n_stems || (stem && strpbrk(stem, " \t\r\n\"'*()^:-ABCXYZ")))
            abort();
    }
    for (size_t i = 0; st == OK && i < query.n_forms; i++)
        if (query.forms[i].word >= query.n_stems || strpbrk(query.forms[i].stem, " \t\r\n\"'*()^:-ABCXYZ"))
            abort();
    const char *plain = text_without_signs(s, size, a);
    if (plain && (strlen(plain) != size || !utf8_valid(plain, size)))
        abort();
}

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
        arena_reset(&a);
        index_and_ask(s, size, &a);
    }
    arena_free(&a);
    return 0;
}
