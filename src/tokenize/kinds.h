/* kinds.h: what the kinds of tokenizer have in common; for the files of this folder.
 *
 * tokenizer.c reads the files, keeps what surrounds a model (normalizer, pre-tokenizer, start and end tokens) and
 * hands the words to it. Each kind has a file: bpe.c (which does all by itself), wordpiece.c, unigram.c. */
#ifndef PEEL_TOKENIZE_KINDS_H
#define PEEL_TOKENIZE_KINDS_H

#include "tokenize/member.h"
#include "tokenize/tokenizer.h"
#include <stdbool.h>

#define KINDS_MAX_ID (1 << 20) /* ids are below */

/* Where ids go; those past `max` are dropped. */
struct id_list {
    int32_t *ids; /* [max] */
    size_t n, max;
};

static inline void id_list_add(struct id_list *list, int32_t id)
{
    if (list->n < list->max)
        list->ids[list->n++] = id;
}

static inline bool id_list_full(const struct id_list *list)
{
    return list->n >= list->max;
}

/* The special ones among the added_tokens of a tokenizer.json: their spelling is plain text to the models. */
struct special {
    const char *content; /* borrowed */
    int32_t id;
};
struct specials {
    struct special *list; /* [n] */
    size_t n;
};

struct bpe;
/* `vocab` gains the added tokens. Either `merges` or merges_txt: [merges_len]. start, end: their ids. */
enum status bpe_build(json_t *vocab, const json_t *merges, const char *merges_txt, size_t merges_len,
                      const json_t *added, struct bpe **out, size_t *vocab_size, int32_t *start, int32_t *end,
                      struct error *err) MUST_CHECK;
enum status bpe_build_json(const json_t *root, struct bpe **out, size_t *vocab_size, int32_t *start, int32_t *end,
                           struct error *err) MUST_CHECK;
void bpe_free(struct bpe *b);
/* text: valid UTF-8, of at most TOKENIZER_MAX_BYTES, as the user wrote it. */
enum status bpe_encode(const struct bpe *b, const char *text, size_t len, struct id_list *out,
                       struct error *err) MUST_CHECK;

struct wordpiece;
/* model: tokenizer.json's "model". info: unk_id and vocab_size are set. */
enum status wordpiece_build_json(const json_t *model, const struct specials *specials, struct wordpiece **out,
                                 struct tokenizer_info *info, struct error *err) MUST_CHECK;
/* vocab.txt: a piece a line, its number is its id. special: [n], tokens that must be there and whose ids go to
 * ids: [n]; special[0] is the unknown one. */
enum status wordpiece_build_text(const char *vocab_txt, size_t len, const char *const *special, size_t n, int32_t *ids,
                                 struct wordpiece **out, struct tokenizer_info *info, struct error *err) MUST_CHECK;
void wordpiece_free(struct wordpiece *w);
void wordpiece_encode(const struct wordpiece *w, const char *word, size_t len, struct id_list *out);

struct unigram;
enum status unigram_build_json(const json_t *model, const struct specials *specials, struct unigram **out,
                               struct tokenizer_info *info, struct error *err) MUST_CHECK;
struct scored_piece {
    const char *s; /* borrowed */
    uint32_t len;
    double score;
    bool plain; /* may be found in a text */
};
/* list: [n], in the order of ids. */
enum status unigram_build(const struct scored_piece *list, size_t n, int32_t unk_id, bool byte_fallback,
                          struct unigram **out, struct error *err) MUST_CHECK;
void unigram_free(struct unigram *u);
enum status unigram_encode(const struct unigram *u, const char *word, size_t len, struct id_list *out,
                           struct error *err) MUST_CHECK;

struct charsmap;
/* sentencepiece.bpe.model as XLM-RoBERTa numbers its pieces: see sentencepiece.c. *map may be NULL. */
enum status sentencepiece_parse(const char *model, size_t len, struct unigram **out, struct charsmap **map,
                                struct tokenizer_info *info, struct error *err) MUST_CHECK;

#endif
