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
/* What else is known of one of the query's words. */
struct term_trait {
    unsigned sign;    /* words of one sign, such as "<3", have the same number; 0: no sign */
    bool drawn;       /* it is the sign as a whole: where that is found, its letters hardly count */
    unsigned run;     /* parts of one run of a script without spaces have the same number and are neighbours; 0: none */
    bool whole;       /* of a part: it is looked for as a run of its own; else as a piece of any */
    double most;      /* that its rarity may count; 0: no limit */
    double share;     /* of what it would count; 0: all of it. Less for what nobody typed (synonyms.h) */
    const char *word; /* unstemmed; NULL of what stands for several, or for a part */
};
struct term_query {
    const char *const *stems; /* in English, for title, words and filename; NULL: looked for in other languages alone */
    size_t n_stems;
    const struct term_trait *traits; /* [n_stems]; NULL: nothing is known */
    const char *prefix;              /* the last word as typed, perhaps unfinished; NULL if it is not to be completed */
    bool prefix_in_all;              /* long enough to be completed in all languages */
    const struct word_form *forms;
    size_t n_forms;    /* 0: only English is searched */
    unsigned language; /* preferred: its matches count in full, the others' a share; LANGUAGE_en by default */
    bool alone;        /* only matches in the preferred language count */
};

#endif
