/* terms.h: search terms, between src/text, which makes them from words, and src/fts, which indexes and searches them.
 * Words meet terms in one place alone, so that what is indexed and what is asked always agree. */
#ifndef PEEL_BASE_TERMS_H
#define PEEL_BASE_TERMS_H

#include "base/language.h"

/* A sticker's terms, joined by spaces (see text_sticker_terms). Those in English, and its title and filename, are
 * `title`, `words` and `filename`; the other languages have a list each. */
struct language_terms {
    unsigned language;
    const char *title, *words; /* never NULL */
};
struct sticker_terms {
    const char *title, *words, *filename; /* stems */
    const char *folded;                   /* of these three, unstemmed: what a typed prefix is matched against */
    const struct language_terms *languages;
    size_t n_languages; /* each language once */
};

/* A query's terms (see text_query). */
struct word_form {
    unsigned word; /* the place in stems of the word whose form it is */
    const char *stem;
    struct language_set in; /* the languages whose words have this form */
};
struct term_query {
    const char *const *stems; /* in English, for title, words and filename */
    size_t n_stems;
    const char *prefix; /* the last word as typed, perhaps unfinished; NULL if it is not to be completed */
    bool prefix_in_all; /* long enough to be completed in all languages */
    const struct word_form *forms;
    size_t n_forms;    /* 0: only English is searched */
    unsigned language; /* preferred: its matches count in full, the others' a share; LANGUAGE_en by default */
};

#endif
