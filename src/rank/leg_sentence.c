/* leg_sentence.c: by what a document is called and said to be, as a model of sentences understands it: how alike the
 * query is to its most alike phrase, a title or a keyword, and to all of them together, the mean of both. The one knows
 * that "let's get a beer" has a beer in it, the other what the picture is about. 0 is as unlike as texts are that have
 * nothing to do with each other, 1 the same. */
#include "rank/leg.h"

#include "base/os.h"
#include "base/utf8.h"
#include "text/text.h"

#include <stdlib.h>

#define MAX_TEXT 2048u /* bytes of a query, */
#define MAX_READ 128u  /* and characters of it that a model reads: its work grows with them */
#define EXACT    0.5   /* added where a phrase is the query: nothing that is only alike comes before it */

static double sentence_trust(const struct rank_sources *s, const struct rank_query *q)
{
    return leg_model_trust(&s->models[LEG_sentence], q);
}

static int best_first(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    return a->score != b->score ? (a->score < b->score) - (a->score > b->score) : (a->id > b->id) - (a->id < b->id);
}

/* How many documents each way of looking is asked for: the same for all pages up to a depth, so that these fit
 * together. */
static size_t depth_of(size_t end, size_t count)
{
    size_t depth = 256;
    while (depth < end + end / 4 && depth < VECTORS_MAX_K)
        depth *= 4;
    depth = depth < VECTORS_MAX_K ? depth : VECTORS_MAX_K;
    return depth < count ? depth : count ? count : 1;
}

/* A cosine as the leg's score. */
static double score_of(const struct rank_model *m, double cosine)
{
    return (cosine - m->unlike) / (1 - m->unlike);
}

static enum status join(const struct rank_model *m, const float *query, const struct phrase_hit *phrases, size_t n,
                        struct arena *a, struct leg_hits *out, struct error *err)
{
    int64_t *ids = arena_array(a, n + 1, sizeof *ids);
    float *wholes = arena_array(a, n + 1, sizeof *wholes);
    out->items = arena_array(a, n + 1, sizeof *out->items);
    if (!ids || !wholes || !out->items)
        return err_no_memory(err, "%zu results", n);
    for (size_t i = 0; i < n; i++)
        ids[i] = phrases[i].id;
    enum status st = vectors_compare(m->vectors, query, ids, n, wholes, err);
    for (size_t i = 0; i < n && st == OK; i++) {
        if (wholes[i] <= VECTORS_NO_SCORE)
            continue; /* it is being encoded */
        double own = (double)phrases[i].whole, whole = (double)wholes[i];
        whole = phrases[i].whole > PHRASES_NO_WHOLE ? (whole + own) / 2 : whole;
        double cosine = ((double)phrases[i].score + whole) / 2;
        double score = score_of(m, cosine) + (phrases[i].exact ? EXACT : 0);
        out->items[out->n++] = (struct ranked){.id = ids[i], .score = score};
    }
    return st;
}

/* Who is alike as a whole has a phrase that is: so phrases alone tell who is looked at. */
static enum status nearest(const struct rank_sources *s, const struct rank_query *q, const float *vector, size_t depth,
                           struct arena *a, struct leg_hits *out, struct error *err)
{
    const struct rank_model *m = &s->models[LEG_sentence];
    struct phrase_hit *phrases;
    size_t n;
    struct phrase_query ask = {.vector = vector,
                               .unlike = m->unlike,
                               .text = q->text,
                               .text_len = q->text_len,
                               .language = q->language,
                               .passing = q->passing,
                               .most = depth,
                               .also = q->also,
                               .n_also = q->n_also};
    int64_t began_us = os_monotonic_us();
    enum status st = phrases_search(m->phrases, &ask, a, &phrases, &n, err);
    if (st == OK)
        st = join(m, vector, phrases, n, a, out, err);
    if (st == OK && !q->n_also)
        qsort(out->items, out->n, sizeof *out->items, best_first);
    int64_t us = os_monotonic_us() - began_us;
    if (s->times)
        metric_observe(&s->times->nearest, us);
    metric_part_add(METRIC_MODEL, us);
    return st;
}

/* Of emoji and other signs a model of sentences knows nothing, though it has a vector for them. */
static bool has_words(const char *text, size_t len)
{
    for (uint32_t cp; len;) {
        size_t n = utf8_decode(text, len, &cp);
        if (utf8_kind(cp) == UTF8_LETTER || utf8_kind(cp) == UTF8_NUMBER)
            return true;
        text += n;
        len -= n;
    }
    return false;
}

/* The documents alone. */
static enum status alike(const struct rank_sources *s, const struct rank_query *q, size_t limit, size_t offset,
                         struct arena *a, struct leg_hits *out, struct error *err)
{
    enum status st = leg_model_hits(s, LEG_sentence, q, limit, offset, a, out, err);
    for (size_t i = 0; i < out->n && st == OK; i++)
        out->items[i].score = score_of(&s->models[LEG_sentence], out->items[i].score);
    return st;
}

enum status leg_sentence_text(const struct rank_query *q, struct arena *a, struct rank_query *asked,
                              struct rank_query *read, struct error *err)
{
    *asked = *q;
    enum status st = text_lower(q->text, q->text_len, MAX_TEXT, a, &asked->text, &asked->text_len, err);
    if (st == OK && !has_words(asked->text, asked->text_len))
        st = err_set(err, ERR_NOT_FOUND, "there is no word in it");
    *read = *asked;
    if (st == OK)
        read->text_len = utf8_prefix(asked->text, asked->text_len, MAX_READ);
    return st;
}

static enum status sentence_hits(const struct rank_sources *s, const struct rank_query *q, size_t limit, size_t offset,
                                 struct arena *a, struct leg_hits *out, struct error *err)
{
    const struct rank_model *m = &s->models[LEG_sentence];
    struct rank_query asked, read;
    *out = (struct leg_hits){0};
    if (q->like || !m->phrases)
        return alike(s, q, limit, offset, a, out, err);
    size_t count = vectors_count(m->vectors), end = offset + limit;
    float *vector = arena_array(a, encoder_dim(m->encoder), sizeof *vector);
    if (!vector)
        return err_no_memory(err, "a vector");
    enum status st = leg_sentence_text(q, a, &asked, &read, err);
    if (st == OK)
        st = leg_model_embed(s, m, &read, vector, err);
    if (st == ERR_NOT_FOUND) { /* the model knows nothing of the text */
        out->silent = true;
        return OK;
    }
    if (st == OK)
        st = nearest(s, &asked, vector, depth_of(end, count), a, out, err);
    if (st != OK)
        return st;
    if (!q->n_also && out->n > VECTORS_MAX_K)
        out->n = VECTORS_MAX_K; /* as many as `total` tells of */
    out->items += offset < out->n ? offset : out->n;
    out->n = offset < out->n ? out->n - offset : 0;
    out->n = q->n_also || out->n < limit ? out->n : limit;
    out->total = (int64_t)(count < VECTORS_MAX_K ? count : VECTORS_MAX_K);
    return OK;
}

static void sentence_prepare(const struct rank_sources *s, const struct rank_query *q)
{
    struct arena a;
    struct rank_query asked, read;
    struct error err;
    if (q->like || !s->models[LEG_sentence].phrases)
        return;
    arena_init(&a, 2 * MAX_TEXT);
    if (leg_sentence_text(q, &a, &asked, &read, &err) == OK)
        leg_model_prepare(s, &s->models[LEG_sentence], &read);
    arena_free(&a);
}

const struct leg leg_sentence = {
    .name = "sentence",
    .trust = sentence_trust,
    .hits = sentence_hits,
    .prepare = sentence_prepare,
    .ranks_all = true,
    .scale = LEG_SCALE_OWN,
};
