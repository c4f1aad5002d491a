/* query_language.h: the language that a query is in: by its script, by small words and letters that few languages have,
 * by which languages' titles and keywords it is, and by how common its words are in English. What an app or a browser
 * says of its user's language is a hint, as people write in more than one. */
#ifndef PEEL_RANK_QUERY_LANGUAGE_H
#define PEEL_RANK_QUERY_LANGUAGE_H

#include "base/language.h"
#include "rank/meanings.h"
#include "rank/phrases.h"

struct query_language_ask {
    const char *text; /* valid UTF-8 */
    size_t len;
    unsigned hint;           /* LANGUAGE_OTHER: nobody said */
    struct meanings *words;  /* for how common a word is in English; NULL: there is no lexicon */
    struct phrases *phrases; /* of a model of many languages; NULL: there is none */
};
/* The number of a language; English, or the hint, where nothing speaks for another one; LANGUAGE_OTHER for a query with
 * accents that is in no language that can be told. `a`: for what is needed in between. */
unsigned query_language(const struct query_language_ask *ask, struct arena *a);

#endif
