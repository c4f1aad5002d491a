/* How well documents fit the words of a query: late interaction (Khattab and Zaharia, "ColBERT", SIGIR 2020) over
 * distinct words, and the likeness of query and document as a whole. */
#include "rank/meanings_internal.h"

#include "base/select.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MORE        0.15f
#define WHOLE       0.5  /* weight of the likeness as a whole */
#define LEAST_SCORE 0.2  /* of a result */
#define ROUNDED     1e-4 /* more than all errors of rounding a score and its bound */
#define GROW        8u   /* how many times as many documents are compared as a whole in the next round */
#define ROWS        64u  /* documents that are compared as a whole at a time */
#define GROUP       16u  /* slots that are looked at together; a part of MEANINGS_BLOCK */
#define FEW         16u  /* numbers that are sorted by insertion */

/* --- scratch --- */

static void scratch_free(struct scratch *m)
{
    free(m->likeness);
    free(m->bounds);
    free(m->slots);
    free(m->partial);
    free(m->dots);
    free(m->alike);
    free(m->words);
    free(m->asked);
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
    m->bounds = calloc(MEANINGS_BLOCK, sizeof *m->bounds);
    m->slots = calloc(MEANINGS_SLOTS + 1, sizeof *m->slots); /* one more, where what does not count is written */
    m->partial = calloc(MEANINGS_SLOTS + 1, sizeof *m->partial);
    m->dots = calloc(words, sizeof *m->dots);
    m->alike = calloc(words, sizeof *m->alike);
    m->words = calloc(words, sizeof *m->words);
    m->asked = calloc(words, sizeof *m->asked);
    if (!m->likeness || !m->bounds || !m->slots || !m->partial || !m->dots || !m->alike || !m->words || !m->asked) {
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

/* --- documents that may be among the best --- */

/* A word that is like a word of the query. All are in the order in which likenesses are added up. */
struct member {
    const uint32_t *next, *end; /* postings that were not looked at yet */
    uint32_t likeness[2];       /* as in struct scratch, with POSTING_WEIGHT by the remainder of the posting */
    float score;
    uint32_t word;   /* of the query */
    uint32_t before; /* the member before of the same entry + 1; 0: there is none */
};
struct search {
    const struct meanings *x;
    const struct subject *subject;
    const struct asked_word *words;
    size_t n_words;
    float unit[MEANINGS_MAX_QUERY]; /* of the likenesses to each word */
    struct member *members;         /* [n_members]; scratch.asked has, by entry, its last one + 1 */
    uint32_t n_members;
    uint32_t *hits; /* [cap_hits] members that a document has, to work with */
    size_t cap_hits;
};

/* How many steps of likeness are 1, so that all sums stay below 2 to the LIKENESS_BITS: each is rounded up, and no
 * document has as many words. */
static float likeness_steps(const struct alike_list *alike)
{
    float sum = 1;
    for (uint32_t i = 0; i < alike->n; i++)
        sum += alike->items[i].score;
    return fminf(LIKENESS_STEPS, fmaxf(((float)LIKENESS_SUM - (float)alike->n) / sum, 1));
}

static void add_member(struct search *s, uint32_t word, const struct alike *one, float steps, uint32_t *asked)
{
    const struct entry *e = &s->x->entries[one->entry];
    struct member *m = &s->members[s->n_members++];
    *m = (struct member){.next = e->postings,
                         .end = e->n ? e->postings + e->n : e->postings,
                         .score = one->score,
                         .word = word,
                         .before = asked[one->entry]};
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t likeness = 1 + (uint32_t)(one->score * POSTING_WEIGHT(k) * steps);
        m->likeness[k] = likeness << LIKENESS_BITS | likeness;
    }
    asked[one->entry] = s->n_members;
}

/* Ended by search_end, in any case. */
static enum status search_begin(struct search *s, struct scratch *m, struct arena *a, struct error *err)
{
    size_t n = 0;
    for (size_t w = 0; w < s->n_words; w++)
        n += s->words[w].alike.n;
    s->members = arena_array(a, n + 1, sizeof *s->members);
    if (!s->members)
        return err_no_memory(err, "the documents' words");
    for (uint32_t w = 0; w < s->n_words; w++) {
        const struct alike_list *alike = &s->words[w].alike;
        float steps = likeness_steps(alike);
        s->unit[w] = 1 / steps;
        for (uint32_t i = 0; i < alike->n; i++)
            add_member(s, w, &alike->items[i], steps, m->asked);
    }
    return OK;
}

static void search_end(const struct search *s, struct scratch *m)
{
    for (size_t w = 0; w < s->n_words; w++)
        for (uint32_t i = 0; i < s->words[w].alike.n; i++)
            m->asked[s->words[w].alike.items[i].entry] = 0;
}

/* Notes, per document of the block that has the word, the most alike word and the sum of all. False: none has it. */
static bool mark_alike(struct member *m, uint32_t from, uint32_t *likeness)
{
    const uint32_t *at = m->next, *end = m->end, limit = POSTING(from + MEANINGS_BLOCK, true);
    for (; at < end && *at < limit; at++) {
        uint32_t *noted = &likeness[POSTING_OF(*at) - from], old = *noted, this = m->likeness[*at % 2];
        *noted = ((old > this ? old : this) & ~LIKENESS_SUM) | ((old + this) & LIKENESS_SUM);
    }
    bool any = at > m->next;
    __builtin_prefetch(at);
    m->next = at;
    return any;
}

/* The most alike word's likeness, and a share of what is left to 1 for the other words that are alike: of many
 * stickers with one such word each, those with several come first. */
static inline float likeness_of(float best, float sum)
{
    float rest = MORE * (sum - best);
    return best + (1 - best) * rest / (1 + rest);
}

/* Adds, per document of the block, weight times the likeness of its words: upper bounds, as it grows with the likeness
 * of the most alike word and with the sum. */
static void add_bounds(float weight, float unit, size_t n, uint32_t *restrict likeness, float *restrict bounds)
{
    for (size_t at = 0; at < n; at += GROUP) {
        uint32_t any = 0;
        for (size_t i = 0; i < GROUP; i++)
            any |= likeness[at + i];
        for (size_t i = 0; any && i < GROUP; i++) {
            uint32_t noted = likeness[at + i];
            float best = unit * (float)(int32_t)(noted >> LIKENESS_BITS);
            float sum = unit * (float)(int32_t)(noted & LIKENESS_SUM);
            bounds[at + i] += weight * likeness_of(best, sum);
        }
    }
    memset(likeness, 0, n * sizeof *likeness);
}

/* Adds to m->slots those of n documents whose share of `total` may be `least`, and their bounds. */
static void take_slots(uint32_t from, uint32_t n, float total, float least, struct scratch *m)
{
    uint32_t taken = m->n_slots;
    float least_bound = fmaxf(least * total, FLT_MIN);
    for (uint32_t at = 0; at < n; at += GROUP) {
        int any = 0;
        const float *bounds = m->bounds + at;
        for (size_t i = 0; i < GROUP; i++)
            any |= bounds[i] >= least_bound;
        for (uint32_t i = at; any && i < at + GROUP; i++) {
            m->slots[taken] = from + i;
            m->partial[taken] = m->bounds[i] / total;
            taken += m->bounds[i] >= least_bound;
        }
    }
    memset(m->bounds, 0, n * sizeof *m->bounds);
    m->n_slots = taken;
}

/* n slots from `from` on. */
static void bound_block(struct search *s, uint32_t from, uint32_t n, float least, struct scratch *m)
{
    for (size_t w = 0, i = 0; w < s->n_words; w++) {
        bool any = false;
        for (size_t end = i + s->words[w].alike.n; i < end; i++)
            any |= mark_alike(&s->members[i], from, m->likeness);
        if (any)
            add_bounds(s->words[w].weight, s->unit[w], n, m->likeness, m->bounds);
    }
    take_slots(from, n, s->subject->total, least, m);
}

/* --- their scores --- */

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void sort_numbers(uint32_t *v, uint32_t n)
{
    if (n > FEW)
        qsort(v, n, sizeof *v, by_number);
    for (uint32_t i = 1; i < n && n <= FEW; i++) {
        uint32_t one = v[i], k = i;
        for (; k > 0 && v[k - 1] > one; k--)
            v[k] = v[k - 1];
        v[k] = one;
    }
}

/* What the document has that is like the query's words: returns the number of hits, each twice a member, and one more
 * where the title does not have it, in their order. */
static enum status find_hits(struct search *s, const struct slot *slot, const uint32_t *asked, struct arena *a,
                             uint32_t *n, struct error *err)
{
    size_t most = slot->n * s->n_words + 1;
    uint32_t first = 0;
    if (most > s->cap_hits && !(s->hits = arena_array(a, s->cap_hits = 2 * most, sizeof *s->hits)))
        return err_no_memory(err, "the documents' words");
    for (uint32_t i = 0; i < slot->n; i++) { /* without a branch, which nobody could foretell */
        uint32_t at = asked[POSTING_OF(slot->words[i])];
        s->hits[first] = POSTING(at - 1, slot->words[i] % 2 == 0);
        first += at > 0;
    }
    *n = first;
    for (uint32_t i = 0; i < first; i++)
        for (uint32_t at = s->members[POSTING_OF(s->hits[i])].before; at; at = s->members[at - 1].before)
            s->hits[(*n)++] = POSTING(at - 1, s->hits[i] % 2 == 0);
    sort_numbers(s->hits, *n);
    return OK;
}

/* The sum of weight times likeness over the words of the query. */
static float score_hits(const struct search *s, uint32_t n)
{
    float score = 0;
    for (uint32_t i = 0; i < n;) {
        float best = 0, sum = 0;
        uint32_t word = s->members[POSTING_OF(s->hits[i])].word;
        for (; i < n && s->members[POSTING_OF(s->hits[i])].word == word; i++) {
            float one = s->members[POSTING_OF(s->hits[i])].score * POSTING_WEIGHT(s->hits[i]);
            best = one > best ? one : best;
            sum += one;
        }
        score += s->words[word].weight * likeness_of(best, sum);
    }
    return score;
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

/* Compares documents with the query as a whole: cosines[n] of those in these slots, n <= ROWS. */
static void compare_whole(const struct meanings *x, const struct subject *q, const uint32_t *slots, size_t n,
                          float *cosines)
{
    int32_t dots[ROWS];
    x->kernels->dot_i8_at(x->means.codes, x->means.sums, slots, n, WORDS_STRIDE, q->codes, dots);
    for (size_t i = 0; i < n; i++) {
        float cosine = q->scale * x->means.scales[slots[i]] * (float)dots[i];
        cosines[i] = cosine > 1 ? 1 : cosine > 0 ? cosine : 0;
    }
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

/* Room for so many more: what is no longer among the best makes it, or else twice as much is taken. */
static enum status best_reserve(struct best *b, size_t more, struct arena *a, struct error *err)
{
    if (b->items && more <= b->cap - b->n)
        return OK;
    best_raise(b);
    size_t cap = 2 * (b->n + more);
    if (cap <= b->cap)
        return OK;
    struct meaning_hit *items = arena_array(a, cap, sizeof *items);
    b->scores = arena_array(a, cap, sizeof *b->scores);
    if (!items || !b->scores)
        return err_no_memory(err, "the documents' words");
    if (b->n)
        memcpy(items, b->items, b->n * sizeof *items);
    b->items = items;
    b->cap = cap;
    return OK;
}

/* Leaves those of n documents that may be among the best so far, by their bounds, and asks for what they have. */
static size_t keep_rows(const struct search *s, const struct best *b, uint32_t *slots, const float *partial,
                        float *cosines, size_t n)
{
    size_t left = 0, kept = 0;
    for (size_t i = 0; i < n; i++)
        if ((double)with_whole(s->subject, partial[i], cosines[i]) + ROUNDED >= b->least) {
            slots[left] = slots[i];
            cosines[left++] = cosines[i];
            __builtin_prefetch(&s->x->slots[slots[i]]);
        }
    for (size_t i = 0; i < left; i++) {
        const struct slot *slot = &s->x->slots[slots[i]];
        if (b->passing && !label_passes(b->passing, slot->id))
            continue;
        slots[kept] = slots[i];
        cosines[kept++] = cosines[i];
        __builtin_prefetch(slot->words);
    }
    return kept;
}

/* Adds those of n documents, n <= ROWS, that are among the best so far. slots[n] is overwritten; partial[n] are upper
 * bounds. */
static enum status add_rows(struct search *s, const struct scratch *m, uint32_t *slots, const float *partial, size_t n,
                            struct best *b, struct arena *a, struct error *err)
{
    const struct subject *q = s->subject;
    float cosines[ROWS] = {0};
    enum status st = best_reserve(b, n, a, err);
    if (st == OK && q->scale > 0)
        compare_whole(s->x, q, slots, n, cosines);
    n = keep_rows(s, b, slots, partial, cosines, n);
    for (size_t i = 0; i < n && st == OK; i++) {
        const struct slot *slot = &s->x->slots[slots[i]];
        uint32_t n_hits = 0;
        st = find_hits(s, slot, m->asked, a, &n_hits, err);
        double score = st == OK ? (double)with_whole(q, score_hits(s, n_hits) / q->total, cosines[i]) : 0;
        if (score >= b->least)
            b->items[b->n++] = (struct meaning_hit){slot->id, score};
    }
    return st;
}

/* Adds those of the slots that have at least `from`, and less than `below`, without the likeness as a whole. */
static enum status add_span(struct search *s, const struct scratch *m, float from, float below, struct best *b,
                            struct arena *a, struct error *err)
{
    uint32_t slots[ROWS];
    float partial[ROWS];
    size_t n = 0;
    enum status st = OK;
    for (uint32_t i = 0; i < m->n_slots && st == OK; i++) {
        slots[n] = m->slots[i];
        partial[n] = m->partial[i];
        n += m->partial[i] >= from && m->partial[i] < below;
        if (n == ROWS) {
            st = add_rows(s, m, slots, partial, n, b, a, err);
            n = 0;
        }
    }
    if (st == OK)
        st = add_rows(s, m, slots, partial, n, b, a, err);
    best_raise(b);
    return st;
}

/* The greatest step from which on there are `wanted` documents; 0 if there are fewer. */
static float step_of(const uint32_t counts[MEANINGS_STEPS], size_t wanted)
{
    size_t above = 0, step = MEANINGS_STEPS;
    while (step > 0 && above < wanted)
        above += counts[--step];
    return (float)step / MEANINGS_STEPS;
}

/* How alike two are as a whole is a look at a far place in memory for each document. So first those of the slots that
 * are the best without it; then, in rounds, more of the others, as long as it could still lift them to the best. */
static enum status add_slots(struct search *s, const struct scratch *m, struct best *b, struct arena *a,
                             struct error *err)
{
    uint32_t counts[MEANINGS_STEPS] = {0};
    const struct subject *q = s->subject;
    float below = INFINITY;
    meanings_count_steps(m->partial, m->n_slots, counts);
    for (size_t wanted = b->most; below > 0 && below > least_partial(q, b->least);
         wanted = wanted > SIZE_MAX / GROW ? SIZE_MAX : wanted * GROW) {
        float from = fmaxf(step_of(counts, wanted), least_partial(q, b->least));
        if (from >= below) /* many are alike: a larger round */
            continue;
        enum status st = add_span(s, m, from, below, b, a, err);
        if (st != OK)
            return st;
        below = from;
    }
    return OK;
}

/* Bounds for all documents, block by block; scores for those that may be among the best. */
static enum status find_best(struct search *s, struct scratch *m, struct arena *a, struct best *b, struct error *err)
{
    enum status st = OK;
    uint32_t n = s->x->n_slots;
    m->n_slots = 0;
    for (uint32_t from = 0; from < n && st == OK; from += MEANINGS_BLOCK) {
        bool last = n - from <= MEANINGS_BLOCK;
        bound_block(s, from, last ? n - from : MEANINGS_BLOCK, least_partial(s->subject, b->least), m);
        if (!last && m->n_slots < MEANINGS_SLOTS - MEANINGS_BLOCK)
            continue;
        st = add_slots(s, m, b, a, err);
        m->n_slots = 0;
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
    struct search s = {.x = x, .subject = q, .words = words, .n_words = n_words};
    enum status st = search_begin(&s, m, a, err);
    if (st == OK)
        st = find_best(&s, m, a, &best, err);
    if (st == OK)
        st = cut_hits(&best, a, err);
    search_end(&s, m);
    *out = best.items;
    *n = st == OK ? best.n : 0;
    return st;
}
