/* ranking.h: the search algorithms, one table entry each: how a query becomes a ranked list.
 *
 * Three legs do the work: letters (BM25 in the store), words with their meaning (meanings) and vectors (the
 * index of the query's model). An
 * algorithm uses one or fuses both, and says which legs took part. A page depends only on the query and
 * the documents, never on limit and offset: pages fit together. */
#ifndef PEEL_SEARCH_SERVICE_RANKING_H
#define PEEL_SEARCH_SERVICE_RANKING_H

#include "base/arena.h"
#include "rank/meanings.h"
#include "search_service/engine.h"
#include "search_store/search_store.h"

#define RANKING_MAX_LIMIT  1000
#define RANKING_MAX_OFFSET 100000
#define RANKING_WINDOW     1000 /* how deep searches with min_score or like, and fused ones, look */

enum ranking_leg { RANKING_LEXICAL = 1, RANKING_VECTOR = 2, RANKING_WORDS = 4 };

struct ranking_query {
    const char *text; /* trimmed, valid UTF-8; NULL with `like` */
    size_t text_len;
    unsigned language;           /* whose words count in full, those of others less; LANGUAGE_en when nobody said */
    const struct document *like; /* rank by likeness to this document, itself left out; NULL with `text` */
    struct engine_model *model;  /* NULL: there is none */
    size_t limit, offset;
    double min_score;       /* -INFINITY: no filter */
    struct meanings *words; /* NULL: there is no lexicon */
    double weight_lexical, weight_vector, weight_words;
};

struct ranked {
    int64_t id;
    const char *filename;
    double score; /* higher is better; BM25, cosine, or fused ranks, by algorithm */
};

struct ranking {
    struct ranked *items; /* the page, best first; in the arena */
    size_t n;
    int64_t total;         /* results on all pages */
    const char *corrected; /* the query as it was understood, where a word was misspelled; NULL; in the arena */
    unsigned legs;         /* of enum ranking_leg: those that took part */
};

struct ranking_algorithm {
    const char *name;
    enum status (*rank)(struct search_store *store, struct engine *engine, const struct ranking_query *q,
                        struct arena *a, struct ranking *out, struct error *err);
};
extern const struct ranking_algorithm ranking_algorithms[];
extern const size_t ranking_algorithm_count;
const struct ranking_algorithm *ranking_find(const char *name); /* NULL: unknown */

#endif
