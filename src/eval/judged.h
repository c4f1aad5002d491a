/* judged.h: queries with the stickers that people judged to show what they ask for.
 * The room reads such queries and measures ranked lists by them (measures.h), for `peel eval`; it sees base only.
 *
 * Two forms of file, UTF-8:
 *   CSV   with a header; columns `query` and `relevant` (filenames between spaces, each with its grade,
 *         "cake.svg:1", or 2 when none is said), and where known `id`, `split`, `type`, `language`.
 *   TREC  topics, lines of "id<TAB>query", and with them qrels, lines of "id 0 filename grade"; grade 0 or
 *         less: judged, and not relevant (trec_eval). */
#ifndef PEEL_EVAL_JUDGED_H
#define PEEL_EVAL_JUDGED_H

#include "base/arena.h"
#include "base/status.h"
#include <stddef.h>

#define JUDGED_MAX_BYTES    (64u << 20) /* of a file */
#define JUDGED_MAX_QUERIES  100000u
#define JUDGED_MAX_RELEVANT 10000u /* per query */
#define JUDGED_MAX_GRADE    100
#define JUDGED_GRADE        2

struct judgement {
    const char *filename;
    int grade; /* 1.. JUDGED_MAX_GRADE */
};
struct judged_query {
    const char *id, *query;
    const char *type, *language; /* "" where the file does not say */
    struct judgement *relevant;  /* sorted by filename, none twice */
    size_t n;
};
struct judged {
    struct judged_query *queries;
    size_t n;
};

/* `split`: only queries of that split; NULL: all. ERR_INVALID names file, line and column. Queries without a
 * relevant sticker are refused: nothing could be right. Everything lives in the arena. */
enum status judged_read_csv(const char *path, const char *split, struct arena *a, struct judged *out,
                            struct error *err) MUST_CHECK;
enum status judged_read_trec(const char *topics, const char *qrels, struct arena *a, struct judged *out,
                             struct error *err) MUST_CHECK;
int judged_grade(const struct judged_query *q, const char *filename); /* 0: not relevant */

#endif
