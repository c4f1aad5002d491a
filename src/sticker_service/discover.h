/* discover.h: stickers that nobody typed a phrase for, in the form of a search's answer. They have no score, and no
 * receipt. */
#ifndef PEEL_STICKER_SERVICE_DISCOVER_H
#define PEEL_STICKER_SERVICE_DISCOVER_H

#include "sticker_service/find.h"

/* Stickers at random, another set for each seed; fewer than `limit` where few pass the filter. */
enum status discover_random(struct sticker_service *s, const struct sticker_filter *filter, uint64_t seed, size_t limit,
                            struct arena *a, struct find_answer *out, struct error *err) MUST_CHECK;
/* A page of the stickers that are used most now (sticker_store_trending), and after these, while there are few of them,
 * of others at random, which are the same for a day. */
#define DISCOVER_TRENDING_MAX 500 /* stickers, over all pages */
enum status discover_trending(struct sticker_service *s, const struct sticker_filter *filter, size_t offset,
                              size_t limit, struct arena *a, struct find_answer *out, struct error *err) MUST_CHECK;
/* The named stickers, in their order, without those that are not there. */
enum status discover_named(struct sticker_service *s, const char *const *filenames, size_t n, struct arena *a,
                           struct find_answer *out, struct error *err) MUST_CHECK;

/* What a picker offers before anything is typed: the groups of CLDR's emoji, each with a phrase to search for. */
#define DISCOVER_CATEGORIES 9
struct category {
    const char *id;           /* "animals" */
    const char *name;         /* in the reader's language, "Animals & Nature" */
    const char *query;        /* in that language, "animal" */
    struct find_result cover; /* what is found for it first */
};
/* Those for which anything is found, in CLDR's order; *n of them. What was found is kept for a while. */
enum status discover_categories(struct sticker_service *s, const struct http_request *req, const char *lang,
                                const struct sticker_filter *filter, struct category out[DISCOVER_CATEGORIES],
                                size_t *n, struct error *err) MUST_CHECK;

#endif
