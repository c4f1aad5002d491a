/* normal.h: characters in the one form in which they are compared, by Unicode's rules as utf8proc knows them. chars.h
 * has the answers for most characters in a table, which tools/chars.c makes with these functions; this is for the rest,
 * and to test the table against. */
#ifndef PEEL_TEXT_NORMAL_H
#define PEEL_TEXT_NORMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NFKC with case folded and without invisible characters, as code points: out [cap]. Returns how many there are; when
 * they are more than cap, nothing of use is in out; -1: not UTF-8. */
ptrdiff_t normal_text(const char *s, size_t len, int32_t *out, size_t cap);

/* NFC without what only decorates a letter, and letters that are written in several ways in one of them. As above. */
ptrdiff_t normal_fold(const char *s, size_t len, int32_t *out, size_t cap);

/* Marks that only decorate a letter. Those that are letters of their script (Thai, Indic) stay. */
bool normal_is_accent(uint32_t cp);

#endif
