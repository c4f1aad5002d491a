/* leg.h: a leg of the ranking, which finds documents in one way: by their terms, by what their words mean, by vectors.
 *
 * To add one, write leg_NAME.c with a `const struct leg leg_NAME` and add its line to base/legs.h; fusion, options,
 * answers and metrics know only the table. */
#ifndef PEEL_RANK_LEG_H
#define PEEL_RANK_LEG_H

#include "rank/rank.h"

struct leg_hits {
    struct ranked
        *items; /* [n], best first, ties in a fixed order, or with `fused` in any; in the arena, as `corrected` */
    size_t n;
    int64_t total;         /* how many there are in all, as far as the leg can tell */
    const char *corrected; /* the query with misspelled words corrected, or NULL */
    bool expanded;         /* it also searched by synonyms of the query's words */
    bool silent;           /* there is nothing in the query that this leg could search by */
};

/* How the scores of a leg become numbers that can be added to those of others. */
enum leg_scale {
    LEG_SCALE_OWN,   /* they are: 1 is as good as can be for any query */
    LEG_SCALE_BEST,  /* as shares of the best one: they say nothing by themselves, but 0 is nothing */
    LEG_SCALE_RANGE, /* from 0 for the worst one to 1 for the best: they say nothing by themselves, nor does 0 */
};

struct leg {
    const char *name;
    /* How far this leg can be relied on for the query, 0 to 1; it scales the leg's weight. 0: it cannot answer, since
     * its model is loading, say, or the query is in a language that it does not know. */
    double (*trust)(const struct rank_sources *s, const struct rank_query *q);
    /* Results offset to offset + limit. ERR_UNAVAILABLE: why it cannot answer now. ERR_NOT_FOUND: it does not know
     * the document of `like`. */
    enum status (*hits)(const struct rank_sources *s, const struct rank_query *q, size_t limit, size_t offset,
                        struct arena *a, struct leg_hits *out, struct error *err);
    /* The part of it that needs no memory of the search and nothing of other legs: hybrid has it done by another
     * thread, while these are asked, and then its time is not among the request's parts (base/metric.h). What it makes
     * is in s->cache; what goes wrong, `hits` tells. Or NULL. */
    void (*prepare)(const struct rank_sources *s, const struct rank_query *q);
    /* For a query for which no leg that is relied on in full finds anything: what might do instead; or NULL. */
    enum status (*fallback)(const struct rank_sources *s, const struct rank_query *q, size_t limit, struct arena *a,
                            struct leg_hits *out, struct error *err);
    bool corrects;  /* it reads the query first, and its `corrected` is what the others search by */
    bool pages;     /* a page costs it about the same wherever it is */
    bool ranks_all; /* every document has a score, and those that it did not tell of one below */
    enum leg_scale scale;
};
extern const struct leg *const legs[LEG_COUNT]; /* by enum leg_number */

/* leg_lexical.c, also for the algorithm `words` without a lexicon. complete: the last word may be the beginning of a
 * longer one. */
enum status leg_lexical_hits(const struct rank_sources *s, const struct rank_query *q, bool complete, size_t limit,
                             size_t offset, struct arena *a, struct leg_hits *out, struct error *err) MUST_CHECK;
/* Of its parts. The terms that it looks for; *expanded: synonyms are among them. */
enum status leg_lexical_terms(const struct rank_sources *s, const struct rank_query *q, bool complete, struct arena *a,
                              struct term_query *out, bool *expanded, struct error *err) MUST_CHECK;
/* leg_vector.c: what any leg does whose model has a vector for each document. */
double leg_model_trust(const struct rank_model *m, const struct rank_query *q);
enum status leg_model_hits(const struct rank_sources *s, enum leg_number leg, const struct rank_query *q, size_t limit,
                           size_t offset, struct arena *a, struct leg_hits *out, struct error *err) MUST_CHECK;

/* Of its parts. The vector of a query's text, from the cache or encoded: out[dim]; ERR_NOT_FOUND: the model knows
 * nothing of it. */
enum status leg_model_embed(const struct rank_sources *s, const struct rank_model *m, const struct rank_query *q,
                            float *out, struct error *err) MUST_CHECK;

/* Encodes the query's text into the cache, if there is one: the work of `prepare` for such a leg. */
void leg_model_prepare(const struct rank_sources *s, const struct rank_model *m, const struct rank_query *q);

/* leg_sentence.c: a query as a model with phrases understands it: `asked` with its text in small letters, `read` with
 * only the beginning of that, which is what is encoded. ERR_NOT_FOUND: there is no word in it. */
enum status leg_sentence_text(const struct rank_query *q, struct arena *a, struct rank_query *asked,
                              struct rank_query *read, struct error *err) MUST_CHECK;

/* fuse.c: a document's score is the sum of what the legs say of it, each as its `scale` has it, times its learnt weight
 * (fusion_weights.h) and weights[leg]. hits: [LEG_COUNT]; what a leg of weight 0 alone found stays, at the end. Equal
 * scores stand by id. Makes the page that `q` asks for. */
enum status fuse(const struct rank_query *q, const struct leg_hits *hits, const double *weights,
                 const struct rank_priors *priors, struct arena *a, struct ranking *out, struct error *err) MUST_CHECK;
/* What was learnt of the first results of one leg, in their order, changes it. priors: not NULL. */
void rank_reorder(const struct rank_priors *priors, struct ranked *items, size_t n);
/* From all results, best first, to the page that `q` asks for. */
void rank_cut_page(const struct rank_query *q, struct ranked *items, size_t n, struct ranking *out);

#endif
