/* wordnet.h: from WordNet's files to relations of words: synonyms, derived forms, kinds and parts (wndb(5WN),
 * wninput(5WN)). */
#ifndef PEEL_CMD_WORDNET_H
#define PEEL_CMD_WORDNET_H

#include "base/status.h"
#include "words/lexicon.h"
#include <stddef.h>

struct wordnet;
enum status wordnet_open(struct wordnet **out, struct error *err) MUST_CHECK;
void wordnet_close(struct wordnet *w); /* NULL is fine */

/* One file, such as "dict/data.noun" or "dict/index.noun", whole, in any order; others are passed over. */
enum status wordnet_read(struct wordnet *w, const char *path, const char *data, size_t len,
                         struct error *err) MUST_CHECK;
/* After the last file. A word's first senses count more. */
enum status wordnet_relate(struct wordnet *w, struct lexicon_builder *b, struct error *err) MUST_CHECK;

#endif
