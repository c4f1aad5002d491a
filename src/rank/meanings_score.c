/* How well documents fit the words of a query: late interaction (Khattab and Zaharia, "ColBERT", SIGIR 2020) over
 * distinct words, and the likeness of query and document as a whole. */
#include "rank/meanings_internal.h"

#include "base/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MORE        0.15f
#define WHOLE       0.5 /* weight of the likeness as a whole */
#define GROW        8u  /* how many times as many documents are compared as a whole in the next round */
#define LEAST_SCORE 0.2 /* of a result */
#define ROWS        64u /* documents that are compared as a whole at a time */

/* --- scratch --- */

static void scratch_free(struct scratch *m)
{
    free(m->likeness);
    free(m->scores);
    free(m->marked);
    free(m->scored);
    free(m->slots);
    free(m->partial);
    free(m->dots);
    free(m->alike);
    free(m->words);
    free(m);
}

void meanings_scratch_close(struct meanings *x)
{
    for (struct scratch *m = x->scratch, *next; m; m = next) {
        next = m->next;
        scratch_free(m);
    }
    pthread_mutex_destroy(&x->scratch_lock);
}

static struct scratch *scratch_new(uint32_t words)
{
    struct scratch *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->cap_words = words;
    m->likeness = calloc(MEANINGS_BLOCK, sizeof *m->likeness);
    m->scores = calloc(MEANINGS_BLOCK, sizeof *m->scores);
    m->marked = calloc(MEANINGS_BLOCK + 1, sizeof *m->marked); /* one more, where what does not count is written */
    m->scored = calloc(MEANINGS_BLOCK + 1, sizeof *m->scored);
    m->slots = calloc(MEANINGS_BLOCK + 1, sizeof *m->slots);
    m->partial = calloc(MEANINGS_BLOCK + 1, sizeof *m->partial);
    m->dots = calloc(words, sizeof *m->dots);
    m->alike = calloc(words, sizeof *m->alike);
    m->words = calloc(words, sizeof *m->words);
    if (!m->likeness || !m->scores || !m->marked || !m->scored || !m->slots || !m->partial || !m->dots || !m->alike ||
        !m->words) {
        scratch_free(m);
        return NULL;
    }
    return m;
}

struct scratch *meanings_scratch_take(struct meanings *x)
{
    pthread_mutex_lock(&x->scratch_lock);
    struct scratch *m = x->scratch;
    if (m)
        x->scratch = m->next;
    pthread_mutex_unlock(&x->scratch_lock);
    if (m && m->cap_words >= x->n)
        return m;
    if (m)
        scratch_free(m);
    return scratch_new(x->cap);
}

void meanings_scratch_give(struct meanings *x, struct scratch *m)
{
    pthread_mutex_lock(&x->scratch_lock);
    m->next = x->scratch;
    x->scratch = m;
    pthread_mutex_unlock(&x->scratch_lock);
}

/* --- scores --- */

/* In the three functions below what is written does not depend on a branch, and what is counted stays in registers. */

/* Notes, per document of the block that has one of these words, the most alike one and the sum of all. */
static void mark_alike(const struct entry *e, float score, uint32_t from, uint32_t *seen, struct scratch *m)
{
    const float scores[] = {score * POSTING_WEIGHT(0), score * POSTING_WEIGHT(1)};
    uint32_t k = *seen, n = e->n, n_marked = m->n_marked, *marked = m->marked;
    const uint32_t *postings = e->postings;
    struct likeness *likeness = m->likeness;
    for (; k < n && POSTING_OF(postings[k]) - from < MEANINGS_BLOCK; k++) {
        uint32_t place = POSTING_OF(postings[k]) - from;
        struct likeness l = likeness[place];
        float s = scores[postings[k] % 2];
        marked[n_marked] = place;
        n_marked += l.sum <= 0;
        likeness[place] = (struct likeness){s > l.best ? s : l.best, l.sum + s};
    }
    *seen = k;
    m->n_marked = n_marked;
}

/* Adds, per document, weight times the likeness of its most alike word, and a share of what is left to 1 for its
 * other words that are alike: of many stickers with one such word each, those with several come first. */
static void add_marked(float weight, struct scratch *m)
{
    uint32_t n_scored = m->n_scored, *scored = m->scored;
    float *scores = m->scores;
    for (uint32_t i = 0, n = m->n_marked; i < n; i++) {
        uint32_t place = m->marked[i];
        struct likeness l = m->likeness[place];
        float score = scores[place], rest = MORE * (l.sum - l.best);
        scored[n_scored] = place;
        n_scored += score <= 0;
        scores[place] = score + weight * (l.best + (1 - l.best) * rest / (1 + rest));
        m->likeness[place] = (struct likeness){0};
    }
    m->n_marked = 0;
    m->n_scored = n_scored;
}

/* The documents of the block whose share of `total` is at least `least`. */
static void take_scores(uint32_t from, float total, float least, struct scratch *m)
{
    uint32_t n_slots = 0, *slots = m->slots;
    float *partial = m->partial;
    for (uint32_t i = 0, n = m->n_scored; i < n; i++) {
        uint32_t place = m->scored[i];
        float share = m->scores[place] / total;
        slots[n_slots] = from + place;
        partial[n_slots] = share;
        n_slots += share >= least;
        m->scores[place] = 0;
    }
    m->n_scored = 0;
    m->n_slots = n_slots;
}

static void score_block(const struct meanings *x, uint32_t from, const struct asked_word *words, uint32_t **seen,
                        size_t n, struct scratch *m)
{
    for (size_t w = 0; w < n; w++) {
        const struct alike_list *alike = &words[w].alike;
        for (uint32_t i = 0; i < alike->n; i++)
            mark_alike(&x->entries[alike->items[i].entry], alike->items[i].score, from, &seen[w][i], m);
        add_marked(words[w].weight, m);
    }
}

/* Of documents that share a word with the query, those that are about the same as a whole come first. */
static float with_whole(const struct subject *q, float partial, float cosine)
{
    return q->scale > 0 ? (partial + (float)WHOLE * cosine) / (1 + (float)WHOLE) : partial;
}

/* Below it no document can reach a score: what it would need if it were about the same. A step less, as numbers are
 * rounded. */
static float least_partial(const struct subject *q, double score)
{
    return (float)(q->scale > 0 ? score * (1 + WHOLE) - WHOLE : score) - 1.0f / MEANINGS_STEPS;
}

/* Compares documents with the query as a whole: cosines[n] of those in these slots, n <= ROWS. Their vectors lie
 * anywhere in memory, so they are brought together first. */
static void compare_whole(const struct meanings *x, const struct subject *q, const uint32_t *slots, size_t n,
                          float *cosines)
{
    _Alignas(64) int8_t codes[ROWS * WORDS_STRIDE] = {0};
    int32_t sums[ROWS] = {0}, dots[ROWS];
    for (size_t i = 0; i < n; i++) {
        memcpy(codes + i * WORDS_STRIDE, x->means.codes + (size_t)slots[i] * WORDS_STRIDE, WORDS_STRIDE);
        sums[i] = x->means.sums[slots[i]];
        cosines[i] = x->means.scales[slots[i]];
    }
    x->kernels->dot_i8(codes, sums, n, WORDS_STRIDE, q->codes, 1, dots);
    for (size_t i = 0; i < n; i++)
        cosines[i] = fminf(fmaxf(q->scale * cosines[i] * (float)dots[i], 0), 1);
}

/* The best of the documents looked at so far: those with a score of `least` at least. */
struct best {
    const struct label_test *passing;
    size_t most;
    double least;
    struct meaning_hit *items; /* [n] of cap, in the arena */
    double *scores;            /* [cap] to work with */
    size_t n, cap;
};

/* Room for so many more. */
static enum status best_reserve(struct best *b, size_t more, struct arena *a, struct error *err)
{
    if (b->items && more <= b->cap - b->n)
        return OK;
    size_t cap = 2 * (b->n + more);
    struct meaning_hit *items = arena_array(a, cap + 1, sizeof *items);
    b->scores = arena_array(a, cap + 1, sizeof *b->scores);
    if (!items || !b->scores)
        return err_no_memory(err, "the documents' words");
    if (b->n)
        memcpy(items, b->items, b->n * sizeof *items);
    b->items = items;
    b->cap = cap;
    return OK;
}

/* Raises `least` to the score of the `most`-th, rounded down to where meanings_least_of draws its line, and leaves out
 * what is below. */
static void best_raise(struct best *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        b->scores[i] = b->items[i].score;
    double last = b->most && b->n >= b->most ? select_greatest(b->scores, b->n, b->most) : 0;
    b->least = fmax(floor(last * MEANINGS_STEPS) / MEANINGS_STEPS, b->least);
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].score >= b->least)
            b->items[kept++] = b->items[i];
    b->n = kept;
}

/* Adds those of n documents, n <= ROWS, that are among the best so far. */
static void add_rows(const struct meanings *x, const struct subject *q, const uint32_t *slots, const float *partial,
                     size_t n, struct best *b)
{
    float cosines[ROWS] = {0};
    if (n && q->scale > 0)
        compare_whole(x, q, slots, n, cosines);
    for (size_t i = 0; i < n; i++) {
        double score = (double)with_whole(q, partial[i], cosines[i]);
        int64_t id = score >= b->least ? x->slots[slots[i]].id : 0;
        if (score >= b->least && (!b->passing || label_passes(b->passing, id)))
            b->items[b->n++] = (struct meaning_hit){id, score};
    }
}

/* Adds those of the block's documents that have at least `from`, and less than `below`, without the likeness as a
 * whole. */
static void add_span(const struct meanings *x, const struct subject *q, const struct scratch *m, float from,
                     float below, struct best *b)
{
    uint32_t slots[ROWS];
    float partial[ROWS];
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_slots; i++) {
        slots[n] = m->slots[i];
        partial[n] = m->partial[i];
        n += m->partial[i] >= from && m->partial[i] < below;
        if (n == ROWS) {
            add_rows(x, q, slots, partial, n, b);
            n = 0;
        }
    }
    add_rows(x, q, slots, partial, n, b);
    best_raise(b);
}

/* The greatest step from which on there are `wanted` documents; 0 if there are fewer. */
static float step_of(const uint32_t counts[MEANINGS_STEPS], size_t wanted)
{
    size_t above = 0, step = MEANINGS_STEPS;
    while (step > 0 && above < wanted)
        above += counts[--step];
    return (float)step / MEANINGS_STEPS;
}

/* How alike two are as a whole is a look at a far place in memory for each document. So first those of the block that
 * are the best without it; then, in rounds, more of the others, as long as it could still lift them to the best. */
static enum status add_block(const struct meanings *x, const struct subject *q, const struct scratch *m,
                             struct arena *a, struct best *b, struct error *err)
{
    uint32_t counts[MEANINGS_STEPS] = {0};
    float below = INFINITY;
    meanings_count_steps(m->partial, m->n_slots, counts);
    for (size_t wanted = b->most; below > 0 && below > least_partial(q, b->least);
         wanted = wanted > SIZE_MAX / GROW ? SIZE_MAX : wanted * GROW) {
        float from = fmaxf(step_of(counts, wanted), least_partial(q, b->least));
        if (from >= below) /* many are alike: a larger round */
            continue;
        enum status st = best_reserve(b, m->n_slots, a, err);
        if (st != OK)
            return st;
        add_span(x, q, m, from, below, b);
        below = from;
    }
    return OK;
}

static enum status find_best(const struct meanings *x, const struct subject *q, const struct asked_word *words,
                             size_t n, struct scratch *m, struct arena *a, struct best *b, struct error *err)
{
    enum status st = OK;
    uint32_t *seen[MEANINGS_MAX_QUERY];
    for (size_t w = 0; w < n; w++) {
        if (!(seen[w] = arena_array(a, words[w].alike.n + 1u, sizeof **seen)))
            return err_no_memory(err, "the documents' words");
        memset(seen[w], 0, words[w].alike.n * sizeof **seen);
    }
    for (uint32_t from = 0; from < x->n_slots && st == OK; from += MEANINGS_BLOCK) {
        score_block(x, from, words, seen, n, m);
        take_scores(from, q->total, least_partial(q, b->least), m);
        st = add_block(x, q, m, a, b, err);
    }
    return st;
}

static int meanings_by_score(const void *a, const void *b)
{
    const struct meaning_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}
/* The best first, `most` at most. */
static enum status cut_hits(struct best *b, struct arena *a, struct error *err)
{
    size_t n = 0;
    float *scores = arena_array(a, b->n + 1, sizeof *scores);
    if (!scores)
        return err_no_memory(err, "the documents' words");
    for (size_t i = 0; i < b->n; i++)
        scores[i] = (float)b->items[i].score;
    double least = meanings_least_of(scores, b->n, b->most);
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].score >= least)
            b->items[n++] = b->items[i];
    if (n)
        qsort(b->items, n, sizeof *b->items, meanings_by_score);
    b->n = n < b->most ? n : b->most;
    return OK;
}

enum status meanings_best(const struct meanings *x, const struct subject *q, const struct asked_word *words,
                          size_t n_words, const struct label_test *passing, size_t most, struct scratch *m,
                          struct arena *a, struct meaning_hit **out, size_t *n, struct error *err)
{
    struct best best = {.passing = passing, .most = most, .least = LEAST_SCORE};
    enum status st = find_best(x, q, words, n_words, m, a, &best, err);
    if (st == OK)
        st = cut_hits(&best, a, err);
    *out = best.items;
    *n = st == OK ? best.n : 0;
    return st;
}
