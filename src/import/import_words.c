/* Keywords that come from several sources, and how an import tells that nobody has changed what an earlier one made
 * of them: it is then what merging some of these sources gives. Which of them that were, and in which order they came,
 * need not be known. */
#include "import/import.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#define MAX_PARTS 10u /* of one language, all subsets of which are tried */

/* Without regard to case. */
static bool same_keyword(const char *a, size_t a_len, const char *b, size_t b_len)
{
    while (a_len && b_len) {
        uint32_t x, y;
        size_t n = utf8_decode(a, a_len, &x), m = utf8_decode(b, b_len, &y);
        if (x != y && utf8proc_tolower((utf8proc_int32_t)x) != utf8proc_tolower((utf8proc_int32_t)y))
            return false;
        a += n;
        a_len -= n;
        b += m;
        b_len -= m;
    }
    return a_len == b_len;
}

/* The length of the keyword at `s`; *next: the one behind it, or the end. */
static size_t keyword_at(const char *s, const char **next)
{
    size_t len = strcspn(s, ",");
    *next = s + len + strspn(s + len, ", ");
    return len;
}

static bool has_keyword(const char *cell, const char *word, size_t len)
{
    for (const char *s = cell, *next; *s; s = next) {
        size_t n = keyword_at(s, &next);
        if (same_keyword(s, n, word, len))
            return true;
    }
    return false;
}

static void add_keywords(struct buf *out, const char *cell)
{
    for (const char *s = cell, *next; *s; s = next) {
        size_t len = keyword_at(s, &next);
        if (out->len + len + 2 > IMPORT_MAX_WORDS || has_keyword(buf_str(out), s, len))
            continue;
        buf_puts(out, out->len ? ", " : "");
        buf_append(out, s, len);
    }
}

/* The parts of one language whose bits are in `chosen`, as one cell; NULL when there is no memory. */
static const char *join_parts(const struct sticker_words *parts, size_t n, unsigned chosen, struct arena *a)
{
    struct buf out;
    buf_init(&out, IMPORT_MAX_WORDS + 1);
    for (size_t i = 0; i < n; i++)
        if (i >= MAX_PARTS || chosen >> i & 1)
            add_keywords(&out, parts[i].words);
    const char *cell = NULL;
    if (n == 1 && strcmp(buf_str(&out), parts->words) == 0)
        cell = parts->words; /* most lists, of hundreds of thousands */
    else if (!out.failed)
        cell = arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return cell;
}

static size_t same_language(const struct sticker_words *parts, size_t n)
{
    size_t end = 1;
    while (end < n && strcmp(parts[end].language, parts[0].language) == 0)
        end++;
    return end;
}

enum status import_merge_words(const struct sticker_words *parts, size_t n, struct arena *a,
                               const struct sticker_words **out, size_t *n_out, struct error *err)
{
    struct sticker_words *lists = arena_array(a, n + 1, sizeof *lists);
    *out = lists;
    *n_out = 0;
    for (size_t i = 0, len; lists && i < n; i += len) {
        struct sticker_words *list = &lists[*n_out];
        len = same_language(parts + i, n - i);
        *list = (struct sticker_words){.language = parts[i].language, .words = join_parts(parts + i, len, ~0u, a)};
        for (size_t k = i; k < i + len && !list->title; k++)
            list->title = parts[k].title;
        if (!list->words)
            return err_no_memory(err, "the words of a sticker");
        *n_out += *list->words || (list->title && *list->title);
    }
    return lists ? OK : err_no_memory(err, "the words of a sticker");
}

#define FIRST_INDICATOR 0x1f1e6u /* of the 26 that spell the codes of regions */

static bool is_indicator(uint32_t cp)
{
    return cp >= FIRST_INDICATOR && cp < FIRST_INDICATOR + 26;
}

const char *import_words_without_region(const char *emoji, const char *words, struct arena *a)
{
    uint32_t first = 0, second = 0;
    size_t len = emoji ? strlen(emoji) : 0, n = len ? utf8_decode(emoji, len, &first) : 0;
    if (len > n)
        utf8_decode(emoji + n, len - n, &second);
    char *out = arena_strdup(a, words), *end = out;
    if (!out || !is_indicator(first) || !is_indicator(second))
        return out;
    const char code[] = {(char)('A' + (first - FIRST_INDICATOR)), (char)('A' + (second - FIRST_INDICATOR)), '\0'};
    for (size_t len_of; *words; words += len_of + strspn(words + len_of, ", ")) {
        len_of = strcspn(words, ",");
        if (len_of == 2 && strncasecmp(words, code, 2) == 0)
            continue;
        end += sprintf(end, "%s%.*s", end > out ? ", " : "", (int)len_of, words);
    }
    *end = '\0';
    return out;
}

enum status import_made_words(const struct sticker_words *parts, size_t n, const struct sticker_words *list,
                              const char *emoji, struct arena *a, bool *out, struct error *err)
{
    const char *found = join_parts(list, 1, 1, a);
    found = found ? import_words_without_region(emoji, found, a) : NULL;
    *out = false;
    while (n && strcmp(parts->language, list->language) != 0) {
        parts++;
        n--;
    }
    size_t same = n ? same_language(parts, n) : 0;
    unsigned all = same < MAX_PARTS ? 1u << same : 1u << MAX_PARTS;
    for (unsigned chosen = 1; found && *found && same && chosen < all && !*out; chosen++) {
        const char *cell = join_parts(parts, same, chosen, a);
        cell = cell ? import_words_without_region(emoji, cell, a) : NULL;
        *out = cell && strcmp(cell, found) == 0;
        if (!cell)
            found = NULL;
    }
    return found ? OK : err_no_memory(err, "the words of a sticker");
}
