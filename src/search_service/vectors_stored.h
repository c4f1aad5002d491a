/* vectors_stored.h: vectors that the database searches itself, with pgvector, behind vectors.h. */
#ifndef PEEL_SEARCH_SERVICE_VECTORS_STORED_H
#define PEEL_SEARCH_SERVICE_VECTORS_STORED_H

#include "search_store/search_store.h"
#include "vectors/vectors.h"

/* From here on the model's vectors are indexed in the database. `store` and `model` are borrowed. As
 * search_store_vectors_index. */
enum status vectors_stored_open(struct search_store *store, const char *model, size_t dim, struct vectors **out,
                                struct error *err) MUST_CHECK;

#endif
