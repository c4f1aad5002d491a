/* meanings_alike.c: which of the documents' words are like a word of a query. */
#include "rank/meanings_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define LEAST_ALIKE 0.25f /* cosine below which words have nothing to do with each other */
#define MOST_ALIKE  0.9f  /* of words that are not the same */
#define WIDEST      200u  /* distinct words that one word of a query may stand for */
#define MOST_KEPT   1024u /* words in a list that is kept */
#define SAMPLE      16u   /* documents of a word, to see how many pass a filter */
#define PARTLY      0.6f  /* how alike a word of a term is to the term */

static size_t step_of(float value)
{
    return value < 1 ? (size_t)(value * MEANINGS_STEPS) : MEANINGS_STEPS - 1;
}

void meanings_count_steps(const float *values, size_t n, uint32_t counts[MEANINGS_STEPS])
{
    for (size_t i = 0; i < n; i++)
        if (values[i] > 0)
            counts[step_of(values[i])]++;
}

double meanings_least_of(const uint32_t counts[MEANINGS_STEPS], size_t most)
{
    size_t above = 0, step = MEANINGS_STEPS;
    while (step > 0 && (above == 0 || above + counts[step - 1] <= most))
        above += counts[--step];
    return (double)step / MEANINGS_STEPS;
}

float meanings_step_with(const uint32_t counts[MEANINGS_STEPS], size_t wanted)
{
    size_t above = 0, step = MEANINGS_STEPS;
    while (step > 0 && above < wanted)
        above += counts[--step];
    return (float)step / MEANINGS_STEPS;
}

const uint32_t *meanings_relations(const struct meanings *x, const char *folded, uint32_t word, size_t *n)
{
    static const char *const endings[][2] = {{"ies", "y"}, {"s", ""},  {"es", ""}, {"ing", ""},
                                             {"ing", "e"}, {"ed", ""}, {"ed", "e"}};
    size_t len = strlen(folded);
    const uint32_t *found = word == LEXICON_NONE ? NULL : lexicon_relations(x->lexicon, word, n);
    for (size_t i = 0; i < sizeof endings / sizeof *endings && (!found || !*n) && len <= LEXICON_MAX_WORD; i++) {
        char form[LEXICON_MAX_WORD + 2];
        size_t end = strlen(endings[i][0]);
        if (len <= end + 1 || strcmp(folded + len - end, endings[i][0]) != 0)
            continue;
        memcpy(form, folded, len - end);
        strcpy(form + len - end, endings[i][1]);
        uint32_t base = lexicon_find(x->lexicon, form, strlen(form));
        found = base == LEXICON_NONE ? NULL : lexicon_relations(x->lexicon, base, n);
    }
    if (!found)
        *n = 0;
    return found;
}

/* The entry of a relation + 1; 0: no document ever had the word. */
static uint32_t related_entry(const struct meanings *x, uint32_t relation)
{
    size_t len;
    char text[LEXICON_MAX_WORD + 1];
    const char *w = lexicon_word(x->lexicon, LEXICON_RELATED(relation), &len);
    memcpy(text, w, len);
    text[len] = '\0';
    return meanings_entry(x, text);
}

static void make_alike(struct scratch *m, uint32_t entry, float score)
{
    if (score <= 0)
        return;
    if (m->alike[entry] <= 0)
        m->words[m->n_words++] = entry;
    m->alike[entry] = fmaxf(m->alike[entry], score);
}

/* Those of a group of words whose vectors are near: the cosines are `scale` times theirs times dots[]. */
static void compare_group(const struct meanings *x, uint32_t at, float scale, struct scratch *m)
{
    float cosines[MEANINGS_GROUP];
    const float *scales = x->words.scales + at;
    const int32_t *dots = m->dots + at;
    for (size_t i = 0; i < MEANINGS_GROUP; i++)
        cosines[i] = scale * scales[i] * (float)dots[i];
    uint32_t bits = meanings_within(cosines, LEAST_ALIKE, INFINITY);
    if (x->n_known - at < MEANINGS_GROUP)
        bits &= (1u << (x->n_known - at)) - 1;
    while (bits) {
        uint32_t i = meanings_next_bit(&bits);
        make_alike(m, x->known[at + i], cosines[i] < MOST_ALIKE ? cosines[i] : MOST_ALIKE);
    }
}

/* By vector, by stem, and by what the lexicon tells. */
static void compare_all(const struct meanings *x, const struct text_term *t, struct scratch *m)
{
    _Alignas(64) int8_t codes[WORDS_STRIDE];
    int32_t sum;
    size_t n_relations = 0;
    uint64_t stem = XXH3_64bits(t->stem, strlen(t->stem));
    uint32_t word = lexicon_find(x->lexicon, t->folded, strlen(t->folded));
    const uint32_t *relations = meanings_relations(x, t->folded, word, &n_relations);
    float scale = meanings_codes(x, word, codes, &sum);
    if (scale > 0)
        x->kernels->dot_i8(x->words.codes, x->words.sums, x->n_known, WORDS_STRIDE, codes, 1, m->dots);
    for (uint32_t at = 0; at < x->n_known && scale > 0; at += MEANINGS_GROUP)
        compare_group(x, at, scale, m);
    for (uint32_t at = meanings_next_of_stem(x, stem, 0); at; at = meanings_next_of_stem(x, stem, at))
        make_alike(m, at - 1, 1);
    for (size_t i = 0; relations && i < n_relations; i++) {
        uint32_t at = related_entry(x, relations[i]);
        if (at)
            make_alike(m, at - 1, LEXICON_STRENGTH(relations[i]));
    }
}

/* What the WIDEST best of the words that are alike score at least. */
static float least_alike(const struct scratch *m)
{
    uint32_t counts[MEANINGS_STEPS] = {0};
    for (uint32_t i = 0; i < m->n_words; i++)
        meanings_count_steps(&m->alike[m->words[i]], 1, counts);
    return (float)meanings_least_of(counts, WIDEST);
}

/* The words that are alike, of at least this score; forgets all. */
static enum status take_alike(struct scratch *m, float least, struct arena *a, struct alike_list *out,
                              struct error *err)
{
    out->items = arena_room(a, m->n_words + 1u, sizeof *out->items);
    for (uint32_t i = 0; i < m->n_words; i++) {
        float *score = &m->alike[m->words[i]];
        if (out->items && *score >= least)
            out->items[out->n++] = (struct alike){m->words[i], *score};
        *score = 0;
    }
    m->n_words = 0;
    return out->items ? OK : err_no_memory(err, "the documents' words");
}

static int by_entry(const void *a, const void *b)
{
    const struct alike *x = a, *y = b;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

static enum status compare(const struct meanings *x, const struct text_term *t, struct scratch *m, struct arena *a,
                           struct alike_list *out, struct error *err)
{
    compare_all(x, t, m);
    enum status st = take_alike(m, m->n_words > WIDEST ? least_alike(m) : 0, a, out, err);
    if (out->n)
        qsort(out->items, out->n, sizeof *out->items, by_entry); /* as documents have them */
    return st;
}

/* A list as it is kept: good as long as there are no more words than when it was made. */
struct kept {
    uint32_t of, n;
    struct alike items[MOST_KEPT];
};

enum status meanings_alike(const struct meanings *x, const struct text_term *t, struct scratch *m, struct arena *a,
                           struct alike_list *out, struct error *err)
{
    struct kept kept;
    size_t size, len = strlen(t->folded);
    *out = (struct alike_list){0};
    if (!lru_get(x->alike, t->stem, t->folded, len, &kept, sizeof kept, &size) || kept.of != x->n) {
        enum status st = compare(x, t, m, a, out, err);
        if (st != OK || out->n > MOST_KEPT)
            return st;
        kept.of = x->n;
        kept.n = out->n;
        memcpy(kept.items, out->items, out->n * sizeof *out->items);
        lru_put(x->alike, t->stem, t->folded, len, &kept, offsetof(struct kept, items) + kept.n * sizeof *kept.items);
        return OK;
    }
    out->n = kept.n;
    out->items = arena_room(a, kept.n + 1u, sizeof *out->items);
    if (!out->items)
        return err_no_memory(err, "the documents' words");
    memcpy(out->items, kept.items, kept.n * sizeof *kept.items);
    return OK;
}

enum status meanings_alike_term(const struct meanings *x, const struct text_term *words, size_t n, uint32_t entry,
                                uint32_t word, struct scratch *m, struct arena *a, struct alike_list *out,
                                struct error *err)
{
    struct alike_list alike[WORDS_MAX_TERM];
    enum status st = OK;
    *out = (struct alike_list){0};
    for (size_t k = 0; k < n && st == OK; k++)
        st = meanings_alike(x, &words[k], m, a, &alike[k], err);
    if (st != OK)
        return st;
    for (size_t k = 0; k < n; k++)
        for (uint32_t i = 0; i < alike[k].n; i++)
            make_alike(m, alike[k].items[i].entry, PARTLY * alike[k].items[i].score);
    size_t n_relations = 0;
    const uint32_t *relations = word == LEXICON_NONE ? NULL : lexicon_relations(x->lexicon, word, &n_relations);
    for (size_t i = 0; relations && i < n_relations; i++) {
        uint32_t at = related_entry(x, relations[i]);
        if (at)
            make_alike(m, at - 1, LEXICON_STRENGTH(relations[i]));
    }
    if (entry)
        make_alike(m, entry - 1, 1);
    return take_alike(m, 0, a, out, err);
}

/* How many of the documents that have a word pass, by a sample of them. */
static uint32_t count_passing(const struct meanings *x, const struct entry *e, const struct label_test *passing)
{
    uint32_t n = e->n < SAMPLE ? e->n : SAMPLE, pass = 0;
    for (uint32_t i = 0; i < n; i++)
        pass += label_passes(passing, x->slots[POSTING_OF(e->postings[(uint64_t)i * e->n / n])].id);
    return n ? (uint32_t)((uint64_t)e->n * pass / n) : 0;
}

void meanings_alike_enough(const struct meanings *x, const struct label_test *passing, size_t enough,
                           struct alike_list *list)
{
    uint32_t counts[MEANINGS_STEPS], kept = 0;
    size_t all = 0;
    for (uint32_t i = 0; i < list->n; i++)
        all += x->entries[list->items[i].entry].n;
    if (all <= enough)
        return;
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct entry *e = &x->entries[list->items[i].entry];
        counts[step_of(list->items[i].score)] += passing ? count_passing(x, e, passing) : e->n;
    }
    float least = meanings_step_with(counts, enough);
    for (uint32_t i = 0; i < list->n; i++)
        if (list->items[i].score >= least)
            list->items[kept++] = list->items[i];
    list->n = kept;
}
