/* phrases_explain.c: which phrase of one document a query is most alike. The same comparison as phrases_search's, for
 * the phrases of that document alone. */
#include "rank/phrases_internal.h"

static bool is_looked_at(const struct phrase_query *q, unsigned language)
{
    return language == LANGUAGE_OTHER || language == LANGUAGE_en || language == q->language;
}

static enum status best_locked(const struct phrases *p, const struct phrase_query *q, int64_t id, struct arena *a,
                               struct phrase_best *out, struct error *err)
{
    const struct phrase_owner *o = id >= 0 && (size_t)id < p->end ? p->owners[id] : NULL;
    const struct phrase *best = NULL;
    int8_t *codes = arena_array(a, p->stride, 1);
    if (!codes)
        return err_no_memory(err, "a vector");
    float scale = scan_quantize(q->vector, p->dim, p->stride, codes).scale;
    for (uint32_t i = 0; o && i < o->n; i++) {
        const struct phrase_list *l = &p->lists[o->refs[i].language];
        uint32_t number = o->refs[i].number;
        int32_t dot;
        if (!is_looked_at(q, o->refs[i].language) || l->scales[number] <= 0)
            continue;
        p->kernels->dot_i8(l->codes + number * p->stride, l->sums + number, 1, p->stride, codes, 1, &dot);
        float score = phrases_find(l, q->text, q->text_len) == number + 1 ? 1 : scale * l->scales[number] * (float)dot;
        if (best && score <= out->score)
            continue;
        best = &l->phrases[number];
        *out = (struct phrase_best){.language = o->refs[i].language, .score = score};
    }
    if (!best)
        return err_set(err, ERR_NOT_FOUND, "document %lld has no phrase with a vector", (long long)id);
    out->text = arena_strndup(a, best->text, best->len);
    return out->text ? OK : err_no_memory(err, "a phrase");
}

enum status phrases_best(struct phrases *p, const struct phrase_query *q, int64_t id, struct arena *a,
                         struct phrase_best *out, struct error *err)
{
    *out = (struct phrase_best){0};
    pthread_rwlock_rdlock(&p->lock);
    enum status st = best_locked(p, q, id, a, out, err);
    pthread_rwlock_unlock(&p->lock);
    return st;
}
