/* fts_rows.h: the terms of one document as an index has them, each once and in order.
 *
 * A term begins with a byte that says where it comes from: 's' for a stem in title, words or filename, 'f' for the
 * unstemmed form of one, 'l' for a term of another language. Then come its letters and digits, ASCII's in small. */
#ifndef PEEL_FTS_FTS_ROWS_H
#define PEEL_FTS_FTS_ROWS_H

#include "base/arena.h"
#include "base/status.h"
#include "base/terms.h"

enum { FTS_MAX_TERM = 512 }; /* bytes of a term that count, without the first one */
enum { FTS_MAX_TF = 65535 };
enum { FTS_TITLED = 1 };           /* the tf of a term of another language: it is also in a title */
enum { FTS_MAX_ASKED = 64 << 10 }; /* bytes of all terms of a query */

/* The first term of `text` from *at on, first `kind`, into out; its length, 0 at the end. */
size_t fts_next_term(const char *text, size_t *at, char kind, char out[FTS_MAX_TERM + 1]);
/* A query's term as an index has it: its length; 0 when it is none, or several. */
size_t fts_spell(const char *term, char kind, char out[FTS_MAX_TERM + 1]);

struct fts_row {
    const char *term;
    size_t len;
    uint32_t tf;                    /* weighted by where it stands; or FTS_TITLED or 0 */
    const unsigned char *languages; /* [n_languages] that have it in their words, ascending; of kind 'l' */
    size_t n_languages;
};
struct fts_rows {
    struct fts_row *items; /* [n] by term */
    size_t n;
    int64_t words; /* how many terms stand in title, words and filename */
    struct arena arena;
};
/* To be freed, also after an error. */
enum status fts_rows_make(struct fts_rows *r, const struct sticker_terms *terms, struct error *err) MUST_CHECK;
void fts_rows_free(struct fts_rows *r);

#endif
