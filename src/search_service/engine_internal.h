/* engine_internal.h: what engine.c (registry), engine_load.c (a model becomes ready), engine_fill.c (encoding),
 * engine_phrases.c (the same for phrases) and engine_follow.c (what other processes changed) share. */
#ifndef PEEL_SEARCH_SERVICE_ENGINE_INTERNAL_H
#define PEEL_SEARCH_SERVICE_ENGINE_INTERNAL_H

#include "base/pool.h"
#include "base/worker.h"
#include "search_service/engine.h"
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_BATCH 16u /* documents that are encoded together */

struct engine_model {
    struct library_model files;
    const struct encoder_class *class; /* as far as config.json tells */
    atomic_int state;                  /* enum engine_state; READY is stored after all that searches read */
    struct encoder *encoder;
    double unlike; /* the cosine of texts that have nothing to do with each other; set with `phrases` */
    struct vectors *_Atomic vectors; /* set before they are filled, so that a removal meanwhile reaches them */
    struct phrases *_Atomic phrases; /* likewise; NULL where the model encodes images */
    int64_t saved_generation;        /* of the snapshot on disk, -1 for none; background thread only */
    int64_t saved_us;                /* when that was, and how long it took */
    int64_t save_took_us;
    int64_t cursor;     /* documents up to here were looked at, INT64_MAX = all; background thread only */
    int64_t retry_from; /* the first that is tried again later, INT64_MAX = none; background thread only */
    /* Under engine.mutex: */
    int64_t work_after; /* a document after this one has new work; INT64_MAX = none */
    char error[512];
    double rate;
    struct vectors_progress progress; /* as it was counted, */
    int64_t progress_until_us;        /* and until when that is good */
};

struct engine {
    struct engine_config cfg;
    struct pool *pool;   /* encoders and scans; NULL with one thread */
    struct pool *decode; /* fetching and decoding images: apart, so that queries never wait for a decoder */
    struct lru *cache;
    struct engine_times times;
    struct engine_model *models[ENGINE_MAX_MODELS]; /* those below n_models never change */
    atomic_size_t n_models;
    struct engine_model *_Atomic defaults[LEG_COUNT];
    atomic_bool chosen[LEG_COUNT];            /* somebody did choose this default */
    struct worker *worker;                    /* loads, encodes and saves */
    unsigned ticks;                           /* follower only, as is: */
    char settings[LEG_COUNT][LIBRARY_MAX_ID]; /* the defaults that the database named last */
    pthread_mutex_t mutex;
    int64_t missing_from; /* the first document seen without a vector, INT64_MAX = none; under mutex */
};

/* engine.c */
void engine_set_error(struct engine *e, struct engine_model *m, const char *message);
bool engine_snapshot_path(const struct engine *e, const struct engine_model *m, char out[PATH_MAX]);

/* What the vector of a document is made of, as a hash; "": the document has nothing of the kind. */
static inline const char *engine_source_of(const struct engine_model *m, const struct document *doc)
{
    return m->class->source == ENCODER_WORDS ? doc->words_sha256 : doc->image_sha256;
}

/* Of a model whose encoder is open. */
static inline bool engine_model_knows(const struct engine_model *m, unsigned language)
{
    return encoder_trust(m->encoder, language == LANGUAGE_en) > 0;
}

/* engine_load.c: from WAITING to READY or FAILED; saving (`now`: even if it was saved a moment ago). */
void engine_load(struct engine *e, struct engine_model *m);
void engine_save(struct engine *e, struct engine_model *m, bool now);

/* engine_follow.c: what the catalogue tells. */
extern const struct catalog_listener engine_listener;

/* engine_fill.c: encodes up to a batch of documents; *n how many were dealt with. */
enum status engine_fill(struct engine *e, struct engine_model *m, size_t *n, struct error *err) MUST_CHECK;

/* engine_phrases.c, for models of words. Reads all documents' phrases; gives some of them their vectors, for a tenth
 * of a second, *n how many. */
enum status engine_load_phrases(struct engine *e, struct engine_model *m, struct error *err) MUST_CHECK;
enum status engine_fill_phrases(struct engine *e, struct engine_model *m, size_t *n, struct error *err) MUST_CHECK;
/* Takes in up to ENGINE_BATCH documents and encodes what they are called in their first language. vectors: [n, dim];
 * made[n]: false where there is nothing that the model understands. */
enum status engine_encode_documents(struct engine *e, struct engine_model *m, const struct document *const *docs,
                                    size_t n, float *vectors, bool *made, struct error *err) MUST_CHECK;

#endif
