/* phrases_search.c: every phrase of the languages asked for is compared with the query; a document's score is that of
 * its best phrase. */
#include "rank/phrases_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LISTS   3u   /* those of the query's language, of English, of none */
#define BUCKETS 512u /* of cosines, for finding how far down to look */
#define NONE    (-2.0f)
#define ALIKE   0.9999f /* the most for a phrase that is not the query itself */

struct scanned {
    unsigned language;
    const struct phrase_list *list;
    float *scores; /* [list->n]; NONE: no vector yet */
};

struct search {
    struct phrases *p;
    const struct phrase_query *q;
    int8_t *codes; /* the query's vector, by `scale` */
    float scale;
    struct scanned lists[LISTS];
    size_t n_lists;
    float *best;             /* [p->end] by document: its score, or NONE */
    struct phrase_hit *hits; /* [n] */
    size_t n;
};

/* --- scores of phrases --- */

static float score_of(const struct search *s, const struct phrase_list *l, uint32_t number, int32_t dot)
{
    float cosine = s->scale * l->scales[number] * (float)dot;
    return l->scales[number] <= 0 ? NONE : cosine < ALIKE ? cosine : ALIKE;
}

static bool scan_list(struct search *s, unsigned language, struct arena *a)
{
    const struct phrase_list *l = &s->p->lists[language];
    int32_t *dots = arena_array(a, l->n + 1u, sizeof *dots);
    float *scores = arena_array(a, l->n + 1u, sizeof *scores);
    if (!dots || !scores)
        return false;
    if (l->n)
        s->p->kernels->dot_i8(l->codes, l->sums, l->n, s->p->stride, s->codes, 1, dots);
    for (uint32_t i = 0; i < l->n; i++)
        scores[i] = score_of(s, l, i, dots[i]);
    uint32_t exact = phrases_find(l, s->q->text, s->q->text_len);
    if (exact)
        scores[exact - 1] = 1;
    s->lists[s->n_lists++] = (struct scanned){language, l, scores};
    return true;
}

static bool scan_lists(struct search *s, struct arena *a)
{
    s->codes = arena_array(a, s->p->stride, 1);
    if (!s->codes)
        return false;
    s->scale = scan_quantize(s->q->vector, s->p->dim, s->p->stride, s->codes).scale;
    unsigned language = s->q->language;
    atomic_fetch_add_explicit(&s->p->lists[language].asked, 1, memory_order_relaxed);
    return scan_list(s, LANGUAGE_OTHER, a) && scan_list(s, LANGUAGE_en, a) &&
           (language == LANGUAGE_OTHER || language == LANGUAGE_en || scan_list(s, language, a));
}

/* --- scores of documents --- */

static unsigned bucket_of(float score)
{
    int bucket = (int)((score + 1) * (BUCKETS / 2));
    return bucket < 0 ? 0 : bucket >= (int)BUCKETS ? BUCKETS - 1 : (unsigned)bucket;
}

/* The lowest bucket to look at for so many phrases of documents. */
static unsigned lowest_bucket(const struct search *s, size_t most)
{
    size_t counts[BUCKETS] = {0}, sum = 0;
    for (size_t k = 0; k < s->n_lists; k++)
        for (uint32_t i = 0; i < s->lists[k].list->n; i++)
            if (s->lists[k].scores[i] > NONE)
                counts[bucket_of(s->lists[k].scores[i])] += s->lists[k].list->phrases[i].n;
    unsigned bucket = BUCKETS - 1;
    while (bucket > 0 && (sum += counts[bucket]) < most)
        bucket--;
    return bucket;
}

static void add_hit(struct search *s, int64_t id)
{
    if (!s->q->passing || label_passes(s->q->passing, id))
        s->hits[s->n++] = (struct phrase_hit){.id = id};
}

static void find_from(struct search *s, unsigned lowest)
{
    float least = lowest ? (float)lowest / (BUCKETS / 2) - 1 : nextafterf(NONE, 0);
    for (size_t k = 0; k < s->n_lists; k++) {
        const struct scanned *l = &s->lists[k];
        for (uint32_t i = 0; i < l->list->n; i++) {
            if (l->scores[i] < least)
                continue;
            const struct phrase *phrase = &l->list->phrases[i];
            for (uint32_t d = 0; d < phrase->n; d++) {
                float *best = &s->best[phrase->documents[d]];
                if (*best <= NONE)
                    add_hit(s, phrase->documents[d]);
                *best = l->scores[i] > *best ? l->scores[i] : *best;
            }
        }
    }
}

/* Guesses that a document has two phrases among the best, and looks further down where it has more, or where few
 * pass. */
static void find_best(struct search *s)
{
    size_t most = s->q->most < s->p->n_documents ? s->q->most : s->p->n_documents, phrases = 2 * most;
    unsigned lowest = lowest_bucket(s, phrases);
    for (find_from(s, lowest); s->n < most && lowest > 0; find_from(s, lowest))
        lowest = lowest_bucket(s, phrases *= 4);
}

/* Of a document that is not among the best. */
static void find_also(struct search *s, int64_t id)
{
    const struct phrase_owner *o = id >= 0 && (size_t)id < s->p->end ? s->p->owners[id] : NULL;
    if (!o || s->best[id] > NONE)
        return;
    for (uint32_t i = 0; i < o->n; i++)
        for (size_t k = 0; k < s->n_lists; k++)
            if (s->lists[k].language == o->refs[i].language && s->lists[k].scores[o->refs[i].number] > s->best[id])
                s->best[id] = s->lists[k].scores[o->refs[i].number];
    if (s->best[id] > NONE)
        add_hit(s, id);
}

/* The length of the mean of n vectors of unit length follows from how alike they are: a document's phrases are taken to
 * be halfway between the same and unlike. */
static float whole_of(const struct search *s, int64_t id)
{
    const struct phrase_owner *o = s->p->owners[id];
    const struct scanned *own = &s->lists[s->n_lists - 1];
    double sum = 0, n = 0, alike = (1 + s->q->unlike) / 2;
    for (uint32_t i = 0; i < o->n && own->language != LANGUAGE_en; i++)
        if (o->refs[i].language == own->language && own->scores[o->refs[i].number] > NONE) {
            sum += (double)own->scores[o->refs[i].number];
            n++;
        }
    return n > 0 ? (float)(sum / n / sqrt(1 / n + (1 - 1 / n) * alike)) : PHRASES_NO_WHOLE;
}

static enum status search_locked(struct search *s, struct arena *a, struct phrase_hit **out, size_t *n,
                                 struct error *err)
{
    s->best = arena_array(a, s->p->end + 1, sizeof *s->best);
    s->hits = arena_array(a, s->p->n_documents + 1, sizeof *s->hits);
    if (!s->best || !s->hits || !scan_lists(s, a))
        return err_no_memory(err, "the scores of %zu documents", s->p->n_documents);
    for (size_t i = 0; i < s->p->end; i++)
        s->best[i] = NONE;
    find_best(s);
    for (size_t i = 0; i < s->q->n_also; i++)
        find_also(s, s->q->also[i]);
    for (size_t i = 0; i < s->n; i++) {
        s->hits[i].score = s->best[s->hits[i].id];
        s->hits[i].exact = s->hits[i].score > ALIKE;
        s->hits[i].whole = whole_of(s, s->hits[i].id);
    }
    *out = s->hits;
    *n = s->n;
    return OK;
}

enum status phrases_search(struct phrases *p, const struct phrase_query *q, struct arena *a, struct phrase_hit **out,
                           size_t *n, struct error *err)
{
    struct search s = {.p = p, .q = q};
    *n = 0;
    pthread_rwlock_rdlock(&p->lock);
    enum status st = search_locked(&s, a, out, n, err);
    pthread_rwlock_unlock(&p->lock);
    return st;
}
