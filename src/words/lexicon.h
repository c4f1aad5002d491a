/* lexicon.h: a file of English words with their meaning: word vectors (GloVe) and relations (WordNet).
 * The room builds, checks and reads that file and compares spellings; it sees base and text.
 *
 * The file, little-endian, is mapped and belongs to this program alone:
 *     struct header (64 bytes)      magic, counts, XXH3 of all that follows
 *     float    scales[n]            cosine of a and b = scales[a] * scales[b] * dot(codes[a], codes[b])
 *     uint32_t offsets[n + 1]       of the words' letters
 *     uint32_t sorted[n]            the words' numbers in the order of their letters
 *     uint32_t relation_starts[n + 1]
 *     uint32_t relations[m]         per word: others that mean much the same, and how much, as below
 *     int8_t   codes[n][100]
 *     char     letters[l]
 * A word's number is its rank by frequency, 0 the most frequent. After the words come phrases of several, such as
 * "south korea", which have relations alone: their scale is 0. The file is not believed: every field is checked by
 * lexicon_open, so that the other calls need no checks. Thread-safe once open. */
#ifndef PEEL_WORDS_LEXICON_H
#define PEEL_WORDS_LEXICON_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define LEXICON_DIM       100u
#define LEXICON_MAX_WORD  40u     /* bytes */
#define LEXICON_MAX_WORDS 288000u /* with phrases */
#define LEXICON_NONE      UINT32_MAX

struct lexicon;
/* ERR_NOT_FOUND: no such file; ERR_CORRUPT names the field. */
enum status lexicon_open(const char *path, struct lexicon **out, struct error *err) MUST_CHECK;
void lexicon_close(struct lexicon *l); /* NULL is fine */

uint32_t lexicon_count(const struct lexicon *l);
uint64_t lexicon_checksum(const struct lexicon *l); /* of its words and vectors: another file has another one */
uint32_t lexicon_find(const struct lexicon *l, const char *word, size_t len);  /* LEXICON_NONE: unknown */
const char *lexicon_word(const struct lexicon *l, uint32_t word, size_t *len); /* not NUL-terminated */
const int8_t *lexicon_codes(const struct lexicon *l, uint32_t word, float *scale);
/* Words of like meaning: LEXICON_RELATED is the other word's number, LEXICON_STRENGTH how like it is, 0..1. */
const uint32_t *lexicon_relations(const struct lexicon *l, uint32_t word, size_t *n);
#define LEXICON_RELATED(relation)  ((relation)&0xffffffu)
#define LEXICON_STRENGTH(relation) ((float)((relation) >> 24) / 255)
/* Of a relation as strong as can be: the other word names the country that this one belongs to ("german": "germany").
 */
#define LEXICON_NAMES(relation) ((relation) >> 24 == 255)

/* --- making the file --- */
struct lexicon_builder;
enum status lexicon_builder_open(struct lexicon_builder **out, struct error *err) MUST_CHECK;
void lexicon_builder_close(struct lexicon_builder *b); /* NULL is fine */
/* Words by falling frequency, each in [a-z0-9]; others, repeats and the rarest beyond 280,000 are passed over. */
enum status lexicon_builder_add(struct lexicon_builder *b, const char *word, const float vector[LEXICON_DIM],
                                struct error *err) MUST_CHECK;
/* After the last word: several of them with a space between each two; others, repeats and too many are passed over. */
enum status lexicon_builder_add_phrase(struct lexicon_builder *b, const char *phrase, struct error *err) MUST_CHECK;
/* After the last phrase: who asks for x may mean y, with this strength, 0..1; the greatest of several counts, and
 * unknown words are passed over. */
enum status lexicon_builder_relate(struct lexicon_builder *b, const char *x, const char *y, float strength,
                                   struct error *err) MUST_CHECK;
/* Takes the directions that all words share out of the vectors, and writes the file atomically. */
enum status lexicon_builder_write(struct lexicon_builder *b, const char *path, struct error *err) MUST_CHECK;

#endif
