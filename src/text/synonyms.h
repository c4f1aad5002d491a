/* synonyms.h: words that people decided to search by others, in memory, for the searches of both services.
 *
 *     synonyms_open(entries, n, &s, &err);
 *     text_query(text, len, language, true, NULL, &arena, &terms, &err);
 *     synonyms_expand(s, text, len, &arena, &terms, &added, &err);   // "gelato" is looked for as "ice cream", too
 *     synonyms_close(s);
 *
 * A term is found in a query as terms are: by the stems of its language, or of English where it is for all languages.
 * A set never changes after it was made; any number of threads may use it. */
#ifndef PEEL_TEXT_SYNONYMS_H
#define PEEL_TEXT_SYNONYMS_H

#include "base/arena.h"
#include "base/status.h"
#include "base/terms.h"
#include <stdbool.h>
#include <stddef.h>

#define SYNONYMS_MAX_ENTRIES 2000u
#define SYNONYMS_MAX_EACH    20u  /* synonyms of one entry */
#define SYNONYMS_MAX_TEXT    100u /* bytes of a term or a synonym */
#define SYNONYMS_MAX_WORDS   3u   /* of one; without spaces a text counts as one word */
#define SYNONYMS_MAX_ADDED   12u  /* texts that one query is expanded by */

struct synonym_entry {
    const char *term;
    const char *const *synonyms;
    size_t n_synonyms;
    bool two_way;         /* the term is also one of each synonym, and they of each other */
    const char *language; /* tag of the queries' language; "" for all */
};

/* Is this a term that an entry can have? ERR_INVALID says why not, beginning with a verb: "must have ...". */
enum status synonyms_check_text(const char *text, struct error *err) MUST_CHECK;

struct synonyms;
/* Copies all it needs; made with one owner. ERR_INVALID names the entry, "synonyms[3]: ...". */
enum status synonyms_open(const struct synonym_entry *entries, size_t n, struct synonyms **out,
                          struct error *err) MUST_CHECK;
struct synonyms *synonyms_share(struct synonyms *s); /* one more owner; returns s, NULL for NULL */
void synonyms_close(struct synonyms *s);             /* the last owner's frees it; NULL is fine */
size_t synonyms_count(const struct synonyms *s);     /* entries */

/* Has the query any term that has synonyms? NULL for s is fine, here and below. */
enum status synonyms_match(const struct synonyms *s, const char *text, size_t len, unsigned language, struct arena *a,
                           bool *matches, struct error *err) MUST_CHECK;
/* Adds to `q`, which text_query made of the text, the terms of its synonyms, which count less than those of the text
 * itself; of a synonym of several words most must be there. *added: how many texts. */
enum status synonyms_expand(const struct synonyms *s, const char *text, size_t len, struct arena *a,
                            struct term_query *q, size_t *added, struct error *err) MUST_CHECK;

#endif
