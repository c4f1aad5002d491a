/* document_text.h: a document as a query, for what is like it. */
#ifndef PEEL_RANK_DOCUMENT_TEXT_H
#define PEEL_RANK_DOCUMENT_TEXT_H

#include "base/arena.h"
#include "search_store/search_store.h"

/* Its title and words as one text, in one language: English if it has that, else the first. In the arena. */
enum status document_text(const struct document *doc, struct arena *a, const char **text, size_t *len,
                          struct error *err) MUST_CHECK;

#endif
