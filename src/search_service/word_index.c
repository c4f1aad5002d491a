#include "search_service/word_index.h"

#include "index/scan.h"
#include "text/text.h"
#include "words/lexicon.h"
#include "words/spelling.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define STRIDE      128u /* LEXICON_DIM, filled up for the kernels */
#define MAX_QUERY   32u  /* words of a query, and */
#define MAX_TERMS   512u /* of a document, that count */
#define PAGE        1000u
#define LEAST_ALIKE 0.35f /* cosine below which words have nothing to do with each other */
#define MORE        0.15f
#define SYNONYM     0.9f
#define LEAST_SCORE 0.2 /* of a result */

struct posting {
    uint32_t slot;
    float weight; /* 1 for the title's words, a little less for the others */
};
struct entry {
    char *word; /* folded */
    uint64_t stem;
    uint32_t lexicon; /* LEXICON_NONE */
    uint32_t n, cap;
    struct posting *postings;
};
struct slot {
    int64_t id; /* 0: free */
    uint32_t n, *entries;
};

struct word_index {
    pthread_rwlock_t lock;
    struct lexicon *lexicon;
    struct search_store *store;
    const struct scan_kernels *kernels;
    struct entry *entries; /* never removed, as words come back */
    int8_t *codes;         /* [n][STRIDE] */
    int32_t *sums;
    float *scales;
    uint32_t n, cap, n_documents;
    uint32_t *table, table_size; /* entry + 1 by the hash of its word; a power of two */
    struct slot *slots;          /* sorted by nothing; found by place_of */
    uint32_t n_slots, cap_slots;
    uint32_t *places, places_size; /* slot + 1 by the hash of its id; freed slots stay and are used again */
};

static enum status no_memory(struct error *err)
{
    return err_set(err, ERR_NO_MEMORY, "no memory for the documents' words");
}

/* --- distinct words --- */

static uint32_t *entry_place(struct word_index *x, const char *word)
{
    uint32_t at = (uint32_t)XXH3_64bits(word, strlen(word)) & (x->table_size - 1);
    while (x->table[at] && strcmp(x->entries[x->table[at] - 1].word, word) != 0)
        at = (at + 1) & (x->table_size - 1);
    return &x->table[at];
}

static bool grow_entries(struct word_index *x)
{
    uint32_t cap = x->cap ? 2 * x->cap : 4096, size = 4 * cap;
    struct entry *entries = realloc(x->entries, cap * sizeof *entries);
    x->entries = entries ? entries : x->entries;
    int32_t *sums = realloc(x->sums, cap * sizeof *sums);
    x->sums = sums ? sums : x->sums;
    float *scales = realloc(x->scales, cap * sizeof *scales);
    x->scales = scales ? scales : x->scales;
    int8_t *codes = realloc(x->codes, (size_t)cap * STRIDE);
    x->codes = codes ? codes : x->codes;
    uint32_t *table = calloc(size, sizeof *table);
    if (!entries || !sums || !scales || !codes || !table) {
        free(table);
        return false;
    }
    free(x->table);
    x->table = table;
    x->table_size = size;
    x->cap = cap;
    for (uint32_t i = 0; i < x->n; i++)
        *entry_place(x, x->entries[i].word) = i + 1;
    return true;
}

static float read_codes(const struct word_index *x, uint32_t word, int8_t codes[STRIDE], int32_t *sum)
{
    float scale = 0;
    *sum = 0;
    memset(codes, 0, STRIDE);
    if (word == LEXICON_NONE)
        return 0;
    memcpy(codes, lexicon_codes(x->lexicon, word, &scale), LEXICON_DIM);
    for (size_t i = 0; i < LEXICON_DIM; i++)
        *sum += codes[i] = codes[i] == -128 ? -127 : codes[i];
    return scale;
}

static struct entry *take_entry(struct word_index *x, const struct text_term *t)
{
    if (x->n == x->cap && !grow_entries(x))
        return NULL;
    uint32_t *place = entry_place(x, t->folded);
    if (!*place) {
        struct entry *e = &x->entries[x->n];
        *e = (struct entry){.word = strdup(t->folded), .stem = XXH3_64bits(t->stem, strlen(t->stem))};
        if (!e->word)
            return NULL;
        e->lexicon = lexicon_find(x->lexicon, t->folded, strlen(t->folded));
        x->scales[x->n] = read_codes(x, e->lexicon, x->codes + (size_t)x->n * STRIDE, &x->sums[x->n]);
        *place = ++x->n;
    }
    return &x->entries[*place - 1];
}

/* --- documents --- */

static uint32_t *place_of(struct word_index *x, int64_t id)
{
    uint32_t at = (uint32_t)XXH3_64bits(&id, sizeof id) & (x->places_size - 1);
    while (x->places[at] && x->slots[x->places[at] - 1].id != id)
        at = (at + 1) & (x->places_size - 1);
    return &x->places[at];
}

static bool grow_slots(struct word_index *x)
{
    uint32_t cap = x->cap_slots ? 2 * x->cap_slots : 4096, size = 4 * cap;
    struct slot *slots = realloc(x->slots, cap * sizeof *slots);
    x->slots = slots ? slots : x->slots;
    uint32_t *places = calloc(size, sizeof *places);
    if (!slots || !places) {
        free(places);
        return false;
    }
    free(x->places);
    x->places = places;
    x->places_size = size;
    x->cap_slots = cap;
    for (uint32_t i = 0; i < x->n_slots; i++)
        *place_of(x, x->slots[i].id) = i + 1;
    return true;
}

/* The document stays in its slot without words: an id is never given to another. */
static void clear_slot(struct word_index *x, uint32_t number)
{
    struct slot *s = &x->slots[number];
    for (uint32_t i = 0; i < s->n; i++) {
        struct entry *e = &x->entries[s->entries[i]];
        uint32_t kept = 0;
        for (uint32_t k = 0; k < e->n; k++)
            if (e->postings[k].slot != number)
                e->postings[kept++] = e->postings[k];
        e->n = kept;
    }
    x->n_documents -= s->n > 0;
    s->n = 0;
}

static bool add_posting(struct word_index *x, uint32_t number, const struct text_term *t, float weight)
{
    struct entry *e = take_entry(x, t);
    if (!e)
        return false;
    if (e->n && e->postings[e->n - 1].slot == number)
        return true;
    if (e->n == e->cap) {
        uint32_t cap = e->cap ? 2 * e->cap : 4;
        struct posting *postings = realloc(e->postings, cap * sizeof *postings);
        if (!postings)
            return false;
        e->postings = postings;
        e->cap = cap;
    }
    e->postings[e->n++] = (struct posting){number, weight};
    x->slots[number].entries[x->slots[number].n++] = (uint32_t)(e - x->entries);
    return true;
}

static bool put_terms(struct word_index *x, int64_t id, const struct text_terms *terms, size_t n_title)
{
    if (x->n_slots == x->cap_slots && !grow_slots(x))
        return false;
    uint32_t *place = place_of(x, id);
    if (!*place) {
        x->slots[x->n_slots] = (struct slot){.id = id};
        *place = ++x->n_slots;
    }
    uint32_t number = *place - 1;
    clear_slot(x, number);
    uint32_t *entries = realloc(x->slots[number].entries, (terms->count + 1) * sizeof *entries);
    if (!entries)
        return false;
    x->slots[number].entries = entries;
    bool ok = true;
    for (size_t i = 0; i < terms->count && ok; i++)
        ok = terms->items[i].is_emoji || add_posting(x, number, &terms->items[i], i < n_title ? 1 : 0.95f);
    x->n_documents += x->slots[number].n > 0;
    return ok;
}

enum status word_index_put(struct word_index *x, const struct document *doc, struct error *err)
{
    struct arena a;
    struct text_terms title, all;
    const char *text;
    size_t len;
    if (!x)
        return OK;
    arena_init(&a, 8u << 20);
    enum status st = document_text(doc, &a, &text, &len, err);
    if (st == OK)
        st = text_analyze(doc->title, strlen(doc->title), MAX_TERMS, &a, &title, err);
    if (st == OK)
        st = text_analyze(text, len, MAX_TERMS, &a, &all, err);
    if (st == OK) {
        pthread_rwlock_wrlock(&x->lock);
        if (!put_terms(x, doc->id, &all, title.count))
            st = no_memory(err);
        pthread_rwlock_unlock(&x->lock);
    }
    arena_free(&a);
    return st;
}

void word_index_remove(struct word_index *x, int64_t id)
{
    if (!x)
        return;
    pthread_rwlock_wrlock(&x->lock);
    uint32_t place = x->places_size ? *place_of(x, id) : 0;
    if (place)
        clear_slot(x, place - 1);
    pthread_rwlock_unlock(&x->lock);
}

static enum status read_all(struct word_index *x, struct search_store *store, struct error *err)
{
    struct arena a;
    struct document *docs;
    size_t n = 0;
    int64_t after = 0;
    enum status st;
    arena_init(&a, 1u << 30);
    do {
        arena_reset(&a);
        st = search_store_documents(store, after, PAGE, &a, &docs, &n, err);
        for (size_t i = 0; i < n && st == OK; i++)
            st = word_index_put(x, &docs[i], err);
        after = st == OK && n ? docs[n - 1].id : after;
    } while (st == OK && n == PAGE);
    arena_free(&a);
    return st;
}

enum status word_index_open(const char *path, struct search_store *store, struct word_index **out, struct error *err)
{
    struct word_index *x = *out = calloc(1, sizeof *x);
    if (!x)
        return no_memory(err);
    pthread_rwlock_init(&x->lock, NULL);
    x->store = store;
    x->kernels = scan_available()[0];
    enum status st = lexicon_open(path, &x->lexicon, err);
    if (st == OK && (!grow_entries(x) || !grow_slots(x)))
        st = no_memory(err);
    if (st == OK)
        st = read_all(x, store, err);
    if (st != OK) {
        word_index_close(x);
        *out = NULL;
    }
    return st;
}

void word_index_close(struct word_index *x)
{
    if (!x)
        return;
    for (uint32_t i = 0; i < x->n; i++) {
        free(x->entries[i].word);
        free(x->entries[i].postings);
    }
    for (uint32_t i = 0; i < x->n_slots; i++)
        free(x->slots[i].entries);
    free(x->entries);
    free(x->codes);
    free(x->sums);
    free(x->scales);
    free(x->table);
    free(x->slots);
    free(x->places);
    lexicon_close(x->lexicon);
    pthread_rwlock_destroy(&x->lock);
    free(x);
}

/* --- searching --- */

/* The library's word nearest to one that nobody knows, the more frequent of two; NULL: none is near. */
static const char *correct(const struct word_index *x, const char *word)
{
    size_t len = strlen(word);
    unsigned allowed = spelling_allowed(len), best = allowed + 1;
    const struct entry *found = NULL;
    for (uint32_t i = 0; i < x->n && allowed; i++) {
        const struct entry *e = &x->entries[i];
        unsigned d = e->n ? spelling_distance(word, len, e->word, strlen(e->word), allowed) : allowed + 1;
        if (d < best || (d == best && found && e->n > found->n)) {
            best = d;
            found = e;
        }
    }
    return found ? found->word : NULL;
}

/* In any language of the library, too. */
static bool is_in_store(const struct word_index *x, const char *word, struct arena *a)
{
    struct index_query q;
    struct search_hit *hits;
    size_t n;
    int64_t total;
    return text_query(word, strlen(word), LANGUAGE_en, false, a, &q, NULL) != OK ||
           search_store_lexical(x->store, &q, 1, 0, a, &hits, &n, &total, NULL) != OK || n > 0;
}

static bool is_known(const struct word_index *x, const struct text_term *t)
{
    uint64_t stem = XXH3_64bits(t->stem, strlen(t->stem));
    for (uint32_t i = 0; i < x->n; i++)
        if (x->entries[i].n && (x->entries[i].stem == stem || strcmp(x->entries[i].word, t->folded) == 0))
            return true;
    return lexicon_find(x->lexicon, t->folded, strlen(t->folded)) != LEXICON_NONE;
}

/* How alike each distinct word is to t, 0..1. */
static void compare_all(const struct word_index *x, const struct text_term *t, int32_t *dots, float *alike)
{
    _Alignas(64) int8_t codes[STRIDE];
    int32_t sum;
    size_t n_synonyms = 0;
    uint64_t stem = XXH3_64bits(t->stem, strlen(t->stem));
    uint32_t word = lexicon_find(x->lexicon, t->folded, strlen(t->folded));
    const uint32_t *synonyms = word == LEXICON_NONE ? NULL : lexicon_synonyms(x->lexicon, word, &n_synonyms);
    float scale = read_codes(x, word, codes, &sum);
    x->kernels->dot_i8(x->codes, x->sums, x->n, STRIDE, codes, 1, dots);
    for (uint32_t i = 0; i < x->n; i++) {
        float cosine = scale * x->scales[i] * (float)dots[i];
        alike[i] = x->entries[i].stem == stem ? 1 : cosine < LEAST_ALIKE ? 0 : cosine < SYNONYM ? cosine : SYNONYM;
    }
    for (size_t i = 0; i < n_synonyms; i++) { /* both lists are short or sorted: a synonym is looked up by its word */
        size_t len;
        char text[LEXICON_MAX_WORD + 1];
        const char *w = lexicon_word(x->lexicon, synonyms[i], &len);
        memcpy(text, w, len);
        text[len] = '\0';
        uint32_t at = *entry_place((struct word_index *)(uintptr_t)x, text);
        if (at && alike[at - 1] < SYNONYM)
            alike[at - 1] = SYNONYM;
    }
}

/* Adds, per document, weight times the likeness of its most alike word, and a share of what is left to 1 for its
 * other words that are alike: of many stickers with one such word each, those with several come first. */
static void add_word(const struct word_index *x, const float *alike, double weight, float *best, float *sums,
                     double *scores)
{
    for (uint32_t i = 0; i < x->n; i++)
        for (uint32_t k = 0; alike[i] > 0 && k < x->entries[i].n; k++) {
            struct posting p = x->entries[i].postings[k];
            float s = alike[i] * p.weight;
            best[p.slot] = s > best[p.slot] ? s : best[p.slot];
            sums[p.slot] += s;
        }
    for (uint32_t i = 0; i < x->n_slots; i++) {
        if (sums[i] <= 0)
            continue;
        float more = 1 - expf(-MORE * (sums[i] - best[i]));
        scores[i] += weight * (double)(best[i] + (1 - best[i]) * more);
        best[i] = sums[i] = 0;
    }
}

static double rarity(const struct word_index *x, const float *alike)
{
    double df = 0;
    for (uint32_t i = 0; i < x->n; i++)
        df += alike[i] >= 1 ? x->entries[i].n : 0;
    return log(1 + (x->n_documents + 0.5) / (df + 0.5));
}

static int by_score(const void *a, const void *b)
{
    const struct word_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Words that text_query leaves out say nothing about a picture. */
static bool counts(const struct index_query *q, const struct text_term *t)
{
    for (size_t i = 0; i < q->n_stems; i++)
        if (strcmp(q->stems[i], t->stem) == 0)
            return true;
    return false;
}

static enum status put_right(const struct word_index *x, struct text_terms *terms, struct arena *a,
                             const char **corrected, struct error *err)
{
    bool changed = false;
    char *text = arena_strdup(a, "");
    for (size_t i = 0; i < terms->count && text; i++) {
        struct text_term *t = &terms->items[i];
        const char *word = t->is_emoji || t->is_run || is_known(x, t) ? NULL : correct(x, t->folded);
        if (word && is_in_store(x, t->spelled, a))
            word = NULL;
        changed |= word != NULL;
        text = arena_printf(a, "%s%s%s", text, i ? " " : "", word ? word : t->spelled);
    }
    if (!text)
        return no_memory(err);
    *corrected = changed ? text : NULL;
    return changed ? text_analyze(text, strlen(text), MAX_QUERY, a, terms, err) : OK;
}

/* What one search needs per word and per document; too much for a request's arena when there are millions. */
struct scratch {
    double *scores;     /* [n_slots], the result */
    float *best, *sums; /* [n_slots] of the word at hand */
    float *alike;       /* [n] */
    int32_t *dots;      /* [n] */
};

static bool scratch_open(struct scratch *m, const struct word_index *x)
{
    size_t words = x->n + 1u, slots = x->n_slots + 1u;
    m->scores = calloc(1, slots * (sizeof *m->scores + sizeof *m->best + sizeof *m->sums) +
                              words * (sizeof *m->alike + sizeof *m->dots));
    if (!m->scores)
        return false;
    m->best = (float *)(void *)(m->scores + slots);
    m->sums = m->best + slots;
    m->alike = m->sums + slots;
    m->dots = (int32_t *)(void *)(m->alike + words);
    return true;
}

static void score_all(const struct word_index *x, const struct index_query *q, const struct text_terms *terms,
                      struct scratch *m)
{
    double total = 0;
    for (size_t i = 0; i < terms->count; i++) {
        if (terms->items[i].is_emoji || !counts(q, &terms->items[i]))
            continue;
        compare_all(x, &terms->items[i], m->dots, m->alike);
        double weight = rarity(x, m->alike);
        add_word(x, m->alike, weight, m->best, m->sums, m->scores);
        total += weight;
    }
    for (uint32_t i = 0; i < x->n_slots && total > 0; i++)
        m->scores[i] /= total;
}

static enum status collect(const struct word_index *x, const double *scores, struct arena *a, struct word_hit **out,
                           size_t *n, struct error *err)
{
    size_t found = 0;
    for (uint32_t i = 0; i < x->n_slots; i++)
        found += scores[i] >= LEAST_SCORE;
    if (!(*out = arena_array(a, found + 1, sizeof **out)))
        return no_memory(err);
    for (uint32_t i = 0; i < x->n_slots; i++)
        if (scores[i] >= LEAST_SCORE)
            (*out)[(*n)++] = (struct word_hit){x->slots[i].id, scores[i]};
    return OK;
}

enum status word_index_search(struct word_index *x, const char *text, size_t len, struct arena *a,
                              struct word_hit **out, size_t *n, const char **corrected, struct error *err)
{
    struct text_terms terms;
    struct index_query q;
    struct scratch scratch = {0};
    *n = 0;
    *corrected = NULL;
    enum status st = text_analyze(text, len, MAX_QUERY, a, &terms, err);
    if (st != OK)
        return st;
    pthread_rwlock_rdlock(&x->lock);
    st = put_right(x, &terms, a, corrected, err);
    if (st == OK)
        st = text_query(*corrected ? *corrected : text, *corrected ? strlen(*corrected) : len, LANGUAGE_en, false, a,
                        &q, err);
    if (st == OK && !scratch_open(&scratch, x))
        st = no_memory(err);
    if (st == OK) {
        score_all(x, &q, &terms, &scratch);
        st = collect(x, scratch.scores, a, out, n, err);
    }
    pthread_rwlock_unlock(&x->lock);
    free(scratch.scores);
    if (*n)
        qsort(*out, *n, sizeof **out, by_score);
    return st;
}
