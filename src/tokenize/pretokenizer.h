/* pretokenizer.h: the "pre_tokenizer" of a tokenizer.json: splits a normalized text into words.
 *
 * BertPreTokenizer, WhitespaceSplit, Punctuation, Metaspace (with prepend_scheme, or add_prefix_space as before
 * tokenizers 0.15), and Sequence of these. */
#ifndef PEEL_TOKENIZE_PRETOKENIZER_H
#define PEEL_TOKENIZE_PRETOKENIZER_H

#include "tokenize/member.h"
#include "tokenize/text.h"

struct pretokenizer;
/* `node` may be NULL or null: the text is one word. ERR_UNSUPPORTED names the type that was found and those above. */
enum status pretokenizer_parse(const json_t *node, struct pretokenizer **out, struct error *err) MUST_CHECK;
enum status pretokenizer_bert(struct pretokenizer **out, struct error *err) MUST_CHECK;
/* WhitespaceSplit, then Metaspace with "always". */
enum status pretokenizer_xlm_roberta(struct pretokenizer **out, struct error *err) MUST_CHECK;
void pretokenizer_free(struct pretokenizer *p); /* NULL is fine */

/* Fills text->words; Metaspace rewrites text->data too. Thread-safe. */
enum status pretokenizer_apply(const struct pretokenizer *p, struct text *text, struct error *err) MUST_CHECK;

#endif
