/* charsmap.h: SentencePiece's precompiled normalizer, as Hugging Face's `Precompiled` applies it.
 *
 * Bytes: a little-endian u32 with the length of the table in bytes; the table, a double-array trie (darts-clone) of
 * u32 units from a spelling in UTF-8 to a place in the rest; the rest, replacements in UTF-8 that end with NUL.
 * A grapheme cluster of fewer than 6 bytes is replaced whole by what its shortest known beginning stands for (even
 * where that drops a mark: the original does), otherwise each code point by itself.
 * (Kudo & Richardson 2018, arXiv:1808.06226; Yata 2009 for the trie; crate spm_precompiled.) */
#ifndef PEEL_TOKENIZE_CHARSMAP_H
#define PEEL_TOKENIZE_CHARSMAP_H

#include "base/buf.h"
#include "base/status.h"
#include <stddef.h>

struct charsmap;
/* Copies the bytes. ERR_INVALID: a unit, reached from the root, that points outside of the table, into a loop or at
 * no replacement. */
enum status charsmap_parse(const void *bytes, size_t len, struct charsmap **out, struct error *err) MUST_CHECK;
/* The same from base64 (RFC 4648, padded), NUL-terminated. */
enum status charsmap_parse_base64(const char *text, struct charsmap **out, struct error *err) MUST_CHECK;
void charsmap_free(struct charsmap *m); /* NULL is fine */

/* Appends s, valid UTF-8, normalized. Thread-safe. *origin leading bytes become as many of what they are replaced by.
 */
enum status charsmap_apply(const struct charsmap *m, const char *s, size_t len, struct buf *out, size_t *origin,
                           struct error *err) MUST_CHECK;

#endif
