/* leg_words.c: by what the documents' words mean, where there is a lexicon. */
#include "rank/leg.h"

/* The lexicon is English, and what is like a document is found by its own words. */
static double words_trust(const struct rank_sources *s, const struct rank_query *q)
{
    return s->words && !q->like && q->language == LANGUAGE_en ? 1 : 0;
}

static enum status words_hits(const struct rank_sources *s, const struct rank_query *q, size_t limit, size_t offset,
                              struct arena *a, struct leg_hits *out, struct error *err)
{
    struct meaning_hit *hits;
    size_t n;
    *out = (struct leg_hits){0};
    size_t most = limit > SIZE_MAX - offset ? SIZE_MAX : offset + limit;
    enum status st = meanings_search(s->words, q->text, q->text_len, q->passing, most, !q->fused, s->pool, a, &hits, &n,
                                     &out->corrected, err);
    if (st != OK)
        return st;
    out->total = (int64_t)n;
    out->n = n > offset ? n - offset : 0;
    out->items = arena_room(a, out->n + 1, sizeof *out->items);
    if (!out->items)
        return err_no_memory(err, "%zu results", out->n);
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = (struct ranked){.id = hits[offset + i].id, .score = hits[offset + i].score};
    return OK;
}

const struct leg leg_words = {
    .name = "words",
    .trust = words_trust,
    .hits = words_hits,
    .corrects = true,
    .scale = LEG_SCALE_OWN,
};
