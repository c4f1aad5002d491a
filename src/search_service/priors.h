/* priors.h: what votes taught about documents (rank/prior.h), as searches use it. StickerService hands it over, change
 * by change; the database keeps it; and the gains of queries that were searched lately are in memory. Several
 * SearchServices on a database learn within a second what one of them was sent. Thread-safe. */
#ifndef PEEL_SEARCH_SERVICE_PRIORS_H
#define PEEL_SEARCH_SERVICE_PRIORS_H

#include "base/arena.h"
#include "rank/prior.h"
#include "search_store/search_store.h"

#define PRIORS_MAX_BYTES (8u << 20) /* of JSON that hands some over */

struct priors;
/* The store is borrowed until priors_close. weight: how much a gain of 1 adds to a score of 1; 0: nothing is used. */
enum status priors_open(struct search_store *store, double weight, struct priors **out, struct error *err) MUST_CHECK;
void priors_close(struct priors *p); /* NULL is fine */

/* {"epoch":7,"after":12,"version":14,"priors":[{"query":"cat","gains":[{"filename":"a.png","gain":0.41,"clicks":true}]}]}
 * where clicks may be missing; "after" 0 replaces everything. ERR_INVALID names the member; ERR_CONFLICT: the version
 * is another one than `after`. DURABLE. */
enum status priors_put(struct priors *p, const char *json, size_t len, struct error *err) MUST_CHECK;
struct prior_version priors_version(struct priors *p);

/* What is known for a query, as it was searched; *out is NULL when there is nothing. In the arena. */
enum status priors_find(struct priors *p, const char *query, struct arena *a, const struct rank_priors **out,
                        struct error *err) MUST_CHECK;

#endif
