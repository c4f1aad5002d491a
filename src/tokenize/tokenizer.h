/* tokenizer.h: text to token ids, id for id as Hugging Face's `tokenizers`, of three kinds.
 *
 * BPE: CLIP's, over bytes. NFC; runs of white space become one space; lower case; words by the pattern
 * 's|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+; bytes spelled by GPT-2's byte alphabet; merges by rank; the
 * last piece of a word carries "</w>". (Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019.)
 * WordPiece: BERT's, cased or not: the longest piece first. (Schuster & Nakajima 2012; Devlin et al. 2019,
 * arXiv:1810.04805.)
 * Unigram: SentencePiece's, as XLM-RoBERTa, multilingual-e5 and bge-m3 have it: the likeliest pieces.
 * (Kudo 2018, arXiv:1804.10959.)
 *
 *     tokenizer_open("models/clip", &t, &err);
 *     int32_t ids[77]; size_t n;
 *     tokenizer_encode(t, "cat in a park", 13, 77, ids, &n, &err); // 49406 2368 530 320 1452 49407
 *
 * A text is never more than text: "<|endoftext|>", "[SEP]" or "</s>" typed by a user is split like any other word
 * and cannot become the control token of that spelling. In `tokenizers` that is encode_special_tokens = True, and
 * one step further: there a Unigram model would still find "</s>" among its pieces. */
#ifndef PEEL_TOKENIZE_TOKENIZER_H
#define PEEL_TOKENIZE_TOKENIZER_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define TOKENIZER_MAX_BYTES 8192 /* of one text, before truncation to max_tokens */

enum tokenizer_kind { TOKENIZER_BPE, TOKENIZER_WORDPIECE, TOKENIZER_UNIGRAM };

struct tokenizer_info {
    enum tokenizer_kind kind;
    size_t vocab_size;      /* one more than the largest id */
    size_t n_start, n_end;  /* tokens that every text begins and ends with, such as [CLS] and [SEP]: 0 to 4 each */
    size_t max_tokens;      /* of a text, those included, as the files say; 0: they do not */
    int32_t pad_id, unk_id; /* -1: there is none, or the files name none */
};

struct tokenizer;
/* Reads `dir`/tokenizer.json, or where that is absent vocab.json and merges.txt (BPE), vocab.txt (WordPiece) or
 * sentencepiece.bpe.model (Unigram, with XLM-RoBERTa's ids); beside all but BPE's also tokenizer_config.json, which
 * may be absent. ERR_UNSUPPORTED: a tokenizer of another kind; the message names what was found and expected. */
enum status tokenizer_open(const char *dir, struct tokenizer **out, struct error *err) MUST_CHECK;
void tokenizer_close(struct tokenizer *t); /* NULL is fine */

/* The same from memory, each at most 32 MiB (no NULs needed at the ends). config_json may be NULL: all defaults. */
enum status tokenizer_parse_json(const char *tokenizer_json, size_t len, struct tokenizer **out,
                                 struct error *err) MUST_CHECK;
enum status tokenizer_parse_vocab(const char *vocab_json, size_t vocab_len, const char *merges_txt, size_t merges_len,
                                  struct tokenizer **out, struct error *err) MUST_CHECK;
enum status tokenizer_parse_wordpiece(const char *vocab_txt, size_t vocab_len, const char *config_json,
                                      size_t config_len, struct tokenizer **out, struct error *err) MUST_CHECK;
enum status tokenizer_parse_sentencepiece(const char *model, size_t len, struct tokenizer **out,
                                          struct error *err) MUST_CHECK;

/* ids: [max_tokens], max_tokens >= n_start + n_end (2 for all models named above). *n counts the start and end tokens;
 * a long text is cut so that the end token stays. Thread-safe. ERR_INVALID: not UTF-8, or max_tokens too small;
 * ERR_TOO_LARGE: over TOKENIZER_MAX_BYTES. */
enum status tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, size_t max_tokens, int32_t *ids,
                             size_t *n, struct error *err) MUST_CHECK;
/* One more than the largest id: what the text tower's embedding must have rows for. */
size_t tokenizer_vocab_size(const struct tokenizer *t);
const struct tokenizer_info *tokenizer_info(const struct tokenizer *t); /* lives as long as t */

#endif
