/* engine.h: the models of SearchService, each with the vectors of the documents that it has encoded.
 *
 * At start the models' folders are only listed; one background thread loads them one after the other, the defaults
 * first, and then encodes what has no vector yet. A model serves a leg of the ranking (encoder.h), and each leg has a
 * default model; until that is ready a search goes by the other legs. Nothing is unloaded before engine_close: a struct
 * engine_model stays valid until then.
 *
 * What is in memory agrees with the store because both change while the catalogue (catalog.h) is locked: by it, when
 * documents change, and by the background thread, which commits a batch of vectors to both. */
#ifndef PEEL_SEARCH_SERVICE_ENGINE_H
#define PEEL_SEARCH_SERVICE_ENGINE_H

#include "base/buf.h"
#include "base/metric.h"
#include "base/status.h"
#include "bucket/bucket.h"
#include "model/library.h"
#include "rank/rank.h"
#include "search_service/catalog.h"
#include "search_store/search_store.h"
#include <stdbool.h>

#define ENGINE_MAX_MODELS 16

struct engine;
struct engine_model;
struct engine_config {
    struct search_store *store;
    struct catalog *catalog;
    struct bucket *bucket;         /* NULL: there are no images to encode */
    struct sandbox *sandbox;       /* decodes them */
    const char *models_dir;        /* NULL or "": no models */
    const char *cache_dir;         /* NULL or "": no snapshots */
    const char *model;             /* default at start; NULL or "": the one chosen last, or the first by name */
    const char *precision;         /* NULL = "auto" */
    struct language_set languages; /* whose phrases are encoded, by models that know them */
    bool stored_vectors;           /* they stay in the database, which searches them (vectors_stored.h) */
    double vector_recall;          /* as in search_service.h; 0s: as vectors_exact.h has them */
    size_t vector_exact_below;
    unsigned threads; /* 0 = one per core */
    size_t query_cache_bytes;
};

/* Everything of `cfg` is borrowed until engine_close. Listens to the catalogue until then. */
enum status engine_open(const struct engine_config *cfg, struct engine **out, struct error *err) MUST_CHECK;
/* Finishes the batch or the load in hand, saves the snapshots that changed. NULL is fine. */
void engine_close(struct engine *e);

/* --- models --- */
/* By id, "owner/name", or by folder, "owner--name"; NULL: unknown. */
struct engine_model *engine_find(struct engine *e, const char *id);
/* NULL: no model serves this leg. */
struct engine_model *engine_default(struct engine *e, enum leg_number leg);
/* Makes `id` the default of its leg, also after a restart. A folder that appeared, or whose model did not load, is
 * loaded now, in the background. ERR_INVALID names the known models. */
enum status engine_use(struct engine *e, const char *id, struct engine_model **out, struct error *err) MUST_CHECK;
/* Forgets the recorded failures of a model: what failed is tried again. */
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
enum leg_number engine_model_leg(const struct engine_model *m);
/* NULL before the model is ready; then it stays until engine_close. */
const struct encoder *engine_model_encoder(const struct engine_model *m);
enum engine_state engine_model_state(const struct engine_model *m);

struct engine_model_status {
    enum engine_state state;
    char error[512];       /* why it did not load, or what last went wrong with a document; "" */
    const char *precision; /* "int8", ...; "" before it is ready */
    bool english;          /* it knows no other language; false before it is ready */
    size_t dim, model_bytes, vector_bytes;
    int64_t indexed, pending, failed; /* documents */
    struct phrases_count phrases;
    struct vectors_accuracy accuracy;
    double rate; /* documents a second, 0 when idle */
};
enum status engine_model_status(struct engine *e, struct engine_model *m, struct engine_model_status *out,
                                struct error *err) MUST_CHECK;
/* The encoder's own account of itself, a JSON object; nothing before the model is ready. */
void engine_model_info(const struct engine_model *m, struct buf *out);

/* --- searching --- */
/* Sets what the engine knows of `sources`: the models of all legs and what they share. A leg's model is the
 * default that somebody chose; where nobody did, or it does not know the query's language, one that is ready and does,
 * best one that knows no other language. */
void engine_fill_sources(struct engine *e, unsigned language, struct rank_sources *out);
bool engine_has_model(struct engine *e); /* one is ready, of any leg */
/* The phrases of the model that knows the most languages; NULL: there is none. */
struct phrases *engine_phrases(struct engine *e);
/* Searches with this model in the place of its leg's default. */
void engine_fill_model(struct engine_model *m, struct rank_sources *out);

struct lru_stats engine_cache_stats(struct engine *e);
struct engine_times {
    struct rank_times queries;
    struct metric_times images; /* of one batch of images */
    _Atomic uint64_t encoded;   /* images */
};
/* Those that encode and scan, the caller of a search included. */
unsigned engine_threads(const struct engine *e);
const struct engine_times *engine_times(const struct engine *e);

/* There is something of this document that has no vector. */
void engine_has_work(struct engine *e, int64_t id);

#endif
