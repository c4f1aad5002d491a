/* thesaurus.h: the synonyms of SearchService, as StickerService last sent them: kept in the database, so that they are
 * there after a restart, and in memory for searches. They are replaced as a whole. Several SearchServices on a database
 * read every second what one of them was sent.
 *
 * The version of a set is the SHA-256 of its JSON, "" before there was any: whoever sends it knows by that whether it
 * is still here, also after a database was lost. */
#ifndef PEEL_SEARCH_SERVICE_THESAURUS_H
#define PEEL_SEARCH_SERVICE_THESAURUS_H

#include "base/status.h"
#include "search_store/search_store.h"
#include "text/synonyms.h"
#include <stdbool.h>

#define THESAURUS_MAX_BYTES (6u << 20) /* of JSON: all that synonyms.h allows */

struct thesaurus;
/* The store is borrowed until thesaurus_close. A set in the database that cannot be read is logged and left out. */
enum status thesaurus_open(struct search_store *store, struct thesaurus **out, struct error *err) MUST_CHECK;
void thesaurus_close(struct thesaurus *t); /* NULL is fine */

/* Replaces the set by {"synonyms":[{"term":"gelato","synonyms":["ice cream"],"two_way":false,"language":"it"}]}, where
 * two_way and language may be missing. DURABLE. *changed: it was another one. ERR_INVALID names the member. */
enum status thesaurus_put(struct thesaurus *t, const char *json, size_t len, bool *changed,
                          struct error *err) MUST_CHECK;
/* Those in use now, for synonyms_close; NULL: there are none. */
struct synonyms *thesaurus_synonyms(struct thesaurus *t);
void thesaurus_version(struct thesaurus *t, char out[65]);
/* The JSON in the database, in the arena; "" before there was any. */
enum status thesaurus_json(struct thesaurus *t, struct arena *a, const char **json, struct error *err) MUST_CHECK;

#endif
