#include "vectors/vectors.h"

void vectors_close(struct vectors *v)
{
    if (v)
        v->class->close(v);
}

bool vectors_in_memory(const struct vectors *v)
{
    return v->class->put != NULL;
}

enum status vectors_put(struct vectors *v, int64_t id, const float *vector, struct error *err)
{
    return v->class->put ? v->class->put(v, id, vector, err) : OK;
}

void vectors_remove(struct vectors *v, int64_t id)
{
    if (v->class->remove)
        v->class->remove(v, id);
}

enum status vectors_refresh(struct vectors *v, struct error *err)
{
    return v->class->refresh ? v->class->refresh(v, err) : OK;
}

enum status vectors_get(struct vectors *v, int64_t id, float *out, struct error *err)
{
    return v->class->get(v, id, out, err);
}

enum status vectors_compare(struct vectors *v, const float *vector, const int64_t *ids, size_t n, float *scores,
                            struct error *err)
{
    return v->class->compare(v, vector, ids, n, scores, err);
}

enum status vectors_search(struct vectors *v, const struct vectors_query *q, struct arena *a, struct vectors_hit **hits,
                           size_t *n, struct error *err)
{
    *n = 0;
    return v->class->search(v, q, a, hits, n, err);
}

size_t vectors_count(const struct vectors *v)
{
    return v->class->count(v);
}

enum status vectors_count_passing(struct vectors *v, const struct label_test *passing,
                                  const struct sticker_filter *filter, size_t *n, struct error *err)
{
    return v->class->count_passing(v, passing, filter, n, err);
}

size_t vectors_bytes(const struct vectors *v)
{
    return v->class->bytes ? v->class->bytes(v) : 0;
}

bool vectors_can_save(const struct vectors *v)
{
    return v->class->save != NULL;
}

enum status vectors_save(struct vectors *v, const char *path, const char *tag, int64_t generation, struct error *err)
{
    return v->class->save(v, path, tag, generation, err);
}

bool vectors_wants_sort(const struct vectors *v)
{
    return v->class->wants_sort && v->class->wants_sort(v);
}

enum status vectors_sort(struct vectors *v, const char *path, const char *tag, int64_t generation,
                         const struct vectors_stop *stop, struct error *err)
{
    return v->class->sort(v, path, tag, generation, stop, err);
}

void vectors_tend(struct vectors *v)
{
    if (v->class->tend)
        v->class->tend(v);
}

void vectors_accuracy(const struct vectors *v, struct vectors_accuracy *out)
{
    *out = (struct vectors_accuracy){.recall_10 = 1, .recall_200 = 1};
    if (v->class->accuracy)
        v->class->accuracy(v, out);
}
