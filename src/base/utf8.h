/* utf8.h: bounds and checks of text from outside (RFC 3629: no surrogates, no overlong forms). */
#ifndef PEEL_BASE_UTF8_H
#define PEEL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const char *s, size_t len);
size_t utf8_count(const char *s, size_t len); /* code points of valid text */
/* The bytes that the first `most` code points of valid text have. */
size_t utf8_prefix(const char *s, size_t len, size_t most);

/* Decodes one code point of valid UTF-8 at s (len > 0 bytes left); returns its length in bytes. An invalid byte is
 * U+FFFD. */
size_t utf8_decode_long(const char *s, size_t len, uint32_t *cp); /* the same, for what is rarer */
static inline size_t utf8_decode(const char *s, size_t len, uint32_t *cp)
{
    unsigned char first = (unsigned char)s[0];
    if (first >= 0x80)
        return utf8_decode_long(s, len, cp);
    *cp = first;
    return 1;
}
size_t utf8_encode(uint32_t cp, char out[4]); /* bytes written, 0 for an invalid code point */

/* What kind of character a code point is, by Unicode's general category: L*, M*, N*, or any other. */
enum utf8_kind { UTF8_OTHER, UTF8_LETTER, UTF8_MARK, UTF8_NUMBER };
enum utf8_kind utf8_kind(uint32_t cp);

/* The part of s without leading and trailing Unicode white space: *start and *len are narrowed. */
void utf8_trim(const char **start, size_t *len);
/* How many bytes of valid text come before its first Unicode white space. */
size_t utf8_word(const char *s, size_t len);
/* What is not UTF-8 becomes '?': for messages that quote others, and may have been cut inside a character. */
void utf8_scrub(char *s);
bool utf8_has_control(const char *s, size_t len); /* C0, DEL, C1, U+2028/9 */

#endif
