/* find.h: one search, for the API and for pages: SearchService's ranking joined with what we know of the
 * stickers, or our own words when it does not answer in time. */
#ifndef PEEL_STICKER_SERVICE_FIND_H
#define PEEL_STICKER_SERVICE_FIND_H

#include "sticker_service/service.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FIND_MAX_LIMIT  100
#define FIND_MAX_OFFSET 100000 /* SearchService ranks no deeper */
#define FIND_THUMBNAIL  256u   /* pixels wide */

/* What is tried on a search (docs/EXPERIMENTS.md): one of an experiment's searches, or a place for a new sticker. */
struct find_trial {
    const struct experiment_plan *plan; /* NULL: none */
    enum team arm;                      /* of A/B; interleaved: TEAM_NONE, */
    unsigned list;                      /* and which of some lists that are drawn for this query */
    bool explore;
    uint64_t seed;
};
struct find_query {
    const char *text; /* as query_param makes it; NULL with `like` */
    const char *like; /* a filename: what is like that sticker, itself left out; NULL with `text` */
    const char *lang; /* the preferred language's tag, or NULL */
    size_t limit, offset;
    struct sticker_filter filter; /* which stickers may be found; STICKER_FILTER_NONE: all */
    const char *client;           /* who searches, as events call the person; NULL or "": the address tells */
    bool known_only;              /* no new sticker may be tried */
    struct find_trial trial;      /* find_choose_trial; zeros: nothing is tried */
};
struct find_result {
    const struct sticker *sticker; /* without its words */
    const char *title;             /* in the reader's language (sticker_localise), or NULL */
    double score;                  /* higher is better; comparable within one answer only */
    double confidence;             /* that it fits, 0..1; 0: SearchService did not say */
    bool pinned;                   /* staff put it at this place */
    enum team team;                /* whose choice it is, in an experiment */
};
struct find_answer {
    struct find_result *results; /* best first; stickers that were deleted are left out */
    size_t n;
    int64_t total;         /* how many match in all */
    bool degraded;         /* from our own words */
    const char *corrected; /* the query as SearchService understood it, or NULL */
    const char *legs;      /* JSON, as SearchService sent it, or NULL */
    const char *ranking;   /* what decided about the order, as SearchService calls it; "words" when degraded */
    const char *language;  /* what the query was taken for, a tag */
    int64_t experiment;    /* that it is one of; 0: none, also where one of its rankings failed */
    enum team arm;         /* TEAM_NONE: each result has its team */
    size_t tried;          /* the rank of a new sticker that was put there; 0: none */
    int64_t propensity;    /* its probability to be there, in millionths */
};

/* Decides what is tried on a search. All pages of one query have the same trial for a client and an hour. Answers to
 * the same query with the same find_trial_key are alike. */
void find_choose_trial(struct sticker_service *s, const struct http_request *req, struct find_query *query);
#define FIND_TRIAL_KEY 64
const char *find_trial_key(const struct find_trial *trial, char key[FIND_TRIAL_KEY]);

/* Memory from req->arena; does not count usage. For `like` there is nothing to fall back on: no results when
 * SearchService does not know the sticker (yet), or does not answer in time. */
enum status find_stickers(struct sticker_service *s, const struct http_request *req, const struct find_query *query,
                          struct find_answer *out, struct error *err) MUST_CHECK;
/* Appends how the receipts of searches with this answer begin (receipts.h). */
enum status find_draft(const struct find_query *query, const struct find_answer *answer, struct arena *arena,
                       struct buf *out, struct error *err) MUST_CHECK;
/* What to tell usage_count of an answer. */
enum usage_outcome find_outcome(const struct find_answer *answer);
#endif
