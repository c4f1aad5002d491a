/* normalizer.h: the "normalizer" of a tokenizer.json: steps that rewrite a text before it is split.
 *
 * BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, StripAccents, Strip, Replace (of a string, or of the patterns
 * " {2,}" and "\s+"), Precompiled, Nmt, Prepend, and Sequence of these. */
#ifndef PEEL_TOKENIZE_NORMALIZER_H
#define PEEL_TOKENIZE_NORMALIZER_H

#include "tokenize/charsmap.h"
#include "tokenize/member.h"
#include "tokenize/text.h"

struct normalizer;
/* `node` may be NULL or null: no steps. ERR_UNSUPPORTED names the type that was found and those above. */
enum status normalizer_parse(const json_t *node, struct normalizer **out, struct error *err) MUST_CHECK;
/* BERT's, as its vocab.txt and tokenizer_config.json ask for: do_lower_case (true), tokenize_chinese_chars (true),
 * strip_accents (null: as do_lower_case). `config` may be NULL. */
enum status normalizer_bert(const json_t *config, struct normalizer **out, struct error *err) MUST_CHECK;
/* One step, Precompiled; takes the map over, also on failure. NULL: no steps. */
enum status normalizer_precompiled(struct charsmap *map, struct normalizer **out, struct error *err) MUST_CHECK;
void normalizer_free(struct normalizer *n); /* NULL is fine */

/* Rewrites text->data. Thread-safe. ERR_TOO_LARGE past TEXT_MAX_BYTES. */
enum status normalizer_apply(const struct normalizer *n, struct text *text, struct error *err) MUST_CHECK;

#endif
