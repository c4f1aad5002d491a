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

struct link {
    uint64_t to;
    float strength;
};
struct set {
    uint64_t key; /* part of speech << 32 | offset */
    const char **words;
    struct link *links;
    size_t n_words, n_links;
};
struct lemma {
    const char *word;
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

/* "02124272 05 n 01 cat 0 003 @ 02123649 n 0000 ...": words and links of a set. */
static bool read_set(struct wordnet *w, char *line)
{
    char *save, *offset = strtok_r(line, " ", &save);
    struct set set = {0};
    (void)strtok_r(NULL, " ", &save);
    const char *part = strtok_r(NULL, " ", &save), *count = strtok_r(NULL, " ", &save);
    if (!offset || !part || !count)
        return true;
    set.key = synset_key(*part, offset);
    unsigned long n = strtoul(count, NULL, 16);
    set.words = arena_array(&w->arena, n < MAX_WORDS ? n + 1 : MAX_WORDS, sizeof *set.words);
    for (unsigned long i = 0; i < n && set.words; i++) {
        char *word = strtok_r(NULL, " ", &save);
        if (!word || !strtok_r(NULL, " ", &save))
            return true;
        word[strcspn(word, "(")] = '\0'; /* "galore(ip)" */
        for (char *c = word; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (set.n_words < MAX_WORDS && !strchr(word, '_') &&
            !(set.words[set.n_words++] = arena_strdup(&w->arena, word)))
            return false;
    }
    count = strtok_r(NULL, " ", &save);
    n = count ? strtoul(count, NULL, 10) : 0;
    n = n < MAX_LINKS ? n : MAX_LINKS;
    set.links = arena_array(&w->arena, n + 1, sizeof *set.links);
    for (unsigned long i = 0; i < n && set.links; i++) {
        const char *symbol = strtok_r(NULL, " ", &save), *to = strtok_r(NULL, " ", &save);
        part = strtok_r(NULL, " ", &save);
        if (!symbol || !to || !part || !strtok_r(NULL, " ", &save))
            break;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (strcmp(symbol, kinds[k].symbol) == 0)
                set.links[set.n_links++] = (struct link){synset_key(*part, to), kinds[k].strength};
    }
    if (!set.words || !set.links)
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
    if (!word || !part || !count || !links || strchr(word, '_'))
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
    *l = (struct lemma){.word = arena_strdup(&w->arena, word)};
    while (l->n < MAX_SENSES && (offset = strtok_r(NULL, " ", &save)) != NULL)
        l->senses[l->n++] = synset_key(*part, offset);
    return l->word != NULL;
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

static enum status relate_set(const struct wordnet *w, struct lexicon_builder *b, const char *word, uint64_t key,
                              float strength, struct error *err)
{
    struct set wanted = {.key = key};
    const struct set *set = bsearch(&wanted, w->sets, w->n_sets, sizeof wanted, synsets_by_key);
    enum status st = OK;
    for (size_t i = 0; set && i < set->n_words && st == OK; i++)
        st = lexicon_builder_relate(b, word, set->words[i], strength, err);
    return st;
}

enum status wordnet_relate(struct wordnet *w, struct lexicon_builder *b, struct error *err)
{
    enum status st = OK;
    if (w->n_sets)
        qsort(w->sets, w->n_sets, sizeof *w->sets, synsets_by_key);
    for (size_t i = 0; i < w->n_lemmas && st == OK; i++) {
        const struct lemma *l = &w->lemmas[i];
        for (size_t s = 0; s < l->n && st == OK; s++) {
            float share = 1 - SENSE_DECAY * (float)s;
            share = share > 0.5f ? share : 0.5f;
            struct set wanted = {.key = l->senses[s]};
            const struct set *set = bsearch(&wanted, w->sets, w->n_sets, sizeof wanted, synsets_by_key);
            st = relate_set(w, b, l->word, l->senses[s], SYNONYM * share, err);
            for (size_t k = 0; set && k < set->n_links && st == OK; k++)
                st = relate_set(w, b, l->word, set->links[k].to, set->links[k].strength * share, err);
        }
    }
    return st;
}
