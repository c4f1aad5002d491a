/* phrases.h: what documents are called, phrase by phrase, with the vectors of one sentence model: their titles and each
 * of their keywords, in the languages that the model is asked in. A phrase is kept once for each language, however many
 * documents have it, and its vector belongs to its text: a document that gets one new keyword has one new vector.
 *
 * Vectors lie in memory as int8. They come from elsewhere: who encodes asks for the phrases that have none
 * (phrases_pending) and gives them theirs (phrases_set). Thread-safe; a change holds searches up for microseconds. */
#ifndef PEEL_RANK_PHRASES_H
#define PEEL_RANK_PHRASES_H

#include "base/arena.h"
#include "base/labels.h"
#include "base/language.h"
#include "search_store/search_store.h"

struct phrases;
/* languages: whose phrases are kept. Those that nobody named a language of (LANGUAGE_OTHER) always are, and what a
 * document is called that has nothing in English counts as such, too: so it is found in every language. */
enum status phrases_open(size_t dim, const struct language_set *languages, struct phrases **out,
                         struct error *err) MUST_CHECK;
void phrases_close(struct phrases *p); /* NULL is fine */

/* Takes in a document as it is in the store now, or anew. */
enum status phrases_put(struct phrases *p, const struct document *doc, struct error *err) MUST_CHECK;
void phrases_remove(struct phrases *p, int64_t id);

struct phrases_count {
    size_t encoded, pending, bytes;
};
struct phrases_count phrases_count(struct phrases *p);

struct phrase_text {
    unsigned language;
    uint32_t number;  /* in its language */
    const char *text; /* in small letters (text_lower) */
    size_t len;
};
/* Up to `most` phrases without a vector, in the arena: of the documents of[n_of], those in their first language; or
 * with n_of 0 of all: English ones and those of no language first, then the languages that are searched in most. */
enum status phrases_pending(struct phrases *p, const int64_t *of, size_t n_of, size_t most, struct arena *a,
                            struct phrase_text **out, size_t *n, struct error *err) MUST_CHECK;
/* Makes the form in which vectors are kept, here and in the store: phrases_code_size bytes at `code`. */
size_t phrases_code_size(const struct phrases *p);
void phrases_encode(const struct phrases *p, const float *vector /* [dim] */, void *code);
/* Gives a phrase its vector; NULL: it has none and never will, as the model refuses its text. */
void phrases_set(struct phrases *p, const struct phrase_text *phrase, const void *code);
/* Takes all vectors away: the phrases are pending again. */
void phrases_forget(struct phrases *p);

/* The vector of a document: the mean of those of its phrases in its first language, English if it has that, at
 * length 1. out: [dim]. False: none of them has a vector. */
bool phrases_mean(struct phrases *p, int64_t id, float *out);

/* Adds the languages that have this very phrase, of a document that is there; `text` as text_lower makes it. */
void phrases_languages(struct phrases *p, const char *text, size_t len, struct language_set *out);

struct phrase_query {
    const float *vector; /* [dim], L2-normalised */
    double unlike;       /* the cosine of texts that have nothing to do with each other */
    const char *text;    /* what it is of */
    size_t text_len;
    unsigned language; /* phrases of this language are looked at, and English ones, and those of no language */
    const struct label_test *passing; /* NULL: all pass */
    size_t most;                      /* at least that many documents, if there are, */
    const int64_t *also;              /* [n_also] and these */
    size_t n_also;
};
#define PHRASES_NO_WHOLE (-2.0f)
struct phrase_hit {
    int64_t id;
    float score; /* cosine of the query and the document's most alike phrase */
    float whole; /* about the cosine of the query and all the document's phrases in the query's language together, where
                    that is not English; else, or where it has none, PHRASES_NO_WHOLE */
    bool exact;  /* a phrase of the document is the query, letter for letter */
};
/* In no order. Documents of `also` that have no phrase, or do not pass, are left out. */
enum status phrases_search(struct phrases *p, const struct phrase_query *q, struct arena *a, struct phrase_hit **out,
                           size_t *n, struct error *err) MUST_CHECK;

/* The document's phrase that phrases_search would compare with the query best (phrases_explain.c); `passing`, `most`
 * and `also` do not matter. ERR_NOT_FOUND: it has none in these languages that has a vector. */
struct phrase_best {
    const char *text; /* in the arena */
    unsigned language;
    float score;
};
enum status phrases_best(struct phrases *p, const struct phrase_query *q, int64_t id, struct arena *a,
                         struct phrase_best *out, struct error *err) MUST_CHECK;

#endif
