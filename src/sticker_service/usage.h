/* usage.h: how often each query was searched, without a disk write per search.
 *
 * A query that is new is noted in the store before its search is answered, so that feedback may follow through any
 * process. Counts add up in memory and reach the store at most flush_ms later, and at close; a crash of the process
 * loses at most that much. Counts of a query that is deleted before they are written are dropped.
 */
#ifndef PEEL_STICKER_SERVICE_USAGE_H
#define PEEL_STICKER_SERVICE_USAGE_H

#include "base/arena.h"
#include "base/status.h"
#include "sticker_store/sticker_store.h"
#include <stddef.h>
#include <stdint.h>

struct usage;
enum status usage_open(struct sticker_store *store, unsigned flush_ms, struct usage **out,
                       struct error *err) MUST_CHECK;
void usage_close(struct usage *u);

enum usage_outcome {
    USAGE_FOUND,
    USAGE_EMPTY,   /* nothing, though SearchService answered */
    USAGE_DEGRADED /* answered without SearchService, whatever was found */
};
/* A search of the query has begun, which usage_count will count: its query may be stored together with others'. */
void usage_expect(struct usage *u, const char *query);
/* Stores a query that is expected, and all others with it, unless it is there. */
void usage_store(struct usage *u, const char *query);
/* Adds 1, of a client by whatever tells clients apart (receipts_client), and stores the query if it is new. Never
 * fails: when the store cannot take a new query, that is logged and the count is kept. */
void usage_count(struct usage *u, const char *query, enum usage_outcome outcome, uint32_t client);
enum status usage_flush(struct usage *u, struct error *err) MUST_CHECK;
size_t usage_pending(struct usage *u); /* queries with unwritten counts */

/* As sticker_store_analytics, with this process's unwritten counts added. */
enum status usage_analytics(struct usage *u, const char *query, struct arena *a, int64_t *usage,
                            struct score_row **rows, size_t *n, struct error *err) MUST_CHECK;

#endif
