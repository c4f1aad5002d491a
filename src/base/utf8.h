/* utf8.h: bounds and checks of text from outside (RFC 3629: no surrogates, no overlong forms). */
#ifndef PEEL_BASE_UTF8_H
#define PEEL_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const char *s, size_t len);
size_t utf8_count(const char *s, size_t len); /* code points of valid text */

/* Decodes one code point of valid UTF-8 at s (len > 0 bytes left); returns its length in bytes. */
size_t utf8_decode(const char *s, size_t len, uint32_t *cp);
size_t utf8_encode(uint32_t cp, char out[4]); /* bytes written, 0 for an invalid code point */

/* The part of s without leading and trailing Unicode white space: *start and *len are narrowed. */
void utf8_trim(const char **start, size_t *len);
bool utf8_has_control(const char *s, size_t len); /* C0, DEL, C1, U+2028/9 */

#endif
