/* fts_index.h: an index of the terms of many documents in memory, with its search; it finds, and ranks (fts_rank.h), as
 * the indexes in databases do (fts.h), but faster, and knows nothing of them.
 *
 *     struct fts_index *ix;
 *     fts_index_open(&ix, err);
 *     fts_index_put(ix, &(struct fts_document){id, fts_terms_hash(&terms), &terms}, 1, err);
 *     fts_index_search(ix, &query, NULL, 10, 0, NULL, NULL, arena, &hits, &n, &total, err);
 *     fts_index_close(ix);
 *
 * It is a log-structured merge tree (O'Neil et al., 1996): each change adds a segment (fts_segment.h) and marks the
 * documents in older ones that it replaces as dead; segments of one size are merged, small ones at once, large ones in
 * fts_index_tidy. Thread-safe: a search works on the segments that there were when it began, and waits for nobody but
 * for the moment in which it gets a reference to them; changes wait for each other. */
#ifndef PEEL_FTS_FTS_INDEX_H
#define PEEL_FTS_FTS_INDEX_H

#include "base/labels.h"
#include "fts/fts_rank.h"
#include "fts/fts_segment.h"

struct fts_index;
enum status fts_index_open(struct fts_index **out, struct error *err) MUST_CHECK;
void fts_index_close(struct fts_index *ix); /* NULL is fine */

/* Adds or replaces documents, each id once. What has the same hash already is left as it is. */
enum status fts_index_put(struct fts_index *ix, const struct fts_document *docs, size_t n,
                          struct error *err) MUST_CHECK;
enum status fts_index_remove(struct fts_index *ix, const int64_t *ids, size_t n, struct error *err) MUST_CHECK;
bool fts_index_has(struct fts_index *ix, int64_t id, uint64_t hash);

struct fts_index_size {
    int64_t documents;
    size_t segments, bytes;
};
void fts_index_size(struct fts_index *ix, struct fts_index_size *out);

/* Best first, ties by filename; without `names` the first page, by id and with filenames NULL (fts_rank_page).
 * Documents that have no name any more are left out. Only of what is in `passing` (NULL: all). No terms is OK (no
 * hits). ERR_TIMEOUT: the deadline has passed. */
enum status fts_index_search(struct fts_index *ix, const struct term_query *q, const struct label_test *passing,
                             size_t limit, size_t offset, fts_names *names, void *ctx, struct arena *a,
                             struct fts_hit **hits, size_t *n, int64_t *total, struct error *err) MUST_CHECK;

/* Merges large segments where that is due. One thread at a time, which may be another one than those of changes; so
 * with the two below. */
enum status fts_index_tidy(struct fts_index *ix, struct error *err) MUST_CHECK;
/* Merges all to one segment, writes that to a file, and from then on reads it there. */
enum status fts_index_save(struct fts_index *ix, const char *path, const char tag[FTS_TAG_SIZE], int64_t number,
                           struct error *err) MUST_CHECK;
/* Of an empty index, the segment of a file, as fts_segment_load. */
enum status fts_index_load(struct fts_index *ix, const char *path, char tag[FTS_TAG_SIZE], int64_t *number,
                           struct error *err) MUST_CHECK;

/* --- between fts_index*.c --- */

struct fts_dead {
    atomic_uint refs;
    uint32_t n;
    int64_t words; /* of these documents */
    uint64_t bits[];
};
struct fts_part {
    struct fts_segment *segment;
    struct fts_dead *dead; /* NULL: none is */
};
/* What searches work on: it never changes. */
struct fts_view {
    atomic_uint refs;
    int64_t documents, words;
    size_t n;
    struct fts_part parts[]; /* older ones first */
};
struct fts_view *fts_view_hold(struct fts_index *ix);
void fts_view_drop(struct fts_view *v);
static inline const uint64_t *fts_dead_of(const struct fts_part *p)
{
    return p->dead ? p->dead->bits : NULL;
}

#endif
