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
/* The packed terms of other languages, deflated, behind their length inflated (4 bytes, little endian; the top bit says
 * that they are not deflated at all); nothing where there are none. `out` is initialised, and to be freed. */
enum status fts_deflate(const struct sticker_terms *terms, struct buf *out, struct error *err) MUST_CHECK;
/* What was packed, which the caller frees; and its languages, in the arena. ERR_CORRUPT names the row. */
enum status fts_inflate_packed(int64_t row, const unsigned char *deflated, size_t deflated_len, char **plain,
                               size_t *len, struct error *err) MUST_CHECK;
enum status fts_inflate(int64_t row, const void *deflated, size_t len, struct arena *a, struct sticker_terms *out,
                        struct error *err) MUST_CHECK;
enum status fts_damaged(int64_t row, struct error *err); /* ERR_CORRUPT */

#endif
