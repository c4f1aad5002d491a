/* spelling.h: how far one spelling is from another (Damerau and Levenshtein; neighbours may be swapped). */
#ifndef PEEL_WORDS_SPELLING_H
#define PEEL_WORDS_SPELLING_H

#include <stddef.h>

/* Half edits that a word of so many bytes may be away from what was meant: 0 below 4, 2 below 7, else 4. */
unsigned spelling_allowed(size_t len);
/* In half edits: a letter typed for its neighbour on the keyboard, or two swapped, are a half more than none,
 * that is 1; anything else is 2. Ends early with most + 1. Words of more than 40 bytes are never near. */
unsigned spelling_distance(const char *a, size_t a_len, const char *b, size_t b_len, unsigned most);

#endif
