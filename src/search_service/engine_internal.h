/* engine_internal.h: what engine.c (registry), engine_load.c (model and index) and engine_fill.c
 * (encoding images) share. */
#ifndef PEEL_SEARCH_SERVICE_ENGINE_INTERNAL_H
#define PEEL_SEARCH_SERVICE_ENGINE_INTERNAL_H

#include "model/clip.h"
#include "search_service/engine.h"
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

struct engine_model {
    char id[ENGINE_MAX_ID];     /* "owner/name" */
    char folder[ENGINE_MAX_ID]; /* "owner--name" */
    atomic_int state;           /* enum engine_state; READY is stored after all that searches read */
    struct clip *clip;
    struct vectors_exact *_Atomic index; /* set before it is filled, so that a deletion meanwhile reaches it */
    atomic_size_t stored;                /* vectors that the database searches, as it was a moment ago */
    int64_t saved_generation;            /* of the snapshot on disk, -1 for none; background thread only */
    int64_t saved_us;                    /* when that was, and how long it took */
    int64_t save_took_us;
    int64_t cursor;     /* documents up to here were looked at; background thread only */
    int64_t retry_from; /* the first that is tried again later, INT64_MAX = none; background thread only */
    /* Under engine.mutex: */
    int64_t lowered; /* a document after this one has new work; INT64_MAX = none */
    char error[512];
    double rate;
};

struct engine {
    struct engine_config cfg;
    enum clip_precision precision;
    struct pool *pool;   /* encoders and scans; NULL with one thread */
    struct pool *decode; /* fetching and decoding images: apart, so that queries never wait for a decoder */
    struct query_cache *cache;
    struct engine_times times;
    pthread_rwlock_t changes;
    struct engine_model *models[ENGINE_MAX_MODELS]; /* those below n_models never change */
    atomic_size_t n_models;
    struct engine_model *_Atomic chosen; /* the default */
    pthread_t thread, follower;
    bool thread_runs, follower_runs;
    int64_t followed;            /* changes up to here are in the indexes; under changes, as a writer */
    int64_t lacking;             /* the first document seen without a vector, INT64_MAX = none; likewise */
    char setting[ENGINE_MAX_ID]; /* the default that the database named last; follower only */
    atomic_bool stop;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool woken; /* under mutex */
};

/* engine.c */
void engine_set_error(struct engine *e, struct engine_model *m, const char *message);
bool engine_snapshot_path(const struct engine *e, const struct engine_model *m, char out[PATH_MAX]);

/* engine_load.c: from WAITING to READY or FAILED; saving (`now`: even if it was saved a moment ago). */
void engine_load(struct engine *e, struct engine_model *m);
enum status engine_count_stored(struct engine *e, struct engine_model *m, struct error *err) MUST_CHECK;
void engine_save(struct engine *e, struct engine_model *m, bool now);

/* engine_follow.c: the thread that follows changes, and a step of it. */
void *engine_follow(void *arg);
/* Applies what changed, up to a page of it; `changes` is held as a writer. *more: there may be another page. */
enum status engine_catch_up(struct engine *e, bool *more, struct error *err) MUST_CHECK;

/* engine_fill.c: encodes up to a batch of images; *n how many documents were dealt with. */
enum status engine_fill(struct engine *e, struct engine_model *m, size_t *n, struct error *err) MUST_CHECK;

#endif
