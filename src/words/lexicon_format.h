/* lexicon_format.h: the beginning of the file, between lexicon.c and lexicon_build.c. */
#ifndef PEEL_WORDS_LEXICON_FORMAT_H
#define PEEL_WORDS_LEXICON_FORMAT_H

#include <stdint.h>

#define LEXICON_MAGIC         "PeelWord"
#define LEXICON_VERSION       3u
#define LEXICON_MAX_RELATIONS 2000000u

struct lexicon_header {
    char magic[8];
    uint32_t version, dim, words, relations, letters, reserved;
    uint64_t checksum; /* XXH3 of what follows */
    uint8_t zero[24];
};
_Static_assert(sizeof(struct lexicon_header) == 64, "the header has no holes");

#endif
