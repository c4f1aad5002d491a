#include "cmd/wordnet.h"

#include "base/arena.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY      (512u << 20)
#define MAX_WORDS   32u  /* the words of a set that are used; the rest are ignored */
#define MAX_LINKS   512u /* the links of a set that are used */
#define MAX_SENSES  12u  /* senses of a word: later ones are rare */
#define SENSE_DECAY 0.12f

/* What a link of a set is worth; tuned on hidden keywords of stickers. */
static const struct {
    const char *symbol;
    float strength;
} kinds[] = {
    {"@", 0.5f},  {"@i", 0.5f}, /* a kind of */
    {"~", 0.6f},  {"~i", 0.6f}, /* has kinds */
    {"&", 0.85f}, {"+", 0.85f}, {"\\", 0.85f}, {"*", 0.85f}, {">", 0.85f}, {"^", 0.85f},
    {"$", 0.85f}, {"=", 0.85f},                                                          /* similar, derived, ... */
    {"%p", 0.4f}, {"%m", 0.4f}, {"%s", 0.4f},  {"#p", 0.4f}, {"#m", 0.4f}, {"#s", 0.4f}, /* parts */
};
#define SYNONYM 0.85f
#define NAMES   1.0f /* of a country, by its people, or by what is of it */

/* Files of lexicographers (lexnames(5WN)). */
enum { PLACES = 15, PEOPLE = 18 };

struct link {
    uint64_t to;
    float strength;
    char symbol;
};
struct set {
    uint64_t key;       /* part of speech << 32 | offset */
    const char **words; /* first single ones, then phrases */
    struct link *links;
    size_t n_words, n_phrases, n_links;
    int file;
    bool instance; /* this very place or person, not a kind */
};
struct lemma {
    const char *word; /* or phrase */
    uint64_t senses[MAX_SENSES];
    size_t n;
};
struct wordnet {
    struct arena arena;
    struct set *sets;
    struct lemma *lemmas;
    size_t n_sets, cap_sets, n_lemmas, cap_lemmas;
};

enum status wordnet_open(struct wordnet **out, struct error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_no_memory(err, "WordNet");
    arena_init(&(*out)->arena, MEMORY);
    return OK;
}

void wordnet_close(struct wordnet *w)
{
    if (!w)
        return;
    free(w->sets);
    free(w->lemmas);
    arena_free(&w->arena);
    free(w);
}

static uint64_t synset_key(char part, const char *offset)
{
    return (uint64_t)(part == 's' ? 'a' : part) << 32 | (uint32_t)strtoul(offset, NULL, 10);
}

/* "South_Korea" as "south korea". "and" is left out, as words lists write "&". False: no memory. */
static bool read_word(struct wordnet *w, char *word, const char **out)
{
    char *and;
    word[strcspn(word, "(")] = '\0'; /* "galore(ip)" */
    for (char *c = word; *c; c++)
        *c = *c == '_' ? ' ' : (char)tolower((unsigned char)*c);
    if ((and = strstr(word, " and ")) != NULL)
        memmove(and, and+4, strlen(and+4) + 1);
    return (*out = arena_strdup(&w->arena, word)) != NULL;
}

/* The words of a set, the single ones first; phrases of places alone. False: no memory. */
static bool read_words(struct wordnet *w, struct set *set, char **save, unsigned long n, bool *whole)
{
    size_t n_phrases = 0;
    const char *phrases[MAX_WORDS];
    *whole = false;
    for (unsigned long i = 0; i < n; i++) {
        const char *kept;
        char *word = strtok_r(NULL, " ", save);
        if (!word || !strtok_r(NULL, " ", save))
            return true;
        if (!read_word(w, word, &kept))
            return false;
        if (!strchr(kept, ' ') && set->n_words < MAX_WORDS)
            set->words[set->n_words++] = kept;
        else if (strchr(kept, ' ') && set->file == PLACES && n_phrases < MAX_WORDS)
            phrases[n_phrases++] = kept;
    }
    for (size_t i = 0; i < n_phrases && set->n_words + set->n_phrases < MAX_WORDS; i++)
        set->words[set->n_words + set->n_phrases++] = phrases[i];
    *whole = true;
    return true;
}

/* "02124272 05 n 01 cat 0 003 @ 02123649 n 0000 ...": words and links of a set. */
static bool read_set(struct wordnet *w, char *line)
{
    char *save, *offset = strtok_r(line, " ", &save);
    struct set set = {0};
    bool whole = false;
    const char *file = strtok_r(NULL, " ", &save), *part = strtok_r(NULL, " ", &save);
    const char *count = strtok_r(NULL, " ", &save);
    if (!offset || !file || !part || !count)
        return true;
    set.key = synset_key(*part, offset);
    set.file = atoi(file);
    unsigned long n = strtoul(count, NULL, 16);
    set.words = arena_array(&w->arena, n < MAX_WORDS ? n + 1 : MAX_WORDS, sizeof *set.words);
    if (!set.words || !read_words(w, &set, &save, n, &whole))
        return false;
    if (!whole)
        return true;
    count = strtok_r(NULL, " ", &save);
    n = count ? strtoul(count, NULL, 10) : 0;
    n = n < MAX_LINKS ? n : MAX_LINKS;
    set.links = arena_array(&w->arena, n + 1, sizeof *set.links);
    for (unsigned long i = 0; i < n && set.links; i++) {
        const char *symbol = strtok_r(NULL, " ", &save), *to = strtok_r(NULL, " ", &save);
        part = strtok_r(NULL, " ", &save);
        if (!symbol || !to || !part || !strtok_r(NULL, " ", &save))
            break;
        set.instance = set.instance || strcmp(symbol, "@i") == 0;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (strcmp(symbol, kinds[k].symbol) == 0)
                set.links[set.n_links++] = (struct link){synset_key(*part, to), kinds[k].strength, *symbol};
    }
    if (!set.links)
        return false;
    if (w->n_sets == w->cap_sets) {
        size_t cap = w->cap_sets ? 2 * w->cap_sets : 65536;
        struct set *sets = realloc(w->sets, cap * sizeof *sets);
        if (!sets)
            return false;
        w->sets = sets;
        w->cap_sets = cap;
    }
    w->sets[w->n_sets++] = set;
    return true;
}

/* "cat n 8 3 @ ~ + 8 1 02124272 10172793 ...": a word's senses, the most frequent first. */
static bool read_lemma(struct wordnet *w, char *line)
{
    char *save, *word = strtok_r(line, " ", &save);
    const char *part = strtok_r(NULL, " ", &save), *count = strtok_r(NULL, " ", &save);
    const char *links = strtok_r(NULL, " ", &save), *offset;
    if (!word || !part || !count || !links)
        return true;
    for (unsigned long skip = strtoul(links, NULL, 10) + 2; skip; skip--)
        (void)strtok_r(NULL, " ", &save);
    if (w->n_lemmas == w->cap_lemmas) {
        size_t cap = w->cap_lemmas ? 2 * w->cap_lemmas : 65536;
        struct lemma *lemmas = realloc(w->lemmas, cap * sizeof *lemmas);
        if (!lemmas)
            return false;
        w->lemmas = lemmas;
        w->cap_lemmas = cap;
    }
    struct lemma *l = &w->lemmas[w->n_lemmas++];
    *l = (struct lemma){0};
    if (!read_word(w, word, &l->word))
        return false;
    while (l->n < MAX_SENSES && (offset = strtok_r(NULL, " ", &save)) != NULL)
        l->senses[l->n++] = synset_key(*part, offset);
    return true;
}

enum status wordnet_read(struct wordnet *w, const char *path, const char *data, size_t len, struct error *err)
{
    char line[16384];
    bool sets = strncmp(path, "dict/data.", 10) == 0, ok = true;
    if (!sets && (strncmp(path, "dict/index.", 11) != 0 || strcmp(path, "dict/index.sense") == 0))
        return OK;
    for (size_t at = 0, n; at < len && ok; at += n + 1) {
        const char *end = memchr(data + at, '\n', len - at);
        n = end ? (size_t)(end - (data + at)) : len - at;
        size_t kept = n < sizeof line ? n : sizeof line - 1;
        memcpy(line, data + at, kept);
        line[kept] = '\0';
        line[strcspn(line, "|")] = '\0'; /* the gloss */
        if (line[0] != ' ')              /* those that begin so are the licence */
            ok = sets ? read_set(w, line) : read_lemma(w, line);
    }
    return ok ? OK : err_no_memory(err, "WordNet");
}

static int synsets_by_key(const void *x, const void *y)
{
    const struct set *a = x, *b = y;
    return (a->key > b->key) - (a->key < b->key);
}

static const struct set *find_set(const struct wordnet *w, uint64_t key)
{
    struct set wanted = {.key = key};
    return bsearch(&wanted, w->sets, w->n_sets, sizeof wanted, synsets_by_key);
}

static enum status relate_set(const struct set *set, struct lexicon_builder *b, const char *word, float strength,
                              struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; set && i < set->n_words && st == OK; i++)
        st = lexicon_builder_relate(b, word, set->words[i], strength, err);
    return st;
}

/* Does the link lead from the people of a place, or from what pertains to it, to that very place? */
static bool names_place(const struct set *from, const struct link *link, const struct set *to)
{
    return to && to->file == PLACES && to->instance &&
           (link->symbol == '\\' || (link->symbol == '#' && from->file == PEOPLE));
}

/* All that the place is called, phrases too. */
static enum status relate_place(const struct set *place, struct lexicon_builder *b, const char *word, float strength,
                                struct error *err)
{
    enum status st = strchr(word, ' ') ? lexicon_builder_add_phrase(b, word, err) : OK;
    for (size_t i = 0; i < place->n_words + place->n_phrases && st == OK; i++) {
        if (i >= place->n_words)
            st = lexicon_builder_add_phrase(b, place->words[i], err);
        if (st == OK)
            st = lexicon_builder_relate(b, word, place->words[i], strength, err);
    }
    return st;
}

static enum status relate_lemma(const struct wordnet *w, const struct lemma *l, struct lexicon_builder *b,
                                struct error *err)
{
    enum status st = OK;
    bool phrase = strchr(l->word, ' ') != NULL;
    for (size_t s = 0; s < l->n && st == OK; s++) {
        float share = 1 - SENSE_DECAY * (float)s;
        share = share > 0.5f ? share : 0.5f;
        const struct set *set = find_set(w, l->senses[s]);
        if (!phrase)
            st = relate_set(set, b, l->word, SYNONYM * share, err);
        for (size_t k = 0; set && k < set->n_links && st == OK; k++) {
            const struct link *link = &set->links[k];
            const struct set *to = find_set(w, link->to);
            if (names_place(set, link, to))
                st = relate_place(to, b, l->word, NAMES * share, err);
            else if (!phrase)
                st = relate_set(to, b, l->word, link->strength * share, err);
        }
    }
    return st;
}

enum status wordnet_relate(struct wordnet *w, struct lexicon_builder *b, struct error *err)
{
    enum status st = OK;
    if (w->n_sets)
        qsort(w->sets, w->n_sets, sizeof *w->sets, synsets_by_key);
    for (size_t i = 0; i < w->n_lemmas && st == OK; i++)
        st = relate_lemma(w, &w->lemmas[i], b, err);
    return st;
}
