/* explain.h: what the legs see of one document, beside what the trace of a ranking tells (trace.h): which of the
 * query's terms it has and where, and how alike it is to the query. Queries are those that were searched by: with their
 * spelling corrected, in the language that was told. Memory is in the arena. */
#ifndef PEEL_RANK_EXPLAIN_H
#define PEEL_RANK_EXPLAIN_H

#include "rank/leg.h"

/* A term of the query in a list of the document's words. */
struct explain_match {
    const char *term; /* as it is looked for: a stem, or the beginning of a word */
    const char *in;   /* "title", "words", "filename", or "beginning" of a word of these; or a language's code */
    bool synonym;     /* of what was typed */
};
/* `document`: as search_store_terms gives them. */
enum status explain_terms(const struct rank_sources *s, const struct rank_query *q,
                          const struct sticker_terms *document, struct arena *a, struct explain_match **out, size_t *n,
                          struct error *err) MUST_CHECK;

struct explain_alike {
    double whole;       /* the cosine of the query and the document's vector */
    const char *phrase; /* the document's phrase that is most alike, where the model has phrases; else NULL */
    unsigned language;  /* of it, */
    double alike;       /* and its cosine */
};
/* By the model of this leg. ERR_NOT_FOUND: the document has no vector of it, or it knows nothing of the query.
 * ERR_UNAVAILABLE: no model of this leg is ready. */
enum status explain_alike(const struct rank_sources *s, enum leg_number leg, const struct rank_query *q, int64_t id,
                          struct arena *a, struct explain_alike *out, struct error *err) MUST_CHECK;

#endif
