/* search_internal.h: the search store, between its files; private to src/search_store. */
#ifndef PEEL_SEARCH_STORE_SEARCH_INTERNAL_H
#define PEEL_SEARCH_STORE_SEARCH_INTERNAL_H

#include "base/filename.h"
#include "base/lru.h"
#include "db/db.h"
#include "db/db_filter.h"
#include "search_store/search_columns.h"
#include "search_store/search_store.h"

/* The index of terms (search_terms.c); all but the first two belongs to the thread that reads and saves it. */
struct fts_index;
struct search_index {
    struct fts_index *_Atomic terms; /* NULL: nobody asked for it */
    atomic_bool complete;            /* all terms that there were at the beginning are in it */
    int64_t after;                   /* until then: the last document read */
    int64_t since;                   /* changes up to this one are in it, */
    struct search_mark saved;        /* and up to this in the file */
};
struct search_store {
    struct db *db;
    struct db_counted documents;
    struct search_index index;
    struct lru *names; /* filenames by id, which stay right: an id is never given to another document */
};

extern const struct db_schema search_schema_sqlite, search_schema_postgres;

/* search_store.c: db_write while no other writes, in any process. So changes become visible in the order of their
 * numbers, and what a job has read is still so when it writes. */
enum status search_store_write(struct search_store *s, enum db_durability durability, db_job *job, void *arg,
                               struct error *err) MUST_CHECK;
/* Inside a job: as search_store_setting_set. */
enum status search_store_set(struct db_conn *c, const char *key, const char *value, struct error *err) MUST_CHECK;
/* Reads the columns of DOCUMENT_SELECT, the first ones of a row. */
void search_store_read_document(struct db_rows *r, struct arena *a, struct document *out);
/* All rows that are left, into the arena; ends them. */
enum status search_store_read_documents(struct db_rows *r, struct arena *a, struct document **out,
                                        size_t *n) MUST_CHECK;

/* SQL: of what a model's vectors are made, as the hash that document `d` has of it now; "" for nothing. $1 is the
 * model's name. */
#define SOURCE_OF(d)                                                                                                   \
    "(CASE coalesce((SELECT source FROM models WHERE name = $1), 0) WHEN 1 THEN " d ".words_sha256 ELSE " d            \
    ".image_sha256 END)"

/* search_vectors.c; inside a job. Forgets a document's vectors and failures, for all models, and counts their
 * generations up; with `doc`, only those that are not made of what it is now. *forgot: there were such vectors. */
enum status search_store_vectors_forget(struct db_conn *c, int64_t document_id, const struct document *doc,
                                        bool *forgot, struct error *err) MUST_CHECK;
/* The row of a model, made on first use; its generation grows by `by`. */
enum status search_store_touch_model(struct db_conn *c, const char *model, int64_t by, int64_t *id,
                                     struct error *err) MUST_CHECK;
/* Reads columns document_id and vector; a row of another size makes r fail with ERR_CORRUPT. */
void search_store_read_vector(struct db_rows *r, const char *model, size_t dim, struct arena *a,
                              struct vector_row *out);

/* search_changes.c; inside a job. These documents, or all that have a vector of this model, changed. */
enum status search_store_changed(struct db_conn *c, const int64_t *document_ids, size_t n,
                                 struct error *err) MUST_CHECK;
enum status search_store_model_changed(struct db_conn *c, int64_t model_id, struct error *err) MUST_CHECK;

/* search_terms.c; inside a job: what a document is found by, in the place of what it was. `languages`: as fts_deflate
 * packs them. */
enum status search_store_put_terms(struct db_conn *c, int64_t id, const struct sticker_terms *terms,
                                   const struct buf *languages, struct error *err) MUST_CHECK;
enum status search_store_remove_terms(struct db_conn *c, int64_t id, struct error *err) MUST_CHECK;
enum status search_store_same_terms(struct db_conn *c, int64_t id, const struct sticker_terms *terms,
                                    const struct buf *languages, bool *same, struct error *err) MUST_CHECK;
/* After the commit: the same in memory. */
void search_store_index_put(struct search_store *s, int64_t id, const char *filename, const struct sticker_terms *t);
void search_store_index_remove(struct search_store *s, int64_t id, const char *filename);
void search_store_index_close(struct search_store *s);
void search_store_index_metrics(const struct search_store *s, const char *prefix, struct buf *out);

/* search_pgvector.c; inside a job. The vectors go into the index of their model and dimension, if there is one. */
enum status search_store_pgvector_put(struct db_conn *c, int64_t model, size_t dim, const int64_t *document_ids,
                                      const float *const *vectors, size_t n, struct error *err) MUST_CHECK;

#endif
