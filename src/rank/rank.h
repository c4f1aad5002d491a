/* rank.h: the search algorithms: how a query becomes a ranked list.
 *
 * Legs do the work (leg.h): each finds documents in a way of its own. An algorithm is one leg alone, or `hybrid`, which
 * fuses all that can answer. A page depends only on the query and the documents, never on limit and offset: pages fit
 * together.
 *
 * The room sees the search store, vectors, encoders, the lexicon and text; it knows no HTTP and no threads of its own.
 */
#ifndef PEEL_RANK_RANK_H
#define PEEL_RANK_RANK_H

#include "base/arena.h"
#include "base/filter.h"
#include "base/labels.h"
#include "base/legs.h"
#include "base/lru.h"
#include "base/metric.h"
#include "model/encoder.h"
#include "rank/meanings.h"
#include "rank/phrases.h"
#include "rank/prior.h"
#include "search_store/search_store.h"
#include "text/synonyms.h"
#include "vectors/vectors.h"

#define RANK_MAX_LIMIT        1000
#define RANK_MAX_OFFSET       100000
#define RANK_WINDOW           1000 /* how deep searches with min_score or like look */
#define RANK_LEAST_CONFIDENCE 0.05 /* of results that are only alike in meaning */
#define RANK_DEPTH            200 /* results of each leg that are fused; deeper ones hardly count, and each costs time */

struct rank_trace;
struct rank_query {
    const char *text; /* trimmed, valid UTF-8; NULL with `like` */
    size_t text_len;
    unsigned language;            /* whose words count in full, those of others less; LANGUAGE_en when nobody said */
    const struct document *like;  /* rank by likeness to this document, itself left out; NULL with `text` */
    struct sticker_filter filter; /* what may be found, */
    const struct label_test *passing; /* the same for ids; NULL: everything */
    size_t limit, offset;
    double min_score;    /* -INFINITY: no filter */
    const int64_t *also; /* [n_also] documents that other legs found, whose scores are wanted too */
    size_t n_also;
    bool fused; /* legs: the results are fused with those of others, their order and names do not matter */
    struct rank_trace *trace; /* is told what the ranking saw on its way (rank/trace.h); NULL: nobody wants to know */
};

/* A model that serves a leg, with the vectors of what it has encoded. */
struct rank_model {
    const char *id;                /* NULL: there is none */
    const char *state;             /* "ready", or what it is instead */
    const struct encoder *encoder; /* NULL until it is ready, as is `vectors` */
    struct vectors *vectors;
    struct phrases *phrases; /* NULL where it has none */
    double unlike;           /* with phrases: the cosine of texts that have nothing to do with each other */
};

struct rank_times {
    struct metric_times text, nearest; /* of encoding a query, of searching the vectors */
};

/* What the legs search; borrowed while a query runs. */
struct rank_sources {
    struct search_store *store;
    struct meanings *words;              /* NULL: there is no lexicon */
    const struct synonyms *synonyms;     /* NULL: there are none */
    struct rank_model models[LEG_COUNT]; /* by the leg that they serve */
    struct lru *forms;                   /* of words (text_query); NULL: none, as with the three below */
    struct lru *cache;
    struct pool *pool;
    struct rank_times *times;
    double weights[LEG_COUNT];        /* in hybrid */
    const struct rank_priors *priors; /* of the query; NULL: nothing was learnt, or it does not matter */
};

struct ranked {
    int64_t id;
    const char *filename; /* NULL until the page is named */
    double score;         /* higher is better; BM25, cosine, or what legs say together, by algorithm */
    double confidence;    /* that it fits, 0..1, so that of those with 0.8 four in five do; 0: nothing is said */
};

struct ranking {
    struct ranked *items; /* the page, best first; in the arena */
    size_t n;
    int64_t total;         /* results on all pages */
    const char *corrected; /* the query as it was understood, where a word was misspelled; NULL; in the arena */
    unsigned legs;         /* bits, by enum leg_number: those that took part */
};

struct rank_algorithm {
    const char *name;
    enum status (*rank)(const struct rank_sources *s, const struct rank_query *q, struct arena *a, struct ranking *out,
                        struct error *err);
};
/* What decides about the order of results, as a short name such as "hybrid-1f0c9a37": the algorithm, RANK_VERSION, the
 * weights, the models and the version of what votes taught. Two answers with the same name were ranked alike. */
#define RANK_VERSION   1u /* counts up with each change of code or of learnt weights that changes the order */
#define RANK_NAME_SIZE 40
void rank_name(const struct rank_algorithm *algorithm, const struct rank_sources *s, char out[RANK_NAME_SIZE]);
extern const struct rank_algorithm rank_algorithms[];
extern const size_t rank_algorithm_count;
const struct rank_algorithm *rank_find(const char *name); /* NULL: unknown */

#endif
