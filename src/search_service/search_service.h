/* search_service.h: SearchService, the internal half of Peel: documents in, filenames out. It owns the
 * search database, the models and their indexes, and speaks HTTP only (see docs: /api/search/,
 * /api/documents/, /api/models, /api/status, /healthz, /readyz, /metrics).
 * The room keeps the catalogue, runs the models and answers requests; how results are ranked is decided in src/rank. It
 * sees the search store and everything that searches need, but nothing of StickerService.
 *
 *     struct search_service_config cfg = {.http = {.port = 8118, .listen_fd = -1, ...}, ...};
 *     if (search_service_run(&cfg, &err) != OK) { log_error("%s", err.message); return 1; } */
#ifndef PEEL_SEARCH_SERVICE_SEARCH_SERVICE_H
#define PEEL_SEARCH_SERVICE_SEARCH_SERVICE_H

#include "base/language.h"
#include "base/legs.h"
#include "base/status.h"
#include "bucket/bucket.h"
#include "http/server.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the search store keeps the id of a leg's default model between runs (search_store_setting_get). */
const char *search_service_model_setting(enum leg_number leg, char out[64]);

/* All strings are borrowed until search_service_run returns. Counts of 0 mean the default in brackets. */
struct search_service_config {
    struct http_options http; /* [host "127.0.0.1", io_threads 1, workers 4, max_queue and max_connections 1024,
                                 timeout_s 30]; each worker reads the database by a connection of its own */
    size_t max_body;          /* bytes of a document, its image included [12 MiB] */
    unsigned deadline_ms;     /* a search ends after this, with what was found [2 s] */
    unsigned embeddings_ms;   /* a request to /v1/embeddings that takes longer is given up [30 s] */

    const char *search_db;      /* the store's url: a file path for SQLite; required */
    unsigned connections;       /* to the database at most; 0 = one for each worker and two */
    const char *bucket;         /* where media/<filename> is read; NULL or "": there are no images */
    const struct bucket_s3 *s3; /* how a bucket in S3 is reached; may be NULL for a folder */
    const char *words_dir;      /* NULL, or a copy of the bucket's words/, brought up to date at the start */
    bool mirror_models;         /* models_dir is a copy of the bucket's models/, brought up to date at the start */
    const char *models_dir;     /* holds <id>/ in the Hugging Face layout, "/" written "--"; NULL or "": no models */
    const char *cache_dir;      /* index snapshots; NULL or "": none are written */

    const char *model;     /* default model at start; NULL or "": the one chosen last by a call, or the first by name */
    const char *precision; /* auto, fp32, bf16 or int8 [auto] */
    struct language_set languages; /* whose titles and keywords models of sentences encode one by one; English always */
    bool stored_vectors;           /* searched by the database, with pgvector, instead of in memory */
    double vector_recall;          /* of searches of many vectors in memory; 1: always exact [0.95] */
    size_t vector_exact_below;     /* which is fewer than so many [200,000] */
    unsigned threads;              /* of the encoders and the scan [one per core] */

    size_t query_cache_bytes; /* LRU of query vectors; 0 = none */

    const char *algorithm;     /* of searches that name none; NULL, "" or "auto": hybrid when the default model
                                  is loaded, else lexical */
    const char *words;         /* the lexicon; NULL, "" or no such file: nothing is known of what words mean */
    double weights[LEG_COUNT]; /* of the legs of hybrid, by enum leg_number; all 0 = 1 each */
    double min_score;          /* filter of searches that name none; 0 = none */
    double votes_weight; /* how far what votes taught can raise or lower a score, as a share of it; 0: not at all */

    const char *version; /* for /metrics */
};

/* Blocks until stop_fd is readable, then finishes what is in flight and saves what would be costly to
 * make again. Errors: what the store, the bucket or the listening socket says; a model that does not
 * load is no error (it is logged, shown by /readyz, and the search goes on by words). */
enum status search_service_run(const struct search_service_config *cfg, struct error *err) MUST_CHECK;

#endif
