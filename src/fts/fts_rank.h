/* fts_rank.h: the ranking of the lexical search, whichever database found the matches (fts_sqlite.h, fts_postgres.h).
 *
 *     struct fts_rank r;
 *     fts_rank_begin(&r, query);
 *     // for each document that has one of the stems or the prefix, by ascending id:
 *     //     fts_collect_note(&r.words, ...) for each of them, then fts_collect_match(&r.words, id, length)
 *     // the same for forms, with r.languages; then r.totals
 *     fts_rank_score(&r, err);
 *     fts_rank_page(&r, limit, offset, names, ctx, arena, &hits, &n, err);
 *     fts_rank_end(&r);
 *
 * So two databases with the same documents give the same order and the same scores. */
#ifndef PEEL_FTS_FTS_RANK_H
#define PEEL_FTS_FTS_RANK_H

#include "base/arena.h"
#include "base/status.h"
#include "base/terms.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FTS_MAX_TERMS = 128, FTS_MAX_FORMS = 256 }; /* of a query; later ones are left out */
enum { FTS_LENGTH_BITS = 12, FTS_MAX_LENGTH = (1 << FTS_LENGTH_BITS) - 1 };

/* How much a word counts where it stands; the same in any language. */
#define FTS_WEIGHT_TITLE    3.0
#define FTS_WEIGHT_WORDS    2.0
#define FTS_WEIGHT_FILENAME 1.0

struct fts_match {
    int64_t id;
    double length; /* terms in title, words and filename, FTS_MAX_LENGTH at most */
};
struct fts_note { /* a term of the query is in match `match` */
    size_t match;
    int phrase;     /* stem or form number; n_stems or n_forms for the prefix */
    double tf;      /* how often, weighted by where; not read for the prefix */
    bool preferred; /* of forms: in the preferred language */
};
struct fts_collector {
    struct fts_match *matches; /* by id */
    struct fts_note *notes;    /* by match, then phrase */
    size_t n_matches, n_notes, cap_matches, cap_notes;
};
/* Room for more of them. False: no memory. */
bool fts_collect_reserve(struct fts_collector *k, size_t notes, size_t matches);
/* A term of the document that comes next, each once, then the document. False: no memory. */
static inline bool fts_collect_note(struct fts_collector *k, int phrase, double tf, bool preferred)
{
    if (k->n_notes == k->cap_notes && !fts_collect_reserve(k, 1, 0))
        return false;
    k->notes[k->n_notes++] =
        (struct fts_note){.match = k->n_matches, .phrase = phrase, .tf = tf, .preferred = preferred};
    return true;
}
static inline bool fts_collect_match(struct fts_collector *k, int64_t id, double length)
{
    if (k->n_matches == k->cap_matches && !fts_collect_reserve(k, 0, 1))
        return false;
    k->matches[k->n_matches++] = (struct fts_match){.id = id, .length = length};
    return true;
}
/* The tf of a form that `known` of the languages have that it is looked for in. */
double fts_form_tf(bool titled, bool preferred, unsigned known);

struct fts_totals {
    double documents, average_length;
};
struct fts_totals fts_totals_of(int64_t documents, int64_t words);

/* How many terms a document has, as FTS_MAX_LENGTH bounds it, and as the totals count it (`all`). */
int64_t fts_length(const struct sticker_terms *terms, int64_t *all);

struct fts_scored;
struct fts_rank {
    const struct term_query *q;
    size_t n_stems, n_forms; /* of the query, those that are asked for */
    size_t n_asked;          /* the stems that English has */
    int asked[FTS_MAX_TERMS];
    bool runs;               /* some are pieces of a script without spaces */
    const char *prefix;      /* NULL: none */
    const char *form_prefix; /* the same if it is looked for in all languages */
    struct fts_totals totals;
    bool drawn[FTS_MAX_TERMS + 1]; /* the signs, by their number, that are found as a whole */
    struct fts_collector words, languages;
    struct fts_scored *found; /* by id */
    size_t n;
    double word_idf[FTS_MAX_TERMS + 1], prefix_idf;
    double other_idf[FTS_MAX_TERMS + 1], preferred_idf[FTS_MAX_TERMS + 1], other_prefix_idf;
};
void fts_rank_begin(struct fts_rank *r, const struct term_query *q);
enum status fts_rank_score(struct fts_rank *r, struct error *err) MUST_CHECK;
void fts_rank_end(struct fts_rank *r);

struct fts_hit {
    int64_t id;
    const char *filename;
    double score; /* higher is better */
};
/* Looks up filenames by id; those that are not there become NULL. */
typedef enum status fts_names(void *ctx, const int64_t *ids, size_t n, struct arena *a, const char **out,
                              struct error *err);
/* Best first, ties by filename. Without `names` the first page alone, of equal ones those with the lowest ids, by id
 * and with filenames NULL, which takes a tenth of the time. Only the page that was asked for is in the arena. */
enum status fts_rank_page(const struct fts_rank *r, size_t limit, size_t offset, fts_names *names, void *ctx,
                          struct arena *a, struct fts_hit **hits, size_t *n, struct error *err) MUST_CHECK;

#endif
