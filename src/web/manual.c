/* Searching the documentation: some 300 KB of text, read from beginning to end. */
#include "web/manual.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WORDS      8  /* further ones are left out */
#define EXCERPT_BEFORE 60 /* bytes */
#define EXCERPT        200
#define TITLE_SCORE    12
#define HEADING_SCORE  20
#define MOST_IN_TEXT   5 /* occurrences that count */

struct scored {
    struct manual_hit hit;
    const char *first; /* word found, in the section's text; NULL: in the heading or title only */
    int score;
};

const struct manual_page *manual_page_by_name(const char *name)
{
    for (size_t i = 0; i < manual_count; i++)
        if (strcmp(manual_pages[i].name, name) == 0)
            return &manual_pages[i];
    return NULL;
}

static int count_word(const char *text, const char *word, const char **first)
{
    int n = 0;
    const char *at = text;
    while (n < MOST_IN_TEXT && (at = strcasestr(at, word))) {
        if (first && (!*first || at < *first))
            *first = at;
        at += strlen(word);
        n++;
    }
    return n;
}

/* False when a word is nowhere in the section. */
static bool score_section(const struct manual_page *p, const struct manual_section *s, char *const *words, size_t n,
                          struct scored *out)
{
    *out = (struct scored){.hit = {.page = p, .section = s}};
    for (size_t i = 0; i < n; i++) {
        int found = count_word(s->text, words[i], &out->first);
        found += count_word(s->heading, words[i], NULL) ? HEADING_SCORE : 0;
        found += s == p->sections && count_word(p->title, words[i], NULL) ? TITLE_SCORE : 0;
        if (!found)
            return false;
        out->score += found;
    }
    return n > 0;
}

static int best_first(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    if (x->hit.page != y->hit.page)
        return x->hit.page < y->hit.page ? -1 : 1;
    return (x->hit.section > y->hit.section) - (x->hit.section < y->hit.section);
}

static bool inside_character(const char *s)
{
    return (*s & 0xc0) == 0x80;
}

static const char *excerpt_of(const struct scored *found, struct arena *a)
{
    const char *text = found->hit.section->text, *from = found->first ? found->first : text;
    from = from - text > EXCERPT_BEFORE ? from - EXCERPT_BEFORE : text;
    while (inside_character(from) || (from > text && from[-1] != ' '))
        from--;
    size_t len = strnlen(from, EXCERPT);
    bool cut = from[len];
    while (cut && len && (inside_character(from + len) || from[len] != ' '))
        len--;
    return arena_printf(a, "%s%.*s%s", from > text ? "… " : "", (int)len, from, cut ? " …" : "");
}

static size_t split_words(char *query, char *words[MAX_WORDS])
{
    size_t n = 0;
    char *rest = NULL;
    for (char *w = strtok_r(query, " \t\r\n,;?!\"", &rest); w && n < MAX_WORDS;
         w = strtok_r(NULL, " \t\r\n,;?!\"", &rest))
        words[n++] = w;
    return n;
}

enum status manual_search(const char *query, size_t most, struct arena *a, struct manual_hit **out, size_t *n,
                          struct error *err)
{
    char *words[MAX_WORDS], *copy = arena_strdup(a, query);
    size_t all = 0, found = 0;
    *n = 0;
    for (size_t i = 0; i < manual_count; i++)
        all += manual_pages[i].n_sections;
    struct scored *scored = arena_array(a, all + 1, sizeof *scored);
    *out = arena_array(a, most + 1, sizeof **out);
    if (!copy || !scored || !*out)
        return err_no_memory(err, "a search of the documentation");
    size_t n_words = split_words(copy, words);
    for (size_t i = 0; i < manual_count; i++)
        for (size_t k = 0; k < manual_pages[i].n_sections; k++)
            found += score_section(&manual_pages[i], &manual_pages[i].sections[k], words, n_words, &scored[found]);
    qsort(scored, found, sizeof *scored, best_first);
    for (; *n < found && *n < most; ++*n) {
        struct manual_hit *hit = &(*out)[*n];
        *hit = scored[*n].hit;
        hit->excerpt = excerpt_of(&scored[*n], a);
        if (!hit->excerpt)
            return err_no_memory(err, "a search of the documentation");
    }
    return OK;
}
