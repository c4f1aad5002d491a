/* tokenizer.h: CLIP's byte-level BPE, id for id as the Hugging Face CLIP tokenizer.
 *
 * NFC; runs of white space become one space; lower case; words by the pattern
 * 's|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+; bytes spelled by GPT-2's byte alphabet; merges
 * by rank; the last piece of a word carries "</w>". "<|endoftext|>" typed by a user is plain text.
 * (Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019 for the byte alphabet.)
 *
 *     tokenizer_open("models/clip", &t, &err);
 *     int32_t ids[77]; size_t n;
 *     tokenizer_encode(t, "cat in a park", 13, 77, ids, &n, &err); // 49406 2368 530 320 1452 49407
 */
#ifndef PEEL_TOKENIZE_TOKENIZER_H
#define PEEL_TOKENIZE_TOKENIZER_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define TOKENIZER_MAX_BYTES 8192 /* of one text, before truncation to max_tokens */

struct tokenizer;
/* Reads `dir`/tokenizer.json, or where that is absent vocab.json and merges.txt. */
enum status tokenizer_open(const char *dir, struct tokenizer **out, struct error *err) MUST_CHECK;
void tokenizer_close(struct tokenizer *t); /* NULL is fine */

/* The same from memory, each at most 32 MiB; either `tokenizer_json` or the other two (no NULs needed). */
enum status tokenizer_parse_json(const char *tokenizer_json, size_t len, struct tokenizer **out,
                                 struct error *err) MUST_CHECK;
enum status tokenizer_parse_vocab(const char *vocab_json, size_t vocab_len, const char *merges_txt, size_t merges_len,
                                  struct tokenizer **out, struct error *err) MUST_CHECK;

/* ids: [max_tokens], max_tokens >= 2. *n counts the start and end tokens; a long text is cut so that
 * the end token stays. Thread-safe. ERR_INVALID: not UTF-8; ERR_TOO_LARGE: over TOKENIZER_MAX_BYTES. */
enum status tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, size_t max_tokens, int32_t *ids,
                             size_t *n, struct error *err) MUST_CHECK;
/* One more than the largest id: what the text tower's embedding must have rows for. */
size_t tokenizer_vocab_size(const struct tokenizer *t);

#endif
