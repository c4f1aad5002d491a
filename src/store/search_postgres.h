/* search_postgres.h: the search store on PostgreSQL, between its files; private to src/store. */
#ifndef PEEL_STORE_SEARCH_POSTGRES_H
#define PEEL_STORE_SEARCH_POSTGRES_H

#include "store/db.h"
#include "store/store_ops.h"

struct search_postgres {
    struct search_store base;
    struct db *db;
};
static inline struct db *search_db(struct search_store *s)
{
    return ((struct search_postgres *)s)->db;
}

/* search_store_postgres.c: runs a job while no other writes, in any process. So changes become visible in the order of
 * their numbers, and what a job has read is still so when it writes. */
enum status search_postgres_write(struct search_store *s, enum db_durability durability, db_job *job, void *arg,
                                  struct error *err) MUST_CHECK;

/* search_vectors_postgres.c */
extern __typeof__(search_store_vectors_put) search_postgres_vectors_put;
extern __typeof__(search_store_vectors_page) search_postgres_vectors_page;
extern __typeof__(search_store_vectors_count) search_postgres_vectors_count;
extern __typeof__(search_store_vectors_progress) search_postgres_vectors_progress;
extern __typeof__(search_store_unindexed) search_postgres_unindexed;
extern __typeof__(search_store_vector_failed) search_postgres_vector_failed;
extern __typeof__(search_store_failures_drop) search_postgres_failures_drop;
extern __typeof__(search_store_document_forget) search_postgres_document_forget;
extern __typeof__(search_store_vectors_drop) search_postgres_vectors_drop;
extern __typeof__(search_store_vectors_generation) search_postgres_vectors_generation;
/* Inside a job: forgets a document's vectors and failures, for all models, and counts their generations up. */
enum status search_postgres_vectors_forget(struct db_conn *c, int64_t document_id, struct error *err) MUST_CHECK;

/* Reads columns document_id and vector; a row of another size makes r fail with ERR_CORRUPT. */
void search_postgres_read_vector(struct db_rows *r, const char *model, size_t dim, struct arena *a,
                                 struct vector_row *out);

/* Inside a job: the row of a model, made on first use; its generation grows by `by`. */
enum status search_postgres_touch_model(struct db_conn *c, const char *model, int64_t by, int64_t *id,
                                        struct error *err) MUST_CHECK;

/* search_pgvector_postgres.c */
extern __typeof__(search_store_vectors_searchable) search_postgres_vectors_searchable;
extern __typeof__(search_store_vectors_index) search_postgres_vectors_index;
extern __typeof__(search_store_vectors_search) search_postgres_vectors_search;
/* Inside a job: the vectors go into the index of their model and dimension, if there is one. */
enum status search_postgres_pgvector_put(struct db_conn *c, int64_t model, size_t dim, const int64_t *document_ids,
                                         const float *const *vectors, size_t n, struct error *err) MUST_CHECK;

/* search_changes_postgres.c */
extern __typeof__(search_store_generation) search_postgres_generation;
extern __typeof__(search_store_changes) search_postgres_changes;
extern __typeof__(search_store_vectors_get) search_postgres_vectors_get;
/* Inside a job: these documents, or all that have a vector of this model, changed. */
enum status search_postgres_changed(struct db_conn *c, const int64_t *document_ids, size_t n,
                                    struct error *err) MUST_CHECK;
enum status search_postgres_model_changed(struct db_conn *c, int64_t model_id, struct error *err) MUST_CHECK;

/* search_documents_postgres.c */
extern __typeof__(search_store_document_page) search_postgres_document_page;

/* search_store_postgres.c: columns of table documents, and how to read them. */
#define DOCUMENT_COLUMNS "d.id, d.filename, d.title, d.words_json, d.image_sha256, d.created_us, d.modified_us"
void search_postgres_read_document(struct db_rows *r, struct arena *a, struct document *out);

#endif
