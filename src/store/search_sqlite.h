/* search_sqlite.h: the search store on SQLite, between its files; private to src/store. */
#ifndef PEEL_STORE_SEARCH_SQLITE_H
#define PEEL_STORE_SEARCH_SQLITE_H

#include "store/db.h"
#include "store/store_ops.h"

struct search_sqlite {
    struct search_store base;
    struct db *db;
};
static inline struct db *search_db(struct search_store *s)
{
    return ((struct search_sqlite *)s)->db;
}

/* search_vectors_sqlite.c */
extern __typeof__(search_store_vectors_put) search_sqlite_vectors_put;
extern __typeof__(search_store_vectors_page) search_sqlite_vectors_page;
extern __typeof__(search_store_vectors_count) search_sqlite_vectors_count;
extern __typeof__(search_store_vectors_progress) search_sqlite_vectors_progress;
extern __typeof__(search_store_unindexed) search_sqlite_unindexed;
extern __typeof__(search_store_vector_failed) search_sqlite_vector_failed;
extern __typeof__(search_store_failures_drop) search_sqlite_failures_drop;
extern __typeof__(search_store_document_forget) search_sqlite_document_forget;
extern __typeof__(search_store_vectors_drop) search_sqlite_vectors_drop;
extern __typeof__(search_store_vectors_generation) search_sqlite_vectors_generation;
/* Inside a job: forgets a document's vectors and failures, for all models, and counts their generations up. */
enum status search_sqlite_vectors_forget(struct db_conn *c, int64_t document_id, struct error *err) MUST_CHECK;

/* Reads columns document_id and vector; a row of another size makes r fail with ERR_CORRUPT. */
void search_sqlite_read_vector(struct db_rows *r, const char *model, size_t dim, struct arena *a,
                               struct vector_row *out);

/* search_changes_sqlite.c */
extern __typeof__(search_store_generation) search_sqlite_generation;
extern __typeof__(search_store_changes) search_sqlite_changes;
extern __typeof__(search_store_vectors_get) search_sqlite_vectors_get;
/* Inside a job: this document, or all that have a vector of this model, changed. */
enum status search_sqlite_changed(struct db_conn *c, int64_t document_id, struct error *err) MUST_CHECK;
enum status search_sqlite_model_changed(struct db_conn *c, int64_t model_id, struct error *err) MUST_CHECK;

/* search_documents_sqlite.c */
extern __typeof__(search_store_document_page) search_sqlite_document_page;

/* search_store_sqlite.c: columns of table documents, and how to read them. */
#define DOCUMENT_COLUMNS "d.id, d.filename, d.title, d.words_json, d.image_sha256, d.created_us, d.modified_us"
void search_sqlite_read_document(struct db_rows *r, struct arena *a, struct document *out);

#endif
