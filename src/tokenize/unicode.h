/* unicode.h: code points and code point sequences as Hugging Face's `tokenizers` sees them.
 *
 * That library takes each of its classes from a crate of its own, of Unicode 8 to 17. For the same ids the
 * classes are therefore tables made from it (unicode_tables.h), whatever version libutf8proc has; libutf8proc
 * gives what Unicode never changes: decompositions, compositions, combining classes and lower case. */
#ifndef PEEL_TOKENIZE_UNICODE_H
#define PEEL_TOKENIZE_UNICODE_H

#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNICODE_META    0x2581         /* SentencePiece's sign for a space */
#define UNICODE_META_S  "\xe2\x96\x81" /* the same in UTF-8 */
#define UNICODE_MAX_LOW 2              /* code points that one becomes in lower case, at most */

bool unicode_is_space(uint32_t cp);
bool unicode_is_punctuation(uint32_t cp);
bool unicode_is_control(uint32_t cp);    /* what BERT's clean_text removes, NUL and U+FFFD included */
bool unicode_is_nonspacing(uint32_t cp); /* Mn */
bool unicode_is_mark(uint32_t cp);       /* Mn, Mc, Me */
bool unicode_is_chinese(uint32_t cp);    /* BERT's CJK blocks */
bool unicode_is_ascii(const char *s, size_t len);

/* out: [UNICODE_MAX_LOW]; returns how many. Final sigma is not special. */
size_t unicode_lower(uint32_t cp, uint32_t *out);

enum unicode_form { UNICODE_NFC, UNICODE_NFD, UNICODE_NFKC, UNICODE_NFKD };
/* Appends the valid UTF-8 in s to `out` in the normalization form (UAX 15). Linear in len. */
enum status unicode_normalize(enum unicode_form form, const char *s, size_t len, struct buf *out,
                              struct error *err) MUST_CHECK;

/* Length in bytes of the extended grapheme cluster (UAX 29) that s, len > 0, begins with. */
size_t unicode_grapheme(const char *s, size_t len);

#endif
