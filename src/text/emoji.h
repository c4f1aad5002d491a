/* emoji.h: where an emoji ends, and how it is spelled as a search term (Unicode Technical Standard 51).
 *
 * A sequence is a base with its modifiers, several joined by U+200D, a flag (two regional indicators,
 * or U+1F3F4 with tags) or a keycap. Its name is "u" and the hexadecimal code point for each of its code
 * points but U+FE0E, U+FE0F and the skin tones: both spellings and all tones of a hand are one word. */
#ifndef PEEL_TEXT_EMOJI_H
#define PEEL_TEXT_EMOJI_H

#include <stdbool.h>
#include <stddef.h>

#define EMOJI_MAX_NAME 256 /* bytes; a longer sequence is cut into several */

/* Whether an emoji may begin with a character of UTF-8 whose first byte this is. Most letters are told apart by that.
 */
static inline bool emoji_may_begin(unsigned char byte)
{
    return byte >= 0xf0 || byte == 0xe2 || byte == 0xe3 || byte == 0xc2 || (byte >= '0' && byte <= '9') ||
           byte == '#' || byte == '*';
}
/* Bytes of the emoji sequence that begins at s (len > 0 bytes left), 0 if none does. */
size_t emoji_sequence(const char *s, size_t len);

/* The name of a whole sequence; returns its length (no NUL is written). */
size_t emoji_name(const char *s, size_t len, char out[EMOJI_MAX_NAME]);

/* Any text spelled in the same way, as far as the name has room. */
size_t emoji_spelled(const char *s, size_t len, char out[EMOJI_MAX_NAME]);

/* The names of the parts of a joined sequence, one per call, from *at = 0; the signs of gender are left
 * out. False at the end, and at once for a sequence that is not joined. */
bool emoji_part(const char *s, size_t len, size_t *at, char out[EMOJI_MAX_NAME], size_t *out_len);

#endif
