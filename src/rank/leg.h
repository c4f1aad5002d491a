/* leg.h: a leg of the ranking, which finds documents in one way: by their terms, by what their words mean, by vectors.
 *
 * To add one, write leg_NAME.c with a `const struct leg leg_NAME` and add its line to base/legs.h; fusion, options,
 * answers and metrics know only the table. */
#ifndef PEEL_RANK_LEG_H
#define PEEL_RANK_LEG_H

#include "rank/rank.h"

struct leg_hits {
    struct ranked *items; /* [n], best first, ties in a fixed order; in the arena, as `corrected` */
    size_t n;
    int64_t total;         /* how many there are in all, as far as the leg can tell */
    const char *corrected; /* the query with misspelled words corrected, or NULL */
    bool silent;           /* there is nothing in the query that this leg could search by */
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
    /* For a query for which no leg that is relied on in full finds anything: what might do instead; or NULL. */
    enum status (*fallback)(const struct rank_sources *s, const struct rank_query *q, size_t limit, struct arena *a,
                            struct leg_hits *out, struct error *err);
    bool corrects; /* it reads the query first, and its `corrected` is what the others search by */
    bool pages;    /* a page costs it about the same wherever it is */
};
extern const struct leg *const legs[LEG_COUNT]; /* by enum leg_number */

/* leg_lexical.c, also for the algorithm `words` without a lexicon. complete: the last word may be the beginning of a
 * longer one. */
enum status leg_lexical_hits(const struct rank_sources *s, const struct rank_query *q, bool complete, size_t limit,
                             size_t offset, struct arena *a, struct leg_hits *out, struct error *err) MUST_CHECK;
/* leg_vector.c: what any leg does whose model has a vector for each document. */
double leg_model_trust(const struct rank_model *m, const struct rank_query *q);
enum status leg_model_hits(const struct rank_sources *s, enum leg_number leg, const struct rank_query *q, size_t limit,
                           size_t offset, struct arena *a, struct leg_hits *out, struct error *err) MUST_CHECK;

/* fuse.c: reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): a document's score is the sum of
 * weight / (60 + rank) over the legs that found it. hits: [LEG_COUNT]; a leg of weight 0 adds nothing to a
 * score, but what it alone found stays, at the end.
 * Equal scores stand by their rank in the first leg that tells them apart. Makes the page that `q` asks for. */
enum status fuse(const struct rank_query *q, const struct leg_hits *hits, const double *weights, struct arena *a,
                 struct ranking *out, struct error *err) MUST_CHECK;
double fuse_score(double weight, size_t rank); /* of one leg; rank from 1 */
/* From all results, best first, to the page that `q` asks for. */
void rank_cut_page(const struct rank_query *q, struct ranked *items, size_t n, struct ranking *out);

#endif
