/* engine.h: the models of SearchService, each with its index of the documents' images.
 *
 * At start the models' folders are only listed; one background thread loads them one after the other,
 * the default first, and then encodes what has no vector yet. Until its model is ready a search goes by
 * words. Nothing is unloaded before engine_close: a struct engine_model stays valid until then.
 *
 * Store and indexes must agree, whoever changes documents meanwhile. Therefore a handler changes a
 * document between engine_change_begin and engine_change_end (many may at once), and the background
 * thread commits a batch of vectors to both while nobody is between the two.
 *
 * Several SearchServices may share a database. What the others change is read from it twice a second
 * (engine_follow.c), our own changes with it: applying one again does nothing. */
#ifndef PEEL_SEARCH_SERVICE_ENGINE_H
#define PEEL_SEARCH_SERVICE_ENGINE_H

#include "base/buf.h"
#include "base/metric.h"
#include "base/pool.h"
#include "base/status.h"
#include "bucket/bucket.h"
#include "rank/query_cache.h"
#include "search_store/search_store.h"
#include "vectors/vectors_exact.h"
#include <stdbool.h>

#define ENGINE_MAX_MODELS 16
#define ENGINE_MAX_ID     128 /* bytes of a model's id, NUL included */

struct engine;
struct engine_model;
struct meanings;
struct engine_config {
    struct search_store *store;
    struct bucket *bucket;  /* NULL: there are no images to encode */
    const char *models_dir; /* NULL or "": no models */
    const char *cache_dir;  /* NULL or "": no snapshots */
    const char *model;      /* default at start; NULL or "": the one chosen last, or the first by name */
    const char *precision;  /* NULL = "auto" */
    bool stored_vectors;    /* they stay in the database, which searches them (search_store_vectors_search) */
    unsigned threads;       /* 0 = one per core */
    size_t query_cache_bytes;
    struct meanings *words; /* kept up with changes that others make; NULL: none */
    int64_t since;          /* words has all changes up to this one (search_store_generation) */
};

/* Everything of `cfg` is borrowed until engine_close. */
enum status engine_open(const struct engine_config *cfg, struct engine **out, struct error *err) MUST_CHECK;
/* Finishes the batch or the load in hand, saves the snapshots that changed. NULL is fine. */
void engine_close(struct engine *e);

/* --- models --- */
/* By id, "owner/name", or by folder, "owner--name"; NULL: unknown. */
struct engine_model *engine_find(struct engine *e, const char *id);
struct engine_model *engine_default(struct engine *e); /* NULL: there is no model */
/* Makes `id` the default, also after a restart. A folder that appeared, or whose model did not load, is
 * loaded now, in the background. ERR_INVALID names the known models. */
enum status engine_use(struct engine *e, const char *id, struct engine_model **out, struct error *err) MUST_CHECK;
/* Forgets the recorded failures of a model: their images are tried again. */
enum status engine_retry(struct engine *e, const char *id, struct error *err) MUST_CHECK;
/* Forgets the vectors and recorded failures of a model, also of one whose folder is gone; a loaded one
 * begins to encode anew. */
enum status engine_forget_vectors(struct engine *e, const char *id, struct error *err) MUST_CHECK;
/* Appends `"a", "b"`, or `none`. */
void engine_list_ids(struct engine *e, struct buf *out);
size_t engine_models(struct engine *e, struct engine_model *out[ENGINE_MAX_MODELS]);

enum engine_state { ENGINE_WAITING, ENGINE_LOADING, ENGINE_READY, ENGINE_FAILED };
const char *engine_state_name(enum engine_state s); /* "waiting", "loading", "ready", "failed" */
const char *engine_model_id(const struct engine_model *m);
enum engine_state engine_model_state(const struct engine_model *m);

struct engine_model_status {
    enum engine_state state;
    char error[512];       /* why it did not load, or what last went wrong with an image; "" */
    const char *precision; /* "int8", ...; "" before it is ready */
    size_t dim, model_bytes, vectors_exact_bytes;
    int64_t indexed, pending, failed;
    double rate; /* images a second, 0 when idle */
};
enum status engine_model_status(struct engine *e, struct engine_model *m, struct engine_model_status *out,
                                struct error *err) MUST_CHECK;
/* The encoder's own account of itself, a JSON object; nothing before the model is ready. */
void engine_model_info(const struct engine_model *m, struct buf *out);

/* --- searching, with a model that is ready --- */
size_t engine_dim(const struct engine_model *m);
double engine_hybrid_weight(const struct engine_model *m, bool english_query); /* see clip.h */
struct vectors_exact *engine_index(const struct engine_model *m);              /* NULL: the database searches */
/* How many images are searched. */
size_t engine_searched(const struct engine_model *m);
/* The k nearest, best first, ties by smaller id: exact in memory, nearly so by pgvector. */
enum status engine_nearest(struct engine *e, const struct engine_model *m, const float *vector, size_t k,
                           struct arena *a, struct vectors_hit **hits, size_t *n, struct error *err) MUST_CHECK;
/* One document's vector, copied to out[engine_dim]; NOT_FOUND. */
enum status engine_vector(struct engine *e, const struct engine_model *m, int64_t id, float *out,
                          struct error *err) MUST_CHECK;
/* The vector of a query, from the cache or encoded: out[engine_dim]. */
enum status engine_embed(struct engine *e, struct engine_model *m, const char *text, size_t len, float *out,
                         struct error *err) MUST_CHECK;
struct query_cache_stats engine_cache_stats(struct engine *e);

struct engine_times {
    struct metric_times text, images, nearest; /* of one text, one batch of images, one search of the vectors */
    _Atomic uint64_t encoded;                  /* images */
};
const struct engine_times *engine_times(const struct engine *e);

/* --- changing documents --- */
void engine_change_begin(struct engine *e);
void engine_change_end(struct engine *e);
void engine_drop_document(struct engine *e, int64_t id); /* its vectors are gone from the store; between the two */
void engine_has_work(struct engine *e, int64_t id);      /* this document has an image without a vector */

#endif
