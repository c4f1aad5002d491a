/* sticker_curation.h: what staff decide about searches: pins, which put a sticker at a place among the results of a
 * query or hide it from them, and synonyms. Rules of memory, time and threads as in sticker_store.h; every change has a
 * history entry in its transaction. The admin's forms change single rows through sticker_store_change
 * (sticker_admin.h).
 *
 * Values come as the services use them: queries and terms by which they are found are made by the caller. */
#ifndef PEEL_STICKER_STORE_STICKER_CURATION_H
#define PEEL_STICKER_STORE_STICKER_CURATION_H

#include "sticker_store/sticker_admin.h"

#define CURATION_MAX_PINS     10000
#define CURATION_MAX_QUERY    100 /* pins of one query */
#define CURATION_MAX_POSITION 100
#define CURATION_MAX_SYNONYMS 2000

enum curation_kind { CURATION_PINS, CURATION_SYNONYMS, CURATION_KINDS };
enum { CURATION_COLUMNS = 4 };
/* As they are called in the admin's lists, in the API and in files, in this order; the last one is a whole number. */
struct curation_names {
    const char *list, *one; /* "pins", "pin" */
    const char
        *columns[CURATION_COLUMNS]; /* query, language, sticker, position; or term, language, synonyms, two_way */
    size_t keys;                    /* of the columns: there is one row for each key */
};
extern const struct curation_names curation_names[CURATION_KINDS];

/* Pins: position 1 is the first, 0 hides the sticker. Synonyms: "dog, puppy"; two_way is 0 or 1. Language "": all. */
struct curation_row {
    const char *values[CURATION_COLUMNS];
};
struct curation_counts {
    size_t added, changed, deleted, same;
};
/* Adds rows, or changes those that have the same key. replace: deletes all others. All or nothing. ERR_INVALID names
 * the row, "pins[3]: ...", as for a sticker that does not exist; or says that there would be too many. DURABLE. */
enum status sticker_store_curation_put(struct sticker_store *s, const struct admin_who *who, enum curation_kind kind,
                                       const struct curation_row *rows, size_t n, bool replace,
                                       struct curation_counts *counts, struct error *err) MUST_CHECK;
/* Deletes the row with the key of this one. ERR_NOT_FOUND. DURABLE. */
enum status sticker_store_curation_delete(struct sticker_store *s, const struct admin_who *who, enum curation_kind kind,
                                          const struct curation_row *row, struct error *err) MUST_CHECK;
/* All of them, by key; pins of one query and language by position, the last changed first of those at one place, hidden
 * ones last. */
enum status sticker_store_curation_list(struct sticker_store *s, enum curation_kind kind, struct arena *a,
                                        struct curation_row **out, size_t *n, struct error *err) MUST_CHECK;
/* A number that grows with every change, whoever makes it, also by deleting a sticker that is pinned. */
enum status sticker_store_curation_version(struct sticker_store *s, enum curation_kind kind, int64_t *version,
                                           struct error *err) MUST_CHECK;

#endif
