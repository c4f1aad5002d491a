/* document_text.h: what a document's title and words say, as texts that models encode. */
#ifndef PEEL_RANK_DOCUMENT_TEXT_H
#define PEEL_RANK_DOCUMENT_TEXT_H

#include "base/arena.h"
#include "search_store/search_store.h"

/* Its title and words as one text, in one language: English if it has that, else the first. In the arena. */
enum status document_text(const struct document *doc, struct arena *a, const char **text, size_t *len,
                          struct error *err) MUST_CHECK;

/* Tells of each phrase: the title, which is in the language above, then of each language, that one first, the title
 * and the keywords. Repeats are not left out. The text is borrowed for the call. */
typedef enum status document_phrase(void *ctx, unsigned language, const char *text, size_t len, struct error *err);
enum status document_phrases(const struct document *doc, document_phrase *tell, void *ctx,
                             struct error *err) MUST_CHECK;

/* Of its title and words; never 0. */
uint64_t document_text_hash(const struct document *doc);

#endif
