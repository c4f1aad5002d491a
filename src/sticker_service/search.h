/* search.h: one search, for the API and for pages: SearchService's ranking joined with what we know of the
 * stickers, or our own words when it does not answer in time. */
#ifndef PEEL_STICKER_SERVICE_SEARCH_H
#define PEEL_STICKER_SERVICE_SEARCH_H

#include "sticker_service/service.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEARCH_LIMIT_MAX  100
#define SEARCH_OFFSET_MAX 100000 /* SearchService ranks no deeper */
#define SEARCH_THUMBNAIL  256u   /* pixels wide */

struct search_result {
    const struct sticker *sticker; /* without its words */
    double score;                  /* higher is better; comparable within one answer only */
};
struct search_answer {
    struct search_result *results; /* best first; stickers that were deleted are left out */
    size_t n;
    int64_t total;         /* how many match in all */
    bool degraded;         /* from our own words */
    const char *corrected; /* the query as SearchService understood it, or NULL */
    const char *legs;      /* JSON, as SearchService sent it, or NULL */
};

/* `query` as query_param makes it; `lang`: the preferred language's tag, or NULL. Does not count usage. Memory from
 * req->arena. */
enum status search_run(struct sticker_service *s, const struct http_request *req, const char *query, const char *lang,
                       size_t limit, size_t offset, struct search_answer *out, struct error *err) MUST_CHECK;
/* What to tell usage_count of an answer. */
enum usage_outcome search_outcome(const struct search_answer *answer);
/* What is like the sticker, itself left out: by its vector, when there is one, and its words. Nothing when
 * SearchService does not know it (yet), or does not answer in time: only it can tell. */
enum status search_like(struct sticker_service *s, const struct http_request *req, const char *filename, size_t limit,
                        struct search_answer *out, struct error *err) MUST_CHECK;

#endif
