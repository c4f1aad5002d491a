/* Synonyms: a byte that says in which languages and ways, then lines: a query, a term, and the term's synonyms. What is
 * accepted expands queries within its bounds and leaves their own words as they were. */
#include "base/buf.h"
#include "base/language.h"
#include "base/utf8.h"
#include "text/synonyms.h"
#include "text/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINES 30u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static void check_query(const struct synonyms *s, const char *text, unsigned language)
{
    struct arena a;
    struct error err;
    struct term_query own, q;
    size_t added;
    bool matches;
    arena_init(&a, 16u << 20);
    if (text_query(text, strlen(text), language, true, NULL, &a, &own, &err) == OK) {
        q = own;
        check(synonyms_expand(s, text, strlen(text), &a, &q, &added, &err) == OK);
        check(synonyms_match(s, text, strlen(text), language, &a, &matches, &err) == OK);
        check(added <= SYNONYMS_MAX_ADDED && (matches || !added) && (added > 0) == (q.n_stems > own.n_stems));
        check(!added || q.n_stems <= 128);
        for (size_t i = 0; i < q.n_forms; i++)
            check(q.forms[i].word < q.n_stems);
        for (size_t i = 0, more = q.n_stems - own.n_stems; i < q.n_stems; i++)
            check(i < more ? q.traits[i].share > 0 : q.stems[i] == own.stems[i - more]);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const languages[] = {"", "en", "de", "ja", "xx"};
    const char *lines[MAX_LINES];
    size_t n = 0;
    if (size < 2 || !utf8_valid((const char *)data + 1, size - 1) || memchr(data + 1, '\0', size - 1))
        return 0;
    char *text = buf_strndup((const char *)data + 1, size - 1), *rest = text;
    while (text && rest && n < MAX_LINES)
        lines[n++] = strsep(&rest, "\n");
    if (n >= 3) {
        const char *tag = languages[data[0] % 5];
        struct synonym_entry entry = {lines[1], lines + 2, n - 2, data[0] & 128, tag};
        struct synonyms *s;
        struct error err;
        enum status st = synonyms_open(&entry, 1, &s, &err);
        check(st == OK || (st == ERR_INVALID && strncmp(err.message, "synonyms[0]: ", 13) == 0));
        if (st == OK) {
            check_query(s, lines[0], *tag ? language_number(tag) : LANGUAGE_en);
            check_query(s, lines[1], *tag ? language_number(tag) : LANGUAGE_en);
            synonyms_close(s);
        }
    }
    free(text);
    return 0;
}
