/* curation.h: what staff decide about searches, as searches use it: pins, by the query that they are for, and synonyms.
 * The database has them (sticker_store/sticker_curation.h); here they are in memory, read again within half a second
 * after anybody on the database changed them. Synonyms are also sent to SearchService, whenever it has other ones: its
 * database may be new, or from a backup. Thread-safe. */
#ifndef PEEL_STICKER_SERVICE_CURATION_H
#define PEEL_STICKER_SERVICE_CURATION_H

#include "base/arena.h"
#include "base/status.h"
#include "http/client.h"
#include "sticker_service/answers.h"
#include "sticker_store/sticker_curation.h"
#include "text/synonyms.h"

struct curation;
/* Reads all of it. Everything is borrowed until curation_close. When it changes, what is kept in `answers` and in
 * `starts` is cleared. */
enum status curation_open(struct sticker_store *store, struct http_client *search, struct answers *answers,
                          struct answers *starts, struct curation **out, struct error *err) MUST_CHECK;
void curation_close(struct curation *c); /* NULL is fine */

/* After a change made here: reads it at once, so that the next search knows it, and sends synonyms soon. */
void curation_changed(struct curation *c);

struct pin {
    const char *sticker;
    const char *language; /* tag of the queries that it is for; "" for all */
    unsigned position;    /* 1 is the first; 0: the sticker is hidden */
};
/* The pins of a query in any language, in the arena: by position, hidden ones last. `query` as it was searched. */
enum status curation_pins(struct curation *c, const char *query, struct arena *a, struct pin **out, size_t *n,
                          struct error *err) MUST_CHECK;
/* For synonyms_close; NULL: there are none. */
struct synonyms *curation_synonyms(struct curation *c);
/* Has SearchService the synonyms of our database? */
bool curation_delivered(struct curation *c);

/* A value as somebody typed it becomes one as it is kept: queries and terms in small letters with single spaces,
 * synonyms "a, b", a language's tag. ERR_INVALID says what is wrong with it, as a sentence for a form. */
enum status curation_check(const char *column, const char **value, struct arena *a, struct error *err) MUST_CHECK;
/* A whole row, after its values are checked. */
enum status curation_check_row(enum curation_kind kind, const struct curation_row *row, struct arena *a,
                               struct error *err) MUST_CHECK;
/* "a, b" as a list; a text cannot have a comma. In the arena, NULL: no memory. */
const char **curation_split(const char *synonyms, struct arena *a, size_t *n);

#endif
