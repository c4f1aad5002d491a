/* search_store.h: what SearchService remembers: documents, their terms, one vector per document and
 * model, and the vectors of phrases. The room holds the tables of SearchService and their SQL; it sees base, db and
 * fts, and nothing of StickerService. Rules of memory, time and thread-safety as in sticker_store.h. */
#ifndef PEEL_SEARCH_STORE_SEARCH_STORE_H
#define PEEL_SEARCH_STORE_SEARCH_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/filename.h"
#include "base/filter.h"
#include "base/labels.h"
#include "base/status.h"
#include "base/terms.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct search_store;
enum status search_store_open(const char *url, unsigned connections, struct search_store **out,
                              struct error *err) MUST_CHECK;
void search_store_close(struct search_store *s);
/* The schema's version of the database at `url` and of this program, changing nothing. ERR_UNSUPPORTED: it is none of
 * ours; ERR_CORRUPT: SQLite finds it damaged. */
enum status search_store_inspect(const char *url, int64_t *version, int64_t *known, struct error *err) MUST_CHECK;
enum status search_store_ping(struct search_store *s, struct error *err) MUST_CHECK;
enum status search_store_writable(struct search_store *s, struct error *err) MUST_CHECK; /* as db_writable */

struct document {
    int64_t id; /* row number, never reused: key of vectors in an index */
    const char *filename, *title;
    const char *words_json;   /* [{"language":"en","words":"cat, kitten"}] as received */
    const char *image_sha256; /* hex, "" without an image */
    const char *words_sha256; /* of title and words, "" without any; NULL in what is put: the store makes it */
    const char *pack;         /* "" when unknown; this and the next two are what searches filter by */
    enum rating rating;
    bool animated;
    const char *ocr_words; /* what its image says; "" when that is not known */
    int64_t created_us, modified_us;
};
/* Of a document's title and words, "" without any: the hash of what a model for words encodes. */
void search_store_hash_words(const char *title, const char *words_json, char out[65]);
/* Adds or replaces by filename; `terms`: as text_sticker_terms makes them; same content and terms change nothing
 * (*changed false). Vectors that were made of an image or of words that it no longer has are dropped, and *stale says
 * so (may be NULL). `id` and times of `doc` are ignored. DURABLE, because the sticker store forgets the
 * delivery once this was acknowledged; so is delete. */
enum status search_store_put(struct search_store *s, const struct document *doc, const struct sticker_terms *terms,
                             int64_t *id, bool *changed, bool *stale, struct error *err) MUST_CHECK;
enum status search_store_delete(struct search_store *s, const char *filename, int64_t *id,
                                struct error *err) MUST_CHECK; /* NOT_FOUND */
enum status search_store_get(struct search_store *s, const char *filename, struct arena *a, struct document *out,
                             struct error *err) MUST_CHECK;
/* The terms by which a document is found. NOT_FOUND. */
enum status search_store_terms(struct search_store *s, int64_t id, struct arena *a, struct sticker_terms *out,
                               struct error *err) MUST_CHECK;
/* A number above 100,000 may be ten seconds old. */
enum status search_store_count(struct search_store *s, int64_t *documents, struct error *err) MUST_CHECK;
/* A page of all documents with id > after, ascending. */
enum status search_store_documents(struct search_store *s, int64_t after, size_t limit, struct arena *a,
                                   struct document **out, size_t *n, struct error *err) MUST_CHECK;
/* Tells of each document, by ascending id, the hash of its title and words; borrowed for the call, which may refuse. */
typedef enum status search_store_word_hash(void *ctx, int64_t id, const char *words_sha256, struct error *err);
enum status search_store_word_hashes(struct search_store *s, search_store_word_hash *tell, void *ctx,
                                     struct error *err) MUST_CHECK;
/* Filenames of documents by id; absent ones NULL. Many are kept in memory: what another process deleted may still have
 * its name. */
enum status search_store_filenames(struct search_store *s, const int64_t *ids, size_t n, struct arena *a,
                                   const char **out, struct error *err) MUST_CHECK;

/* Tells of every document what filters ask; the strings are borrowed for the call. It may refuse. */
typedef enum status search_store_label(void *ctx, int64_t id, const char *pack, enum rating rating, bool animated,
                                       struct error *err);
enum status search_store_labels(struct search_store *s, search_store_label *label, void *ctx,
                                struct error *err) MUST_CHECK;

/* How far one model is with a document. */
enum document_state {
    DOCUMENT_ANY, /* in questions only */
    DOCUMENT_INDEXED,
    DOCUMENT_PENDING,
    DOCUMENT_FAILED,
    DOCUMENT_IMAGELESS /* there is nothing to encode: no image, or no words */
};
struct document_ask {
    const char *model;         /* "" or one never heard of: nothing is indexed yet */
    enum document_state state; /* any, indexed, pending or failed */
    const char *filename;      /* just this one; NULL for all */
    const char *search;        /* part of the filename, capital or small ASCII letters alike; "" for any */
    int64_t after;             /* an id: ids above it, or below it when descending; 0 from the beginning */
    bool descending;
    size_t limit; /* at least 1 */
};
struct document_row {
    struct document doc; /* without words_json, which is "" */
    enum document_state state;
    const char *why; /* it failed, else "" */
    int64_t dim;     /* of its vector, else 0 */
};
struct document_page {
    struct document_row *rows;
    size_t n;
    int64_t next; /* `after` of the next page, 0 at the end */
};
/* A page of documents by id. At most DOCUMENT_WALK of them are looked at, so that a page costs about the same at a
 * million: with a state or a search it may have fewer rows than asked for, and still a next one. */
#define DOCUMENT_WALK 100000
enum status search_store_document_page(struct search_store *s, const struct document_ask *ask, struct arena *a,
                                       struct document_page *out, struct error *err) MUST_CHECK;

struct search_hit {
    int64_t id;
    const char *filename;
    double score; /* BM25, higher is better */
};
/* BM25 over title, words, filename (weights 3, 2, 1; prefix matches of the last word lower), and titles and
 * words of the other languages; those not preferred lower. Any term may match, best first, ties by filename; not
 * `named`: the first page, by id, and filenames are NULL.
 * `passing` (NULL: all): only of these documents, which are also all that `total` counts.
 * ERR_UNAVAILABLE: the index is not there yet. */
enum status search_store_lexical(struct search_store *s, const struct term_query *q, const struct label_test *passing,
                                 size_t limit, size_t offset, bool named, struct arena *a, struct search_hit **hits,
                                 size_t *n, int64_t *total, struct error *err) MUST_CHECK;

/* --- the index of terms --- in memory, which search_store_lexical searches; of whoever asks for it. Once it is open,
 * puts and deletes keep it true, and so does reading what other processes changed. All of it but the search belongs to
 * one thread at a time.
 *
 * Opens it: from a file (NULL: there is none) and what changed since that was written, or from the terms of all
 * documents. Where these are many, some are left for search_store_index_read, and until that is through with them
 * nothing can be found. */
enum status search_store_index_open(struct search_store *s, const char *snapshot, struct error *err) MUST_CHECK;
/* Reads a page of what is missing in memory, up to change `newest`; *more: there may be another one. No put or delete
 * of a document may be under way. */
enum status search_store_index_read(struct search_store *s, int64_t newest, bool *more, struct error *err) MUST_CHECK;
/* Merges what changes have left, where that is due. */
enum status search_store_tidy(struct search_store *s, struct error *err) MUST_CHECK;
/* Writes the file, if there is much to read since it was written. */
enum status search_store_index_save(struct search_store *s, const char *snapshot, struct error *err) MUST_CHECK;

/* --- changes --- documents put or deleted, vectors stored or forgotten, by any process on this database. */
struct search_change {
    int64_t generation;
    struct document doc; /* its id; filename NULL when it is gone */
};
/* The newest change's number. Numbers grow, and none appears below one that was seen. */
enum status search_store_generation(struct search_store *s, int64_t *generation, struct error *err) MUST_CHECK;
/* A page of what changed after `since`, ascending: each document once, at its last change. */
enum status search_store_changes(struct search_store *s, int64_t since, size_t limit, struct arena *a,
                                 struct search_change **out, size_t *n, struct error *err) MUST_CHECK;

/* A file of what was in memory after a change, such as a snapshot: that change, and a name that the file keeps. The
 * database remembers both, so that it can be told whether the file is of another database, or of one that went back
 * since, to a backup or behind a power cut. */
struct search_mark {
    char tag[40];
    int64_t number;
};
void search_store_mark_new(struct search_mark *out);
/* To be called before the file is written. Durable, and so is all that was written before. */
enum status search_store_mark(struct search_store *s, const struct search_mark *mark, struct error *err) MUST_CHECK;
/* Whether the file may be believed, and how many changes came since. */
bool search_store_marked(struct search_store *s, const struct search_mark *mark, int64_t *since);

/* --- vectors --- one table for all models; `model` is the model's id string. float32 [dim], L2-normalised. */
/* Of what a model's vectors are made. The numbers are kept in the database. */
enum search_source { SEARCH_IMAGE, SEARCH_WORDS };
/* Says so for a model, SEARCH_IMAGE until then; what is unindexed, pending and imageless is told by it. */
enum status search_store_model_source(struct search_store *s, const char *model, enum search_source source,
                                      struct error *err) MUST_CHECK;
struct vector_row {
    int64_t document_id;
    const float *vector; /* [dim] */
};
/* Stores a batch in one transaction, each document once. source_sha256: of the image, or the words, that each is made
 * of; documents deleted, or that no longer have it, are passed over. */
enum status search_store_vectors_put(struct search_store *s, const char *model, size_t dim, const int64_t *document_ids,
                                     const char *const *source_sha256, const float *vectors, size_t n,
                                     struct error *err) MUST_CHECK;
/* A page of one model's vectors with document_id > after, ascending. ERR_CORRUPT names a row whose size is not 4 * dim.
 */
enum status search_store_vectors_page(struct search_store *s, const char *model, size_t dim, int64_t after,
                                      size_t limit, struct arena *a, struct vector_row **out, size_t *n,
                                      struct error *err) MUST_CHECK;
/* The vectors of these documents, out[n]; NULL where there is none. */
enum status search_store_vectors_get(struct search_store *s, const char *model, size_t dim, const int64_t *document_ids,
                                     size_t n, struct arena *a, const float **out, struct error *err) MUST_CHECK;
/* --- vectors that the database searches itself (--vectors pgvector) --- ERR_UNSUPPORTED where it cannot. */
struct vector_hit {
    int64_t id;
    float score; /* inner product */
};
enum status search_store_vectors_searchable(struct search_store *s, struct error *err) MUST_CHECK;
/* From here on this model's vectors are indexed in the database, those that are there now before this returns.
 * ERR_CORRUPT names a row of another size. */
enum status search_store_vectors_index(struct search_store *s, const char *model, size_t dim,
                                       struct error *err) MUST_CHECK;
/* Nearly the k best of an indexed model, best first, with exact scores; equal ones by id. `filter` (NULL: none): the k
 * best of those that pass. */
enum status search_store_vectors_search(struct search_store *s, const char *model, size_t dim, const float *query,
                                        const struct sticker_filter *filter, size_t k, struct arena *a,
                                        struct vector_hit **out, size_t *n, struct error *err) MUST_CHECK;

enum status search_store_vectors_count(struct search_store *s, const char *model, int64_t *vectors,
                                       struct error *err) MUST_CHECK;
/* Those of documents that pass. */
enum status search_store_vectors_passing(struct search_store *s, const char *model, const struct sticker_filter *f,
                                         int64_t *vectors, struct error *err) MUST_CHECK;
/* How far a model is through the documents that have what it encodes: each is indexed, pending or failed. */
struct vectors_progress {
    int64_t indexed, pending, failed;
};
enum status search_store_vectors_progress(struct search_store *s, const char *model, struct vectors_progress *out,
                                          struct error *err) MUST_CHECK;
/* Documents that have what this model encodes, but no vector of it and no recorded failure, ids > after, ascending. */
enum status search_store_unindexed(struct search_store *s, const char *model, int64_t after, size_t limit,
                                   struct arena *a, struct document **out, size_t *n, struct error *err) MUST_CHECK;
enum status search_store_vector_failed(struct search_store *s, const char *model, int64_t document_id, const char *why,
                                       struct error *err) MUST_CHECK;
/* Forgets the recorded failures, so that their documents are offered as unindexed again. */
enum status search_store_failures_drop(struct search_store *s, const char *model, struct error *err) MUST_CHECK;
/* Forgets the vectors and failures of one document, for all models: its image is encoded anew. NOT_FOUND. */
enum status search_store_document_forget(struct search_store *s, const char *filename, int64_t *id,
                                         struct error *err) MUST_CHECK;
enum status search_store_vectors_drop(struct search_store *s, const char *model, struct error *err) MUST_CHECK;
/* --- vectors of phrases --- a title or a keyword, however many documents have it; one for each model and text. */
struct phrase_vector {
    const char *text;
    const void *code; /* as who keeps them in memory has them (rank/phrases.h) */
    size_t bytes;     /* of it; in questions: as many are expected, and one of another size is none */
};
enum status search_store_phrases_put(struct search_store *s, const char *model, const struct phrase_vector *phrases,
                                     size_t n, struct error *err) MUST_CHECK;
/* Sets code, in the arena, of those that are there, NULL of the others. */
enum status search_store_phrases_get(struct search_store *s, const char *model, struct phrase_vector *phrases, size_t n,
                                     struct arena *a, struct error *err) MUST_CHECK;

/* A counter that grows with every committed change of this model's vectors (snapshot staleness). */
enum status search_store_vectors_generation(struct search_store *s, const char *model, int64_t *generation,
                                            struct error *err) MUST_CHECK;
/* --- what votes taught --- gains of documents for a query, as StickerService hands them over, in the order of their
 * versions. `epoch`: what the versions are of; another one has nothing to do with them. */
struct prior_version {
    int64_t epoch, version; /* 0: there was none yet */
};
struct prior_row {
    const char *filename;
    int64_t id;  /* of the document; of those that are read */
    double gain; /* -1 to 1; kept to hundredths */
    bool by_clicks;
};
struct prior_query {
    const char *query;
    const struct prior_row *rows; /* [n], in the place of those that it had */
    size_t n;
};
/* Replaces the gains of these queries, and moves the version from `from` to `to`. from.version 0: forgets all gains
 * first, whatever the epoch. ERR_CONFLICT: the version is another one. DURABLE. */
enum status search_store_priors_put(struct search_store *s, struct prior_version from, struct prior_version to,
                                    const struct prior_query *queries, size_t n, struct error *err) MUST_CHECK;
enum status search_store_priors_version(struct search_store *s, struct prior_version *out,
                                        struct error *err) MUST_CHECK;
/* Of a query, by document, of documents that are there; *any: it has gains, also of others. */
enum status search_store_priors_get(struct search_store *s, const char *query, struct arena *a, struct prior_row **out,
                                    size_t *n, bool *any, struct error *err) MUST_CHECK;
/* Queries whose gains changed after a version. */
enum status search_store_priors_changed(struct search_store *s, int64_t after, size_t limit, struct arena *a,
                                        const char ***queries, size_t *n, struct error *err) MUST_CHECK;
enum status search_store_priors_count(struct search_store *s, int64_t *queries, struct error *err) MUST_CHECK;

/* Small settings, such as the default model. get: "" when absent. */
enum status search_store_setting_get(struct search_store *s, const char *key, struct arena *a, const char **value,
                                     struct error *err) MUST_CHECK;
enum status search_store_setting_set(struct search_store *s, const char *key, const char *value,
                                     struct error *err) MUST_CHECK;

/* Appends how long calls took, as <prefix>_database_duration_seconds, and how large the index of terms is. */
void search_store_metrics(const struct search_store *s, const char *prefix, struct buf *out);

#endif
