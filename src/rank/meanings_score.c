/* How well documents fit the words of a query: late interaction (Khattab and Zaharia, "ColBERT", SIGIR 2020) over
 * distinct words, and the likeness of query and document as a whole. */
#include "rank/meanings_internal.h"

#include "base/wide.h"

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
#define SHARE       (16 * MEANINGS_BLOCK) /* slots that a thread takes at a time */
#define KEPT_HITS   65536u /* from one search to the next: those of the algorithm `words` can be many more */

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
    free(m->hits);
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
    if (m->cap_hits > KEPT_HITS) {
        free(m->hits);
        m->hits = NULL;
        m->cap_hits = 0;
    }
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
    const struct label_test *passing;
    size_t most;
    atomic_uint_fast32_t next; /* slot that no thread has taken yet */
};

/* The best of the documents that one thread looked at so far: those with a score of `least` at least, and some others.
 */
struct best {
    struct search *s;       /* shared */
    struct member *members; /* of the first word, then of the second and so on */
    struct scratch *m;
    double least;
    uint32_t counts[MEANINGS_STEPS]; /* by score, from `least` on */
    size_t n;                        /* of m->hits */
    bool out_of_memory;
};

static enum status best_begin(struct best *b, struct search *s, struct scratch *scratch, struct arena *a,
                              struct error *err)
{
    size_t n = 0;
    for (size_t w = 0; w < s->n_words; w++)
        n += s->words[w].alike.n;
    struct member *m = arena_room(a, n + 1, sizeof *m);
    *b = (struct best){.s = s, .members = m, .m = scratch, .least = LEAST_SCORE};
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

/* The first posting of `least` or more: in steps that double (Bentley and Yao, "An almost optimal algorithm for
 * unbounded searching", 1976), as what other threads took lies between. */
static const uint32_t *skip_to(const uint32_t *at, const uint32_t *end, uint32_t least)
{
    size_t step = 1;
    if (at == end || *at >= least)
        return at;
    for (; (size_t)(end - at) > step && at[step] < least; step *= 2)
        at += step;
    for (; step; step /= 2)
        if ((size_t)(end - at) > step && at[step] < least)
            at += step;
    return at + 1;
}

/* Notes, per document of the block that has the word, the most alike word and the sum of all. False: none has it. */
static bool mark_alike(struct member *m, uint32_t from, struct likeness *likeness)
{
    const uint32_t *end = m->end, limit = POSTING(from + MEANINGS_BLOCK, true);
    const uint32_t *at = m->next = skip_to(m->next, end, POSTING(from, true));
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
WIDE static void add_scores(float weight, size_t n, struct likeness *restrict likeness, float *restrict scores)
{
    for (size_t at = 0; at < n; at += GROUP)
        for (size_t i = at; i < at + GROUP; i++) { /* a known number, for whole vectors */
            float best = likeness[i].best, rest = MORE * (likeness[i].sum - best);
            scores[i] += weight * (best + (1 - best) * rest / (1 + rest));
        }
    memset(likeness, 0, n * sizeof *likeness);
}

/* Adds to m->slots those of n documents whose share of `total` is at least `least`, and that. */
WIDE static void take_slots(uint32_t from, uint32_t n, float total, float least, struct scratch *m)
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
static void score_block(struct best *b, uint32_t from, uint32_t n, float least)
{
    const struct search *s = b->s;
    struct scratch *m = b->m;
    struct member *member = b->members;
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

/* Raises `least` to the step of the `most`-th, once there are as many. */
static void best_raise(struct best *b)
{
    if (b->n >= b->s->most)
        b->least = fmax(meanings_step_with(b->counts, b->s->most), b->least);
}

/* Leaves out those of n hits that are below a score; returns how many are left. */
static size_t cut_hits(struct meaning_hit *hits, size_t n, double least)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (hits[i].score >= least)
            hits[kept++] = hits[i];
    return kept;
}

/* Room for so many more: what is no longer among the best makes it, or else twice as much is taken. */
static bool best_reserve(struct best *b, size_t more)
{
    struct scratch *m = b->m;
    if (more <= m->cap_hits - b->n)
        return true;
    best_raise(b);
    b->n = cut_hits(m->hits, b->n, b->least);
    size_t cap = 2 * (b->n + more);
    if (cap <= m->cap_hits)
        return true;
    struct meaning_hit *hits = realloc(m->hits, cap * sizeof *hits);
    if (!hits)
        return false;
    m->hits = hits;
    m->cap_hits = cap;
    return true;
}

/* Adds those of n documents, n <= ROWS, that are among the best so far. */
static void add_rows(struct best *b, const uint32_t *slots, const float *partial, size_t n)
{
    const struct search *s = b->s;
    float cosines[ROWS];
    if (!best_reserve(b, n)) {
        b->out_of_memory = true;
        return;
    }
    compare_whole(s->x, s->subject, slots, n, cosines);
    for (size_t i = 0; i < n; i++) {
        float score = with_whole(s->subject, partial[i], cosines[i]);
        if ((double)score < b->least)
            continue;
        int64_t id = s->x->slots[slots[i]].id;
        if (s->passing && !label_passes(s->passing, id))
            continue;
        b->m->hits[b->n++] = (struct meaning_hit){id, (double)score};
        meanings_count_steps(&score, 1, b->counts);
    }
}

/* Adds those of the slots that have at least `from`, and less than `below`, without the likeness as a whole. */
static void add_span(struct best *b, float from, float below)
{
    const struct scratch *m = b->m;
    uint32_t slots[ROWS];
    float partial[ROWS];
    size_t n = 0;
    for (uint32_t at = 0; at < m->n_slots; at += GROUP) {
        for (uint32_t bits = meanings_within(m->partial + at, from, below); bits; n++) {
            uint32_t i = at + meanings_next_bit(&bits);
            slots[n] = m->slots[i];
            partial[n] = m->partial[i];
        }
        if (n > ROWS - GROUP) {
            add_rows(b, slots, partial, n);
            n = 0;
        }
    }
    add_rows(b, slots, partial, n);
    best_raise(b);
}

/* How alike two are as a whole is a look at a far place in memory for each document. So first those of the slots that
 * are the best without it; then, in rounds, more of the others, as long as it could still lift them to the best. */
static void add_slots(struct best *b)
{
    struct scratch *m = b->m;
    uint32_t counts[MEANINGS_STEPS] = {0};
    const struct subject *q = b->s->subject;
    float below = INFINITY;
    meanings_count_steps(m->partial, m->n_slots, counts);
    for (size_t wanted = b->s->most; below > 0 && below > least_partial(q, b->least);
         wanted = wanted > SIZE_MAX / GROW ? SIZE_MAX : wanted * GROW) {
        float from = fmaxf(meanings_step_with(counts, wanted), least_partial(q, b->least));
        if (from >= below) /* many are alike: a larger round */
            continue;
        add_span(b, from, below);
        below = from;
    }
    m->n_slots = 0;
}

/* What documents have of the words, block by block; the likeness as a whole of those that may be among the best. One of
 * several threads, which share the slots. */
static void find_best(void *arg, size_t thread)
{
    struct best *b = (struct best *)arg + thread;
    struct search *s = b->s;
    uint32_t n = s->x->n_slots, taken;
    b->m->n_slots = 0;
    while ((taken = (uint32_t)atomic_fetch_add(&s->next, SHARE)) < n)
        for (uint32_t from = taken, end = n - taken < SHARE ? n : taken + SHARE; from < end; from += MEANINGS_BLOCK) {
            score_block(b, from, end - from < MEANINGS_BLOCK ? end - from : MEANINGS_BLOCK,
                        least_partial(s->subject, b->least));
            if (b->m->n_slots >= MEANINGS_SLOTS - MEANINGS_BLOCK)
                add_slots(b);
        }
    add_slots(b);
}

static int meanings_by_score(const void *a, const void *b)
{
    const struct meaning_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Makes one list of what all threads found: `most` at most, the best first if that is asked for. */
static enum status join_best(const struct best *parts, size_t n_parts, size_t most, bool in_order, struct arena *a,
                             struct meaning_hit **out, size_t *n, struct error *err)
{
    uint32_t counts[MEANINGS_STEPS] = {0};
    size_t all = 0, at = 0;
    for (size_t i = 0; i < n_parts; i++)
        all += parts[i].n;
    struct meaning_hit *hits = *out = arena_room(a, all + 1, sizeof *hits);
    if (!hits)
        return err_no_memory(err, "the documents' words");
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].out_of_memory)
            return err_no_memory(err, "the documents' words");
        if (parts[i].n)
            memcpy(hits + at, parts[i].m->hits, parts[i].n * sizeof *hits);
        at += parts[i].n;
        for (size_t k = 0; k < MEANINGS_STEPS; k++)
            counts[k] += parts[i].counts[k];
    }
    if (all > most)
        all = cut_hits(hits, all, meanings_least_of(counts, most));
    if (all && (in_order || all > most))
        qsort(hits, all, sizeof *hits, meanings_by_score);
    *n = all < most ? all : most;
    return OK;
}

enum status meanings_best(struct meanings *x, const struct subject *q, const struct asked_word *words, size_t n_words,
                          const struct label_test *passing, size_t most, bool in_order, struct pool *pool,
                          struct scratch *m, struct arena *a, struct meaning_hit **out, size_t *n, struct error *err)
{
    struct search s = {.x = x, .subject = q, .words = words, .n_words = n_words, .passing = passing, .most = most};
    struct scratch *another;
    size_t wanted = 1 + x->n_slots / SHARE, threads = 1;
    wanted = wanted < pool_width(pool) ? wanted : pool_width(pool);
    struct best *parts = arena_room(a, wanted, sizeof *parts);
    enum status st = parts ? best_begin(parts, &s, m, a, err) : err_no_memory(err, "the documents' words");
    while (st == OK && threads < wanted && (another = meanings_scratch_take(x)) != NULL)
        st = best_begin(&parts[threads++], &s, another, a, err);
    if (st == OK) {
        pool_for(pool, threads, find_best, parts);
        st = join_best(parts, threads, most, in_order, a, out, n, err);
    }
    while (threads > 1)
        meanings_scratch_give(x, parts[--threads].m);
    return st;
}
