/* fts_terms.h: the terms of other languages, packed, as both databases keep them: a language's number (one byte), its
 * titles' terms and its words' terms (each with a NUL), for each language. */
#ifndef PEEL_FTS_FTS_TERMS_H
#define PEEL_FTS_FTS_TERMS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/terms.h"

enum { FTS_MAX_PACKED = 8 << 20 }; /* bytes of one document's terms */

void fts_pack(const struct sticker_terms *terms, struct buf *out); /* appends */
/* The text at *at, which ends with a NUL; NULL when it does not before `end`. */
const char *fts_next_text(const char **at, const char *end);
/* The language at *at, whose texts are borrowed. False at the end, or where it is damaged: then *at is not `end`. */
bool fts_next_language(const char **at, const char *end, struct language_terms *out);
/* All of them, in the arena. ERR_CORRUPT names the row. */
enum status fts_unpack(const char *packed, size_t len, int64_t row, struct arena *a, struct sticker_terms *out,
                       struct error *err) MUST_CHECK;
enum status fts_damaged(int64_t row, struct error *err); /* ERR_CORRUPT */

#endif
