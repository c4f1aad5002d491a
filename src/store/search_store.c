/* search_store.c: picks the backend by URL, and hands every call to it. */
#include "store/store_ops.h"

enum status search_store_open(const char *url, unsigned readers, struct search_store **out, struct error *err)
{
    enum status st = store_check_url(url, readers, err);
    if (st != OK)
        return st;
    return store_is_postgres(url) ? search_store_postgres_open(url, readers, out, err)
                                  : search_store_sqlite_open(url, readers, out, err);
}

void search_store_close(struct search_store *s)
{
    if (s)
        s->ops->close(s);
}

enum status search_store_ping(struct search_store *s, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->ping(s, err));
}

enum status search_store_put(struct search_store *s, const struct document *doc, const struct index_terms *terms,
                             int64_t *id, bool *changed, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->put(s, doc, terms, id, changed, err));
}

enum status search_store_delete(struct search_store *s, const char *filename, int64_t *id, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->remove(s, filename, id, err));
}

enum status search_store_get(struct search_store *s, const char *filename, struct arena *a, struct document *out,
                             struct error *err)
{
    STORE_TIMED(READ, s, s->ops->get(s, filename, a, out, err));
}

enum status search_store_count(struct search_store *s, int64_t *documents, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->count(s, documents, err));
}

enum status search_store_documents(struct search_store *s, int64_t after, size_t limit, struct arena *a,
                                   struct document **out, size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->documents(s, after, limit, a, out, n, err));
}

enum status search_store_filenames(struct search_store *s, const int64_t *ids, size_t n, struct arena *a,
                                   const char **out, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->filenames(s, ids, n, a, out, err));
}

enum status search_store_document_page(struct search_store *s, const struct document_ask *ask, struct arena *a,
                                       struct document_page *out, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->document_page(s, ask, a, out, err));
}

enum status search_store_lexical(struct search_store *s, const struct index_query *q, size_t limit, size_t offset,
                                 struct arena *a, struct search_hit **hits, size_t *n, int64_t *total,
                                 struct error *err)
{
    STORE_TIMED(READ, s, s->ops->lexical(s, q, limit, offset, a, hits, n, total, err));
}

enum status search_store_vectors_put(struct search_store *s, const char *model, size_t dim, const int64_t *document_ids,
                                     const char *const *image_sha256, const float *vectors, size_t n, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->vectors_put(s, model, dim, document_ids, image_sha256, vectors, n, err));
}

enum status search_store_vectors_page(struct search_store *s, const char *model, size_t dim, int64_t after,
                                      size_t limit, struct arena *a, struct vector_row **out, size_t *n,
                                      struct error *err)
{
    STORE_TIMED(READ, s, s->ops->vectors_page(s, model, dim, after, limit, a, out, n, err));
}

enum status search_store_vectors_count(struct search_store *s, const char *model, int64_t *vectors, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->vectors_count(s, model, vectors, err));
}

enum status search_store_vectors_progress(struct search_store *s, const char *model, struct vectors_progress *out,
                                          struct error *err)
{
    STORE_TIMED(READ, s, s->ops->vectors_progress(s, model, out, err));
}

enum status search_store_unindexed(struct search_store *s, const char *model, int64_t after, size_t limit,
                                   struct arena *a, struct document **out, size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->unindexed(s, model, after, limit, a, out, n, err));
}

enum status search_store_vector_failed(struct search_store *s, const char *model, int64_t document_id, const char *why,
                                       struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->vector_failed(s, model, document_id, why, err));
}

enum status search_store_failures_drop(struct search_store *s, const char *model, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->failures_drop(s, model, err));
}

enum status search_store_document_forget(struct search_store *s, const char *filename, int64_t *id, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->document_forget(s, filename, id, err));
}

enum status search_store_vectors_drop(struct search_store *s, const char *model, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->vectors_drop(s, model, err));
}

enum status search_store_generation(struct search_store *s, int64_t *generation, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->generation(s, generation, err));
}

enum status search_store_changes(struct search_store *s, int64_t since, size_t limit, struct arena *a,
                                 struct search_change **out, size_t *n, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->changes(s, since, limit, a, out, n, err));
}

enum status search_store_vectors_get(struct search_store *s, const char *model, size_t dim, const int64_t *document_ids,
                                     size_t n, struct arena *a, const float **out, struct error *err)
{
    STORE_TIMED(READ, s, s->ops->vectors_get(s, model, dim, document_ids, n, a, out, err));
}

enum status search_store_vectors_searchable(struct search_store *s, struct error *err)
{
    if (!s->ops->vectors_searchable)
        return err_set(err, ERR_UNSUPPORTED, "vectors are searched by the database in PostgreSQL with pgvector only");
    STORE_TIMED(READ, s, s->ops->vectors_searchable(s, err));
}

enum status search_store_vectors_index(struct search_store *s, const char *model, size_t dim, struct error *err)
{
    enum status st = search_store_vectors_searchable(s, err);
    if (st != OK)
        return st;
    STORE_TIMED(WRITE, s, s->ops->vectors_index(s, model, dim, err));
}

enum status search_store_vectors_search(struct search_store *s, const char *model, size_t dim, const float *query,
                                        size_t k, struct arena *a, struct vector_hit **out, size_t *n,
                                        struct error *err)
{
    if (!s->ops->vectors_search)
        return search_store_vectors_searchable(s, err);
    STORE_TIMED(READ, s, s->ops->vectors_search(s, model, dim, query, k, a, out, n, err));
}

enum status search_store_vectors_generation(struct search_store *s, const char *model, int64_t *generation,
                                            struct error *err)
{
    STORE_TIMED(READ, s, s->ops->vectors_generation(s, model, generation, err));
}

enum status search_store_setting_get(struct search_store *s, const char *key, struct arena *a, const char **value,
                                     struct error *err)
{
    STORE_TIMED(READ, s, s->ops->setting_get(s, key, a, value, err));
}

enum status search_store_setting_set(struct search_store *s, const char *key, const char *value, struct error *err)
{
    STORE_TIMED(WRITE, s, s->ops->setting_set(s, key, value, err));
}

void search_store_metrics(const struct search_store *s, const char *prefix, struct buf *out)
{
    store_times_write(&s->times, prefix, out);
}
