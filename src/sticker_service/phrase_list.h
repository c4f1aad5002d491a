/* phrase_list.h: the phrases of one language, sorted by each of their words: what a typed beginning is looked up in.
 * Private to collection.c. Not thread-safe while it is filled; read by any number of threads afterwards. */
#ifndef PEEL_STICKER_SERVICE_PHRASE_LIST_H
#define PEEL_STICKER_SERVICE_PHRASE_LIST_H

#include "sticker_service/collection.h"

struct phrase_list;
struct phrase_list *phrase_list_new(void); /* NULL without memory */
void phrase_list_free(struct phrase_list *l);
/* Adds a phrase; the same one again counts. `plain` is its plain form (text_plain), by which it is found. Does nothing
 * when the list is full (PHRASE_LIST_MAX) or there is no memory. Both are copied. */
#define PHRASE_LIST_MAX 300000u
void phrase_list_add(struct phrase_list *l, const char *text, const char *plain, enum suggestion_kind kind,
                     unsigned count);
void phrase_list_sort(struct phrase_list *l); /* after adding; then it can be asked, and added to again */
/* Is every word of the plain phrase a word of some phrase of the list? */
bool phrase_list_knows(const struct phrase_list *l, const char *plain);
/* The best up to `limit` (COLLECTION_SUGGESTIONS) phrases with a word that begins with `plain`, copied to the arena. */
size_t phrase_list_find(const struct phrase_list *l, const char *plain, size_t limit, struct arena *a,
                        struct suggestion *out);
/* The same for a `plain` that nothing begins with: phrases that begin with something one mistake away from it, a
 * character too many, missing, another one, or two exchanged; not the first one. */
size_t phrase_list_find_near(const struct phrase_list *l, const char *plain, size_t limit, struct arena *a,
                             struct suggestion *out);

#endif
