/* How well documents fit the words of a query: late interaction (Khattab and Zaharia, "ColBERT", SIGIR 2020) over
 * distinct words, and the likeness of query and document as a whole. */
#include "rank/meanings_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MORE        0.15f
#define WHOLE       0.5 /* weight of the likeness as a whole */
#define LEAST_SCORE 0.2 /* of a result */
#define GROW        8u  /* how many times as many documents are compared as a whole in the next round */
#define ROWS        64u /* documents that are compared as a whole at a time */
#define GROUP       MEANINGS_GROUP

/* --- scratch --- */

static void scratch_free(struct scratch *m)
{
    free(m->likeness);
    free(m->scores);
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
    m->slots = calloc(MEANINGS_SLOTS, sizeof *m->slots);
    m->partial = calloc(MEANINGS_SLOTS + GROUP, sizeof *m->partial);
    m->dots = calloc(words, sizeof *m->dots);
    m->alike = calloc(words, sizeof *m->alike);
    m->words = calloc(words, sizeof *m->words);
    if (!m->likeness || !m->scores || !m->slots || !m->partial || !m->dots || !m->alike || !m->words) {
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

/* --- documents that have words like those of the query --- */

/* A word that is like a word of the query. */
struct member {
    const uint32_t *next, *end; /* postings that were not looked at yet */
    float likeness[2];          /* with POSTING_WEIGHT, by the remainder of the posting */
};
struct search {
    const struct meanings *x;
    const struct subject *subject;
    const struct asked_word *words;
    size_t n_words;
    struct member *members; /* of the first word, then of the second and so on */
};

static enum status search_begin(struct search *s, struct arena *a, struct error *err)
{
    size_t n = 0;
    for (size_t w = 0; w < s->n_words; w++)
        n += s->words[w].alike.n;
    struct member *m = s->members = arena_room(a, n + 1, sizeof *s->members);
    if (!m)
        return err_no_memory(err, "the documents' words");
    for (size_t w = 0; w < s->n_words; w++)
        for (uint32_t i = 0; i < s->words[w].alike.n; i++, m++) {
            const struct alike *one = &s->words[w].alike.items[i];
            const struct entry *e = &s->x->entries[one->entry];
            *m = (struct member){.next = e->postings,
                                 .end = e->n ? e->postings + e->n : e->postings,
                                 .likeness = {one->score * POSTING_WEIGHT(0), one->score * POSTING_WEIGHT(1)}};
            __builtin_prefetch(e->postings);
        }
    return OK;
}

/* Notes, per document of the block that has the word, the most alike word and the sum of all. False: none has it. */
static bool mark_alike(struct member *m, uint32_t from, struct likeness *likeness)
{
    const uint32_t *at = m->next, *end = m->end, limit = POSTING(from + MEANINGS_BLOCK, true);
    for (; at < end && *at < limit; at++) {
        struct likeness *l = &likeness[POSTING_OF(*at) - from];
        float this = m->likeness[*at % 2];
        l->best = l->best > this ? l->best : this;
        l->sum += this;
    }
    bool any = at > m->next;
    __builtin_prefetch(at);
    m->next = at;
    return any;
}

/* Adds, per document of the block, weight times the likeness of its words: that of the most alike one, and a share of
 * what is left to 1 for the others: of many stickers with one such word each, those with several come first. */
static void add_scores(float weight, size_t n, struct likeness *restrict likeness, float *restrict scores)
{
    for (size_t at = 0; at < n; at += GROUP) {
        int any = 0;
        for (size_t i = 0; i < GROUP; i++)
            any |= likeness[at + i].sum > 0;
        for (size_t i = 0; any && i < GROUP; i++) {
            float best = likeness[at + i].best, rest = MORE * (likeness[at + i].sum - best);
            scores[at + i] += weight * (best + (1 - best) * rest / (1 + rest));
        }
    }
    memset(likeness, 0, n * sizeof *likeness);
}

/* Adds to m->slots those of n documents whose share of `total` is at least `least`, and that. */
static void take_slots(uint32_t from, uint32_t n, float total, float least, struct scratch *m)
{
    uint32_t taken = m->n_slots;
    float least_score = fmaxf(least * total, FLT_MIN);
    for (uint32_t at = 0; at < n; at += GROUP)
        for (uint32_t bits = meanings_within(m->scores + at, least_score, INFINITY); bits; taken++) {
            uint32_t i = at + meanings_next_bit(&bits);
            m->slots[taken] = from + i;
            m->partial[taken] = m->scores[i] / total;
        }
    for (uint32_t i = 0; i < GROUP; i++)
        m->partial[taken + i] = -1;
    memset(m->scores, 0, n * sizeof *m->scores);
    m->n_slots = taken;
}

/* n slots from `from` on. */
static void score_block(struct search *s, uint32_t from, uint32_t n, float least, struct scratch *m)
{
    struct member *member = s->members;
    for (size_t w = 0; w < s->n_words; w++) {
        bool any = false;
        for (const struct member *end = member + s->words[w].alike.n; member < end; member++)
            any |= mark_alike(member, from, m->likeness);
        if (any)
            add_scores(s->words[w].weight, n, m->likeness, m->scores);
    }
    take_slots(from, n, s->subject->total, least, m);
}

/* --- their likeness as a whole --- */

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
        cosine = cosine < 1 ? cosine : 1;
        cosines[i] = cosine > 0 ? cosine : 0;
    }
}

/* The best of the documents looked at so far: those with a score of `least` at least, and some others. */
struct best {
    const struct label_test *passing;
    size_t most;
    double least;
    uint32_t counts[MEANINGS_STEPS]; /* by score, from `least` on */
    struct meaning_hit *items;       /* [n] of cap, in the arena */
    size_t n, cap;
};

/* The greatest step from which on there are `wanted` documents; 0 if there are fewer. */
static float step_of(const uint32_t counts[MEANINGS_STEPS], size_t wanted)
{
    size_t above = 0, step = MEANINGS_STEPS;
    while (step > 0 && above < wanted)
        above += counts[--step];
    return (float)step / MEANINGS_STEPS;
}

/* Raises `least` to the step of the `most`-th, once there are as many. */
static void best_raise(struct best *b)
{
    if (b->n >= b->most)
        b->least = fmax(step_of(b->counts, b->most), b->least);
}

/* Leaves out what is below a score. */
static void best_cut(struct best *b, double least)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].score >= least)
            b->items[kept++] = b->items[i];
    b->n = kept;
}

/* Room for so many more: what is no longer among the best makes it, or else twice as much is taken. */
static enum status best_reserve(struct best *b, size_t more, struct arena *a, struct error *err)
{
    if (more <= b->cap - b->n)
        return OK;
    best_raise(b);
    best_cut(b, b->least);
    size_t cap = 2 * (b->n + more);
    if (cap <= b->cap)
        return OK;
    struct meaning_hit *items = arena_room(a, cap, sizeof *items);
    if (!items)
        return err_no_memory(err, "the documents' words");
    if (b->n)
        memcpy(items, b->items, b->n * sizeof *items);
    b->items = items;
    b->cap = cap;
    return OK;
}

/* Adds those of n documents, n <= ROWS, that are among the best so far. */
static enum status add_rows(const struct search *s, const uint32_t *slots, const float *partial, size_t n,
                            struct best *b, struct arena *a, struct error *err)
{
    float cosines[ROWS];
    enum status st = best_reserve(b, n, a, err);
    if (st != OK)
        return st;
    compare_whole(s->x, s->subject, slots, n, cosines);
    for (size_t i = 0; i < n; i++) {
        float score = with_whole(s->subject, partial[i], cosines[i]);
        if ((double)score < b->least)
            continue;
        int64_t id = s->x->slots[slots[i]].id;
        if (b->passing && !label_passes(b->passing, id))
            continue;
        b->items[b->n++] = (struct meaning_hit){id, (double)score};
        meanings_count_steps(&score, 1, b->counts);
    }
    return OK;
}

/* Adds those of the slots that have at least `from`, and less than `below`, without the likeness as a whole. */
static enum status add_span(const struct search *s, const struct scratch *m, float from, float below, struct best *b,
                            struct arena *a, struct error *err)
{
    uint32_t slots[ROWS];
    float partial[ROWS];
    size_t n = 0;
    enum status st = OK;
    for (uint32_t at = 0; at < m->n_slots && st == OK; at += GROUP) {
        for (uint32_t bits = meanings_within(m->partial + at, from, below); bits; n++) {
            uint32_t i = at + meanings_next_bit(&bits);
            slots[n] = m->slots[i];
            partial[n] = m->partial[i];
        }
        if (n > ROWS - GROUP) {
            st = add_rows(s, slots, partial, n, b, a, err);
            n = 0;
        }
    }
    if (st == OK)
        st = add_rows(s, slots, partial, n, b, a, err);
    best_raise(b);
    return st;
}

/* How alike two are as a whole is a look at a far place in memory for each document. So first those of the slots that
 * are the best without it; then, in rounds, more of the others, as long as it could still lift them to the best. */
static enum status add_slots(const struct search *s, const struct scratch *m, struct best *b, struct arena *a,
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

/* What all documents have of the words, block by block; the likeness as a whole of those that may be among the best. */
static enum status find_best(struct search *s, struct scratch *m, struct arena *a, struct best *b, struct error *err)
{
    enum status st = OK;
    uint32_t n = s->x->n_slots;
    m->n_slots = 0;
    for (uint32_t from = 0; from < n && st == OK; from += MEANINGS_BLOCK) {
        bool last = n - from <= MEANINGS_BLOCK;
        score_block(s, from, last ? n - from : MEANINGS_BLOCK, least_partial(s->subject, b->least), m);
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

/* `most` at most, the best first if that is asked for. */
static void cut_hits(struct best *b, bool in_order)
{
    if (b->n > b->most)
        best_cut(b, meanings_least_of(b->counts, b->most));
    if (b->n && (in_order || b->n > b->most))
        qsort(b->items, b->n, sizeof *b->items, meanings_by_score);
    b->n = b->n < b->most ? b->n : b->most;
}

enum status meanings_best(const struct meanings *x, const struct subject *q, const struct asked_word *words,
                          size_t n_words, const struct label_test *passing, size_t most, bool in_order,
                          struct scratch *m, struct arena *a, struct meaning_hit **out, size_t *n, struct error *err)
{
    struct best best = {.passing = passing, .most = most, .least = LEAST_SCORE};
    struct search s = {.x = x, .subject = q, .words = words, .n_words = n_words};
    enum status st = search_begin(&s, a, err);
    if (st == OK)
        st = find_best(&s, m, a, &best, err);
    if (st == OK)
        cut_hits(&best, in_order);
    *out = best.items;
    *n = st == OK ? best.n : 0;
    return st;
}
